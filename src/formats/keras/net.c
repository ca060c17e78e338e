/* From a configuration to layers: Functional and Sequential, models as layers, wrappers. */
#include "formats/keras/net.h"

#include "base/error.h"

#include <ctype.h>
#include <string.h>

static const char *class_of(const ltap_json *object)
{
    return ltap_keras_text_of(ltap_json_find(object, "class_name"), "");
}

/* Whether it lists layers: a Functional, a Sequential, or a class of one's own made as one. */
bool ltap_keras_is_model(const ltap_json *model)
{
    const ltap_json *config = ltap_json_find(model, "config");
    const ltap_json *layers = ltap_json_find(config, "layers");
    const char *name = class_of(model);
    if (ltap_keras_is(name, "Sequential"))
        return config != NULL;
    if (layers == NULL || layers->kind != LTAP_JSON_ARRAY || layers->first == NULL)
        return false;
    return ltap_json_find(config, "output_layers") != NULL;
}

ltap_keras_layer *ltap_keras_net_find(const ltap_keras_net *net, const char *name)
{
    uint32_t at;
    return ltap_map_get(&net->by_name, name, strlen(name), &at)
               ? LTAP_VECTOR_AT(&net->layers, ltap_keras_layer, at)
               : NULL;
}

/* Conv2D -> conv2d, MaxPooling2D -> max_pooling2d, ReLU -> re_lu; `>` of registered names goes. */
static ltap_status snake_case(ltap_keras_reader *r, const char *name, const char **snake)
{
    char *out;
    void *block;
    size_t n = 0;
    const char *last = strrchr(name, '>');
    name = last != NULL ? last + 1 : name;
    LTAP_TRY(ltap_arena_take(r->arena, 2 * strlen(name) + 1, 1, &block, r->error));
    out = block;
    for (size_t i = 0; name[i] != '\0'; i++) {
        unsigned char at = (unsigned char)name[i], next = (unsigned char)name[i + 1];
        unsigned char before = i > 0 ? (unsigned char)name[i - 1] : 0;
        bool begins = isupper(at) && islower(next) && i > 0 && before != '_';
        bool follows = isupper(at) && islower(before);
        if (at == '_' && i == 0)
            continue;
        if ((begins || follows) && n > 0 && out[n - 1] != '_')
            out[n++] = '_';
        out[n++] = (char)tolower(at);
    }
    *snake = out;
    return LTAP_OK;
}

/* Calls are told as in Keras 2: lists in a list, not objects. */
static bool is_old_call(const ltap_json *inbound)
{
    return inbound != NULL && inbound->kind == LTAP_JSON_ARRAY && inbound->first != NULL &&
           inbound->first->kind == LTAP_JSON_ARRAY;
}

static ltap_status read_layer(ltap_keras_reader *r, const ltap_json *json, int depth,
                              ltap_keras_layer *layer);

/* A list of layers, which go by their classes: "cells/lstm_cell", "cells/lstm_cell_1". */
static ltap_status read_list(ltap_keras_reader *r, ltap_keras_layer *layer, const ltap_json *list,
                             const char *attribute, int depth)
{
    void *block;
    const size_t room = list != NULL && list->kind == LTAP_JSON_ARRAY ? list->count : 0;
    if (room < 1 || room > LTAP_KERAS_MAX_CELLS)
        return ltap_error_set(r->error, LTAP_ERROR_FORMAT,
                              "layer '%.120s' (%.60s) holds %zu layers; expected 1 to %d",
                              layer->name, layer->class_name, room, LTAP_KERAS_MAX_CELLS);
    LTAP_TRY(ltap_arena_take(r->arena, room, sizeof(ltap_keras_layer), &block, r->error));
    layer->held = block;
    for (const ltap_json *j = list->first; j != NULL; j = j->next) {
        ltap_keras_layer *held = &layer->held[layer->n_held];
        size_t before = 0;
        LTAP_TRY(read_layer(r, j, depth + 1, held));
        for (size_t i = 0; i < layer->n_held; i++)
            before += ltap_keras_is(layer->held[i].class_name, held->class_name);
        LTAP_TRY(before > 0 ? ltap_arena_format(r->arena, &held->place, r->error, "%s/%s_%zu",
                                                attribute, held->place, before)
                            : ltap_arena_format(r->arena, &held->place, r->error, "%s/%s",
                                                attribute, held->place));
        layer->n_held++;
    }
    return LTAP_OK;
}

