/* Outputs, named by the place that they have in what the model returns: "out" of a dictionary,
 * "output.0" of a tuple, "output" alone.
 */
#include "formats/export/program.h"

#include "base/error.h"

#include <string.h>

#define MAX_NESTED 32

typedef struct naming {
    ltap_program *p;
    const ltap_json *structure; /* of module_call_graph's first; its leaves are the outputs */
    const ltap_json *fields;    /* of named tuples */
    ltap_vector names;          /* const char * */
    ltap_error *error;
} naming;

static const ltap_json *find_string(const ltap_json *object, const char *key)
{
    const ltap_json *found = object != NULL ? ltap_json_find(object, key) : NULL;
    return found != NULL && found->kind == LTAP_JSON_STRING ? found : NULL;
}

/* The keys of a dictionary: its context is a JSON list of them. */
static ltap_status read_keys(naming *n, const ltap_json *spec, size_t count, const ltap_json **keys)
{
    const ltap_json *context = find_string(spec, "context"), *type = find_string(spec, "type");
    const ltap_json *tuple = type && n->fields ? ltap_json_find(n->fields, type->text) : NULL;
    *keys = tuple != NULL ? ltap_json_find(tuple, "fields") : NULL;
    if (*keys == NULL && context != NULL && context->text[0] == '[' &&
        ltap_json_parse_python(context->text, context->text_bytes, 0, n->p->scratch, keys, NULL) !=
            LTAP_OK)
        *keys = NULL;
    /* Of a defaultdict or a ModelOutput: [what makes values, [keys]]. */
    if (*keys != NULL && (*keys)->kind == LTAP_JSON_ARRAY && (*keys)->count == 2 &&
        (*keys)->first->next->kind == LTAP_JSON_ARRAY)
        *keys = (*keys)->first->next;
    if (*keys != NULL && ((*keys)->kind != LTAP_JSON_ARRAY || (*keys)->count != count))
        *keys = NULL;
    return LTAP_OK;
}

static ltap_status name_leaves(naming *n, const ltap_json *spec, const char *path, int depth)
{
    const ltap_json *type = ltap_json_find(spec, "type");
    const ltap_json *children = ltap_json_find(spec, "children_spec"), *keys;
    size_t index = 0;
    bool is_leaf = type == NULL || type->kind == LTAP_JSON_NULL;
    if (is_leaf || children == NULL || children->kind != LTAP_JSON_ARRAY || depth > MAX_NESTED)
        return ltap_vector_push(&n->names, &path, n->error);
    LTAP_TRY(read_keys(n, spec, children->count, &keys));
    const ltap_json *key = keys != NULL ? keys->first : NULL;
    for (const ltap_json *child = children->first; child != NULL; child = child->next, index++) {
        const char *inner;
        if (key != NULL && key->kind == LTAP_JSON_STRING)
            LTAP_TRY(ltap_arena_format(&n->p->graph->arena, &inner, n->error, "%s%s%.200s", path,
                                       path[0] ? "." : "", key->text));
        else
            LTAP_TRY(ltap_arena_format(&n->p->graph->arena, &inner, n->error, "%s.%zu",
                                       path[0] ? path : "output", index));
        LTAP_TRY(name_leaves(n, child, inner, depth + 1));
        key = key != NULL ? key->next : NULL;
    }
    return LTAP_OK;
}

static ltap_status read_names(naming *n, const ltap_json *module)
{
    const ltap_json *calls = ltap_json_find(module, "module_call_graph");
    const ltap_json *first = calls && calls->kind == LTAP_JSON_ARRAY ? calls->first : NULL;
    const ltap_json *signature = first ? ltap_json_find(first, "signature") : NULL;
    const ltap_json *text = find_string(signature, "out_spec"), *spec;
    if (text == NULL ||
        ltap_json_parse_python(text->text, text->text_bytes, 0, n->p->scratch, &spec, NULL) !=
            LTAP_OK ||
        spec->kind != LTAP_JSON_ARRAY || spec->count != 2)
        return LTAP_OK;
    n->fields = ltap_json_find(module, "treespec_namedtuple_fields");
    return name_leaves(n, spec->first->next, "", 0);
}

/* One that is returned twice is two outputs. */
static ltap_status add_output(naming *n, const ltap_json *arg, size_t index, size_t count)
{
    ltap_program *p = n->p;
    const ltap_json *tensor = ltap_json_find(arg, "as_tensor");
    const ltap_json *name = tensor != NULL ? ltap_json_find(tensor, "name") : NULL;
    if (name == NULL || name->kind != LTAP_JSON_STRING)
        return LTAP_OK; /* a number, or nothing */
    uint32_t entry = ltap_entries_find(p, name->text);
    if (entry == LTAP_NO_ENTRY || ltap_program_at(p, entry)->value == LTAP_NO_VALUE)
        return ltap_error_at(n->error, LTAP_ERROR_FORMAT, name->offset,
                             "the output '%.100s' is not made", name->text);
    uint32_t value;
    LTAP_TRY(ltap_program_last(p, entry, &value, n->error));
    const char *shown = name->text;
    if (n->names.count == count)
        shown = *LTAP_VECTOR_AT(&n->names, const char *, index);
    if (shown[0] == '\0')
        shown = "output";
    LTAP_TRY(ltap_arena_text(&p->graph->arena, shown, strlen(shown), &shown, n->error));
    ltap_graph_at(p->graph, value)->is_output = true;
    LTAP_TRY(ltap_vector_push(&p->graph->outputs, &value, n->error));
    return ltap_vector_push(&p->graph->output_names, &shown, n->error);
}

static const ltap_json *user_output(const ltap_json *spec)
{
    const ltap_json *user = ltap_json_find(spec, "user_output");
    return user != NULL ? ltap_json_find(user, "arg") : NULL;
}

static ltap_status add_outputs(naming *n, const ltap_json *module)
{
    const ltap_json *signature = ltap_json_find(module, "signature");
    const ltap_json *specs = signature ? ltap_json_find(signature, "output_specs") : NULL;
    size_t count = 0, index = 0;
    if (specs == NULL || specs->kind != LTAP_JSON_ARRAY)
        return ltap_error_at(n->error, LTAP_ERROR_FORMAT, module->offset,
                             "the program's signature has no outputs");
    for (const ltap_json *spec = specs->first; spec != NULL; spec = spec->next)
        count += user_output(spec) != NULL;
    for (const ltap_json *spec = specs->first; spec != NULL; spec = spec->next)
        if (user_output(spec) != NULL)
            LTAP_TRY(add_output(n, user_output(spec), index++, count));
    return LTAP_OK;
}

ltap_status ltap_program_outputs(ltap_program *p, const ltap_json *module, ltap_error *error)
{
    naming n = {.p = p, .error = error};
    ltap_vector_init(&n.names, p->graph->memory, sizeof(const char *));
    ltap_status status = read_names(&n, module);
    if (status == LTAP_OK)
        status = add_outputs(&n, module);
    ltap_vector_clear(&n.names);
    return status;
}
