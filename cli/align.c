/* Matching by structure: along the edges as far as these decide (neighbours.c), then by order:
 * between two matched values lie runs of unmatched ones, and the longest common sequence of
 * operators with equal shapes pairs them, where the same matched values are around. What two
 * exporters write as different operators but mean as one (Flatten, Reshape) counts as equal, a
 * little less. */
#include "cli/neighbours.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_CELLS = 1 << 25 };

static const char *const alike[][6] = {
    {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", NULL},
    {"GlobalAveragePool", "ReduceMean", "AveragePool", NULL},
    {"Gemm", "MatMul", NULL},
    {"Clip", "Relu", NULL},
    {"Gather", "Slice", NULL},
};

size_t cli_match_class(const char *type)
{
    for (size_t i = 0; i < sizeof(alike) / sizeof(alike[0]); i++) {
        for (size_t k = 0; alike[i][k]; k++) {
            if (strcmp(alike[i][k], type) == 0)
                return i + 1;
        }
    }
    return 0;
}

/* 0: no partners; more is better. */
static int likeness(const cli_match *match, size_t value_a, size_t value_b)
{
    const cli_side *sides = match->sides;
    const cli_layer *a = &sides[0].layers[sides[0].values[value_a].layer];
    const cli_layer *b = &sides[1].layers[sides[1].values[value_b].layer];
    const char *kinds[] = {match->edges[0].kinds[value_a], match->edges[1].kinds[value_b]};
    int known = a->shape.dtype != LTAP_UNDEFINED && b->shape.dtype != LTAP_UNDEFINED;
    if (!a->is_node || !b->is_node)
        return 0;
    if (known && !cli_same_shape(&a->shape, &b->shape))
        return 0;
    if (strcmp(kinds[0], kinds[1]) == 0)
        return kinds[0][0] ? 3 : 0;
    size_t class = cli_match_class(kinds[0]);
    return class > 0 && class == cli_match_class(kinds[1]) ? 2 : 0;
}

/* A stretch of unmatched values of both sides. */
typedef struct stretch {
    const size_t *values[2];
    size_t n[2];
} stretch;

/* The best sum of likenesses from (i, j) on, row by row from the end; table: (n+1) x (m+1). */
static void fill_table(const cli_match *match, const stretch *s, uint16_t *table)
{
    size_t m = s->n[1] + 1;
    for (size_t i = s->n[0]; i-- > 0;) {
        for (size_t j = s->n[1]; j-- > 0;) {
            uint16_t down = table[(i + 1) * m + j], right = table[i * m + j + 1];
            uint16_t best = down > right ? down : right;
            int same = likeness(match, s->values[0][i], s->values[1][j]);
            if (same > 0 && table[(i + 1) * m + j + 1] + same > best)
                best = (uint16_t)(table[(i + 1) * m + j + 1] + same);
            table[i * m + j] = best;
        }
    }
}

static ltap_status walk_table(cli_match *match, const stretch *s, const uint16_t *table,
                              ltap_error *error)
{
    size_t i = 0, j = 0, m = s->n[1] + 1;
    ltap_status status = LTAP_OK;
    while (status == LTAP_OK && i < s->n[0] && j < s->n[1]) {
        size_t a = s->values[0][i], b = s->values[1][j];
        int same = likeness(match, a, b);
        if (same > 0 && table[i * m + j] == table[(i + 1) * m + j + 1] + same) {
            if (cli_match_between(match, a, b))
                status = cli_match_pair(match, a, b, error);
            i++;
            j++;
        } else if (table[(i + 1) * m + j] >= table[i * m + j + 1])
            i++;
        else
            j++;
    }
    return status;
}

/* Sums fit 16 bits: a stretch is cut at 20000 values. */
static ltap_status align(cli_match *match, stretch *s, ltap_error *error)
{
    const size_t most = 20000;
    s->n[0] = s->n[0] > most ? most : s->n[0];
    s->n[1] = s->n[1] > most ? most : s->n[1];
    size_t cells = (s->n[0] + 1) * (s->n[1] + 1);
    if (s->n[0] == 0 || s->n[1] == 0 || cells > MAX_CELLS)
        return LTAP_OK;
    uint16_t *table = calloc(cells, sizeof(*table));
    if (!table)
        return cli_error_memory(error);
    fill_table(match, s, table);
    ltap_status status = walk_table(match, s, table, error);
    free(table);
    return status;
}

/* --- anchors --------------------------------------------------------------------------------- */

static int compare_anchors(const void *left, const void *right)
{
    const size_t *a = left, *b = right;
    if (a[0] != b[0])
        return a[0] < b[0] ? -1 : 1;
    return a[1] < b[1] ? -1 : a[1] > b[1];
}

/* The longest part of the pairs in which both sides run forward. anchors: pairs of values, sorted;
 * shortened in place; work: room for three numbers an anchor. */
static size_t keep_forward(size_t (*anchors)[2], size_t n, size_t *work)
{
    size_t *tails = work, *before = work + n, *chain = work + 2 * n, length = 0;
    for (size_t i = 0; i < n; i++) {
        size_t low = 0, high = length;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (anchors[tails[middle]][1] < anchors[i][1])
                low = middle + 1;
            else
                high = middle;
        }
        before[i] = low > 0 ? tails[low - 1] : CLI_NOWHERE;
        tails[low] = i;
        length = low == length ? length + 1 : length;
    }
    size_t at = length > 0 ? tails[length - 1] : CLI_NOWHERE;
    for (size_t i = length; i-- > 0; at = before[at])
        chain[i] = at;
    for (size_t i = 0; i < length; i++)
        memmove(anchors[i], anchors[chain[i]], sizeof(anchors[i]));
    return length;
}

