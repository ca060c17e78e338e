/* Listing a side: every name that the model's list or the file has, and which of them are one
 * tensor. Two names of one tensor (a module, and the operation at its end) are one value, so that
 * nothing is computed or reported twice. */
#include "cli/side.h"
#include "cli/sources.h"
#include "cli/text.h"
#include <stdlib.h>
#include <string.h>

/* --- sorted names ---------------------------------------------------------------------------- */

static int compare_keys(const void *left, const void *right)
{
    const cli_key *a = left, *b = right;
    int order = strcmp(a->text, b->text);
    return order ? order : a->at < b->at ? -1 : a->at > b->at;
}

static size_t find_key(const cli_key *keys, size_t n, const char *text)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(keys[middle].text, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && strcmp(keys[low].text, text) == 0 ? keys[low].at : CLI_NOWHERE;
}

size_t cli_side_find(const cli_side *side, const char *name)
{
    return find_key(side->names, side->n_listed, name);
}

/* --- what can be computed -------------------------------------------------------------------- */

static void note_layer(cli_layer *layer, const ltap_getter_layer *resolved)
{
    layer->is_path = strcmp(resolved->kind, "module") == 0;
    layer->tensor = resolved->value;
}

/* A getter of the layers that are not refused. keys: texts for as many names. */
static ltap_status make_all(cli_side *side, ltap_error *error)
{
    ltap_return_layer *wanted = calloc(side->n_listed + 1, sizeof(*wanted));
    char(*keys)[24] = calloc(side->n_listed + 1, sizeof(*keys));
    ltap_status status = wanted && keys ? LTAP_OK : cli_error_memory(error);
    size_t n = 0;
    for (size_t i = 0; status == LTAP_OK && i < side->n_listed; i++) {
        if (side->layers[i].refused != LTAP_OK || side->layers[i].value == CLI_NOWHERE)
            continue;
        snprintf(keys[n], sizeof(keys[n]), "%zu", i);
        wanted[n] = (ltap_return_layer){side->layers[i].name, keys[n]};
        n++;
    }
    if (status == LTAP_OK && n == 0)
        status = cli_error_set(error, LTAP_ERROR_UNSUPPORTED,
                               "%s: no layer can be computed; operators that layertap does not "
                               "have: %s",
                               side->label, ltap_model_info_get(side->model.model)->unsupported);
    if (status == LTAP_OK)
        status = ltap_getter_new(side->model.model, wanted, n, &side->options, &side->all, error);
    for (size_t i = 0; status == LTAP_OK && i < n; i++)
        note_layer(&side->layers[strtoull(keys[i], NULL, 10)], ltap_getter_layers_at(side->all, i));
    free(wanted);
    free(keys);
    return status;
}

/* Asks for each layer alone. */
static ltap_status judge(cli_side *side, ltap_error *error)
{
    for (size_t i = 0; i < side->n_listed; i++) {
        cli_layer *layer = &side->layers[i];
        const ltap_return_layer wanted = {layer->name, NULL};
        ltap_getter *getter = NULL;
        if (layer->value == CLI_NOWHERE)
            continue;
        layer->refused =
            ltap_getter_new(side->model.model, &wanted, 1, &side->options, &getter, error);
        ltap_getter_free(getter);
        if (layer->refused == LTAP_ERROR_MEMORY || layer->refused == LTAP_ERROR_ARGUMENT)
            return layer->refused;
    }
    return LTAP_OK;
}

static ltap_status make_getter(cli_side *side, ltap_error *error)
{
    ltap_status status = make_all(side, error);
    if (status == LTAP_OK || status == LTAP_ERROR_MEMORY || status == LTAP_ERROR_ARGUMENT)
        return status;
    status = judge(side, error);
    return status == LTAP_OK ? make_all(side, error) : status;
}

/* --- values ---------------------------------------------------------------------------------- */

static size_t last_inside(const cli_side *side, size_t module)
{
    size_t last = module;
    for (size_t i = module + 1; i < side->n_listed; i++) {
        size_t above = side->layers[i].parent;
        while (above != CLI_NOWHERE && above > module)
            above = side->layers[above].parent;
        if (above != module)
            break;
        last = i;
    }
    return last;
}

