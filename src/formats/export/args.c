/* Arguments of the operation at hand, by the names of ATen's schema. */
#include "formats/export/aten.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

const ltap_json *ltap_arg_find(const ltap_program *p, const char *name)
{
    const ltap_json *inputs = ltap_json_find(p->node, "inputs");
    for (const ltap_json *row = inputs ? inputs->first : NULL; row != NULL; row = row->next) {
        const ltap_json *its = ltap_json_find(row, "name"), *arg = ltap_json_find(row, "arg");
        if (its == NULL || arg == NULL || its->kind != LTAP_JSON_STRING ||
            strcmp(its->text, name) != 0)
            continue;
        bool none = arg->kind != LTAP_JSON_OBJECT || arg->first == NULL ||
                    strcmp(arg->first->key, "as_none") == 0;
        return none ? NULL : arg->first;
    }
    return NULL;
}

static bool is_key(const ltap_json *arg, const char *key)
{
    return arg != NULL && strcmp(arg->key, key) == 0;
}

const char *ltap_arg_name(const ltap_json *json)
{
    const ltap_json *name = ltap_json_find(json, "name");
    if (name == NULL)
        name = ltap_json_find(json, "as_name");
    if (name == NULL && ltap_json_find(json, "as_tensor") != NULL)
        name = ltap_json_find(ltap_json_find(json, "as_tensor"), "name");
    return name != NULL && name->kind == LTAP_JSON_STRING ? name->text : NULL;
}

ltap_operand ltap_operand_of(const ltap_entry *entry)
{
    return (ltap_operand){entry->value, entry->dtype, entry->rank, entry->dims};
}

static ltap_operand operand_named(ltap_program *p, const char *name)
{
    static const ltap_operand none = {.value = LTAP_NO_VALUE};
    uint32_t entry = name != NULL ? ltap_entries_find(p, name) : LTAP_NO_ENTRY;
    if (entry == LTAP_NO_ENTRY)
        return none;
    ltap_operand operand = ltap_operand_of(ltap_program_at(p, entry));
    if (operand.value == LTAP_NO_VALUE)
        ltap_program_refuse(p, "reads '%.60s', which is not computed", name);
    return operand;
}

ltap_operand ltap_arg_optional(ltap_program *p, const char *name)
{
    const ltap_json *arg = ltap_arg_find(p, name);
    if (is_key(arg, "as_optional_tensor"))
        arg = ltap_json_find(arg, "as_tensor");
    return operand_named(p, is_key(arg, "as_tensor") ? ltap_arg_name(arg) : NULL);
}

ltap_operand ltap_arg_tensor(ltap_program *p, const char *name)
{
    ltap_operand operand = ltap_arg_optional(p, name);
    if (!ltap_operand_is_there(operand))
        ltap_program_refuse(p, "without its tensor '%s'", name);
    return operand;
}

size_t ltap_arg_tensors(ltap_program *p, const char *name, const ltap_operand **tensors)
{
    const ltap_json *arg = ltap_arg_find(p, name);
    void *block = NULL;
    size_t count = 0;
    *tensors = NULL;
    if (arg == NULL || arg->kind != LTAP_JSON_ARRAY)
        return 0;
    ltap_program_take(
        p, ltap_arena_take(p->scratch, arg->count + 1, sizeof(ltap_operand), &block, p->error));
    if (block == NULL)
        return 0;
    ltap_operand *list = block;
    for (const ltap_json *item = arg->first; item != NULL; item = item->next)
        list[count++] = operand_named(p, ltap_arg_name(item));
    *tensors = list;
    return count;
}

