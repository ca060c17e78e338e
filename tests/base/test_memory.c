#include "base/arena.h"
#include "base/error.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/slabs.h"
#include "base/vector.h"
#include "support/fail_alloc.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void used_follows_what_is_taken_and_released(void **state)
{
    fail_alloc heap;
    ltap_memory *memory;
    void *a, *b;
    fail_alloc_init(&heap, 0);
    assert_int_equal(ltap_memory_new(&heap.allocator, 1 << 20, &memory, NULL), LTAP_OK);
    assert_int_equal(ltap_memory_limit(memory), 1 << 20);
    assert_int_equal(ltap_memory_used(memory), 0);
    assert_int_equal(ltap_memory_take(memory, 1000, "a", &a, NULL), LTAP_OK);
    assert_in_range(ltap_memory_used(memory), 1000, 1000 + LTAP_ALIGNMENT);
    assert_int_equal(ltap_memory_take(memory, 0, "b", &b, NULL), LTAP_OK);
    assert_non_null(b);
    assert_int_equal((uintptr_t)a % LTAP_ALIGNMENT, 0);
    assert_int_equal((uintptr_t)b % LTAP_ALIGNMENT, 0);
    memset(a, 1, 1000);
    ltap_memory_release(memory, a);
    ltap_memory_release(memory, b);
    ltap_memory_release(memory, NULL);
    assert_int_equal(ltap_memory_used(memory), 0);
    ltap_memory_unref(memory);
    fail_alloc_check(&heap);
}

static void the_limit_is_kept_and_the_refusal_says_what_to_do(void **state)
{
    fail_alloc heap;
    ltap_memory *memory;
    ltap_error error;
    void *block, *none = NULL;
    fail_alloc_init(&heap, 0);
    assert_int_equal(ltap_memory_new(&heap.allocator, 10000, &memory, NULL), LTAP_OK);
    assert_int_equal(ltap_memory_take(memory, 6000, "the arena", &block, NULL), LTAP_OK);
    size_t calls = heap.calls;
    assert_int_equal(ltap_memory_take(memory, 5000000, "the arena", &none, &error),
                     LTAP_ERROR_MEMORY);
    assert_string_equal(
        error.message, "the arena needs 5.0 MB; 6.1 kB of the memory limit of 10.0 kB are taken; "
                       "raise the limit, or ask for less (a smaller batch or input, fewer layers)");
    assert_int_equal(heap.calls, calls); /* the allocator was not even asked */
    assert_int_equal(ltap_memory_check(memory, 5000, "x", &error), LTAP_ERROR_MEMORY);
    assert_int_equal(ltap_memory_check(memory, 3000, "x", &error), LTAP_OK);
    assert_int_equal(ltap_memory_check(memory, UINT64_MAX, "x", &error), LTAP_ERROR_MEMORY);
    assert_int_equal(ltap_memory_take(memory, UINT64_MAX, "x", &none, &error), LTAP_ERROR_MEMORY);
    assert_int_equal(ltap_memory_take_zeroed(memory, UINT64_MAX / 2, 3, "x", &none, &error),
                     LTAP_ERROR_MEMORY);
    assert_null(none);
    ltap_memory_release(memory, block);
    ltap_memory_unref(memory);
    fail_alloc_check(&heap);
}

static void a_failing_allocator_is_an_error_that_costs_nothing(void **state)
{
    fail_alloc heap;
    ltap_memory *memory;
    ltap_error error;
    void *block;
    fail_alloc_init(&heap, 1);
    assert_int_equal(ltap_memory_new(&heap.allocator, 0, &memory, &error), LTAP_ERROR_MEMORY);
    fail_alloc_init(&heap, 2);
    assert_int_equal(ltap_memory_new(&heap.allocator, 0, &memory, &error), LTAP_OK);
    assert_int_equal(ltap_memory_take(memory, 100, "it", &block, &error), LTAP_ERROR_MEMORY);
    assert_int_equal(ltap_memory_used(memory), 0);
    ltap_memory_unref(memory);
    fail_alloc_check(&heap);
}

static void an_allocator_needs_both_functions(void **state)
{
    ltap_allocator half = {fail_alloc_allocate, NULL, NULL};
    ltap_memory *memory;
    assert_int_equal(ltap_memory_new(&half, 0, &memory, NULL), LTAP_ERROR_ARGUMENT);
}

static void the_default_limit_is_below_the_machine_s_memory(void **state)
{
    ltap_memory *memory;
    assert_in_range(ltap_memory_default_limit(), 1 << 20, UINT64_MAX / 10 * 8 - 1);
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    assert_int_equal(ltap_memory_limit(memory), ltap_memory_default_limit());
    ltap_memory_unref(memory);
}

