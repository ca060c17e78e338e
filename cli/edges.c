/* The edges of a side, from what the library says that each value is computed from. */
#include "cli/edges.h"
#include <stdlib.h>
#include <string.h>

typedef struct building {
    const cli_side *side;
    const ltap_model *model;
    cli_edges *edges;
    size_t n_values;  /* of the file */
    size_t *node_of;  /* value of the file -> node; CLI_NOWHERE: seen through */
    size_t *value_of; /* and back */
    size_t *seen;     /* value of the file -> the last node that looked at it, plus one */
    size_t room, n_reads;
} building;

static int is_among(const char *type, const char *const *types)
{
    while (*types && strcmp(type, *types) != 0)
        types++;
    return *types != NULL;
}

static int tells_shapes(const char *type)
{
    static const char *const types[] = {"Shape", "Size", NULL};
    return is_among(type, types);
}

static int has_order(const char *type)
{
    static const char *const types[] = {"Add", "Mul", "Max", "Min",   "Sum", "Mean",
                                        "And", "Or",  "Xor", "Equal", NULL};
    return !is_among(type, types);
}

/* --- nodes ----------------------------------------------------------------------------------- */

static int compare_keys(const void *left, const void *right)
{
    const cli_key *a = left, *b = right;
    return strcmp(a->text, b->text);
}

/* keys: room for one a value of the side. */
static void number_nodes(building *b, cli_key *keys)
{
    const cli_side *side = b->side;
    for (size_t v = 0; v < side->n_values; v++)
        keys[v] = (cli_key){side->layers[side->values[v].layer].tensor, v};
    qsort(keys, side->n_values, sizeof(*keys), compare_keys);
    for (size_t i = 0, n_inputs = 0; i < b->n_values; i++) {
        ltap_value_info info;
        ltap_model_values_at(b->model, i, &info);
        const cli_key wanted = {info.name, 0},
                      *found = bsearch(&wanted, keys, side->n_values, sizeof(*keys), compare_keys);
        b->node_of[i] = found ? found->at : CLI_NOWHERE;
        if (strcmp(info.type, "input") == 0)
            b->node_of[i] = b->edges->n_values + n_inputs++;
        if (b->node_of[i] == CLI_NOWHERE)
            continue;
        b->value_of[b->node_of[i]] = i;
        b->edges->kinds[b->node_of[i]] = info.type;
    }
}

/* --- edges ----------------------------------------------------------------------------------- */

static ltap_status add(building *b, cli_edge edge, ltap_error *error)
{
    if (b->n_reads == b->room) {
        size_t room = b->room * 2 + 256;
        cli_edge *grown = realloc(b->edges->reads, room * sizeof(*grown));
        if (!grown)
            return cli_error_memory(error);
        b->edges->reads = grown;
        b->room = room;
    }
    b->edges->reads[b->n_reads++] = edge;
    return LTAP_OK;
}

/* What a value of the file is computed from, for `node`; slot: through which of its inputs,
 * CLI_NOWHERE: the value is the node's own. Depth is that of unlisted values. */
static ltap_status look(building *b, size_t node, size_t value, size_t slot, ltap_error *error)
{
    enum { MOST = 64 };
    size_t reads[MOST], n = ltap_model_values_reads(b->model, value, reads, MOST);
    ltap_status status = LTAP_OK;
    ltap_value_info info;
    ltap_model_values_at(b->model, value, &info);
    if (tells_shapes(info.type))
        return LTAP_OK;
    for (size_t i = 0; i < n && i < MOST && status == LTAP_OK; i++) {
        size_t at = slot == CLI_NOWHERE ? has_order(info.type) ? i : 0 : slot;
        size_t other = reads[i] == LTAP_NO_VALUE_READ ? CLI_NOWHERE : b->node_of[reads[i]];
        if (other != CLI_NOWHERE)
            status = add(b, (cli_edge){other, at}, error);
        else if (reads[i] != LTAP_NO_VALUE_READ && b->seen[reads[i]] != node + 1) {
            b->seen[reads[i]] = node + 1;
            status = look(b, node, reads[i], at, error);
        }
    }
    return status;
}

