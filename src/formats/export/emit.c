/* Operations that a row makes, kept aside until it is known that it can make all. */
#include "formats/export/aten.h"

#include "base/error.h"

#include <string.h>

static void *take(ltap_program *p, size_t count, size_t size)
{
    void *block = NULL;
    if (ltap_program_goes_on(p))
        ltap_program_take(p, ltap_arena_take(&p->graph->arena, count + 1, size, &block, p->error));
    return block;
}

uint32_t ltap_emit(ltap_program *p, ltap_emit_node node, uint32_t *outputs)
{
    size_t n_outputs = node.n_outputs > 0 ? node.n_outputs : 1;
    ltap_node made = {.domain = node.domain ? node.domain : "",
                      .op_type = node.op_type,
                      .n_inputs = node.n_inputs,
                      .n_outputs = n_outputs,
                      .n_attrs = node.n_attrs};
    if (ltap_program_goes_on(p))
        ltap_program_take(
            p, ltap_attrs_copy(&p->graph->arena, node.attrs, node.n_attrs, &made.attrs, p->error));
    made.inputs = take(p, node.n_inputs, sizeof(uint32_t));
    made.outputs = take(p, n_outputs, sizeof(uint32_t));
    for (size_t i = 0; i < node.n_inputs && made.inputs != NULL; i++)
        made.inputs[i] = node.inputs[i];
    while (made.n_inputs > 0 && made.inputs != NULL &&
           made.inputs[made.n_inputs - 1] == LTAP_NO_VALUE)
        made.n_inputs--;
    for (size_t i = 0; i < n_outputs; i++) {
        if (ltap_program_goes_on(p))
            ltap_program_take(
                p, ltap_graph_value_new(p->graph, node.op_type, &made.outputs[i], p->error));
        if (outputs != NULL)
            outputs[i] = ltap_program_goes_on(p) ? made.outputs[i] : LTAP_NO_VALUE;
    }
    if (ltap_program_goes_on(p))
        ltap_program_take(p, ltap_vector_push(&p->staged, &made, p->error));
    return ltap_program_goes_on(p) ? made.outputs[0] : LTAP_NO_VALUE;
}

uint32_t ltap_emit_one(ltap_program *p, const char *op_type, uint32_t a)
{
    return ltap_emit(p, (ltap_emit_node){.op_type = op_type, .inputs = &a, .n_inputs = 1}, NULL);
}

uint32_t ltap_emit_two(ltap_program *p, const char *op_type, uint32_t a, uint32_t b)
{
    uint32_t inputs[] = {a, b};
    return ltap_emit(p, (ltap_emit_node){.op_type = op_type, .inputs = inputs, .n_inputs = 2},
                     NULL);
}

uint32_t ltap_emit_where(ltap_program *p, uint32_t condition, uint32_t yes, uint32_t no)
{
    uint32_t inputs[] = {condition, yes, no};
    return ltap_emit(p, (ltap_emit_node){.op_type = "Where", .inputs = inputs, .n_inputs = 3},
                     NULL);
}

uint32_t ltap_emit_with(ltap_program *p, const char *op_type, uint32_t a, ltap_attr attr)
{
    return ltap_emit(
        p,
        (ltap_emit_node){
            .op_type = op_type, .inputs = &a, .n_inputs = 1, .attrs = &attr, .n_attrs = 1},
        NULL);
}

/* The operation that makes the value gives it the result's name instead. */
static bool rename_output(ltap_program *p, uint32_t value, uint32_t wanted)
{
    bool found = false;
    for (size_t n = 0; n < p->staged.count; n++) {
        ltap_node *node = LTAP_VECTOR_AT(&p->staged, ltap_node, n);
        for (size_t i = 0; i < node->n_inputs; i++)
            if (found && node->inputs[i] == value)
                node->inputs[i] = wanted;
        for (size_t i = 0; i < node->n_outputs; i++) {
            if (node->outputs[i] != value || ltap_graph_at(p->graph, value)->name[0] != '\1')
                continue;
            node->outputs[i] = wanted;
            found = true;
        }
    }
    return found;
}

/* Whether an earlier result is this value already. */
static bool is_in_use(const ltap_program *p, uint32_t value)
{
    for (size_t i = 0; i < p->n_results; i++)
        if (p->results[i] == value)
            return true;
    return false;
}

void ltap_emit_result(ltap_program *p, size_t k, uint32_t value)
{
    if (!ltap_program_goes_on(p) || k >= p->n_results || value == LTAP_NO_VALUE)
        return;
    if (p->wanted == NULL || p->wanted[k] == LTAP_NO_VALUE) {
        p->results[k] = value;
        return;
    }
    if (is_in_use(p, value) || !rename_output(p, value, p->wanted[k])) {
        uint32_t same = ltap_emit_one(p, "Identity", value);
        if (ltap_program_goes_on(p))
            rename_output(p, same, p->wanted[k]);
    }
    p->results[k] = p->wanted[k];
}

