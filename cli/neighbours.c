/* Matching along the edges of both networks.
 *
 * What a value is known by is a key: its operator, its shape, and which matched values are next
 * before it, next behind it, or both. Where one value of A and one of B, and no other, have a key,
 * they are a pair, and then their own neighbours have more to be known by. Values in between that
 * have no partner are seen through, as few as possible at a time: an exporter inserts and fuses.
 * A key that two values share, as equal branches do, decides nothing.
 */
#include "cli/neighbours.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_GAP = 6, MAX_VISITED = 32, MAX_NEXT = 64 };

typedef enum direction { BEFORE, BEHIND } direction;
typedef enum ways { BOTH, ONLY_BEFORE, ONLY_BEHIND, N_WAYS } ways;

typedef struct key {
    uint64_t hash;
    size_t node;
} key;

typedef struct search {
    cli_match *match;
    key *keys[2]; /* room for one a value */
    int gap;      /* values without a partner that are seen through, on each side */
    int is_exact; /* the same operator, not only one of its class */
    ways way;
} search;

/* The matched values next to one, as hashes of which and where. */
typedef struct next {
    uint64_t items[MAX_NEXT];
    size_t n;
    int is_whole; /* no more than the gap was seen through */
} next;

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash ^= value + UINT64_C(0x9e3779b97f4a7c15) + (hash << 6) + (hash >> 2);
    hash *= UINT64_C(0xff51afd7ed558ccd);
    return hash ^ hash >> 32;
}

