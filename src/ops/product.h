/* Matrix products in double: what MatMul, Gemm and attention share. */
#ifndef LTAP_OPS_PRODUCT_H
#define LTAP_OPS_PRODUCT_H

#include "ops/number.h"

/* y[i,j] = alpha * sum over l of a[i,l] * b[l,j], then + beta * c[i,j]. Offsets and strides are in
 * elements; all four of the type of number. */
typedef struct ltap_product {
    const ltap_number *number;
    const void *a, *b, *c; /* c: NULL where there is none */
    void *y;
    int64_t m, n, k;
    int64_t a_row, a_column, b_row, b_column, c_row, c_column, y_row; /* strides; y is dense in j */
    double alpha, beta;
} ltap_product;

/* Tasks of one product: blocks of rows. Each output's sum has one fixed order. */
int64_t ltap_product_tasks(const ltap_product *product);
/* Computes task `task`, with all data moved on by these offsets. */
void ltap_product_task(const ltap_product *product, int64_t task, int64_t a_offset,
                       int64_t b_offset, int64_t y_offset);

#endif
