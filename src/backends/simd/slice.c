/* Slice and Split as they lie: copies between strided views, channels last where the input is.
 *
 * So the halves of channels in a channels-last network (CSP blocks, ShuffleNet's branches) stay
 * channels last. Copies only: the bits are those of the plain kernel.
 */
#include "backends/simd/rows.h"

#include "base/error.h"
#include "ops/movement.h"
#include "ops/strided.h"

#include <string.h>

typedef struct part {
    ltap_strided view;
    int64_t offset; /* in bytes of the input */
} part;

typedef struct slicer {
    size_t n_parts;
    part parts[]; /* one an output */
} slicer;

static bool splits(const ltap_query *query)
{
    return strcmp(query->node->op_type, "Split") == 0;
}

static ltap_call call_of(const ltap_query *query)
{
    return (ltap_call){.node = query->node, .inputs = query->inputs, .n_inputs = query->n_inputs};
}

static bool accepts(const ltap_query *query, ltap_why *why)
{
    ltap_call call = call_of(query);
    ltap_slices slices;

    if (!ltap_layout_applies(query->inputs[0].rank) || query->inputs[0].data)
        return ltap_refuse(why, "not a computed tensor of rank 3 to 5");
    if (query->inputs[0].dtype != LTAP_FLOAT32)
        return ltap_refuse(why, "not float32");
    if (!splits(query) && ltap_slices_read(&call, &slices, NULL) != LTAP_OK)
        return ltap_refuse(why, "its attributes do not fit");
    return true;
}

static void layouts(const ltap_query *query, ltap_layout *in, ltap_layout *out)
{
    if (!ltap_query_lies_last(query, 0))
        return;
    in[0] = LTAP_LAYOUT_CHANNELS_LAST;
    for (size_t i = 0; i < query->n_outputs; i++)
        out[i] = LTAP_LAYOUT_CHANNELS_LAST;
}

/* The slice of the input that output `index` is; moves *begin to the next part of a Split. */
static ltap_status read_part(const ltap_query *query, size_t index, int64_t *begin, ltap_slices *s,
                             ltap_error *error)
{
    const ltap_tensor *y = &query->outputs[index];
    int64_t axis = ltap_node_int(query->node, "axis", 0);
    ltap_call call = call_of(query);

    if (!splits(query))
        return ltap_slices_read(&call, s, error);
    for (int i = 0; i < y->rank; i++) {
        s->start[i] = 0;
        s->step[i] = 1;
    }
    axis = axis < 0 ? axis + y->rank : axis;
    s->start[axis] = *begin;
    *begin += y->dims[axis];
    return LTAP_OK;
}

static void make_part(const ltap_query *query, size_t index, const ltap_slices *s, part *p)
{
    int rank = query->inputs[0].rank, order[LTAP_LAYOUT_MAX_RANK];
    int64_t in[LTAP_LAYOUT_MAX_RANK], strides[LTAP_LAYOUT_MAX_RANK];

    p->view =
        (ltap_strided){.rank = rank, .element_bytes = sizeof(float), .threads = query->threads};
    for (int i = 0; i < rank; i++) {
        order[i] = ltap_layout_axis(query->layout, rank, i);
        in[i] = query->inputs[0].dims[order[i]];
        p->view.dims[i] = query->outputs[index].dims[order[i]];
    }
    ltap_strided_dense(rank, in, strides);
    ltap_strided_dense(rank, p->view.dims, p->view.dst);
    p->offset = 0;
    for (int i = 0; i < rank; i++) {
        p->offset += s->start[order[i]] * strides[i] * (int64_t)sizeof(float);
        p->view.src[i] = p->view.dims[i] > 1 ? strides[i] * s->step[order[i]] : 0;
    }
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    uint64_t bytes = sizeof(slicer) + query->n_outputs * sizeof(part);
    int64_t begin = 0;
    ltap_slices s;
    ltap_status status;

    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, bytes, "a kernel", &kernel->state, error));
    slicer *state = kernel->state;
    state->n_parts = query->n_outputs;
    for (size_t i = 0; i < query->n_outputs; i++) {
        if (query->outputs[i].dtype == LTAP_UNDEFINED)
            continue;
        LTAP_GO(read_part(query, i, &begin, &s, error));
        make_part(query, i, &s, &state->parts[i]);
    }
    kernel->state_bytes = bytes;
    kernel->detail = "";
    return LTAP_OK;
done:
    ltap_memory_release(query->memory, kernel->state);
    return status;
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const slicer *state = kernel->state;

    (void)scratch;
    (void)error;
    for (size_t i = 0; i < state->n_parts; i++)
        if (outputs[i])
            ltap_strided_copy(&state->parts[i].view,
                              (const char *)inputs[0] + state->parts[i].offset, outputs[i]);
    return LTAP_OK;
}

#define ROW(id, operator)                                                                          \
    const ltap_impl ltap_impl_simd_##id = {                                                        \
        .op = operator,                                                                            \
        .name = "simd:slice",                                                                      \
        .accepts = accepts,                                                                        \
        .layouts = layouts,                                                                        \
        .prepare = prepare,                                                                        \
        .run = run,                                                                                \
        .release = ltap_kernel_release,                                                            \
    };
ROW(slice, "Slice")
ROW(split, "Split")
