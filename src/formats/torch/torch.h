/* PyTorch checkpoints as models: the row of the format. */
#ifndef LTAP_FORMATS_TORCH_TORCH_H
#define LTAP_FORMATS_TORCH_TORCH_H

#include "formats/format.h"

extern const ltap_format ltap_torch_format;

/* Names that ltap_source.arch may begin with; NULL behind the last. */
const char *ltap_torch_arch_at(size_t index);

#endif