static ltap_status read_held(ltap_keras_reader *r, ltap_keras_layer *layer, const char *holds,
                             int depth)
{
    void *block;
    const char *list = strstr(holds, "=*");
    if (list != NULL) {
        const char *attribute;
        LTAP_TRY(ltap_arena_text(r->arena, holds, (size_t)(list - holds), &attribute, r->error));
        return read_list(r, layer, ltap_json_find(layer->config, list + 2), attribute, depth);
    }
    LTAP_TRY(ltap_arena_take(r->arena, 2, sizeof(ltap_keras_layer), &block, r->error));
    layer->held = block;
    while (*holds != '\0') {
        size_t n = strcspn(holds, "="), m = strcspn(holds + n + 1, ",");
        const char *key, *attribute;
        LTAP_TRY(ltap_arena_text(r->arena, holds, n, &attribute, r->error));
        LTAP_TRY(ltap_arena_text(r->arena, holds + n + 1, m, &key, r->error));
        ltap_keras_layer *held = &layer->held[layer->n_held++];
        const ltap_json *inner = ltap_json_find(layer->config, key);
        /* Keras 2 and 3 leave a Bidirectional's second layer out where it is made of the first. */
        if ((inner == NULL || inner->kind == LTAP_JSON_NULL) && layer->n_held == 2)
            inner = ltap_json_find(layer->config, "layer");
        if (inner == NULL || inner->kind != LTAP_JSON_OBJECT)
            return ltap_error_set(r->error, LTAP_ERROR_FORMAT, "layer '%.120s' (%.60s) has no '%s'",
                                  layer->name, layer->class_name, key);
        LTAP_TRY(read_layer(r, inner, depth + 1, held));
        held->place = attribute;
        holds += n + 1 + m;
        holds += *holds == ',';
    }
    return LTAP_OK;
}

/* A legacy .h5 does not say what is a layer and what an operation; some have the same name. Layers
 * that merge take one list of tensors, operations two tensors; a layer's Reshape has a target. */
static bool looks_like_operation(const ltap_keras_layer *layer)
{
    static const char *const names[] = {"Add", "Subtract", "Multiply", "Maximum", "Minimum"};
    const ltap_json *call = layer->inbound != NULL && layer->inbound->kind == LTAP_JSON_ARRAY
                                ? layer->inbound->first
                                : NULL;
    const ltap_json *args = ltap_json_find(call, "args");
    if (ltap_keras_is(layer->class_name, "Reshape"))
        return ltap_json_find(layer->config, "target_shape") == NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ltap_keras_is(layer->class_name, names[i]))
            return args != NULL && args->kind == LTAP_JSON_ARRAY && args->first != NULL &&
                   args->first->kind != LTAP_JSON_ARRAY;
    return ltap_keras_row_find(layer->class_name) == NULL;
}

static void find_row(ltap_keras_layer *layer, const char *registered)
{
    const char *last = strrchr(layer->class_name, '>');
    const char *class_name = last != NULL ? last + 1 : layer->class_name;
    /* A class of one's own may be called like one of Keras'. */
    registered = last != NULL ? layer->class_name : registered;
    bool from_ops = strncmp(layer->module, "keras.src.ops", 13) == 0 ||
                    strncmp(layer->module, "keras.ops", 9) == 0;
    const ltap_json *function = ltap_json_find(layer->config, "function");
    if (ltap_keras_is(class_name, "TFOpLambda")) {
        layer->row = ltap_keras_function_find(ltap_keras_text_of(function, ""));
    } else if (ltap_keras_is(class_name, "SlicingOpLambda")) {
        layer->row = ltap_keras_slicing_row();
    } else if (from_ops) {
        layer->is_operation = true;
        layer->row = ltap_keras_operation_find(class_name);
    } else if (strncmp(layer->module, "keras", 5) == 0 ||
               strncmp(layer->module, "tf_keras.", 9) == 0 ||
               (layer->module[0] == '\0' && strchr(registered, '>') == NULL) ||
               ltap_keras_is(registered, "Custom>LayerScale")) {
        layer->is_operation = layer->module[0] == '\0' && looks_like_operation(layer) &&
                              ltap_keras_operation_find(class_name) != NULL;
        layer->row = layer->is_operation ? ltap_keras_operation_find(class_name)
                                         : ltap_keras_row_find(class_name);
    }
}

