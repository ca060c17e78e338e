/* The names nearest to a wrong one.
 *
 * Edit distance over the whole path; and over its last parts, for who forgot or added the modules
 * around ("conv3" for "layer1.0.conv3"). Equal distances: the letters that differ the least first,
 * so that "layer5" is nearer to "layer4" than to "layer1". Rows are cut off at the best found so
 * far, which keeps 50,000 names in milliseconds.
 */
#include "base/error.h"
#include "select/things.h"
#include <stdlib.h>
#include <string.h>

#define MAX_NAME 120 /* longer names are not typed by hand */

typedef struct candidate {
    const char *name;
    uint32_t module; /* or LTAP_NO_MODULE */
    int distance, drift;
} candidate;

typedef struct board {
    const char *wanted;
    size_t bytes;
    candidate best[3];
    size_t count, room;
    int limit; /* the largest distance that is still near */
} board;

static char fold(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c | 0x20);
    return c == '/' ? '.' : c;
}

/* Edit distance, or more than limit when it is more. */
static int distance(const char *a, size_t n, const char *b, size_t m, int limit)
{
    int row[MAX_NAME + 1];
    if ((n > m ? n - m : m - n) > (size_t)limit || n > MAX_NAME)
        return limit + 1;
    for (size_t i = 0; i <= n; i++)
        row[i] = (int)i;
    for (size_t j = 0; j < m; j++) {
        int diagonal = row[0], least = row[0] = (int)j + 1;
        char c = fold(b[j]);
        for (size_t i = 0; i < n; i++) {
            int change = diagonal + (fold(a[i]) != c);
            int shift = (row[i] < row[i + 1] ? row[i] : row[i + 1]) + 1;
            diagonal = row[i + 1];
            row[i + 1] = change < shift ? change : shift;
            least = row[i + 1] < least ? row[i + 1] : least;
        }
        if (least > limit)
            return limit + 1;
    }
    return row[n];
}

static int drift(const char *a, size_t n, const char *b, size_t m)
{
    int sum = 0;
    for (size_t i = 0; i < n && i < m; i++)
        sum += abs(a[i] - b[i]);
    return n == m ? sum : sum + 256;
}

/* The last `parts` parts of a path. */
static const char *tail(const char *path, size_t bytes, size_t parts)
{
    const char *p = path + bytes;
    while (p > path) {
        if (p[-1] == '.' && --parts == 0)
            return p;
        p--;
    }
    return path;
}

static size_t count_parts(const char *path)
{
    size_t parts = 1;
    for (; *path != '\0'; path++)
        parts += *path == '.';
    return parts;
}

static void rank(board *ranking, candidate found)
{
    size_t at = ranking->count;
    for (size_t i = 0; i < ranking->count; i++)
        if (strcmp(ranking->best[i].name, found.name) == 0)
            return;
    while (at > 0 && (ranking->best[at - 1].distance > found.distance ||
                      (ranking->best[at - 1].distance == found.distance &&
                       ranking->best[at - 1].drift > found.drift)))
        at--;
    if (at >= ranking->room)
        return;
    if (ranking->count < ranking->room)
        ranking->count++;
    for (size_t i = ranking->count - 1; i > at; i--)
        ranking->best[i] = ranking->best[i - 1];
    ranking->best[at] = found;
    if (ranking->count == ranking->room)
        ranking->limit = ranking->best[ranking->room - 1].distance;
}

/* How many letters may be wrong in a name of a length. */
static int near_enough(size_t bytes)
{
    return bytes < 24 ? (int)(bytes + 2) / 3 : 8;
}

static void consider(board *ranking, const char *name, uint32_t module)
{
    size_t bytes = strlen(name), parts = count_parts(name), mine = count_parts(ranking->wanted);
    const char *a = ranking->wanted, *b = name;
    int found = distance(a, ranking->bytes, b, bytes, ranking->limit), whole = found;
    if (found > 0 && parts != mine && ranking->limit > 0 && module != LTAP_NO_MODULE) {
        a = parts < mine ? tail(a, ranking->bytes, parts) : a;
        b = parts > mine ? tail(b, bytes, mine) : b;
        int limit = near_enough(strlen(a));
        limit = limit < ranking->limit ? limit : ranking->limit - 1;
        found = distance(a, strlen(a), b, strlen(b), limit);
        found = found <= limit ? found + 1 : ranking->limit + 1;
    }
    const char *slash = module == LTAP_NO_MODULE ? strrchr(name, '/') : NULL;
    if (slash != NULL && slash[1] != '\0' && found > 0 && ranking->limit > 0) {
        bool begins = strncmp(slash + 1, ranking->wanted, ranking->bytes) == 0;
        int last = begins ? 0
                          : distance(ranking->wanted, ranking->bytes, slash + 1, strlen(slash + 1),
                                     ranking->limit - 1);
        if (last < ranking->limit && last + 1 < found)
            found = last + 1, b = slash + 1;
    }
    if (whole <= found) {
        found = whole;
        a = ranking->wanted;
        b = name;
    }
    if (found <= ranking->limit)
        rank(ranking, (candidate){name, module, found, drift(a, strlen(a), b, strlen(b))});
}

static void consider_all(const ltap_search *search, board *ranking)
{
    const ltap_layers *layers = search->layers;
    const ltap_graph *graph = layers->graph;
    for (uint32_t m = 0; m < layers->modules.count; m++)
        if (ltap_layers_at(layers, m)->n_calls > 0)
            consider(ranking, ltap_layers_at(layers, m)->path, m);
    for (size_t i = 0; i < graph->inputs.count; i++)
        consider(ranking, ltap_graph_at(graph, *LTAP_VECTOR_AT(&graph->inputs, uint32_t, i))->name,
                 LTAP_NO_MODULE);
    for (size_t i = 0; i < graph->output_names.count; i++)
        consider(ranking, *LTAP_VECTOR_AT(&graph->output_names, const char *, i), LTAP_NO_MODULE);
    if (ranking->count > 0)
        return;
    for (uint32_t n = 0; n < graph->nodes.count; n++) {
        const ltap_node *node = ltap_graph_node(graph, n);
        if (node->name[0] != '\0')
            consider(ranking, node->name, LTAP_NO_MODULE);
        for (size_t i = 0; i < node->n_outputs; i++)
            if (node->outputs[i] != LTAP_NO_VALUE && layers->data[node->outputs[i]])
                consider(ranking, ltap_graph_at(graph, node->outputs[i])->name, LTAP_NO_MODULE);
    }
}

ltap_status ltap_nearest(const ltap_search *search, const char *name, const char **nearest,
                         size_t *count, ltap_error *error)
{
    board ranking = {.wanted = name, .bytes = strlen(name), .room = *count};
    *count = 0;
    if (ranking.room > sizeof ranking.best / sizeof *ranking.best)
        ranking.room = sizeof ranking.best / sizeof *ranking.best;
    ranking.limit = near_enough(ranking.bytes);
    if (ranking.bytes <= MAX_NAME)
        consider_all(search, &ranking);
    for (size_t i = 0; i < ranking.count; i++) {
        const candidate *best = &ranking.best[i];
        const ltap_module *module =
            best->module == LTAP_NO_MODULE ? NULL : ltap_layers_at(search->layers, best->module);
        nearest[i] = best->name;
        if (module != NULL && (module->folded || module->n_calls > 1))
            LTAP_TRY(ltap_arena_format(search->arena, &nearest[i], error, "%s%s%s", best->name,
                                       module->n_calls > 1 ? "#0" : "",
                                       module->folded ? ":folded" : ""));
        (*count)++;
    }
    return LTAP_OK;
}
