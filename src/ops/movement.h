/* What a Slice's inputs say, for its kernels. */
#ifndef LTAP_OPS_MOVEMENT_H
#define LTAP_OPS_MOVEMENT_H

#include "ops/op.h"

/* Axis by axis: the first index, the step (negative: backwards), the number of indices. */
typedef struct ltap_slices {
    int64_t start[LTAP_MAX_RANK], step[LTAP_MAX_RANK], length[LTAP_MAX_RANK];
} ltap_slices;

ltap_status ltap_slices_read(const ltap_call *call, ltap_slices *slices, ltap_error *error);

#endif
