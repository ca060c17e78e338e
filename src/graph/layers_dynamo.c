/* Chains from the metadata that torch.onnx.export(dynamo=True) leaves at each node: the Python repr
 * of a list of qualified names, outermost first, and one of class names. The first name is the root
 * "", the last is the operation; what is between are the modules that were running.
 *
 * An operation that the exporter takes apart may get the names of the module that reads it. The
 * stack trace beside them is older, and has a line for each module that ran: with fewer lines than
 * modules, the names are not the operation's own.
 */
#include "graph/layers_build.h"

#include "base/error.h"
#include <string.h>

static const char scopes_key[] = "pkg.torch.onnx.name_scopes";
static const char classes_key[] = "pkg.torch.onnx.class_hierarchy";
static const char trace_key[] = "pkg.torch.onnx.stack_trace";

typedef struct names {
    const char *items[LTAP_MAX_STEP + 2];
    size_t count;
} names;

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One character after a backslash. Python escapes control characters as \xNN and leaves other
 * letters as they are, so \u needs no care beyond being kept. */
static const char *unescape(const char *p, char *out)
{
    static const char from[] = "ntr0", to[] = "\n\t\r\0";
    if (*p == 'x' && hex_digit(p[1]) >= 0 && hex_digit(p[2]) >= 0) {
        *out = (char)(hex_digit(p[1]) * 16 + hex_digit(p[2]));
        return p + 3;
    }
    const char *known = *p != '\0' ? strchr(from, *p) : NULL;
    *out = known != NULL ? to[known - from] : *p;
    return *p != '\0' ? p + 1 : p;
}

/* Reads a quoted string at p into `text` (room for the rest of the input); NULL: not one. */
static const char *read_item(const char *p, char **text)
{
    char quote = *p;
    if (quote != '\'' && quote != '"')
        return NULL;
    for (p++; *p != quote;) {
        if (*p == '\0')
            return NULL;
        if (*p == '\\')
            p = unescape(p + 1, (*text)++);
        else
            *(*text)++ = *p++;
    }
    *(*text)++ = '\0';
    return p + 1;
}

/* ['', 'layer1', 'relu_1']; false where it is anything else. */
static bool parse_list(const char *p, char *text, names *list)
{
    list->count = 0;
    if (*p++ != '[')
        return false;
    while (*p != ']') {
        const char *item = text;
        p = read_item(p, &text);
        if (p == NULL || list->count >= sizeof list->items / sizeof *list->items)
            return false;
        list->items[list->count++] = item;
        while (*p == ',' || *p == ' ')
            p++;
    }
    return true;
}

static ltap_status parse(ltap_scopes *scopes, const char *repr, names *list, bool *good,
                         ltap_error *error)
{
    void *block;
    *good = false;
    list->count = 0;
    if (repr == NULL)
        return LTAP_OK;
    LTAP_TRY(ltap_arena_take(scopes->arena, strlen(repr) + 1, 1, &block, error));
    *good = parse_list(repr, block, list);
    return LTAP_OK;
}

/* "shared@1" is the second call of "shared" in exporters that tell them apart so. */
static size_t without_turn(const char *path, uint32_t *turn)
{
    const char *at = strrchr(path, '@');
    *turn = LTAP_NO_TURN;
    if (at == NULL || at == path || at[1] == '\0' ||
        strspn(at + 1, "0123456789") != strlen(at + 1) || strlen(at) > 8)
        return strlen(path);
    *turn = 0;
    for (const char *p = at + 1; *p != '\0'; p++)
        *turn = *turn * 10 + (uint32_t)(*p - '0');
    return (size_t)(at - path);
}

static ltap_status fill_chain(ltap_scopes *scopes, const names *paths, const names *classes,
                              ltap_chain *chain, ltap_error *error)
{
    void *block;
    LTAP_TRY(ltap_arena_take(scopes->arena, paths->count + 1, sizeof(ltap_step), &block, error));
    chain->steps = block;
    for (size_t i = 0; i + 1 < paths->count && chain->n_steps < LTAP_MAX_STEP; i++) {
        uint32_t scope, turn;
        size_t bytes = without_turn(paths->items[i], &turn);
        uint32_t parent =
            chain->n_steps > 0 ? chain->steps[chain->n_steps - 1].scope : LTAP_NO_STEP;
        if (bytes == 0)
            continue;
        LTAP_TRY(ltap_scopes_intern(scopes, paths->items[i], bytes, parent, &scope, error));
        if (scope == parent)
            continue;
        ltap_scope *entry = ltap_scopes_at(scopes, scope);
        entry->full_path = true;
        entry->component = entry->text;
        if (classes->count == paths->count && entry->class_name == NULL)
            entry->class_name = classes->items[i];
        chain->steps[chain->n_steps++] = (ltap_step){scope, turn};
    }
    return LTAP_OK;
}

static size_t count_frames(const ltap_node *node)
{
    static const char frame[] = "File \"";
    size_t count = 0;
    const char *at = ltap_node_property(node, trace_key);
    for (; at != NULL && (at = strstr(at, frame)) != NULL; at += strlen(frame))
        count++;
    return count;
}

/* Forgets the scopes of operations whose stack trace is shorter than they are, where others of the
 * same scope show that traces are written in full. */
static ltap_status forget_lent(const ltap_graph *graph, ltap_scopes *scopes, const size_t *n_names,
                               ltap_error *error)
{
    void *block;
    LTAP_TRY(ltap_arena_take(scopes->arena, scopes->scopes.count + 1, 1, &block, error));
    uint8_t *full = block; /* per scope */
    for (int round = 0; round < 2; round++) {
        for (uint32_t n = 0; n < graph->nodes.count; n++) {
            ltap_chain *chain = &scopes->chains[n];
            if (chain->n_steps == 0)
                continue;
            uint8_t *seen = &full[chain->steps[chain->n_steps - 1].scope];
            size_t frames = count_frames(ltap_graph_node(graph, n));
            if (round == 0)
                *seen |= frames >= n_names[n];
            else if (*seen && frames > 0 && frames < n_names[n])
                *chain = (ltap_chain){0};
        }
    }
    return LTAP_OK;
}

ltap_status ltap_scopes_dynamo(const ltap_layers *layers, ltap_scopes *scopes, bool *used,
                               ltap_error *error)
{
    const ltap_graph *graph = layers->graph;
    void *block;
    *used = false;
    LTAP_TRY(ltap_arena_take(scopes->arena, graph->nodes.count + 1, sizeof(size_t), &block, error));
    size_t *n_names = block; /* per node: modules that it says it ran in, the root among them */
    for (uint32_t n = 0; n < graph->nodes.count; n++) {
        const ltap_node *node = ltap_graph_node(graph, n);
        names paths, classes;
        bool good, also;
        LTAP_TRY(parse(scopes, ltap_node_property(node, scopes_key), &paths, &good, error));
        if (!good || paths.count == 0)
            continue;
        LTAP_TRY(parse(scopes, ltap_node_property(node, classes_key), &classes, &also, error));
        if (!also)
            classes.count = 0;
        LTAP_TRY(fill_chain(scopes, &paths, &classes, &scopes->chains[n], error));
        n_names[n] = paths.count - 1;
        *used = true;
    }
    return *used ? forget_lent(graph, scopes, n_names, error) : LTAP_OK;
}
