/* One arena from life spans: where each buffer lies. See plan.h.
 *
 * Placed buffers are kept in order of offset; a new one goes into the lowest gap between those
 * whose lives overlap its own. Quadratic in the number of buffers, with a small constant.
 */
#include "plan/plan.h"

#include "base/checked.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

typedef struct placed {
    uint64_t bytes; /* rounded up */
    uint32_t buffer;
} placed;

static int by_size(const void *a, const void *b)
{
    const placed *x = a, *y = b;

    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->buffer < y->buffer ? -1 : x->buffer > y->buffer;
}

/* The lowest free offset for `buffer` beside those already placed; at: where it goes in the order.
 */
static bool lowest_gap(const ltap_vector *buffers, const uint32_t *order, size_t n_order,
                       const ltap_buffer *buffer, uint64_t bytes, uint64_t *offset)
{
    uint64_t end = 0, needed;

    for (size_t i = 0; i < n_order; i++) {
        const ltap_buffer *other = LTAP_VECTOR_AT(buffers, ltap_buffer, order[i]);
        if (other->last < buffer->first || buffer->last < other->first)
            continue;
        if (!ltap_checked_add(end, bytes, &needed))
            return false;
        if (needed <= other->offset)
            break;
        uint64_t other_end =
            other->offset + ((other->bytes + LTAP_ALIGNMENT - 1) & ~(uint64_t)(LTAP_ALIGNMENT - 1));
        if (other_end > end)
            end = other_end;
    }
    *offset = end;
    return true;
}

static void insert_by_offset(const ltap_vector *buffers, uint32_t *order, size_t n_order,
                             uint32_t added)
{
    uint64_t offset = LTAP_VECTOR_AT(buffers, ltap_buffer, added)->offset;
    size_t low = 0, high = n_order;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (LTAP_VECTOR_AT(buffers, ltap_buffer, order[middle])->offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    memmove(order + low + 1, order + low, (n_order - low) * sizeof(*order));
    order[low] = added;
}

static ltap_status collect(const ltap_vector *buffers, placed *list, size_t *count,
                           ltap_error *error)
{
    *count = 0;
    for (size_t i = 0; i < buffers->count; i++) {
        const ltap_buffer *buffer = LTAP_VECTOR_AT(buffers, ltap_buffer, i);
        if (buffer->kind != LTAP_BUFFER_ARENA)
            continue;
        list[*count].buffer = (uint32_t)i;
        if (!ltap_checked_round_up(buffer->bytes, LTAP_ALIGNMENT, &list[*count].bytes))
            return ltap_error_set(error, LTAP_ERROR_MEMORY, "a value of %llu bytes is too large",
                                  (unsigned long long)buffer->bytes);
        ++*count;
    }
    qsort(list, *count, sizeof(*list), by_size);
    return LTAP_OK;
}

ltap_status ltap_offsets_place(ltap_vector *buffers, ltap_memory *memory, uint64_t *arena_bytes,
                               ltap_error *error)
{
    ltap_status status;
    void *list = NULL, *order = NULL;
    size_t count;
    uint64_t end;

    *arena_bytes = 0;
    LTAP_GO(ltap_memory_take_zeroed(memory, buffers->count, sizeof(placed), "the arena's plan",
                                    &list, error));
    LTAP_GO(ltap_memory_take_zeroed(memory, buffers->count, sizeof(uint32_t), "the arena's plan",
                                    &order, error));
    LTAP_GO(collect(buffers, list, &count, error));
    for (size_t i = 0; i < count; i++) {
        const placed *next = (const placed *)list + i;
        ltap_buffer *buffer = LTAP_VECTOR_AT(buffers, ltap_buffer, next->buffer);
        if (!lowest_gap(buffers, order, i, buffer, next->bytes, &buffer->offset) ||
            !ltap_checked_add(buffer->offset, next->bytes, &end)) {
            status = ltap_error_set(error, LTAP_ERROR_MEMORY, "the inner values are too large");
            goto done;
        }
        insert_by_offset(buffers, order, i, next->buffer);
        if (end > *arena_bytes)
            *arena_bytes = end;
    }
done:
    ltap_memory_release(memory, list);
    ltap_memory_release(memory, order);
    return status;
}

typedef struct lying {
    uint64_t offset;
    uint32_t buffer;
} lying;

static int by_offset(const void *a, const void *b)
{
    const lying *x = a, *y = b;

    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return x->buffer < y->buffer ? -1 : x->buffer > y->buffer;
}

/* The arena's buffers in order of offset. */
static size_t sort_by_offset(const ltap_vector *buffers, lying *list, uint32_t *order)
{
    size_t count = 0;

    for (size_t i = 0; i < buffers->count; i++) {
        const ltap_buffer *buffer = LTAP_VECTOR_AT(buffers, ltap_buffer, i);
        if (buffer->kind == LTAP_BUFFER_ARENA)
            list[count++] = (lying){buffer->offset, (uint32_t)i};
    }
    qsort(list, count, sizeof(*list), by_offset);
    for (size_t i = 0; i < count; i++)
        order[i] = list[i].buffer;
    return count;
}

/* Whether two taps hand on the same bytes: a module and what it ends with. */
static bool is_same(const ltap_step *a, const ltap_step *b)
{
    return a->kind == LTAP_STEP_TAP && b->kind == LTAP_STEP_TAP && !a->reduce && !b->reduce &&
           a->operands[0].value == b->operands[0].value &&
           a->operands[0].buffer == b->operands[0].buffer;
}

/* One tap: a buffer that lives for its step alone. Between two taps nothing is made, so what was
 * free for the first is for the second. */
static ltap_status lend(ltap_plan *plan, const uint32_t *order, size_t n_order, uint32_t index,
                        ltap_error *error)
{
    ltap_step *step = LTAP_VECTOR_AT(&plan->steps, ltap_step, index);
    const ltap_buffer brief = {.first = index, .last = index};
    uint64_t end;

    if (step->kind != LTAP_STEP_TAP || !step->view_bytes)
        return LTAP_OK;
    if (index && is_same(step - 1, step)) {
        step->lent_offset = step[-1].lent_offset;
        step->is_there = true;
        return LTAP_OK;
    }
    if (!lowest_gap(&plan->buffers, order, n_order, &brief, step->view_bytes, &step->lent_offset) ||
        !ltap_checked_add(step->lent_offset, step->view_bytes, &end))
        return ltap_error_set(error, LTAP_ERROR_MEMORY, "a feature is too large");
    if (end > plan->arena_bytes && end - plan->arena_bytes > plan->sink_bytes)
        plan->sink_bytes = end - plan->arena_bytes;
    return LTAP_OK;
}

ltap_status ltap_offsets_lend(ltap_plan *plan, ltap_error *error)
{
    ltap_status status;
    void *list = NULL, *order = NULL;

    LTAP_GO(ltap_memory_take_zeroed(plan->memory, plan->buffers.count, sizeof(lying),
                                    "the arena's plan", &list, error));
    LTAP_GO(ltap_memory_take_zeroed(plan->memory, plan->buffers.count, sizeof(uint32_t),
                                    "the arena's plan", &order, error));
    size_t count = sort_by_offset(&plan->buffers, list, order);
    for (uint32_t i = 0; i < plan->steps.count; i++)
        LTAP_GO(lend(plan, order, count, i, error));
done:
    ltap_memory_release(plan->memory, list);
    ltap_memory_release(plan->memory, order);
    return status;
}