/* Unmatched values from `first` up to `end`. */
static size_t collect(const cli_side *side, size_t first, size_t end, size_t *values)
{
    size_t n = 0;
    for (size_t v = first; v < end; v++) {
        if (side->values[v].pair == CLI_NOWHERE)
            values[n++] = v;
    }
    return n;
}

static ltap_status match_order(cli_match *match, ltap_error *error)
{
    const cli_side *a = &match->sides[0], *b = &match->sides[1];
    size_t n = match->n_pairs, from[2] = {0, 0};
    size_t(*anchors)[2] = calloc(n + 1, sizeof(*anchors)), *work = calloc(3 * n + 1, sizeof(*work));
    size_t *values[2] = {calloc(a->n_values + 1, sizeof(size_t)),
                         calloc(b->n_values + 1, sizeof(size_t))};
    ltap_status status =
        anchors && work && values[0] && values[1] ? LTAP_OK : cli_error_memory(error);
    for (size_t i = 0; status == LTAP_OK && i < n; i++)
        memcpy(anchors[i], match->pairs[i].value, sizeof(anchors[i]));
    if (status == LTAP_OK) {
        qsort(anchors, n, sizeof(*anchors), compare_anchors);
        n = keep_forward(anchors, n, work);
    }
    for (size_t i = 0; status == LTAP_OK && i <= n; i++) {
        const size_t end[2] = {i < n ? anchors[i][0] : a->n_values,
                               i < n ? anchors[i][1] : b->n_values};
        stretch s = {
            {values[0], values[1]},
            {collect(a, from[0], end[0], values[0]), collect(b, from[1], end[1], values[1])}};
        status = align(match, &s, error);
        memcpy(from, end, sizeof(from));
    }
    free(anchors);
    free(work);
    free(values[0]);
    free(values[1]);
    return status;
}

/* --- all together ---------------------------------------------------------------------------- */

/* Inputs are partners by name, else by position. */
static void pair_inputs(cli_match *match)
{
    const ltap_model *a = match->sides[0].model.model, *b = match->sides[1].model.model;
    size_t n[] = {ltap_model_inputs_count(a), ltap_model_inputs_count(b)};
    for (size_t i = 0; i < n[0]; i++) {
        size_t k = 0;
        while (k < n[1] &&
               strcmp(ltap_model_inputs_at(a, i)->name, ltap_model_inputs_at(b, k)->name) != 0)
            k++;
        k = k < n[1] ? k : i;
        if (k >= n[1])
            continue;
        match->partners[0][match->edges[0].n_values + i] = match->edges[1].n_values + k;
        match->partners[1][match->edges[1].n_values + k] = match->edges[0].n_values + i;
    }
}

static void note_partners(cli_match *match)
{
    for (size_t i = 0; i < match->n_pairs; i++) {
        const cli_pair *pair = &match->pairs[i];
        size_t a = pair->value[0], b = pair->value[1];
        if (match->partners[0][a] != CLI_NOWHERE || match->partners[1][b] != CLI_NOWHERE)
            continue;
        match->partners[0][a] = b;
        match->partners[1][b] = a;
    }
}

ltap_status cli_match_edges(cli_match *match, ltap_error *error)
{
    ltap_status status = LTAP_OK;
    for (int side = 0; side < 2 && status == LTAP_OK; side++) {
        status = cli_edges_make(&match->sides[side], &match->edges[side], error);
        size_t n = match->edges[side].n_nodes;
        match->partners[side] = calloc(n + 1, sizeof(size_t));
        if (status == LTAP_OK && !match->partners[side])
            status = cli_error_memory(error);
        for (size_t i = 0; i < n && status == LTAP_OK; i++)
            match->partners[side][i] = CLI_NOWHERE;
    }
    if (status != LTAP_OK)
        return status;
    pair_inputs(match);
    note_partners(match);
    return LTAP_OK;
}

ltap_status cli_match_pair(cli_match *match, size_t a, size_t b, ltap_error *error)
{
    const size_t layers[2] = {match->sides[0].values[a].layer, match->sides[1].values[b].layer};
    match->partners[0][a] = b;
    match->partners[1][b] = a;
    return cli_match_add(match, layers, CLI_BY_STRUCTURE, error);
}

ltap_status cli_match_structure(cli_match *match, ltap_error *error)
{
    note_partners(match);
    ltap_status status = cli_match_neighbours(match, error);
    if (status == LTAP_OK)
        status = match_order(match, error);
    return status == LTAP_OK ? cli_match_neighbours(match, error) : status;
}
