/* Operators that work element by element, with numpy's broadcasting: one loop for all of them.
 *
 * A kernel sees a stretch: n neighbouring elements of the output, and for each input either as many
 * neighbouring elements (step 1) or one that stays (step 0). The driver cuts the output into
 * stretches, merges axes, and spreads large tensors over threads. Half-width floats are converted
 * to float32 and back by blocks, so no kernel has to know them.
 */
#ifndef LTAP_OPS_POINTWISE_H
#define LTAP_OPS_POINTWISE_H

#include "ops/elements.h"
#include "ops/rules.h"

#define LTAP_POINTWISE_INPUTS 3
#define LTAP_POINTWISE_PARAMS 3

typedef struct ltap_stretch {
    const void *src[LTAP_POINTWISE_INPUTS];
    int64_t step[LTAP_POINTWISE_INPUTS];
    void *dst;
    int64_t n;
    const double *params;
} ltap_stretch;

/* One pointwise operator. Its type is that of input `key`; the types it takes are those that have
 * a kernel (and the half-width floats where float32 has one). */
typedef struct ltap_pointwise {
    void (*kernels[LTAP_DTYPES])(const ltap_stretch *stretch);
    size_t key;        /* which input has the type; inputs before it are not checked */
    ltap_dtype result; /* LTAP_UNDEFINED: the input's own */
    struct {
        const char *attr;
        double otherwise;
    } params[LTAP_POINTWISE_PARAMS]; /* attributes given to the kernel */
} ltap_pointwise;

/* Types that fit, shapes that broadcast; fills output 0. */
ltap_status ltap_pointwise_shape(const ltap_call *call, const ltap_pointwise *pointwise,
                                 ltap_error *error);
/* Runs on the first n_inputs inputs. params: NULL for the attributes'. */
void ltap_pointwise_run(const ltap_call *call, const ltap_pointwise *pointwise, size_t n_inputs,
                        const double *params);
/* For any number of inputs from two on: ((a op b) op c) op ... */
void ltap_pointwise_fold(const ltap_call *call, const ltap_pointwise *pointwise);

/* A row of a table of kernels. */
#define LTAP_KERNEL_ROW(tag, dtype, T, W, id) [dtype] = id##_##tag,

/* Kernels from an expression EXPR(T, W, x, ...): (D) the output's type. a, b, c: the parameters. */
#define LTAP_UNARY_KERNEL_TO(tag, D, T, W, id, EXPR)                                               \
    static void id##_##tag(const ltap_stretch *s)                                                  \
    {                                                                                              \
        const T *src = s->src[0];                                                                  \
        D *dst = s->dst;                                                                           \
        const T a = (T)s->params[0], b = (T)s->params[1];                                          \
        (void)a, (void)b;                                                                          \
        for (int64_t i = 0; i < s->n; i++) {                                                       \
            const T x = src[i];                                                                    \
            dst[i] = (D)EXPR(T, W, x);                                                             \
        }                                                                                          \
    }
#define LTAP_UNARY_KERNEL(tag, dtype, T, W, id, EXPR) LTAP_UNARY_KERNEL_TO(tag, T, T, W, id, EXPR)
#define LTAP_UNARY_TEST(tag, dtype, T, W, id, EXPR)                                                \
    LTAP_UNARY_KERNEL_TO(tag, uint8_t, T, W, id, EXPR)

#define LTAP_BINARY_KERNEL_TO(tag, D, T, W, id, EXPR)                                              \
    static void id##_##tag(const ltap_stretch *s)                                                  \
    {                                                                                              \
        const T *p = s->src[0], *q = s->src[1];                                                    \
        D *dst = s->dst;                                                                           \
        if (s->step[0] && s->step[1]) {                                                            \
            for (int64_t i = 0; i < s->n; i++)                                                     \
                dst[i] = (D)EXPR(T, W, p[i], q[i]);                                                \
        } else if (s->step[0]) {                                                                   \
            const T y = *q;                                                                        \
            for (int64_t i = 0; i < s->n; i++)                                                     \
                dst[i] = (D)EXPR(T, W, p[i], y);                                                   \
        } else {                                                                                   \
            const T x = *p;                                                                        \
            for (int64_t i = 0; i < s->n; i++)                                                     \
                dst[i] = (D)EXPR(T, W, x, q[i * s->step[1]]);                                      \
        }                                                                                          \
    }
#define LTAP_BINARY_KERNEL(tag, dtype, T, W, id, EXPR) LTAP_BINARY_KERNEL_TO(tag, T, T, W, id, EXPR)
#define LTAP_BINARY_TEST(tag, dtype, T, W, id, EXPR)                                               \
    LTAP_BINARY_KERNEL_TO(tag, uint8_t, T, W, id, EXPR)

/* The operator of a static const ltap_pointwise called id_pointwise. */
#define LTAP_POINTWISE_OP(id, onnx_name, n, op_flags)                                              \
    static ltap_status id##_shape(const ltap_call *call, ltap_error *error)                        \
    {                                                                                              \
        return ltap_pointwise_shape(call, &id##_pointwise, error);                                 \
    }                                                                                              \
    static ltap_status id##_reference(const ltap_call *call, ltap_error *error)                    \
    {                                                                                              \
        ltap_pointwise_run(call, &id##_pointwise, n, NULL);                                        \
        return LTAP_OK;                                                                            \
    }                                                                                              \
    const ltap_op ltap_op_##id = {.name = onnx_name,                                               \
                                  .domain = "",                                                    \
                                  .min_inputs = n,                                                 \
                                  .max_inputs = n,                                                 \
                                  .min_outputs = 1,                                                \
                                  .max_outputs = 1,                                                \
                                  .flags = LTAP_OP_POINTWISE | (op_flags),                         \
                                  .shape = id##_shape,                                             \
                                  .reference = id##_reference};

#endif
