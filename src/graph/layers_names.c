/* Chains from names that are paths, as TensorFlow's are:
 * "StatefulPartitionedCall/model/conv2d/Relu:0" is the operation Relu of the layer conv2d of the
 * model.
 *
 * What converters put in is named after its neighbour ("BiasAdd__6"), and what they merge keeps the
 * name of one part, of its weights, or none. The first part that nearly all names share is the
 * model's own and left out. Keras 3 numbers every part ("model_1/conv2d_1"): the numbers are cut
 * where the layers stay different without.
 */
#include "graph/layers_build.h"

#include "base/error.h"
#include <ctype.h>
#include <string.h>

/* A name in parts: text[0, scope) is the path, then "/" and the operation. */
typedef struct split_name {
    const char *text;
    size_t scope;  /* bytes; 0: no path */
    bool inserted; /* put in by a converter: "...__12" */
} split_name;

typedef struct reader {
    const ltap_layers *layers;
    ltap_scopes *scopes;
    const char *root; /* the shared first part, or NULL */
    size_t root_bytes;
    bool numbered;          /* every part ends with "_N" */
    uint32_t *leaf;         /* per node: its scope, or LTAP_NO_STEP */
    uint32_t *parent_fused; /* per node: the scope that fused gives, or LTAP_NO_STEP */
} reader;

static size_t digits_before(const char *text, size_t end)
{
    size_t n = 0;
    while (n < end && isdigit((unsigned char)text[end - n - 1]))
        n++;
    return n;
}

/* Length without "_12" at the end; the whole where there is none. */
static size_t without_number(const char *text, size_t bytes)
{
    size_t n = digits_before(text, bytes);
    return n > 0 && n + 1 < bytes && text[bytes - n - 1] == '_' ? bytes - n - 1 : bytes;
}

/* Parts that wrap a whole network, or what was computed beforehand. */
static size_t wrapper_bytes(const char *text)
{
    static const char *const wrappers[] = {"StatefulPartitionedCall", "PartitionedCall",
                                           "ConstantFolding"};
    size_t part = strcspn(text, "/");
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++) {
        size_t n = strlen(wrappers[i]);
        if (text[part] == '/' && without_number(text, part) == n &&
            strncmp(text, wrappers[i], n) == 0)
            return part + 1;
    }
    return 0;
}

/* Parts inside a layer that only group its operations. */
static bool is_grouping(const char *part, size_t bytes)
{
    static const char *const groups[] = {"batchnorm", "Tensordot", "moments", "convolution",
                                         "einsum"};
    size_t n = without_number(part, bytes);
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (strlen(groups[i]) == n && strncmp(part, groups[i], n) == 0)
            return true;
    return false;
}

static size_t last_slash(const char *text, size_t bytes)
{
    while (bytes > 0 && text[bytes - 1] != '/')
        bytes--;
    return bytes > 0 ? bytes - 1 : 0;
}

/* "conv2d/BiasAdd/ReadVariableOp": what an operation of the layer reads. */
static bool names_variable(const char *leaf)
{
    return strncmp(leaf, "ReadVariableOp", 14) == 0 || strncmp(leaf, "merged_input", 12) == 0;
}

static split_name split(const char *name)
{
    split_name found = {.text = name};
    if (!ltap_name_is_usable(name) || name[0] == '/' || name[0] == '\1')
        return found;
    for (size_t skip; (skip = wrapper_bytes(found.text)) > 0;)
        found.text += skip;
    size_t end = strlen(found.text), slot = digits_before(found.text, end);
    if (slot > 0 && slot < end && found.text[end - slot - 1] == ':')
        end -= slot + 1;
    size_t number = digits_before(found.text, end);
    found.inserted = number > 0 && number + 2 < end && found.text[end - number - 1] == '_' &&
                     found.text[end - number - 2] == '_';
    found.scope = last_slash(found.text, end);
    if (last_slash(found.text, found.scope) > 0 && names_variable(found.text + found.scope + 1))
        found.scope = last_slash(found.text, found.scope);
    for (size_t up; (up = last_slash(found.text, found.scope)) > 0 &&
                    is_grouping(found.text + up + 1, found.scope - up - 1);)
        found.scope = up;
    return found;
}

