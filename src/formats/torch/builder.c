/* The plumbing of a builder: modules, weights, nodes. Layers are in layers.c. */
#include "formats/torch/build.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NAME 512

/* A module that runs. */
typedef struct running {
    const char *name;
    int next; /* number of its next child that is called so */
} running;

void ltap_builder_init(ltap_builder *b)
{
    ltap_memory *memory = b->checkpoint->source->memory;
    b->summary = "";
    ltap_vector_init(&b->path, memory, 1);
    ltap_vector_init(&b->scopes, memory, 1);
    ltap_vector_init(&b->names, memory, sizeof(running));
}

void ltap_builder_clear(ltap_builder *b)
{
    ltap_vector_clear(&b->names);
    ltap_vector_clear(&b->scopes);
    ltap_vector_clear(&b->path);
}

bool ltap_build_is_good(const ltap_builder *b)
{
    return b->status == LTAP_OK;
}

void ltap_build_take(ltap_builder *b, ltap_status status)
{
    if (b->status == LTAP_OK)
        b->status = status;
}

void ltap_build_refuse(ltap_builder *b, const char *format, ...)
{
    char text[MAX_NAME];
    va_list list;
    if (!ltap_build_is_good(b))
        return;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (b->survey == NULL)
        b->status = ltap_error_set(b->error, LTAP_ERROR_UNSUPPORTED, "%s", text);
    else if (b->survey->n_missing == 0 && b->survey->refusal[0] == '\0')
        snprintf(b->survey->refusal, sizeof b->survey->refusal, "%.255s", text);
}

void ltap_build_summary(ltap_builder *b, const char *format, ...)
{
    char text[MAX_NAME];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    ltap_build_take(b,
                    ltap_arena_text(&b->graph->arena, text, strlen(text), &b->summary, b->error));
}

static ltap_status enter(ltap_builder *b, const char *class_name, const char *name)
{
    running child = {NULL, 0};
    char number[16];
    if (name == LTAP_NEXT) {
        int *next = b->names.count > 0
                        ? &LTAP_VECTOR_AT(&b->names, running, b->names.count - 1)->next
                        : &b->next;
        snprintf(number, sizeof number, "%d", (*next)++);
        name = number;
    }
    LTAP_TRY(ltap_text_format(&b->path, b->error, "%s%s", b->path.count ? "." : "", name));
    LTAP_TRY(
        ltap_text_format(&b->scopes, b->error, "%s\t%s\n", (const char *)b->path.data, class_name));
    LTAP_TRY(ltap_arena_text(&b->graph->arena, name, strlen(name), &child.name, b->error));
    return ltap_vector_push(&b->names, &child, b->error);
}

void ltap_build_enter(ltap_builder *b, const char *class_name, const char *name)
{
    if (ltap_build_is_good(b))
        ltap_build_take(b, enter(b, class_name, name));
}

void ltap_build_enter_at(ltap_builder *b, const char *class_name, int number)
{
    char name[16];
    snprintf(name, sizeof name, "%d", number);
    ltap_build_enter(b, class_name, name);
}

static void cut(ltap_vector *text, size_t count)
{
    text->count = count;
    ((char *)text->data)[count] = '\0';
}

void ltap_build_leave(ltap_builder *b)
{
    if (!ltap_build_is_good(b))
        return;
    size_t bytes = strlen(LTAP_VECTOR_AT(&b->names, running, --b->names.count)->name);
    cut(&b->path, b->path.count > bytes ? b->path.count - bytes - 1 : 0);
    const char *scopes = b->scopes.data;
    size_t end = b->scopes.count - 1;
    while (end > 0 && scopes[end - 1] != '\n')
        end--;
    cut(&b->scopes, end);
}

const char *ltap_build_path(const ltap_builder *b)
{
    return b->path.count > 0 ? b->path.data : "";
}

/* "/layer1/layer1.0/relu": what the TorchScript exporter calls a scope. A child that is a number
 * has its parent's name in front. */