/* The layers of one tensor: the operation if it is listed, else the innermost module. */
static cli_value choose_innermost(const cli_side *side, const cli_key *keys, size_t n)
{
    cli_value value = {.layer = CLI_NOWHERE, .pair = CLI_NOWHERE};
    for (size_t i = 0; i < n; i++) {
        const cli_layer *layer = &side->layers[keys[i].at];
        int is_first = value.layer == CLI_NOWHERE;
        if (is_first || layer->is_node || !side->layers[value.layer].is_node)
            value.layer = layer->is_output && !is_first ? value.layer : keys[i].at;
    }
    int is_node = side->layers[value.layer].is_node;
    value.order = is_node ? 2 * value.layer : 2 * last_inside(side, value.layer) + 1;
    return value;
}

static int compare_values(const void *left, const void *right)
{
    const cli_value *a = left, *b = right;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    return a->layer < b->layer ? -1 : a->layer > b->layer;
}

/* keys: room for one a layer. */
static void number_values(cli_side *side, cli_key *keys)
{
    size_t n = 0;
    for (size_t i = 0; i < side->n_listed; i++) {
        cli_layer *layer = &side->layers[i];
        if (layer->value != CLI_NOWHERE && layer->refused == LTAP_OK)
            keys[n++] = (cli_key){layer->tensor, i};
        layer->value = CLI_NOWHERE;
    }
    qsort(keys, n, sizeof(*keys), compare_keys);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && strcmp(keys[i].text, keys[end].text) == 0;)
            end++;
        side->values[side->n_values++] = choose_innermost(side, &keys[i], end - i);
    }
    qsort(side->values, side->n_values, sizeof(*side->values), compare_values);
    for (size_t v = 0; v < side->n_values; v++)
        side->layers[side->values[v].layer].value = v;
    for (size_t i = 0, end, v; i < n; i = end) {
        v = CLI_NOWHERE;
        for (end = i; end < n && strcmp(keys[i].text, keys[end].text) == 0; end++)
            v = side->layers[keys[end].at].value != CLI_NOWHERE ? side->layers[keys[end].at].value
                                                                : v;
        for (size_t k = i; k < end; k++)
            side->layers[keys[k].at].value = v;
    }
}

static ltap_status index_layers(cli_side *side, ltap_error *error)
{
    size_t n = side->n_listed;
    cli_key *keys = calloc(n + 1, sizeof(*keys));
    side->names = calloc(n + 1, sizeof(*side->names));
    side->values = calloc(n + 1, sizeof(*side->values));
    if (!keys || !side->names || !side->values) {
        free(keys);
        return cli_error_memory(error);
    }
    for (size_t i = 0; i < n; i++)
        side->names[i] = (cli_key){side->layers[i].name, i};
    qsort(side->names, n, sizeof(*side->names), compare_keys);
    number_values(side, keys);
    free(keys);
    return LTAP_OK;
}

/* --- opening --------------------------------------------------------------------------------- */

static ltap_status take_layers(cli_side *side, size_t n, ltap_error *error)
{
    side->layers = calloc(n + 1, sizeof(*side->layers));
    side->n_layers = side->n_listed = n;
    return side->layers ? LTAP_OK : cli_error_memory(error);
}

static ltap_status list_model(cli_side *side, ltap_error *error)
{
    const ltap_model *model = side->model.model;
    ltap_status status = take_layers(side, ltap_model_layers_count(model), error);
    for (size_t i = 0; status == LTAP_OK && i < side->n_listed; i++) {
        const ltap_layer *listed = ltap_model_layers_at(model, i);
        int is_input = listed->kind == LTAP_LAYER_INPUT;
        side->layers[i] = (cli_layer){.name = listed->name,
                                      .type = listed->type,
                                      .tensor = listed->value,
                                      .parent = listed->parent,
                                      .value = is_input ? CLI_NOWHERE : 0,
                                      .is_node = listed->kind == LTAP_LAYER_NODE,
                                      .is_output = listed->kind == LTAP_LAYER_OUTPUT};
    }
    if (status == LTAP_OK)
        status = make_getter(side, error);
    return status == LTAP_OK ? index_layers(side, error) : status;
}

static ltap_status list_arrays(cli_side *side, ltap_error *error)
{
    ltap_status status = take_layers(side, ltap_arrays_count(side->arrays), error);
    for (size_t i = 0; status == LTAP_OK && i < side->n_listed; i++) {
        const ltap_array *array = ltap_arrays_at(side->arrays, i);
        side->layers[i] = (cli_layer){.name = array->name,
                                      .type = "",
                                      .tensor = array->name,
                                      .shape = array->tensor,
                                      .parent = CLI_NOWHERE,
                                      .is_node = 1,
                                      .is_path = 1};
    }
    if (status == LTAP_OK && side->n_listed == 0)
        status = cli_error_set(error, LTAP_ERROR_INPUT, "%s holds no arrays", side->label);
    return status == LTAP_OK ? index_layers(side, error) : status;
}

