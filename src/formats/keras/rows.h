/* What each row of the table runs. Private to src/formats/keras. */
#ifndef LTAP_FORMATS_KERAS_ROWS_H
#define LTAP_FORMATS_KERAS_ROWS_H

#include "formats/keras/net.h"

/* How many axes the class has between batch and channels: the digit of Conv2D; checked against the
 * input's. */
int ltap_keras_spatial_of(const ltap_keras_call *c);
int ltap_keras_spatial(ltap_keras_call *c);

/* The first input with channels second; and what was made of it as the layer hands it out. */
ltap_keras_tensor ltap_keras_channels_second(ltap_keras_call *c);
ltap_keras_tensor ltap_keras_as_given(ltap_keras_call *c, ltap_keras_tensor y);

void ltap_keras_run_identity(ltap_keras_call *c);

/* convolutions.c */
#define LTAP_KERAS_MAX_SPATIAL 3
typedef struct ltap_keras_window {
    int n; /* spatial axes */
    int64_t size[LTAP_KERAS_MAX_SPATIAL], strides[LTAP_KERAS_MAX_SPATIAL],
        dilations[LTAP_KERAS_MAX_SPATIAL];
    const char *padding;
} ltap_keras_window;
/* All but its size, from the configuration. */
ltap_keras_window ltap_keras_read_window(ltap_keras_call *c, int n);
/* [window...,a,b] -> [b,a,window...], or [a,b,window...]. */
ltap_keras_tensor ltap_keras_turn_kernel(ltap_keras_call *c, ltap_keras_tensor kernel, bool swap);
/* kernel: [out,in/groups,window...]; bias: LTAP_NO_VALUE without. x: channels second. */
ltap_keras_tensor ltap_keras_convolve(ltap_keras_call *c, ltap_keras_tensor x,
                                      const ltap_keras_window *w, ltap_keras_tensor kernel,
                                      int64_t groups, uint32_t bias);
void ltap_keras_run_conv(ltap_keras_call *c);
void ltap_keras_run_depthwise(ltap_keras_call *c);
void ltap_keras_run_separable(ltap_keras_call *c);
void ltap_keras_run_conv_transpose(ltap_keras_call *c);

/* pooling.c */
void ltap_keras_run_pool(ltap_keras_call *c);
void ltap_keras_run_global_pool(ltap_keras_call *c);
void ltap_keras_run_adaptive_pool(ltap_keras_call *c);

/* dense.c */
void ltap_keras_run_dense(ltap_keras_call *c);
void ltap_keras_run_einsum_dense(ltap_keras_call *c);
void ltap_keras_run_embedding(ltap_keras_call *c);
/* x times the weight [in,...] of a holder, its bias added where it has one; the last axis of x
 * becomes the weight's other ones. */
ltap_keras_tensor ltap_keras_project(ltap_keras_call *c, const char *holder, ltap_keras_tensor x,
                                     int n_in);

/* normalization.c */
void ltap_keras_run_batch_norm(ltap_keras_call *c);
void ltap_keras_run_layer_norm(ltap_keras_call *c);
void ltap_keras_run_group_norm(ltap_keras_call *c);
void ltap_keras_run_rms_norm(ltap_keras_call *c);
void ltap_keras_run_unit_norm(ltap_keras_call *c);
void ltap_keras_run_layer_scale(ltap_keras_call *c); /* of keras.applications' ConvNeXt */
void ltap_keras_run_wrapped(ltap_keras_call *c);     /* what training alone changes */

/* preprocessing.c */
void ltap_keras_run_normalization(ltap_keras_call *c);
void ltap_keras_run_rescaling(ltap_keras_call *c);
void ltap_keras_run_discretization(ltap_keras_call *c);
void ltap_keras_run_category_encoding(ltap_keras_call *c);
void ltap_keras_run_integer_lookup(ltap_keras_call *c);

/* resizing.c */
void ltap_keras_run_resizing(ltap_keras_call *c);
void ltap_keras_run_up_sampling(ltap_keras_call *c);
void ltap_keras_run_center_crop(ltap_keras_call *c);
void ltap_keras_run_random_crop(ltap_keras_call *c); /* resizes in Keras 2, else nothing */

/* shapes.c */
void ltap_keras_run_flatten(ltap_keras_call *c);
void ltap_keras_run_reshape(ltap_keras_call *c);
void ltap_keras_run_permute(ltap_keras_call *c);
void ltap_keras_run_repeat_vector(ltap_keras_call *c);
void ltap_keras_run_zero_padding(ltap_keras_call *c);
void ltap_keras_run_cropping(ltap_keras_call *c);