static void *take_and_release(void *argument)
{
    ltap_memory *memory = ltap_memory_ref(argument);
    for (int i = 0; i < 2000; i++) {
        void *block;
        if (ltap_memory_take(memory, 1000, "it", &block, NULL) == LTAP_OK) {
            if (ltap_memory_used(memory) > ltap_memory_limit(memory))
                abort();
            ltap_memory_release(memory, block);
        }
    }
    ltap_memory_unref(memory);
    return NULL;
}

static void threads_share_an_account_and_never_pass_the_limit(void **state)
{
    ltap_memory *memory;
    pthread_t threads[4];
    assert_int_equal(ltap_memory_new(NULL, 2500, &memory, NULL), LTAP_OK);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_release, memory), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(ltap_memory_used(memory), 0);
    ltap_memory_unref(memory);
}

static void an_arena_gives_zeroed_aligned_pieces_of_any_size(void **state)
{
    static const uint64_t sizes[] = {0, 1, 15, 16, 17, 1000, 4000, 100000, 3, 2000000, 8, 70000};
    fail_alloc heap;
    ltap_memory *memory;
    ltap_arena arena;
    char *pieces[12];
    fail_alloc_init(&heap, 0);
    assert_int_equal(ltap_memory_new(&heap.allocator, 0, &memory, NULL), LTAP_OK);
    ltap_arena_init(&arena, memory);
    ltap_memory_unref(memory); /* the arena keeps it */
    for (int i = 0; i < 12; i++) {
        void *block;
        assert_int_equal(ltap_arena_take(&arena, sizes[i], 1, &block, NULL), LTAP_OK);
        assert_int_equal((uintptr_t)block % 16, 0);
        pieces[i] = block;
        for (uint64_t k = 0; k < sizes[i]; k++)
            assert_int_equal(pieces[i][k], 0);
        memset(block, i + 1, sizes[i]);
    }
    for (int i = 0; i < 12; i++)
        for (uint64_t k = 0; k < sizes[i]; k += 97)
            assert_int_equal(pieces[i][k], i + 1);
    ltap_arena_clear(&arena);
    fail_alloc_check(&heap);
}

static void an_arena_makes_few_chunks_for_many_pieces(void **state)
{
    fail_alloc heap;
    ltap_memory *memory;
    ltap_arena arena;
    fail_alloc_init(&heap, 0);
    assert_int_equal(ltap_memory_new(&heap.allocator, 0, &memory, NULL), LTAP_OK);
    ltap_arena_init(&arena, memory);
    for (int i = 0; i < 200000; i++) {
        const char *text;
        assert_int_equal(ltap_arena_format(&arena, &text, NULL, "name %d", i), LTAP_OK);
    }
    assert_in_range(heap.calls, 2, 20); /* 3.2 MB in chunks up to 1 MB */
    ltap_arena_clear(&arena);
    ltap_memory_unref(memory);
    fail_alloc_check(&heap);
}

static void an_arena_refuses_sizes_that_overflow(void **state)
{
    ltap_memory *memory;
    ltap_arena arena;
    void *block;
    assert_int_equal(ltap_memory_new(NULL, 1 << 20, &memory, NULL), LTAP_OK);
    ltap_arena_init(&arena, memory);
    assert_int_equal(ltap_arena_take(&arena, UINT64_MAX, 16, &block, NULL), LTAP_ERROR_MEMORY);
    assert_int_equal(ltap_arena_take(&arena, UINT64_MAX, 1, &block, NULL), LTAP_ERROR_MEMORY);
    assert_int_equal(ltap_arena_take(&arena, 1, 1 << 21, &block, NULL), LTAP_ERROR_MEMORY);
    assert_int_equal(ltap_arena_take(&arena, 1, 100, &block, NULL), LTAP_OK);
    ltap_arena_clear(&arena);
    ltap_memory_unref(memory);
}

static void a_vector_keeps_what_was_pushed(void **state)
{
    ltap_memory *memory;
    ltap_vector vector;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    ltap_vector_init(&vector, memory, sizeof(uint32_t));
    for (uint32_t i = 0; i < 10000; i++)
        assert_int_equal(ltap_vector_push(&vector, &i, NULL), LTAP_OK);
    void *first;
    assert_int_equal(ltap_vector_grow(&vector, 5, &first, NULL), LTAP_OK);
    assert_int_equal(vector.count, 10005);
    for (uint32_t i = 0; i < 10000; i++)
        assert_int_equal(*LTAP_VECTOR_AT(&vector, uint32_t, i), i);
    for (int i = 0; i < 5; i++)
        assert_int_equal(((uint32_t *)first)[i], 0);
    assert_int_equal(ltap_vector_grow(&vector, SIZE_MAX - 1, NULL, NULL), LTAP_ERROR_MEMORY);
    ltap_vector_clear(&vector);
    assert_int_equal(ltap_memory_used(memory), 0);
    ltap_memory_unref(memory);
}

