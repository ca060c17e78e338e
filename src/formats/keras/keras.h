/* Keras models: .keras archives, and .h5 files that hold a model_config. */
#ifndef LTAP_FORMATS_KERAS_KERAS_H
#define LTAP_FORMATS_KERAS_KERAS_H

#include "formats/format.h"

extern const ltap_format ltap_keras_format;

#endif
