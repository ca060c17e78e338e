/* Moving a rank-4 tensor between layouts. */
#ifndef LTAP_BACKENDS_LAYOUT_H
#define LTAP_BACKENDS_LAYOUT_H

#include "backends/impl.h"

/* tensor: type and NCHW shape. src and dst do not overlap; from and to differ. */
void ltap_layout_convert(const ltap_tensor *tensor, const void *src, ltap_layout from, void *dst,
                         ltap_layout to, int threads);

/* The shape in which a tensor lies: for channels last, rank 4 with the axes in that order. */
ltap_tensor ltap_layout_told(const ltap_tensor *tensor, ltap_layout layout);

#endif
