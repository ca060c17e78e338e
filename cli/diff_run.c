/* Running and comparing. Pairs go through in groups, in the order of execution, each group small
 * enough that the features of both sides fit in memory beside the networks; a network that needs
 * several groups is run several times, each time only as far as the group needs. */
#include "cli/diff.h"
#include <stdlib.h>
#include <string.h>

/* Pairs of one pass, first to end in diff->order, and what computes them. */
typedef struct group {
    size_t first, end;
    ltap_getter *getters[2];
    ltap_run *runs[2];
    ltap_features *features[2];
    int64_t done; /* rows */
} group;

/* --- order ----------------------------------------------------------------------------------- */

typedef struct place {
    size_t value, layer, pair;
} place;

static int compare_places(const void *left, const void *right)
{
    const place *a = left, *b = right;
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    if (a->layer != b->layer)
        return a->layer < b->layer ? -1 : 1;
    return a->pair < b->pair ? -1 : a->pair > b->pair;
}

/* That of A, unless only B is a model. */
static ltap_status sort_pairs(cli_diff *diff, ltap_error *error)
{
    const cli_match *match = &diff->match;
    int side = diff->sides[0].arrays && !diff->sides[1].arrays;
    place *places = calloc(match->n_pairs + 1, sizeof(*places));
    diff->order = calloc(match->n_pairs + 1, sizeof(*diff->order));
    if (!places || !diff->order) {
        free(places);
        return cli_error_memory(error);
    }
    for (size_t i = 0; i < match->n_pairs; i++) {
        const cli_pair *pair = &match->pairs[i];
        if (pair->is_chosen)
            places[diff->n_order++] = (place){pair->value[side], pair->layer[side], i};
    }
    qsort(places, diff->n_order, sizeof(*places), compare_places);
    for (size_t i = 0; i < diff->n_order; i++)
        diff->order[i] = places[i].pair;
    free(places);
    return LTAP_OK;
}

/* --- groups ---------------------------------------------------------------------------------- */

enum { UNKNOWN_BYTES = 16 << 20 };

static uint64_t pair_bytes(const cli_diff *diff, const cli_pair *pair)
{
    uint64_t most = 0;
    for (int side = 0; side < 2; side++) {
        const ltap_tensor *shape = &cli_diff_layer(diff, pair, side)->shape;
        uint64_t bytes = shape->dtype == LTAP_UNDEFINED ? UNKNOWN_BYTES : ltap_tensor_bytes(shape);
        if (diff->sides[side].all && bytes > most)
            most = bytes;
    }
    return most;
}

static size_t find_end(const cli_diff *diff, size_t first)
{
    uint64_t bytes = 0;
    size_t end = first;
    while (end < diff->n_order) {
        bytes += pair_bytes(diff, &diff->match.pairs[diff->order[end]]);
        if (end > first && bytes > diff->memory)
            break;
        end++;
    }
    return end;
}

static size_t count_groups(const cli_diff *diff)
{
    size_t count = 0;
    for (size_t first = 0; first < diff->n_order; first = find_end(diff, first))
        count++;
    return count;
}

static ltap_status open_side(const cli_diff *diff, group *g, int side, ltap_error *error)
{
    size_t n = g->end - g->first;
    const cli_side *s = &diff->sides[side];
    ltap_return_layer *layers = calloc(n + 1, sizeof(*layers));
    char(*keys)[24] = calloc(n + 1, sizeof(*keys));
    ltap_status status = layers && keys ? LTAP_OK : cli_error_memory(error);
    for (size_t i = 0; status == LTAP_OK && i < n; i++) {
        const cli_pair *pair = &diff->match.pairs[diff->order[g->first + i]];
        snprintf(keys[i], sizeof(keys[i]), "%zu", i);
        layers[i] = (ltap_return_layer){cli_diff_layer(diff, pair, side)->name, keys[i]};
    }
    if (status == LTAP_OK)
        status = ltap_getter_new(s->model.model, layers, n, &s->options, &g->getters[side], error);
    if (status == LTAP_OK)
        status = ltap_run_new(g->getters[side], &g->runs[side], error);
    free(layers);
    free(keys);
    return status;
}

static void close_side(group *g, int side)
{
    ltap_run_free(g->runs[side]);
    ltap_getter_free(g->getters[side]);
    g->runs[side] = NULL;
    g->getters[side] = NULL;
}

static void close_group(group *g)
{
    for (int side = 0; side < 2; side++) {
        ltap_features_free(g->features[side]);
        close_side(g, side);
    }
}

/* --- comparing ------------------------------------------------------------------------------- */

static ltap_tensor tensor_of(const cli_diff *diff, const group *g, size_t index, int side)
{
    const cli_pair *pair = &diff->match.pairs[diff->order[g->first + index]];
    if (g->features[side])
        return ltap_features_at(g->features[side], index)->tensor;
    return cli_diff_layer(diff, pair, side)->shape;
}

/* Where the inputs went through in batches, the rows of a file's array that belong to this one;
 * where a batch was filled up, a feature's rows without the surplus. */
