/* Programs of torch.export (.pt2) as models: the row of the format. */
#ifndef LTAP_FORMATS_EXPORT_EXPORT_H
#define LTAP_FORMATS_EXPORT_EXPORT_H

#include "formats/format.h"

extern const ltap_format ltap_export_format;

#endif
