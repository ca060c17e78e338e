/* The layers nearest to a wrong name, by edit distance over the whole path; and over its last
 * parts, for who forgot or added the modules around ("conv3" for "layer1.0.conv3").
 */
#include "base/error.h"
#include "base/near.h"
#include "select/things.h"

#include <string.h>

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

static void consider(ltap_near *ranking, const char *name, uint32_t module)
{
    size_t bytes = strlen(name), parts = count_parts(name), mine = count_parts(ranking->wanted);
    const char *a = ranking->wanted, *b = name;
    int found = ltap_near_distance(a, ranking->bytes, b, bytes, ranking->limit), whole = found;
    if (found > 0 && parts != mine && ranking->limit > 0 && module != LTAP_NO_MODULE) {
        a = parts < mine ? tail(a, ranking->bytes, parts) : a;
        b = parts > mine ? tail(b, bytes, mine) : b;
        int limit = ltap_near_enough(strlen(a));
        limit = limit < ranking->limit ? limit : ranking->limit - 1;
        found = ltap_near_distance(a, strlen(a), b, strlen(b), limit);
        found = found <= limit ? found + 1 : ranking->limit + 1;
    }
    const char *slash = module == LTAP_NO_MODULE ? strrchr(name, '/') : NULL;
    if (slash != NULL && slash[1] != '\0' && found > 0 && ranking->limit > 0) {
        bool begins = strncmp(slash + 1, ranking->wanted, ranking->bytes) == 0;
        int last = begins ? 0
                          : ltap_near_distance(ranking->wanted, ranking->bytes, slash + 1,
                                               strlen(slash + 1), ranking->limit - 1);
        if (last < ranking->limit && last + 1 < found)
            found = last + 1, b = slash + 1;
    }
    if (whole <= found) {
        found = whole;
        a = ranking->wanted;
        b = name;
    }
    if (found <= ranking->limit)
        ltap_near_rank(ranking, &(ltap_near_name){name, module, found,
                                                  ltap_near_drift(a, strlen(a), b, strlen(b))});
}

static void consider_all(const ltap_search *search, ltap_near *ranking)
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
    ltap_near ranking;
    ltap_near_init(&ranking, name, *count);
    *count = 0;
    if (ranking.bytes > 0)
        consider_all(search, &ranking);
    for (size_t i = 0; i < ranking.count; i++) {
        const ltap_near_name *best = &ranking.best[i];
        const ltap_module *module =
            best->tag == LTAP_NO_MODULE ? NULL : ltap_layers_at(search->layers, best->tag);
        nearest[i] = best->name;
        if (module != NULL && (module->folded || module->n_calls > 1))
            LTAP_TRY(ltap_arena_format(search->arena, &nearest[i], error, "%s%s%s", best->name,
                                       module->n_calls > 1 ? "#0" : "",
                                       module->folded ? ":folded" : ""));
        (*count)++;
    }
    return LTAP_OK;
}