/* The same edges from the other end. */
static ltap_status turn_round(building *b, ltap_error *error)
{
    cli_edges *edges = b->edges;
    edges->readers = calloc(b->n_reads + 1, sizeof(*edges->readers));
    edges->first_reader = calloc(edges->n_nodes + 2, sizeof(size_t));
    if (!edges->readers || !edges->first_reader)
        return cli_error_memory(error);
    for (size_t i = 0; i < b->n_reads; i++)
        edges->first_reader[edges->reads[i].node + 2]++;
    for (size_t v = 2; v < edges->n_nodes + 2; v++)
        edges->first_reader[v] += edges->first_reader[v - 1];
    for (size_t v = 0; v < edges->n_nodes; v++) {
        for (size_t i = edges->first_read[v]; i < edges->first_read[v + 1]; i++) {
            cli_edge read = edges->reads[i];
            edges->readers[edges->first_reader[read.node + 1]++] = (cli_edge){v, read.slot};
        }
    }
    return LTAP_OK;
}

/* Folded or not, a convolution and its BatchNormalization end in the same value. */
static void mark_folds(cli_edges *edges)
{
    for (size_t v = 0; v < edges->n_values; v++) {
        size_t at = edges->first_read[v];
        if (strcmp(edges->kinds[v], "BatchNormalization") != 0 || at == edges->first_read[v + 1])
            continue;
        size_t before = edges->reads[at].node;
        if (!strstr(edges->kinds[before], "Conv") ||
            edges->first_reader[before + 1] - edges->first_reader[before] != 1)
            continue;
        edges->kinds[v] = edges->kinds[before];
        edges->kinds[before] = "";
    }
}

static ltap_status make_edges(building *b, ltap_error *error)
{
    cli_edges *edges = b->edges;
    ltap_status status = LTAP_OK;
    for (size_t v = 0; v < edges->n_nodes && status == LTAP_OK; v++) {
        edges->first_read[v] = b->n_reads;
        if (b->value_of[v] != CLI_NOWHERE)
            status = look(b, v, b->value_of[v], CLI_NOWHERE, error);
    }
    edges->first_read[edges->n_nodes] = b->n_reads;
    if (status == LTAP_OK)
        status = turn_round(b, error);
    if (status == LTAP_OK)
        mark_folds(edges);
    return status;
}

ltap_status cli_edges_make(const cli_side *side, cli_edges *edges, ltap_error *error)
{
    building b = {.side = side, .model = side->model.model, .edges = edges};
    if (!b.model)
        return LTAP_OK;
    b.n_values = ltap_model_values_count(b.model);
    edges->n_values = side->n_values;
    edges->n_nodes = side->n_values + ltap_model_inputs_count(b.model);
    edges->kinds = calloc(edges->n_nodes + 1, sizeof(*edges->kinds));
    edges->first_read = calloc(edges->n_nodes + 1, sizeof(size_t));
    b.node_of = calloc(b.n_values + 1, sizeof(size_t));
    b.value_of = calloc(edges->n_nodes + 1, sizeof(size_t));
    b.seen = calloc(b.n_values + 1, sizeof(size_t));
    cli_key *keys = calloc(side->n_values + 1, sizeof(*keys));
    ltap_status status = LTAP_OK;
    if (!edges->kinds || !edges->first_read || !b.node_of || !b.value_of || !b.seen || !keys)
        status = cli_error_memory(error);
    for (size_t v = 0; status == LTAP_OK && v < edges->n_nodes; v++) {
        b.value_of[v] = CLI_NOWHERE;
        edges->kinds[v] = "";
    }
    if (status == LTAP_OK) {
        number_nodes(&b, keys);
        status = make_edges(&b, error);
    }
    free(keys);
    free(b.seen);
    free(b.value_of);
    free(b.node_of);
    return status;
}

void cli_edges_clear(cli_edges *edges)
{
    free(edges->kinds);
    free(edges->reads);
    free(edges->readers);
    free(edges->first_read);
    free(edges->first_reader);
    *edges = (cli_edges){0};
}
