/* The plumbing of a builder: layers that run, nodes, constants. Operations are in operations.c. */
#include "formats/keras/build.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

/* MAX_NODES: of networks that call models in models, again and again. */
enum { MAX_MESSAGE = 512, MAX_NODES = 1000000 };

/* Lengths of path and scopes before a layer began. */
typedef struct mark {
    size_t path, scopes;
} mark;

void ltap_keras_builder_init(ltap_keras_builder *b, ltap_graph *graph, ltap_error *error)
{
    *b = (ltap_keras_builder){.graph = graph, .error = error};
    ltap_vector_init(&b->path, graph->memory, 1);
    ltap_vector_init(&b->scopes, graph->memory, 1);
    ltap_vector_init(&b->marks, graph->memory, sizeof(mark));
}

void ltap_keras_builder_clear(ltap_keras_builder *b)
{
    ltap_vector_clear(&b->path);
    ltap_vector_clear(&b->scopes);
    ltap_vector_clear(&b->marks);
}

void ltap_keras_take(ltap_keras_builder *b, ltap_status status)
{
    if (b->status == LTAP_OK)
        b->status = status;
}

const char *ltap_keras_path(const ltap_keras_builder *b)
{
    return b->path.count > 0 ? b->path.data : "";
}

void ltap_keras_wrong(ltap_keras_builder *b, ltap_status code, const char *format, ...)
{
    char text[MAX_MESSAGE];
    va_list list;
    if (!ltap_keras_is_good(b))
        return;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (b->path.count > 0)
        b->status = ltap_error_set(b->error, code, "layer '%.120s': %s", ltap_keras_path(b), text);
    else
        b->status = ltap_error_set(b->error, code, "%s", text);
}

/* A line of the scopes: path, class, which call, and the path as Keras writes it. */
static ltap_status enter(ltap_keras_builder *b, const char *class_name, const char *name)
{
    const mark before = {b->path.count, b->scopes.count};
    LTAP_TRY(ltap_vector_push(&b->marks, &before, b->error));
    LTAP_TRY(ltap_text_format(&b->path, b->error, "%s%s", b->path.count ? "." : "", name));
    return ltap_text_format(&b->scopes, b->error, "%s\t%s\t%u\n", ltap_keras_path(b), class_name,
                            b->n_calls++);
}

void ltap_keras_enter(ltap_keras_builder *b, const char *class_name, const char *name)
{
    if (!ltap_keras_is_good(b))
        return;
    if (strpbrk(name, "\t\n") != NULL || strpbrk(class_name, "\t\n") != NULL)
        ltap_keras_wrong(b, LTAP_ERROR_FORMAT, "the name '%.100s' has a tab or a line end in it",
                         name);
    else if (b->n_calls >= MAX_NODES)
        ltap_keras_wrong(b, LTAP_ERROR_UNSUPPORTED, "more than %d calls of layers", MAX_NODES);
    else
        ltap_keras_take(b, enter(b, class_name, name));
}

static void cut(ltap_vector *text, size_t count)
{
    text->count = count;
    ((char *)text->data)[count] = '\0';
}

void ltap_keras_leave(ltap_keras_builder *b)
{
    if (!ltap_keras_is_good(b))
        return;
    const mark *last = LTAP_VECTOR_AT(&b->marks, mark, --b->marks.count);
    cut(&b->path, last->path);
    cut(&b->scopes, last->scopes);
}

static ltap_status copy_block(ltap_keras_builder *b, const void *from, size_t count, size_t size,
                              void **copy)
{
    LTAP_TRY(ltap_arena_take(&b->graph->arena, count, size, copy, b->error));
    if (count > 0)
        memcpy(*copy, from, count * size);
    return LTAP_OK;
}

