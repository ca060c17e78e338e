/* The refusal of an unknown name: the nearest names, and what the file shows about why there is no
 * such layer. Hints are conditional where the file is silent.
 */
#include "base/error.h"
#include "select/things.h"
#include <ctype.h>
#include <string.h>

#define MAX_LISTED 8
#define MAX_SHOWN  160 /* bytes of a name */

/* Text in the search's arena through a vector that grows. */
static ltap_status finish(const ltap_search *search, ltap_vector *text, const char **out,
                          ltap_error *error)
{
    return ltap_arena_text(search->arena, text->count > 0 ? text->data : "", text->count, out,
                           error);
}

static bool contains_word(const char *text, const char *wanted)
{
    size_t n = strlen(wanted);
    for (; *text != '\0'; text++) {
        size_t i = 0;
        while (i < n && tolower((unsigned char)text[i]) == wanted[i])
            i++;
        if (i == n)
            return true;
    }
    return false;
}

/* The module that an unknown name would lie in: the longest known path before a dot. */
static const ltap_module *module_around(const ltap_search *search, const char *name, size_t *bytes)
{
    uint32_t module;
    for (*bytes = strlen(name); *bytes > 0; (*bytes)--)
        if (name[*bytes] == '.' &&
            ltap_map_get(&search->layers->module_by_path, name, *bytes, &module))
            return ltap_layers_at(search->layers, module);
    return NULL;
}

/* A name that may be that of a BatchNorm: it says so, or is a number, right inside a module. */
static bool may_be_batchnorm(const char *last)
{
    return strchr(last, '.') == NULL &&
           (contains_word(last, "bn") || contains_word(last, "norm") ||
            (last[0] != '\0' && strspn(last, "0123456789") == strlen(last)));
}

static ltap_status hint_batchnorm(const ltap_search *search, const char *name, uint32_t call,
                                  ltap_vector *text, ltap_error *error)
{
    const ltap_layers *layers = search->layers;
    size_t above, listed = 0;
    const ltap_module *around = module_around(search, name, &above);
    const char *last = around != NULL ? name + above + 1 : name;
    if (!may_be_batchnorm(last))
        return LTAP_OK;
    for (uint32_t m = 0; m < layers->modules.count; m++) {
        const ltap_module *module = ltap_layers_at(layers, m);
        const ltap_module *parent =
            module->parent == LTAP_NO_MODULE ? NULL : ltap_layers_at(layers, module->parent);
        if (!module->folded || module->folded_by != NULL || parent != around || listed > MAX_LISTED)
            continue;
        LTAP_TRY(ltap_text_format(
            text, error, "%s",
            listed == 0 ? "; a BatchNorm has no value of its own here, the exporter folds it into "
                          "the convolution before it: "
                        : ", "));
        listed++;
        if (listed > MAX_LISTED)
            LTAP_TRY(ltap_text_format(text, error, "..."));
        else if (module->n_calls > 1)
            LTAP_TRY(ltap_text_format(text, error, "'%s#%u:folded'", module->path,
                                      call < module->n_calls ? (unsigned)call : 0));
        else
            LTAP_TRY(ltap_text_format(text, error, "'%s:folded'", module->path));
    }
    return LTAP_OK;
}

/* A path on the way to known modules, but no module itself: a list, or one that is never called. */
static ltap_status hint_inside(const ltap_search *search, const char *name, ltap_vector *text,
                               ltap_error *error)
{
    const ltap_layers *layers = search->layers;
    size_t n = strlen(name), listed = 0;
    const char *last = NULL;
    for (uint32_t m = 0; m < layers->modules.count && listed < 3; m++) {
        const ltap_module *module = ltap_layers_at(layers, m);
        if (module->n_calls == 0 || strncmp(module->path, name, n) != 0 || module->path[n] != '.' ||
            (last != NULL && strncmp(module->path, last, strlen(last)) == 0))
            continue;
        last = module->path;
        LTAP_TRY(ltap_text_format(
            text, error, "%s'%s'",
            listed == 0 ? "; it is not called as a module in this file, but what is in it is: "
                        : ", ",
            module->path));
        listed++;
    }
    return LTAP_OK;
}

/* Whether the dynamo exporter merged activations in a row, of which each may be a module. */
static bool has_merged_activations(const ltap_graph *graph)
{
    for (uint32_t n = 0; n < graph->nodes.count; n++) {
        const char *rule =
            ltap_node_property(ltap_graph_node(graph, n), "pkg.onnxscript.rewriter.rule_name");
        if (rule != NULL && strstr(rule, "FuseSuccessive") != NULL)
            return true;
    }
    return false;
}

/* A numbered child that is not there: it may have been one that computes nothing. */
static ltap_status hint_number(const ltap_search *search, const char *name, ltap_vector *text,
                               ltap_error *error)
{
    size_t above;
    const ltap_module *around = module_around(search, name, &above);
    const char *last = name + above + 1;
    if (around == NULL || last[0] == '\0' || strspn(last, "0123456789") != strlen(last))
        return LTAP_OK;
    return ltap_text_format(
        text, error,
        "; modules that compute nothing (a Dropout, an Identity)%s leave nothing "
        "in a file",
        has_merged_activations(search->layers->graph)
            ? " and activations that were merged with the next one"
            : "");
}

