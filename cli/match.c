/* Matching by names: the module path first, for it is what the author of the network wrote; then
 * what folding did to convolutions; then the names of operations in the file. One name can resolve
 * to a value of the other side without being listed there, so each is also tried as a selector. */
#include "cli/neighbours.h"
#include "cli/text.h"
#include <stdlib.h>
#include <string.h>

const char *cli_reason_name(cli_reason reason)
{
    static const char *const names[] = {
        [CLI_BY_PLACE] = "place",    [CLI_BY_STRUCTURE] = "structure", [CLI_BY_OUTPUT] = "output",
        [CLI_BY_NAME] = "name",      [CLI_BY_FOLD] = "folded",         [CLI_BY_PATH] = "path",
        [CLI_BY_REQUEST] = "request"};
    return names[reason];
}

static cli_layer *layer_at(const cli_match *match, int side, size_t layer)
{
    return &match->sides[side].layers[layer];
}

static int can_be_asked(const cli_layer *layer)
{
    return layer->value != CLI_NOWHERE && layer->refused == LTAP_OK;
}

static int is_free(const cli_match *match, int side, const cli_layer *layer)
{
    return can_be_asked(layer) && match->sides[side].values[layer->value].pair == CLI_NOWHERE;
}

static size_t find_pair(const cli_match *match, size_t a, size_t b)
{
    size_t at = match->sides[0].values[a].pair;
    while (at != CLI_NOWHERE && match->pairs[at].value[1] != b)
        at = match->pairs[at].next;
    return at;
}

/* Of two names for one value, the stronger reason's is shown, then the innermost. */
ltap_status cli_match_add(cli_match *match, const size_t layer[2], cli_reason reason,
                          ltap_error *error)
{
    size_t a = layer_at(match, 0, layer[0])->value, b = layer_at(match, 1, layer[1])->value;
    size_t at = find_pair(match, a, b);
    if (at != CLI_NOWHERE) {
        cli_pair *pair = &match->pairs[at];
        if (reason > pair->reason || (reason == pair->reason && layer[0] > pair->layer[0])) {
            memcpy(pair->layer, layer, sizeof(pair->layer));
            pair->reason = reason;
        }
        return LTAP_OK;
    }
    if (match->n_pairs == match->room) {
        size_t room = match->room * 2 + 64;
        cli_pair *grown = realloc(match->pairs, room * sizeof(*grown));
        if (!grown)
            return cli_error_memory(error);
        match->pairs = grown;
        match->room = room;
    }
    match->pairs[match->n_pairs] = (cli_pair){.layer = {layer[0], layer[1]},
                                              .value = {a, b},
                                              .reason = reason,
                                              .next = match->sides[0].values[a].pair,
                                              .is_chosen = 1};
    match->sides[0].values[a].pair = match->n_pairs;
    match->sides[1].values[b].pair = match->n_pairs++;
    return LTAP_OK;
}

/* from: the side that `layer` is of. */
static ltap_status add_from(cli_match *match, int from, size_t layer, size_t other,
                            cli_reason reason, ltap_error *error)
{
    const size_t pair[2] = {from == 0 ? layer : other, from == 0 ? other : layer};
    return cli_match_add(match, pair, reason, error);
}

/* --- a prefix that only one side has --------------------------------------------------------- */

/* "model." of "model.layer1.0", then "model.backbone.": one part more than the first `bytes` of
 * *part, as more than half of the paths have it. 0: there is none. */
static size_t common_part(const cli_side *side, const char **part, size_t bytes)
{
    size_t most = 0, chosen = 0, n_paths = 0;
    const char *before = *part;
    for (size_t i = 0; i < side->n_listed; i++) {
        const char *name = side->layers[i].name;
        n_paths += side->layers[i].is_path != 0;
        if (!side->layers[i].is_path || strncmp(name, before, bytes) != 0)
            continue;
        const char *dot = strchr(name + bytes, '.');
        size_t n = dot ? (size_t)(dot - name) + 1 : 0, count = 0;
        if (n == 0 || (n == chosen && strncmp(name, *part, n) == 0))
            continue;
        for (size_t k = i; k < side->n_listed; k++)
            count += side->layers[k].is_path && strncmp(side->layers[k].name, name, n) == 0;
        if (count > most) {
            most = count;
            chosen = n;
            *part = name;
        }
    }
    return most * 2 > n_paths ? chosen : 0;
}