static split_name split_output(const ltap_graph *graph, const ltap_node *node)
{
    bool has = node->n_outputs > 0 && node->outputs[0] != LTAP_NO_VALUE;
    return split(has ? ltap_graph_at(graph, node->outputs[0])->name : "");
}

/* Of an initializer that one operation reads alone: converters merge equal ones. */
static split_name split_input(const ltap_graph *graph, const ltap_node *node, size_t input)
{
    if (input >= node->n_inputs || node->inputs[input] == LTAP_NO_VALUE)
        return (split_name){.text = ""};
    const ltap_value *value = ltap_graph_at(graph, node->inputs[input]);
    return split(value->constant != NULL && value->n_consumers == 1 ? value->name : "");
}

/* The path of the operation that a Transpose before this one was put in for. */
static split_name split_producer(const ltap_graph *graph, const ltap_node *node)
{
    split_name none = {.text = ""};
    if (node->n_inputs == 0 || node->inputs[0] == LTAP_NO_VALUE)
        return none;
    uint32_t producer = ltap_graph_at(graph, node->inputs[0])->producer;
    if (producer == LTAP_NO_NODE)
        return none;
    split_name found = split(ltap_graph_node(graph, producer)->name);
    return found.inserted ? found : none;
}

static bool same_scope(split_name a, split_name b)
{
    return a.scope == b.scope && memcmp(a.text, b.text, a.scope) == 0;
}

static bool multiplies(const ltap_node *node)
{
    static const char *const types[] = {"Conv", "ConvTranspose", "MatMul", "Gemm"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(node->op_type, types[i]) == 0)
            return true;
    return false;
}

/* Whether the names of its weights say that a BatchNorm, or its factor, was multiplied in. */
static bool took_factor(const ltap_graph *graph, const ltap_node *node)
{
    if (!multiplies(node) || node->n_inputs < 2 || node->inputs[1] == LTAP_NO_VALUE)
        return false;
    const char *name = ltap_graph_at(graph, node->inputs[1])->name;
    return strstr(name, "_fused_bn") != NULL || strstr(name, "/merged_input") != NULL;
}

static split_name first_with_scope(const split_name *names, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++)
        if (names[i].scope > 0)
            return names[i];
    return names[count - 1];
}

/* Where an operation ran; *before: the layer whose operation it was before something was multiplied
 * in. */
static split_name place_of(const ltap_graph *graph, const ltap_node *node, split_name *before)
{
    split_name own = split(node->name), output = split_output(graph, node);
    split_name weight = split_input(graph, node, 1), bias = split_input(graph, node, 2);
    *before = (split_name){.text = ""};
    if (!multiplies(node))
        return own.scope > 0 || output.scope == 0 ? own : output;
    if (!took_factor(graph, node))
        return first_with_scope((const split_name[]){own, output, bias, weight}, 4);
    split_name after = first_with_scope((const split_name[]){output, bias, own}, 3);
    split_name parts[] = {weight, own, split_producer(graph, node)};
    for (size_t i = 0; i < 3 && before->scope == 0; i++)
        if (parts[i].scope > 0 && !same_scope(parts[i], after))
            *before = parts[i];
    return after;
}

static ltap_status find_root(reader *names, ltap_error *error)
{
    const ltap_graph *graph = names->layers->graph;
    ltap_status status = LTAP_OK;
    uint32_t scoped = 0, most = 0;
    ltap_map counts;
    ltap_map_init(&counts, names->scopes->memory);
    for (uint32_t n = 0; n < graph->nodes.count; n++) {
        split_name own = split(ltap_graph_node(graph, n)->name);
        size_t part = strcspn(own.text, "/");
        uint32_t count = 0;
        if (own.scope == 0)
            continue;
        scoped++;
        (void)ltap_map_get(&counts, own.text, part, &count);
        LTAP_GO(ltap_map_set(&counts, own.text, part, ++count, error));
        if (count > most) {
            most = count;
            names->root = own.text;
            names->root_bytes = part;
        }
    }
    if (most < scoped - scoped / 10)
        names->root = NULL;
done:
    ltap_map_clear(&counts);
    return status;
}

