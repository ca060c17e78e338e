/* Types of inner values that the file does not tell: found by trying sizes. */
#ifndef LTAP_PLAN_INFER_H
#define LTAP_PLAN_INFER_H

#include "plan/model.h"

/* What is known of each value: the file's own type where it is complete, else what the shape rules
 * give. A size that stays the same whatever the free sizes of the inputs are is a number; one that
 * always equals a free size has its symbol; any other is free. Where nothing is known, the kind is
 * LTAP_TYPE_UNKNOWN. types: n_values of them; their dims are from the arena or the graph. */
ltap_status ltap_infer_types(const ltap_model *model, const uint32_t *values, size_t n_values,
                             ltap_arena *arena, ltap_type *types, ltap_error *error);

/* A type as a port: rank -1 and no element type where it is not known. */
ltap_port ltap_infer_port(const char *name, const ltap_type *type);

#endif