/* Zip archives and .safetensors may hold either the weights of a network or arrays. refused: what
 * the model reader said; where a network was named, that is what is told of a file that is neither.
 */
static ltap_status open_arrays(const cli_arguments *arguments, cli_side *side, ltap_error *refused)
{
    ltap_error error;
    ltap_status status;
    ltap_model_close(side->model.model);
    side->model.model = NULL;
    if (side->model.bytes)
        status = ltap_arrays_open_bytes(side->model.bytes, side->model.size, side->label,
                                        &side->arrays, &error);
    else
        status = ltap_arrays_open(arguments->operands[0], &side->arrays, &error);
    if (status == LTAP_OK)
        return list_arrays(side, refused);
    if (cli_arguments_has(arguments, "arch"))
        return refused->code;
    *refused = error;
    return status;
}

ltap_status cli_side_open(const cli_arguments *arguments, cli_side *side, ltap_error *error)
{
    const char *path = arguments->operands[0];
    unsigned char head[CLI_HEAD_BYTES];
    const void *start = head;
    size_t n_head = 0;
    int is_stdin = strcmp(path, "-") == 0;
    ltap_status status;
    side->label = is_stdin ? "standard input" : path;
    if (is_stdin) {
        status = cli_stdin_read(&side->model.bytes, &side->model.size, error);
        start = side->model.bytes;
        n_head = side->model.size;
    } else
        status = cli_file_head(path, head, &n_head, error);
    if (status != LTAP_OK)
        return status;
    if (!(n_head > 0 && ltap_arrays_probe(start, n_head))) {
        status = cli_model_open(arguments, &side->model, error);
        return status == LTAP_OK ? list_model(side, error) : status;
    }
    status = cli_model_open(arguments, &side->model, error);
    if (status == LTAP_OK)
        return list_model(side, error);
    return side->model.is_named ? status : open_arrays(arguments, side, error);
}

void cli_side_clear(cli_side *side)
{
    for (size_t i = 0; i < side->n_asked; i++)
        ltap_getter_free(side->asked[i]);
    free(side->asked);
    ltap_getter_free(side->all);
    ltap_arrays_close(side->arrays);
    cli_model_clear(&side->model);
    free(side->layers);
    free(side->values);
    free(side->names);
    *side = (cli_side){0};
}

ltap_status cli_side_shapes(cli_side *side, const ltap_tensor *inputs, size_t n_inputs,
                            ltap_error *error)
{
    ltap_shapes *shapes = NULL;
    ltap_status status = ltap_shapes_new(side->model.model, inputs, n_inputs, &shapes, error);
    for (size_t i = 0; status == LTAP_OK && i < side->n_listed; i++)
        side->layers[i].shape = ltap_shapes_at(shapes, i)->tensor;
    ltap_shapes_free(shapes);
    return status;
}

/* --- selectors ------------------------------------------------------------------------------- */

static size_t value_of(const cli_side *side, const char *tensor)
{
    for (size_t v = 0; v < side->n_values; v++) {
        if (strcmp(side->layers[side->values[v].layer].tensor, tensor) == 0)
            return v;
    }
    return CLI_NOWHERE;
}

ltap_status cli_side_resolve(const cli_side *side, const char *selector, size_t *value,
                             ltap_status *why, ltap_error *error)
{
    *value = CLI_NOWHERE;
    *why = LTAP_ERROR_UNKNOWN_LAYER;
    if (side->arrays) {
        size_t at = cli_side_find(side, selector);
        if (at != CLI_NOWHERE) {
            *why = LTAP_OK;
            *value = side->layers[at].value;
        }
        return LTAP_OK;
    }
    const ltap_return_layer wanted = {selector, NULL};
    ltap_getter *getter = NULL;
    if (!selector[0])
        return LTAP_OK;
    *why = ltap_getter_new(side->model.model, &wanted, 1, &side->options, &getter, error);
    if (*why == LTAP_OK && ltap_getter_layers_count(getter) == 1)
        *value = value_of(side, ltap_getter_layers_at(getter, 0)->value);
    ltap_getter_free(getter);
    return *why == LTAP_ERROR_MEMORY || *why == LTAP_ERROR_INTERNAL ? *why : LTAP_OK;
}

