/* Einsum's equation, read: labels with sizes, and each input's stride along each. */
#ifndef LTAP_OPS_EINSUM_H
#define LTAP_OPS_EINSUM_H

#include "ops/op.h"

enum { LTAP_EINSUM_INPUTS = 16, LTAP_EINSUM_LABELS = 64 };

typedef struct ltap_einsum {
    const ltap_tensor *inputs;
    size_t n_inputs;
    ltap_tensor *y;
    int n_labels, n_output; /* output labels are the first */
    char labels[LTAP_EINSUM_LABELS];
    int64_t sizes[LTAP_EINSUM_LABELS];
    /* 0 where an input lacks a label; the sum where it stands twice. */
    int64_t strides[LTAP_EINSUM_INPUTS][LTAP_EINSUM_LABELS];
    int ellipsis_rank;         /* axes that the longest ellipsis stands for */
    int64_t n_summed, n_inner; /* for the reference kernel */
} ltap_einsum;

ltap_status ltap_einsum_read(const ltap_call *call, ltap_einsum *einsum, ltap_error *error);

#endif
