/* layertap layers --why LAYER: how a name was understood, what goes into the layer, and what a
 * request for it would leave out. All of it by asking the library as any request does. */
#include "cli/json.h"
#include "cli/layers.h"
#include "cli/text.h"
#include <layertap/getter.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FEEDS = 16, MAX_LEFT_OUT = 12 };

typedef struct why {
    const cli_layers *list;
    ltap_getter *getter;
    const ltap_getter_layer *layer;
    char *feeds[MAX_FEEDS]; /* values that go into it */
    size_t n_feeds;
    size_t n_kept; /* lines of the list */
} why;

static int keeps_inside(const why *w, size_t index)
{
    const ltap_model *model = w->list->model.model;
    size_t n = ltap_model_layers_count(model);
    for (size_t i = index; i < n; i++) {
        const ltap_layer *layer = ltap_model_layers_at(model, i);
        if (i > index && layer->depth <= ltap_model_layers_at(model, index)->depth)
            break;
        if (ltap_getter_keeps(w->getter, i))
            return 1;
    }
    return 0;
}

/* The name of the node that makes the layer's value; "" where there is none. */
static const char *maker_of(const why *w)
{
    ltap_value_info info;
    for (size_t i = 0; i < ltap_model_values_count(w->list->model.model); i++) {
        ltap_model_values_at(w->list->model.model, i, &info);
        if (strcmp(info.name, w->layer->value) == 0)
            return info.node;
    }
    return "";
}

/* What stands before ":in": the module, or the node that makes the value. asprintf's result. */
static int base_of(const why *w, char **base)
{
    const char *layer = w->layer->layer, *folded = strstr(layer, ":folded");
    if (strcmp(w->layer->kind, "module") == 0)
        return asprintf(base, "%.*s", folded ? (int)(folded - layer) : (int)strlen(layer), layer);
    return asprintf(base, "node:%s", maker_of(w));
}

/* The value at an input; NULL: no such input. */
static char *feed_at(const why *w, const char *base, size_t k)
{
    char *selector = NULL, *found = NULL;
    ltap_getter *getter = NULL;
    ltap_error ignored;
    if (asprintf(&selector, "%s:in[%zu]", base, k) < 0)
        return NULL;
    const ltap_return_layer one = {selector, NULL};
    if (ltap_getter_new(w->list->model.model, &one, 1, NULL, &getter, &ignored) == LTAP_OK)
        found = strdup(ltap_getter_layers_at(getter, 0)->value);
    ltap_getter_free(getter);
    free(selector);
    return found;
}

static ltap_status look(why *w, const char *name, ltap_error *error)
{
    const ltap_return_layer one = {name, NULL};
    ltap_status status = ltap_getter_new(w->list->model.model, &one, 1, NULL, &w->getter, error);
    if (status != LTAP_OK)
        return status;
    w->layer = ltap_getter_layers_at(w->getter, 0);
    char *base = NULL;
    if (base_of(w, &base) < 0)
        return cli_error_memory(error);
    while (w->n_feeds < MAX_FEEDS && (w->feeds[w->n_feeds] = feed_at(w, base, w->n_feeds)))
        w->n_feeds++;
    free(base);
    for (size_t i = 0; i < ltap_model_layers_count(w->list->model.model); i++)
        w->n_kept += ltap_getter_keeps(w->getter, i) != 0;
    return LTAP_OK;
}

/* The outermost lines of which nothing is needed. */
static void add_left_out(const why *w, json_t *names, size_t *count)
{
    const ltap_model *model = w->list->model.model;
    size_t skip = SIZE_MAX;
    *count = 0;
    for (size_t i = 0; i < ltap_model_layers_count(model); i++) {
        const ltap_layer *layer = ltap_model_layers_at(model, i);
        if (layer->kind == LTAP_LAYER_OUTPUT)
            continue;
        if (skip != SIZE_MAX && layer->depth > ltap_model_layers_at(model, skip)->depth)
            continue;
        skip = SIZE_MAX;
        if (keeps_inside(w, i))
            continue;
        skip = i;
        if ((*count)++ < MAX_LEFT_OUT || w->list->talk.json)
            json_array_append_new(names, cli_json_text(layer->name));
    }
}

static void print_text(const why *w, const json_t *left, size_t n_left)
{
    const ltap_getter_layer *layer = w->layer;
    cli_report_print("layer:    %s (%s)\n", layer->layer, layer->kind);
    cli_report_print("value:    %s\n", layer->value);
    if (layer->note[0])
        cli_report_print("note:     %s\n", layer->note);
    const char *from = ltap_model_info_get(w->list->model.model)->names_from;
    if (strcmp(layer->kind, "module") == 0 && from[0])
        cli_report_print("known by: %s\n", from);
    for (size_t i = 0; i < w->n_feeds; i++)
        cli_report_print("%s %s\n", i == 0 ? "reads:   " : "         ", w->feeds[i]);
    for (size_t i = 0; i < ltap_getter_inputs_count(w->getter); i++)
        cli_report_print("needs:    input '%s': %s\n", ltap_getter_inputs_at(w->getter, i)->name,
                         cli_text_port(ltap_getter_inputs_at(w->getter, i)).text);
    cli_report_print("runs:     %zu of %zu layers listed\n", w->n_kept,
                     ltap_model_layers_count(w->list->model.model));
    for (size_t i = 0; i < json_array_size(left); i++)
        cli_report_print("%s%s", i == 0 ? "left out: " : ", ",
                         json_string_value(json_array_get(left, i)));
    if (n_left > 0)
        cli_report_print("%s\n", n_left > json_array_size(left) ? ", ..." : "");
}

static json_t *document(const why *w, json_t *left)
{
    const ltap_getter_layer *layer = w->layer;
    json_t *feeds = json_array(), *inputs = json_array();
    for (size_t i = 0; i < w->n_feeds; i++)
        json_array_append_new(feeds, cli_json_text(w->feeds[i]));
    for (size_t i = 0; i < ltap_getter_inputs_count(w->getter); i++)
        json_array_append_new(inputs, cli_json_text(ltap_getter_inputs_at(w->getter, i)->name));
    return json_pack("{s:i, s:{s:o, s:s, s:o, s:o, s:b}, s:o, s:o, s:o, s:I}", "layertap", 1, "why",
                     "layer", cli_json_text(layer->layer), "kind", layer->kind, "value",
                     cli_json_text(layer->value), "note", cli_json_text(layer->note), "folded",
                     layer->folded, "reads", feeds, "inputs", inputs, "left_out", json_incref(left),
                     "layers_kept", (json_int_t)w->n_kept);
}

ltap_status cli_layers_why(const cli_layers *list, const char *layer, ltap_error *error)
{
    why w = {.list = list};
    size_t n_left = 0;
    json_t *left = json_array();
    ltap_status status = left ? look(&w, layer, error) : cli_error_memory(error);
    if (status == LTAP_OK) {
        add_left_out(&w, left, &n_left);
        if (list->talk.json)
            status = cli_json_print(document(&w, left), error);
        else
            print_text(&w, left, n_left);
    }
    for (size_t i = 0; i < w.n_feeds; i++)
        free(w.feeds[i]);
    ltap_getter_free(w.getter);
    json_decref(left);
    return status == LTAP_OK ? cli_report_flush(error) : status;
}