/* The name of a layer as the other side would write it. */
static void translate(const cli_match *match, int from, const char *name, char *text, size_t size)
{
    static const char literal[] = "module:"; /* how a path is listed that has other meanings */
    size_t own = match->prefix_bytes[from], other = match->prefix_bytes[!from];
    if (match->sides[!from].arrays && strncmp(name, literal, sizeof(literal) - 1) == 0)
        name += sizeof(literal) - 1;
    if (own > 0 && strncmp(name, match->prefix[from], own) == 0)
        name += own;
    snprintf(text, size, "%.*s%s", (int)other, other > 0 ? match->prefix[!from] : "", name);
}

static size_t count_same(const cli_match *match)
{
    size_t count = 0;
    char name[1024];
    for (size_t i = 0; i < match->sides[0].n_listed; i++) {
        const cli_layer *layer = layer_at(match, 0, i);
        if (!layer->is_path)
            continue;
        translate(match, 0, layer->name, name, sizeof(name));
        count += cli_side_find(&match->sides[1], name) != CLI_NOWHERE;
    }
    return count;
}

/* Wrappers ("module.", "model.", "module._orig_mod.") that only one side has, where more names
 * agree without them. */
static void choose_prefix(cli_match *match)
{
    enum { MAX_PARTS = 4 };
    size_t best = count_same(match), bytes = 0;
    const char *chosen[2] = {"", ""};
    size_t chosen_bytes[2] = {0, 0};
    for (int side = 0; side < 2; side++) {
        match->prefix[0] = match->prefix[1] = "";
        match->prefix_bytes[0] = match->prefix_bytes[1] = bytes = 0;
        for (int parts = 0; parts < MAX_PARTS; parts++) {
            bytes = common_part(&match->sides[side], &match->prefix[side], bytes);
            match->prefix_bytes[side] = bytes;
            size_t count = bytes > 0 ? count_same(match) : 0;
            if (bytes == 0)
                break;
            if (count <= best)
                continue;
            best = count;
            memcpy(chosen, match->prefix, sizeof(chosen));
            memcpy(chosen_bytes, match->prefix_bytes, sizeof(chosen_bytes));
        }
    }
    memcpy(match->prefix, chosen, sizeof(chosen));
    memcpy(match->prefix_bytes, chosen_bytes, sizeof(chosen_bytes));
}

/* --- paths ----------------------------------------------------------------------------------- */

static ltap_status match_paths(cli_match *match, ltap_error *error)
{
    ltap_status status = LTAP_OK;
    char name[1024];
    for (size_t i = 0; status == LTAP_OK && i < match->sides[0].n_listed; i++) {
        const cli_layer *layer = layer_at(match, 0, i);
        translate(match, 0, layer->name, name, sizeof(name));
        size_t other = cli_side_find(&match->sides[1], name);
        if (!layer->is_path || !can_be_asked(layer) || other == CLI_NOWHERE)
            continue;
        const cli_layer *partner = layer_at(match, 1, other);
        if (partner->is_path && can_be_asked(partner))
            status = cli_match_add(match, (const size_t[2]){i, other}, CLI_BY_PATH, error);
    }
    return status;
}

/* Names that the other side knows without listing them: "conv1:folded" where it lists bn1. */
static ltap_status resolve_paths(cli_match *match, int from, ltap_error *error)
{
    const cli_side *other = &match->sides[!from];
    ltap_status status = LTAP_OK;
    char name[1024];
    for (size_t i = 0; status == LTAP_OK && i < match->sides[from].n_listed; i++) {
        cli_layer *layer = layer_at(match, from, i);
        size_t value;
        if (!layer->is_path || !is_free(match, from, layer))
            continue;
        translate(match, from, layer->name, name, sizeof(name));
        status = cli_side_resolve(other, name, &value, &layer->missing, error);
        if (status == LTAP_OK && value != CLI_NOWHERE)
            status = add_from(match, from, i, other->values[value].layer, CLI_BY_PATH, error);
    }
    return status;
}