/* merging.c */
void ltap_keras_run_add(ltap_keras_call *c);
void ltap_keras_run_subtract(ltap_keras_call *c);
void ltap_keras_run_multiply(ltap_keras_call *c);
void ltap_keras_run_average(ltap_keras_call *c);
void ltap_keras_run_custom_scale(ltap_keras_call *c); /* of keras.applications' InceptionResNetV2 */
void ltap_keras_run_maximum(ltap_keras_call *c);
void ltap_keras_run_minimum(ltap_keras_call *c);
void ltap_keras_run_concatenate(ltap_keras_call *c);
void ltap_keras_run_dot(ltap_keras_call *c);

/* activations.c */
void ltap_keras_run_activation(ltap_keras_call *c);
void ltap_keras_run_relu(ltap_keras_call *c);
void ltap_keras_run_leaky_relu(ltap_keras_call *c);
void ltap_keras_run_elu(ltap_keras_call *c);
void ltap_keras_run_prelu(ltap_keras_call *c);
void ltap_keras_run_thresholded_relu(ltap_keras_call *c);
void ltap_keras_run_softmax(ltap_keras_call *c);
/* A function of keras.activations by name, with its defaults; NULL value: there is none. */
bool ltap_keras_function(ltap_keras_call *c, const char *name, const ltap_json *arguments,
                         ltap_keras_tensor x, ltap_keras_tensor *y);

/* recurrent.c */
void ltap_keras_run_recurrent(ltap_keras_call *c);
void ltap_keras_run_cell(ltap_keras_call *c); /* by itself, which no model has */
void ltap_keras_run_bidirectional(ltap_keras_call *c);

/* steps.c */
void ltap_keras_run_conv_lstm(ltap_keras_call *c);
void ltap_keras_run_time_distributed(ltap_keras_call *c);

/* attention.c */
void ltap_keras_run_multi_head(ltap_keras_call *c);
void ltap_keras_run_grouped_query(ltap_keras_call *c);
void ltap_keras_run_attention(ltap_keras_call *c);
void ltap_keras_run_additive_attention(ltap_keras_call *c);

/* functions.c: an operation with arguments that are not done. */
void ltap_keras_other_kind(ltap_keras_call *c);

/* arguments.c: by place in the call, or by name there or in the configuration. */
/* A tensor, a number or an array; false: none of them. */
bool ltap_keras_operand(ltap_keras_call *c, size_t place, const char *name, ltap_keras_tensor *x);
const ltap_json *ltap_keras_constant(ltap_keras_call *c, size_t place, const char *name);
int64_t ltap_keras_whole(ltap_keras_call *c, size_t place, const char *name, int64_t otherwise);
bool ltap_keras_flag(ltap_keras_call *c, size_t place, const char *name);
/* Axes of the first input, from 0; all where none is said. axes: LTAP_KERAS_MAX_RANK. */
size_t ltap_keras_axes(ltap_keras_call *c, size_t place, const char *name, int64_t *axes);
int ltap_keras_one_axis(ltap_keras_call *c, const char *name, int64_t otherwise, int rank);
/* The first input, and its axis of that name; made one axis where the call names none. */
ltap_keras_tensor ltap_keras_along(ltap_keras_call *c, int *axis);
/* A node of one output. */
uint32_t ltap_keras_one(ltap_keras_call *c, const char *op, const uint32_t *inputs, size_t n_inputs,
                        const ltap_attr *attrs, size_t n_attrs);

/* Rows of operations, by files; NULL: none of that name. */
const ltap_keras_row *ltap_keras_formula_find(const char *name, bool function);
const ltap_keras_row *ltap_keras_move_find(const char *class_name);
const ltap_keras_row *ltap_keras_place_find(const char *class_name);
const ltap_keras_row *ltap_keras_product_find(const char *class_name);
/* slices.c */
void ltap_keras_run_index(ltap_keras_call *c);
void ltap_keras_run_roll(ltap_keras_call *c);
void ltap_keras_run_repeat(ltap_keras_call *c);

/* masking.c */
void ltap_keras_run_masking(ltap_keras_call *c);
/* Of masked steps, those that count side by side from the first place on. */
typedef struct ltap_keras_packing {
    ltap_keras_tensor mask, count; /* float32[batch,time]: 1 where one counts; how many up to it */
    uint32_t lengths;              /* int32[batch] */
} ltap_keras_packing;
/* x: [batch,time,features], with a mask. */
ltap_keras_tensor ltap_keras_pack(ltap_keras_call *c, ltap_keras_tensor x,
                                  ltap_keras_packing *packing);
/* Back at their times; what does not count is what was before it, or 0. */
ltap_keras_tensor ltap_keras_unpack(ltap_keras_call *c, ltap_keras_tensor steps,
                                    const ltap_keras_packing *packing, bool zeros);
/* The mask of x, which has one: bool[batch,time]. */
ltap_keras_tensor ltap_keras_mask_tensor(const ltap_keras_tensor *x);
/* mask as numbers, 1 where a step counts: float32[batch,time] */
ltap_keras_tensor ltap_keras_mask_numbers(ltap_keras_call *c, const ltap_keras_tensor *x);

#endif