uint32_t ltap_emit_tensor(ltap_program *p, const char *name, const ltap_tensor *tensor)
{
    uint32_t value = LTAP_NO_VALUE;
    if (ltap_program_goes_on(p))
        ltap_program_take(p, ltap_graph_constant(p->graph, name, tensor, &value, p->error));
    return value;
}

uint32_t ltap_emit_ints(ltap_program *p, const int64_t *numbers, size_t count)
{
    int64_t dims[1] = {(int64_t)count}, *copy = take(p, count, sizeof *copy);
    if (copy == NULL)
        return LTAP_NO_VALUE;
    if (count > 0)
        memcpy(copy, numbers, count * sizeof *copy);
    ltap_tensor tensor = ltap_tensor_make(LTAP_INT64, 1, dims, copy);
    return ltap_emit_tensor(p, "constant", &tensor);
}

uint32_t ltap_emit_int(ltap_program *p, int64_t number)
{
    return ltap_emit_ints(p, &number, 1);
}

/* float64 numbers, cast where another type is wanted: casts of constants cost nothing later. */
static uint32_t numbers(ltap_program *p, double number, int rank, int64_t count, ltap_dtype dtype)
{
    double *wide = take(p, (size_t)count, sizeof *wide);
    float *narrow = (float *)(void *)wide;
    if (wide == NULL)
        return LTAP_NO_VALUE;
    bool is_float = dtype == LTAP_FLOAT32;
    for (int64_t i = 0; i < count; i++) {
        if (is_float)
            narrow[i] = (float)number;
        else
            wide[i] = number;
    }
    ltap_tensor tensor =
        ltap_tensor_make(is_float ? LTAP_FLOAT32 : LTAP_FLOAT64, rank, &count, wide);
    return ltap_emit_cast(p, ltap_emit_tensor(p, "constant", &tensor), tensor.dtype, dtype);
}

uint32_t ltap_emit_number(ltap_program *p, double number, ltap_dtype dtype)
{
    return numbers(p, number, 0, 1, dtype);
}

#define MAX_FILL (1 << 20)

uint32_t ltap_emit_fill(ltap_program *p, double number, int64_t count, ltap_dtype dtype)
{
    if (count >= 0 && count <= MAX_FILL)
        return numbers(p, number, 1, count, dtype);
    ltap_program_refuse(p, "its number of channels is free, or over %d", MAX_FILL);
    return LTAP_NO_VALUE;
}

uint32_t ltap_emit_cast(ltap_program *p, uint32_t value, ltap_dtype from, ltap_dtype to)
{
    if (from == to)
        return value;
    if (to == LTAP_UNDEFINED) {
        ltap_program_refuse(p, "makes a type that is not known");
        return value;
    }
    return ltap_emit_with(p, "Cast", value, LTAP_ATTR_I("to", to));
}

uint32_t ltap_emit_shape(ltap_program *p, uint32_t value)
{
    return ltap_emit_one(p, "Shape", value);
}

uint32_t ltap_emit_dim(ltap_program *p, ltap_operand x, int axis)
{
    if (axis < x.rank && x.dims[axis] >= 0)
        return ltap_emit_int(p, x.dims[axis]);
    ltap_attr attrs[] = {LTAP_ATTR_I("start", axis), LTAP_ATTR_I("end", axis + 1)};
    return ltap_emit(
        p,
        (ltap_emit_node){
            .op_type = "Shape", .inputs = &x.value, .n_inputs = 1, .attrs = attrs, .n_attrs = 2},
        NULL);
}

uint32_t ltap_emit_reshape(ltap_program *p, uint32_t value, uint32_t shape)
{
    uint32_t inputs[] = {value, shape};
    ltap_attr zeros = LTAP_ATTR_I("allowzero", 1);
    return ltap_emit(
        p,
        (ltap_emit_node){
            .op_type = "Reshape", .inputs = inputs, .n_inputs = 2, .attrs = &zeros, .n_attrs = 1},
        NULL);
}

uint32_t ltap_emit_reshape_to(ltap_program *p, uint32_t value, const int64_t *dims, size_t rank)
{
    return ltap_emit_reshape(p, value, ltap_emit_ints(p, dims, rank));
}

uint32_t ltap_emit_transpose(ltap_program *p, uint32_t value, const int64_t *perm, int rank)
{
    return ltap_emit_with(p, "Transpose", value, LTAP_ATTR_N("perm", rank, perm));
}

uint32_t ltap_emit_unsqueeze(ltap_program *p, uint32_t value, int64_t axis)
{
    return ltap_emit_two(p, "Unsqueeze", value, ltap_emit_int(p, axis));
}