/* --- folded convolutions --------------------------------------------------------------------- */

/* The BatchNormalization of a model that reads this layer's value. */
static ltap_status find_reader(const cli_side *side, size_t convolution, size_t *found,
                               ltap_error *error)
{
    ltap_status status = LTAP_OK, why;
    const cli_layer *layer = &side->layers[convolution];
    size_t last = convolution + 8 < side->n_listed ? convolution + 8 : side->n_listed;
    *found = CLI_NOWHERE;
    for (size_t i = convolution + 1; i < last && status == LTAP_OK && *found == CLI_NOWHERE; i++) {
        const cli_layer *reader = &side->layers[i];
        char *selector = NULL;
        size_t value = CLI_NOWHERE;
        if (strcmp(reader->type, "BatchNormalization") != 0 || !can_be_asked(reader))
            continue;
        if (asprintf(&selector, "%s:in", reader->name) < 0)
            return cli_error_memory(error);
        status = cli_side_resolve(side, selector, &value, &why, error);
        free(selector);
        if (value == layer->value)
            *found = i;
    }
    return status;
}

/* "layer1.0.bn1" for "layer1.0.conv1", "downsample.1" for "downsample.0"; shift 1: "norm2" for
 * "conv1", as where each convolution is followed by the next one's BatchNorm. */
static int is_norm_of(const char *convolution, const char *name, unsigned long shift)
{
    const char *dot = strrchr(convolution, '.'), *last = dot ? dot + 1 : convolution;
    size_t before = (size_t)(last - convolution);
    if (strncmp(convolution, name, before) != 0)
        return 0;
    const char *other = name + before;
    int is_conv = strncmp(last, "conv", 4) == 0;
    const char *digits = is_conv ? last + 4 : last;
    char *end = NULL, bn[40], norm[40];
    unsigned long number = strtoul(digits, &end, 10) + (is_conv ? shift : 1);
    if (*end || (end == digits && (!is_conv || shift > 0)))
        return 0;
    snprintf(bn, sizeof(bn), end == digits ? "%s" : "%s%lu", is_conv ? "bn" : "", number);
    snprintf(norm, sizeof(norm), end == digits ? "%s" : "%s%lu", is_conv ? "norm" : "", number);
    return strcmp(other, bn) == 0 || strcmp(other, norm) == 0;
}

/* The array of a file that holds the BatchNorm after a convolution: named after it, or the next one
 * of the same module, of the same shape. */
static size_t find_norm(const cli_match *match, int side, size_t convolution)
{
    const cli_side *s = &match->sides[side];
    const char *name = s->layers[convolution].name;
    const char *dot = strrchr(name, '.');
    size_t parent = dot ? (size_t)(dot - name) + 1 : 0,
           found[3] = {CLI_NOWHERE, CLI_NOWHERE, CLI_NOWHERE};
    for (size_t i = 0; i < s->n_listed; i++) {
        const cli_layer *layer = &s->layers[i];
        int is_next = i == convolution + 1 && strncmp(layer->name, name, parent) == 0 &&
                      !strchr(layer->name + parent, '.');
        if (!is_free(match, side, layer) ||
            !cli_same_shape(&layer->shape, &s->layers[convolution].shape))
            continue;
        if (is_norm_of(name, layer->name, 0))
            found[0] = i;
        if (is_next)
            found[1] = i;
        if (is_norm_of(name, layer->name, 1))
            found[2] = i;
    }
    return found[0] != CLI_NOWHERE ? found[0] : found[1] != CLI_NOWHERE ? found[1] : found[2];
}

