/* layertap layers of a checkpoint whose network layertap does not build: what the file holds, a
 * line per tensor, or with --depth a line per module, and which network is nearest. */
#include "cli/json.h"
#include "cli/layers.h"
#include "cli/table.h"
#include "cli/text.h"
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the first `depth` parts of a name, without its last part. */
static size_t module_bytes(const char *name, long depth)
{
    const char *last = strrchr(name, '.'), *at = name;
    if (!last)
        return 0;
    for (long parts = 0; parts < depth && at < last; parts++)
        at = strchr(parts > 0 ? at + 1 : at, '.');
    return (size_t)((at < last ? at : last) - name);
}

/* A name, what is inside it, or a pattern. */
static int is_wanted(const cli_layers *list, const char *name)
{
    const cli_arguments *arguments = list->arguments;
    for (size_t i = 1; i < arguments->n_operands; i++) {
        size_t bytes = strlen(arguments->operands[i]);
        if ((strncmp(name, arguments->operands[i], bytes) == 0 &&
             (name[bytes] == '\0' || name[bytes] == '.')) ||
            fnmatch(arguments->operands[i], name, 0) == 0)
            return 1;
    }
    return arguments->n_operands < 2;
}

static ltap_status add_module(cli_table *table, const char *name, size_t bytes, size_t n_tensors,
                              uint64_t n_elements, ltap_error *error)
{
    ltap_text elements = cli_text_count(n_elements, "");
    char count[24], *module = strndup(bytes ? name : "-", bytes ? bytes : 1);
    snprintf(count, sizeof count, "%zu", n_tensors);
    const char *cells[] = {module, count, elements.text};
    ltap_status status = module ? cli_table_add(table, cells, error) : cli_error_memory(error);
    free(module);
    return status;
}

/* Tensors of a module stand together, as PyTorch writes them. */
static ltap_status fill_modules(const cli_layers *list, cli_table *table, long depth,
                                ltap_error *error)
{
    const ltap_model *model = list->model.model;
    ltap_status status = LTAP_OK;
    size_t n = ltap_model_weights_count(model), n_tensors = 0;
    uint64_t n_elements = 0;
    ltap_weight weight, next;
    for (size_t i = 0; status == LTAP_OK && i < n; i++) {
        ltap_model_weights_at(model, i, &weight);
        ltap_model_weights_at(model, i + 1, &next);
        if (!is_wanted(list, weight.name))
            continue;
        size_t bytes = module_bytes(weight.name, depth);
        n_tensors++;
        n_elements += ltap_tensor_count(&weight.tensor);
        if (i + 1 < n && is_wanted(list, next.name) && module_bytes(next.name, depth) == bytes &&
            strncmp(next.name, weight.name, bytes) == 0)
            continue;
        status = add_module(table, weight.name, bytes, n_tensors, n_elements, error);
        n_tensors = n_elements = 0;
    }
    return status;
}

static ltap_status fill_tensors(const cli_layers *list, cli_table *table, ltap_error *error)
{
    ltap_status status = LTAP_OK;
    ltap_weight weight;
    for (size_t i = 0; status == LTAP_OK && i < ltap_model_weights_count(list->model.model); i++) {
        ltap_model_weights_at(list->model.model, i, &weight);
        ltap_text shape = ltap_shape_text(&weight.tensor);
        const char *cells[] = {weight.name, ltap_dtype_name(weight.tensor.dtype),
                               weight.tensor.rank > 0 ? shape.text : "scalar"};
        if (is_wanted(list, weight.name))
            status = cli_table_add(table, cells, error);
    }
    return status;
}

static void print_head(const cli_layers *list)
{
    const ltap_model_info *info = ltap_model_info_get(list->model.model);
    cli_report_print("%s: %s, %zu tensors, %s\n", info->name, info->format,
                     ltap_model_weights_count(list->model.model), info->version);
    if (info->nearest[0])
        cli_report_print("nearest: %s; %s\n", info->nearest, info->differs);
    putchar('\n');
}

static ltap_status print_table(const cli_layers *list, ltap_error *error)
{
    static const char *const tensor_header[] = {"tensor", "type", "shape"};
    static const char *const module_header[] = {"module", "tensors", "elements"};
    static const long range[] = {1, 1000000, 0};
    long depth = 0;
    ltap_status status = cli_arguments_number(list->arguments, "depth", range, &depth, error);
    if (status != LTAP_OK)
        return status;
    cli_table *table = cli_table_new(depth ? "lrr" : "lll", depth ? module_header : tensor_header);
    if (!table)
        return cli_error_memory(error);
    status = depth ? fill_modules(list, table, depth, error) : fill_tensors(list, table, error);
    if (status == LTAP_OK) {
        print_head(list);
        cli_table_print(table, stdout);
    }
    cli_table_free(table);
    return status == LTAP_OK ? cli_report_flush(error) : status;
}

static ltap_status print_json(const cli_layers *list, ltap_error *error)
{
    const ltap_model_info *info = ltap_model_info_get(list->model.model);
    json_t *tensors = json_array();
    ltap_weight weight;
    for (size_t i = 0; i < ltap_model_weights_count(list->model.model); i++) {
        ltap_model_weights_at(list->model.model, i, &weight);
        if (!is_wanted(list, weight.name))
            continue;
        char *module = strndup(weight.name, module_bytes(weight.name, 1000000));
        json_array_append_new(tensors,
                              json_pack("{s:o, s:o, s:s, s:o}", "name", cli_json_text(weight.name),
                                        "module", cli_json_text(module ? module : ""), "dtype",
                                        ltap_dtype_name(weight.tensor.dtype), "shape",
                                        cli_json_shape(&weight.tensor)));
        free(module);
    }
    return cli_json_print(
        json_pack("{s:i, s:o, s:o, s:o, s:o, s:[], s:o}", "layertap", 1, "model",
                  cli_json_model(list->model.model), "no_network", cli_json_text(info->no_network),
                  "nearest", info->nearest[0] ? cli_json_text(info->nearest) : json_null(),
                  "differs", cli_json_text(info->differs), "layers", "tensors", tensors),
        error);
}

ltap_status cli_layers_weights(const cli_layers *list, ltap_error *error)
{
    ltap_weight weight;
    if (list->talk.json)
        return print_json(list, error);
    if (!cli_arguments_has(list->arguments, "names"))
        return print_table(list, error);
    for (size_t i = 0; i < ltap_model_weights_count(list->model.model); i++) {
        ltap_model_weights_at(list->model.model, i, &weight);
        if (is_wanted(list, weight.name))
            cli_report_print("%s\n", weight.name);
    }
    return LTAP_OK;
}