static int compare_numbers(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

static int compare_hashes(const void *left, const void *right)
{
    const key *a = left, *b = right;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->node < b->node ? -1 : a->node > b->node;
}

/* --- what is next to a value ----------------------------------------------------------------- */

/* A walk from a value over those without a partner; edges: of the node at hand. */
typedef struct walk {
    const cli_match *match;
    int side;
    direction way;
    size_t open[MAX_VISITED], slots[MAX_VISITED], n; /* nodes to look from, and by which input */
    size_t done, n_free; /* looked from; convolutions before a BatchNormalization cost nothing */
} walk;

static void note(next *found, uint64_t partner, size_t slot)
{
    if (found->n < MAX_NEXT)
        found->items[found->n++] = mix(partner + 1, slot);
    else
        found->is_whole = 0;
}

static int was_opened(const walk *w, size_t node)
{
    size_t i = 0;
    while (i < w->n && w->open[i] != node)
        i++;
    return i < w->n;
}

/* One edge: to a matched value, to one that is seen through, or too far. */
static void step(walk *w, cli_edge edge, size_t slot, int gap, next *found)
{
    size_t partner = w->match->partners[w->side][edge.node];
    size_t is_free = w->match->edges[w->side].kinds[edge.node][0] == 0;
    if (partner != CLI_NOWHERE)
        note(found, w->side == 0 ? edge.node : partner, slot);
    else if (was_opened(w, edge.node))
        return;
    else if (w->n == MAX_VISITED || (!is_free && w->n > (size_t)gap + w->n_free))
        found->is_whole = 0;
    else {
        w->n_free += is_free;
        w->open[w->n] = edge.node;
        w->slots[w->n++] = slot;
    }
}

/* Before: by which input of the value itself; behind: by which input of what is there. */
static void find_next(const cli_match *match, int side, size_t node, direction way, int gap,
                      next *found)
{
    const cli_edges *edges = &match->edges[side];
    walk w = {.match = match, .side = side, .way = way, .open = {node}, .n = 1};
    *found = (next){.is_whole = 1};
    for (; w.done < w.n && found->is_whole; w.done++) {
        size_t at = w.open[w.done];
        const size_t *first = way == BEFORE ? edges->first_read : edges->first_reader;
        const cli_edge *list = way == BEFORE ? edges->reads : edges->readers;
        for (size_t i = first[at]; i < first[at + 1] && found->is_whole; i++)
            step(&w, list[i], way == BEFORE && w.done > 0 ? w.slots[w.done] : list[i].slot, gap,
                 found);
    }
    qsort(found->items, found->n, sizeof(found->items[0]), compare_numbers);
    size_t kept = 0;
    for (size_t i = 0; i < found->n; i++)
        if (i == 0 || found->items[i] != found->items[kept - 1])
            found->items[kept++] = found->items[i];
    found->n = kept;
}

static int have_one_in_common(const next *a, const next *b)
{
    for (size_t i = 0, k = 0; i < a->n && k < b->n;) {
        if (a->items[i] == b->items[k])
            return 1;
        if (a->items[i] < b->items[k])
            i++;
        else
            k++;
    }
    return 0;
}

static int is_same(const next *a, const next *b)
{
    return a->n == b->n && memcmp(a->items, b->items, a->n * sizeof(a->items[0])) == 0;
}

/* --- keys ------------------------------------------------------------------------------------ */

static const cli_layer *layer_of(const cli_match *match, int side, size_t value)
{
    return &match->sides[side].layers[match->sides[side].values[value].layer];
}

static uint64_t hash_text(const char *text)
{
    uint64_t hash = 0;
    for (; *text; text++)
        hash = mix(hash, (unsigned char)*text);
    return hash;
}

/* Operator and shape; 0: nothing to be known by. */
static uint64_t hash_own(const search *s, int side, size_t value)
{
    const char *kind = s->match->edges[side].kinds[value];
    const ltap_tensor *shape = &layer_of(s->match, side, value)->shape;
    size_t class = s->is_exact ? 0 : cli_match_class(kind);
    if (!kind[0])
        return 0;
    uint64_t hash = class > 0 ? class : hash_text(kind);
    hash = mix(hash, shape->dtype == LTAP_UNDEFINED ? 1 : 2);
    for (int d = 0; shape->dtype != LTAP_UNDEFINED && d < shape->rank; d++)
        hash = mix(hash, (uint64_t)shape->dims[d] + 1);
    return hash | 1;
}

static int add_next(const search *s, int side, size_t value, direction way, uint64_t *hash)
{
    next found;
    find_next(s->match, side, value, way, s->gap, &found);
    *hash = mix(*hash, (uint64_t)way);
    for (size_t i = 0; i < found.n; i++)
        *hash = mix(*hash, found.items[i]);
    return found.is_whole && found.n > 0;
}

static int make_key(const search *s, int side, size_t value, key *made)
{
    uint64_t hash = hash_own(s, side, value);
    if (hash == 0 || s->match->sides[side].values[value].pair != CLI_NOWHERE ||
        s->match->partners[side][value] != CLI_NOWHERE)
        return 0;
    if (s->way != ONLY_BEHIND && !add_next(s, side, value, BEFORE, &hash))
        return 0;
    if (s->way != ONLY_BEFORE && !add_next(s, side, value, BEHIND, &hash))
        return 0;
    *made = (key){hash, value};
    return 1;
}

static size_t make_keys(const search *s, int side)
{
    size_t n = 0;
    for (size_t v = 0; v < s->match->edges[side].n_values; v++)
        n += (size_t)make_key(s, side, v, &s->keys[side][n]);
    qsort(s->keys[side], n, sizeof(key), compare_hashes);
    return n;
}

/* Known by what is on one side of it only: nothing that is known of the other side speaks against
 * it. */
static int is_contradicted(const search *s, size_t a, size_t b)
{
    direction other = s->way == ONLY_BEFORE ? BEHIND : BEFORE;
    next of_a, of_b;
    if (s->way == BOTH)
        return 0;
    find_next(s->match, 0, a, other, MAX_GAP, &of_a);
    find_next(s->match, 1, b, other, MAX_GAP, &of_b);
    return of_a.n > 0 && of_b.n > 0 && !have_one_in_common(&of_a, &of_b);
}

/* --- names ----------------------------------------------------------------------------------- */

/* What the neighbours say: partners of one another, partners of others, or nothing. */
static void ask_neighbours(const cli_match *match, const cli_pair *pair, int *agree, int *deny)
{
    *agree = *deny = 0;
    for (int way = 0; way < 2; way++) {
        next of_a, of_b;
        find_next(match, 0, pair->value[0], way == 0 ? BEFORE : BEHIND, MAX_GAP, &of_a);
        find_next(match, 1, pair->value[1], way == 0 ? BEFORE : BEHIND, MAX_GAP, &of_b);
        int common = have_one_in_common(&of_a, &of_b);
        *agree |= common;
        *deny |= of_a.n > 0 && of_b.n > 0 && !common;
    }
}

static void forget(cli_match *match, size_t a, size_t b)
{
    if (match->partners[0][a] == b)
        match->partners[0][a] = match->partners[1][b] = CLI_NOWHERE;
}

/* Without the pairs that are marked as not chosen. */
static void keep_chosen(cli_match *match)
{
    size_t n = 0;
    for (size_t i = 0; i < match->n_pairs; i++) {
        match->sides[0].values[match->pairs[i].value[0]].pair = CLI_NOWHERE;
        match->sides[1].values[match->pairs[i].value[1]].pair = CLI_NOWHERE;
    }
    for (size_t i = 0; i < match->n_pairs; i++) {
        cli_pair pair = match->pairs[i];
        if (!pair.is_chosen) {
            forget(match, pair.value[0], pair.value[1]);
            continue;
        }
        pair.next = match->sides[0].values[pair.value[0]].pair;
        match->pairs[n] = pair;
        match->sides[0].values[pair.value[0]].pair = n;
        match->sides[1].values[pair.value[1]].pair = n++;
    }
    match->n_pairs = n;
}

size_t cli_match_doubt_names(cli_match *match)
{
    size_t n_names = 0, n_agree = 0, n_before = match->n_pairs;
    for (size_t i = 0; i < match->n_pairs; i++) {
        cli_pair *pair = &match->pairs[i];
        const ltap_tensor *a = &match->sides[0].layers[pair->layer[0]].shape;
        const ltap_tensor *b = &match->sides[1].layers[pair->layer[1]].shape;
        int agree, deny;
        if (pair->reason != CLI_BY_NAME)
            continue;
        ask_neighbours(match, pair, &agree, &deny);
        pair->is_chosen = !deny && (agree || cli_same_shape(a, b));
        n_names++;
        n_agree += (size_t)(agree && !deny);
    }
    int are_numbers = n_agree * 2 < n_names;
    for (size_t i = 0; i < match->n_pairs && are_numbers; i++)
        match->pairs[i].is_chosen &= match->pairs[i].reason != CLI_BY_NAME;
    keep_chosen(match);
    return n_before - match->n_pairs;
}

/* --- matching -------------------------------------------------------------------------------- */

static size_t end_of_run(const key *keys, size_t n, size_t at)
{
    size_t end = at + 1;
    while (end < n && keys[end].hash == keys[at].hash)
        end++;
    return end;
}

/* Pairs what has a key that nothing else has; how many. */
static ltap_status pair_unique(search *s, size_t *count, ltap_error *error)
{
    size_t n[2] = {make_keys(s, 0), make_keys(s, 1)};
    ltap_status status = LTAP_OK;
    *count = 0;
    for (size_t i = 0, k = 0; i < n[0] && k < n[1] && status == LTAP_OK;) {
        const key *a = &s->keys[0][i], *b = &s->keys[1][k];
        size_t end_a = end_of_run(s->keys[0], n[0], i), end_b = end_of_run(s->keys[1], n[1], k);
        if (a->hash == b->hash && end_a == i + 1 && end_b == k + 1 &&
            !is_contradicted(s, a->node, b->node)) {
            status = cli_match_pair(s->match, a->node, b->node, error);
            ++*count;
        }
        i = a->hash <= b->hash ? end_a : i;
        k = b->hash <= a->hash ? end_b : k;
    }
    return status;
}

/* The surest way that finds anything. */
static ltap_status pair_some(search *s, size_t *count, ltap_error *error)
{
    ltap_status status = LTAP_OK;
    *count = 0;
    for (s->gap = 0; s->gap <= MAX_GAP; s->gap++) {
        for (s->is_exact = 1; s->is_exact >= 0; s->is_exact--) {
            for (s->way = BOTH; s->way < N_WAYS; s->way++) {
                status = pair_unique(s, count, error);
                if (*count > 0 || status != LTAP_OK)
                    return status;
            }
        }
    }
    return status;
}

int cli_match_between(const cli_match *match, size_t a, size_t b)
{
    for (int way = 0; way < 2; way++) {
        next of_a, of_b;
        find_next(match, 0, a, way == 0 ? BEFORE : BEHIND, MAX_VISITED - 1, &of_a);
        find_next(match, 1, b, way == 0 ? BEFORE : BEHIND, MAX_VISITED - 1, &of_b);
        if (!is_same(&of_a, &of_b))
            return 0;
    }
    return 1;
}

ltap_status cli_match_neighbours(cli_match *match, ltap_error *error)
{
    search s = {.match = match};
    size_t count = 1;
    for (int side = 0; side < 2; side++)
        s.keys[side] = calloc(match->edges[side].n_values + 1, sizeof(key));
    ltap_status status = s.keys[0] && s.keys[1] ? LTAP_OK : cli_error_memory(error);
    while (status == LTAP_OK && count > 0)
        status = pair_some(&s, &count, error);
    free(s.keys[0]);
    free(s.keys[1]);
    return status;
}