/* "X:folded" here, and X with its BatchNorm there. */
static ltap_status match_folded(cli_match *match, int from, ltap_error *error)
{
    static const char suffix[] = ":folded";
    const cli_side *other = &match->sides[!from];
    ltap_status status = LTAP_OK;
    char name[1024];
    for (size_t i = 0; status == LTAP_OK && i < match->sides[from].n_listed; i++) {
        const cli_layer *layer = layer_at(match, from, i);
        size_t norm = CLI_NOWHERE;
        translate(match, from, layer->name, name, sizeof(name));
        size_t length = strlen(name), cut = sizeof(suffix) - 1;
        int wanted = other->arrays ? can_be_asked(layer) : is_free(match, from, layer);
        if (!wanted || length <= cut || strcmp(name + length - cut, suffix) != 0)
            continue;
        name[length - cut] = 0;
        size_t convolution = cli_side_find(other, name);
        if (convolution == CLI_NOWHERE)
            continue;
        if (other->arrays)
            norm = find_norm(match, !from, convolution);
        else
            status = find_reader(other, convolution, &norm, error);
        if (status == LTAP_OK && norm != CLI_NOWHERE)
            status = add_from(match, from, i, norm, CLI_BY_FOLD, error);
    }
    return status;
}

/* --- operations, outputs, places ------------------------------------------------------------- */

static const char *parent_name(const cli_side *side, const cli_layer *layer)
{
    return layer->parent == CLI_NOWHERE ? "" : side->layers[layer->parent].name;
}

/* "Conv_12", "n13", "14": a number may mean another operation in another file. */
static int is_numbered(const cli_layer *layer)
{
    size_t length = strlen(layer->name);
    return layer->type[0] && length > 0 && !strpbrk(layer->name, "/.") &&
           layer->name[length - 1] >= '0' && layer->name[length - 1] <= '9';
}

/* Names of operations, at the same place of the tree. Numbered ones come last, and only between the
 * same neighbours. */
static ltap_status match_names(cli_match *match, int are_numbered, ltap_error *error)
{
    const cli_side *a = &match->sides[0], *b = &match->sides[1];
    ltap_status status = LTAP_OK;
    for (size_t i = 0; status == LTAP_OK && i < a->n_listed; i++) {
        const cli_layer *layer = &a->layers[i];
        size_t other = cli_side_find(b, layer->name);
        if (other == CLI_NOWHERE || !is_free(match, 0, layer) || is_numbered(layer) != are_numbered)
            continue;
        const cli_layer *partner = &b->layers[other];
        if (is_free(match, 1, partner) && strcmp(layer->type, partner->type) == 0 &&
            strcmp(parent_name(a, layer), parent_name(b, partner)) == 0 &&
            (!are_numbered || cli_match_between(match, layer->value, partner->value)))
            status = cli_match_add(match, (const size_t[2]){i, other}, CLI_BY_NAME, error);
    }
    return status;
}

/* The n-th output of a model; CLI_NOWHERE. */
static size_t find_output(const cli_side *side, size_t n)
{
    for (size_t i = 0; i < side->n_listed; i++) {
        if (side->layers[i].is_output && n-- == 0)
            return can_be_asked(&side->layers[i]) ? i : CLI_NOWHERE;
    }
    return CLI_NOWHERE;
}

/* Whether each output of one has an output of the same name in the other. */
static int share_names(const cli_side *a, const cli_side *b)
{
    for (size_t i = 0, at; i < ltap_model_outputs_count(a->model.model); i++) {
        at = find_output(a, i);
        size_t other = at == CLI_NOWHERE ? CLI_NOWHERE : cli_side_find(b, a->layers[at].name);
        if (other == CLI_NOWHERE || !b->layers[other].is_output)
            return 0;
    }
    return 1;
}

/* By name where all have one of the other's, or their numbers differ; else by position. */
static size_t find_other_output(const cli_match *match, size_t output, size_t n)
{
    const cli_side *a = &match->sides[0], *b = &match->sides[1];
    int are_as_many =
        ltap_model_outputs_count(a->model.model) == ltap_model_outputs_count(b->model.model);
    if (are_as_many && !share_names(a, b))
        return find_output(b, n);
    size_t other = cli_side_find(b, a->layers[output].name);
    int is_known = other != CLI_NOWHERE && b->layers[other].is_output;
    return is_known && (are_as_many || !is_numbered(&a->layers[output])) ? other : CLI_NOWHERE;
}

