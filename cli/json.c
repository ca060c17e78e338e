/* The pieces that every --json document is made of. Keys are only ever added, never renamed: see
 * the man page, "JSON". jansson keeps objects in the order of insertion. */
#include "cli/json.h"
#include "cli/report.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Length of the UTF-8 character at text as jansson accepts it, 0 where there is none. */
static size_t character(const char *text)
{
    for (size_t n = 1; n <= 4; n++) {
        json_t *one = json_stringn(text, n);
        json_decref(one);
        if (one)
            return n;
        if (text[n] == 0)
            break;
    }
    return 0;
}

json_t *cli_json_text(const char *text)
{
    json_t *string = json_string(text);
    if (string)
        return string;
    char *repaired = malloc(strlen(text) * 3 + 1);
    if (!repaired)
        return NULL;
    size_t at = 0;
    while (*text) {
        size_t n = character(text);
        memcpy(repaired + at, n ? text : "\xef\xbf\xbd", n ? n : 3);
        at += n ? n : 3;
        text += n ? n : 1;
    }
    string = json_stringn(repaired, at);
    free(repaired);
    return string;
}

json_t *cli_json_number(double number)
{
    return isfinite(number) ? json_real(number) : json_null();
}

json_t *cli_json_shape(const ltap_tensor *tensor)
{
    json_t *shape = json_array();
    for (int i = 0; i < tensor->rank; i++)
        json_array_append_new(shape,
                              tensor->dims[i] < 0 ? json_null() : json_integer(tensor->dims[i]));
    return shape;
}

json_t *cli_json_port(const ltap_port *port)
{
    json_t *shape = port->rank < 0 ? json_null() : json_array();
    for (int i = 0; i < port->rank; i++) {
        const ltap_port_dim *dim = &port->dims[i];
        json_array_append_new(shape, dim->size >= 0 ? json_integer(dim->size)
                                     : dim->symbol  ? cli_json_text(dim->symbol)
                                                    : json_null());
    }
    return json_pack("{s:o, s:s, s:o}", "name", cli_json_text(port->name), "dtype",
                     ltap_dtype_name(port->dtype), "shape", shape);
}

json_t *cli_json_model(const ltap_model *model)
{
    const ltap_model_info *info = ltap_model_info_get(model);
    return json_pack("{s:o, s:o, s:o, s:o, s:I, s:o}", "file", cli_json_text(info->name), "format",
                     cli_json_text(info->format), "version", cli_json_text(info->version),
                     "producer", cli_json_text(info->producer), "parameters",
                     (json_int_t)info->n_parameters, "unsupported",
                     cli_json_text(info->unsupported));
}

ltap_status cli_json_print(json_t *document, ltap_error *error)
{
    if (!document)
        return cli_error_memory(error);
    int result = json_dumpf(document, stdout, JSON_REAL_PRECISION(17));
    json_decref(document);
    fputc('\n', stdout);
    (void)result; /* a full disk is seen, and told better, by the flush */
    return cli_report_flush(error);
}

void cli_json_print_error(const ltap_error *error)
{
    json_t *document = json_pack("{s:{s:s, s:o}}", "error", "code", ltap_status_name(error->code),
                                 "message", cli_json_text(error->message));
    ltap_error ignored; /* standard error has the line, too */
    if (cli_json_print(document, &ignored) != LTAP_OK)
        clearerr(stdout);
}