/* A layer of that name alone is no model. */
static bool in_root(const reader *names, split_name name)
{
    return names->root != NULL && name.scope >= names->root_bytes &&
           memcmp(name.text, names->root, names->root_bytes) == 0 &&
           (name.text[names->root_bytes] == '/' || name.scope == names->root_bytes);
}

static void check_root(reader *names)
{
    const ltap_graph *graph = names->layers->graph;
    bool deeper = false, all = true;
    for (uint32_t n = 0; n < graph->nodes.count && names->root != NULL; n++) {
        split_name own = split(ltap_graph_node(graph, n)->name);
        if (!in_root(names, own) || own.scope == names->root_bytes || own.inserted)
            continue;
        const char *part = own.text + names->root_bytes + 1;
        size_t bytes = strcspn(part, "/");
        deeper = true;
        all &= without_number(part, bytes) < bytes;
    }
    if (!deeper)
        names->root = NULL;
    names->numbered =
        deeper && all && without_number(names->root, names->root_bytes) < names->root_bytes;
}

/* Interns all parts of a path; the root's own scope is none. */
static ltap_status intern(reader *names, split_name name, uint32_t *leaf, ltap_error *error)
{
    uint32_t parent = LTAP_NO_STEP;
    size_t first = in_root(names, name) ? names->root_bytes + 1 : 1;
    int depth = 0;
    for (size_t i = first; i <= name.scope && depth < LTAP_MAX_STEP; i++) {
        if (i < name.scope && name.text[i] != '/')
            continue;
        LTAP_TRY(ltap_scopes_intern(names->scopes, name.text, i, parent, &parent, error));
        depth++;
    }
    *leaf = parent;
    return LTAP_OK;
}

static bool already_inside(const reader *names, const ltap_node *node, uint32_t scope)
{
    const ltap_graph *graph = names->layers->graph;
    if (node->n_inputs == 0 || node->inputs[0] == LTAP_NO_VALUE)
        return false;
    uint32_t producer = ltap_graph_at(graph, node->inputs[0])->producer;
    return producer != LTAP_NO_NODE && names->leaf[producer] == scope;
}

/* What a converter put in belongs to the layer that it is named after only behind that layer's own
 * operations: before them it changes what the layer is given. */
static ltap_status find_scopes(reader *names, uint8_t *known, ltap_error *error)
{
    const ltap_graph *graph = names->layers->graph;
    for (uint32_t n = 0; n < graph->nodes.count; n++) {
        const ltap_node *node = ltap_graph_node(graph, n);
        split_name before, place = place_of(graph, node, &before);
        names->leaf[n] = names->parent_fused[n] = LTAP_NO_STEP;
        if (place.scope == 0)
            continue;
        LTAP_TRY(intern(names, place, &names->leaf[n], error));
        known[n] = !split(node->name).inserted || multiplies(node) ||
                   already_inside(names, node, names->leaf[n]);
        if (!known[n])
            names->leaf[n] = LTAP_NO_STEP;
        if (before.scope > 0)
            LTAP_TRY(intern(names, before, &names->parent_fused[n], error));
    }
    return LTAP_OK;
}

static const char *last_part(const ltap_scope *scope)
{
    const char *slash = strrchr(scope->text, '/');
    return slash != NULL ? slash + 1 : scope->text;
}

/* "3/conv2d": the parent's number and the part without its own. */
static ltap_status sibling_key(const reader *names, const ltap_scope *scope, const char **key,
                               ltap_error *error)
{
    const char *part = last_part(scope);
    size_t bytes = strlen(part);
    return ltap_arena_format(names->scopes->arena, key, error, "%u/%.*s", (unsigned)scope->parent,
                             (int)(names->numbered ? without_number(part, bytes) : bytes), part);
}

