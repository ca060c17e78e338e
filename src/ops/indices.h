/* Reading indices that data gives: checked, negative ones from the end. */
#ifndef LTAP_OPS_INDICES_H
#define LTAP_OPS_INDICES_H

#include "ops/op.h"

/* Element i of an index tensor, made 0..length-1; LTAP_ERROR_FORMAT outside. */
ltap_status ltap_index_read(const ltap_tensor *indices, uint64_t i, int64_t length, int64_t *index,
                            ltap_error *error);

/* For GatherElements and ScatterElements: input 1 holds indices along attribute `axis` into
 * input 0, has its rank, and is nowhere larger except along the axis. */
ltap_status ltap_index_check_elements(const ltap_call *call, int *axis, ltap_error *error);

/* Goes through an index tensor element by element; each names an element of `target`. */
typedef struct ltap_index_walk {
    const ltap_tensor *indices, *target;
    int axis;
    uint64_t next;
    int64_t at[LTAP_MAX_RANK], strides[LTAP_MAX_RANK];
} ltap_index_walk;
void ltap_index_walk_init(ltap_index_walk *walk, const ltap_tensor *indices,
                          const ltap_tensor *target, int axis);
ltap_status ltap_index_walk_next(ltap_index_walk *walk, int64_t *offset, ltap_error *error);

/* For GatherND and ScatterND: the last axis of input 1 holds index tuples into the axes of input 0
 * after `batch` ones. */
ltap_status ltap_index_check_tuples(const ltap_call *call, int64_t batch, ltap_error *error);
/* Tuple i as an offset in elements into a tensor of these dims. */
ltap_status ltap_index_read_tuple(const ltap_tensor *indices, int64_t i, const int64_t *dims,
                                  int rank, int64_t *offset, ltap_error *error);

#endif
