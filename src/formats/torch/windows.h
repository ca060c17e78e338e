/* Attention in windows of an image of rows f32[N,H,W,C], as Swin transformers have it. */
#ifndef LTAP_FORMATS_TORCH_WINDOWS_H
#define LTAP_FORMATS_TORCH_WINDOWS_H

#include "formats/torch/rows.h"

/* ShiftedWindowAttention, or with cosine its V2. Heads and windows are told by the weights.
 * shifted: by half a window, where there is more than one. */
ltap_signal ltap_build_window_attention(ltap_builder *b, const char *name, ltap_signal x,
                                        bool shifted, bool cosine);
/* Neighbours of 2x2 as one row: f32[N,H/2,W/2,4*C]. An odd side is padded with zeros. */
ltap_signal ltap_build_merge_patches(ltap_builder *b, ltap_signal x);

#endif
