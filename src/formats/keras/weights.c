/* Where each variable of each layer lies in the HDF5 file.
 *
 * The archive goes by classes: "layers/conv2d_1/vars/0", the second Conv2D's first variable; newer
 * ones note the layer's name there, which then counts. A legacy file goes by layers: the group of a
 * layer lists its variables, trained ones first, those of all layers in a model that is a layer
 * too.
 */
#include "formats/keras/net.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

enum { MAX_PATH = 1024 };

/* --- What variables a layer has. ---------------------------------------------------------------
 */

/* A key that is true or missing; with ~ in front: true; with ?: null or missing; with : and a text
 * behind: that text. */
static bool is_true(const ltap_keras_layer *layer, const char *key, size_t bytes)
{
    char name[64];
    double number;
    if (bytes == 0 || bytes >= sizeof name)
        return bytes == 0;
    memcpy(name, key, bytes);
    name[bytes] = '\0';
    const bool marked = name[0] == '~' || name[0] == '?';
    char *text = strchr(name, ':');
    if (text != NULL)
        *text++ = '\0';
    const ltap_json *json = ltap_json_find(layer->config, name + marked);
    if (text != NULL)
        return ltap_keras_is(ltap_keras_text_of(json, ""), text);
    if (json == NULL || json->kind == LTAP_JSON_NULL)
        return name[0] != '~';
    if (name[0] == '?')
        return false;
    if (json->kind == LTAP_JSON_BOOL)
        return json->boolean;
    return !ltap_keras_is_number(json, &number) || number != 0;
}

static ltap_status add_var(ltap_keras_reader *r, ltap_keras_layer *layer, const char *text,
                           size_t bytes)
{
    const char *at = memchr(text, '=', bytes);
    size_t named = at != NULL ? (size_t)(at - text) : bytes;
    if (at != NULL && !is_true(layer, at + 1, bytes - named - 1))
        return LTAP_OK;
    ltap_keras_var *var = &layer->vars[layer->n_vars++];
    var->trained = *text != '!';
    text += *text == '!';
    named -= !var->trained;
    const char *slash = memchr(text, '/', named);
    size_t holder = slash != NULL ? (size_t)(slash - text) : 0;
    LTAP_TRY(ltap_arena_text(r->arena, text, holder, &var->holder, r->error));
    holder += slash != NULL;
    return ltap_arena_text(r->arena, text + holder, named - holder, &var->name, r->error);
}

static ltap_status list_vars(ltap_keras_reader *r, ltap_keras_layer *layer)
{
    void *block;
    const char *text =
        layer->row != NULL && layer->row->variables != NULL ? layer->row->variables : "";
    LTAP_TRY(
        ltap_arena_take(r->arena, LTAP_KERAS_MAX_VARS, sizeof(ltap_keras_var), &block, r->error));
    layer->vars = block;
    while (*text != '\0') {
        size_t n = strcspn(text, ",");
        LTAP_TRY(add_var(r, layer, text, n));
        text += n + (text[n] == ',');
    }
    return LTAP_OK;
}

/* --- The archive. ------------------------------------------------------------------------------
 */

static ltap_status name_of(ltap_keras_reader *r, const ltap_hdf5_object *holder, const char **name)
{
    const ltap_hdf5_object *vars = ltap_hdf5_find(r->weights.file, holder, "vars");
    *name = NULL;
    if (vars == NULL)
        return LTAP_OK;
    return ltap_hdf5_text(r->weights.file, vars, "name", r->arena, name, r->error);
}

/* The group that says it is this layer's, if the one at its number says it is another's. */
static ltap_status by_name(ltap_keras_reader *r, const ltap_hdf5_object *group,
                           const ltap_keras_layer *layer, const ltap_hdf5_object **found)
{
    const ltap_hdf5_object *layers = ltap_hdf5_find(r->weights.file, group, "layers");
    const char *name = NULL;
    if (*found != NULL)
        LTAP_TRY(name_of(r, *found, &name));
    if (layers == NULL || (*found != NULL && name == NULL) ||
        (name != NULL && ltap_keras_is(name, layer->name)))
        return LTAP_OK;
    for (size_t i = 0; i < ltap_hdf5_count(layers); i++) {
        const ltap_hdf5_object *other = ltap_hdf5_child(layers, i);
        LTAP_TRY(name_of(r, other, &name));
        if (name != NULL && ltap_keras_is(name, layer->name)) {
            *found = other;
            return LTAP_OK;
        }
    }
    return LTAP_OK;
}

