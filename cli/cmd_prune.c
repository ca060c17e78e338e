/* layertap prune: a request, written as one model or two; layertap convert: the whole network. What
 * is reported is read back from what was written. */
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/model.h"
#include "cli/report.h"
#include "cli/request.h"
#include "cli/stems.h"
#include "cli/table.h"
#include "cli/text.h"
#include <layertap/prune.h>
#include <stdlib.h>
#include <string.h>

typedef struct pruning {
    const cli_arguments *arguments;
    cli_talk talk;
    int whole; /* all outputs: convert */
    cli_model model;
    cli_request request;
    ltap_getter_options understood;
    ltap_prune_options options;
    char *paths[2];
    ltap_model *written[2];
    ltap_pruned pruned[2];
    size_t n_written;
} pruning;

static int has(const pruning *p, const char *name)
{
    if (p->whole && (strcmp(name, "split") == 0 || strcmp(name, "from") == 0))
        return 0; /* not among its options */
    return cli_arguments_has(p->arguments, name);
}

static ltap_status read_external(pruning *p, ltap_error *error)
{
    const char *text = cli_arguments_value(p->arguments, "external");
    p->options.force = has(p, "force");
    p->options.rewrite = has(p, "rewrite");
    if (!text)
        return LTAP_OK;
    p->options.external = strcmp(text, "repack") == 0 ? LTAP_EXTERNAL_REPACK : LTAP_EXTERNAL_KEEP;
    if (strcmp(text, "keep") == 0 || strcmp(text, "repack") == 0)
        return LTAP_OK;
    return cli_error_set(error, LTAP_ERROR_ARGUMENT, "--external is '%s'; it wants keep or repack",
                         text);
}

static ltap_status check_line(const pruning *p, ltap_error *error)
{
    const char *path = cli_arguments_value(p->arguments, "output");
    if (!path || !path[0])
        return cli_error_set(error, LTAP_ERROR_ARGUMENT, "where to? -o OUT.onnx");
    if (strcmp(path, "-") == 0)
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "a model cannot be written to standard output; -o OUT.onnx");
    if (path[strlen(path) - 1] == '/' && !has(p, "split"))
        return cli_error_set(error, LTAP_ERROR_ARGUMENT, "-o %s names a folder; -o %smodel.onnx",
                             path, path);
    if (has(p, "split") && has(p, "from"))
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "--split begins at the model's inputs; split first, then prune the "
                             "backbone with --from");
    if (p->arguments->n_operands > 1)
        return cli_error_set(error, LTAP_ERROR_ARGUMENT, "%s takes one model; '%s' is too much",
                             p->arguments->command->name, p->arguments->operands[1]);
    return LTAP_OK;
}

/* "parts/" -> "parts/backbone.onnx"; "net.onnx" -> "net.backbone.onnx". */
static ltap_status choose_paths(pruning *p, ltap_error *error)
{
    static const char *const halves[] = {"backbone", "head"};
    const char *path = cli_arguments_value(p->arguments, "output");
    size_t length = strlen(path);
    int is_folder = path[length - 1] == '/', split = has(p, "split"), failed = 0;
    if (length > 5 && strcmp(path + length - 5, ".onnx") == 0 && split)
        length -= 5;
    for (int i = 0; i <= split && !failed; i++) {
        if (split)
            failed = asprintf(&p->paths[i], "%.*s%s%s.onnx", (int)length, path,
                              is_folder ? "" : ".", halves[i]) < 0;
        else
            failed = !(p->paths[i] = strdup(path));
    }
    p->n_written = split ? 2 : 1;
    return failed ? cli_error_memory(error) : LTAP_OK;
}

