/* From an unpickled object to its tensors: the dictionary that holds most of them is the one that
 * counts, wherever it is nested. Nothing that the pickle says about a tensor is believed before it
 * is checked.
 */
#include "base/error.h"
#include "formats/torch/checkpoint.h"

#include <inttypes.h>
#include <string.h>

#define MAX_NESTED 32

enum { PLAIN, STORAGE, UNTYPED, TYPE, REBUILD, REBUILD_TYPED, PARAMETER };

#define STORAGE_ROW(name, dtype)                                                                   \
    {"torch", name, STORAGE, dtype},                                                               \
    {                                                                                              \
        "torch.storage", name, STORAGE, dtype                                                      \
    }
#define TYPE_ROW(name, dtype)                                                                      \
    {                                                                                              \
        "torch", name, TYPE, dtype                                                                 \
    }

const ltap_pickle_global ltap_torch_globals[] = {
    {"collections", "OrderedDict", LTAP_PICKLE_MAPPING, 0},
    {"collections", "defaultdict", LTAP_PICKLE_MAPPING, 0},
    {"collections", "Counter", LTAP_PICKLE_MAPPING, 0},
    {"torch._utils", "_rebuild_tensor_v2", REBUILD, 0},
    {"torch._utils", "_rebuild_tensor", REBUILD, 0},
    {"torch._utils", "_rebuild_tensor_v3", REBUILD_TYPED, 0},
    {"torch._utils", "_rebuild_parameter", PARAMETER, 0},
    {"torch._utils", "_rebuild_parameter_with_state", PARAMETER, 0},
    STORAGE_ROW("FloatStorage", LTAP_FLOAT32),
    STORAGE_ROW("DoubleStorage", LTAP_FLOAT64),
    STORAGE_ROW("HalfStorage", LTAP_FLOAT16),
    STORAGE_ROW("BFloat16Storage", LTAP_BFLOAT16),
    STORAGE_ROW("LongStorage", LTAP_INT64),
    STORAGE_ROW("IntStorage", LTAP_INT32),
    STORAGE_ROW("ShortStorage", LTAP_INT16),
    STORAGE_ROW("CharStorage", LTAP_INT8),
    STORAGE_ROW("ByteStorage", LTAP_UINT8),
    STORAGE_ROW("BoolStorage", LTAP_BOOL),
    STORAGE_ROW("ComplexFloatStorage", LTAP_COMPLEX64),
    STORAGE_ROW("ComplexDoubleStorage", LTAP_COMPLEX128),
    {"torch.storage", "UntypedStorage", UNTYPED, LTAP_UINT8},
    {"torch", "UntypedStorage", UNTYPED, LTAP_UINT8},
    TYPE_ROW("float32", LTAP_FLOAT32),
    TYPE_ROW("float64", LTAP_FLOAT64),
    TYPE_ROW("float16", LTAP_FLOAT16),
    TYPE_ROW("bfloat16", LTAP_BFLOAT16),
    TYPE_ROW("int64", LTAP_INT64),
    TYPE_ROW("int32", LTAP_INT32),
    TYPE_ROW("int16", LTAP_INT16),
    TYPE_ROW("int8", LTAP_INT8),
    TYPE_ROW("uint8", LTAP_UINT8),
    TYPE_ROW("uint16", LTAP_UINT16),
    TYPE_ROW("uint32", LTAP_UINT32),
    TYPE_ROW("uint64", LTAP_UINT64),
    TYPE_ROW("bool", LTAP_BOOL),
    TYPE_ROW("float8_e4m3fn", LTAP_FLOAT8E4M3FN),
    TYPE_ROW("float8_e5m2", LTAP_FLOAT8E5M2),
    {"torch", "Size", PLAIN, 0},
    {"torch", "device", PLAIN, 0},
    {"torch.serialization", "_get_layout", PLAIN, 0},
    {"argparse", "Namespace", PLAIN, 0},
    {"__torch__", NULL, LTAP_PICKLE_OBJECT, 0}, /* classes of TorchScript programs */
    {"torch.jit._pickle", "build_intlist", PLAIN, 0},
    {"torch.jit._pickle", "build_doublelist", PLAIN, 0},
    {"torch.jit._pickle", "build_boollist", PLAIN, 0},
    {"torch.jit._pickle", "build_tensorlist", PLAIN, 0},
    {"torch.jit._pickle", "restore_type_tag", PLAIN, 0},
    {"builtins", "set", PLAIN, 0},
    {"__builtin__", "set", PLAIN, 0},
    {"_codecs", "encode", PLAIN, 0},
    {"numpy", "dtype", PLAIN, 0},
    {"numpy.core.multiarray", "scalar", PLAIN, 0},
    {"numpy._core.multiarray", "scalar", PLAIN, 0},
    {NULL, NULL, 0, 0},
};

