/* torch.cond: its branches are graphs of the program, and become those of an If, which runs the one
 * that the condition says. What a branch reads of the program around it has the same name inside.
 */
#include "formats/export/aten.h"

#include "base/error.h"

#include <string.h>

#define MAX_BRANCHES 16 /* inside one another */

/* The condition, two branches, and what these are given. */
typedef struct choice {
    const ltap_json *branches[2], *operands;
} choice;

static bool read_choice(const ltap_json *node, choice *of)
{
    const ltap_json *inputs = ltap_json_find(node, "inputs");
    size_t n = 0;
    *of = (choice){{NULL, NULL}, NULL};
    for (const ltap_json *row = inputs ? inputs->first : NULL; row != NULL; row = row->next) {
        const ltap_json *arg = ltap_json_find(row, "arg");
        const ltap_json *one = arg != NULL && arg->kind == LTAP_JSON_OBJECT ? arg->first : NULL;
        const ltap_json *graph = arg != NULL ? ltap_json_find(arg, "as_graph") : NULL;
        if (graph != NULL && n < 2)
            of->branches[n++] = ltap_json_find(graph, "graph");
        else if (n == 2 && one != NULL && one->kind == LTAP_JSON_ARRAY)
            of->operands = one;
    }
    return of->branches[0] != NULL && of->branches[1] != NULL;
}

/* A value of the program around that has a name, for one that was made up. */
static ltap_status name_value(ltap_program *p, uint32_t entry, uint32_t *value, ltap_error *error)
{
    uint32_t from = *value;
    ltap_node node = {.op_type = "Identity",
                      .domain = "",
                      .inputs = &from,
                      .outputs = value,
                      .n_inputs = 1,
                      .n_outputs = 1};
    if (ltap_graph_at(p->graph, from)->name[0] != '\1')
        return LTAP_OK;
    LTAP_TRY(ltap_entry_value(p, entry, false, value, error));
    node.name = ltap_graph_at(p->graph, *value)->name;
    return ltap_graph_node_add(p->graph, &node, NULL, error);
}

/* The same in the branch, under its name. */
static ltap_status capture(ltap_program *p, ltap_graph *around, uint32_t outside, uint32_t inside,
                           ltap_error *error)
{
    ltap_graph *branch = p->graph;
    uint32_t value = ltap_program_at(p, outside)->value;
    if (value == LTAP_NO_VALUE) {
        ltap_program_refuse(p, "reads what is not computed");
        return LTAP_OK;
    }
    p->graph = around;
    ltap_status status = name_value(p, outside, &value, error);
    p->graph = branch;
    LTAP_TRY(status);
    const char *name = ltap_graph_at(around, value)->name;
    return ltap_graph_value(branch, name, strlen(name), &ltap_program_at(p, inside)->value, error);
}

static ltap_status capture_all(ltap_program *p, ltap_graph *around, const ltap_map *names,
                               const choice *of, const ltap_json *graph, ltap_error *error)
{
    const ltap_json *inputs = ltap_json_find(graph, "inputs");
    const ltap_json *operand = of->operands != NULL ? of->operands->first : NULL;
    const ltap_json *input = inputs && inputs->kind == LTAP_JSON_ARRAY ? inputs->first : NULL;
    for (; input != NULL && operand != NULL && ltap_program_goes_on(p); input = input->next) {
        const char *name = ltap_arg_name(operand);
        const char *own = input->kind == LTAP_JSON_OBJECT && input->first != NULL
                              ? ltap_arg_name(input->first)
                              : NULL;
        uint32_t outside = LTAP_NO_ENTRY;
        uint32_t inside = own != NULL ? ltap_entries_find(p, own) : LTAP_NO_ENTRY;
        operand = operand->next;
        if (name == NULL && own == NULL)
            continue; /* a number, which the branch has taken in */
        if (name == NULL || inside == LTAP_NO_ENTRY ||
            !ltap_map_get(names, name, strlen(name), &outside))
            return ltap_error_at(error, LTAP_ERROR_FORMAT, input->offset,
                                 "an input of a branch of the program is not described");
        LTAP_TRY(capture(p, around, outside, inside, error));
    }
    return LTAP_OK;
}

