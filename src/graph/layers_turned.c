/* Modules that turn axes and do not turn them back. Exporters drop a Transpose and its inverse
 * where they meet: where one block ends with the axes turned back and the next begins by turning
 * them again, neither is in the file, and the value before them looks like the block's own.
 *
 * What shows it is a Transpose inside one module whose inverse comes behind that module: the value
 * that the module hands out may be another one, and so may those of modules on the way.
 */
#include "graph/layers_build.h"

#include <string.h>

enum { MOST = 512 };

/* A Transpose, the one that undoes it, and the places in between, the last ones first. */
typedef struct turned_region {
    uint32_t opens, closes, path[MOST];
    size_t n_path;
} turned_region;

/* Channels to the end, 0 2 3 1, or back behind the batch, 0 3 1 2: what is turned for a block's
 * sake. NULL for others. */
static const ltap_attr *perm_of(const ltap_node *node)
{
    const ltap_attr *perm =
        strcmp(node->op_type, "Transpose") == 0 ? ltap_node_attr(node, "perm") : NULL;
    if (perm == NULL || perm->kind != LTAP_ATTR_INTS || perm->count < 3 || perm->u.ints[0] != 0)
        return NULL;
    int64_t last = (int64_t)perm->count - 1, step = perm->u.ints[1] == last ? -1 : 1;
    for (int64_t i = 1; i <= last; i++)
        if (perm->u.ints[i] != (step > 0 ? i % last + 1 : (i + last - 2) % last + 1))
            return NULL;
    return perm;
}

static bool are_inverse(const ltap_attr *a, const ltap_attr *b)
{
    if (a == NULL || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->u.ints[i] < 0 || (uint64_t)a->u.ints[i] >= b->count ||
            b->u.ints[a->u.ints[i]] != (int64_t)i)
            return false;
    return true;
}

/* Where the first input is made that is no weight. */
static uint32_t place_before(const ltap_tree *tree, const ltap_node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++) {
        uint32_t place = ltap_tree_maker(tree, node->inputs[i]);
        if (place != LTAP_NO_NODE)
            return place;
    }
    return LTAP_NO_NODE;
}

/* Goes back along first inputs, over what is turned back already, as brackets are matched. An
 * exchange of two axes undoes itself, so that any other one could be its partner: of these only
 * what no Reshape comes between (heads of attention are no layout). opened: per place the Transpose
 * that it turns back, or LTAP_NO_NODE. */
static bool find_region(const ltap_tree *tree, const uint32_t *opened, turned_region *region)
{
    const ltap_attr *perm = perm_of(ltap_tree_node(tree, region->closes));
    uint32_t place =
        perm != NULL ? place_before(tree, ltap_tree_node(tree, region->closes)) : LTAP_NO_NODE;
    for (region->n_path = 0; place != LTAP_NO_NODE && region->n_path < MOST;
         place = place_before(tree, ltap_tree_node(tree, place))) {
        const ltap_node *node = ltap_tree_node(tree, place);
        if (opened[place] != LTAP_NO_NODE) {
            place = opened[place];
            continue;
        }
        if (are_inverse(perm_of(node), perm)) {
            region->opens = place;
            return true;
        }
        if (are_inverse(perm, perm) && strcmp(node->op_type, "Reshape") == 0)
            return false;
        region->path[region->n_path++] = place;
    }
    return false;
}

static bool is_crossed(const ltap_tree *tree, uint32_t c, const turned_region *region)
{
    for (size_t i = 0; i < region->n_path; i++)
        if (ltap_tree_holds(ltap_tree_at(tree, c), region->path[i]))
            return true;
    return false;
}

static ltap_status doubt(const ltap_tree *tree, ltap_module_call *call, const turned_region *region,
                         ltap_error *error)
{
    if (call->doubt != NULL)
        return LTAP_OK;
    return ltap_arena_format(
        &tree->layers->arena, &call->doubt, error,
        "'%.200s' turns axes, '%.200s' in another module turns them back; where modules meet, "
        "exporters drop two such Transposes, so whether it ends with one is not in the file",
        ltap_tree_node(tree, region->opens)->name, ltap_tree_node(tree, region->closes)->name);
}

static bool is_alone(const ltap_tree *tree, uint32_t c)
{
    return ltap_tree_at(tree, c)->end - ltap_tree_at(tree, c)->begin == 1;
}

/* A module of one operation, or of torch.nn, ends with what is seen. */
static bool is_sure(const ltap_tree *tree, uint32_t c)
{
    return is_alone(tree, c) ||
           ltap_class_is_leaf(
               ltap_layers_at(tree->layers, ltap_tree_at(tree, c)->module)->class_name);
}

/* Whether the modules right inside a call hand values on while axes are turned: it is around both
 * Transposes, or around one and not the module of it. Inside that one, the axes are its own affair.
 */
static bool hands_on(const ltap_tree *tree, uint32_t c, uint32_t around,
                     const turned_region *region)
{
    if (c == around || c == LTAP_NO_CALL)
        return c == around;
    bool opens = ltap_tree_holds(ltap_tree_at(tree, c), region->opens);
    bool closes = ltap_tree_holds(ltap_tree_at(tree, c), region->closes);
    return opens != closes && c != tree->call_of[opens ? region->opens : region->closes];
}

static ltap_status doubt_between(const ltap_tree *tree, ltap_module_call **calls, uint32_t around,
                                 const turned_region *region, ltap_error *error)
{
    for (uint32_t c = 0; c < tree->calls.count; c++) {
        const ltap_tree_call *call = ltap_tree_at(tree, c);
        if (hands_on(tree, call->parent, around, region) && !ltap_tree_holds(call, region->opens) &&
            !ltap_tree_holds(call, region->closes) && !is_sure(tree, c) &&
            is_crossed(tree, c, region))
            LTAP_TRY(doubt(tree, calls[c], region, error));
    }
    return LTAP_OK;
}

static ltap_status doubt_region(const ltap_tree *tree, ltap_module_call **calls,
                                const turned_region *region, ltap_error *error)
{
    uint32_t around = tree->call_of[region->opens];
    bool any = false;
    if (region->n_path == 0)
        return LTAP_OK;
    uint32_t first = region->path[region->n_path - 1];
    if (around != LTAP_NO_CALL && is_alone(tree, around))
        return LTAP_OK; /* a Permute of its own says how the network lies from there on */
    for (; around != LTAP_NO_CALL && !ltap_tree_holds(ltap_tree_at(tree, around), region->closes);
         around = ltap_tree_at(tree, around)->parent) {
        if (!ltap_tree_holds(ltap_tree_at(tree, around), first))
            continue; /* it ends with the Transpose */
        any = true;
        LTAP_TRY(doubt(tree, calls[around], region, error));
    }
    return any ? doubt_between(tree, calls, around, region, error) : LTAP_OK;
}

ltap_status ltap_tree_turned(const ltap_tree *tree, ltap_module_call **calls, ltap_error *error)
{
    const size_t count = tree->layers->graph->is_built ? 0 : tree->flow->n_order;
    turned_region region;
    void *block;
    LTAP_TRY(ltap_arena_take(tree->scopes->arena, count + 1, sizeof(uint32_t), &block, error));
    uint32_t *opened = memset(block, 0xff, (count + 1) * sizeof(uint32_t));
    for (region.closes = 0; region.closes < count; region.closes++) {
        if (!find_region(tree, opened, &region))
            continue;
        opened[region.closes] = region.opens;
        LTAP_TRY(doubt_region(tree, calls, &region, error));
    }
    return LTAP_OK;
}
