/* What quantized operators share. */
#ifndef LTAP_OPS_QUANTIZE_H
#define LTAP_OPS_QUANTIZE_H

#include "ops/op.h"

/* A rounded number brought into the range of int8, uint8, int16 or uint16; NaN to the low end. */
double ltap_quantized(double rounded, ltap_dtype dtype);

#endif