static ltap_status name_scope(const ltap_builder *b, ltap_vector *scope)
{
    size_t last = 0; /* where the part before begins */
    for (size_t i = 0; i < b->names.count; i++) {
        const char *name = LTAP_VECTOR_AT(&b->names, running, i)->name;
        char parent[MAX_NAME] = "";
        if (name[0] >= '0' && name[0] <= '9' && i > 0)
            snprintf(parent, sizeof parent, "%s.", (const char *)scope->data + last);
        LTAP_TRY(ltap_text_format(scope, b->error, "/%s%s", parent, name));
        last = scope->count - strlen(parent) - strlen(name);
    }
    return ltap_text_format(scope, b->error, "/");
}

/* "/layer1/layer1.0/relu/Relu", the second of its kind with "_1" behind it; its output has
 * "_output_0" behind that. */
static ltap_status name_node(ltap_builder *b, const char *op_type, const char **name,
                             const char **output)
{
    ltap_vector scope;
    ltap_status status;
    uint32_t found;
    ltap_vector_init(&scope, b->graph->memory, 1);
    LTAP_GO(name_scope(b, &scope));
    for (unsigned n = 0; n == 0 || ltap_graph_find(b->graph, *output, &found); n++) {
        char number[16] = "";
        if (n > 0)
            snprintf(number, sizeof number, "_%u", n);
        LTAP_GO(ltap_arena_format(&b->graph->arena, name, b->error, "%s%s%s",
                                  (const char *)scope.data, op_type, number));
        LTAP_GO(ltap_arena_format(&b->graph->arena, output, b->error, "%s_output_0", *name));
    }
done:
    ltap_vector_clear(&scope);
    return status;
}

static ltap_status add_node(ltap_builder *b, ltap_node *node, uint32_t *output)
{
    ltap_arena *arena = &b->graph->arena;
    const char *value = NULL;
    LTAP_TRY(name_node(b, node->op_type, &node->name, &value));
    LTAP_TRY(ltap_graph_value(b->graph, value, strlen(value), output, b->error));
    LTAP_TRY(ltap_attrs_copy(arena, node->attrs, node->n_attrs, &node->attrs, b->error));
    LTAP_TRY(ltap_property_new(arena, LTAP_SCOPES_KEY, b->scopes.count > 0 ? b->scopes.data : "",
                               &node->properties, b->error));
    node->n_properties = 1;
    node->outputs = output;
    node->n_outputs = 1;
    return ltap_graph_node_add(b->graph, node, NULL, b->error);
}

uint32_t ltap_build_node(ltap_builder *b, ltap_node node)
{
    uint32_t output = 0;
    if (ltap_build_is_good(b))
        ltap_build_take(b, add_node(b, &node, &output));
    return output;
}

uint32_t ltap_build_op(ltap_builder *b, const char *op_type, size_t count, const uint32_t *inputs)
{
    return ltap_build_node(
        b, (ltap_node){.op_type = op_type, .inputs = (uint32_t *)inputs, .n_inputs = count});
}

uint32_t ltap_build_op_along(ltap_builder *b, const char *op_type, int64_t axis, size_t count,
                             const uint32_t *inputs)
{
    ltap_attr attr = LTAP_ATTR_I("axis", axis);
    return ltap_build_node(b, (ltap_node){.op_type = op_type,
                                          .inputs = (uint32_t *)inputs,
                                          .n_inputs = count,
                                          .attrs = &attr,
                                          .n_attrs = 1});
}

uint32_t ltap_build_transpose(ltap_builder *b, uint32_t value, size_t rank, const int64_t *perm)
{
    ltap_attr attr = LTAP_ATTR_N("perm", rank, perm);
    return ltap_build_node(
        b,
        (ltap_node){
            .op_type = "Transpose", .inputs = &value, .n_inputs = 1, .attrs = &attr, .n_attrs = 1});
}

uint32_t ltap_build_reshape(ltap_builder *b, uint32_t value, size_t rank, const int64_t *dims)
{
    return ltap_build_op(b, "Reshape", 2, (uint32_t[]){value, ltap_build_list(b, rank, dims)});
}

