/* Our own fast rows: what oneDNN lacks, kept in channels-last between convolutions. Portable C in
 * loops that the compiler vectorises.
 */
#ifndef LTAP_BACKENDS_SIMD_ROWS_H
#define LTAP_BACKENDS_SIMD_ROWS_H

#include "backends/impl.h"

extern const ltap_impl ltap_impl_simd_batch_norm;
extern const ltap_impl ltap_impl_simd_concat;
extern const ltap_impl ltap_impl_simd_exact_conv;
extern const ltap_impl ltap_impl_simd_max_pool;
extern const ltap_impl ltap_impl_simd_plain_max_pool;
extern const ltap_impl ltap_impl_simd_plain_average_pool;
extern const ltap_impl ltap_impl_simd_resize;
extern const ltap_impl ltap_impl_simd_slice;
extern const ltap_impl ltap_impl_simd_split;
extern const ltap_impl ltap_impl_simd_einsum;
extern const ltap_impl ltap_impl_simd_matmul;
extern const ltap_impl ltap_impl_simd_softmax;
extern const ltap_impl ltap_impl_simd_log_softmax;
extern const ltap_impl ltap_impl_simd_layer_norm;
extern const ltap_impl ltap_impl_simd_conv_transpose;
extern const ltap_impl ltap_impl_simd_instance_norm;
extern const ltap_impl ltap_impl_simd_group_norm;

/* The operators of simd/pointwise.c: those of ltap_vector_functions. */
#define LTAP_SIMD_POINTWISE(ROW)                                                                   \
    ROW(add, "Add")                                                                                \
    ROW(sub, "Sub")                                                                                \
    ROW(mul, "Mul")                                                                                \
    ROW(div, "Div")                                                                                \
    ROW(relu, "Relu")                                                                              \
    ROW(leaky_relu, "LeakyRelu")                                                                   \
    ROW(clip, "Clip")                                                                              \
    ROW(hard_sigmoid, "HardSigmoid")                                                               \
    ROW(hard_swish, "HardSwish")                                                                   \
    ROW(sigmoid, "Sigmoid")                                                                        \
    ROW(swish, "Swish")                                                                            \
    ROW(tanh, "Tanh")                                                                              \
    ROW(erf, "Erf")                                                                                \
    ROW(exp, "Exp")                                                                                \
    ROW(gelu, "Gelu")                                                                              \
    ROW(elu, "Elu")                                                                                \
    ROW(celu, "Celu")                                                                              \
    ROW(selu, "Selu")                                                                              \
    ROW(softplus, "Softplus")                                                                      \
    ROW(softsign, "Softsign")                                                                      \
    ROW(mish, "Mish")                                                                              \
    ROW(log, "Log")                                                                                \
    ROW(sqrt, "Sqrt")                                                                              \
    ROW(reciprocal, "Reciprocal")                                                                  \
    ROW(neg, "Neg")                                                                                \
    ROW(abs, "Abs")
/* Those of simd/reduce.c. */
#define LTAP_SIMD_REDUCTIONS(ROW)                                                                  \
    ROW(reduce_mean, "ReduceMean")                                                                 \
    ROW(reduce_sum, "ReduceSum")                                                                   \
    ROW(reduce_l1, "ReduceL1")                                                                     \
    ROW(reduce_l2, "ReduceL2")                                                                     \
    ROW(reduce_sum_square, "ReduceSumSquare")                                                      \
    ROW(reduce_max, "ReduceMax")                                                                   \
    ROW(reduce_min, "ReduceMin")                                                                   \
    ROW(global_max_pool, "GlobalMaxPool")
#define LTAP_SIMD_DECLARE(id, operator) extern const ltap_impl ltap_impl_simd_##id;
LTAP_SIMD_POINTWISE(LTAP_SIMD_DECLARE)
LTAP_SIMD_REDUCTIONS(LTAP_SIMD_DECLARE)
#undef LTAP_SIMD_DECLARE

#endif
