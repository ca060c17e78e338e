/* Reductions: numbers worked out by hand, the same bits whichever way a value lies, shapes and
 * chains that are refused in words.
 */
#include "backends/layout.h"
#include "plan/reduce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a chain makes of a tensor that lies in a layout. */
static ltap_tensor make_from(ltap_reduce reduce, const ltap_tensor *in, ltap_layout layout,
                             int64_t step, void *dst, int threads)
{
    ltap_tensor out;
    ltap_error error = {0};
    if (ltap_reduce_shape(&reduce, in, &out, &error) != LTAP_OK)
        fail_msg("%s", error.message);
    ltap_seen seen = ltap_reduce_see(in, layout, step);
    uint64_t bytes = ltap_reduce_scratch(&reduce, &seen);
    char *scratch = malloc((size_t)bytes + 64);
    memset(scratch + bytes, 0x5a, 64);
    ltap_reduce_run(&reduce, &seen, dst, scratch, threads);
    for (int i = 0; i < 64; i++)
        assert_int_equal(scratch[bytes + (uint64_t)i], 0x5a);
    free(scratch);
    out.data = dst;
    return out;
}

static ltap_tensor make(const char *chain, const ltap_tensor *in, ltap_layout layout, int64_t step,
                        void *dst, int threads)
{
    ltap_reduce reduce;
    assert_int_equal(ltap_reduce_read(chain, &reduce, NULL), LTAP_OK);
    return make_from(reduce, in, layout, step, dst, threads);
}

typedef struct by_hand {
    const char *chain;
    int rank;
    int64_t dims[4];
    float in[12];
    int out_rank;
    int64_t out_dims[4];
    double out[12]; /* float32, or the type that the chain ends in */
} by_hand;

