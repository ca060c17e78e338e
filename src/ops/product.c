/* Matrix products in double, over runs on the stack.
 *
 * Two loops, chosen by how b lies: rows of b are added up where they are contiguous, dot products
 * are taken where its columns are. Both read b in order, which is what the time goes to.
 */
#include "ops/product.h"

#define BLOCK 8 /* rows that share a loaded run of b */
#define LANES 4 /* partial sums of a dot product */

int64_t ltap_product_tasks(const ltap_product *p)
{
    return (p->m + BLOCK - 1) / BLOCK;
}

/* sums[r][j] = sum over l of a[row + r, l] * b[l, column + j] */
static void add_rows(const ltap_product *p, const int64_t *from, int n_rows, int64_t count,
                     double (*sums)[LTAP_RUN])
{
    double b[LTAP_RUN], a[BLOCK];
    for (int r = 0; r < n_rows; r++) {
        for (int64_t j = 0; j < count; j++)
            sums[r][j] = 0;
    }
    for (int64_t l = 0; l < p->k; l++) {
        p->number->load(p->b, from[1] + l * p->b_row, p->b_column, count, b);
        p->number->load(p->a, from[0] + l * p->a_column, p->a_row, n_rows, a);
        for (int r = 0; r < n_rows; r++) {
            double *restrict to = sums[r];
            double factor = a[r];
            for (int64_t j = 0; j < count; j++)
                to[j] += factor * b[j];
        }
    }
}

static double dot(const double *a, const double *b, int64_t count)
{
    double lanes[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        for (int lane = 0; lane < LANES; lane++)
            lanes[lane] += a[i + lane] * b[i + lane];
    }
    for (; i < count; i++)
        lanes[0] += a[i] * b[i];
    return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
}

static void add_dots(const ltap_product *p, const int64_t *from, int n_rows, int64_t count,
                     double (*sums)[LTAP_RUN])
{
    double a[BLOCK][LTAP_RUN], b[LTAP_RUN];
    for (int r = 0; r < n_rows; r++) {
        for (int64_t j = 0; j < count; j++)
            sums[r][j] = 0;
    }
    for (int64_t l = 0; l < p->k; l += LTAP_RUN) {
        int64_t length = p->k - l < LTAP_RUN ? p->k - l : LTAP_RUN;
        for (int r = 0; r < n_rows; r++)
            p->number->load(p->a, from[0] + r * p->a_row + l * p->a_column, p->a_column, length,
                            a[r]);
        for (int64_t j = 0; j < count; j++) {
            p->number->load(p->b, from[1] + j * p->b_column + l * p->b_row, p->b_row, length, b);
            for (int r = 0; r < n_rows; r++)
                sums[r][j] += dot(a[r], b, length);
        }
    }
}

static void finish(const ltap_product *p, int64_t row, int64_t column, int64_t count, double *sums)
{
    double c[LTAP_RUN];
    if (p->alpha != 1) {
        for (int64_t j = 0; j < count; j++)
            sums[j] *= p->alpha;
    }
    if (!p->c)
        return;
    p->number->load(p->c, row * p->c_row + column * p->c_column, p->c_column, count, c);
    for (int64_t j = 0; j < count; j++)
        sums[j] += p->beta * c[j];
}

void ltap_product_task(const ltap_product *p, int64_t task, int64_t a_offset, int64_t b_offset,
                       int64_t y_offset)
{
    double sums[BLOCK][LTAP_RUN];
    int64_t row = task * BLOCK;
    int n_rows = (int)(p->m - row < BLOCK ? p->m - row : BLOCK);
    for (int64_t column = 0; column < p->n; column += LTAP_RUN) {
        int64_t count = p->n - column < LTAP_RUN ? p->n - column : LTAP_RUN;
        const int64_t from[] = {a_offset + row * p->a_row, b_offset + column * p->b_column};
        if (p->b_row != 1)
            add_rows(p, from, n_rows, count, sums);
        else
            add_dots(p, from, n_rows, count, sums);
        for (int r = 0; r < n_rows; r++) {
            finish(p, row + r, column, count, sums[r]);
            p->number->store(sums[r], count, p->y, y_offset + (row + r) * p->y_row + column, 1);
        }
    }
}
