/* The part of a MobileNet v3 that other architectures stand on. */
#ifndef LTAP_FORMATS_TORCH_MOBILENET_V3_H
#define LTAP_FORMATS_TORCH_MOBILENET_V3_H

#include "formats/torch/architecture.h"

/* Whether the features of one are there, with all names behind a prefix ("features.",
 * "backbone."). */
bool ltap_mobilenet_v3_fits(const ltap_torch_checkpoint *checkpoint, const char *prefix);
/* "mobilenet_v3_large". */
const char *ltap_mobilenet_v3_name(const ltap_torch_checkpoint *checkpoint, const char *prefix);
/* All features, in the module that runs. output_stride: 32; 16 where the last blocks keep
 * their size, as for segmentation. low: set to what the block hands out that halves the size for
 * the third time (of mobilenet_v3_large features.4, which has an eighth of the input's size). */
ltap_signal ltap_mobilenet_v3_body(ltap_builder *b, const char *prefix, int64_t output_stride,
                                   ltap_signal x, ltap_signal *low);

#endif