uint32_t ltap_build_cast(ltap_builder *b, uint32_t value, ltap_dtype dtype)
{
    ltap_attr to = LTAP_ATTR_I("to", dtype);
    return ltap_build_node(
        b, (ltap_node){
               .op_type = "Cast", .inputs = &value, .n_inputs = 1, .attrs = &to, .n_attrs = 1});
}

uint32_t ltap_build_sizes(ltap_builder *b, uint32_t value, int64_t first, int64_t end)
{
    ltap_attr attrs[2] = {LTAP_ATTR_I("start", first), LTAP_ATTR_I("end", end)};
    return ltap_build_node(
        b, (ltap_node){
               .op_type = "Shape", .inputs = &value, .n_inputs = 1, .attrs = attrs, .n_attrs = 2});
}

static ltap_status add_scalar(ltap_builder *b, ltap_dtype dtype, const void *number,
                              uint32_t *value)
{
    void *block;
    ltap_tensor tensor = ltap_tensor_make(dtype, 0, NULL, NULL);
    LTAP_TRY(ltap_arena_take(&b->graph->arena, 1, ltap_tensor_bytes(&tensor), &block, b->error));
    memcpy(block, number, ltap_tensor_bytes(&tensor));
    tensor.data = block;
    return ltap_graph_constant(b->graph, "number", &tensor, value, b->error);
}

uint32_t ltap_build_number(ltap_builder *b, float number)
{
    uint32_t value = LTAP_NO_VALUE;
    if (ltap_build_is_good(b))
        ltap_build_take(b, add_scalar(b, LTAP_FLOAT32, &number, &value));
    return value;
}

uint32_t ltap_build_index(ltap_builder *b, int64_t index)
{
    uint32_t value = LTAP_NO_VALUE;
    if (ltap_build_is_good(b))
        ltap_build_take(b, add_scalar(b, LTAP_INT64, &index, &value));
    return value;
}

uint32_t ltap_build_list(ltap_builder *b, size_t count, const int64_t *ints)
{
    uint32_t value = LTAP_NO_VALUE;
    if (ltap_build_is_good(b))
        ltap_build_take(b,
                        ltap_graph_constant_ints(b->graph, "list", ints, count, &value, b->error));
    return value;
}

static ltap_status add_constant(ltap_builder *b, ltap_torch_tensor *tensor, uint32_t *value)
{
    ltap_tensor data;
    if (ltap_graph_find(b->graph, tensor->name, value))
        return LTAP_OK;
    LTAP_TRY(ltap_torch_data(b->checkpoint, tensor, &data, b->error));
    LTAP_TRY(ltap_graph_value(b->graph, tensor->name, strlen(tensor->name), value, b->error));
    LTAP_TRY(ltap_graph_set_constant(b->graph, *value, &data, b->error));
    const ltap_torch_storage *storage =
        LTAP_VECTOR_AT(&b->checkpoint->storages, ltap_torch_storage, tensor->storage);
    ltap_graph_at(b->graph, *value)->span =
        (ltap_span){storage->offset, storage->bytes > 0 ? storage->bytes : 1};
    return LTAP_OK;
}

static bool is_float(ltap_dtype dtype)
{
    return dtype == LTAP_FLOAT32 || dtype == LTAP_FLOAT16 || dtype == LTAP_BFLOAT16 ||
           dtype == LTAP_FLOAT64;
}

static void weight_name(const ltap_builder *b, const char *leaf, char name[MAX_NAME])
{
    snprintf(name, MAX_NAME, "%s%s%s", ltap_build_path(b), b->path.count > 0 ? "." : "", leaf);
}

/* A tensor is not there. */
static void miss(ltap_builder *b, const char *leaf)
{
    char name[MAX_NAME];
    weight_name(b, leaf, name);
    if (b->survey == NULL)
        ltap_build_refuse(b, "'%s' is not in the file", name);
    else if (ltap_torch_find(b->checkpoint, name) == NULL && b->survey->n_missing++ == 0)
        snprintf(b->survey->missing, sizeof b->survey->missing, "%.127s", name);
}

