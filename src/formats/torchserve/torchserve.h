/* TorchServe's model archives as models: the row of the format. */
#ifndef LTAP_FORMATS_TORCHSERVE_TORCHSERVE_H
#define LTAP_FORMATS_TORCHSERVE_TORCHSERVE_H

#include "formats/format.h"

extern const ltap_format ltap_torchserve_format;

#endif
