/* Register tiles and the walk over them: against sums in double, and their bits however the work is
 * cut. Every kind of tiles that this processor can run.
 */
#include "backends/gemm/gemm.h"
#include "backends/gemm/pairs.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_PROBLEMS = 120, SEED = 7 };

typedef struct problem {
    uint64_t random;
    ltap_panels panels;
    int64_t rows, columns, groups, taps, depth, stride; /* columns: of all groups */
    /* left: [rows, taps, groups, depth]; right: [columns, taps, depth] */
    float *left, *right, *bias, *packed;
    bool *out; /* [taps]: nobody looks at it */
} problem;

static int64_t draw(problem *p, int64_t low, int64_t high)
{
    p->random = p->random * 6364136223846793005u + 1442695040888963407u;
    return low + (int64_t)((p->random >> 33) % (uint64_t)(high - low + 1));
}

static float *numbers(problem *p, int64_t count)
{
    float *block = malloc((size_t)count * sizeof(float));

    assert_non_null(block);
    for (int64_t i = 0; i < count; i++)
        block[i] = (float)draw(p, -1000, 1000) / 1000;
    return block;
}

/* From where nothing is aligned; either way of lying. */
static void pack(problem *p)
{
    int64_t count = p->columns * p->taps * p->depth;
    bool turned = draw(p, 0, 1);
    char *odd = malloc((size_t)count * sizeof(float) + 1);
    assert_non_null(odd);
    for (int64_t i = 0; i < count; i++) {
        int64_t row = i % (p->taps * p->depth), column = i / (p->taps * p->depth);
        memcpy(odd + 1 + (turned ? row * p->columns + column : i) * (int64_t)sizeof(float),
               p->right + i, sizeof(float));
    }
    ltap_panels_source source = {.src = odd + 1,
                                 .column = turned ? 1 : p->taps * p->depth,
                                 .tap = p->depth * (turned ? p->columns : 1),
                                 .depth = turned ? p->columns : 1,
                                 .inner = p->depth};
    ltap_panels_fill(&p->panels, &source, 0, p->panels.count, p->packed);
    free(odd);
}

static void make(const ltap_tiles *tiles, uint64_t seed, problem *p)
{
    *p = (problem){.random = seed * 977 + SEED};
    p->rows = draw(p, 1, 40);
    p->groups = draw(p, 0, 1) ? 1 : draw(p, 2, 40);
    int64_t columns = p->groups == 1 ? draw(p, 1, 150) : draw(p, 1, draw(p, 0, 2) ? 9 : 40);
    p->columns = columns * p->groups;
    p->taps = draw(p, 0, 1) ? 1 : draw(p, 1, 9);
    p->depth = draw(p, 0, 3) ? draw(p, 1, 70) : draw(p, 700, 2000);
    if (p->groups > 1)
        p->depth = draw(p, 1, draw(p, 0, 2) ? 9 : 40);
    p->stride = p->columns + draw(p, 0, 5);
    p->panels = (ltap_panels){.tiles = tiles,
                              .taps = p->taps,
                              .depth = p->depth,
                              .columns = columns,
                              .groups = p->groups};
    ltap_panels_cut(&p->panels, (int)draw(p, 1, 3));
    p->left = numbers(p, p->rows * p->taps * p->groups * p->depth);
    p->right = numbers(p, p->columns * p->taps * p->depth);
    p->bias = draw(p, 0, 1) ? numbers(p, p->columns) : NULL;
    p->out = calloc((size_t)p->taps, sizeof(bool));
    p->packed = malloc((size_t)ltap_panels_bytes(&p->panels));
    assert_non_null(p->packed);
    for (int64_t t = 0; t < p->taps; t++)
        p->out[t] = draw(p, 0, 4) == 0;
    pack(p);
}

static void clear(problem *p)
{
    free(p->left);
    free(p->right);
    free(p->bias);
    free(p->packed);
    free(p->out);
}

/* Rows [first, last), all panels, at once. */
static void multiply(const problem *p, int64_t first, int64_t last, float *dst)
{
    const float **pointers = malloc((size_t)((last - first) * p->taps) * sizeof(*pointers));
    ltap_gemm g = {.panels = &p->panels,
                   .packed = p->packed,
                   .last = p->panels.count,
                   .pointers = pointers,
                   .blocks = ltap_blocks_of(&p->panels, last - first),
                   .bias = p->bias,
                   .dst = dst,
                   .stride = p->stride};

    assert_non_null(pointers);
    for (int64_t b = 0; b < g.blocks.count; b++) {
        int64_t begin = ltap_blocks_begin(&g.blocks, b), end = ltap_blocks_begin(&g.blocks, b + 1);
        for (int64_t t = 0; t < p->taps; t++)
            for (int64_t r = begin; r < end; r++)
                pointers[begin * p->taps + t * (end - begin) + r - begin] =
                    p->out[t] ? NULL : p->left + ((first + r) * p->taps + t) * p->groups * p->depth;
    }
    ltap_gemm_run(&g);
    free(pointers);
}

static double expected(const problem *p, int64_t row, int64_t column, double *magnitude)
{
    double sum = p->bias ? (double)p->bias[column] : 0;

    *magnitude = fabs(sum);
    for (int64_t t = 0; t < p->taps; t++) {
        int64_t group = column / p->panels.columns;
        const float *left = p->left + ((row * p->taps + t) * p->groups + group) * p->depth;
        const float *right = p->right + (column * p->taps + t) * p->depth;
        for (int64_t k = 0; k < p->depth && !p->out[t]; k++) {
            sum += (double)left[k] * (double)right[k];
            *magnitude += fabs((double)left[k] * (double)right[k]);
        }
    }
    return sum;
}