/* As it is in the file; NULL: it is not there. */
static ltap_torch_tensor *take_tensor(ltap_builder *b, const char *leaf, char name[MAX_NAME],
                                      uint32_t *value)
{
    *value = LTAP_NO_VALUE;
    if (!ltap_build_is_good(b))
        return NULL;
    weight_name(b, leaf, name);
    ltap_torch_tensor *tensor = ltap_torch_find(b->checkpoint, name);
    if (tensor != NULL && b->survey != NULL)
        b->survey->n_found += !tensor->used;
    else if (tensor != NULL)
        ltap_build_take(b, add_constant(b, tensor, value));
    if (tensor != NULL)
        tensor->used = true;
    return ltap_build_is_good(b) ? tensor : NULL;
}

const ltap_torch_tensor *ltap_build_weight(ltap_builder *b, const char *leaf, int rank,
                                           uint32_t *value)
{
    char name[MAX_NAME];
    ltap_torch_tensor *tensor = take_tensor(b, leaf, name, value);
    if (tensor == NULL)
        return NULL;
    if (tensor->shape.rank != rank || !is_float(tensor->shape.dtype)) {
        ltap_build_refuse(b, "'%s' is %s; expected a float tensor of %d dimensions", name,
                          ltap_tensor_text(&tensor->shape).text, rank);
        return NULL;
    }
    if (b->survey == NULL && tensor->shape.dtype != LTAP_FLOAT32)
        *value = ltap_build_cast(b, *value, LTAP_FLOAT32);
    return tensor;
}

void ltap_build_integers(ltap_builder *b, const char *leaf, int64_t size, uint32_t *value)
{
    char name[MAX_NAME];
    ltap_torch_tensor *tensor = take_tensor(b, leaf, name, value);
    ltap_tensor wanted = ltap_tensor_make(LTAP_INT64, 1, &size, NULL);
    if (tensor == NULL)
        miss(b, leaf);
    else if (tensor->shape.dtype != LTAP_INT64 || !ltap_tensor_same_shape(&tensor->shape, &wanted))
        ltap_build_refuse(b, "'%s' is %s; expected %s", name, ltap_tensor_text(&tensor->shape).text,
                          ltap_tensor_text(&wanted).text);
}

const ltap_torch_tensor *ltap_build_need(ltap_builder *b, const char *leaf, int rank,
                                         uint32_t *value)
{
    const ltap_torch_tensor *tensor = ltap_build_weight(b, leaf, rank, value);
    if (tensor == NULL)
        miss(b, leaf);
    return tensor;
}

void ltap_build_shaped(ltap_builder *b, const char *leaf, int rank, const int64_t *dims,
                       uint32_t *value)
{
    const ltap_torch_tensor *tensor = ltap_build_need(b, leaf, rank, value);
    ltap_tensor wanted = ltap_tensor_make(LTAP_FLOAT32, rank, dims, NULL);
    if (tensor != NULL && !ltap_tensor_same_shape(&tensor->shape, &wanted))
        ltap_build_refuse(b, "'%s' is %s; expected %s", tensor->name,
                          ltap_tensor_text(&tensor->shape).text, ltap_tensor_text(&wanted).text);
}

void ltap_build_vector(ltap_builder *b, const char *leaf, int64_t size, uint32_t *value)
{
    const ltap_torch_tensor *tensor = ltap_build_need(b, leaf, 1, value);
    if (tensor != NULL && tensor->shape.dims[0] != size)
        ltap_build_refuse(b, "'%s' has %lld elements; expected %lld", tensor->name,
                          (long long)tensor->shape.dims[0], (long long)size);
}

const ltap_torch_tensor *ltap_torch_findf(const ltap_torch_checkpoint *checkpoint,
                                          const char *format, ...)
{
    char name[MAX_NAME];
    va_list list;
    va_start(list, format);
    vsnprintf(name, sizeof name, format, list);
    va_end(list);
    return ltap_torch_find(checkpoint, name);
}

