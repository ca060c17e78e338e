/* layertap layers MODEL: what can be asked for. A line per layer, named as extract -r takes it,
 * with the shape and the cost that it has for the given, or chosen, input sizes. */
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/layers.h"
#include "cli/table.h"
#include "cli/text.h"
#include <stdlib.h>
#include <string.h>

typedef cli_layers listing;

static ltap_status choose_shapes(listing *list, ltap_error *error)
{
    const ltap_model *model = list->model.model;
    ltap_status status = cli_sizes_choose(list->arguments, model, &list->sizes, error);
    if (status != LTAP_OK)
        return status;
    status = ltap_shapes_new(model, list->sizes.tensors, ltap_model_inputs_count(model),
                             &list->shapes, error);
    if (status == LTAP_OK || list->sizes.given)
        return status;
    cli_report_note(&list->talk, "no shapes: %s", error->message);
    return LTAP_OK;
}

static void print_ports(const listing *list)
{
    const ltap_model *model = list->model.model;
    for (size_t i = 0; i < ltap_model_inputs_count(model); i++) {
        const ltap_port *port = ltap_model_inputs_at(model, i);
        cli_report_print("input '%s': %s\n", port->name, cli_text_port(port).text);
    }
    for (size_t i = 0; i < ltap_model_outputs_count(model); i++) {
        const ltap_port *port = ltap_model_outputs_at(model, i);
        cli_report_print("output '%s': %s\n", port->name, cli_text_port(port).text);
    }
    if (!list->sizes.chosen || !list->shapes)
        return;
    fputs("below for", stdout);
    for (size_t i = 0; i < ltap_model_inputs_count(model); i++)
        cli_report_print("%s %s", i > 0 ? "," : "", ltap_shape_text(&list->sizes.tensors[i]).text);
    fputs(" (--input-shape chooses other sizes)\n", stdout);
}

void cli_layers_print_head(const cli_layers *list)
{
    const ltap_model_info *info = ltap_model_info_get(list->model.model);
    cli_report_print("%s: %s, %s%s%s", info->name, info->format, info->version,
                     info->producer[0] ? ", from " : "", info->producer);
    if (info->n_parameters > 0)
        cli_report_print("; %s parameters", cli_text_count(info->n_parameters, " ").text);
    if (list->shapes && ltap_shapes_mult_adds(list->shapes) > 0)
        cli_report_print("%s %s multiply-adds", info->n_parameters > 0 ? "," : ";",
                         cli_text_count(ltap_shapes_mult_adds(list->shapes), " ").text);
    putchar('\n');
    print_ports(list);
    putchar('\n');
}

/* In a tree, the part of the name that its parent's does not have. cell: yours to free. */
static ltap_status name_cell(const ltap_model *model, const ltap_layer *layer, int tree,
                             char **cell, ltap_error *error)
{
    const char *name = layer->name;
    if (tree && layer->parent != LTAP_NO_PARENT) {
        const char *above = ltap_model_layers_at(model, layer->parent)->name;
        size_t length = strlen(above);
        if (strncmp(name, above, length) == 0 && name[length] == '.')
            name += length + 1;
    }
    if (asprintf(cell, "%*s%s", tree ? 2 * layer->depth : 0, "", name) >= 0)
        return LTAP_OK;
    *cell = NULL;
    return cli_error_memory(error);
}

static ltap_status add_row(const listing *list, cli_table *table, size_t index, ltap_error *error)
{
    const ltap_model *model = list->model.model;
    const ltap_layer *layer = ltap_model_layers_at(model, index);
    const ltap_layer_shape *shape = list->shapes ? ltap_shapes_at(list->shapes, index) : NULL;
    int known = shape && shape->tensor.dtype != LTAP_UNDEFINED;
    ltap_text size = {"?"}, parameters = cli_text_count(layer->n_parameters, "");
    ltap_text mult_adds = cli_text_count(known ? shape->mult_adds : 0, "");
    if (known)
        size = ltap_shape_text(&shape->tensor);
    char *name = NULL;
    ltap_status status =
        name_cell(model, layer, cli_arguments_has(list->arguments, "tree"), &name, error);
    if (status == LTAP_OK) {
        const char *cells[] = {name,           layer->type, size.text, parameters.text,
                               mult_adds.text, layer->note};
        status = cli_table_add(table, cells, error);
    }
    free(name);
    if (status == LTAP_OK && layer->kind == LTAP_LAYER_MODULE)
        status = cli_table_mark(table, error);
    return status;
}

static ltap_status print_table(const listing *list, ltap_error *error)
{
    static const char *const header[] = {"layer", "kind", "output", "params", "mult-adds", "note"};
    const ltap_model *model = list->model.model;
    cli_table *table = cli_table_new("lllrrl", header);
    ltap_status status = table ? LTAP_OK : cli_error_memory(error);
    for (size_t i = 0; status == LTAP_OK && i < list->n_rows; i++)
        status = add_row(list, table, list->rows[i], error);
    if (status == LTAP_OK) {
        cli_layers_print_head(list);
        cli_table_print(table, stdout);
    }
    cli_table_free(table);
    const char *unsupported = ltap_model_info_get(model)->unsupported;
    size_t n_inside = status == LTAP_OK ? cli_layers_count_inside(list) : 0;
    if (status == LTAP_OK)
        status = cli_report_flush(error);
    if (status == LTAP_OK && n_inside > 0)
        cli_report_note(&list->talk,
                        "%zu operations in bodies of If, Loop or Scan can be changed and hooked: "
                        "--inside",
                        n_inside);
    if (status == LTAP_OK && unsupported[0])
        cli_report_note(&list->talk,
                        "%s needs operators that layertap does not have: %s; layers that do not "
                        "depend on them can be extracted",
                        ltap_model_info_get(model)->name, unsupported);
    return status;
}