static ltap_status count_siblings(const reader *names, ltap_map *counts, ltap_error *error)
{
    for (uint32_t s = 0; s < names->scopes->scopes.count; s++) {
        const char *key;
        uint32_t count = 0;
        LTAP_TRY(sibling_key(names, ltap_scopes_at(names->scopes, s), &key, error));
        (void)ltap_map_get(counts, key, strlen(key), &count);
        LTAP_TRY(ltap_map_set(counts, key, strlen(key), count + 1, error));
    }
    return LTAP_OK;
}

/* Parents stand before what is inside them. */
static ltap_status name_scopes(const reader *names, const ltap_map *counts, ltap_error *error)
{
    for (uint32_t s = 0; s < names->scopes->scopes.count; s++) {
        ltap_scope *scope = ltap_scopes_at(names->scopes, s);
        const char *key, *part = last_part(scope);
        uint32_t count = 0;
        LTAP_TRY(sibling_key(names, scope, &key, error));
        (void)ltap_map_get(counts, key, strlen(key), &count);
        if (count == 1)
            part = strchr(key, '/') + 1;
        bool inside = scope->parent != LTAP_NO_STEP;
        LTAP_TRY(
            ltap_arena_format(names->scopes->arena, &scope->component, error, "%s%s%s",
                              inside ? ltap_scopes_at(names->scopes, scope->parent)->component : "",
                              inside ? "." : "", part));
        scope->full_path = true;
    }
    return LTAP_OK;
}

static ltap_status fill_chain(const reader *names, uint32_t leaf, ltap_chain *chain,
                              ltap_error *error)
{
    uint32_t depth = 0;
    void *block;
    for (uint32_t s = leaf; s != LTAP_NO_STEP; s = ltap_scopes_at(names->scopes, s)->parent)
        depth++;
    LTAP_TRY(ltap_arena_take(names->scopes->arena, depth + 1, sizeof(ltap_step), &block, error));
    chain->steps = block;
    chain->n_steps = depth;
    for (uint32_t s = leaf; s != LTAP_NO_STEP; s = ltap_scopes_at(names->scopes, s)->parent)
        chain->steps[--depth] = (ltap_step){s, names->numbered ? 0 : LTAP_NO_TURN};
    return LTAP_OK;
}

static ltap_status fill_chains(const reader *names, const uint8_t *known, ltap_error *error)
{
    ltap_scopes *scopes = names->scopes;
    for (uint32_t n = 0; n < names->layers->graph->nodes.count; n++) {
        if (known[n])
            LTAP_TRY(fill_chain(names, names->leaf[n], &scopes->chains[n], error));
        if (names->parent_fused[n] != LTAP_NO_STEP)
            scopes->fused[n] = ltap_scopes_at(scopes, names->parent_fused[n])->component;
    }
    return LTAP_OK;
}

static bool has_paths(const ltap_graph *graph)
{
    size_t scoped = 0, named = 0;
    for (uint32_t n = 0; n < graph->nodes.count; n++) {
        const ltap_node *node = ltap_graph_node(graph, n);
        named += node->name[0] != '\0';
        scoped += split(node->name).scope > 0;
    }
    return scoped > 0 && scoped * 4 >= named;
}

static ltap_status take(reader *names, uint8_t **known, ltap_error *error)
{
    ltap_arena *arena = names->scopes->arena;
    size_t n = names->layers->graph->nodes.count + 1;
    void *blocks[4];
    LTAP_TRY(ltap_arena_take(arena, n, sizeof(uint32_t), &blocks[0], error));
    LTAP_TRY(ltap_arena_take(arena, n, sizeof(uint32_t), &blocks[1], error));
    LTAP_TRY(ltap_arena_take(arena, n, 1, &blocks[2], error));
    LTAP_TRY(ltap_arena_take(arena, n, sizeof(const char *), &blocks[3], error));
    names->leaf = blocks[0];
    names->parent_fused = blocks[1];
    *known = blocks[2];
    names->scopes->fused = blocks[3];
    return LTAP_OK;
}

