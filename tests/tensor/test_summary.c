/* Summaries against plain arithmetic; in any order and any pieces. */
#include "support/fail_alloc.h"

#include <layertap/summary.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

enum { N = 2, C = 5, H = 6, W = 7, COUNT = N * C * H * W };

static float numbers[COUNT];

static void fill(void)
{
    uint32_t seed = 3;
    for (int i = 0; i < COUNT; i++) {
        int channel = i / (H * W) % C;
        seed = seed * 1664525u + 1013904223u;
        numbers[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
        numbers[i] = channel == 2 ? 0 : channel == 3 && numbers[i] < 0 ? 0 : numbers[i] * 100;
    }
}

static ltap_facts summarise(const ltap_tensor *tensors, const int *order, size_t n)
{
    ltap_summary *summary;
    ltap_facts facts;
    assert_int_equal(ltap_summary_new(NULL, &summary, NULL), LTAP_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(ltap_summary_add(summary, &tensors[order[i]], NULL), LTAP_OK);
    ltap_summary_get(summary, &facts);
    ltap_summary_free(summary);
    return facts;
}

static void facts_are_those_of_plain_arithmetic(void **state)
{
    const ltap_tensor tensor = {LTAP_FLOAT32, 4, {N, C, H, W}, numbers};
    double sum = 0, squares = 0, min = INFINITY, max = -INFINITY;
    uint64_t zeros = 0, bins[LTAP_SUMMARY_BINS] = {0};
    (void)state;
    fill();
    ltap_facts facts = summarise(&tensor, (const int[]){0}, 1);
    for (int i = 0; i < COUNT; i++) {
        sum += (double)numbers[i];
        zeros += numbers[i] == 0;
        min = fmin(min, (double)numbers[i]);
        max = fmax(max, (double)numbers[i]);
        size_t bin = (size_t)floor(((double)numbers[i] - facts.first) / facts.width);
        assert_true(bin < facts.n_bins);
        bins[bin]++;
    }
    for (int i = 0; i < COUNT; i++)
        squares += pow((double)numbers[i] - sum / COUNT, 2);
    assert_int_equal(facts.count, COUNT);
    assert_int_equal(facts.n_zero, zeros);
    assert_true(facts.min == min && facts.max == max);
    assert_true(fabs(facts.mean - sum / COUNT) < 1e-9);
    assert_true(fabs(facts.std - sqrt(squares / COUNT)) < 1e-9);
    assert_int_equal(facts.n_channels, C);
    assert_int_equal(facts.n_dead, 1);
    assert_int_equal(facts.n_probes, N * H * W);
    assert_memory_equal(bins, facts.bins, sizeof(bins));
    assert_true(facts.width == 4 && facts.n_bins > 32);
}

static void pieces_in_any_order_give_the_same_counts(void **state)
{
    static float more[] = {1e6f, -3, 1e-30f, 0}, tiny[] = {1e-30f, 2e-30f};
    const ltap_tensor tensors[] = {{LTAP_FLOAT32, 4, {1, C, H, W}, numbers},
                                   {LTAP_FLOAT32, 4, {1, C, H, W}, numbers + COUNT / 2},
                                   {LTAP_FLOAT32, 1, {4}, more},
                                   {LTAP_FLOAT32, 1, {2}, tiny}};
    static const int orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 3, 0, 1}, {1, 3, 0, 2}};
    (void)state;
    fill();
    ltap_facts first = summarise(tensors, orders[0], 4);
    for (size_t i = 1; i < 4; i++) {
        ltap_facts facts = summarise(tensors, orders[i], 4);
        assert_int_equal(facts.count, first.count);
        assert_int_equal(facts.n_zero, first.n_zero);
        assert_true(facts.min == first.min && facts.max == first.max);
        assert_true(fabs(facts.std / first.std - 1) < 1e-12);
        assert_true(facts.first == first.first && facts.width == first.width);
        assert_int_equal(facts.n_bins, first.n_bins);
        assert_memory_equal(facts.bins, first.bins, sizeof(facts.bins));
        assert_int_equal(facts.n_channels, 0); /* some have none */
    }
}