static void bind_vars(ltap_keras_reader *r, const ltap_hdf5_object *group, ltap_keras_layer *layer)
{
    char path[MAX_PATH];
    for (size_t i = 0; i < layer->n_vars; i++) {
        ltap_keras_var *var = &layer->vars[i];
        size_t number = 0;
        for (size_t k = 0; k < i; k++)
            number += ltap_keras_is(layer->vars[k].holder, var->holder);
        snprintf(path, sizeof path, "%s%svars/%zu", var->holder, var->holder[0] ? "/" : "", number);
        var->object = ltap_hdf5_find(r->weights.file, group, path);
        if (var->object == NULL && var->holder[0] != '\0') {
            /* Some releases list the private attribute. */
            snprintf(path, sizeof path, "_%s/vars/%zu", var->holder, number);
            var->object = ltap_hdf5_find(r->weights.file, group, path);
        }
    }
}

static ltap_status bind_net(ltap_keras_reader *r, const ltap_hdf5_object *group,
                            ltap_keras_net *net);

static ltap_status bind_layer(ltap_keras_reader *r, const ltap_hdf5_object *around,
                              ltap_keras_layer *layer)
{
    char path[MAX_PATH];
    LTAP_TRY(list_vars(r, layer));
    if (layer->is_operation)
        return LTAP_OK;
    snprintf(path, sizeof path, "%s", layer->place);
    const ltap_hdf5_object *group =
        around != NULL ? ltap_hdf5_find(r->weights.file, around, path) : NULL;
    if (group == NULL && around != NULL && strncmp(path, "layers/", 7) == 0) {
        /* Keras 2.12 and 2.13. */
        snprintf(path, sizeof path, "_layer_checkpoint_dependencies/%s", layer->place + 7);
        group = ltap_hdf5_find(r->weights.file, around, path);
    }
    if (around != NULL && strncmp(layer->place, "layers/", 7) == 0)
        LTAP_TRY(by_name(r, around, layer, &group));
    if (group != NULL)
        bind_vars(r, group, layer);
    for (size_t i = 0; i < layer->n_held; i++)
        LTAP_TRY(bind_layer(r, group, &layer->held[i]));
    return layer->net != NULL ? bind_net(r, group, layer->net) : LTAP_OK;
}

static ltap_status bind_net(ltap_keras_reader *r, const ltap_hdf5_object *group,
                            ltap_keras_net *net)
{
    for (size_t i = 0; i < net->layers.count; i++)
        LTAP_TRY(bind_layer(r, group, LTAP_VECTOR_AT(&net->layers, ltap_keras_layer, i)));
    return LTAP_OK;
}

/* --- Legacy files. ------------------------------------------------------------------------------
 */

/* A layer's group lists its variables; those of layers inside it follow each other, first all that
 * are trained, then the others. */
typedef struct listing {
    const ltap_hdf5_object *group;
    const char **names;
    size_t count, next;
    bool unsure; /* a class inside is not known: where its variables end is not either */
} listing;

static ltap_status list_all(ltap_keras_reader *r, ltap_keras_layer *layer, listing *list)
{
    LTAP_TRY(list_vars(r, layer));
    list->unsure = list->unsure || (layer->row == NULL && layer->net == NULL &&
                                    !layer->is_operation && !ltap_keras_is_input(layer));
    for (size_t i = 0; i < layer->n_held; i++)
        LTAP_TRY(list_all(r, &layer->held[i], list));
    for (size_t i = 0; layer->net != NULL && i < layer->net->layers.count; i++)
        LTAP_TRY(list_all(r, LTAP_VECTOR_AT(&layer->net->layers, ltap_keras_layer, i), list));
    return LTAP_OK;
}