/* The exporter numbers what it writes under one name, calls as well as modules whose names end
 * alike: "fc_1" may be "fc" where "fc" is not there, but "holder.fc" is. */
static ltap_status hint_turn(const ltap_search *search, const char *name, ltap_vector *text,
                             ltap_error *error)
{
    const ltap_layers *layers = search->layers;
    size_t bytes = strlen(name);
    if (strcmp(layers->exporter, "TorchScript exporter") != 0 || bytes == 0)
        return LTAP_OK;
    for (uint32_t m = 0; m < layers->modules.count; m++) {
        const char *path = ltap_layers_at(layers, m)->path;
        size_t digits = strncmp(path, name, bytes) == 0 && path[bytes] == '_'
                            ? strspn(path + bytes + 1, "0123456789")
                            : 0;
        if (digits == 0 || path[bytes + 1 + digits] != '\0')
            continue;
        return ltap_text_format(text, error,
                                "; the exporter numbers modules whose names end alike: '%s' may be "
                                "'%s'",
                                path, name);
    }
    return LTAP_OK;
}

/* What a source of names cannot tell. */
typedef struct source_hint {
    const char *source, *hint;
} source_hint;

static const source_hint source_hints[] = {
    {"the paths in names", "; converters merge some layers into their neighbours (padding, "
                           "reshaping, dropout), and those leave no name in a file"},
    {"the names of weights", "; its exporter wrote no modules: only those whose weights kept their "
                             "names are known, everything else is a node (op:Relu[0]) or a value"}};

static const char *hint_source(const ltap_layers *layers)
{
    for (size_t i = 0; i < sizeof source_hints / sizeof *source_hints; i++)
        if (strcmp(source_hints[i].source, layers->source) == 0)
            return source_hints[i].hint;
    const char *producer = layers->graph->producer;
    if (layers->source[0] == '\0' && producer != NULL && strstr(producer, "PyTorch") != NULL)
        return "; its exporter wrote no modules and no names of weights (PyTorch 1.13 and newer do): "
               "ask for a node (op:Conv[0]) or a value";
    return "";
}

/* Why there may be no such layer, by its name without "#1". */
static ltap_status hint(const ltap_search *search, const char *name, ltap_vector *text,
                        ltap_error *error)
{
    size_t bytes, before;
    uint32_t call = 0;
    if (ltap_number_cut(name, '#', &bytes, &call))
        LTAP_TRY(ltap_arena_text(search->arena, name, bytes, &name, error));
    LTAP_TRY(hint_inside(search, name, text, error));
    before = text->count;
    LTAP_TRY(hint_turn(search, name, text, error));
    LTAP_TRY(hint_batchnorm(search, name, call, text, error));
    if (text->count == before)
        LTAP_TRY(hint_number(search, name, text, error));
    if (text->count == before)
        LTAP_TRY(ltap_text_format(text, error, "%s", hint_source(search->layers)));
    return LTAP_OK;
}

/* A name that would fill the screen, by its ends. Bytes that belong together may be cut: messages
 * are cleaned. */
static ltap_status shorten(const ltap_search *search, const char *name, const char **shown,
                           ltap_error *error)
{
    size_t bytes = strlen(name);
    *shown = name;
    if (bytes <= MAX_SHOWN)
        return LTAP_OK;
    return ltap_arena_format(search->arena, shown, error, "%.*s...%s", MAX_SHOWN / 2, name,
                             name + bytes - MAX_SHOWN / 4);
}

ltap_status ltap_refuse_unknown(const ltap_search *search, const char *name, ltap_error *error)
{
    ltap_status status;
    ltap_vector text;
    const char *nearest[3], *done_text;
    size_t count = sizeof nearest / sizeof *nearest;
    if (error == NULL) /* nobody reads the message, which is what takes time */
        return LTAP_ERROR_UNKNOWN_LAYER;
    bool inside;
    ltap_vector_init(&text, search->arena->memory, 1);
    status = ltap_refuse_inside(search, name, &inside, error);
    if (inside || status != LTAP_OK)
        goto done;
    LTAP_GO(ltap_nearest(search, name, nearest, &count, error));
    for (size_t i = 0; i < count; i++)
        LTAP_GO(ltap_text_format(&text, error, "%s%s", i == 0 ? "; nearest: " : ", ", nearest[i]));
    LTAP_GO(hint(search, name, &text, error));
    LTAP_GO(finish(search, &text, &done_text, error));
    const char *shown;
    LTAP_GO(shorten(search, name, &shown, error));
    status = ltap_error_set(error, LTAP_ERROR_UNKNOWN_LAYER,
                            "no layer '%s' in %s%s (all names: layertap layers %s)", shown,
                            search->model_name, done_text, search->model_name);
done:
    ltap_vector_clear(&text);
    return status;
}