static void compare(const problem *p, const float *dst, const char *kind, int seed)
{
    for (int64_t r = 0; r < p->rows; r++) {
        for (int64_t c = 0; c < p->stride; c++) {
            double magnitude, found = (double)dst[r * p->stride + c];
            double wanted = c < p->columns ? expected(p, r, c, &magnitude) : -77;
            double allowed = c < p->columns ? 2e-6 * magnitude + 1e-12 : 0;
            if (!(fabs(found - wanted) <= allowed))
                fail_msg("%s, seed %d: [%d, %d] is %g instead of %g", kind, seed, (int)r, (int)c,
                         found, wanted);
        }
    }
}

static float *fresh(const problem *p)
{
    float *dst = malloc((size_t)(p->rows * p->stride) * sizeof(float));

    assert_non_null(dst);
    for (int64_t i = 0; i < p->rows * p->stride; i++)
        dst[i] = -77;
    return dst;
}

static void check(const ltap_tiles *tiles, int seed)
{
    problem p;

    make(tiles, (uint64_t)seed, &p);
    float *whole = fresh(&p), *cut = fresh(&p);
    multiply(&p, 0, p.rows, whole);
    compare(&p, whole, tiles->name, seed);
    for (int64_t first = 0, last; first < p.rows; first = last) {
        last = first + draw(&p, 1, p.rows - first);
        multiply(&p, first, last, cut + first * p.stride);
    }
    assert_memory_equal(whole, cut, (size_t)(p.rows * p.stride) * sizeof(float));
    free(whole);
    free(cut);
    clear(&p);
}

/* Narrow groups share panels, wide ones do not. */
static void panels_take_in_as_many_groups_as_fit(void **state)
{
    static const struct {
        int64_t groups, depth, columns;
        int part; /* of a vector: so many groups in it; 1: a panel a group */
    } cases[] = {{32, 4, 4, 4}, {32, 2, 4, 4}, {32, 4, 2, 4}, {32, 16, 16, 1}, {2, 1, 1, 1}};

    for (int kind = 0; ltap_tiles_at(kind); kind++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            const ltap_tiles *tiles = ltap_tiles_at(kind);
            ltap_panels panels = {.tiles = tiles,
                                  .taps = 9,
                                  .depth = cases[i].depth,
                                  .columns = cases[i].columns,
                                  .groups = cases[i].groups};
            int64_t fit = cases[i].part == 1 ? 1 : tiles->lanes / cases[i].part;
            ltap_panels_cut(&panels, 1);
            assert_int_equal(panels.together, fit < 1 ? 1 : fit);
            assert_int_equal(panels.count, (cases[i].groups - 1) / panels.together + 1);
        }
    }
}

static void products_are_right_and_their_bits_do_not_depend_on_how_rows_are_cut(void **state)
{
    int kinds = 0;

    for (; ltap_tiles_at(kinds); kinds++)
        for (int seed = 0; seed < N_PROBLEMS; seed++)
            check(ltap_tiles_at(kinds), seed);
    assert_ptr_equal(ltap_tiles_best(), ltap_tiles_at(0));
    assert_string_equal(ltap_tiles_at(kinds - 1)->name, "plain");
}

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void bfloat16_rounds_to_the_nearest_and_ties_to_even(void **state)
{
    static const uint32_t cases[][2] = {
        {0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f818000, 0x3f82}, {0x3f808001, 0x3f81},
        {0xbf80ffff, 0xbf81}, {0x7f7fffff, 0x7f80}, {0xff800000, 0xff80}, {0x7f800001, 0x7fc0},
        {0xffc00000, 0xffc0}, {0x00000000, 0x0000}, {0x80000000, 0x8000}, {0x007fffff, 0x0000},
        {0x807fffff, 0x8000}, {0x00800000, 0x0080}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(ltap_bf16(from_bits(cases[i][0])), cases[i][1]);
}

/* All of a vector at once, or one by one at the end: the same bits, whatever they are. */
static void pairs_are_converted_alike_wherever_they_lie(void **state)
{
    enum { COUNT = 9998 };
    static float from[COUNT], to[COUNT / 2];
    problem p = {.random = SEED};

    for (int i = 0; i < COUNT; i++)
        from[i] = from_bits((uint32_t)draw(&p, 0, 0x7fffffff) << (i % 2));
    if (!ltap_tiles_pairs())
        skip();
    for (int count = 2; count <= COUNT; count += count < 100 ? 2 : 4950) {
        memset(to, 0x55, sizeof to);
        ltap_pairs_convert(from, count, to, 2);
        for (int i = 0; i < count / 2; i++) {
            float pair = ltap_pair(from[2 * i], from[2 * i + 1]);
            if (memcmp(&to[i], &pair, sizeof pair) != 0)
                fail_msg("pair %d of %d: %a and %a", i, count / 2, (double)from[2 * i],
                         (double)from[2 * i + 1]);
        }
        if (count < COUNT)
            assert_int_equal(((const uint8_t *)to)[2 * count], 0x55);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(panels_take_in_as_many_groups_as_fit),
        cmocka_unit_test(bfloat16_rounds_to_the_nearest_and_ties_to_even),
        cmocka_unit_test(pairs_are_converted_alike_wherever_they_lie),
        cmocka_unit_test(products_are_right_and_their_bits_do_not_depend_on_how_rows_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
