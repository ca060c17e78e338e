/* layertap layers --flat: every tensor of the file, in the order of execution, under a name that
 * follows -r as it stands. */
#include "cli/json.h"
#include "cli/layers.h"
#include "cli/table.h"
#include "cli/text.h"
#include <stdlib.h>

static int shape_of(const cli_layers *list, size_t index, const ltap_layer_shape **shape)
{
    *shape = list->shapes ? ltap_shapes_value_at(list->shapes, index) : NULL;
    return *shape && (*shape)->tensor.dtype != LTAP_UNDEFINED;
}

static char *selector_of(const ltap_value_info *info)
{
    char *text = NULL;
    return asprintf(&text, "%s%s", info->shared_name ? "value:" : "", info->name) < 0 ? NULL : text;
}

static ltap_status add_row(const cli_layers *list, cli_table *table, size_t index,
                           ltap_error *error)
{
    const ltap_layer_shape *shape;
    ltap_value_info info;
    ltap_model_values_at(list->model.model, index, &info);
    int known = shape_of(list, index, &shape);
    ltap_text size = {"?"}, mult_adds = cli_text_count(known ? shape->mult_adds : 0, "");
    if (known)
        size = ltap_shape_text(&shape->tensor);
    char *name = selector_of(&info);
    const char *cells[] = {
        name ? name : "", info.type,      known ? ltap_dtype_name(shape->tensor.dtype) : "?",
        size.text,        mult_adds.text, info.module[0] ? info.module : "-",
        info.node};
    ltap_status status = name ? cli_table_add(table, cells, error) : cli_error_memory(error);
    free(name);
    return status;
}

static json_t *value_document(const cli_layers *list, size_t index)
{
    const ltap_layer_shape *shape;
    ltap_value_info info;
    ltap_model_values_at(list->model.model, index, &info);
    int known = shape_of(list, index, &shape);
    char *name = selector_of(&info);
    json_t *document = json_pack(
        "{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "name", cli_json_text(name ? name : ""),
        "value", cli_json_text(info.name), "type", info.type, "dtype",
        known ? json_string(ltap_dtype_name(shape->tensor.dtype)) : json_null(), "shape",
        known ? cli_json_shape(&shape->tensor) : json_null(), "mult_adds",
        known ? json_integer((json_int_t)shape->mult_adds) : json_null(), "module",
        info.module[0] ? cli_json_text(info.module) : json_null(), "node",
        info.node[0] ? cli_json_text(info.node) : json_null());
    free(name);
    return document;
}

static ltap_status print_json(const cli_layers *list, ltap_error *error)
{
    json_t *values = json_array();
    for (size_t i = 0; i < ltap_model_values_count(list->model.model); i++)
        json_array_append_new(values, value_document(list, i));
    return cli_json_print(json_pack("{s:i, s:o, s:o}", "layertap", 1, "model",
                                    cli_json_model(list->model.model), "values", values),
                          error);
}

ltap_status cli_layers_flat(const cli_layers *list, ltap_error *error)
{
    static const char *const header[] = {"value",     "made by", "type", "shape",
                                         "mult-adds", "module",  "node"};
    if (list->talk.json)
        return print_json(list, error);
    cli_table *table = cli_table_new("llllrll", header);
    ltap_status status = table ? LTAP_OK : cli_error_memory(error);
    for (size_t i = 0; status == LTAP_OK && i < ltap_model_values_count(list->model.model); i++)
        status = add_row(list, table, i, error);
    if (status == LTAP_OK) {
        cli_layers_print_head(list);
        cli_table_print(table, stdout);
        status = cli_report_flush(error);
    }
    cli_table_free(table);
    return status;
}
