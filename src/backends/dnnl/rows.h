/* The oneDNN rows, for the table in impls.c. */
#ifndef LTAP_BACKENDS_DNNL_ROWS_H
#define LTAP_BACKENDS_DNNL_ROWS_H

#include "backends/impl.h"

extern const ltap_impl ltap_dnnl_exact_conv;
extern const ltap_impl ltap_dnnl_conv;
extern const ltap_impl ltap_dnnl_gemm;
extern const ltap_impl ltap_dnnl_matmul;
extern const ltap_impl ltap_dnnl_average_pool;
extern const ltap_impl ltap_dnnl_global_average_pool;

#endif
