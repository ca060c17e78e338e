/* The format's row: an archive with config.json and model.weights.h5, or an HDF5 file whose root
 * has the configuration as an attribute. The bytes of weights stay where they are.
 */
#include "formats/keras/keras.h"

#include "base/error.h"
#include "codec/zip.h"
#include "formats/keras/net.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_CONFIG = 256 << 20, HEADER = 30, NAME_LENGTH = 26 };

static bool begins_as_archive(const ltap_source *source)
{
    static const char *const names[] = {"config.json", "metadata.json", "model.weights.h5",
                                        "model.weights.npz"};
    if (source->size < HEADER || !ltap_zip_probe(source->data, source->size))
        return false;
    size_t n = source->data[NAME_LENGTH] | (size_t)source->data[NAME_LENGTH + 1] << 8;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (n == strlen(names[i]) && source->size >= HEADER + n &&
            memcmp(source->data + HEADER, names[i], n) == 0)
            return true;
    return false;
}

/* A zip archive is a checkpoint's as well, unless it begins like one of Keras. */
static int probe(const ltap_source *source)
{
    return begins_as_archive(source) || ltap_hdf5_probe(source->data, source->size) ? 3 : 0;
}

/* --- The configuration. -------------------------------------------------------------------------
 */

/* What a file says about itself. */
typedef struct document {
    const ltap_json *model;
    const char *version; /* of Keras; "" */
} document;

static ltap_status read_json(ltap_keras_reader *r, const ltap_source *source, const ltap_zip *zip,
                             const char *name, const ltap_json **json)
{
    const ltap_zip_entry *entry = ltap_zip_find(zip, name);
    void *block = NULL;
    if (entry == NULL)
        return ltap_error_set(r->error, LTAP_ERROR_FORMAT, "the archive has no '%s'", name);
    if (entry->bytes > MAX_CONFIG)
        return ltap_error_at(r->error, LTAP_ERROR_UNSUPPORTED, entry->central_offset,
                             "'%s' has %" PRIu64 " bytes; at most %d are read", name, entry->bytes,
                             MAX_CONFIG);
    if (!entry->deflated) {
        LTAP_TRY(ltap_zip_check(zip, entry, r->error));
        return ltap_json_parse(source->data + entry->data_offset, entry->bytes, entry->data_offset,
                               r->arena, json, r->error);
    }
    LTAP_TRY(ltap_zip_inflate(zip, entry, r->memory, &block, r->error));
    ltap_status status = ltap_json_parse(block, entry->bytes, 0, r->arena, json, r->error);
    ltap_memory_release(r->memory, block);
    return status == LTAP_OK ? status
                             : ltap_error_prefix(r->error, status, "in '%s', unpacked", name);
}

static ltap_status open_archive(ltap_keras_reader *r, const ltap_source *source, document *doc)
{
    ltap_zip zip;
    const ltap_json *metadata = NULL;
    LTAP_TRY(ltap_zip_open(source->data, source->size, r->arena, &zip, r->error));
    LTAP_TRY(read_json(r, source, &zip, "config.json", &doc->model));
    if (ltap_zip_find(&zip, "metadata.json") != NULL)
        LTAP_TRY(read_json(r, source, &zip, "metadata.json", &metadata));
    doc->version = ltap_keras_text_of(ltap_json_find(metadata, "keras_version"), "");
    const ltap_zip_entry *weights = ltap_zip_find(&zip, "model.weights.h5");
    if (weights == NULL)
        return ltap_error_set(r->error, LTAP_ERROR_UNSUPPORTED,
                              "the archive has no 'model.weights.h5'%s; save it with "
                              "model.save('name.keras')",
                              ltap_zip_find(&zip, "model.weights.npz") ? " but 'model.weights.npz'"
                                                                       : "");
    if (weights->deflated)
        return ltap_error_at(r->error, LTAP_ERROR_UNSUPPORTED, weights->central_offset,
                             "'model.weights.h5' is compressed in the archive; Keras stores it as "
                             "it is (zip -0)");
    r->weights.base = weights->data_offset;
    return ltap_hdf5_open(r->memory, source->data + weights->data_offset, weights->bytes,
                          weights->data_offset, &r->weights.file, r->error);
}