static int take_rows(const cli_batch *batch, int64_t done, int64_t total, ltap_tensor *feature,
                     ltap_tensor *array)
{
    int64_t ran = batch->rows + batch->filled;
    if ((done == 0 && batch->is_last && batch->filled == 0) || feature->rank == 0 ||
        array->rank != feature->rank || ran == 0 || feature->dims[0] % ran != 0)
        return 0;
    int64_t each = feature->dims[0] / ran;
    if (array->dims[0] != each * total || array->dims[0] == 0)
        return 0;
    uint64_t row = ltap_tensor_bytes(array) / (uint64_t)array->dims[0];
    array->data = (char *)array->data + (uint64_t)(each * done) * row;
    array->dims[0] = feature->dims[0] = each * batch->rows;
    return 1;
}

/* Rows that another batch adds to a feature. */
static int64_t grows(const cli_batch *batch, const ltap_tensor *feature)
{
    int64_t ran = batch->rows + batch->filled;
    int follows = feature->rank > 0 && ran > 0 && feature->dims[0] % ran == 0;
    return follows ? feature->dims[0] / ran * batch->rows : 0;
}

static ltap_status compare_pair(cli_diff *diff, const group *g, size_t index,
                                const cli_batch *batch, ltap_error *error)
{
    cli_pair *pair = &diff->match.pairs[diff->order[g->first + index]];
    ltap_tensor a = tensor_of(diff, g, index, 0), b = tensor_of(diff, g, index, 1);
    int64_t total = diff->inputs ? cli_inputs_rows(diff->inputs) : 0;
    if (g->done == 0) {
        pair->tensors[0] = a;
        pair->tensors[1] = b;
    }
    int file = !g->features[0] ? 0 : !g->features[1] ? 1 : -1;
    if (file >= 0 && g->features[!file] &&
        take_rows(batch, g->done, total, file ? &a : &b, file ? &b : &a))
        pair->tensors[!file].dims[0] = pair->tensors[file].dims[0];
    for (int side = 0; side < 2 && file < 0 && g->done > 0; side++)
        pair->tensors[side].dims[0] += grows(batch, side == 0 ? &a : &b);
    if (!cli_same_shape(&a, &b)) {
        pair->other_shapes = 1;
        return LTAP_OK;
    }
    ltap_status status = ltap_tensor_compare(&a, &b, &pair->difference, error);
    pair->cannot |= status == LTAP_ERROR_UNSUPPORTED;
    return status == LTAP_ERROR_UNSUPPORTED ? LTAP_OK : status;
}

/* Where one batch is all, a network's weights are gone before the other's are there. */
static ltap_status run_side(cli_diff *diff, group *g, int side, const cli_batch *batch,
                            ltap_error *error)
{
    ltap_status status = g->runs[side] ? LTAP_OK : open_side(diff, g, side, error);
    const ltap_input *fed = cli_diff_feed(diff, side, batch);
    if (status == LTAP_OK) {
        status = ltap_run_forward(g->runs[side], fed, diff->n_fed[side], &g->features[side], error);
        if (status != LTAP_OK)
            cli_error_prefix(error, diff->sides[side].label);
    }
    if (g->done == 0 && batch->is_last)
        close_side(g, side);
    return status;
}

static ltap_status compare_batch(cli_diff *diff, group *g, const cli_batch *batch,
                                 ltap_error *error)
{
    ltap_status status = LTAP_OK;
    for (int side = 0; status == LTAP_OK && side < 2; side++)
        status = diff->sides[side].all ? run_side(diff, g, side, batch, error) : LTAP_OK;
    for (size_t i = 0; status == LTAP_OK && i < g->end - g->first; i++)
        status = compare_pair(diff, g, i, batch, error);
    for (int side = 0; side < 2; side++) {
        ltap_features_free(g->features[side]);
        g->features[side] = NULL;
    }
    g->done += batch->rows;
    return status;
}

/* batch: the first one, already read; the last one afterwards. */
static ltap_status run_group(cli_diff *diff, group *g, cli_batch *batch, ltap_error *error)
{
    int64_t total = diff->inputs ? cli_inputs_rows(diff->inputs) : 1;
    size_t before = g->first;
    ltap_status status = compare_batch(diff, g, batch, error);
    while (status == LTAP_OK && diff->inputs && !batch->is_last) {
        cli_progress_show(&diff->progress,
                          (int64_t)before * total + (int64_t)(g->end - before) * g->done);
        status = cli_inputs_next(diff->inputs, batch, error);
        if (status == LTAP_OK)
            status = compare_batch(diff, g, batch, error);
    }
    cli_progress_show(&diff->progress, (int64_t)g->end * total);
    return status;
}

/* --- judging --------------------------------------------------------------------------------- */

/* What a type rounds numbers by, at most, as a part of their magnitude. */
static double rounding(ltap_dtype dtype)
{
    static const struct {
        ltap_dtype dtype;
        double step;
    } rows[] = {{LTAP_FLOAT16, 0x1p-10},     {LTAP_BFLOAT16, 0x1p-7},
                {LTAP_FLOAT8E4M3FN, 0x1p-3}, {LTAP_FLOAT8E4M3FNUZ, 0x1p-3},
                {LTAP_FLOAT8E5M2, 0x1p-2},   {LTAP_FLOAT8E5M2FNUZ, 0x1p-2}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].dtype == dtype)
            return rows[i].step;
    }
    return 0;
}

