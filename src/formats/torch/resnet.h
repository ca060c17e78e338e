/* The part of a ResNet that other architectures stand on. */
#ifndef LTAP_FORMATS_TORCH_RESNET_H
#define LTAP_FORMATS_TORCH_RESNET_H

#include "formats/torch/architecture.h"

/* Whether the weights of one are there, with all names behind a prefix ("", "backbone."). */
bool ltap_resnet_fits(const ltap_torch_checkpoint *checkpoint, const char *prefix);
/* "resnet50". */
const char *ltap_resnet_name(const ltap_torch_checkpoint *checkpoint, const char *prefix);
/* Up to layer4, in the module that runs. dilated: layer3 and layer4 keep their size, for
 * segmentation. layer3: set to what that stage hands out. */
ltap_signal ltap_resnet_body(ltap_builder *b, const char *prefix, bool dilated, ltap_signal x,
                             ltap_signal *layer3);

#endif
