/* Each operation of the program: what it reads is brought up to date, its row makes operations of
 * the graph, and these get its name and its modules. An operation that is not known keeps its own
 * name as that of an operator which layertap does not have.
 */
#include "formats/export/aten.h"

#include "base/error.h"

#include <string.h>

#define MAX_UNKNOWN_INPUTS 64 /* of an operator that is not known: the others change nothing */

static const char *text_of(const ltap_json *object, const char *key)
{
    const ltap_json *text = ltap_json_find(object, key);
    return text != NULL && text->kind == LTAP_JSON_STRING ? text->text : NULL;
}

/* Calls `each` with every name of a tensor or number in an argument, whatever lists it is in. */
static void for_names(ltap_program *p, const ltap_json *json, int depth,
                      void (*each)(ltap_program *p, const char *name))
{
    const char *name = ltap_arg_name(json);
    if (name != NULL) {
        each(p, name);
        return;
    }
    if ((json->kind != LTAP_JSON_ARRAY && json->kind != LTAP_JSON_OBJECT) || depth > 4)
        return;
    for (const ltap_json *item = json->first; item != NULL; item = item->next)
        for_names(p, item, depth + 1, each);
}

/* Tensors and numbers; not graphs and objects, which have names of their own kind. */
static bool holds_names(const ltap_json *arg)
{
    static const char *const kinds[] = {"as_tensor", "as_optional_tensor", "as_nested_tensor",
                                        "as_sym_"};
    const ltap_json *one = arg != NULL && arg->kind == LTAP_JSON_OBJECT ? arg->first : NULL;
    for (size_t i = 0; one != NULL && i < sizeof kinds / sizeof *kinds; i++)
        if (strncmp(one->key, kinds[i], strlen(kinds[i])) == 0)
            return true;
    return false;
}

static void for_inputs(ltap_program *p, void (*each)(ltap_program *p, const char *name))
{
    const ltap_json *inputs = ltap_json_find(p->node, "inputs");
    for (const ltap_json *row = inputs ? inputs->first : NULL; row != NULL; row = row->next)
        if (holds_names(ltap_json_find(row, "arg")))
            for_names(p, ltap_json_find(row, "arg"), 0, each);
}

static void bring_up_to_date(ltap_program *p, const char *name)
{
    uint32_t entry = ltap_entries_find(p, name);
    if (entry == LTAP_NO_ENTRY)
        ltap_program_take(p, ltap_error_at(p->error, LTAP_ERROR_FORMAT, p->node->offset,
                                           "an operation reads '%.100s', which the program does "
                                           "not describe",
                                           name));
    else
        ltap_entry_refresh(p, entry);
}

static size_t count_results(const ltap_json *outputs)
{
    size_t count = 0;
    for (const ltap_json *row = outputs->first; row != NULL; row = row->next) {
        const ltap_json *one = row->kind == LTAP_JSON_OBJECT ? row->first : NULL;
        count += one != NULL && one->kind == LTAP_JSON_ARRAY ? one->count : 1;
    }
    return count;
}

static ltap_status add_result(ltap_program *p, const ltap_json *item, ltap_error *error)
{
    const char *name = ltap_arg_name(item);
    uint32_t entry = name != NULL ? ltap_entries_find(p, name) : LTAP_NO_ENTRY;
    if (name != NULL && entry == LTAP_NO_ENTRY)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, item->offset,
                             "an operation makes '%.100s', which the program does not describe",
                             name);
    p->results[p->n_results] = LTAP_NO_VALUE;
    p->result_entries[p->n_results++] = entry;
    return LTAP_OK;
}

ltap_status ltap_program_results(ltap_program *p, const ltap_json *node, ltap_error *error)
{
    const ltap_json *outputs = ltap_json_find(node, "outputs");
    void *block;
    if (outputs == NULL || outputs->kind != LTAP_JSON_ARRAY)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, node->offset,
                             "an operation has no list of outputs");
    size_t count = count_results(outputs);
    LTAP_TRY(ltap_arena_take(p->scratch, 2 * count + 1, sizeof(uint32_t), &block, error));
    p->result_entries = block;
    p->results = p->result_entries + count;
    p->n_results = 0;
    for (const ltap_json *row = outputs->first; row != NULL; row = row->next) {
        const ltap_json *one = row->kind == LTAP_JSON_OBJECT ? row->first : NULL;
        if (one == NULL || one->kind != LTAP_JSON_ARRAY) {
            LTAP_TRY(add_result(p, one != NULL ? one : row, error));
            continue;
        }
        for (const ltap_json *item = one->first; item != NULL; item = item->next)
            LTAP_TRY(add_result(p, item, error));
    }
    return LTAP_OK;
}

