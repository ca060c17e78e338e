/* The kernel of product.h: panels of 32 columns and 256 terms, blocks of up to eight rows. */
#include "backends/simd/product.h"

#include "backends/simd/transpose.h"
#include "backends/simd/vector.h"

#include <stdbool.h>
#include <string.h>

LTAP_VECTOR_CONTRACT

enum {
    LANES = 16,
    WIDTH = 2 * LANES,
    HEIGHT = 8,
    LOW = 4,
    DEPTH = 256,
    TILE = LTAP_TRANSPOSE_TILE
};

typedef float vector __attribute__((vector_size(LANES * sizeof(float)), aligned(4)));

/* Columns [column, column + width) of terms [k, k + depth). */
typedef struct panel {
    int64_t column, width, k, depth;
    float data[DEPTH * WIDTH];
} panel;

/* What lies side by side in the right side are a column's terms. */
static void fill_turned(const ltap_simd_product *p, const float *src, panel *b)
{
    int64_t c = 0, whole = b->depth / TILE * TILE;

    for (; c + TILE <= b->width; c += TILE)
        for (int64_t k = 0; k < whole; k += TILE)
            ltap_transpose_tile(src + c * p->right_column + k, p->right_column,
                                b->data + k * WIDTH + c, WIDTH);
    for (int64_t i = 0; i < b->width; i++)
        for (int64_t k = i < c ? whole : 0; k < b->depth; k++)
            b->data[k * WIDTH + i] = src[i * p->right_column + k];
}

static void fill_panel(const ltap_simd_product *p, const float *right, panel *b)
{
    const float *src = right + b->k * p->right_depth + b->column * p->right_column;
    float *dst = b->data;

    if (b->width < WIDTH)
        memset(dst, 0, (size_t)b->depth * WIDTH * sizeof(float));
    if (p->right_depth == 1 && p->right_column != 1) {
        fill_turned(p, src, b);
        return;
    }
    for (int64_t k = 0; k < b->depth; k++, dst += WIDTH, src += p->right_depth) {
        if (p->right_column == 1 && b->width == WIDTH)
            memcpy(dst, src, WIDTH * sizeof(float));
        else
            for (int64_t i = 0; i < b->width; i++)
                dst[i] = src[i * p->right_column];
    }
}

/* Rows of the left side, and where their sums go. */
typedef struct lines {
    const float *rows[HEIGHT];
    float *to[HEIGHT];
} lines;

/* `height` rows times `lanes` vectors of columns, in registers. */
LTAP_VECTOR_INLINE void multiply_block(int height, int lanes, const lines *l, const float *right,
                                       int64_t depth)
{
    vector sums[HEIGHT][2];

#pragma GCC unroll 8
    for (int r = 0; r < height; r++)
#pragma GCC unroll 2
        for (int i = 0; i < lanes; i++)
            sums[r][i] = (vector){0};
    for (int64_t k = 0; k < depth; k++, right += WIDTH) {
#pragma GCC unroll 8
        for (int r = 0; r < height; r++)
#pragma GCC unroll 2
            for (int i = 0; i < lanes; i++)
                sums[r][i] += l->rows[r][k] * *(const vector *)(right + i * LANES);
    }
#pragma GCC unroll 8
    for (int r = 0; r < height; r++)
#pragma GCC unroll 2
        for (int i = 0; i < lanes; i++)
            *(vector *)(l->to[r] + i * LANES) = sums[r][i];
}

#define CASE(height)                                                                               \
    case height:                                                                                   \
        multiply_block(height, 2, l, right, depth);                                                \
        return;
#define LOW_CASE(height)                                                                           \
    case height:                                                                                   \
        multiply_block(height, 1, l, right, depth);                                                \
        return;

/* For processors with thirty-two registers of sixteen floats. */
LTAP_VECTOR_FOR("avx512f", "default")
static void multiply_tall(int64_t height, const lines *l, const float *right, int64_t depth)
{
    switch (height) {
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
        CASE(5)
        CASE(6)
        CASE(7)
        CASE(8)
    }
}