static void text_grows_and_stays_terminated(void **state)
{
    ltap_memory *memory;
    ltap_vector text;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    ltap_vector_init(&text, memory, 1);
    assert_int_equal(ltap_text_append(&text, "", 0, NULL), LTAP_OK);
    assert_string_equal((char *)text.data, "");
    assert_int_equal(ltap_text_append(&text, "abc", 3, NULL), LTAP_OK);
    assert_int_equal(ltap_text_format(&text, NULL, "%d-%s", 42, "xyz"), LTAP_OK);
    assert_string_equal((char *)text.data, "abc42-xyz");
    assert_int_equal(text.count, 9);
    ltap_vector_clear(&text);
    ltap_memory_unref(memory);
}

static void a_map_finds_every_key_and_no_other(void **state)
{
    static char keys[20000][12];
    ltap_memory *memory;
    ltap_map map;
    uint32_t value;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    ltap_map_init(&map, memory);
    assert_false(ltap_map_get(&map, "a", 1, &value));
    for (uint32_t i = 0; i < 20000; i++) {
        int n = snprintf(keys[i], sizeof keys[i], "k%u", i * 7);
        assert_int_equal(ltap_map_set(&map, keys[i], (size_t)n, i, NULL), LTAP_OK);
    }
    assert_int_equal(map.count, 20000);
    for (uint32_t i = 0; i < 20000; i++) {
        assert_true(ltap_map_get(&map, keys[i], strlen(keys[i]), &value));
        assert_int_equal(value, i);
    }
    assert_false(ltap_map_get(&map, "k1", 2, &value));
    assert_int_equal(ltap_map_set(&map, keys[5], strlen(keys[5]), 99, NULL), LTAP_OK);
    assert_true(ltap_map_get(&map, keys[5], strlen(keys[5]), &value));
    assert_int_equal(value, 99);
    assert_int_equal(map.count, 20000);
    ltap_map_clear(&map);
    ltap_memory_unref(memory);
}

static void map_keys_are_bytes_with_a_length(void **state)
{
    static const struct {
        const char *key;
        size_t bytes;
    } keys[] = {{"", 0},           {"\0", 1},      {"\0\0", 2},
                {"a", 1},          {"a\0", 2},     {"12345678", 8},
                {"12345678\0", 9}, {"1234567", 7}, {"abcdefghijklmnopq", 17}};
    ltap_memory *memory;
    ltap_map map;
    uint32_t value;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    ltap_map_init(&map, memory);
    for (uint32_t i = 0; i < 9; i++)
        assert_int_equal(ltap_map_set(&map, keys[i].key, keys[i].bytes, i, NULL), LTAP_OK);
    for (uint32_t i = 0; i < 9; i++) {
        assert_true(ltap_map_get(&map, keys[i].key, keys[i].bytes, &value));
        assert_int_equal(value, i);
    }
    ltap_map_clear(&map);
    ltap_memory_unref(memory);
}

static void maps_have_seeds_of_their_own(void **state)
{
    ltap_memory *memory;
    ltap_map a, b;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    ltap_map_init(&a, memory);
    ltap_map_init(&b, memory);
    assert_true(a.seed != b.seed);
    ltap_memory_unref(memory);
}

/* Uses everything that grows; a status for whatever failed. */
static ltap_status use_everything(ltap_memory *memory, ltap_error *error)
{
    static char keys[100][8];
    ltap_status status = LTAP_OK;
    ltap_arena arena;
    ltap_vector vector;
    ltap_map map;
    ltap_slabs slabs;
    void *block;
    ltap_arena_init(&arena, memory);
    ltap_vector_init(&vector, memory, 1);
    ltap_map_init(&map, memory);
    ltap_slabs_init(&slabs, memory);
    LTAP_GO(ltap_slabs_take(&slabs, 5, "a block", &block, error));
    LTAP_GO(ltap_slabs_take(&slabs, 5 << 20, "a block", &block, error));
    for (uint32_t i = 0; i < 100; i++) {
        const char *text;
        int n = snprintf(keys[i], sizeof keys[i], "%u", i);
        LTAP_GO(ltap_map_set(&map, keys[i], (size_t)n, i, error));
        LTAP_GO(ltap_text_format(&vector, error, "%u,", i));
        LTAP_GO(ltap_arena_format(&arena, &text, error, "%01000u", i));
    }
done:
    for (uint32_t i = 0; status != LTAP_OK && i < map.count; i++) {
        uint32_t value = 0;
        assert_true(ltap_map_get(&map, keys[i], strlen(keys[i]), &value));
        assert_int_equal(value, i);
    }
    ltap_map_clear(&map);
    ltap_vector_clear(&vector);
    ltap_arena_clear(&arena);
    ltap_slabs_clear(&slabs);
    return status;
}

