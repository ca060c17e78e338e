/* Moving tensors between layouts. */
#ifndef LTAP_BACKENDS_LAYOUT_H
#define LTAP_BACKENDS_LAYOUT_H

#include "backends/impl.h"

/* tensor: type and plain shape, of a rank that has layouts. src and dst do not overlap; from and to
 * differ. */
void ltap_layout_convert(const ltap_tensor *tensor, const void *src, ltap_layout from, void *dst,
                         ltap_layout to, int threads);

/* The shape in which a tensor lies, as read together with tensors of `rank`: for channels last, of
 * that rank with the axes in that order. */
ltap_tensor ltap_layout_told(const ltap_tensor *tensor, ltap_layout layout, int rank);

#endif