const ltap_torch_tensor *ltap_build_child(const ltap_builder *b, const char *name)
{
    return ltap_torch_findf(b->checkpoint, "%s.%s", ltap_build_path(b), name);
}

int64_t ltap_torch_dim(const ltap_torch_tensor *tensor, int axis)
{
    return tensor != NULL && axis < tensor->shape.rank ? tensor->shape.dims[axis] : 0;
}

/* A name with `todays` instead of the bytes from `at` on that are `part`. */
static ltap_status give_name(ltap_builder *b, uint32_t index, const char *at, const char *part,
                             const char *todays)
{
    ltap_torch_checkpoint *c = b->checkpoint;
    ltap_torch_tensor *tensor = LTAP_VECTOR_AT(&c->tensors, ltap_torch_tensor, index);
    const char *name;
    LTAP_TRY(ltap_arena_format(c->arena, &name, b->error, "%.*s%s%s", (int)(at - tensor->name),
                               tensor->name, todays, at + strlen(part)));
    if (ltap_torch_find(c, name) != NULL)
        return LTAP_OK;
    tensor->name = name;
    return ltap_map_set(&c->tensor_by_name, name, strlen(name), index, b->error);
}

void ltap_torch_rename(ltap_builder *b, const char *part, const char *todays)
{
    for (uint32_t i = 0; i < b->checkpoint->tensors.count; i++) {
        const char *name = LTAP_VECTOR_AT(&b->checkpoint->tensors, ltap_torch_tensor, i)->name;
        const char *at = strstr(name, part);
        if (at != NULL)
            ltap_build_take(b, give_name(b, i, at, part, todays));
    }
}

bool ltap_torch_any(const ltap_torch_checkpoint *c, const char *prefix)
{
    size_t bytes = strlen(prefix);
    for (size_t i = 0; i < c->tensors.count; i++)
        if (strncmp(LTAP_VECTOR_AT(&c->tensors, ltap_torch_tensor, i)->name, prefix, bytes) == 0)
            return true;
    return false;
}

void ltap_torch_skip(const ltap_torch_checkpoint *c, const char *prefix)
{
    size_t bytes = strlen(prefix);
    for (size_t i = 0; i < c->tensors.count; i++) {
        ltap_torch_tensor *tensor = LTAP_VECTOR_AT(&c->tensors, ltap_torch_tensor, i);
        tensor->used |= strncmp(tensor->name, prefix, bytes) == 0;
    }
}

/* As str() of a number writes it. */
static bool is_number(const char *text)
{
    return (text[0] >= '1' && text[0] <= '9') || (text[0] == '0' && text[1] == '.');
}

/* One pass over the names, however many numbers there are. */
static int count_below(const ltap_torch_checkpoint *c, const char *prefix)
{
    size_t bytes = strlen(prefix), n = c->tensors.count, count = 0;
    void *block;
    if (ltap_memory_take(c->source->memory, n + 1, "numbers", &block, NULL) != LTAP_OK)
        return 0;
    uint8_t *seen = block;
    memset(seen, 0, n + 1);
    for (size_t i = 0; i < n; i++) {
        const char *name = LTAP_VECTOR_AT(&c->tensors, ltap_torch_tensor, i)->name;
        if (strncmp(name, prefix, bytes) != 0)
            continue;
        char *end;
        unsigned long number = strtoul(name + bytes, &end, 10);
        if (is_number(name + bytes) && *end == '.' && number < n)
            seen[number] = 1;
    }
    while (seen[count])
        count++;
    ltap_memory_release(c->source->memory, block);
    return (int)count;
}

int ltap_torch_countf(const ltap_torch_checkpoint *checkpoint, const char *format, ...)
{
    char prefix[MAX_NAME];
    va_list list;
    va_start(list, format);
    vsnprintf(prefix, sizeof prefix, format, list);
    va_end(list);
    return count_below(checkpoint, prefix);
}