static ltap_status match_outputs(cli_match *match, ltap_error *error)
{
    const cli_side *a = &match->sides[0], *b = &match->sides[1];
    ltap_status status = LTAP_OK;
    if (a->arrays || b->arrays)
        return LTAP_OK;
    size_t n = ltap_model_outputs_count(a->model.model);
    for (size_t i = 0; status == LTAP_OK && i < n; i++) {
        size_t output = find_output(a, i), other = CLI_NOWHERE;
        if (output == CLI_NOWHERE || !is_free(match, 0, &a->layers[output]))
            continue;
        other = find_other_output(match, output, i);
        if (other != CLI_NOWHERE && is_free(match, 1, &b->layers[other]))
            status = cli_match_add(match, (const size_t[2]){output, other}, CLI_BY_OUTPUT, error);
    }
    return status;
}

/* Where no name means anything: arrays of the same shapes in the same order, or one array and a
 * model's one output. */
static ltap_status match_places(cli_match *match, ltap_error *error)
{
    const cli_side *a = &match->sides[0], *b = &match->sides[1];
    size_t first[2] = {0, 0};
    for (int side = 0; side < 2; side++) {
        const cli_side *s = &match->sides[side];
        int is_whole = s->arrays || ltap_model_outputs_count(s->model.model) == 1;
        if (!is_whole || (s->arrays ? s->n_listed : 1) != (a->arrays ? a->n_listed : 1))
            return LTAP_OK;
        first[side] = s->arrays ? 0 : find_output(s, 0);
        if (first[side] == CLI_NOWHERE)
            return LTAP_OK;
    }
    size_t n = a->arrays ? a->n_listed : 1;
    for (size_t i = 0; i < n; i++) {
        const ltap_tensor *x = &a->layers[first[0] + i].shape, *y = &b->layers[first[1] + i].shape;
        if (n > 1 && !cli_same_shape(x, y))
            return LTAP_OK;
    }
    ltap_status status = LTAP_OK;
    for (size_t i = 0; status == LTAP_OK && i < n; i++)
        status = cli_match_add(match, (const size_t[2]){first[0] + i, first[1] + i}, CLI_BY_PLACE,
                               error);
    return status;
}

/* What edges tell of two models. */
static ltap_status match_models(cli_match *match, ltap_error *error)
{
    ltap_status status = cli_match_edges(match, error);
    if (status == LTAP_OK && cli_match_doubt_names(match) > 0)
        status = match_outputs(match, error);
    if (status == LTAP_OK)
        status = cli_match_structure(match, error);
    return status == LTAP_OK ? match_names(match, 1, error) : status;
}

ltap_status cli_match_layers(cli_match *match, ltap_error *error)
{
    choose_prefix(match);
    ltap_status status = match_paths(match, error);
    for (int side = 0; status == LTAP_OK && side < 2; side++)
        status = resolve_paths(match, side, error);
    for (int side = 0; status == LTAP_OK && side < 2; side++)
        status = match_folded(match, side, error);
    if (status == LTAP_OK)
        status = match_names(match, 0, error);
    if (status == LTAP_OK)
        status = match_outputs(match, error);
    if (status == LTAP_OK && !match->sides[0].arrays && !match->sides[1].arrays)
        status = match_models(match, error);
    if (status == LTAP_OK && match->n_pairs == 0)
        status = match_places(match, error);
    return status;
}

void cli_match_clear(cli_match *match)
{
    free(match->pairs);
    for (int side = 0; side < 2; side++) {
        cli_edges_clear(&match->edges[side]);
        free(match->partners[side]);
    }
    *match = (cli_match){0};
}

/* --- requests -------------------------------------------------------------------------------- */

