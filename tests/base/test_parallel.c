#include "base/parallel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MOST 1000

/* What was called: how often each index, and where ranges began. */
typedef struct record {
    atomic_int touched[MOST];
    atomic_int began[MOST];
    atomic_int n_ranges;
} record;

static void note(void *context, int64_t first, int64_t last)
{
    record *seen = context;
    atomic_fetch_add(&seen->n_ranges, 1);
    atomic_fetch_add(&seen->began[first], 1);
    for (int64_t i = first; i < last; i++)
        atomic_fetch_add(&seen->touched[i], 1);
}

static void ranges_cover_everything_once_and_repeat(void **state)
{
    static const struct {
        int threads;
        int64_t count, grain;
        int most_ranges;
    } rows[] = {
        {1, 100, 1, 1},   {2, 100, 1, 2},    {4, 100, 30, 4}, {4, 100, 50, 2},
        {4, 100, 100, 1}, {4, 100, 101, 1},  {3, 1, 1, 1},    {8, 7, 1, 7},
        {8, 9, 1, 8},     {0, 10, 1, 1},     {-5, 10, 0, 1},  {300, 1000, 1, 256},
        {7, 1000, 13, 7}, {2, 1000, 999, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        record a = {0}, b = {0};
        ltap_parallel_for(rows[i].threads, rows[i].count, rows[i].grain, note, &a);
        ltap_parallel_for(rows[i].threads, rows[i].count, rows[i].grain, note, &b);
        assert_in_range(a.n_ranges, 1, rows[i].most_ranges);
        for (int64_t k = 0; k < MOST; k++) {
            assert_int_equal(a.touched[k], k < rows[i].count);
            assert_int_equal(a.began[k], b.began[k]);
            if (a.began[k] && rows[i].grain > 0)
                assert_int_equal(k % rows[i].grain, 0);
        }
    }
}

static void nothing_to_do_calls_nothing(void **state)
{
    record seen = {0};
    ltap_parallel_for(4, 0, 1, note, &seen);
    ltap_parallel_for(4, -3, 1, note, &seen);
    assert_int_equal(seen.n_ranges, 0);
}

static void nest(void *context, int64_t first, int64_t last)
{
    for (int64_t i = first; i < last; i++)
        ltap_parallel_for(2, MOST, 1, note, context);
}

static void loops_may_be_nested(void **state)
{
    static record seen;
    memset(&seen, 0, sizeof seen);
    ltap_parallel_for(3, 5, 1, nest, &seen);
    for (int k = 0; k < MOST; k++)
        assert_int_equal(seen.touched[k], 5);
}

static void there_is_a_processor(void **state)
{
    assert_in_range(ltap_parallel_processors(), 1, 1 << 20);
}

/* The tests before this one, on a pool: of more threads than there are processors, too. */
static void loops_run_on_a_pool(void **state)
{
    for (int threads = 1; threads <= 9; threads += 2) {
        ltap_memory *memory;
        ltap_pool *pool;
        assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
        assert_int_equal(ltap_pool_new(memory, threads, &pool, NULL), LTAP_OK);
        ltap_pool *before = ltap_parallel_enter(pool);
        assert_null(before);
        ranges_cover_everything_once_and_repeat(state);
        nothing_to_do_calls_nothing(state);
        loops_may_be_nested(state);
        assert_ptr_equal(ltap_parallel_enter(before), pool);
        ltap_pool_free(pool);
        ltap_memory_unref(memory);
    }
}

/* Short loops, one after the other, with threads awake and asleep. */
static void many_loops_in_a_row_lose_nothing(void **state)
{
    static record seen;
    ltap_memory *memory;
    ltap_pool *pool;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    assert_int_equal(ltap_pool_new(memory, 4, &pool, NULL), LTAP_OK);
    ltap_parallel_enter(pool);
    for (int round = 0; round < 3000; round++) {
        memset(&seen, 0, sizeof seen);
        int count = 1 + round % 7;
        ltap_parallel_for(count, count, 1, note, &seen);
        for (int k = 0; k < count; k++)
            assert_int_equal(seen.touched[k], 1);
        if (round % 1000 == 0)
            usleep(2000);
    }
    ltap_parallel_enter(NULL);
    ltap_pool_free(pool);
    ltap_memory_unref(memory);
}

/* A child has the pool's memory, but not its threads. */
static void a_forked_child_does_its_loops_too(void **state)
{
    static record seen;
    ltap_memory *memory;
    ltap_pool *pool;
    int status = -1;
    assert_int_equal(ltap_memory_new(NULL, 0, &memory, NULL), LTAP_OK);
    assert_int_equal(ltap_pool_new(memory, 3, &pool, NULL), LTAP_OK);
    pid_t child = fork();
    if (child == 0) {
        ltap_parallel_enter(pool);
        ltap_parallel_for(3, 30, 1, note, &seen);
        ltap_parallel_enter(NULL);
        ltap_pool_free(pool);
        int wrong = 0;
        for (int k = 0; k < 30; k++)
            wrong += seen.touched[k] != 1;
        _exit(wrong ? 1 : 0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    ltap_pool_free(pool);
    ltap_memory_unref(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_cover_everything_once_and_repeat),
        cmocka_unit_test(nothing_to_do_calls_nothing),
        cmocka_unit_test(loops_may_be_nested),
        cmocka_unit_test(there_is_a_processor),
        cmocka_unit_test(loops_run_on_a_pool),
        cmocka_unit_test(many_loops_in_a_row_lose_nothing),
        cmocka_unit_test(a_forked_child_does_its_loops_too),
    };
    return cmocka_run_group_tests_name("base/parallel", tests, NULL, NULL);
}
