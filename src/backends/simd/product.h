/* Products of two computed matrices: attention's, in MatMul and Einsum.
 *
 * Columns of the right side are laid out in a panel, then a few rows at a time go through it. Each
 * sum runs in the order of its terms, so the bits depend on nothing else.
 */
#ifndef LTAP_BACKENDS_SIMD_PRODUCT_H
#define LTAP_BACKENDS_SIMD_PRODUCT_H

#include <stdint.h>

/* Strides are in floats. The result's rows lie side by side. */
typedef struct ltap_simd_product {
    int64_t rows, columns, depth; /* at least 1 each */
    int64_t left_row, left_depth;
    int64_t right_depth, right_column;
} ltap_simd_product;

/* Rows [first, last) of the product that begins at y. */
void ltap_simd_product_rows(const ltap_simd_product *product, const float *left, const float *right,
                            int64_t first, int64_t last, float *y);

#endif
