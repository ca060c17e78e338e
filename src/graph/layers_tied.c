/* One module under two parents, "a.pool" and "b.down" of one object. PyTorch's TorchScript exporter
 * names an object by the last attribute that holds it, so below the other parent it stands as
 * "/b/pool", where b may have a "pool" of its own. What is written so and looks like another
 * parent's "pool" may be either: that is marked, not guessed.
 *
 * Weights have whole paths, so only modules without are in question.
 */
#include "graph/layers_build.h"

#include <string.h>

/* What a call runs outside of modules inside it. */
typedef struct own_part {
    uint64_t sum;   /* of name, operations and attributes; 0: nothing, or weights */
    bool leaf;      /* and there is nothing else */
    uint32_t twin;  /* the first leaf of this sum, and */
    uint32_t other; /* of that one: the first of them below another parent; or LTAP_NO_CALL */
} own_part;

typedef struct tie_search {
    const ltap_tree *tree;
    own_part *parts; /* per call */
} tie_search;

static uint64_t mix_bytes(uint64_t sum, const void *bytes, size_t count)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < count; i++)
        sum = ltap_tree_mix(sum, p[i]);
    return ltap_tree_mix(sum, count);
}

static uint64_t mix_text(uint64_t sum, const char *text)
{
    return mix_bytes(sum, text, strlen(text));
}

static uint64_t mix_attr(uint64_t sum, const ltap_attr *attr)
{
    sum = mix_text(sum, attr->name);
    if (attr->kind == LTAP_ATTR_INT)
        return mix_bytes(sum, &attr->u.i, sizeof attr->u.i);
    if (attr->kind == LTAP_ATTR_FLOAT)
        return mix_bytes(sum, &attr->u.f, sizeof attr->u.f);
    if (attr->kind == LTAP_ATTR_STRING)
        return mix_bytes(sum, attr->u.s.data, attr->u.s.bytes);
    if (attr->kind == LTAP_ATTR_INTS)
        return mix_bytes(sum, attr->u.ints, attr->count * sizeof *attr->u.ints);
    return sum;
}

static const char *component_of(const ltap_tree *tree, const ltap_tree_call *call)
{
    const ltap_chain *chain = ltap_tree_chain(tree, call->begin);
    return ltap_scopes_at(tree->scopes, chain->steps[call->depth].scope)->component;
}

static own_part look_at(const ltap_tree *tree, const ltap_tree_call *call)
{
    const ltap_graph *graph = tree->layers->graph;
    own_part part = {.leaf = true, .twin = LTAP_NO_CALL, .other = LTAP_NO_CALL};
    uint64_t sum = mix_text(1, component_of(tree, call));
    bool any = false;
    for (uint32_t place = call->begin; place < call->end; place++) {
        const ltap_node *node = ltap_tree_node(tree, place);
        if (ltap_tree_chain(tree, place)->n_steps != call->depth + 1) {
            part.leaf = false;
            continue;
        }
        for (size_t i = 0; i < node->n_inputs; i++)
            if (ltap_flow_weight(graph, node, i) != LTAP_NO_VALUE)
                return part;
        sum = mix_text(sum, node->op_type);
        for (size_t i = 0; i < node->n_attrs; i++)
            sum = mix_attr(sum, &node->attrs[i]);
        any = true;
    }
    part.sum = any ? sum : 0;
    return part;
}

static uint32_t parent_of(const ltap_tree *tree, uint32_t call)
{
    return ltap_layers_at(tree->layers, ltap_tree_at(tree, call)->module)->parent;
}

static ltap_status find_twins(tie_search *search, ltap_map *leaves, ltap_error *error)
{
    const ltap_tree *tree = search->tree;
    for (uint32_t c = 0; c < tree->calls.count; c++) {
        own_part *part = &search->parts[c];
        *part = look_at(tree, ltap_tree_at(tree, c));
        if (part->sum == 0 || !part->leaf)
            continue;
        const char *key = (const char *)&part->sum;
        if (!ltap_map_get(leaves, key, sizeof part->sum, &part->twin)) {
            part->twin = c;
            LTAP_TRY(ltap_map_set(leaves, key, sizeof part->sum, c, error));
        }
        own_part *first = &search->parts[part->twin];
        if (first->other == LTAP_NO_CALL && parent_of(tree, c) != parent_of(tree, part->twin))
            first->other = c;
    }
    for (uint32_t c = 0; c < tree->calls.count; c++)
        if (search->parts[c].sum != 0 && search->parts[c].twin == LTAP_NO_CALL)
            ltap_map_get(leaves, (const char *)&search->parts[c].sum, sizeof(uint64_t),
                         &search->parts[c].twin);
    return LTAP_OK;
}