static void each_gives_what_a_hand_gives(void **state)
{
    static const by_hand rows[] = {
        {"gap", 4, {1, 2, 1, 3}, {1, 2, 6, -1, 0, 4}, 2, {1, 2}, {3, 1}},
        {"max", 4, {1, 2, 1, 3}, {1, 2, 6, -1, -5, -4}, 2, {1, 2}, {6, -1}},
        {"max", 3, {1, 2, 2}, {1, NAN, NAN, 2}, 2, {1, 2}, {NAN, NAN}},
        {"gap", 3, {2, 1, 2}, {1, 2, 3, INFINITY}, 2, {2, 1}, {1.5, INFINITY}},
        {"flatten", 4, {2, 1, 2, 1}, {1, 2, 3, 4}, 2, {2, 2}, {1, 2, 3, 4}},
        {"cls", 3, {2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}, 2, {2, 2}, {1, 2, 5, 6}},
        {"l2", 2, {2, 2}, {3, 4, 0, 0}, 2, {2, 2}, {0.6f, 0.8f, 0, 0}},
        {"l2", 4, {1, 2, 1, 2}, {3, 0, 4, -2}, 4, {1, 2, 1, 2}, {0.6f, 0, 0.8f, -1}},
        {"topk:2", 2, {2, 3}, {1, 3, 2, -1, -1, -7}, 2, {2, 2}, {3, 2, -1, -1}},
        {"topk-indices:2", 2, {2, 3}, {1, 3, 2, -1, -1, -7}, 2, {2, 2}, {1, 2, 0, 1}},
        {"topk-indices:3", 1, {4}, {1, NAN, INFINITY, NAN}, 1, {3}, {1, 3, 2}},
        {"topk:1", 4, {1, 2, 2, 2}, {1, 2, 4, 3, 8, 7, 5, 6}, 4, {1, 2, 2, 1}, {2, 4, 8, 6}},
        {"half", 1, {4}, {0, 65519, 65520, -0.1f}, 1, {4}, {0, 65504, INFINITY, -0.0999755859375}},
        {"gap@topk:1", 3, {1, 3, 2}, {1, 1, 2, 4, 0, 0}, 2, {1, 1}, {3}},
        {"flatten@l2@half", 3, {1, 2, 1}, {3, 4}, 2, {1, 2}, {0.60009765625, 0.7998046875}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const by_hand *row = &rows[i];
        double dst[12] = {0};
        ltap_tensor in =
            ltap_tensor_make(LTAP_FLOAT32, row->rank, row->dims, (void *)(uintptr_t)row->in);
        ltap_tensor out = make(row->chain, &in, LTAP_LAYOUT_PLAIN, 0, dst, 2);
        assert_int_equal(out.rank, row->out_rank);
        assert_memory_equal(out.dims, row->out_dims, (size_t)out.rank * sizeof(int64_t));
        for (uint64_t k = 0; k < ltap_tensor_count(&out); k++) {
            double got = ltap_tensor_double(&out, k), want = row->out[k];
            if (got != want && !(isnan(got) && isnan(want)))
                fail_msg("%s: element %d is %.9g, by hand %.9g", row->chain, (int)k, got, want);
        }
    }
}

/* Plain, channels last, and channels last among others' channels; one thread and two. */
static void layouts_and_threads_change_no_bit(void **state)
{
    static const char *const chains[] = {
        "gap",    "max",       "flatten",      "l2",     "half",          "gap@l2@half",
        "topk:3", "l2@topk:2", "flatten@half", "l2@gap", "topk-indices:3"};
    enum { N = 3, C = 301, H = 5, W = 7, STEP = 310, COUNT = N * C * H * W };
    static float plain[COUNT], last[COUNT], apart[N * H * W * STEP];
    static char want[COUNT * 4], got[COUNT * 4];
    ltap_tensor in = ltap_tensor_make(LTAP_FLOAT32, 4, (const int64_t[]){N, C, H, W}, plain);
    uint32_t seed = 1;
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        seed = seed * 1664525u + 1013904223u;
        plain[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
    }
    ltap_layout_side from = {plain, LTAP_LAYOUT_PLAIN, 0};
    ltap_layout_convert(&in, &from, &(ltap_layout_side){last, LTAP_LAYOUT_CHANNELS_LAST, 0}, 1);
    ltap_layout_convert(&in, &from, &(ltap_layout_side){apart, LTAP_LAYOUT_CHANNELS_LAST, STEP}, 1);
    for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
        in.data = plain;
        ltap_tensor out = make(chains[i], &in, LTAP_LAYOUT_PLAIN, 0, want, 1);
        for (int way = 0; way < 4; way++) {
            bool is_last = way != 3;
            memset(got, 0xff, sizeof(got));
            in.data = way == 3 ? plain : way == 2 ? apart : last;
            make(chains[i], &in, is_last ? LTAP_LAYOUT_CHANNELS_LAST : LTAP_LAYOUT_PLAIN,
                 way == 2 ? STEP : 0, got, way ? 2 : 1);
            if (memcmp(got, want, (size_t)ltap_tensor_bytes(&out)) != 0)
                fail_msg("%s has other bits, way %d", chains[i], way);
        }
    }
}

