/* What the program says of its tensors and numbers. */
#include "formats/export/program.h"

#include "base/error.h"

#include <string.h>

static ltap_status read_dims(ltap_program *p, const ltap_json *meta, ltap_entry *entry,
                             ltap_error *error)
{
    const ltap_json *sizes = ltap_json_find(meta, "sizes");
    void *block;
    entry->dtype = ltap_export_dtype(ltap_json_find(meta, "dtype"));
    if (sizes == NULL || sizes->kind != LTAP_JSON_ARRAY)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, meta->offset,
                             "the tensor '%.100s' has no sizes", entry->name);
    if (sizes->count > LTAP_MAX_RANK)
        return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, meta->offset,
                             "the tensor '%.100s' has %zu dimensions; at most %d are supported",
                             entry->name, sizes->count, LTAP_MAX_RANK);
    LTAP_TRY(ltap_arena_take(p->scratch, sizes->count + 1, sizeof(int64_t), &block, error));
    int64_t *dims = block;
    for (const ltap_json *size = sizes->first; size != NULL; size = size->next)
        if (!ltap_export_size(size, &dims[entry->rank++]))
            return ltap_error_at(error, LTAP_ERROR_FORMAT, size->offset,
                                 "a size of the tensor '%.100s' is not a number of 0 or more",
                                 entry->name);
    entry->dims = dims;
    entry->meta = meta;
    return LTAP_OK;
}

static ltap_status add_entry(ltap_program *p, const ltap_entry *entry, ltap_error *error)
{
    uint32_t index = (uint32_t)p->entries.count;
    LTAP_TRY(ltap_vector_push(&p->entries, entry, error));
    return ltap_map_set(&p->entry_by_name, entry->name, strlen(entry->name), index, error);
}

/* Numbers are tensors of one element in the graph. */
static ltap_status add_numbers(ltap_program *p, const ltap_json *list, ltap_dtype dtype,
                               ltap_error *error)
{
    static const int64_t one = 1;
    if (list == NULL || list->kind != LTAP_JSON_OBJECT)
        return LTAP_OK;
    for (const ltap_json *item = list->first; item != NULL; item = item->next) {
        ltap_entry entry = {.name = item->key,
                            .is_number = true,
                            .dtype = dtype,
                            .rank = 1,
                            .dims = &one,
                            .value = LTAP_NO_VALUE,
                            .base = LTAP_NO_ENTRY};
        if (ltap_entries_find(p, item->key) == LTAP_NO_ENTRY)
            LTAP_TRY(add_entry(p, &entry, error));
    }
    return LTAP_OK;
}

ltap_status ltap_entries_read(ltap_program *p, const ltap_json *graph, ltap_error *error)
{
    const ltap_json *tensors = ltap_json_find(graph, "tensor_values");
    if (tensors == NULL || tensors->kind != LTAP_JSON_OBJECT)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, graph->offset,
                             "the program says nothing of its tensors");
    for (const ltap_json *item = tensors->first; item != NULL; item = item->next) {
        ltap_entry entry = {.name = item->key, .value = LTAP_NO_VALUE, .base = LTAP_NO_ENTRY};
        if (item->key_bytes == 0 || item->key[0] == '\1')
            return ltap_error_at(error, LTAP_ERROR_FORMAT, item->offset,
                                 "a tensor has no proper name");
        LTAP_TRY(read_dims(p, item, &entry, error));
        LTAP_TRY(add_entry(p, &entry, error));
    }
    LTAP_TRY(add_numbers(p, ltap_json_find(graph, "sym_int_values"), LTAP_INT64, error));
    LTAP_TRY(add_numbers(p, ltap_json_find(graph, "sym_float_values"), LTAP_FLOAT64, error));
    return add_numbers(p, ltap_json_find(graph, "sym_bool_values"), LTAP_BOOL, error);
}

uint32_t ltap_entries_find(const ltap_program *p, const char *name)
{
    uint32_t entry;
    return ltap_map_get(&p->entry_by_name, name, strlen(name), &entry) ? entry : LTAP_NO_ENTRY;
}

/* "s77" of "Symbol('s77', positive=True, integer=True)"; NULL: it is more than a symbol. */
static ltap_status read_symbol(ltap_program *p, const ltap_json *size, const char **symbol,
                               ltap_error *error)
{
    static const char begins[] = "Symbol('";
    const ltap_json *expression = ltap_json_find(size, "as_expr");
    const ltap_json *text = expression ? ltap_json_find(expression, "expr_str") : NULL;
    *symbol = NULL;
    if (text == NULL || text->kind != LTAP_JSON_STRING ||
        strncmp(text->text, begins, strlen(begins)) != 0)
        return LTAP_OK;
    const char *name = text->text + strlen(begins), *end = strchr(name, '\'');
    if (end == NULL || end == name)
        return LTAP_OK;
    return ltap_arena_text(&p->graph->arena, name, (size_t)(end - name), symbol, error);
}

