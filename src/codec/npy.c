/* Reads and writes .npy headers. The header is the literal of a dictionary with exactly the keys
 * descr, fortran_order and shape, in any order; a cursor walks it once and nothing is allocated.
 * Only types that are one number an element are known; the rest are refused by what they are. This
 * is not a Python parser: what numpy never writes (escapes, expressions, comments) is an error.
 */
#include "codec/npy.h"
#include "base/checked.h"
#include "base/error.h"
#include "codec/bytes.h"
#include <stdio.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "layertap wants a little-endian machine");

static const char magic[6] = "\x93NUMPY";

static const struct {
    char kind;
    unsigned bytes;
    ltap_dtype dtype;
} types[] = {
    {'f', 4, LTAP_FLOAT32},   {'f', 8, LTAP_FLOAT64},     {'f', 2, LTAP_FLOAT16},
    {'b', 1, LTAP_BOOL},      {'i', 1, LTAP_INT8},        {'i', 2, LTAP_INT16},
    {'i', 4, LTAP_INT32},     {'i', 8, LTAP_INT64},       {'u', 1, LTAP_UINT8},
    {'u', 2, LTAP_UINT16},    {'u', 4, LTAP_UINT32},      {'u', 8, LTAP_UINT64},
    {'c', 8, LTAP_COMPLEX64}, {'c', 16, LTAP_COMPLEX128},
};
#define N_TYPES (sizeof types / sizeof types[0])

static const struct {
    char kind;
    const char *what;
} refused[] = {
    {'O', "Python objects (a pickle, which is never loaded)"},
    {'S', "byte strings"},
    {'a', "byte strings"},
    {'U', "text"},
    {'V', "raw bytes (numpy stores bfloat16 and float8 so)"},
    {'M', "dates"},
    {'m', "time spans"},
    {'f', "floats of another width"},
    {'c', "complex numbers of another width"},
};

typedef struct cursor {
    const char *text;
    size_t size, at;
    uint64_t base;
    ltap_npy *npy;
    ltap_error *error;
} cursor;

static int peek(const cursor *c)
{
    return c->at < c->size ? (unsigned char)c->text[c->at] : -1;
}

static void skip_space(cursor *c)
{
    while (c->at < c->size && memchr(" \t\r\n\f", c->text[c->at], 5))
        c->at++;
}

static bool take(cursor *c, char wanted)
{
    skip_space(c);
    if (peek(c) != wanted)
        return false;
    c->at++;
    return true;
}

static ltap_status expected(const cursor *c, const char *what)
{
    int found = peek(c);
    if (found < 0)
        return ltap_error_at(c->error, LTAP_ERROR_FORMAT, c->base + c->at,
                             "the npy header ends where %s is expected", what);
    return ltap_error_at(c->error, LTAP_ERROR_FORMAT, c->base + c->at,
                         "npy header: expected %s, found '%c'", what,
                         found >= 0x20 && found < 0x7F ? found : '?');
}

/* A quoted string without escapes, perhaps with Python 2's u in front. */
static ltap_status read_string(cursor *c, const char *what, const char **text, size_t *bytes)
{
    skip_space(c);
    c->at += peek(c) == 'u' && c->at + 1 < c->size && strchr("'\"", c->text[c->at + 1]);
    int quote = peek(c);
    if (quote != '\'' && quote != '"')
        return expected(c, what);
    size_t start = ++c->at;
    while (peek(c) >= 0x20 && peek(c) != quote && peek(c) != '\\')
        c->at++;
    if (peek(c) != quote)
        return expected(c, "a closing quote");
    *text = c->text + start;
    *bytes = c->at - start;
    c->at++;
    return LTAP_OK;
}

static ltap_status refuse_type(const cursor *c, size_t at, const char *descr, size_t bytes)
{
    char kind = bytes ? descr[strchr("<>|=", descr[0]) && bytes > 1] : ' ';
    int shown = bytes < 64 ? (int)bytes : 64;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (refused[i].kind == kind)
            return ltap_error_at(c->error, LTAP_ERROR_UNSUPPORTED, c->base + at,
                                 "elements of type '%.*s' are %s; convert them to numbers "
                                 "(numpy: x.astype('float32'))",
                                 shown, descr, refused[i].what);
    return ltap_error_at(c->error, LTAP_ERROR_UNSUPPORTED, c->base + at,
                         "the element type '%.*s' is not known; expected one like '<f4'", shown,
                         descr);
}