static ltap_status split(pruning *p, ltap_error *error)
{
    const char *text = cli_arguments_value(p->arguments, "split"), *equals = strrchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : strlen(text);
    if (length == 0 || (equals && !equals[1]))
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "--split '%s': it wants LAYER or LAYER=NAME", text);
    ltap_status status = LTAP_OK;
    if (p->request.n_layers == 0)
        status = cli_request_add_outputs(&p->request, p->model.model, 1, error);
    char *layer = strndup(text, length);
    if (status == LTAP_OK && !layer)
        status = cli_error_memory(error);
    const char *path = cli_arguments_value(p->arguments, "output");
    if (status == LTAP_OK && path[strlen(path) - 1] == '/')
        status = cli_folder_make(path, error);
    const ltap_split asked = {.at = {layer, equals ? equals + 1 : NULL},
                              .layers = p->request.layers,
                              .n_layers = p->request.n_layers,
                              .calls = p->understood.calls,
                              .backbone = p->paths[0],
                              .head = p->paths[1]};
    if (status == LTAP_OK)
        status = ltap_model_split(p->model.model, &asked, &p->options, p->pruned, error);
    free(layer);
    return status;
}

static ltap_status write_models(pruning *p, ltap_error *error)
{
    if (has(p, "split"))
        return split(p, error);
    p->understood.from = p->request.from;
    p->understood.n_from = p->request.n_from;
    if (p->whole) {
        ltap_status status = cli_request_add_outputs(&p->request, p->model.model, 1, error);
        if (status != LTAP_OK)
            return status;
    }
    return ltap_model_prune(p->model.model, p->request.layers, p->request.n_layers, &p->understood,
                            p->paths[0], &p->options, p->pruned, error);
}

/* --- report ---------------------------------------------------------------------------------- */

static ltap_status add_ports(cli_table *table, const pruning *p, size_t index, ltap_error *error)
{
    const ltap_model *model = p->written[index];
    size_t n_inputs = ltap_model_inputs_count(model),
           n = n_inputs + ltap_model_outputs_count(model);
    ltap_status status = LTAP_OK;
    for (size_t i = 0; status == LTAP_OK && i < n; i++) {
        const ltap_port *port = i < n_inputs ? ltap_model_inputs_at(model, i)
                                             : ltap_model_outputs_at(model, i - n_inputs);
        ltap_text type = cli_text_port(port);
        const char *cells[] = {p->paths[index], i < n_inputs ? "input" : "output", port->name,
                               type.text};
        status = cli_table_add(table, cells + (p->n_written == 1), error);
    }
    return status;
}

static ltap_status print_table(const pruning *p, ltap_error *error)
{
    static const char *const header[] = {"file", "", "name", "type"};
    int one = p->n_written == 1;
    cli_table *table = cli_table_new(&"llll"[one], header + one);
    ltap_status status = table ? LTAP_OK : cli_error_memory(error);
    for (size_t i = 0; status == LTAP_OK && i < p->n_written; i++)
        status = add_ports(table, p, i, error);
    if (status == LTAP_OK)
        cli_table_print(table, stdout);
    cli_table_free(table);
    return status == LTAP_OK ? cli_report_flush(error) : status;
}

static json_t *list_ports(const ltap_model *model, int inputs)
{
    json_t *list = json_array();
    size_t n = inputs ? ltap_model_inputs_count(model) : ltap_model_outputs_count(model);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, cli_json_port(inputs ? ltap_model_inputs_at(model, i)
                                                         : ltap_model_outputs_at(model, i)));
    return list;
}

static ltap_status print_json(const pruning *p, ltap_error *error)
{
    json_t *files = json_array();
    for (size_t i = 0; i < p->n_written; i++)
        json_array_append_new(files, json_pack("{s:o, s:I, s:I, s:I, s:I, s:o, s:o}", "file",
                                               cli_json_text(p->paths[i]), "bytes",
                                               (json_int_t)p->pruned[i].bytes, "data_bytes",
                                               (json_int_t)p->pruned[i].data_bytes, "nodes",
                                               (json_int_t)p->pruned[i].n_nodes, "nodes_before",
                                               (json_int_t)p->pruned[i].n_nodes_before, "inputs",
                                               list_ports(p->written[i], 1), "outputs",
                                               list_ports(p->written[i], 0)));
    return cli_json_print(json_pack("{s:i, s:o, s:o}", "layertap", 1, "model",
                                    cli_json_model(p->model.model), "files", files),
                          error);
}