static ltap_status no_partner(const cli_match *match, const cli_layer *layer, ltap_error *error)
{
    const char *a = match->sides[0].label, *b = match->sides[1].label;
    return cli_error_set(
        error, LTAP_ERROR_UNKNOWN_LAYER, "'%s' of %s has no partner in %s%s; name one: -r %s=LAYER",
        layer->name, a, b,
        layer->missing == LTAP_ERROR_FOLDED_LAYER ? ", whose exporter folded its own value away"
                                                  : "",
        layer->name);
}

/* A layer of A that was asked for: its pair, shown under this name. Of several that a pattern
 * means, those without a partner are left out. */
static ltap_status choose(cli_match *match, size_t layer, int is_one, ltap_error *error)
{
    cli_layer *asked = layer_at(match, 0, layer);
    size_t at = match->sides[0].values[asked->value].pair, value = CLI_NOWHERE;
    ltap_status status = LTAP_OK;
    if (at == CLI_NOWHERE) {
        status = cli_side_resolve(&match->sides[1], asked->name, &value, &asked->missing, error);
        if (status == LTAP_OK && value == CLI_NOWHERE)
            return is_one ? no_partner(match, asked, error) : LTAP_OK;
        if (status == LTAP_OK)
            status =
                add_from(match, 0, layer, match->sides[1].values[value].layer, CLI_BY_PATH, error);
        at = match->n_pairs - 1;
    }
    if (status != LTAP_OK)
        return status;
    char name[1024];
    translate(match, 0, asked->name, name, sizeof(name));
    size_t same = cli_side_find(&match->sides[1], name), best = at;
    for (; at != CLI_NOWHERE; at = match->pairs[at].next) {
        int is_same =
            same != CLI_NOWHERE && layer_at(match, 1, same)->value == match->pairs[at].value[1];
        if (is_same)
            match->pairs[at].layer[1] = same;
        if (is_same || match->pairs[at].reason > match->pairs[best].reason)
            best = at;
        if (is_same)
            break;
    }
    match->pairs[best].layer[0] = layer;
    match->pairs[best].is_chosen = 1;
    return LTAP_OK;
}

static ltap_status choose_both(cli_match *match, size_t layer, const char *other, ltap_error *error)
{
    size_t *layers = NULL, n = 0;
    ltap_status status = cli_side_ask(&match->sides[1], other, &layers, &n, error);
    if (status == LTAP_OK && n != 1)
        status = cli_error_set(error, LTAP_ERROR_AMBIGUOUS_LAYER,
                               "'%s' means %zu layers of %s; a partner is one", other, n,
                               match->sides[1].label);
    if (status == LTAP_OK)
        status = cli_match_add(match, (const size_t[2]){layer, layers[0]}, CLI_BY_REQUEST, error);
    if (status == LTAP_OK) {
        size_t at = find_pair(match, layer_at(match, 0, layer)->value,
                              layer_at(match, 1, layers[0])->value);
        match->pairs[at].is_chosen = 1;
    }
    free(layers);
    return status;
}

ltap_status cli_match_request(cli_match *match, const ltap_return_layer *layers, size_t n_layers,
                              ltap_error *error)
{
    ltap_status status = LTAP_OK;
    for (size_t i = 0; i < match->n_pairs; i++)
        match->pairs[i].is_chosen = 0;
    for (size_t i = 0; status == LTAP_OK && i < n_layers; i++) {
        size_t *asked = NULL, n = 0;
        status = cli_side_ask(&match->sides[0], layers[i].layer, &asked, &n, error);
        if (status == LTAP_OK && layers[i].name && n != 1)
            status = cli_error_set(error, LTAP_ERROR_AMBIGUOUS_LAYER,
                                   "'%s' means %zu layers of %s, and '%s' is one", layers[i].layer,
                                   n, match->sides[0].label, layers[i].name);
        for (size_t k = 0; status == LTAP_OK && k < n; k++)
            status = layers[i].name ? choose_both(match, asked[k], layers[i].name, error)
                                    : choose(match, asked[k], n == 1, error);
        free(asked);
    }
    return status;
}