static ltap_status read_descr(cursor *c)
{
    skip_space(c);
    size_t start = c->at, bytes;
    const char *descr;
    if (peek(c) == '[' || peek(c) == '(' || peek(c) == '{')
        return ltap_error_at(c->error, LTAP_ERROR_UNSUPPORTED, c->base + start,
                             "a structured array (several fields an element); save its fields as "
                             "arrays of their own");
    LTAP_TRY(read_string(c, "a type like '<f4'", &descr, &bytes));
    bool order = bytes > 0 && strchr("<>|=", descr[0]);
    const char *code = descr + order;
    size_t left = bytes - order;
    unsigned width = 0;
    for (size_t i = 1; i < left && i < 4 && code[i] >= '0' && code[i] <= '9'; i++)
        width = width * 10 + (unsigned)(code[i] - '0');
    for (size_t i = 0; i < N_TYPES; i++) {
        size_t wanted = types[i].bytes > 9 ? 3 : 2;
        if (left != wanted || code[0] != types[i].kind || width != types[i].bytes)
            continue;
        c->npy->tensor.dtype = types[i].dtype;
        c->npy->big_endian = descr[0] == '>' && width > 1;
        return LTAP_OK;
    }
    return refuse_type(c, start, descr, bytes);
}

static ltap_status read_order(cursor *c)
{
    static const char *const words[] = {"False", "True"};
    skip_space(c);
    for (int i = 0; i < 2; i++) {
        size_t n = strlen(words[i]);
        if (c->size - c->at < n || memcmp(c->text + c->at, words[i], n) != 0)
            continue;
        c->at += n;
        c->npy->fortran = i == 1;
        return LTAP_OK;
    }
    return expected(c, "True or False");
}

static ltap_status read_dim(cursor *c, int64_t *dim)
{
    size_t start = c->at;
    for (*dim = 0; peek(c) >= '0' && peek(c) <= '9'; c->at++)
        if (__builtin_mul_overflow(*dim, 10, dim) ||
            __builtin_add_overflow(*dim, peek(c) - '0', dim))
            return ltap_error_at(c->error, LTAP_ERROR_FORMAT, c->base + start,
                                 "npy header: a dimension beyond 64 bits");
    if (c->at == start)
        return expected(c, "a dimension or ')'");
    c->at += peek(c) == 'L';
    return LTAP_OK;
}

static ltap_status read_shape(cursor *c)
{
    ltap_tensor *tensor = &c->npy->tensor;
    if (!take(c, '('))
        return expected(c, "a shape like (2, 3)");
    size_t start = c->at - 1;
    bool comma = true;
    tensor->rank = 0;
    while (!take(c, ')')) {
        int64_t dim;
        if (!comma)
            return expected(c, "',' or ')'");
        LTAP_TRY(read_dim(c, &dim));
        comma = take(c, ',');
        if (tensor->rank == LTAP_MAX_RANK)
            return ltap_error_at(c->error, LTAP_ERROR_UNSUPPORTED, c->base + start,
                                 "an array of more than %d dimensions", LTAP_MAX_RANK);
        tensor->dims[tensor->rank++] = dim;
    }
    if (tensor->rank == 1 && !comma)
        return ltap_error_at(c->error, LTAP_ERROR_FORMAT, c->base + start,
                             "npy header: expected a shape like (3,), found a number in brackets");
    return LTAP_OK;
}

static const struct {
    const char *name;
    ltap_status (*read)(cursor *c);
} keys[] = {{"descr", read_descr}, {"fortran_order", read_order}, {"shape", read_shape}};
#define N_KEYS 3

static ltap_status read_entry(cursor *c, unsigned *seen)
{
    const char *name;
    size_t bytes, key = 0;
    skip_space(c);
    size_t start = c->at;
    LTAP_TRY(read_string(c, "a key or '}'", &name, &bytes));
    while (key < N_KEYS &&
           (bytes != strlen(keys[key].name) || memcmp(name, keys[key].name, bytes) != 0))
        key++;
    if (key == N_KEYS || *seen & 1u << key)
        return ltap_error_at(c->error, LTAP_ERROR_FORMAT, c->base + start,
                             "npy header: the key '%.*s' %s; expected descr, fortran_order, shape",
                             bytes < 64 ? (int)bytes : 64, name,
                             key == N_KEYS ? "is not known" : "occurs twice");
    *seen |= 1u << key;
    if (!take(c, ':'))
        return expected(c, "':'");
    return keys[key].read(c);
}

static ltap_status read_dictionary(cursor *c)
{
    unsigned seen = 0;
    bool comma = true;
    if (!take(c, '{'))
        return expected(c, "'{'");
    while (!take(c, '}')) {
        if (!comma)
            return expected(c, "',' or '}'");
        LTAP_TRY(read_entry(c, &seen));
        comma = take(c, ',');
    }
    for (int i = 0; i < N_KEYS; i++)
        if (!(seen & 1u << i))
            return ltap_error_at(c->error, LTAP_ERROR_FORMAT, c->base + c->at,
                                 "npy header: the key '%s' is missing", keys[i].name);
    skip_space(c);
    return c->at == c->size ? LTAP_OK : expected(c, "the end of the header");
}

