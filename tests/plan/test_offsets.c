/* The arena: no two buffers that live at once overlap, and the whole is no larger than it must be.
 */
#include "plan/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void fill(ltap_vector *buffers, uint32_t seed, int count)
{
    for (int i = 0; i < count; i++) {
        uint32_t first = next(&seed) % 100;
        ltap_buffer buffer = {.kind = next(&seed) % 7 ? LTAP_BUFFER_ARENA : LTAP_BUFFER_INPUT,
                              .bytes = next(&seed) % 5000,
                              .first = first,
                              .last = first + next(&seed) % 20};
        assert_int_equal(ltap_vector_push(buffers, &buffer, NULL), LTAP_OK);
    }
}

static void check_pair(const ltap_buffer *a, const ltap_buffer *b)
{
    if (a->last < b->first || b->last < a->first || !a->bytes || !b->bytes)
        return;
    assert_true(a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset);
}

static void buffers_that_live_at_once_do_not_overlap(void **state)
{
    ltap_memory *memory;
    (void)state;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    for (uint32_t seed = 1; seed <= 50; seed++) {
        ltap_vector buffers;
        uint64_t arena;
        ltap_vector_init(&buffers, memory, sizeof(ltap_buffer));
        fill(&buffers, seed, 200);
        assert_int_equal(ltap_offsets_place(&buffers, memory, &arena, NULL), LTAP_OK);
        for (size_t i = 0; i < buffers.count; i++) {
            const ltap_buffer *a = LTAP_VECTOR_AT(&buffers, ltap_buffer, i);
            if (a->kind != LTAP_BUFFER_ARENA)
                continue;
            assert_int_equal(a->offset % LTAP_ALIGNMENT, 0);
            assert_true(a->offset + a->bytes <= arena);
            for (size_t k = 0; k < i; k++)
                if (LTAP_VECTOR_AT(&buffers, ltap_buffer, k)->kind == LTAP_BUFFER_ARENA)
                    check_pair(a, LTAP_VECTOR_AT(&buffers, ltap_buffer, k));
        }
        ltap_vector_clear(&buffers);
    }
    ltap_memory_unref(memory);
}

static void a_chain_needs_two_buffers_only(void **state)
{
    ltap_memory *memory;
    ltap_vector buffers;
    uint64_t arena;
    (void)state;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    ltap_vector_init(&buffers, memory, sizeof(ltap_buffer));
    for (uint32_t i = 0; i < 30; i++) {
        ltap_buffer buffer = {.kind = LTAP_BUFFER_ARENA, .bytes = 1024, .first = i, .last = i + 1};
        assert_int_equal(ltap_vector_push(&buffers, &buffer, NULL), LTAP_OK);
    }
    assert_int_equal(ltap_offsets_place(&buffers, memory, &arena, NULL), LTAP_OK);
    assert_int_equal(arena, 2048);
    ltap_vector_clear(&buffers);
    ltap_memory_unref(memory);
}

static void sizes_that_overflow_are_refused(void **state)
{
    ltap_memory *memory;
    ltap_vector buffers;
    uint64_t arena;
    (void)state;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    ltap_vector_init(&buffers, memory, sizeof(ltap_buffer));
    for (uint32_t i = 0; i < 3; i++) {
        ltap_buffer buffer = {.kind = LTAP_BUFFER_ARENA, .bytes = UINT64_MAX / 2, .last = 9};
        assert_int_equal(ltap_vector_push(&buffers, &buffer, NULL), LTAP_OK);
    }
    assert_int_equal(ltap_offsets_place(&buffers, memory, &arena, NULL), LTAP_ERROR_MEMORY);
    ltap_vector_clear(&buffers);
    ltap_memory_unref(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_that_live_at_once_do_not_overlap),
        cmocka_unit_test(a_chain_needs_two_buffers_only),
        cmocka_unit_test(sizes_that_overflow_are_refused),
    };
    return cmocka_run_group_tests_name("offsets", tests, NULL, NULL);
}
