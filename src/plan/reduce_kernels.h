/* Kernels of reductions, each for a row of the table in reduce.c; inside of src/plan only. */
#ifndef LTAP_PLAN_REDUCE_KERNELS_H
#define LTAP_PLAN_REDUCE_KERNELS_H

#include "plan/reduce.h"

void ltap_reduce_flatten(const ltap_reducing *work);
void ltap_reduce_mean(const ltap_reducing *work);
void ltap_reduce_max(const ltap_reducing *work);
void ltap_reduce_l2(const ltap_reducing *work);
void ltap_reduce_cls(const ltap_reducing *work);
void ltap_reduce_half(const ltap_reducing *work);
void ltap_reduce_topk(const ltap_reducing *work);
void ltap_reduce_topk_indices(const ltap_reducing *work);
enum { LTAP_REDUCE_RANKED_BYTES = 16 }; /* of work, for each value kept */

#endif