double cli_diff_tolerance(const cli_diff *diff, const cli_pair *pair)
{
    double most = diff->tolerance;
    for (int side = 0; side < 2 && diff->is_default; side++) {
        double step = rounding(pair->tensors[side].dtype);
        most = step > most ? step : most;
    }
    return most;
}

/* A module around the operation that was matched by its path, and agrees. */
static int agrees_outside(const cli_diff *diff, const cli_pair *inner)
{
    const cli_side *a = &diff->sides[0];
    size_t above = cli_diff_layer(diff, inner, 0)->parent;
    for (; above != CLI_NOWHERE; above = a->layers[above].parent) {
        size_t value = a->layers[above].value;
        size_t at = value == CLI_NOWHERE ? CLI_NOWHERE : a->values[value].pair;
        for (; at != CLI_NOWHERE; at = diff->match.pairs[at].next) {
            const cli_pair *outer = &diff->match.pairs[at];
            if (outer->is_chosen && outer->reason >= CLI_BY_PATH && !outer->differs &&
                !outer->cannot)
                return 1;
        }
    }
    return 0;
}

/* Where layers that are computed from this one are compared, whether all of them agree, beyond
 * those that themselves stand before what agrees. stamps: a number a node of A, less than `stamp`.
 */
static int agrees_behind(const cli_diff *diff, const cli_pair *pair, size_t *stamps, size_t *open)
{
    const cli_edges *edges = &diff->match.edges[0];
    size_t n = 1, n_agree = 0, stamp = pair->value[0] + 1;
    open[0] = pair->value[0];
    for (size_t done = 0; done < n; done++) {
        for (size_t i = edges->first_reader[open[done]]; i < edges->first_reader[open[done] + 1];
             i++) {
            size_t node = edges->readers[i].node;
            size_t at = diff->sides[0].values[node].pair;
            const cli_pair *next = at == CLI_NOWHERE ? NULL : &diff->match.pairs[at];
            if (stamps[node] == stamp)
                continue;
            stamps[node] = stamp;
            if (next && next->is_chosen && next->differs && !next->before)
                return 0;
            if (next && next->is_chosen && !next->differs && !next->cannot)
                n_agree++;
            else
                open[n++] = node;
        }
    }
    return n_agree > 0;
}

/* What was paired wrongly, or is computed in another way, shows in that nothing comes of it. */
static ltap_status judge_by_readers(cli_diff *diff, ltap_error *error)
{
    size_t n = diff->match.edges[0].n_nodes;
    size_t *stamps = calloc(n + 1, sizeof(*stamps)), *open = calloc(n + 1, sizeof(*open));
    ltap_status status = stamps && open ? LTAP_OK : cli_error_memory(error);
    for (size_t i = diff->n_order; i-- > 0 && status == LTAP_OK && n > 0;) {
        cli_pair *pair = &diff->match.pairs[diff->order[i]];
        if (pair->differs && pair->reason <= CLI_BY_STRUCTURE)
            pair->before = agrees_behind(diff, pair, stamps, open);
    }
    free(stamps);
    free(open);
    return status;
}

static ltap_status judge(cli_diff *diff, ltap_error *error)
{
    for (size_t i = 0; i < diff->n_order; i++) {
        cli_pair *pair = &diff->match.pairs[diff->order[i]];
        pair->differs = pair->other_shapes ||
                        !ltap_difference_within(&pair->difference, cli_diff_tolerance(diff, pair));
    }
    for (size_t i = 0; i < diff->n_order; i++) {
        cli_pair *pair = &diff->match.pairs[diff->order[i]];
        pair->inside =
            pair->differs && pair->reason <= CLI_BY_STRUCTURE && agrees_outside(diff, pair);
    }
    return judge_by_readers(diff, error);
}

ltap_status cli_diff_compare(cli_diff *diff, cli_batch *first, ltap_error *error)
{
    ltap_status status = sort_pairs(diff, error);
    diff->n_groups = status == LTAP_OK ? count_groups(diff) : 0;
    cli_progress_init(&diff->progress,
                      (int64_t)diff->n_order * (diff->inputs ? cli_inputs_rows(diff->inputs) : 1),
                      diff->talk.quiet || diff->talk.json);
    int many = diff->inputs && !first->is_last;
    for (size_t at = 0; status == LTAP_OK && at < diff->n_order;) {
        group g = {.first = at, .end = find_end(diff, at)};
        if (at > 0 && many) {
            cli_inputs_rewind(diff->inputs);
            status = cli_inputs_next(diff->inputs, first, error);
        }
        if (status == LTAP_OK)
            status = run_group(diff, &g, first, error);
        close_group(&g);
        at = g.end;
    }
    cli_progress_clear(&diff->progress);
    return status == LTAP_OK ? judge(diff, error) : status;
}
