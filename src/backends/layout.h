/* Moving tensors between layouts. */
#ifndef LTAP_BACKENDS_LAYOUT_H
#define LTAP_BACKENDS_LAYOUT_H

#include "backends/impl.h"

/* Where a tensor lies. step: floats from one pixel to the next where it lies channels last among
 * others' channels; 0: its pixels lie side by side. */
typedef struct ltap_layout_side {
    void *data;
    ltap_layout layout;
    int64_t step;
} ltap_layout_side;
/* tensor: type and plain shape, of a rank that has layouts unless both sides are plain; float32
 * where a side has a step. The sides do not overlap. */
void ltap_layout_convert(const ltap_tensor *tensor, const ltap_layout_side *from,
                         const ltap_layout_side *to, int threads);

/* The shape in which a tensor lies, as read together with tensors of `rank`: for channels last, of
 * that rank with the axes in that order. */
ltap_tensor ltap_layout_told(const ltap_tensor *tensor, ltap_layout layout, int rank);

#endif
