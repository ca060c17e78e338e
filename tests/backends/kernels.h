/* Runs one node on the reference kernel and on every fast row that accepts it, and compares. */
#ifndef TESTS_BACKENDS_KERNELS_H
#define TESTS_BACKENDS_KERNELS_H

#include "backends/impl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { KERNELS_MAX_INPUTS = 4 };

typedef enum kernels_numbers {
    KERNELS_RANDOM, /* -3 to 3 */
    KERNELS_WIDE,   /* all magnitudes, both signs, zeros */
    KERNELS_BROKEN  /* random, with NaN and both Inf here and there */
} kernels_numbers;

typedef struct kernels_case {
    const char *title, *op, *row; /* row: the one that must accept; NULL: whichever */
    size_t n_inputs;
    struct {
        int rank;
        int64_t dims[5];
    } inputs[KERNELS_MAX_INPUTS];
    unsigned constants; /* bit i: input i is a constant */
    size_t n_attrs;
    ltap_attr attrs[6];
    float tolerance; /* of the largest finite magnitude */
} kernels_case;

void kernels_check(const kernels_case *c, kernels_numbers numbers, int threads);

#endif