/* What a branch hands out is made in it. */
static ltap_status hand_out(ltap_program *p, const ltap_json *graph, size_t n_results,
                            ltap_error *error)
{
    const ltap_json *outputs = ltap_json_find(graph, "outputs");
    const ltap_json *output = outputs && outputs->kind == LTAP_JSON_ARRAY ? outputs->first : NULL;
    for (size_t i = 0; i < n_results; i++, output = output != NULL ? output->next : NULL) {
        const ltap_json *arg =
            output != NULL && output->kind == LTAP_JSON_OBJECT ? output->first : NULL;
        const char *name = arg != NULL ? ltap_arg_name(arg) : NULL, *empty = "";
        uint32_t entry = name != NULL ? ltap_entries_find(p, name) : LTAP_NO_ENTRY, value;
        if (entry == LTAP_NO_ENTRY || ltap_program_at(p, entry)->value == LTAP_NO_VALUE) {
            ltap_program_refuse(p, "its branches hand out what is not made");
            return LTAP_OK;
        }
        LTAP_TRY(ltap_program_last(p, entry, &value, error));
        uint32_t made = ltap_emit_one(p, "Identity", value);
        LTAP_TRY(p->status);
        LTAP_TRY(
            ltap_graph_node_add(p->graph, LTAP_VECTOR_AT(&p->staged, ltap_node, 0), NULL, error));
        p->staged.count = 0;
        LTAP_TRY(ltap_vector_push(&p->graph->outputs, &made, error));
        LTAP_TRY(ltap_vector_push(&p->graph->output_names, &empty, error));
    }
    return LTAP_OK;
}

static ltap_status read_branch(ltap_program *p, const choice *of, int branch, size_t n_results,
                               ltap_error *error)
{
    const ltap_json *graph = of->branches[branch];
    ltap_map names = p->entry_by_name;
    ltap_graph *around = p->graph;
    ltap_map_init(&p->entry_by_name, around->memory);
    ltap_status status = ltap_graph_new_inside(around, &p->graph, error);
    if (status == LTAP_OK) {
        p->graph->opset = around->opset;
        status = ltap_entries_read(p, graph, error);
    }
    if (status == LTAP_OK)
        status = capture_all(p, around, &names, of, graph, error);
    if (status == LTAP_OK && p->refusal == NULL)
        status = ltap_program_nodes(p, ltap_json_find(graph, "nodes"), error);
    if (status == LTAP_OK && p->refusal == NULL)
        status = hand_out(p, graph, n_results, error);
    ltap_map_clear(&p->entry_by_name);
    p->entry_by_name = names;
    return status;
}

static void cond(ltap_program *p)
{
    choice of;
    const ltap_program kept = *p;
    ltap_attr attrs[] = {{.name = "then_branch", .kind = LTAP_ATTR_GRAPH, .count = 1},
                         {.name = "else_branch", .kind = LTAP_ATTR_GRAPH, .count = 1}};
    ltap_graph **graphs;
    void *block = NULL;
    if (!read_choice(p->node, &of) || p->depth >= MAX_BRANCHES)
        ltap_program_refuse(p, "with branches inside more than %d branches", MAX_BRANCHES);
    ltap_program_take(p, ltap_arena_take(&p->graph->arena, 2, sizeof *graphs, &block, p->error));
    graphs = block;
    p->depth++;
    for (int i = 0; i < 2 && ltap_program_goes_on(p); i++) {
        ltap_program_take(p, read_branch(p, &of, i, kept.n_results, p->error));
        graphs[i] = p->graph;
        attrs[i].u.graphs = graphs + i;
        p->graph = kept.graph;
        p->staged.count = 0;
    }
    const char *refusal = p->refusal;
    ltap_program_resume(p, &kept);
    p->refusal = refusal;
    p->depth--;
    uint32_t outputs[LTAP_MAX_RANK];
    if (p->n_results > LTAP_MAX_RANK)
        ltap_program_refuse(p, "with %zu results", p->n_results);
    ltap_operand condition = ltap_arg_term(p, ltap_arg_find(p, "") ? "" : "pred", LTAP_BOOL);
    if (!ltap_program_goes_on(p))
        return;
    ltap_emit(p,
              (ltap_emit_node){.op_type = "If",
                               .inputs = &condition.value,
                               .n_inputs = 1,
                               .attrs = attrs,
                               .n_attrs = 2,
                               .n_outputs = p->n_results},
              outputs);
    for (size_t i = 0; i < p->n_results; i++)
        ltap_emit_result(p, i, outputs[i]);
}

const ltap_aten_row ltap_aten_control[] = {
    {.name = "torch.ops.higher_order.cond", .map = cond},
    {0},
};
