/* The table of operators, and the checks that are the same for all of them.
 *
 * The list is ops.def; each line is one const struct in its family's file. Rules and kernels are
 * not here.
 */
#include "base/checked.h"
#include "ops/attributes.h"
#include "ops/op.h"
#include <string.h>

static const ltap_op *const table[] = {
#define LTAP_OP(id) &ltap_op_##id,
#include "ops/ops.def"
#undef LTAP_OP
};

size_t ltap_ops_count(void)
{
    return sizeof(table) / sizeof(table[0]);
}

const ltap_op *ltap_ops_at(size_t index)
{
    return table[index];
}

const ltap_op *ltap_ops_find(const char *domain, const char *name)
{
    for (size_t i = 0; i < ltap_ops_count(); i++)
        if (strcmp(table[i]->name, name) == 0 && strcmp(table[i]->domain, domain) == 0)
            return table[i];
    return NULL;
}

void ltap_ops_bind(ltap_graph *graph)
{
    for (size_t i = 0; i < graph->nodes.count; i++) {
        ltap_node *node = ltap_graph_node(graph, (uint32_t)i);
        node->op = ltap_ops_find(node->domain, node->op_type);
    }
    for (ltap_graph *child = graph->children; child; child = child->sibling)
        ltap_ops_bind(child);
}

static ltap_status check_count(size_t count, int min, int max, const char *what, ltap_error *error)
{
    if (count < (size_t)min)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "has %zu %ss, needs at least %d", count,
                              what, min);
    if (max >= 0 && count > (size_t)max)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "has %zu %ss, takes at most %d", count,
                              what, max);
    return LTAP_OK;
}

/* No product of dims may overflow, not even where another dim is 0: kernels multiply them freely.
 */
static ltap_status check_products(const ltap_tensor *t, ltap_error *error)
{
    uint64_t product = 16; /* bytes of the widest element */
    for (int i = 0; i < t->rank; i++)
        if (t->dims[i] > 0 &&
            (!ltap_checked_mul(product, (uint64_t)t->dims[i], &product) || product > INT64_MAX))
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "a tensor of shape %s is too large",
                                  ltap_shape_text(t).text);
    return LTAP_OK;
}

static ltap_status check_inputs(const ltap_op *op, const ltap_call *call, ltap_error *error)
{
    LTAP_TRY(check_count(call->n_inputs, op->min_inputs, op->max_inputs, "input", error));
    LTAP_TRY(check_count(call->n_outputs, op->min_outputs, op->max_outputs, "output", error));
    for (size_t i = 0; i < (size_t)op->min_inputs; i++)
        if (call->inputs[i].dtype == LTAP_UNDEFINED)
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "input %zu is missing", i);
    for (size_t i = 0; i < call->n_inputs; i++)
        LTAP_TRY(check_products(&call->inputs[i], error));
    return LTAP_OK;
}

static ltap_status check_outputs(const ltap_call *call, ltap_error *error)
{
    for (size_t i = 0; i < call->n_outputs; i++) {
        const ltap_tensor *t = &call->outputs[i];
        if (t->rank < 0 || t->rank > LTAP_MAX_RANK)
            return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                                  "output %zu has %d dimensions, at most %d are supported", i,
                                  t->rank, LTAP_MAX_RANK);
        LTAP_TRY(ltap_tensor_check(t, error));
        LTAP_TRY(check_products(t, error));
    }
    return LTAP_OK;
}

static ltap_status apply_rule(const ltap_call *call, ltap_error *error)
{
    const ltap_op *op = call->node->op;
    if (!op)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "layertap does not have this operator");
    LTAP_TRY(check_inputs(op, call, error));
    LTAP_TRY(ltap_attributes_check(call->node, error));
    LTAP_TRY(op->shape(call, error));
    return check_outputs(call, error);
}

ltap_status ltap_op_shape(const ltap_graph *graph, const ltap_call *call, ltap_error *error)
{
    ltap_status status = apply_rule(call, error);
    if (status == LTAP_OK)
        return LTAP_OK;
    return ltap_error_prefix(error, status, "%s", ltap_node_text(graph, call->node).text);
}