static void what_is_no_number_is_counted_apart(void **state)
{
    static float strange[] = {NAN, INFINITY, -INFINITY, NAN, 2, -0.0f};
    static float nothing[] = {NAN};
    static const int64_t whole[] = {-1, 5, 5, 0};
    const ltap_tensor tensors[] = {{LTAP_FLOAT32, 1, {6}, strange},
                                   {LTAP_FLOAT32, 1, {1}, nothing},
                                   {LTAP_FLOAT32, 2, {0, 3}, strange},
                                   {LTAP_INT64, 2, {2, 2}, (void *)whole}};
    (void)state;
    ltap_facts facts = summarise(tensors, (const int[]){0}, 1);
    assert_true(facts.n_nan == 2 && facts.n_inf == 2 && facts.n_zero == 1 && facts.count == 6);
    assert_true(facts.mean == 1 && facts.std == 1 && facts.min == 0 && facts.max == 2);
    facts = summarise(tensors, (const int[]){1}, 1);
    assert_true(facts.n_nan == 1 && isnan(facts.mean) && isnan(facts.std) && isnan(facts.min));
    assert_int_equal(facts.n_bins, 0);
    facts = summarise(tensors, (const int[]){2}, 1);
    assert_int_equal(facts.count, 0);
    facts = summarise(tensors, (const int[]){3}, 1);
    assert_true(facts.min == -1 && facts.max == 5 && facts.n_channels == 2 && facts.n_dead == 0);
    assert_int_equal(facts.n_probes, 2);
}

static void of_three_axes_the_last_has_the_channels(void **state)
{
    static float tokens[2 * 3 * 4];
    const ltap_tensor tensor = {LTAP_FLOAT32, 3, {2, 3, 4}, tokens};
    (void)state;
    for (int i = 0; i < 24; i++)
        tokens[i] = i % 4 == 1 ? 0 : 1;
    ltap_facts facts = summarise(&tensor, (const int[]){0}, 1);
    assert_true(facts.n_channels == 4 && facts.n_dead == 1 && facts.n_probes == 6);
}

static void channels_lie_where_it_is_said(void **state)
{
    static float map[2 * 2 * 3 * 5];
    const ltap_tensor tensor = {LTAP_FLOAT32, 4, {2, 2, 3, 5}, map};
    ltap_summary *summary;
    ltap_facts facts;
    (void)state;
    for (int i = 0; i < 60; i++)
        map[i] = i % 5 == 1 ? 0 : 1;
    assert_int_equal(ltap_summary_new(NULL, &summary, NULL), LTAP_OK);
    ltap_summary_channels(summary, 4);
    assert_int_equal(ltap_summary_add(summary, &tensor, NULL), LTAP_ERROR_ARGUMENT);
    ltap_summary_channels(summary, -1);
    assert_int_equal(ltap_summary_add(summary, &tensor, NULL), LTAP_OK);
    ltap_summary_get(summary, &facts);
    assert_true(facts.n_channels == 5 && facts.n_dead == 1 && facts.n_probes == 12);
    ltap_summary_free(summary);
}

static void every_allocation_may_fail_and_texts_are_refused(void **state)
{
    static float one[] = {1, 2};
    const ltap_tensor tensor = {LTAP_FLOAT32, 2, {1, 2}, one};
    const ltap_tensor text = {LTAP_STRING, 1, {1}, one};
    (void)state;
    for (size_t n = 1;; n++) {
        ltap_summary *summary = NULL;
        fail_alloc heap;
        fail_alloc_init(&heap, n);
        ltap_status status = ltap_summary_new(&heap.allocator, &summary, NULL);
        if (status == LTAP_OK)
            status = ltap_summary_add(summary, &tensor, NULL);
        if (status == LTAP_OK)
            assert_int_equal(ltap_summary_add(summary, &text, NULL), LTAP_ERROR_UNSUPPORTED);
        ltap_summary_free(summary);
        fail_alloc_check(&heap);
        if (!fail_alloc_failed(&heap)) {
            assert_int_equal(status, LTAP_OK);
            break;
        }
        assert_int_equal(status, LTAP_ERROR_MEMORY);
    }
    assert_int_equal(ltap_summary_new(NULL, NULL, NULL), LTAP_ERROR_ARGUMENT);
    assert_int_equal(ltap_summary_add(NULL, &tensor, NULL), LTAP_ERROR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_are_those_of_plain_arithmetic),
        cmocka_unit_test(pieces_in_any_order_give_the_same_counts),
        cmocka_unit_test(what_is_no_number_is_counted_apart),
        cmocka_unit_test(of_three_axes_the_last_has_the_channels),
        cmocka_unit_test(channels_lie_where_it_is_said),
        cmocka_unit_test(every_allocation_may_fail_and_texts_are_refused),
    };
    return cmocka_run_group_tests_name("summary", tests, NULL, NULL);
}
