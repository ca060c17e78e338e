/* PyTorch checkpoints as models: the row of the format. */
#ifndef LTAP_FORMATS_TORCH_TORCH_H
#define LTAP_FORMATS_TORCH_TORCH_H

#include "formats/format.h"

extern const ltap_format ltap_torch_format;

#endif
