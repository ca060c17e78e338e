/* Describing a convolution to oneDNN: the whole one, or a band of it. */
#ifndef LTAP_BACKENDS_DNNL_CONVOLUTION_H
#define LTAP_BACKENDS_DNNL_CONVOLUTION_H

#include "backends/dnnl/primitive.h"
#include "ops/window.h"

/* Whether a query is one for oneDNN at all; reads its window. */
bool ltap_dnnl_conv_read(const ltap_query *query, ltap_window *window, ltap_why *why);
/* The job of `images` images with the input and output sizes and padding of the window. */
bool ltap_dnnl_conv_describe(const ltap_query *query, const ltap_window *window, int64_t images,
                             ltap_dnnl_job *job, ltap_why *why);

#endif