uint32_t ltap_emit_squeeze(ltap_program *p, uint32_t value, int64_t axis)
{
    return ltap_emit_two(p, "Squeeze", value, ltap_emit_int(p, axis));
}

uint32_t ltap_emit_concat(ltap_program *p, const uint32_t *values, size_t count, int64_t axis)
{
    ltap_attr attr = LTAP_ATTR_I("axis", axis);
    if (count == 1)
        return values[0];
    return ltap_emit(
        p,
        (ltap_emit_node){
            .op_type = "Concat", .inputs = values, .n_inputs = count, .attrs = &attr, .n_attrs = 1},
        NULL);
}

uint32_t ltap_emit_repeat(ltap_program *p, ltap_operand x, int axis, uint32_t count)
{
    uint32_t repeats[LTAP_MAX_RANK + 1], sizes[LTAP_MAX_RANK];
    if (x.rank >= LTAP_MAX_RANK)
        ltap_program_refuse(p, "of a tensor with %d dimensions", x.rank);
    for (int i = 0; i <= x.rank && i <= LTAP_MAX_RANK; i++)
        repeats[i] = i == axis + 1 ? count : ltap_emit_int(p, 1);
    for (int i = 0; i < x.rank; i++)
        sizes[i] = i == axis ? ltap_emit_int(p, -1) : ltap_emit_dim(p, x, i);
    uint32_t y = ltap_emit_unsqueeze(p, x.value, axis + 1);
    y = ltap_emit_two(p, "Tile", y, ltap_emit_concat(p, repeats, (size_t)x.rank + 1, 0));
    return ltap_emit_reshape(p, y, ltap_emit_concat(p, sizes, (size_t)x.rank, 0));
}

uint32_t ltap_emit_slice(ltap_program *p, uint32_t x, uint32_t begin, uint32_t end, int64_t axis,
                         int64_t step)
{
    uint32_t inputs[] = {x, begin, end, ltap_emit_int(p, axis), ltap_emit_int(p, step)};
    return ltap_emit(p, (ltap_emit_node){.op_type = "Slice", .inputs = inputs, .n_inputs = 5},
                     NULL);
}

uint32_t ltap_emit_range(ltap_program *p, uint32_t end)
{
    uint32_t inputs[] = {ltap_emit_number(p, 0, LTAP_INT64), ltap_emit_reshape_to(p, end, NULL, 0),
                         ltap_emit_number(p, 1, LTAP_INT64)};
    return ltap_emit(p, (ltap_emit_node){.op_type = "Range", .inputs = inputs, .n_inputs = 3},
                     NULL);
}

uint32_t ltap_emit_replace(ltap_program *p, uint32_t base, uint32_t part, uint32_t begin,
                           uint32_t end, int64_t axis)
{
    uint32_t parts[3] = {ltap_emit_slice(p, base, ltap_emit_int(p, 0), begin, axis, 1), part,
                         ltap_emit_slice(p, base, end, ltap_emit_int(p, INT64_MAX), axis, 1)};
    return ltap_emit_concat(p, parts, 3, axis);
}

uint32_t ltap_emit_gather(ltap_program *p, const char *op_type, uint32_t data, uint32_t indices,
                          int axis)
{
    uint32_t inputs[] = {data, indices};
    ltap_attr attr = LTAP_ATTR_I("axis", axis);
    return ltap_emit(
        p,
        (ltap_emit_node){
            .op_type = op_type, .inputs = inputs, .n_inputs = 2, .attrs = &attr, .n_attrs = 1},
        NULL);
}

uint32_t ltap_emit_scatter(ltap_program *p, const char *op_type, const uint32_t inputs[3], int axis,
                           const char *reduction)
{
    ltap_attr attrs[2];
    size_t n = 0;
    if (strcmp(op_type, "ScatterND") != 0)
        attrs[n++] = LTAP_ATTR_I("axis", axis);
    if (reduction != NULL)
        attrs[n++] = LTAP_ATTR_S("reduction", reduction);
    return ltap_emit(
        p,
        (ltap_emit_node){
            .op_type = op_type, .inputs = inputs, .n_inputs = 3, .attrs = attrs, .n_attrs = n},
        NULL);
}

uint32_t ltap_emit_reduce(ltap_program *p, const char *op_type, uint32_t x, uint32_t axes,
                          bool keeps)
{
    uint32_t inputs[] = {x, axes};
    ltap_attr attr = LTAP_ATTR_I("keepdims", keeps);
    return ltap_emit(
        p,
        (ltap_emit_node){
            .op_type = op_type, .inputs = inputs, .n_inputs = 2, .attrs = &attr, .n_attrs = 1},
        NULL);
}