/* What a model gives with channels last, kept so and turned: [1,2,3,2] of channels 0..5, 10..15. */
static void channels_that_are_last_are_channels(void **state)
{
    static const struct {
        const char *chain;
        bool second;
        int rank, channels;
        int64_t dims[4];
        double first, last;
    } rows[] = {
        {"", true, 4, 1, {1, 2, 2, 3}, 0, 15},
        {"gap", false, 2, 1, {1, 2}, 2.5, 12.5},
        {"gap", true, 2, 1, {1, 2}, 2.5, 12.5},
        {"max", false, 2, 1, {1, 2}, 5, 15},
        {"flatten", false, 2, 1, {1, 12}, 0, 15},
        {"flatten", true, 2, 1, {1, 12}, 0, 15},
        {"half", false, 4, 3, {1, 2, 3, 2}, 0, 15},
        {"half", true, 4, 1, {1, 2, 2, 3}, 0, 15},
        {"topk:1", false, 4, 3, {1, 2, 3, 1}, 10, 15},
        {"topk:1", true, 4, 1, {1, 2, 2, 1}, 2, 15},
        {"l2@half@half", false, 4, 3, {1, 2, 3, 2}, 0, 0.94873046875},
        {"l2@topk:2@half", true, 4, 1, {1, 2, 2, 2}, 0.1644287109375, 0.96142578125},
        {"max@l2@half", false, 2, 1, {1, 2}, 0.316162109375, 0.94873046875},
    };
    static const int64_t dims[] = {1, 2, 3, 2};
    float data[] = {0, 10, 1, 11, 2, 12, 3, 13, 4, 14, 5, 15};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        double dst[12] = {0};
        ltap_reduce reduce;
        const ltap_tensor in = ltap_tensor_make(LTAP_FLOAT32, 4, dims, data);
        assert_int_equal(ltap_reduce_read(rows[i].chain, &reduce, NULL), LTAP_OK);
        reduce.last = true;
        reduce.second = rows[i].second;
        ltap_tensor out = make_from(reduce, &in, LTAP_LAYOUT_PLAIN, 0, dst, 2);
        assert_int_equal(out.rank, rows[i].rank);
        assert_memory_equal(out.dims, rows[i].dims, (size_t)out.rank * sizeof(int64_t));
        assert_int_equal(ltap_reduce_channels(&reduce, 4, out.rank), rows[i].channels);
        double first = ltap_tensor_double(&out, 0);
        double last = ltap_tensor_double(&out, ltap_tensor_count(&out) - 1);
        if (first != rows[i].first || last != rows[i].last)
            fail_msg("%s gives %.12g ... %.12g", rows[i].chain, first, last);
    }
}

/* All of a long row in order: the heap against sorting. */
static void topk_of_everything_sorts(void **state)
{
    enum { COUNT = 1000 };
    static float in[COUNT], values[COUNT];
    static int64_t places[COUNT];
    ltap_tensor tensor = ltap_tensor_make(LTAP_FLOAT32, 1, (const int64_t[]){COUNT}, in);
    uint32_t seed = 7;
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        seed = seed * 1664525u + 1013904223u;
        in[i] = (float)(seed >> 24); /* many are equal */
    }
    make("topk:1000", &tensor, LTAP_LAYOUT_PLAIN, 0, values, 1);
    make("topk-indices:1000", &tensor, LTAP_LAYOUT_PLAIN, 0, places, 1);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(values[i] == in[places[i]]);
        if (i > 0)
            assert_true(values[i - 1] > values[i] ||
                        (values[i - 1] == values[i] && places[i - 1] < places[i]));
    }
}

typedef struct refusal {
    const char *chain;
    ltap_dtype dtype;
    int rank;
    int64_t dims[4];
    const char *says;
} refusal;