static ltap_status open_legacy(ltap_keras_reader *r, const ltap_source *source, document *doc)
{
    const char *config = NULL, *version = NULL;
    LTAP_TRY(ltap_hdf5_open(r->memory, source->data, source->size, 0, &r->weights.file, r->error));
    const ltap_hdf5_object *root = ltap_hdf5_find(r->weights.file, NULL, "");
    LTAP_TRY(ltap_hdf5_text(r->weights.file, root, "model_config", r->arena, &config, r->error));
    if (config == NULL)
        return ltap_error_set(r->error, LTAP_ERROR_UNSUPPORTED,
                              "the HDF5 file has no model_config: it holds weights without a "
                              "network; save the whole model, with model.save('name.keras')");
    LTAP_TRY(ltap_hdf5_text(r->weights.file, root, "keras_version", r->arena, &version, r->error));
    doc->version = version != NULL ? version : "";
    r->weights.by_layer = true;
    ltap_status status =
        ltap_json_parse(config, strlen(config), 0, r->arena, &doc->model, r->error);
    return status == LTAP_OK ? status : ltap_error_prefix(r->error, status, "in model_config");
}

/* --- Inputs and outputs. ------------------------------------------------------------------------
 */

static ltap_dtype dtype_of(const ltap_json *json)
{
    static const ltap_dtype known[] = {LTAP_FLOAT32, LTAP_FLOAT16, LTAP_FLOAT64, LTAP_INT8,
                                       LTAP_INT16,   LTAP_INT32,   LTAP_INT64,   LTAP_UINT8,
                                       LTAP_UINT16,  LTAP_UINT32,  LTAP_BOOL};
    const char *name = ltap_keras_text_of(json, "float32");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (ltap_keras_is(ltap_dtype_find(known[i])->name, name) && known[i] != LTAP_FLOAT16 &&
            known[i] != LTAP_FLOAT64)
            return known[i];
    return LTAP_FLOAT32; /* what is computed with */
}

/* What a model is called with. */
typedef struct port {
    const char *name;
    const ltap_json *shape;
    ltap_dtype dtype;
} port;

static ltap_status add_input(ltap_keras_reader *r, const port *p, ltap_keras_tensor *x)
{
    ltap_graph *graph = r->b.graph;
    void *block;
    uint32_t known;
    if (p->shape == NULL || p->shape->kind != LTAP_JSON_ARRAY)
        return ltap_error_set(r->error, LTAP_ERROR_UNSUPPORTED,
                              "the input '%.100s' has no shape: build the model, or give it an "
                              "Input, before it is saved",
                              p->name);
    if (p->shape->count < 1 || p->shape->count > LTAP_KERAS_MAX_RANK)
        return ltap_error_set(r->error, LTAP_ERROR_FORMAT, "the input '%.100s' has %zu axes",
                              p->name, p->shape->count);
    if (ltap_graph_find(graph, p->name, &known))
        return ltap_error_set(r->error, LTAP_ERROR_FORMAT, "two inputs are called '%.100s'",
                              p->name);
    LTAP_TRY(ltap_arena_take(r->arena, p->shape->count, sizeof(ltap_dim), &block, r->error));
    *x = (ltap_keras_tensor){.mask = LTAP_NO_VALUE, .dtype = p->dtype};
    ltap_dim *dims = block;
    for (const ltap_json *j = p->shape->first; j != NULL; j = j->next) {
        bool fixed = j->kind == LTAP_JSON_INT && j->integer >= 0;
        if (fixed && j->integer > INT32_MAX)
            return ltap_error_at(r->error, LTAP_ERROR_FORMAT, j->offset,
                                 "the input '%.100s' has an axis of size %lld", p->name,
                                 (long long)j->integer);
        dims[x->rank] =
            (ltap_dim){fixed ? j->integer : -1, !fixed && x->rank == 0 ? "batch" : NULL};
        x->dims[x->rank] = dims[x->rank].size;
        x->rank++;
    }
    LTAP_TRY(ltap_graph_value(graph, p->name, strlen(p->name), &x->value, r->error));
    ltap_value *value = ltap_graph_at(graph, x->value);
    value->type = (ltap_type){LTAP_TYPE_TENSOR, p->dtype, x->rank, dims, NULL};
    value->is_input = true;
    return ltap_vector_push(&graph->inputs, &x->value, r->error);
}

static port port_of(const ltap_keras_layer *layer)
{
    const ltap_json *shape = ltap_json_find(layer->config, "batch_shape");
    if (shape == NULL || shape->kind == LTAP_JSON_NULL)
        shape = ltap_json_find(layer->config, "batch_input_shape");
    return (port){layer->name, shape, dtype_of(ltap_json_find(layer->config, "dtype"))};
}