ltap_status ltap_entry_type(ltap_program *p, uint32_t index, ltap_type *type, ltap_error *error)
{
    const ltap_entry *entry = ltap_program_at(p, index);
    void *block;
    LTAP_TRY(ltap_arena_take(&p->graph->arena, (uint64_t)entry->rank + 1, sizeof(ltap_dim), &block,
                             error));
    ltap_dim *dims = block;
    const ltap_json *size = entry->meta ? ltap_json_find(entry->meta, "sizes")->first : NULL;
    for (int i = 0; i < entry->rank; i++) {
        dims[i].size = entry->dims[i];
        if (size != NULL)
            LTAP_TRY(read_symbol(p, size, &dims[i].symbol, error));
        size = size != NULL ? size->next : NULL;
    }
    *type = (ltap_type){LTAP_TYPE_TENSOR, entry->dtype, entry->rank, dims, NULL};
    return LTAP_OK;
}

static bool is_taken(const ltap_program *p, const char *name, bool is_input)
{
    uint32_t other;
    return ltap_graph_find(p->graph, name, &other) ||
           (!is_input && ltap_map_get(&p->modules, name, strlen(name), &other));
}

ltap_status ltap_entry_value(ltap_program *p, uint32_t index, bool is_input, uint32_t *value,
                             ltap_error *error)
{
    const ltap_entry *entry = ltap_program_at(p, index);
    const char *name = entry->name;
    while (is_taken(p, name, is_input))
        LTAP_TRY(ltap_arena_format(p->scratch, &name, error, "%%%s", name));
    LTAP_TRY(ltap_graph_value(p->graph, name, strlen(name), value, error));
    ltap_value *made = ltap_graph_at(p->graph, *value);
    return ltap_entry_type(p, index, &made->type, error);
}

bool ltap_entry_hints(const ltap_entry *entry, const char *what, int64_t hints[LTAP_MAX_RANK])
{
    const ltap_json *list = entry->meta ? ltap_json_find(entry->meta, what) : NULL;
    int count = 0;
    if (list == NULL || list->kind != LTAP_JSON_ARRAY || list->count > LTAP_MAX_RANK)
        return false;
    for (const ltap_json *item = list->first; item != NULL; item = item->next) {
        const ltap_json *expression = ltap_json_find(item, "as_expr");
        const ltap_json *hint = expression ? ltap_json_find(expression, "hint") : item;
        const ltap_json *number = hint != NULL ? ltap_json_find(hint, "as_int") : NULL;
        if (number == NULL || number->kind != LTAP_JSON_INT || number->integer < 0)
            return false;
        hints[count++] = number->integer;
    }
    return count == entry->rank;
}

bool ltap_entry_is_dense(const ltap_entry *entry)
{
    int64_t sizes[LTAP_MAX_RANK], strides[LTAP_MAX_RANK], expected = 1;
    if (!ltap_entry_hints(entry, "sizes", sizes) || !ltap_entry_hints(entry, "strides", strides))
        return true;
    for (int i = entry->rank; i-- > 0;) {
        if (sizes[i] != 1 && strides[i] != expected)
            return false;
        if (__builtin_mul_overflow(expected, sizes[i], &expected))
            return false;
    }
    return true;
}

/* Axes of the base that lie behind one another in memory are a run; each run must be whole axes of
 * the new shape, for its elements to have a stride. */
ltap_alias ltap_entry_reshaped(const ltap_entry *base, const ltap_entry *made)
{
    int64_t sizes[LTAP_MAX_RANK], strides[LTAP_MAX_RANK], wanted[LTAP_MAX_RANK];
    if (ltap_entry_is_dense(base))
        return LTAP_ALIAS_VIEW;
    if (!ltap_entry_hints(base, "sizes", sizes) || !ltap_entry_hints(base, "strides", strides) ||
        !ltap_entry_hints(made, "sizes", wanted))
        return LTAP_ALIAS_PERHAPS;
    int next = made->rank - 1;
    for (int last = base->rank - 1; last >= 0;) {
        int64_t run = sizes[last], covered = 1;
        int first = last;
        while (first > 0 && (sizes[first - 1] == 1 || strides[first - 1] == run * strides[last]))
            if (__builtin_mul_overflow(run, sizes[--first], &run))
                return LTAP_ALIAS_PERHAPS;
        while (next >= 0 && (covered < run || wanted[next] == 1))
            if (__builtin_mul_overflow(covered, wanted[next--], &covered))
                return LTAP_ALIAS_PERHAPS;
        if (covered != run)
            return LTAP_ALIAS_OWN;
        last = first - 1;
    }
    return LTAP_ALIAS_VIEW;
}