static double read_number(ltap_program *p, const char *name, const ltap_json *arg)
{
    static const struct {
        const char *text;
        double number;
    } words[] = {{"Infinity", INFINITY}, {"inf", INFINITY}, {"-Infinity", -INFINITY},
                 {"-inf", -INFINITY},    {"NaN", NAN},      {"nan", NAN}};
    const ltap_json *inner = arg->kind == LTAP_JSON_OBJECT ? arg->first : arg;
    if (inner != NULL && inner->kind == LTAP_JSON_INT)
        return (double)inner->integer;
    if (inner != NULL && inner->kind == LTAP_JSON_DOUBLE)
        return inner->number;
    if (inner != NULL && inner->kind == LTAP_JSON_BOOL)
        return inner->boolean;
    for (size_t i = 0; inner != NULL && i < sizeof words / sizeof *words; i++)
        if (inner->kind == LTAP_JSON_STRING && strcmp(inner->text, words[i].text) == 0)
            return words[i].number;
    ltap_program_refuse(p, "its '%s' is not a number that is in the file", name);
    return 0;
}

double ltap_arg_float(ltap_program *p, const char *name, double otherwise)
{
    const ltap_json *arg = ltap_arg_find(p, name);
    return arg != NULL ? read_number(p, name, arg) : otherwise;
}

static int64_t read_int(ltap_program *p, const char *name, const ltap_json *arg)
{
    const ltap_json *inner = arg->kind == LTAP_JSON_OBJECT ? arg->first : arg;
    if (inner != NULL && inner->kind == LTAP_JSON_INT)
        return inner->integer;
    double number = read_number(p, name, arg);
    if (number >= -9e15 && number <= 9e15)
        return (int64_t)number;
    ltap_program_refuse(p, "its '%s' is not an integer", name);
    return 0;
}

int64_t ltap_arg_int(ltap_program *p, const char *name, int64_t otherwise)
{
    const ltap_json *arg = ltap_arg_find(p, name);
    return arg != NULL ? read_int(p, name, arg) : otherwise;
}

bool ltap_arg_bool(ltap_program *p, const char *name, bool otherwise)
{
    return ltap_arg_int(p, name, otherwise) != 0;
}

const char *ltap_arg_text(ltap_program *p, const char *name, const char *otherwise)
{
    const ltap_json *arg = ltap_arg_find(p, name);
    return arg != NULL && arg->kind == LTAP_JSON_STRING ? arg->text : otherwise;
}

size_t ltap_arg_count(const ltap_program *p, const char *name)
{
    const ltap_json *arg = ltap_arg_find(p, name);
    return arg != NULL && arg->kind == LTAP_JSON_ARRAY ? arg->count : 0;
}

size_t ltap_arg_ints(ltap_program *p, const char *name, int64_t numbers[LTAP_MAX_RANK])
{
    const ltap_json *arg = ltap_arg_find(p, name);
    size_t count = 0;
    if (arg != NULL && arg->kind != LTAP_JSON_ARRAY) {
        numbers[0] = read_int(p, name, arg);
        return 1;
    }
    if (arg != NULL && arg->count > LTAP_MAX_RANK) {
        ltap_program_refuse(p, "its '%s' has %zu numbers", name, arg->count);
        return 0;
    }
    for (const ltap_json *item = arg ? arg->first : NULL; item != NULL; item = item->next)
        numbers[count++] = read_int(p, name, item);
    return count;
}

void ltap_arg_window(ltap_program *p, const char *name, int count, int64_t otherwise,
                     int64_t *numbers)
{
    int64_t found[LTAP_MAX_RANK] = {otherwise};
    size_t n = ltap_arg_ints(p, name, found);
    if (n > 1 && n != (size_t)count)
        ltap_program_refuse(p, "its '%s' has %zu numbers; expected %d", name, n, count);
    for (int i = 0; i < count; i++)
        numbers[i] = found[n > 1 ? i : 0];
}

int ltap_arg_axis(ltap_program *p, const char *name, int64_t otherwise, int rank)
{
    int64_t axis = ltap_arg_int(p, name, otherwise);
    int64_t limit = rank > 0 ? rank : 1;
    if (axis >= -limit && axis < limit)
        return (int)(axis < 0 ? axis + limit : axis);
    ltap_program_refuse(p, "its '%s' is %lld, of a tensor with %d dimensions", name,
                        (long long)axis, rank);
    return 0;
}