/* The backbone ends behind a BatchNormalization where that is computed as one with the layer. */
static void note_moved_cut(const pruning *p)
{
    const char *asked = has(p, "split") ? cli_arguments_value(p->arguments, "split") : NULL;
    const char *equals = asked ? strrchr(asked, '=') : NULL, *name = equals ? equals + 1 : asked;
    for (size_t i = 0; asked && i < ltap_model_outputs_count(p->written[0]); i++)
        if (strcmp(ltap_model_outputs_at(p->written[0], i)->name, name) == 0)
            return;
    if (asked)
        cli_report_note(&p->talk,
                        "'%.*s' and the BatchNormalization after it are computed as one: "
                        "the cut is behind both",
                        equals ? (int)(equals - asked) : (int)strlen(asked), asked);
}

static ltap_status report(pruning *p, ltap_error *error)
{
    const ltap_model_options options = {.external_dir =
                                            cli_arguments_value(p->arguments, "external-dir")};
    ltap_status status = LTAP_OK;
    for (size_t i = 0; status == LTAP_OK && i < p->n_written; i++)
        status = ltap_model_open(p->paths[i], &options, &p->written[i], error);
    if (status == LTAP_OK)
        status = p->talk.json ? print_json(p, error) : print_table(p, error);
    if (status == LTAP_OK)
        note_moved_cut(p);
    for (size_t i = 0; status == LTAP_OK && i < p->n_written; i++) {
        const ltap_pruned *pruned = &p->pruned[i];
        ltap_text bytes = cli_text_bytes(pruned->bytes), data = cli_text_bytes(pruned->data_bytes);
        if (pruned->data_bytes > 0)
            cli_report_note(&p->talk, "wrote %s (%s) and %s.data (%s): %zu of %zu nodes",
                            p->paths[i], bytes.text, p->paths[i], data.text, pruned->n_nodes,
                            pruned->n_nodes_before);
        else
            cli_report_note(&p->talk, "wrote %s (%s): %zu of %zu nodes", p->paths[i], bytes.text,
                            pruned->n_nodes, pruned->n_nodes_before);
    }
    return status;
}

static ltap_status prune(pruning *p, ltap_error *error)
{
    ltap_status status = check_line(p, error);
    if (status == LTAP_OK)
        status = read_external(p, error);
    if (status == LTAP_OK && !p->whole)
        status = cli_request_read(p->arguments, &p->request, error);
    if (status == LTAP_OK && !p->whole)
        status = cli_request_calls(p->arguments, &p->understood.calls, error);
    if (status == LTAP_OK)
        status = choose_paths(p, error);
    if (status == LTAP_OK)
        status = cli_model_open(p->arguments, &p->model, error);
    if (status == LTAP_OK)
        status = write_models(p, error);
    return status == LTAP_OK ? report(p, error) : status;
}

static int run(const cli_arguments *arguments, int whole)
{
    pruning p = {.arguments = arguments, .whole = whole};
    ltap_error error;
    p.talk = (cli_talk){.quiet = has(&p, "quiet"), .json = has(&p, "json")};
    ltap_status status = prune(&p, &error);
    for (size_t i = 0; i < 2; i++) {
        ltap_model_close(p.written[i]);
        free(p.paths[i]);
    }
    cli_request_clear(&p.request);
    cli_model_clear(&p.model);
    return status == LTAP_OK ? CLI_DONE : cli_report_error(&p.talk, &error);
}

int cli_prune_run(const cli_arguments *arguments)
{
    return run(arguments, 0);
}

int cli_convert_run(const cli_arguments *arguments)
{
    return run(arguments, 1);
}
