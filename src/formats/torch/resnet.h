/* The part of a ResNet that other architectures stand on. */
#ifndef LTAP_FORMATS_TORCH_RESNET_H
#define LTAP_FORMATS_TORCH_RESNET_H

#include "formats/torch/architecture.h"

/* Whether the weights of one are there, with all names behind a prefix ("", "backbone."). */
bool ltap_resnet_fits(const ltap_torch_checkpoint *checkpoint, const char *prefix);
/* "resnet50". */
const char *ltap_resnet_name(const ltap_torch_checkpoint *checkpoint, const char *prefix);
/* Up to layer4, in the module that runs. output_stride: 32; 16 or 8 where layer4, or layer3 as
 * well, keep their size, as for segmentation. layer3: set to what that stage hands out. */
ltap_signal ltap_resnet_body(ltap_builder *b, const char *prefix, int64_t output_stride,
                             ltap_signal x, ltap_signal *layer3);

#endif
