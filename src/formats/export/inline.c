/* Parts of the program that run under another setting of gradients or of automatic precision: they
 * are graphs of their own with names of their own, and are read in place.
 */
#include "formats/export/aten.h"

#include "base/error.h"

#include <string.h>

#define MAX_INSIDE 16 /* graphs inside graphs */

typedef struct part {
    const ltap_json *graph;
    const ltap_json *args; /* rows of the inputs behind it */
} part;

/* The graph and what follows it; automatic precision that is on changes what runs: not read. */
static bool find_part(const ltap_json *node, bool precision, part *found)
{
    const ltap_json *inputs = ltap_json_find(node, "inputs");
    int n_flags = 0;
    for (const ltap_json *row = inputs ? inputs->first : NULL; row != NULL; row = row->next) {
        const ltap_json *arg = ltap_json_find(row, "arg");
        const ltap_json *flag = arg ? ltap_json_find(arg, "as_bool") : NULL;
        const ltap_json *graph = arg ? ltap_json_find(arg, "as_graph") : NULL;
        if (precision && flag != NULL && n_flags++ == 0 && flag->boolean)
            return false;
        if (graph == NULL)
            continue;
        *found = (part){ltap_json_find(graph, "graph"), row->next};
        return found->graph != NULL;
    }
    return false;
}

bool ltap_program_is_part(const ltap_json *node, const char *target)
{
    part found;
    if (strcmp(target, "torch.ops.higher_order.wrap_with_set_grad_enabled") == 0)
        return find_part(node, false, &found);
    return strcmp(target, "torch.ops.higher_order.wrap_with_autocast") == 0 &&
           find_part(node, true, &found);
}

static void share(ltap_program *p, uint32_t entry, uint32_t base)
{
    ltap_entry *made = ltap_program_at(p, entry);
    const ltap_entry *from = ltap_program_at(p, base);
    made->value = from->value;
    made->spoiled = from->spoiled;
    made->alias = LTAP_ALIAS_SAME;
    made->base = base;
    made->seen = from->writes;
}

static uint32_t entry_of(const ltap_map *names, const ltap_json *arg)
{
    const char *name = ltap_arg_name(arg);
    uint32_t entry;
    return name != NULL && ltap_map_get(names, name, strlen(name), &entry) ? entry : LTAP_NO_ENTRY;
}

/* The part's inputs are what stands behind it; names: around it. */
static ltap_status give_inputs(ltap_program *p, const part *of, const ltap_map *names,
                               ltap_error *error)
{
    const ltap_json *inputs = ltap_json_find(of->graph, "inputs"), *row = of->args;
    if (inputs == NULL || inputs->kind != LTAP_JSON_ARRAY)
        return LTAP_OK;
    for (const ltap_json *input = inputs->first; input != NULL; input = input->next) {
        const ltap_json *arg = row != NULL ? ltap_json_find(row, "arg") : NULL;
        uint32_t outside = arg && arg->first ? entry_of(names, arg->first) : LTAP_NO_ENTRY;
        uint32_t inside =
            input->first != NULL ? entry_of(&p->entry_by_name, input->first) : LTAP_NO_ENTRY;
        row = row != NULL ? row->next : NULL;
        if (outside == LTAP_NO_ENTRY || inside == LTAP_NO_ENTRY)
            return ltap_error_at(error, LTAP_ERROR_FORMAT, input->offset,
                                 "an input of a part of the program is not described");
        share(p, inside, outside);
    }
    return LTAP_OK;
}

static ltap_status take_outputs(ltap_program *p, const part *of, const uint32_t *results,
                                size_t n_results)
{
    const ltap_json *outputs = ltap_json_find(of->graph, "outputs");
    const ltap_json *output = outputs && outputs->kind == LTAP_JSON_ARRAY ? outputs->first : NULL;
    for (size_t i = 0; i < n_results && output != NULL; i++, output = output->next) {
        uint32_t inside = output->kind == LTAP_JSON_OBJECT && output->first != NULL
                              ? entry_of(&p->entry_by_name, output->first)
                              : LTAP_NO_ENTRY;
        if (inside != LTAP_NO_ENTRY && results[i] != LTAP_NO_ENTRY)
            share(p, results[i], inside);
    }
    return LTAP_OK;
}

static ltap_status read_part(ltap_program *p, const part *of, const ltap_map *names,
                             ltap_error *error)
{
    uint32_t *results = p->result_entries;
    size_t n_results = p->n_results;
    LTAP_TRY(ltap_entries_read(p, of->graph, error));
    LTAP_TRY(give_inputs(p, of, names, error));
    LTAP_TRY(ltap_program_nodes(p, ltap_json_find(of->graph, "nodes"), error));
    return take_outputs(p, of, results, n_results);
}

ltap_status ltap_program_part(ltap_program *p, const ltap_json *node, ltap_error *error)
{
    part of;
    ltap_map names = p->entry_by_name;
    if (!find_part(node, false, &of) || p->depth >= MAX_INSIDE)
        return ltap_error_at(error, LTAP_ERROR_UNSUPPORTED, node->offset,
                             "parts of the program are nested more than %d deep", MAX_INSIDE);
    p->depth++;
    ltap_map_init(&p->entry_by_name, p->graph->memory);
    ltap_status status = read_part(p, &of, &names, error);
    ltap_map_clear(&p->entry_by_name);
    p->entry_by_name = names;
    p->depth--;
    return status;
}