/* Values of the graph for the results, named as they are in the program. */
static ltap_status name_results(ltap_program *p, ltap_error *error)
{
    void *block;
    LTAP_TRY(ltap_arena_take(p->scratch, p->n_results + 1, sizeof(uint32_t), &block, error));
    p->wanted = block;
    for (size_t i = 0; i < p->n_results; i++) {
        p->wanted[i] = LTAP_NO_VALUE;
        if (p->result_entries[i] == LTAP_NO_ENTRY)
            continue;
        if (ltap_program_at(p, p->result_entries[i])->value != LTAP_NO_VALUE)
            return ltap_error_at(error, LTAP_ERROR_FORMAT, p->node->offset,
                                 "'%.100s' is made twice",
                                 ltap_program_at(p, p->result_entries[i])->name);
        LTAP_TRY(ltap_entry_value(p, p->result_entries[i], false, &p->wanted[i], error));
    }
    return LTAP_OK;
}

static void push_input(ltap_program *p, const char *name)
{
    uint32_t entry = ltap_entries_find(p, name);
    uint32_t value = entry != LTAP_NO_ENTRY ? ltap_program_at(p, entry)->value : LTAP_NO_VALUE;
    ltap_node *node = LTAP_VECTOR_AT(&p->staged, ltap_node, p->staged.count - 1);
    if (value != LTAP_NO_VALUE && node->n_inputs < MAX_UNKNOWN_INPUTS)
        node->inputs[node->n_inputs++] = value;
}

/* "aten.foo.default", with what is not known of it. */
static ltap_status name_unknown(ltap_program *p, const char **name, ltap_error *error)
{
    static const char prefix[] = "torch.ops.";
    const char *target = text_of(p->node, "target");
    if (strncmp(target, prefix, strlen(prefix)) == 0)
        target += strlen(prefix);
    bool why = p->refusal != NULL && p->refusal[0] != '\0';
    return ltap_arena_format(&p->graph->arena, name, error, "%.100s%s%s%s", target, why ? " (" : "",
                             why ? p->refusal : "", why ? ")" : "");
}

/* Of results from `first` on. */
static ltap_status stage_unknown(ltap_program *p, size_t first, size_t count, ltap_error *error)
{
    ltap_node node = {.domain = "", .n_outputs = count, .outputs = p->wanted + first};
    void *block;
    LTAP_TRY(name_unknown(p, &node.op_type, error));
    LTAP_TRY(ltap_arena_take(p->scratch, MAX_UNKNOWN_INPUTS, sizeof(uint32_t), &block, error));
    node.inputs = block;
    p->refusal = NULL;
    LTAP_TRY(ltap_vector_push(&p->staged, &node, error));
    for_inputs(p, push_input);
    memcpy(p->results + first, p->wanted + first, count * sizeof *p->results);
    return LTAP_OK;
}

/* Results that are used, which the row does not make: the other ones work. */
static ltap_status stage_missing(ltap_program *p, ltap_error *error)
{
    for (size_t i = 1; i < p->n_results; i++) {
        uint32_t entry = p->result_entries[i];
        if (p->results[i] != LTAP_NO_VALUE || entry == LTAP_NO_ENTRY ||
            strstr(ltap_program_at(p, entry)->name, "_unused_") != NULL)
            continue;
        LTAP_TRY(ltap_arena_format(p->scratch, &p->refusal, error, "its result %zu", i));
        LTAP_TRY(stage_unknown(p, i, 1, error));
    }
    return LTAP_OK;
}

/* Gives what is staged to the graph. */
static ltap_status add_staged(ltap_program *p, const char *name, ltap_error *error)
{
    const char *scopes;
    const ltap_property *property = NULL;
    if (p->staged.count == 0)
        return LTAP_OK;
    LTAP_TRY(ltap_scopes_text(p, p->node, &scopes, error));
    if (scopes != NULL)
        LTAP_TRY(ltap_property_new(&p->graph->arena, LTAP_SCOPES_KEY, scopes, &property, error));
    for (size_t i = 0; i < p->staged.count; i++) {
        ltap_node *node = LTAP_VECTOR_AT(&p->staged, ltap_node, i);
        node->name = name;
        node->properties = property;
        node->n_properties = property != NULL;
        LTAP_TRY(ltap_graph_node_add(p->graph, node, NULL, error));
    }
    p->staged.count = 0;
    return LTAP_OK;
}

/* The entry of the first argument that is a tensor, when the operation begins. */
static uint32_t first_argument(const ltap_program *p)
{
    const ltap_json *inputs = ltap_json_find(p->node, "inputs");
    const ltap_json *arg = inputs && inputs->first ? ltap_json_find(inputs->first, "arg") : NULL;
    const char *name = arg != NULL && arg->kind == LTAP_JSON_OBJECT && arg->first != NULL
                           ? ltap_arg_name(arg->first)
                           : NULL;
    return name != NULL ? ltap_entries_find(p, name) : LTAP_NO_ENTRY;
}

static ltap_alias alias_of(const ltap_program *p, const ltap_entry *base, const ltap_entry *made)
{
    unsigned flags = p->row != NULL ? p->row->flags : 0;
    if (flags & LTAP_ATEN_VIEW)
        return LTAP_ALIAS_VIEW;
    if (flags & LTAP_ATEN_SAME)
        return base->dtype == made->dtype ? LTAP_ALIAS_SAME : LTAP_ALIAS_OWN;
    if (flags & LTAP_ATEN_RESHAPE)
        return ltap_entry_reshaped(base, made);
    if (flags & LTAP_ATEN_DENSE)
        return ltap_entry_is_dense(base) ? LTAP_ALIAS_SAME : LTAP_ALIAS_OWN;
    return LTAP_ALIAS_OWN;
}

