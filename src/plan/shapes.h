/* Shapes and cost of the listed layers; the inside of the public ltap_shapes. */
#ifndef LTAP_PLAN_SHAPES_H
#define LTAP_PLAN_SHAPES_H

#include "plan/getter.h"

struct ltap_shapes {
    ltap_memory *memory;
    ltap_layer_shape *layers; /* one a listed layer */
    ltap_layer_shape *values; /* one of the model's values */
    uint64_t mult_adds;
};

ltap_status ltap_shapes_make(const ltap_model *model, const ltap_tensor *inputs, size_t n_inputs,
                             ltap_shapes **shapes, ltap_error *error);
void ltap_shapes_release(ltap_shapes *shapes);

#endif
