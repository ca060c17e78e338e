/* All fast rows, in the order in which they are tried. */
#include "backends/impl.h"

#ifdef LTAP_HAVE_DNNL
#include "backends/dnnl/rows.h"
#endif
#include "backends/gemm/rows.h"
#include "backends/gemm/tile.h"
#include "backends/simd/rows.h"

#include <string.h>

#define LISTED(id, operator) &ltap_impl_simd_##id,

static const ltap_impl *const rows[] = {
    &ltap_impl_simd_matmul,
    &ltap_impl_simd_einsum,
    &ltap_impl_simd_exact_conv,
#ifdef LTAP_HAVE_DNNL
    &ltap_dnnl_exact_conv,
#endif
    &ltap_gemm_winograd,
    &ltap_bf16_conv,
    &ltap_bf16_product,
    &ltap_bf16_matmul,
    &ltap_gemm_depthwise,
    &ltap_gemm_conv,
    &ltap_gemm_product,
    &ltap_gemm_matmul,
    &ltap_gemm_rnn,
    &ltap_gemm_gru,
    &ltap_gemm_lstm,
#ifdef LTAP_HAVE_DNNL
    &ltap_dnnl_conv,
    &ltap_dnnl_gemm,
    &ltap_dnnl_matmul,
    &ltap_dnnl_average_pool,
    &ltap_dnnl_global_average_pool,
#endif
    &ltap_impl_simd_batch_norm,
    &ltap_impl_simd_concat,
    &ltap_impl_simd_max_pool,
    &ltap_impl_simd_plain_max_pool,
    &ltap_impl_simd_plain_average_pool,
    &ltap_impl_simd_resize,
    &ltap_impl_simd_slice,
    &ltap_impl_simd_split,
    &ltap_impl_simd_softmax,
    &ltap_impl_simd_log_softmax,
    &ltap_impl_simd_layer_norm,
    &ltap_impl_simd_conv_transpose,
    &ltap_impl_simd_instance_norm,
    &ltap_impl_simd_group_norm,
    LTAP_SIMD_REDUCTIONS(LISTED) LTAP_SIMD_POINTWISE(LISTED) NULL,
};

const ltap_impl *const *ltap_impls(void)
{
    return rows;
}

uint32_t ltap_impls_loose(const char *op)
{
    uint32_t inputs = 0;

    for (const ltap_impl *const *row = rows; *row; row++)
        if (strcmp((*row)->op, op) == 0)
            inputs |= (*row)->loose;
    return inputs;
}

bool ltap_impls_have_bf16(void)
{
    return ltap_tiles_pairs() != NULL;
}

void ltap_kernel_release(ltap_kernel *kernel, ltap_memory *memory)
{
    ltap_memory_release(memory, kernel->state);
    kernel->state = NULL;
}