static void settle_results(ltap_program *p, uint32_t base, bool writes)
{
    if (base == LTAP_NO_ENTRY)
        writes = false;
    if (writes && p->n_results > 0 && p->results[0] != LTAP_NO_VALUE)
        ltap_entry_write(p, base, p->results[0]);
    for (size_t i = 0; i < p->n_results; i++) {
        if (p->result_entries[i] == LTAP_NO_ENTRY)
            continue;
        ltap_entry *made = ltap_program_at(p, p->result_entries[i]);
        made->value = p->results[i];
        if (base == LTAP_NO_ENTRY || made->is_number)
            continue;
        const ltap_entry *from = ltap_program_at(p, base);
        made->alias = writes ? LTAP_ALIAS_SAME : alias_of(p, from, made);
        made->base = base;
        made->seen = from->writes;
        made->maker = p->node;
        made->row = p->row;
        made->slot = (uint32_t)i;
    }
}

/* "torch.ops.aten.relu_.default": overwrites its first argument. */
static bool overwrites(const char *target)
{
    const char *overload = strrchr(target, '.');
    return overload != NULL && overload - target > 2 && overload[-1] == '_' &&
           overload[-2] != '_' && strncmp(target, "torch.ops.aten.", 15) == 0;
}

/* stale: NULL, or why what is read is not known. */
static ltap_status make(ltap_program *p, const char *target, const char *stale, ltap_error *error)
{
    p->row = stale == NULL ? ltap_aten_find(target) : NULL;
    p->refusal = stale != NULL ? stale : p->row == NULL ? "" : NULL;
    LTAP_TRY(name_results(p, error));
    if (ltap_program_goes_on(p))
        p->row->map(p);
    LTAP_TRY(p->status);
    if (p->refusal == NULL && p->results[0] == LTAP_NO_VALUE)
        p->refusal = "";
    if (p->refusal != NULL) {
        p->row = NULL;
        p->staged.count = 0;
        LTAP_TRY(stage_unknown(p, 0, p->n_results, error));
    }
    LTAP_TRY(stage_missing(p, error));
    uint32_t named = p->wanted[0];
    return add_staged(p, named != LTAP_NO_VALUE ? ltap_graph_at(p->graph, named)->name : "", error);
}

static ltap_status read_node(ltap_program *p, const ltap_json *node, ltap_error *error)
{
    const char *target = text_of(node, "target");
    if (target == NULL)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, node->offset,
                             "an operation without a target");
    p->node = node;
    p->refusal = NULL;
    LTAP_TRY(ltap_program_results(p, node, error));
    if (p->n_results == 0)
        return LTAP_OK; /* an assertion about sizes */
    for_inputs(p, bring_up_to_date);
    LTAP_TRY(p->status);
    LTAP_TRY(add_staged(p, "", error)); /* views that were computed again */
    if (p->refusal == NULL && ltap_program_is_part(node, target))
        return ltap_program_part(p, node, error);
    LTAP_TRY(make(p, target, p->refusal, error));
    settle_results(p, first_argument(p), overwrites(target));
    LTAP_TRY(p->status);
    return add_staged(p, "", error); /* what a write put back into a base */
}

ltap_status ltap_program_nodes(ltap_program *p, const ltap_json *nodes, ltap_error *error)
{
    if (nodes == NULL || nodes->kind != LTAP_JSON_ARRAY)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "the program has no list of operations");
    for (const ltap_json *node = nodes->first; node != NULL; node = node->next)
        LTAP_TRY(read_node(p, node, error));
    return LTAP_OK;
}

/* In place of a value that is not known. */
static ltap_status add_unknown_value(ltap_program *p, uint32_t entry, uint32_t *value,
                                     ltap_error *error)
{
    ltap_node node = {.domain = "", .n_inputs = 1, .n_outputs = 1, .outputs = value};
    node.inputs = &ltap_program_at(p, entry)->value;
    LTAP_TRY(ltap_entry_value(p, entry, false, value, error));
    node.name = ltap_graph_at(p->graph, *value)->name;
    LTAP_TRY(
        ltap_arena_format(&p->graph->arena, &node.op_type, error, "aten.output (%s)", p->refusal));
    p->refusal = NULL;
    return ltap_graph_node_add(p->graph, &node, NULL, error);
}

ltap_status ltap_program_last(ltap_program *p, uint32_t entry, uint32_t *value, ltap_error *error)
{
    p->refusal = NULL;
    if (ltap_program_at(p, entry)->maker != NULL)
        p->node = ltap_program_at(p, entry)->maker;
    ltap_entry_refresh(p, entry);
    LTAP_TRY(p->status);
    if (p->refusal != NULL) {
        p->staged.count = 0;
        return add_unknown_value(p, entry, value, error);
    }
    *value = ltap_program_at(p, entry)->value;
    return add_staged(p, "", error);
}