#define BAD(at, error, ...) ltap_error_at(error, LTAP_ERROR_FORMAT, at, __VA_ARGS__)

static bool is_natural(const ltap_pickle *value)
{
    return value->kind == LTAP_PICKLE_INT && value->integer >= 0;
}

static bool is_role(const ltap_pickle *value, int role)
{
    return value->kind == LTAP_PICKLE_GLOBAL && value->global->role == role;
}

static int call_role(const ltap_pickle *value)
{
    return value->kind == LTAP_PICKLE_CALL ? value->items[0]->global->role : PLAIN;
}

/* Whether it will be a tensor: a call of what rebuilds one, perhaps as a parameter. */
bool ltap_torch_is_tensor(const ltap_pickle *value)
{
    int role = call_role(value);
    return role == REBUILD || role == REBUILD_TYPED || role == PARAMETER;
}

/* ('storage', class, key, location, count[, view]) */
static ltap_status read_storage(ltap_torch_checkpoint *c, const ltap_pickle *value,
                                ltap_dtype dtype, uint32_t *index, ltap_error *error)
{
    const ltap_pickle *id = value->kind == LTAP_PICKLE_PERSISTENT ? value->items[0] : value;
    if (value->kind != LTAP_PICKLE_PERSISTENT || id->kind != LTAP_PICKLE_TUPLE || id->count < 5 ||
        id->items[0]->kind != LTAP_PICKLE_STRING || strcmp(id->items[0]->text, "storage") != 0 ||
        id->items[2]->kind != LTAP_PICKLE_STRING || !is_natural(id->items[4]))
        return BAD(value->offset, error,
                   "a tensor's storage is not described as torch.save does it");
    if (id->count > 5 && id->items[5]->kind != LTAP_PICKLE_NONE)
        return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, value->offset,
                             "a storage is a view of another one; save the file again with a newer "
                             "PyTorch");
    bool untyped = is_role(id->items[1], UNTYPED);
    if (!untyped && !is_role(id->items[1], STORAGE))
        return BAD(value->offset, error, "a storage is of a class that is none");
    ltap_torch_storage made = {.key = id->items[2]->text,
                               .dtype = untyped ? dtype : (ltap_dtype)id->items[1]->global->element,
                               .count = (uint64_t)id->items[4]->integer,
                               .at = value->offset};
    if (untyped)
        made.count /= ltap_dtype_bits(dtype) / 8;
    if (ltap_map_get(&c->storage_by_key, made.key, strlen(made.key), index)) {
        const ltap_torch_storage *known = LTAP_VECTOR_AT(&c->storages, ltap_torch_storage, *index);
        if (known->dtype == made.dtype && known->count == made.count)
            return LTAP_OK;
        return BAD(value->offset, error, "storage '%.40s' is described in two ways", made.key);
    }
    *index = (uint32_t)c->storages.count;
    LTAP_TRY(ltap_vector_push(&c->storages, &made, error));
    return ltap_map_set(&c->storage_by_key, made.key, strlen(made.key), *index, error);
}

static ltap_status read_dims(const ltap_pickle *tuple, int64_t dims[LTAP_MAX_RANK], int *rank,
                             ltap_error *error)
{
    if (tuple->kind == LTAP_PICKLE_CALL) /* torch.Size(sizes) */
        tuple = tuple->items[1]->count == 1 ? tuple->items[1]->items[0] : tuple;
    if (tuple->kind != LTAP_PICKLE_TUPLE)
        return BAD(tuple->offset, error, "a tensor's sizes or strides are not a tuple");
    if (tuple->count > LTAP_MAX_RANK)
        return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, tuple->offset,
                             "a tensor has %zu dimensions; at most %d are supported", tuple->count,
                             LTAP_MAX_RANK);
    for (size_t i = 0; i < tuple->count; i++) {
        if (!is_natural(tuple->items[i]))
            return BAD(tuple->items[i]->offset, error,
                       "a tensor's size or stride is not a number of 0 or more");
        dims[i] = tuple->items[i]->integer;
    }
    *rank = (int)tuple->count;
    return LTAP_OK;
}

/* Whether all elements lie in the storage. */
static ltap_status check_place(const ltap_torch_checkpoint *c, const ltap_torch_tensor *tensor,
                               ltap_error *error)
{
    const ltap_torch_storage *storage =
        LTAP_VECTOR_AT(&c->storages, ltap_torch_storage, tensor->storage);
    uint64_t count, last = tensor->first;
    bool fits = ltap_dims_count(tensor->shape.rank, tensor->shape.dims, &count);
    for (int i = 0; i < tensor->shape.rank && fits && count > 0; i++) {
        uint64_t step;
        fits = !__builtin_mul_overflow((uint64_t)tensor->shape.dims[i] - 1,
                                       (uint64_t)tensor->strides[i], &step) &&
               !__builtin_add_overflow(last, step, &last);
    }
    if (fits && (count == 0 || last < storage->count))
        return LTAP_OK;
    return BAD(tensor->at, error,
               "tensor '%.100s' reaches outside its storage of %" PRIu64 " elements", tensor->name,
               storage->count);
}