static ltap_status read_layer(ltap_keras_reader *r, const ltap_json *json, int depth,
                              ltap_keras_layer *layer)
{
    static const ltap_json nothing = {.kind = LTAP_JSON_OBJECT};
    if (depth > LTAP_KERAS_MAX_DEPTH)
        return ltap_error_set(r->error, LTAP_ERROR_UNSUPPORTED,
                              "layers in layers, more than %d deep", LTAP_KERAS_MAX_DEPTH);
    if (json->kind != LTAP_JSON_OBJECT || class_of(json)[0] == '\0')
        return ltap_error_at(r->error, LTAP_ERROR_FORMAT, json->offset,
                             "a layer is %s; expected an object with a class_name",
                             ltap_json_kind_name(json->kind));
    layer->class_name = class_of(json);
    layer->config = ltap_json_find(json, "config");
    if (layer->config == NULL || (layer->config->kind != LTAP_JSON_OBJECT &&
                                  !ltap_keras_is(layer->class_name, "Sequential")))
        layer->config = &nothing;
    layer->module = ltap_keras_text_of(ltap_json_find(json, "module"), "");
    layer->name = ltap_keras_text_of(ltap_json_find(layer->config, "name"),
                                     ltap_keras_text_of(ltap_json_find(json, "name"), ""));
    layer->inbound = ltap_json_find(json, "inbound_nodes");
    const char *format = ltap_keras_text_of(ltap_json_find(layer->config, "data_format"), "");
    r->has_first = r->has_first || ltap_keras_is(format, "channels_first");
    r->has_last = r->has_last || ltap_keras_is(format, "channels_last");
    const ltap_json *trainable = ltap_json_find(layer->config, "trainable");
    layer->trainable = trainable == NULL || trainable->kind != LTAP_JSON_BOOL || trainable->boolean;
    layer->least_ref = INT64_MAX;
    LTAP_TRY(snake_case(r, layer->class_name, &layer->place));
    if (ltap_keras_is_model(json))
        return ltap_keras_net_read(r, json, depth + 1, &layer->net);
    find_row(layer, ltap_keras_text_of(ltap_json_find(json, "registered_name"), ""));
    return layer->row != NULL && layer->row->holds != NULL
               ? read_held(r, layer, layer->row->holds, depth)
               : LTAP_OK;
}

/* Layers of one class are told apart by a number: "conv2d", "conv2d_1". */
static ltap_status number_place(ltap_keras_reader *r, ltap_map *counts, ltap_keras_layer *layer)
{
    uint32_t count = 0;
    const char *class_name = layer->place;
    if (layer->is_operation)
        return LTAP_OK;
    ltap_map_get(counts, class_name, strlen(class_name), &count);
    LTAP_TRY(ltap_map_set(counts, class_name, strlen(class_name), count + 1, r->error));
    if (count == 0)
        return ltap_arena_format(r->arena, &layer->place, r->error, "layers/%s", class_name);
    return ltap_arena_format(r->arena, &layer->place, r->error, "layers/%s_%u", class_name,
                             (unsigned)count);
}

static ltap_status add_layer(ltap_keras_reader *r, ltap_keras_net *net, const ltap_json *json,
                             ltap_map *counts, int depth)
{
    ltap_keras_layer layer = {0};
    uint32_t before;
    LTAP_TRY(read_layer(r, json, depth, &layer));
    if (layer.name[0] == '\0')
        LTAP_TRY(ltap_arena_format(r->arena, &layer.name, r->error, "%s_%zu", layer.place,
                                   net->layers.count));
    if (ltap_map_get(&net->by_name, layer.name, strlen(layer.name), &before))
        return ltap_error_at(r->error, LTAP_ERROR_FORMAT, json->offset,
                             "two layers of '%.100s' are called '%.100s'", net->name, layer.name);
    LTAP_TRY(number_place(r, counts, &layer));
    net->is_old = net->is_old || is_old_call(layer.inbound);
    LTAP_TRY(ltap_map_set(&net->by_name, layer.name, strlen(layer.name),
                          (uint32_t)net->layers.count, r->error));
    return ltap_vector_push(&net->layers, &layer, r->error);
}