ltap_status ltap_scopes_names(const ltap_layers *layers, const ltap_flow *flow, ltap_scopes *scopes,
                              bool *used, ltap_error *error)
{
    reader names = {.layers = layers, .scopes = scopes};
    ltap_status status;
    uint8_t *known;
    ltap_map counts;
    (void)flow;
    *used = has_paths(layers->graph);
    if (!*used)
        return LTAP_OK;
    ltap_map_init(&counts, scopes->memory);
    LTAP_GO(take(&names, &known, error));
    LTAP_GO(find_root(&names, error));
    check_root(&names);
    LTAP_GO(find_scopes(&names, known, error));
    LTAP_GO(count_siblings(&names, &counts, error));
    LTAP_GO(name_scopes(&names, &counts, error));
    LTAP_GO(fill_chains(&names, known, error));
done:
    ltap_map_clear(&counts);
    return status;
}

/* The number behind an operation, "BiasAdd_1": which call of its layer, where Keras counts them
 * there. */
static uint32_t number_of(const ltap_node *node)
{
    split_name name = split(node->name);
    size_t end = strlen(name.text), digits = digits_before(name.text, end);
    if (name.scope == 0 || digits == 0 || digits > 6 || name.text[end - digits - 1] != '_')
        return 0;
    uint32_t number = 0;
    for (size_t i = end - digits; i < end; i++)
        number = number * 10 + (uint32_t)(name.text[i] - '0');
    return number;
}

/* Whether two operations of a call read one weight: then it is several calls in one. */
static bool reads_twice(const ltap_tree *tree, const ltap_module_call *call, uint32_t *marks,
                        uint32_t mark)
{
    const ltap_graph *graph = tree->layers->graph;
    for (size_t i = 0; i < call->n_nodes; i++) {
        const ltap_node *node = ltap_graph_node(graph, call->nodes[i]);
        for (size_t k = 0; k < node->n_inputs; k++) {
            uint32_t weight = ltap_flow_weight(graph, node, k);
            if (weight == LTAP_NO_VALUE || ltap_graph_at(graph, weight)->n_consumers < 2 ||
                !multiplies(node))
                continue;
            if (marks[weight] == mark)
                return true;
            marks[weight] = mark;
        }
    }
    return false;
}

static bool calls_in_order(const ltap_tree *tree, const ltap_module *module)
{
    uint32_t before = 0;
    for (size_t c = 0; module->calls != NULL && c < module->n_calls; c++) {
        uint32_t number = number_of(ltap_tree_node(tree, module->calls[c].first));
        if (c > 0 && number <= before)
            return false;
        before = number;
    }
    return true;
}

static ltap_status doubt_calls(ltap_layers *layers, ltap_module *module, ltap_error *error)
{
    return ltap_arena_format(&layers->arena, &module->doubt, error,
                             "'%s' is called several times, and the file does not show which "
                             "operations are which call",
                             module->path);
}

/* Keras' own calls of a layer that is called twice may be mixed in the file, and then so are those
 * of what is around it. Modules stand before those inside them. */
ltap_status ltap_tree_names(ltap_tree *tree, ltap_error *error)
{
    ltap_layers *layers = tree->layers;
    uint32_t mark = 0;
    void *block;
    LTAP_TRY(ltap_arena_take(tree->scopes->arena, layers->graph->values.count + 1, sizeof(uint32_t),
                             &block, error));
    for (uint32_t m = (uint32_t)layers->modules.count; m-- > 0;) {
        ltap_module *module = ltap_layers_at(layers, m);
        bool mixed = module->n_calls > 1 && !calls_in_order(tree, module);
        for (size_t c = 0; c < module->n_calls && !mixed; c++)
            mixed = reads_twice(tree, &module->calls[c], block, ++mark);
        if (mixed && module->doubt == NULL)
            LTAP_TRY(doubt_calls(layers, module, error));
        if (module->doubt == NULL || module->parent == LTAP_NO_MODULE)
            continue;
        ltap_module *parent = ltap_layers_at(layers, module->parent);
        if (parent->doubt == NULL && parent->n_calls < module->n_calls)
            LTAP_TRY(doubt_calls(layers, parent, error));
    }
    return LTAP_OK;
}