/* "inner/conv/kernel:0" is a kernel of a layer conv; what it holds has names of its own. */
static bool speaks_of(const char *path, const ltap_keras_layer *layer, const char *name)
{
    size_t n = strlen(path), m = strlen(name), k = strlen(layer->name);
    if (n > 2 && path[n - 2] == ':')
        n -= 2;
    if (n < m || strncmp(path + n - m, name, m) != 0 || (n > m && path[n - m - 1] != '/'))
        return false;
    for (const char *p = path; (p = strstr(p, layer->name)) != NULL; p++)
        if ((p == path || p[-1] == '/') && p[k] == '/')
            return true;
    return false;
}

static void take_named(ltap_keras_reader *r, const ltap_keras_layer *layer, ltap_keras_var *var,
                       const listing *list)
{
    size_t before = 0; /* of the same name, of other parts of the layer */
    for (const ltap_keras_var *v = layer->vars; v < var; v++)
        before += ltap_keras_is(v->name, var->name);
    for (size_t i = 0; i < list->count && var->object == NULL; i++)
        if (speaks_of(list->names[i], layer, var->name) && before-- == 0)
            var->object = ltap_hdf5_find(r->weights.file, list->group, list->names[i]);
}

static void take(ltap_keras_reader *r, ltap_keras_layer *layer, listing *list, bool trained,
                 bool within)
{
    bool can = within && layer->trainable;
    for (size_t i = 0; i < layer->n_vars; i++) {
        ltap_keras_var *var = &layer->vars[i];
        if ((can && var->trained) != trained)
            continue;
        if (list->unsure)
            take_named(r, layer, var, list);
        else if (list->next < list->count)
            var->object = ltap_hdf5_find(r->weights.file, list->group, list->names[list->next++]);
    }
    for (size_t i = 0; i < layer->n_held; i++)
        take(r, &layer->held[i], list, trained, can);
    for (size_t i = 0; layer->net != NULL && i < layer->net->layers.count; i++)
        take(r, LTAP_VECTOR_AT(&layer->net->layers, ltap_keras_layer, i), list, trained, can);
}

/* The list may be split into "weight_names0", "weight_names1", ... */
static ltap_status read_names(ltap_keras_reader *r, listing *list)
{
    ltap_hdf5_attribute part;
    char name[32] = "weight_names";
    void *block;
    list->count = 0;
    for (unsigned i = 0;; i++) {
        LTAP_TRY(ltap_hdf5_attribute_read(r->weights.file, list->group, name, r->arena, &part,
                                          r->error));
        if (!part.found && i > 0)
            return LTAP_OK;
        if (part.found && part.count > 0 && part.texts == NULL)
            return ltap_error_set(r->error, LTAP_ERROR_FORMAT,
                                  "the list of weights of '%.100s' holds numbers",
                                  ltap_hdf5_name(list->group));
        if (part.found && i == 0) {
            list->names = part.texts;
            list->count = part.count;
            return LTAP_OK;
        }
        if (part.found) {
            LTAP_TRY(ltap_arena_take(r->arena, list->count + part.count, sizeof(const char *),
                                     &block, r->error));
            if (list->count > 0)
                memcpy(block, list->names, list->count * sizeof(const char *));
            if (part.count > 0)
                memcpy((const char **)block + list->count, part.texts,
                       part.count * sizeof(const char *));
            list->names = block;
            list->count += part.count;
        }
        snprintf(name, sizeof name, "weight_names%u", i);
    }
}

static ltap_status bind_legacy(ltap_keras_reader *r, const ltap_hdf5_object *groups,
                               ltap_keras_layer *layer)
{
    listing list = {.group = ltap_hdf5_find(r->weights.file, groups, layer->name)};
    LTAP_TRY(list_all(r, layer, &list));
    if (list.group == NULL)
        return LTAP_OK;
    LTAP_TRY(read_names(r, &list));
    take(r, layer, &list, true, true);
    take(r, layer, &list, false, true);
    if (!list.unsure && list.next < list.count)
        return ltap_error_set(r->error, LTAP_ERROR_FORMAT,
                              "layer '%.100s' has %zu weights in the file; its configuration is "
                              "for %zu",
                              layer->name, list.count, list.next);
    return LTAP_OK;
}