/* A list of inputs under construction. */
typedef struct inputs {
    ltap_keras_tensor tensors[LTAP_KERAS_MAX_ENDS];
    size_t count;
} inputs;

static ltap_status add_port(ltap_keras_reader *r, const port *p, inputs *in)
{
    if (in->count == LTAP_KERAS_MAX_ENDS)
        return ltap_error_set(r->error, LTAP_ERROR_UNSUPPORTED, "a model of more than %d inputs",
                              LTAP_KERAS_MAX_ENDS);
    return add_input(r, p, &in->tensors[in->count++]);
}

static ltap_status functional_inputs(ltap_keras_reader *r, const ltap_keras_net *net,
                                     const ltap_json *json, int depth, inputs *in)
{
    if (json == NULL || (json->kind != LTAP_JSON_ARRAY && json->kind != LTAP_JSON_OBJECT) ||
        depth > 8)
        return LTAP_OK;
    if (json->kind == LTAP_JSON_ARRAY && json->first != NULL &&
        json->first->kind == LTAP_JSON_STRING) {
        const ltap_keras_layer *layer = ltap_keras_net_find(net, json->first->text);
        if (layer == NULL)
            return ltap_error_at(r->error, LTAP_ERROR_FORMAT, json->offset,
                                 "the input layer '%.100s' is not listed", json->first->text);
        const port p = port_of(layer);
        return add_port(r, &p, in);
    }
    for (const ltap_json *j = json->first; j != NULL; j = j->next)
        LTAP_TRY(functional_inputs(r, net, j, depth + 1, in));
    return LTAP_OK;
}

/* The first layer's, its own or of the model that it is; else what the model was built with. */
static ltap_status sequential_input(ltap_keras_reader *r, const ltap_keras_net *net,
                                    const ltap_json *model, inputs *in)
{
    const ltap_keras_net *inner = net;
    const ltap_json *built = ltap_json_find(ltap_json_find(model, "config"), "build_input_shape");
    port p = {0};
    while (p.shape == NULL && inner != NULL && inner->layers.count > 0) {
        const ltap_keras_layer *first = LTAP_VECTOR_AT(&inner->layers, ltap_keras_layer, 0);
        p = port_of(first);
        if (!ltap_keras_is_input(first))
            LTAP_TRY(ltap_arena_format(r->arena, &p.name, r->error, "%s_input", first->name));
        inner = first->net;
    }
    if (p.shape == NULL || p.shape->kind == LTAP_JSON_NULL)
        p.shape = built;
    if (p.name == NULL)
        return ltap_error_set(r->error, LTAP_ERROR_FORMAT, "the model has no layers");
    return add_port(r, &p, in);
}

static ltap_status add_output(ltap_keras_reader *r, ltap_keras_tensor x, const char *name)
{
    void *block;
    ltap_graph *graph = r->b.graph;
    ltap_value *value = ltap_graph_at(graph, x.value);
    if (value->type.kind == LTAP_TYPE_UNKNOWN && x.rank >= 0) {
        LTAP_TRY(ltap_arena_take(r->arena, (uint64_t)x.rank, sizeof(ltap_dim), &block, r->error));
        for (int i = 0; i < x.rank; i++)
            ((ltap_dim *)block)[i] =
                (ltap_dim){x.dims[i], x.dims[i] < 0 && i == 0 ? "batch" : NULL};
        value->type = (ltap_type){LTAP_TYPE_TENSOR, x.dtype, x.rank, block, NULL};
    }
    value->is_output = true;
    LTAP_TRY(ltap_vector_push(&graph->outputs, &x.value, r->error));
    return ltap_vector_push(&graph->output_names, &name, r->error);
}

/* "predictions": the layer's name, as Keras calls its outputs; "inner/output_1" where the layer
 * hands out several. */
static ltap_status name_output(ltap_keras_reader *r, const ltap_keras_tensor *x, size_t number,
                               const char **name)
{
    const ltap_graph *graph = r->b.graph;
    const ltap_value *v = ltap_graph_at(graph, x->value);
    if (v->producer == LTAP_NO_NODE) {
        *name = v->name;
        return LTAP_OK;
    }
    const char *scopes = ltap_node_property(ltap_graph_node(graph, v->producer), LTAP_SCOPES_KEY);
    int n = (int)(scopes != NULL ? strcspn(scopes, "\t") : 0);
    if (x->one_of > 0)
        LTAP_TRY(ltap_arena_format(r->arena, name, r->error, "%.*s/output_%d", n, scopes,
                                   x->one_of - 1));
    else
        LTAP_TRY(ltap_arena_format(r->arena, name, r->error, "%.*s", n, scopes));
    for (size_t i = 0; i < number; i++)
        if (strcmp(*LTAP_VECTOR_AT(&graph->output_names, const char *, i), *name) == 0)
            return ltap_arena_format(r->arena, name, r->error, "%s/again_%zu", *name, number);
    return LTAP_OK;
}