static void what_makes_no_sense_is_refused_in_words(void **state)
{
    static const refusal rows[] = {
        {"mean", LTAP_FLOAT32, 4, {1, 2, 3, 4}, "no reduction '@mean'; there are @gap"},
        {"gap@", LTAP_FLOAT32, 4, {1, 2, 3, 4}, "no reduction '@'"},
        {"gap@@l2", LTAP_FLOAT32, 4, {1, 2, 3, 4}, "no reduction '@'"},
        {"topk", LTAP_FLOAT32, 2, {1, 2}, "'@topk': it wants how many"},
        {"topk:0", LTAP_FLOAT32, 2, {1, 2}, "'@topk:0': it wants how many"},
        {"topk:-1", LTAP_FLOAT32, 2, {1, 2}, "it wants how many"},
        {"topk:9999999999", LTAP_FLOAT32, 2, {1, 2}, "it wants how many"},
        {"gap:2", LTAP_FLOAT32, 4, {1, 2, 3, 4}, "'@gap:2': it wants no number"},
        {"topk:2@topk:1", LTAP_FLOAT32, 2, {1, 2}, "@topk twice"},
        {"l2@l2@l2@l2@l2@l2@l2@l2@l2", LTAP_FLOAT32, 2, {1, 2}, "more than 8 reductions"},
        {"gap", LTAP_FLOAT32, 2, {1, 2}, "'here' is float32[1,2]; @gap in '@gap' wants a map"},
        {"gap@gap", LTAP_FLOAT32, 4, {1, 2, 3, 4}, "float32[1,2] after what comes before"},
        {"max", LTAP_FLOAT32, 4, {1, 2, 0, 4}, "wants a map of floats"},
        {"gap", LTAP_INT64, 4, {1, 2, 3, 4}, "'here' is int64[1,2,3,4]"},
        {"gap", LTAP_FLOAT32, 4, {1, 2, -1, 4}, "known in a run only"},
        {"cls", LTAP_FLOAT32, 4, {1, 2, 3, 4}, "wants tokens, [N,T,D]"},
        {"cls", LTAP_FLOAT32, 3, {1, 0, 3}, "wants tokens, [N,T,D]"},
        {"l2", LTAP_FLOAT32, 1, {4}, "wants floats with two axes"},
        {"flatten", LTAP_FLOAT32, 0, {0}, "wants two axes or more"},
        {"topk:5", LTAP_FLOAT32, 2, {1, 4}, "as many or more along the last axis"},
        {"topk:1", LTAP_FLOAT32, 0, {0}, "as many or more along the last axis"},
        {"half", LTAP_INT32, 1, {4}, "wants floats"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ltap_tensor in = {.dtype = rows[i].dtype, .rank = rows[i].rank}, out;
        ltap_reduce reduce;
        ltap_error error = {0};
        memcpy(in.dims, rows[i].dims, sizeof(rows[i].dims));
        ltap_status status = ltap_reduce_read(rows[i].chain, &reduce, &error);
        reduce.layer = "here";
        if (status == LTAP_OK)
            status = ltap_reduce_shape(&reduce, &in, &out, &error);
        assert_int_equal(status, LTAP_ERROR_ARGUMENT);
        if (!strstr(error.message, rows[i].says))
            fail_msg("'%s' does not say '%s'", error.message, rows[i].says);
    }
}

static void other_types_are_read_and_rounded_once(void **state)
{
    const double wide[] = {1.0 + 0x1p-11 + 0x1p-40, 0.1}; /* just past a tie of float16 */
    uint16_t half[2], mean[1];
    const int64_t ids[] = {5, 6, 7, 8};
    int64_t first[2];
    ltap_tensor in =
        ltap_tensor_make(LTAP_FLOAT64, 1, (const int64_t[]){2}, (void *)(uintptr_t)wide);
    (void)state;
    make("half", &in, LTAP_LAYOUT_PLAIN, 0, half, 1);
    assert_int_equal(half[0], 0x3c01);
    assert_int_equal(half[1], 0x2e66);
    in = ltap_tensor_make(LTAP_FLOAT16, 3, (const int64_t[]){1, 1, 2}, half);
    ltap_tensor out = make("gap", &in, LTAP_LAYOUT_PLAIN, 0, mean, 1);
    assert_int_equal(out.dtype, LTAP_FLOAT16);
    assert_int_equal(mean[0], 0x3867); /* (1.0009765625 + 0.0999755859375) / 2 */
    in = ltap_tensor_make(LTAP_INT64, 3, (const int64_t[]){1, 2, 2}, (void *)(uintptr_t)ids);
    make("cls", &in, LTAP_LAYOUT_PLAIN, 0, first, 1);
    assert_true(first[0] == 5 && first[1] == 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_gives_what_a_hand_gives),
        cmocka_unit_test(channels_that_are_last_are_channels),
        cmocka_unit_test(layouts_and_threads_change_no_bit),
        cmocka_unit_test(topk_of_everything_sorts),
        cmocka_unit_test(what_makes_no_sense_is_refused_in_words),
        cmocka_unit_test(other_types_are_read_and_rounded_once),
    };
    return cmocka_run_group_tests_name("plan/reduce", tests, NULL, NULL);
}
