/* The table of element types. */
#include "base/checked.h"
#include "tensor/tensor.h"

static const ltap_dtype_row rows[] = {
    {LTAP_UNDEFINED, "undefined", 0},
    {LTAP_FLOAT32, "float32", 32},
    {LTAP_UINT8, "uint8", 8},
    {LTAP_INT8, "int8", 8},
    {LTAP_UINT16, "uint16", 16},
    {LTAP_INT16, "int16", 16},
    {LTAP_INT32, "int32", 32},
    {LTAP_INT64, "int64", 64},
    {LTAP_STRING, "string", 0},
    {LTAP_BOOL, "bool", 8},
    {LTAP_FLOAT16, "float16", 16},
    {LTAP_FLOAT64, "float64", 64},
    {LTAP_UINT32, "uint32", 32},
    {LTAP_UINT64, "uint64", 64},
    {LTAP_COMPLEX64, "complex64", 64},
    {LTAP_COMPLEX128, "complex128", 128},
    {LTAP_BFLOAT16, "bfloat16", 16},
    {LTAP_FLOAT8E4M3FN, "float8e4m3fn", 8},
    {LTAP_FLOAT8E4M3FNUZ, "float8e4m3fnuz", 8},
    {LTAP_FLOAT8E5M2, "float8e5m2", 8},
    {LTAP_FLOAT8E5M2FNUZ, "float8e5m2fnuz", 8},
    {LTAP_UINT4, "uint4", 4},
    {LTAP_INT4, "int4", 4},
    {LTAP_FLOAT4E2M1, "float4e2m1", 4},
    {LTAP_FLOAT8E8M0, "float8e8m0", 8},
    {LTAP_UINT2, "uint2", 2},
    {LTAP_INT2, "int2", 2},
};

const ltap_dtype_row *ltap_dtype_find(ltap_dtype dtype)
{
    size_t index = (size_t)dtype; /* the numbers are dense: a row's place is its type */
    if (index == LTAP_UNDEFINED || index >= sizeof rows / sizeof rows[0])
        return NULL;
    return &rows[index];
}

const char *ltap_dtype_name(ltap_dtype dtype)
{
    const ltap_dtype_row *row = ltap_dtype_find(dtype);
    return row != NULL ? row->name : rows[0].name;
}

unsigned ltap_dtype_bits(ltap_dtype dtype)
{
    const ltap_dtype_row *row = ltap_dtype_find(dtype);
    return row != NULL ? row->bits : 0;
}

bool ltap_dtype_bytes(ltap_dtype dtype, uint64_t count, uint64_t *bytes)
{
    uint64_t bits = ltap_dtype_bits(dtype);
    if (bits == 0)
        return false;
    if (bits >= 8)
        return ltap_checked_mul(count, bits / 8, bytes);
    uint64_t per_byte = 8 / bits;
    *bytes = count / per_byte + (count % per_byte != 0);
    return true;
}