ltap_status ltap_keras_weights_bind(ltap_keras_reader *r, ltap_keras_net *net)
{
    if (!r->weights.by_layer)
        return bind_net(r, ltap_hdf5_find(r->weights.file, NULL, ""), net);
    const ltap_hdf5_object *groups = ltap_hdf5_find(r->weights.file, NULL, "model_weights");
    if (groups == NULL)
        groups = ltap_hdf5_find(r->weights.file, NULL, "");
    for (size_t i = 0; i < net->layers.count; i++)
        LTAP_TRY(bind_legacy(r, groups, LTAP_VECTOR_AT(&net->layers, ltap_keras_layer, i)));
    return LTAP_OK;
}

/* --- Weights as values. -------------------------------------------------------------------------
 */

static const ltap_keras_var *find_var(const ltap_keras_layer *layer, const char *holder,
                                      const char *name)
{
    for (size_t i = 0; i < layer->n_vars; i++)
        if (ltap_keras_is(layer->vars[i].name, name) &&
            ltap_keras_is(layer->vars[i].holder, holder != NULL ? holder : ""))
            return &layer->vars[i];
    return NULL;
}

bool ltap_keras_has(const ltap_keras_call *c, const char *holder, const char *name)
{
    return find_var(c->layer, holder, name) != NULL;
}

static ltap_status add_weight(ltap_keras_reader *r, const ltap_hdf5_data *data, const char *name,
                              uint32_t *value)
{
    ltap_graph *graph = r->b.graph;
    ltap_tensor tensor = data->tensor;
    uint64_t at = r->weights.base + data->offset;
    LTAP_TRY(ltap_graph_value(graph, name, strlen(name), value, r->error));
    if (ltap_graph_at(graph, *value)->constant != NULL) /* a layer that is called again */
        return LTAP_OK;
    tensor.data = (void *)(uintptr_t)(r->weights.bytes + at);
    LTAP_TRY(ltap_graph_set_constant(graph, *value, &tensor, r->error));
    ltap_graph_at(graph, *value)->span = (ltap_span){at, data->bytes > 0 ? data->bytes : 1};
    return LTAP_OK;
}

/* "/inner.conv/kernel": a name that no layer and no node has. */
static ltap_status read_weight(ltap_keras_call *c, const ltap_keras_var *var, ltap_hdf5_data *data,
                               uint32_t *value)
{
    ltap_keras_reader *r = c->r;
    const char *name;
    LTAP_TRY(ltap_hdf5_dataset(r->weights.file, var->object, data, r->error));
    LTAP_TRY(ltap_arena_format(r->arena, &name, r->error, "/%s/%s%s%s", ltap_keras_path(c->b),
                               var->holder, var->holder[0] ? "/" : "", var->name));
    return add_weight(r, data, name, value);
}

ltap_keras_tensor ltap_keras_weight(ltap_keras_call *c, const char *holder, const char *name,
                                    int rank)
{
    ltap_keras_tensor x = {.mask = LTAP_NO_VALUE, .dtype = LTAP_FLOAT32};
    const ltap_keras_var *var = find_var(c->layer, holder, name);
    ltap_hdf5_data data;
    if (!ltap_keras_is_good(c->b))
        return x;
    if (var == NULL || var->object == NULL) {
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its weight '%s' is not in the file", name);
        return x;
    }
    ltap_keras_take(c->b, read_weight(c, var, &data, &x.value));
    if (!ltap_keras_is_good(c->b))
        return x;
    x.rank = data.tensor.rank;
    if (x.rank > LTAP_KERAS_MAX_RANK || (rank >= 0 && x.rank != rank)) {
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its weight '%s' is %s; expected %d axes", name,
                         ltap_tensor_text(&data.tensor).text, rank);
        x.rank = rank < 0 ? 0 : rank;
        return x;
    }
    memcpy(x.dims, data.tensor.dims, sizeof x.dims);
    x.dtype = data.tensor.dtype;
    return ltap_keras_cast(c->b, x, LTAP_FLOAT32);
}

ltap_keras_tensor ltap_keras_vector(ltap_keras_call *c, const char *name, int64_t size)
{
    ltap_keras_tensor x = ltap_keras_weight(c, NULL, name, 1);
    if (ltap_keras_is_good(c->b) && size >= 0 && x.dims[0] != size)
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its weight '%s' has %lld numbers; expected %lld",
                         name, (long long)x.dims[0], (long long)size);
    return x;
}
