/* Elementary functions over stretches of floats, written for the compiler's vectoriser.
 *
 * Each element's result is a pure function of its operands and the processor: the same bits
 * whatever the length and the place. Against the plain kernels: single operations are exact; exp,
 * erf, tanh and what is made of them are within 2e-7 of the result, with NaN and Inf in the same
 * places.
 */
#ifndef LTAP_BACKENDS_SIMD_VECTOR_H
#define LTAP_BACKENDS_SIMD_VECTOR_H

#include "backends/processor.h"

#include <stdbool.h>
#include <stdint.h>

/* y[i] = f(a[i], b[i]); b: NULL for functions of one operand. y may be a or b. To be called by
 * ltap_vector_apply only. */
typedef void (*ltap_vector_map)(const float *a, const float *b, const float *params, float *y,
                                int64_t n);

/* A pointwise operator. Attributes (or constant inputs from the second on) become params. */
typedef struct ltap_vector_function {
    const char *op;
    ltap_vector_map map;
    int n_sources; /* operands that are tensors */
    struct {
        const char *attr;
        float otherwise;
    } params[2];
    const char *text_attr, *text; /* only where this attribute has this value, or is not there */
    bool limits;                  /* params are inputs 1 and 2, where they are there */
} ltap_vector_function;

/* The function of an operator that needs no attributes: Add, Mul. */
ltap_vector_map ltap_vector_find(const char *op);
/* All of them; the last one has op NULL. */
const ltap_vector_function *ltap_vector_functions(void);
/* Elements that make no whole vector are done in one of their own: the compiler's loop for what is
 * left over could round in another order. */
void ltap_vector_apply(ltap_vector_map map, const float *a, const float *b, const float *params,
                       float *y, int64_t n);

/* (x - mean) / sqrt(variance + epsilon) * scale + bias; bias: NULL for none. */
typedef struct ltap_vector_norm {
    const float *scale, *bias;
    float epsilon;
} ltap_vector_norm;
void ltap_vector_normalize(const float *x, const ltap_vector_norm *norm, float *y, int64_t n);

/* Compiled once for each of these; the processor's best is taken when the program starts. Not under
 * sanitizers: the thread sanitizer dies in the resolvers of clones, and the address sanitizer's own
 * stack does not keep the 64 bytes of alignment that AVX-512 code relies on. */
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && defined(__has_attribute) && \
    !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#if __has_attribute(target_clones) && !defined(__clang__)
#define LTAP_VECTOR_FOR(...) __attribute__((target_clones(__VA_ARGS__)))
#define LTAP_VECTOR_CLONED
#endif
#endif
#ifndef LTAP_VECTOR_FOR
#define LTAP_VECTOR_FOR(...)
#endif
#if LTAP_PROCESSOR_MOST >= LTAP_PROCESSOR_AVX512
#define LTAP_VECTOR_CLONES LTAP_VECTOR_FOR("avx512f", "arch=haswell", "default")
#elif LTAP_PROCESSOR_MOST >= LTAP_PROCESSOR_AVX2
#define LTAP_VECTOR_CLONES LTAP_VECTOR_FOR("arch=haswell", "default")
#else
#define LTAP_VECTOR_CLONES
#endif

/* At the head of a file: a * b + c may be rounded once, where the processor does that at once. The
 * file is compiled once for each kind of processor, so on one machine the bits are always the same.
 */
#if defined(__clang__)
#define LTAP_VECTOR_CONTRACT _Pragma("clang fp contract(fast)")
#define LTAP_VECTOR_LOOP     _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define LTAP_VECTOR_CONTRACT _Pragma("GCC optimize(\"fp-contract=fast\")")
#define LTAP_VECTOR_LOOP     _Pragma("GCC ivdep")
#else
#define LTAP_VECTOR_CONTRACT
#define LTAP_VECTOR_LOOP
#endif
#define LTAP_VECTOR_INLINE static inline __attribute__((always_inline))

#endif
