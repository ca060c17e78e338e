/* What the dynamo exporter wrote at a node of the operation that it came from, "%view : [...] =
 * call_function[...](args = (%mean, ...": whether the node is still what was written, and whether
 * it read then what it reads now. Rewriting merges equal operations, and operations with the next
 * one.
 */
#include "graph/layers_build.h"

#include <string.h>

#define MAX_READERS 64 /* that are looked at: the cost stays linear */

static const char source_key[] = "pkg.torch.onnx.fx_node";

/* "%name" at p, and no longer name. */
static bool names_at(const char *p, const char *name)
{
    size_t bytes = strlen(name);
    return p[0] == '%' && strncmp(p + 1, name, bytes) == 0 && strchr(" ,)]:", p[1 + bytes]) != NULL;
}

static const char *arguments_of(const ltap_node *node)
{
    static const char arguments[] = "(args = (";
    const char *source = ltap_node_property(node, source_key);
    const char *first = source != NULL ? strstr(source, arguments) : NULL;
    return first != NULL ? first + strlen(arguments) : NULL;
}

bool ltap_node_is_as_written(const ltap_graph *graph, const ltap_node *node)
{
    const char *source = ltap_node_property(node, source_key), *first = arguments_of(node);
    return first != NULL && node->n_inputs > 0 && node->inputs[0] != LTAP_NO_VALUE &&
           node->n_outputs > 0 && node->outputs[0] != LTAP_NO_VALUE &&
           names_at(source, ltap_graph_at(graph, node->outputs[0])->name) &&
           names_at(first, ltap_graph_at(graph, node->inputs[0])->name);
}

bool ltap_nodes_share_source(const ltap_node *a, const ltap_node *b)
{
    const char *mine = ltap_node_property(a, source_key), *its = ltap_node_property(b, source_key);
    return mine != NULL && its != NULL && strcmp(mine, its) == 0;
}

const char *ltap_node_target(const ltap_node *node, size_t *bytes)
{
    static const char target[] = "[target=";
    const char *source = ltap_node_property(node, source_key);
    const char *at = source != NULL ? strstr(source, target) : NULL;
    at = at != NULL ? at + strlen(target) : node->op_type;
    *bytes = strcspn(at, "]");
    return at;
}

static bool mentions(const ltap_node *node, const char *name)
{
    for (const char *p = arguments_of(node); p != NULL; p = strchr(p + 1, '%'))
        if (names_at(p, name))
            return true;
    return false;
}

/* Whether the value's name is one that operations are written with: exporters give others to what
 * is inside an operation. */
static bool has_written_name(const ltap_graph *graph, const ltap_value *value)
{
    const char *source = ltap_node_property(ltap_graph_node(graph, value->producer), source_key);
    if (source != NULL && names_at(source, value->name))
        return true;
    for (size_t i = 0; i < value->n_consumers && i < MAX_READERS; i++)
        if (mentions(ltap_graph_node(graph, value->consumers[i]), value->name))
            return true;
    return false;
}

/* Whether the value lies inside one operation of those written. */
static bool is_within(const ltap_graph *graph, const ltap_value *value)
{
    for (size_t i = 0; i < value->n_consumers && i < MAX_READERS; i++)
        if (ltap_nodes_share_source(ltap_graph_node(graph, value->producer),
                                    ltap_graph_node(graph, value->consumers[i])))
            return true;
    return false;
}

/* Whether a value is read as often as its operation was written to be: were others that equal it
 * merged with it, it would be read more often. Where that is not written, as of a BatchNorm's first
 * output: only the same modules on the same input would make what a folded convolution does. */
static bool has_its_own_readers(const ltap_graph *graph, const ltap_value *value)
{
    static const char users[] = "[num_users=";
    const char *source = ltap_node_property(ltap_graph_node(graph, value->producer), source_key);
    const char *at = source != NULL && names_at(source, value->name) ? strstr(source, users) : NULL;
    size_t count = 0;
    if (at == NULL && ltap_node_fused_norm(ltap_graph_node(graph, value->producer)))
        return !value->is_output;
    if (at == NULL || value->is_output)
        return false;
    for (at += strlen(users); *at >= '0' && *at <= '9' && count <= value->n_consumers; at++)
        count = count * 10 + (size_t)(*at - '0');
    return *at == ']' && count == value->n_consumers;
}

ltap_use ltap_node_use(const ltap_graph *graph, const ltap_node *node, uint32_t value)
{
    const ltap_value *v = ltap_graph_at(graph, value);
    if (arguments_of(node) == NULL || mentions(node, v->name) || v->producer == LTAP_NO_NODE)
        return LTAP_USE_WRITTEN;
    /* Of a convolution into which a BatchNorm was folded, the BatchNorm's own text is left. */
    if (ltap_node_fused_norm(node) && has_its_own_readers(graph, v))
        return LTAP_USE_WRITTEN;
    if (has_written_name(graph, v))
        return LTAP_USE_OTHER;
    return is_within(graph, v) ? LTAP_USE_WITHIN : LTAP_USE_WRITTEN;
}