static void any_failing_allocation_is_an_error_without_a_leak(void **state)
{
    bool failed = true;
    for (size_t n = 2; failed; n++) {
        fail_alloc heap;
        ltap_memory *memory;
        ltap_error error = {0};
        fail_alloc_init(&heap, n);
        assert_int_equal(ltap_memory_new(&heap.allocator, 0, &memory, NULL), LTAP_OK);
        ltap_status status = use_everything(memory, &error);
        failed = fail_alloc_failed(&heap);
        assert_int_equal(status, failed ? LTAP_ERROR_MEMORY : LTAP_OK);
        assert_int_equal(error.code, status);
        assert_int_equal(ltap_memory_used(memory), 0);
        ltap_memory_unref(memory);
        fail_alloc_check(&heap);
    }
}

static void slabs_hold_blocks_side_by_side_and_count_what_they_touch(void **state)
{
    static const uint64_t sizes[] = {100, 4 << 20, 3 << 20, 1, 70 << 20, 5 << 20};
    enum { N = sizeof sizes / sizeof sizes[0], LIMIT = 300 << 20 };
    char *blocks[N];
    void *block;
    ltap_memory *memory;
    ltap_slabs slabs;
    uint64_t total = 0;
    assert_int_equal(ltap_memory_new(NULL, LIMIT, &memory, NULL), LTAP_OK);
    ltap_slabs_init(&slabs, memory);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(ltap_slabs_take(&slabs, sizes[i], "a block", &block, NULL), LTAP_OK);
        assert_int_equal((uintptr_t)block % LTAP_ALIGNMENT, 0);
        blocks[i] = block;
        memset(block, (int)i + 1, (size_t)sizes[i]);
        total += sizes[i];
        assert_true(ltap_slabs_bytes(&slabs) >= total);
        assert_true(ltap_slabs_bytes(&slabs) <= total + 3 * (uint64_t)LTAP_HUGE_PAGE);
    }
    uint64_t used = ltap_memory_used(memory), told = ltap_slabs_bytes(&slabs);
    assert_int_equal(ltap_slabs_take(&slabs, 5, "a block", &block, NULL), LTAP_OK);
    ltap_slabs_undo(&slabs, block, 5);
    assert_int_equal(ltap_memory_used(memory), used);
    assert_int_equal(ltap_slabs_bytes(&slabs), told);
    assert_int_equal(ltap_slabs_take(&slabs, LIMIT, "a block", &block, NULL), LTAP_ERROR_MEMORY);
    assert_int_equal(ltap_slabs_take(&slabs, UINT64_MAX, "a block", &block, NULL),
                     LTAP_ERROR_MEMORY);
    for (size_t i = 0; i < N; i++)
        for (uint64_t k = 0; k<sizes[i]; k += sizes[i]> 1 ? sizes[i] - 1 : 1)
            assert_int_equal(blocks[i][k], i + 1);
    ltap_slabs_clear(&slabs);
    assert_int_equal(ltap_memory_used(memory), 0);
    ltap_memory_unref(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(used_follows_what_is_taken_and_released),
        cmocka_unit_test(the_limit_is_kept_and_the_refusal_says_what_to_do),
        cmocka_unit_test(a_failing_allocator_is_an_error_that_costs_nothing),
        cmocka_unit_test(an_allocator_needs_both_functions),
        cmocka_unit_test(the_default_limit_is_below_the_machine_s_memory),
        cmocka_unit_test(threads_share_an_account_and_never_pass_the_limit),
        cmocka_unit_test(an_arena_gives_zeroed_aligned_pieces_of_any_size),
        cmocka_unit_test(an_arena_makes_few_chunks_for_many_pieces),
        cmocka_unit_test(an_arena_refuses_sizes_that_overflow),
        cmocka_unit_test(a_vector_keeps_what_was_pushed),
        cmocka_unit_test(text_grows_and_stays_terminated),
        cmocka_unit_test(a_map_finds_every_key_and_no_other),
        cmocka_unit_test(map_keys_are_bytes_with_a_length),
        cmocka_unit_test(maps_have_seeds_of_their_own),
        cmocka_unit_test(slabs_hold_blocks_side_by_side_and_count_what_they_touch),
        cmocka_unit_test(any_failing_allocation_is_an_error_without_a_leak),
    };
    return cmocka_run_group_tests_name("base/memory", tests, NULL, NULL);
}
