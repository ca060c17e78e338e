/* Rows made of register tiles: convolutions and products with constant weights. */
#ifndef LTAP_BACKENDS_GEMM_ROWS_H
#define LTAP_BACKENDS_GEMM_ROWS_H

#include "backends/impl.h"
#include "ops/window.h"

extern const ltap_impl ltap_gemm_winograd;
extern const ltap_impl ltap_gemm_conv;
extern const ltap_impl ltap_gemm_depthwise;
extern const ltap_impl ltap_gemm_product; /* Gemm */
extern const ltap_impl ltap_gemm_matmul;
extern const ltap_impl ltap_gemm_rnn;
extern const ltap_impl ltap_gemm_gru;
extern const ltap_impl ltap_gemm_lstm;
/* The same of bfloat16, where that is wanted. */
extern const ltap_impl ltap_bf16_conv;
extern const ltap_impl ltap_bf16_product;
extern const ltap_impl ltap_bf16_matmul;

/* Whether a Conv's tensors are for these rows: float32, constant weights, one to three spatial
 * axes, nothing empty, attributes that fit. */
bool ltap_gemm_conv_fits(const ltap_query *query, ltap_window *window, ltap_why *why);
/* Whether planes of a volume have nothing to do with each other: they are as good as images. */
bool ltap_gemm_is_flat(const ltap_window *window);
bool ltap_gemm_has_bias(const ltap_query *query);
/* Channels last in and out. */
void ltap_gemm_layouts(const ltap_query *query, ltap_layout *in, ltap_layout *out);

#endif