bool ltap_keras_is_input(const ltap_keras_layer *layer)
{
    return ltap_keras_is(layer->class_name, "InputLayer");
}

/* [layer, number of the call, number of the tensor] */
static void note_ref(ltap_keras_net *net, const ltap_json *ref)
{
    const ltap_json *name = ref->first, *call = name != NULL ? name->next : NULL;
    if (name == NULL || name->kind != LTAP_JSON_STRING || call == NULL ||
        call->kind != LTAP_JSON_INT)
        return;
    ltap_keras_layer *layer = ltap_keras_net_find(net, name->text);
    const ltap_json *tensor = call->next;
    if (layer != NULL && call->integer < layer->least_ref)
        layer->least_ref = call->integer;
    if (layer != NULL && tensor != NULL && tensor->kind == LTAP_JSON_INT &&
        tensor->integer > layer->last_end)
        layer->last_end = tensor->integer;
}

static void note_refs(ltap_keras_net *net, const ltap_json *json)
{
    if (json == NULL || (json->kind != LTAP_JSON_ARRAY && json->kind != LTAP_JSON_OBJECT))
        return;
    if (json->kind == LTAP_JSON_ARRAY)
        note_ref(net, json);
    for (const ltap_json *j = json->first; j != NULL; j = j->next)
        note_refs(net, j);
}

static ltap_status read_layers(ltap_keras_reader *r, ltap_keras_net *net, const ltap_json *layers,
                               int depth)
{
    ltap_map counts;
    ltap_status status = LTAP_OK;
    ltap_map_init(&counts, r->memory);
    for (const ltap_json *j = layers->first; j != NULL; j = j->next)
        LTAP_GO(add_layer(r, net, j, &counts, depth));
    for (size_t i = 0; i < net->layers.count; i++)
        note_refs(net, LTAP_VECTOR_AT(&net->layers, ltap_keras_layer, i)->inbound);
    note_refs(net, net->outputs);
done:
    ltap_map_clear(&counts);
    return status;
}

static ltap_status new_net(ltap_keras_reader *r, ltap_keras_net **net)
{
    void *block;
    LTAP_TRY(ltap_arena_take(r->arena, 1, sizeof(ltap_keras_net), &block, r->error));
    *net = block;
    ltap_vector_init(&(*net)->layers, r->memory, sizeof(ltap_keras_layer));
    ltap_map_init(&(*net)->by_name, r->memory);
    return ltap_vector_push(&r->nets, net, r->error);
}

ltap_status ltap_keras_net_read(ltap_keras_reader *r, const ltap_json *model, int depth,
                                ltap_keras_net **net)
{
    const ltap_json *config = ltap_json_find(model, "config");
    const ltap_json *layers = config->kind == LTAP_JSON_ARRAY /* Keras before 2.2 */
                                  ? config
                                  : ltap_json_find(config, "layers");
    if (depth > LTAP_KERAS_MAX_DEPTH)
        return ltap_error_set(r->error, LTAP_ERROR_UNSUPPORTED,
                              "models in models, more than %d deep", LTAP_KERAS_MAX_DEPTH);
    if (layers == NULL || layers->kind != LTAP_JSON_ARRAY)
        return ltap_error_at(r->error, LTAP_ERROR_FORMAT, model->offset,
                             "the configuration of a model has no list of layers");
    LTAP_TRY(new_net(r, net));
    (*net)->name = ltap_keras_text_of(ltap_json_find(config, "name"), "model");
    (*net)->is_sequential = ltap_keras_is(class_of(model), "Sequential");
    (*net)->inputs = ltap_json_find(config, "input_layers");
    (*net)->outputs = ltap_json_find(config, "output_layers");
    return read_layers(r, *net, layers, depth);
}