/* A leaf like the call's own part, of the same name below another parent; LTAP_NO_CALL: none. */
static uint32_t twin_elsewhere(const tie_search *search, uint32_t call)
{
    uint32_t twin = search->parts[call].twin;
    if (twin == LTAP_NO_CALL || parent_of(search->tree, twin) != parent_of(search->tree, call))
        return twin;
    return search->parts[twin].other;
}

/* "a.pool" of "a.pool_1". */
static bool find_base(const ltap_layers *layers, const char *path, uint32_t *base,
                      const char **suffix)
{
    char text[LTAP_MAX_SCOPE_NAME];
    size_t bytes;
    uint32_t turn;
    if (!ltap_name_turn(path, &bytes, &turn) || bytes >= sizeof text)
        return false;
    memcpy(text, path, bytes);
    text[bytes] = '\0';
    *suffix = path + bytes;
    return ltap_layers_find(layers, text, base);
}

/* Whether the module beside, like "pool" of "pool_1", has it. */
static bool has_numbered(const ltap_layers *layers, const char *path, const char *suffix)
{
    char text[LTAP_MAX_SCOPE_NAME];
    size_t bytes = strlen(path), more = strlen(suffix) + 1;
    uint32_t found;
    if (bytes + more > sizeof text)
        return false;
    memcpy(text, path, bytes);
    memcpy(text + bytes, suffix, more);
    return ltap_layers_find(layers, text, &found);
}

/* "pool" and "pool_1" do different things, and another parent has such a "pool" alone. */
static ltap_status doubt_pair(const tie_search *search, uint32_t call, ltap_error *error)
{
    const ltap_tree *tree = search->tree;
    ltap_layers *layers = tree->layers;
    ltap_module *module = ltap_layers_at(layers, ltap_tree_at(tree, call)->module);
    const char *suffix;
    uint32_t base;
    if (!find_base(layers, module->path, &base, &suffix))
        return LTAP_OK;
    uint32_t first = *LTAP_VECTOR_AT(&tree->first_calls, uint32_t, base);
    uint32_t twin = first != LTAP_NO_CALL ? twin_elsewhere(search, first) : LTAP_NO_CALL;
    if (twin == LTAP_NO_CALL || !search->parts[first].leaf)
        return LTAP_OK;
    const char *its = ltap_layers_at(layers, ltap_tree_at(tree, twin)->module)->path;
    if (has_numbered(layers, its, suffix))
        return LTAP_OK;
    LTAP_TRY(ltap_doubt_two(layers, ltap_layers_at(layers, base), error));
    return ltap_doubt_two(layers, module, error);
}

static ltap_status doubt_all(const tie_search *search, ltap_error *error)
{
    const ltap_tree *tree = search->tree;
    for (uint32_t c = 0; c < tree->calls.count; c++) {
        const own_part *part = &search->parts[c];
        if (part->sum == 0)
            continue;
        if (part->leaf)
            LTAP_TRY(doubt_pair(search, c, error));
        else if (twin_elsewhere(search, c) != LTAP_NO_CALL)
            LTAP_TRY(ltap_doubt_two(
                tree->layers, ltap_layers_at(tree->layers, ltap_tree_at(tree, c)->module), error));
    }
    return LTAP_OK;
}

ltap_status ltap_tree_tied(ltap_tree *tree, ltap_error *error)
{
    tie_search search = {.tree = tree};
    ltap_status status;
    ltap_map leaves;
    void *block;
    if (strcmp(tree->layers->exporter, "TorchScript exporter") != 0)
        return LTAP_OK;
    ltap_map_init(&leaves, tree->scopes->memory);
    LTAP_GO(ltap_arena_take(tree->scopes->arena, tree->calls.count + 1, sizeof(own_part), &block,
                            error));
    search.parts = block;
    LTAP_GO(find_twins(&search, &leaves, error));
    LTAP_GO(doubt_all(&search, error));
done:
    ltap_map_clear(&leaves);
    return status;
}