/* A number or the name of one: int64[1]. */
static uint32_t size_value(ltap_program *p, const char *name, const ltap_json *item)
{
    const char *symbol = item->kind == LTAP_JSON_OBJECT ? ltap_arg_name(item) : NULL;
    if (symbol == NULL)
        return ltap_emit_int(p, read_int(p, name, item));
    ltap_operand operand = operand_named(p, symbol);
    if (!ltap_operand_is_there(operand)) {
        ltap_program_refuse(p, "its '%s' is not known", name);
        return LTAP_NO_VALUE;
    }
    return ltap_emit_cast(p, operand.value, operand.dtype, LTAP_INT64);
}

uint32_t ltap_arg_size(ltap_program *p, const char *name, int64_t otherwise)
{
    const ltap_json *arg = ltap_arg_find(p, name);
    return arg != NULL ? size_value(p, name, arg) : ltap_emit_int(p, otherwise);
}

static bool is_fixed(const ltap_json *list)
{
    for (const ltap_json *item = list->first; item != NULL; item = item->next)
        if (item->kind == LTAP_JSON_OBJECT && ltap_arg_name(item) != NULL)
            return false;
    return true;
}

uint32_t ltap_arg_sizes(ltap_program *p, const char *name)
{
    const ltap_json *arg = ltap_arg_find(p, name);
    uint32_t values[LTAP_MAX_RANK];
    int64_t numbers[LTAP_MAX_RANK];
    size_t count = 0;
    if (arg == NULL || arg->kind != LTAP_JSON_ARRAY || arg->count > LTAP_MAX_RANK) {
        ltap_program_refuse(p, "without a list '%s' of at most %d sizes", name, LTAP_MAX_RANK);
        return LTAP_NO_VALUE;
    }
    if (is_fixed(arg))
        return ltap_emit_ints(p, numbers, ltap_arg_ints(p, name, numbers));
    for (const ltap_json *item = arg->first; item != NULL; item = item->next)
        values[count++] = size_value(p, name, item);
    return ltap_emit_concat(p, values, count, 0);
}

/* A number of shape arithmetic as a number without dimensions. */
static ltap_operand number_term(ltap_program *p, ltap_operand number, ltap_dtype dtype)
{
    uint32_t value = ltap_emit_reshape_to(p, number.value, NULL, 0);
    return (ltap_operand){ltap_emit_cast(p, value, number.dtype, dtype), dtype, 0, NULL};
}

ltap_operand ltap_arg_term(ltap_program *p, const char *name, ltap_dtype dtype)
{
    const ltap_json *arg = ltap_arg_find(p, name);
    if (arg == NULL) {
        ltap_program_refuse(p, "without its '%s'", name);
        return (ltap_operand){.value = LTAP_NO_VALUE};
    }
    const char *symbol = arg->kind == LTAP_JSON_OBJECT ? ltap_arg_name(arg) : NULL;
    if (symbol == NULL)
        return (ltap_operand){ltap_emit_number(p, read_number(p, name, arg), dtype), dtype, 0,
                              NULL};
    ltap_operand operand = operand_named(p, symbol);
    if (!is_key(arg, "as_tensor"))
        return number_term(p, operand, dtype);
    operand.value = ltap_emit_cast(p, operand.value, operand.dtype, dtype);
    operand.dtype = dtype;
    return operand;
}

const ltap_entry *ltap_arg_result(ltap_program *p, size_t k)
{
    static const ltap_entry none = {.name = "", .value = LTAP_NO_VALUE};
    uint32_t entry = k < p->n_results ? p->result_entries[k] : LTAP_NO_ENTRY;
    return entry != LTAP_NO_ENTRY ? ltap_program_at(p, entry) : &none;
}

ltap_dtype ltap_arg_result_type(ltap_program *p)
{
    return ltap_arg_result(p, 0)->dtype;
}

uint32_t ltap_arg_self(ltap_program *p)
{
    return ltap_arg_term(p, "self", ltap_arg_result_type(p)).value;
}