static ltap_status run(ltap_keras_reader *r, ltap_keras_net *net, const ltap_json *model)
{
    inputs in = {.count = 0};
    ltap_keras_tensor outputs[LTAP_KERAS_MAX_ENDS];
    size_t n_outputs = 0;
    const char *name;
    if (net->is_sequential && net->outputs == NULL)
        LTAP_TRY(sequential_input(r, net, model, &in));
    else
        LTAP_TRY(functional_inputs(r, net, net->inputs, 0, &in));
    ltap_keras_net_run(r, net, in.tensors, in.count, outputs, &n_outputs, 0);
    LTAP_TRY(r->b.status);
    for (size_t i = 0; i < n_outputs; i++) {
        LTAP_TRY(name_output(r, &outputs[i], i, &name));
        LTAP_TRY(add_output(r, outputs[i], name));
    }
    return LTAP_OK;
}

static ltap_status check_model(ltap_keras_reader *r, const ltap_json *model)
{
    if (model->kind != LTAP_JSON_OBJECT)
        return ltap_error_at(r->error, LTAP_ERROR_FORMAT, model->offset,
                             "the configuration is %s; expected an object",
                             ltap_json_kind_name(model->kind));
    if (ltap_keras_is_model(model))
        return LTAP_OK;
    return ltap_error_set(r->error, LTAP_ERROR_UNSUPPORTED,
                          "the model is a '%.100s' whose layers the file does not list: layertap "
                          "reads Functional and Sequential models",
                          ltap_keras_text_of(ltap_json_find(model, "class_name"), "?"));
}

static ltap_status build(ltap_keras_reader *r, const document *doc)
{
    ltap_keras_net *net;
    ltap_graph *graph = r->b.graph;
    LTAP_TRY(check_model(r, doc->model));
    r->weights.is_keras_2 = doc->version[0] == '1' || doc->version[0] == '2';
    LTAP_TRY(ltap_keras_net_read(r, doc->model, 0, &net));
    LTAP_TRY(ltap_keras_weights_bind(r, net));
    LTAP_TRY(run(r, net, doc->model));
    LTAP_TRY(ltap_keras_tell_pictures(r, net));
    graph->format = "Keras";
    graph->features_last = !r->has_first;
    graph->features_mixed = r->has_first && r->has_last;
    LTAP_TRY(ltap_arena_format(r->arena, &graph->version, r->error, "%s%s%s%s", doc->version,
                               doc->version[0] ? ", " : "",
                               net->is_sequential ? "Sequential " : "Functional ", net->name));
    return ltap_graph_link(graph, r->error);
}

static void clear(ltap_keras_reader *r)
{
    for (size_t i = 0; i < r->nets.count; i++) {
        ltap_keras_net *net = *LTAP_VECTOR_AT(&r->nets, ltap_keras_net *, i);
        ltap_vector_clear(&net->layers);
        ltap_map_clear(&net->by_name);
    }
    ltap_vector_clear(&r->nets);
    ltap_keras_builder_clear(&r->b);
    ltap_hdf5_close(r->weights.file);
}

static ltap_status load(ltap_source *source, ltap_graph **graph, ltap_error *error)
{
    ltap_graph *made;
    document doc = {.version = ""};
    LTAP_TRY(ltap_graph_new(source->memory, &made, error));
    ltap_keras_reader r = {.arena = &made->arena, .memory = source->memory, .error = error};
    ltap_vector_init(&r.nets, source->memory, sizeof(ltap_keras_net *));
    ltap_keras_builder_init(&r.b, made, error);
    made->opset = 23;
    made->is_built = made->channels_last = true;
    made->producer = made->producer_version = "";
    made->built_from = "the model's configuration";
    r.weights.bytes = source->data;
    ltap_status status =
        begins_as_archive(source) ? open_archive(&r, source, &doc) : open_legacy(&r, source, &doc);
    if (status == LTAP_OK)
        status = build(&r, &doc);
    clear(&r);
    if (status == LTAP_OK)
        *graph = made;
    else
        ltap_graph_free(made);
    return status;
}

const ltap_format ltap_keras_format = {"Keras", probe, load, NULL, false};