static ltap_status check_data(const cursor *c, size_t size)
{
    ltap_npy *npy = c->npy;
    uint64_t count, there = size - npy->data_offset;
    if (!ltap_dims_count(npy->tensor.rank, npy->tensor.dims, &count) ||
        !ltap_dtype_bytes(npy->tensor.dtype, count, &npy->data_bytes))
        return ltap_error_at(c->error, LTAP_ERROR_FORMAT, c->base,
                             "a shape of %s is too large for any memory",
                             ltap_shape_text(&npy->tensor).text);
    if (npy->data_bytes != there)
        return ltap_error_at(c->error, LTAP_ERROR_FORMAT, c->base + c->size,
                             "%s takes %llu bytes, %llu are there",
                             ltap_tensor_text(&npy->tensor).text,
                             (unsigned long long)npy->data_bytes, (unsigned long long)there);
    return LTAP_OK;
}

bool ltap_npy_probe(const void *bytes, size_t size)
{
    return size >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0;
}

/* Magic, version and length: where the dictionary begins and ends. */
static ltap_status read_frame(const uint8_t *p, size_t size, cursor *c)
{
    if (!ltap_npy_probe(p, size))
        return ltap_error_at(c->error, LTAP_ERROR_FORMAT, c->base, "not a .npy array");
    if (size < 8)
        return ltap_error_at(c->error, LTAP_ERROR_FORMAT, c->base + 6,
                             "the npy header is cut short");
    if (p[6] < 1 || p[6] > 3 || p[7] != 0)
        return ltap_error_at(c->error, LTAP_ERROR_UNSUPPORTED, c->base + 6,
                             "npy version %d.%d; expected 1.0, 2.0 or 3.0", p[6], p[7]);
    size_t start = p[6] == 1 ? 10 : 12;
    uint64_t length = UINT64_MAX;
    if (size >= start)
        length = p[6] == 1 ? ltap_load_u16(p + 8) : ltap_load_u32(p + 8);
    if (size < start || length > size - start)
        return ltap_error_at(c->error, LTAP_ERROR_FORMAT, c->base + 8,
                             "the npy header is cut short");
    c->at = start;
    c->size = start + (size_t)length;
    return LTAP_OK;
}

ltap_status ltap_npy_parse(const void *bytes, size_t size, uint64_t base, ltap_npy *npy,
                           ltap_error *error)
{
    cursor c = {.text = bytes, .base = base, .npy = npy, .error = error};
    memset(npy, 0, sizeof *npy);
    LTAP_TRY(read_frame(bytes, size, &c));
    npy->data_offset = c.size;
    LTAP_TRY(read_dictionary(&c));
    return check_data(&c, size);
}

static ltap_status find_type(const ltap_tensor *tensor, size_t *type, ltap_error *error)
{
    for (*type = 0; *type < N_TYPES; ++*type)
        if (types[*type].dtype == tensor->dtype)
            return LTAP_OK;
    return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                          "numpy has no type for %s; write .safetensors, or convert to float32",
                          ltap_dtype_name(tensor->dtype));
}

ltap_status ltap_npy_header(const ltap_tensor *tensor, char header[LTAP_NPY_HEADER_MAX],
                            size_t *bytes, ltap_error *error)
{
    size_t type, n = 10;
    LTAP_TRY(find_type(tensor, &type, error));
    n += (size_t)snprintf(header + n, LTAP_NPY_HEADER_MAX - n,
                          "{'descr': '%c%c%u', 'fortran_order': False, 'shape': (",
                          types[type].bytes == 1 ? '|' : '<', types[type].kind, types[type].bytes);
    for (int i = 0; i < tensor->rank; i++)
        n += (size_t)snprintf(header + n, LTAP_NPY_HEADER_MAX - n, "%s%lld", i ? ", " : "",
                              (long long)tensor->dims[i]);
    n +=
        (size_t)snprintf(header + n, LTAP_NPY_HEADER_MAX - n, tensor->rank == 1 ? ",), }" : "), }");
    size_t end = (n + 1 + 63) & ~(size_t)63;
    memset(header + n, ' ', end - n);
    header[end - 1] = '\n';
    memcpy(header, magic, sizeof magic);
    ltap_store_u16(ltap_store_u16((uint8_t *)header + 6, 1), (uint16_t)(end - 10));
    *bytes = end;
    return LTAP_OK;
}