/* A layer that is not listed, or not under this name. */
static ltap_status add(cli_side *side, const ltap_getter_layer *resolved, size_t *at,
                       ltap_error *error)
{
    size_t value = value_of(side, resolved->value);
    cli_layer *layers = realloc(side->layers, (side->n_layers + 1) * sizeof(*layers));
    side->layers = layers ? layers : side->layers;
    cli_value *values = realloc(side->values, (side->n_values + 1) * sizeof(*values));
    side->values = values ? values : side->values;
    if (!layers || !values)
        return cli_error_memory(error);
    *at = side->n_layers++;
    if (value == CLI_NOWHERE) {
        value = side->n_values++;
        side->values[value] = (cli_value){*at, 2 * *at, CLI_NOWHERE};
    }
    const cli_layer *same = &layers[side->values[value].layer];
    cli_layer added = {.name = resolved->layer,
                       .type = same == &layers[*at] ? "" : same->type,
                       .tensor = resolved->value,
                       .parent = CLI_NOWHERE,
                       .value = value,
                       .is_path = strcmp(resolved->kind, "module") == 0};
    if (same != &layers[*at])
        added.shape = same->shape;
    layers[*at] = added;
    return LTAP_OK;
}

static ltap_status ask_model(cli_side *side, const char *selector, size_t **layers,
                             size_t *n_layers, ltap_error *error)
{
    const ltap_return_layer wanted = {selector, NULL};
    ltap_getter **asked = realloc(side->asked, (side->n_asked + 1) * sizeof(ltap_getter *));
    if (!asked)
        return cli_error_memory(error);
    side->asked = asked;
    ltap_getter *getter = NULL;
    ltap_status status =
        ltap_getter_new(side->model.model, &wanted, 1, &side->options, &getter, error);
    if (status != LTAP_OK)
        return status;
    side->asked[side->n_asked++] = getter;
    *n_layers = ltap_getter_layers_count(getter);
    *layers = calloc(*n_layers, sizeof(**layers));
    if (!*layers)
        return cli_error_memory(error);
    for (size_t i = 0; status == LTAP_OK && i < *n_layers; i++) {
        const ltap_getter_layer *resolved = ltap_getter_layers_at(getter, i);
        size_t at = cli_side_find(side, resolved->layer);
        int is_same = at != CLI_NOWHERE && side->layers[at].value != CLI_NOWHERE &&
                      strcmp(side->layers[at].tensor, resolved->value) == 0;
        if (is_same)
            (*layers)[i] = at;
        else
            status = add(side, resolved, &(*layers)[i], error);
    }
    return status;
}

/* "*" and "?" within a part of a name, "**" across parts, a leading "**." also none. */
static int matches(const char *pattern, const char *name)
{
    for (; *pattern && *pattern != '*'; pattern++, name++) {
        int is_end = *name == '.' || *name == '/' || *name == 0;
        if (*pattern == '?' ? is_end : *pattern != *name)
            return 0;
    }
    if (!*pattern)
        return *name == 0;
    int across = pattern[1] == '*';
    pattern += 1 + across;
    for (; !matches(pattern, name); name++) {
        if (*name == 0 || (!across && (*name == '.' || *name == '/')))
            return 0;
    }
    return 1;
}

static ltap_status no_array(const cli_side *side, const char *name, ltap_error *error)
{
    char names[512] = "";
    for (size_t i = 0; i < side->n_listed && i < 6; i++)
        cli_text_add(names, sizeof(names), "%s%s", i > 0 ? ", " : "", side->layers[i].name);
    return cli_error_set(error, LTAP_ERROR_UNKNOWN_LAYER, "%s has no array '%s'; it has: %s%s",
                         side->label, name, names, side->n_listed > 6 ? ", ..." : "");
}

ltap_status cli_side_ask(cli_side *side, const char *selector, size_t **layers, size_t *n_layers,
                         ltap_error *error)
{
    *layers = NULL;
    *n_layers = 0;
    if (!side->arrays)
        return ask_model(side, selector, layers, n_layers, error);
    size_t at = cli_side_find(side, selector);
    *layers = calloc(side->n_listed, sizeof(**layers));
    if (!*layers)
        return cli_error_memory(error);
    for (size_t i = 0; i < side->n_listed; i++) {
        const char *name = side->layers[i].name;
        int anywhere = strncmp(selector, "**.", 3) == 0 && matches(selector + 3, name);
        if (at == CLI_NOWHERE ? anywhere || matches(selector, name) : at == i)
            (*layers)[(*n_layers)++] = i;
    }
    return *n_layers > 0 ? LTAP_OK : no_array(side, selector, error);
}

int cli_same_shape(const ltap_tensor *a, const ltap_tensor *b)
{
    return a->rank == b->rank &&
           memcmp(a->dims, b->dims, (size_t)a->rank * sizeof(a->dims[0])) == 0;
}