static ltap_status add_node(ltap_keras_builder *b, const ltap_keras_node *from, uint32_t *outputs,
                            size_t n_outputs)
{
    ltap_node node = {.domain = from->domain, .inputs = (uint32_t *)from->inputs};
    ltap_arena *arena = &b->graph->arena;
    const char *name;

    /* A name that no layer has: "/inner.conv/Conv_7". */
    LTAP_TRY(ltap_arena_format(arena, &node.name, b->error, "/%s%s%s_%u", ltap_keras_path(b),
                               b->path.count ? "/" : "", from->op, b->n_nodes++));
    for (size_t i = 0; i < n_outputs; i++) {
        LTAP_TRY(ltap_arena_format(arena, &name, b->error, n_outputs > 1 ? "%s:%zu" : "%s",
                                   node.name, i));
        LTAP_TRY(ltap_graph_value(b->graph, name, strlen(name), &outputs[i], b->error));
    }
    LTAP_TRY(ltap_arena_text(arena, from->op, strlen(from->op), &node.op_type, b->error));
    node.n_inputs = from->n_inputs;
    node.outputs = outputs;
    node.n_outputs = n_outputs;
    LTAP_TRY(ltap_attrs_copy(arena, from->attrs, from->n_attrs, &node.attrs, b->error));
    LTAP_TRY(ltap_property_new(arena, LTAP_SCOPES_KEY, b->scopes.count > 0 ? b->scopes.data : "",
                               &node.properties, b->error));
    node.n_attrs = from->n_attrs;
    node.n_properties = 1;
    return ltap_graph_node_add(b->graph, &node, NULL, b->error);
}

void ltap_keras_add_several(ltap_keras_builder *b, ltap_keras_node node, uint32_t *outputs,
                            size_t n_outputs)
{
    memset(outputs, 0, n_outputs * sizeof *outputs);
    if (ltap_keras_is_good(b))
        ltap_keras_take(b, add_node(b, &node, outputs, n_outputs));
}

uint32_t ltap_keras_add(ltap_keras_builder *b, ltap_keras_node node)
{
    uint32_t output;
    ltap_keras_add_several(b, node, &output, 1);
    return output;
}

uint32_t ltap_keras_ints(ltap_keras_builder *b, const int64_t *ints, size_t count)
{
    uint32_t value = 0;
    if (ltap_keras_is_good(b))
        ltap_keras_take(b,
                        ltap_graph_constant_ints(b->graph, "ints", ints, count, &value, b->error));
    return value;
}

static ltap_status add_floats(ltap_keras_builder *b, const float *floats, ltap_tensor *tensor,
                              uint32_t *value)
{
    void *copy;
    LTAP_TRY(copy_block(b, floats, (size_t)ltap_tensor_count(tensor), sizeof *floats, &copy));
    tensor->data = copy;
    return ltap_graph_constant(b->graph, "number", tensor, value, b->error);
}

uint32_t ltap_keras_floats(ltap_keras_builder *b, const float *floats, int rank,
                           const int64_t *dims)
{
    ltap_tensor tensor = ltap_tensor_make(LTAP_FLOAT32, rank, dims, NULL);
    uint32_t value = 0;
    if (ltap_keras_is_good(b))
        ltap_keras_take(b, add_floats(b, floats, &tensor, &value));
    return value;
}

ltap_keras_tensor ltap_keras_scalar(ltap_keras_builder *b, double number)
{
    const float f = (float)number;
    return (ltap_keras_tensor){
        .value = ltap_keras_floats(b, &f, 0, NULL), .mask = LTAP_NO_VALUE, .dtype = LTAP_FLOAT32};
}

uint32_t ltap_keras_int_scalar(ltap_keras_builder *b, int64_t number)
{
    uint32_t none = ltap_keras_ints(b, NULL, 0);
    uint32_t inputs[2] = {ltap_keras_ints(b, &number, 1), none};
    return ltap_keras_add(b, (ltap_keras_node){.op = "Reshape", .inputs = inputs, .n_inputs = 2});
}