/* For the others: sixteen columns, up to LOW rows. */
LTAP_VECTOR_CLONES
static void multiply_low(int64_t height, const lines *l, const float *right, int64_t depth)
{
    switch (height) {
        LOW_CASE(1)
        LOW_CASE(2)
        LOW_CASE(3)
        LOW_CASE(4)
    }
}

static bool is_tall(void)
{
#if defined(LTAP_VECTOR_CLONED) && LTAP_PROCESSOR_MOST >= LTAP_PROCESSOR_AVX512
    return __builtin_cpu_supports("avx512f");
#else
    return false;
#endif
}

static void multiply_rows(int64_t height, const lines *l, const panel *b)
{
    if (is_tall()) {
        multiply_tall(height, l, b->data, b->depth);
        return;
    }
    for (int64_t r = 0; r < height; r += LOW) {
        int64_t part = height - r < LOW ? height - r : LOW;
        lines few;
        for (int64_t i = 0; i < part; i++) {
            few.rows[i] = l->rows[r + i];
            few.to[i] = l->to[r + i];
        }
        multiply_low(part, &few, b->data, b->depth);
        for (int64_t i = 0; i < part; i++)
            few.to[i] += LANES;
        if (b->width > LANES)
            multiply_low(part, &few, b->data + LANES, b->depth);
    }
}

/* A block's sums go straight to their places where they fill a whole panel of first terms. */
static void finish_block(const ltap_simd_product *p, const panel *b, int64_t height,
                         const float *block, float *dst)
{
    for (int64_t r = 0; r < height; r++, block += WIDTH, dst += p->columns) {
        if (b->k == 0)
            memcpy(dst, block, (size_t)b->width * sizeof(float));
        else
            for (int64_t i = 0; i < b->width; i++)
                dst[i] += block[i];
    }
}

/* Terms [k, k + depth) of a row of the left side, side by side. */
static const float *find_row(const ltap_simd_product *p, const float *row, const panel *b,
                             float *desk)
{
    row += b->k * p->left_depth;
    if (p->left_depth == 1)
        return row;
    for (int64_t k = 0; k < b->depth; k++)
        desk[k] = row[k * p->left_depth];
    return desk;
}

/* Blocks are as even as can be: 49 rows are seven times seven. */
static void multiply_panel(const ltap_simd_product *p, const float *left, int64_t n_rows,
                           const panel *b, float *y)
{
    int64_t blocks = (n_rows + HEIGHT - 1) / HEIGHT, most = (n_rows + blocks - 1) / blocks;
    bool straight = b->width == WIDTH && b->k == 0;
    float block[HEIGHT * WIDTH], desks[HEIGHT][DEPTH];
    lines l;

    for (int64_t row = 0; row < n_rows; row += most) {
        int64_t height = n_rows - row < most ? n_rows - row : most;
        float *dst = y + row * p->columns + b->column;
        for (int64_t r = 0; r < height; r++) {
            l.rows[r] = find_row(p, left + (row + r) * p->left_row, b, desks[r]);
            l.to[r] = straight ? dst + r * p->columns : block + r * WIDTH;
        }
        multiply_rows(height, &l, b);
        if (!straight)
            finish_block(p, b, height, block, dst);
    }
}

void ltap_simd_product_rows(const ltap_simd_product *p, const float *left, const float *right,
                            int64_t first, int64_t last, float *y)
{
    panel b;

    left += first * p->left_row;
    y += first * p->columns;
    for (b.column = 0; b.column < p->columns; b.column += WIDTH) {
        int64_t columns = p->columns - b.column;
        b.width = columns < WIDTH ? columns : WIDTH;
        for (b.k = 0; b.k < p->depth; b.k += DEPTH) {
            b.depth = p->depth - b.k < DEPTH ? p->depth - b.k : DEPTH;
            fill_panel(p, right, &b);
            multiply_panel(p, left, last - first, &b, y);
        }
    }
}