static ltap_status print_names(const listing *list)
{
    for (size_t i = 0; i < list->n_rows; i++)
        cli_report_print("%s\n", ltap_model_layers_at(list->model.model, list->rows[i])->name);
    return LTAP_OK;
}

static json_t *layer_document(const listing *list, size_t index)
{
    static const char *const kinds[] = {"input", "module", "node", "output"};
    const ltap_layer *layer = ltap_model_layers_at(list->model.model, index);
    const ltap_layer_shape *shape = list->shapes ? ltap_shapes_at(list->shapes, index) : NULL;
    int known = shape && shape->tensor.dtype != LTAP_UNDEFINED;
    json_t *parent =
        layer->parent == LTAP_NO_PARENT
            ? json_null()
            : cli_json_text(ltap_model_layers_at(list->model.model, layer->parent)->name);
    return json_pack(
        "{s:o, s:s, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:i, s:b, s:b}", "name",
        cli_json_text(layer->name), "kind", kinds[layer->kind], "type", cli_json_text(layer->type),
        "dtype", known ? json_string(ltap_dtype_name(shape->tensor.dtype)) : json_null(), "shape",
        known ? cli_json_shape(&shape->tensor) : json_null(), "parameters",
        (json_int_t)layer->n_parameters, "mult_adds",
        known ? json_integer((json_int_t)shape->mult_adds) : json_null(), "parent", parent, "value",
        cli_json_text(layer->value), "note", cli_json_text(layer->note), "depth", layer->depth,
        "folded", layer->folded, "computable", layer->computable);
}

static ltap_status print_json(const listing *list, ltap_error *error)
{
    const ltap_model *model = list->model.model;
    json_t *inputs = json_array(), *outputs = json_array(), *layers = json_array();
    for (size_t i = 0; i < ltap_model_inputs_count(model); i++) {
        json_t *port = cli_json_port(ltap_model_inputs_at(model, i));
        if (port)
            json_object_set_new(port, "shown_for", cli_json_shape(&list->sizes.tensors[i]));
        json_array_append_new(inputs, port);
    }
    for (size_t i = 0; i < ltap_model_outputs_count(model); i++)
        json_array_append_new(outputs, cli_json_port(ltap_model_outputs_at(model, i)));
    for (size_t i = 0; i < list->n_rows; i++)
        json_array_append_new(layers, layer_document(list, list->rows[i]));
    json_t *mult_adds =
        list->shapes ? json_integer((json_int_t)ltap_shapes_mult_adds(list->shapes)) : json_null();
    return cli_json_print(json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:s}", "layertap", 1, "model",
                                    cli_json_model(model), "mult_adds", mult_adds, "inputs", inputs,
                                    "outputs", outputs, "layers", layers, "names_from",
                                    ltap_model_info_get(model)->names_from),
                          error);
}

/* All names that can follow -r, inputs and outputs too. */
static ltap_status all_rows(listing *list, ltap_error *error)
{
    if (list->arguments->n_operands > 1 || cli_arguments_has(list->arguments, "depth"))
        return cli_layers_choose(list, error);
    list->n_rows = ltap_model_layers_count(list->model.model);
    list->rows = calloc(list->n_rows + 1, sizeof(*list->rows));
    for (size_t i = 0; list->rows && i < list->n_rows; i++)
        list->rows[i] = i;
    return list->rows ? LTAP_OK : cli_error_memory(error);
}

static ltap_status list_layers(listing *list, ltap_error *error)
{
    const char *why = cli_arguments_value(list->arguments, "why");
    list->model.may_be_weights = true;
    ltap_status status = cli_model_open(list->arguments, &list->model, error);
    if (status == LTAP_OK && ltap_model_info_get(list->model.model)->no_network[0])
        return cli_layers_weights(list, error);
    if (status == LTAP_OK && cli_arguments_has(list->arguments, "names")) {
        status = all_rows(list, error);
        return status == LTAP_OK ? print_names(list) : status;
    }
    if (status == LTAP_OK && why && !why[0])
        return cli_error_set(error, LTAP_ERROR_ARGUMENT, "--why '': it wants LAYER");
    if (status == LTAP_OK && why)
        return cli_layers_why(list, why, error);
    if (status == LTAP_OK && cli_arguments_has(list->arguments, "inside"))
        return cli_layers_inside(list, error);
    if (status == LTAP_OK)
        status = choose_shapes(list, error);
    if (status == LTAP_OK && cli_arguments_has(list->arguments, "flat"))
        return cli_layers_flat(list, error);
    if (status == LTAP_OK)
        status = cli_layers_choose(list, error);
    if (status != LTAP_OK)
        return status;
    return list->talk.json ? print_json(list, error) : print_table(list, error);
}

int cli_layers_run(const cli_arguments *arguments)
{
    listing list = {.arguments = arguments,
                    .talk = {.quiet = cli_arguments_has(arguments, "quiet"),
                             .json = cli_arguments_has(arguments, "json")}};
    ltap_error error;
    ltap_status status = list_layers(&list, &error);
    if (status == LTAP_OK)
        status = cli_report_flush(&error);
    ltap_shapes_free(list.shapes);
    free(list.rows);
    cli_sizes_clear(&list.sizes);
    cli_model_clear(&list.model);
    return status == LTAP_OK ? CLI_DONE : cli_report_error(&list.talk, &error);
}