ltap_status ltap_torch_read_tensor(ltap_torch_checkpoint *c, const char *name,
                                   const ltap_pickle *value, ltap_error *error)
{
    ltap_torch_tensor tensor = {.name = name, .at = value->offset};
    int strides_rank = 0, depth = 0;
    while (call_role(value) == PARAMETER && depth++ < 4 && value->items[1]->count > 0)
        value = value->items[1]->items[0];
    int role = call_role(value);
    const ltap_pickle *args = role == REBUILD || role == REBUILD_TYPED ? value->items[1] : NULL;
    if (args == NULL || args->count < (role == REBUILD ? 4u : 7u) || !is_natural(args->items[1]))
        return BAD(value->offset, error, "tensor '%.100s' is not described as torch.save does it",
                   name);
    if (role == REBUILD_TYPED && !is_role(args->items[6], TYPE))
        return BAD(value->offset, error, "tensor '%.100s' has no type", name);
    size_t flags = role == REBUILD ? 6 : 7;
    if (args->count > flags && args->items[flags]->kind == LTAP_PICKLE_DICT &&
        args->items[flags]->count > 0)
        return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, value->offset,
                             "tensor '%.100s' is stored negated or conjugated; call resolve_neg() "
                             "and resolve_conj() before saving",
                             name);
    ltap_dtype dtype =
        role == REBUILD_TYPED ? (ltap_dtype)args->items[6]->global->element : LTAP_UINT8;
    LTAP_TRY(read_storage(c, args->items[0], dtype, &tensor.storage, error));
    tensor.first = (uint64_t)args->items[1]->integer;
    LTAP_TRY(read_dims(args->items[2], tensor.shape.dims, &tensor.shape.rank, error));
    LTAP_TRY(read_dims(args->items[3], tensor.strides, &strides_rank, error));
    if (strides_rank != tensor.shape.rank)
        return BAD(value->offset, error, "tensor '%.100s' has %d sizes and %d strides", name,
                   tensor.shape.rank, strides_rank);
    tensor.shape.dtype = LTAP_VECTOR_AT(&c->storages, ltap_torch_storage, tensor.storage)->dtype;
    return ltap_torch_add(c, &tensor, error);
}

ltap_status ltap_torch_add(ltap_torch_checkpoint *c, const ltap_torch_tensor *tensor,
                           ltap_error *error)
{
    uint32_t known, index = (uint32_t)c->tensors.count;
    LTAP_TRY(check_place(c, tensor, error));
    if (ltap_map_get(&c->tensor_by_name, tensor->name, strlen(tensor->name), &known))
        return BAD(tensor->at, error, "tensor '%.100s' stands twice in the file", tensor->name);
    LTAP_TRY(ltap_vector_push(&c->tensors, tensor, error));
    return ltap_map_set(&c->tensor_by_name, tensor->name, strlen(tensor->name), index, error);
}

static size_t count_tensors(const ltap_pickle *dict)
{
    size_t count = 0;
    for (size_t i = 0; i + 1 < dict->count; i += 2)
        count +=
            dict->items[i]->kind == LTAP_PICKLE_STRING && ltap_torch_is_tensor(dict->items[i + 1]);
    return count;
}

/* Each dictionary is looked at once, however often it is shared. */
static void find_largest(ltap_pickle *value, int depth, ltap_pickle **best, size_t *most)
{
    if (value->kind != LTAP_PICKLE_DICT || value->seen || depth > MAX_NESTED)
        return;
    value->seen = true;
    size_t count = count_tensors(value);
    if (count > *most) {
        *most = count;
        *best = value;
    }
    for (size_t i = 0; i + 1 < value->count; i += 2)
        find_largest(value->items[i + 1], depth + 1, best, most);
}

ltap_status ltap_torch_collect(ltap_torch_checkpoint *c, ltap_pickle *object, ltap_error *error)
{
    ltap_pickle *best = NULL;
    size_t most = 0;
    find_largest(object, 0, &best, &most);
    if (best == NULL)
        return BAD(object->offset, error, "the file holds no dictionary of tensors");
    for (size_t i = 0; i + 1 < best->count; i += 2)
        if (best->items[i]->kind == LTAP_PICKLE_STRING && ltap_torch_is_tensor(best->items[i + 1]))
            LTAP_TRY(ltap_torch_read_tensor(c, best->items[i]->text, best->items[i + 1], error));
    return LTAP_OK;
}
