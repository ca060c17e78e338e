/* What is asked for. A JSON file is Python's dictionary, {"layer4": "out"}: in its order, which
 * jansson keeps, and with no quoting of '=' to think about. */
#include "cli/request.h"
#include "cli/text.h"
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static ltap_status add(cli_request *request, const char *layer, size_t length, const char *name,
                       ltap_error *error)
{
    if (request->n_layers == request->room) {
        size_t room = request->room * 2 + 8;
        ltap_return_layer *grown = realloc(request->layers, room * sizeof(*grown));
        if (!grown)
            return cli_error_memory(error);
        request->layers = grown;
        request->room = room;
    }
    char *copy = strndup(layer, length), *key = name ? strdup(name) : NULL;
    if (!copy || (name && !key)) {
        free(copy);
        free(key);
        return cli_error_memory(error);
    }
    request->layers[request->n_layers++] = (ltap_return_layer){copy, key};
    return LTAP_OK;
}

/* LAYER[=NAME][@REDUCTION...]; a layer whose name holds '@' is told from reductions by "=NAME". */
static ltap_status add_typed(cli_request *request, const char *text, int reduces, ltap_error *error)
{
    const char *equals = strrchr(text, '='), *at = strchr(equals ? equals : text, '@');
    const char *name = equals ? equals + 1 : at;
    if (!text[0] || equals == text || at == text || (equals && !equals[1]))
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "-r '%s': it wants LAYER, LAYER=NAME or LAYER=NAME@REDUCTION", text);
    if (at && !reduces)
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "-r %s: reductions (%s) are for 'extract' and 'bench' alone; a layer "
                             "whose name holds '@' wants a name: -r LAYER=NAME",
                             text, at);
    size_t length = equals ? (size_t)(equals - text) : at ? (size_t)(at - text) : strlen(text);
    return add(request, text, length, name, error);
}

static ltap_status load_json(const char *path, json_t **document, ltap_error *error)
{
    json_error_t where;
    errno = 0;
    if (strcmp(path, "-") == 0)
        *document = json_loadf(stdin, JSON_REJECT_DUPLICATES, &where);
    else
        *document = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    if (*document)
        return LTAP_OK;
    if (where.line < 0)
        return cli_error_set(error, LTAP_ERROR_FILE, "%s: %s", path, cli_error_system(errno));
    return cli_error_set(error, LTAP_ERROR_FORMAT, "%s: line %d, column %d: %s", path, where.line,
                         where.column, where.text);
}

/* A name as it is, for the library: every '@' twice. Then reductions, which may be NULL. */
static char *quote(const char *name, const char *reduce)
{
    size_t length = 0, rest = reduce ? strlen(reduce) : 0;
    char *text = malloc(2 * strlen(name) + rest + 2);
    for (; text && *name; name++) {
        text[length++] = *name;
        if (*name == '@')
            text[length++] = '@';
    }
    if (text && reduce)
        text[length++] = '@';
    if (text && reduce)
        memcpy(text + length, reduce, rest);
    if (text)
        text[length + rest] = 0;
    return text;
}

/* {"layer1": "feat1"}, or with reductions {"layer1": {"name": "feat1", "reduce": "gap@l2"}}. */
static ltap_status add_entry(cli_request *request, const char *layer, const json_t *value,
                             int reduces, ltap_error *error)
{
    const char *name =
        json_string_value(json_is_string(value) ? value : json_object_get(value, "name"));
    const char *reduce = json_string_value(json_object_get(value, "reduce"));
    if (!layer[0] || (name && !name[0]) || (!name && !(reduces && reduce)))
        return LTAP_ERROR_FORMAT;
    if (!reduces)
        return add(request, layer, strlen(layer), name, error);
    char *text = quote(name ? name : "", reduce);
    ltap_status status =
        text ? add(request, layer, strlen(layer), text, error) : cli_error_memory(error);
    free(text);
    return status;
}

static ltap_status refuse_entry(const char *path, const char *layer, const json_t *value,
                                int reduces, ltap_error *error)
{
    if (json_is_string(value))
        return cli_error_set(error, LTAP_ERROR_FORMAT,
                             "%s: \"%s\": \"\" has an empty name: {\"layer1\": \"feat1\"}", path,
                             layer);
    return cli_error_set(
        error, LTAP_ERROR_FORMAT,
        "%s: the name for '%s' is not a string: {\"layer1\": \"feat1\"}%s", path, layer,
        reduces ? ", or {\"layer1\": {\"name\": \"feat1\", \"reduce\": \"gap@l2\"}}" : "");
}

static ltap_status add_from(cli_request *request, const char *path, int reduces, ltap_error *error)
{
    json_t *document = NULL;
    ltap_status status = load_json(path, &document, error);
    if (status == LTAP_OK && (!json_is_object(document) || json_object_size(document) == 0))
        status = cli_error_set(error, LTAP_ERROR_FORMAT,
                               "%s: it wants one object of names: {\"layer1\": \"feat1\"}", path);
    const char *layer;
    void *at = status == LTAP_OK ? json_object_iter(document) : NULL;
    for (; at && status == LTAP_OK; at = json_object_iter_next(document, at)) {
        layer = json_object_iter_key(at);
        if (!layer[0])
            status =
                cli_error_set(error, LTAP_ERROR_FORMAT,
                              "%s: \"\": \"...\" has an empty name: {\"layer1\": \"feat1\"}", path);
        else
            status = add_entry(request, layer, json_object_iter_value(at), reduces, error);
        if (status == LTAP_ERROR_FORMAT && layer[0])
            status = refuse_entry(path, layer, json_object_iter_value(at), reduces, error);
    }
    json_decref(document);
    return status;
}

/* The name without reductions; "@@" is left to the library. */
static size_t name_of(const ltap_return_layer *layer, const char **name)
{
    size_t length = layer->name ? strcspn(layer->name, "@") : 0;
    *name = length > 0 ? layer->name : layer->layer;
    return length > 0 && layer->name[length] && layer->name[length + 1] == '@'
               ? strlen(layer->name)
               : (length > 0 ? length : strlen(layer->layer));
}

/* Two outputs cannot have one name; the library would say so too, after loading the model. */
static ltap_status check_names(const cli_request *request, ltap_error *error)
{
    for (size_t i = 0; i < request->n_layers; i++) {
        const ltap_return_layer *a = &request->layers[i];
        for (size_t k = 0; k < i; k++) {
            const ltap_return_layer *b = &request->layers[k];
            const char *name, *other;
            size_t length = name_of(a, &name);
            if (length == name_of(b, &other) && memcmp(name, other, length) == 0)
                return cli_error_set(
                    error, LTAP_ERROR_ARGUMENT,
                    "two outputs are called '%.*s'; give one another name: -r %s=NAME", (int)length,
                    name, a->layer);
        }
    }
    return LTAP_OK;
}

/* "LAYER=FILE" of extract (the file is the inputs' matter) or "LAYER[=NAME]" of prune. */
static ltap_status add_start(cli_request *request, const char *text, int is_file, ltap_error *error)
{
    const char *equals = strrchr(text, '=');
    if (!text[0] || equals == text || (equals && !equals[1]) || (is_file && !equals))
        return cli_error_set(error, LTAP_ERROR_ARGUMENT, "--from '%s': it wants %s", text,
                             is_file ? "LAYER=FILE" : "LAYER or LAYER=NAME");
    cli_request starts = {
        .layers = request->from, .n_layers = request->n_from, .room = request->n_from};
    size_t length = equals ? (size_t)(equals - text) : strlen(text);
    ltap_status status = add(&starts, text, length, equals && !is_file ? equals + 1 : NULL, error);
    request->from = starts.layers;
    request->n_from = starts.n_layers;
    return status;
}

/* --all and --split name their layers themselves; not every command has them. */
static int may_be_empty(const cli_arguments *arguments)
{
    for (size_t i = 0; i < arguments->n_given; i++) {
        const char *name = arguments->given[i].option->name;
        if (strcmp(name, "all") == 0 || strcmp(name, "split") == 0)
            return 1;
    }
    return 0;
}

ltap_status cli_request_read(const cli_arguments *arguments, cli_request *request,
                             ltap_error *error)
{
    *request = (cli_request){0};
    ltap_status status = LTAP_OK;
    const char *command = arguments->command->name;
    int reduces = strcmp(command, "extract") == 0 || strcmp(command, "bench") == 0;
    for (size_t i = 0; status == LTAP_OK && i < arguments->n_given; i++) {
        const cli_given *given = &arguments->given[i];
        if (strcmp(given->option->name, "return") == 0)
            status = add_typed(request, given->value, reduces, error);
        else if (strcmp(given->option->name, "layers-from") == 0)
            status = add_from(request, given->value, reduces, error);
        else if (strcmp(given->option->name, "from") == 0)
            status = add_start(request, given->value,
                               strcmp(arguments->command->name, "extract") == 0, error);
    }
    if (status == LTAP_OK && request->n_layers == 0 && !may_be_empty(arguments))
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "which layers? -r LAYER (their names: layertap layers %s)",
                             arguments->n_operands > 0 ? arguments->operands[0] : "MODEL");
    request->n_typed = request->n_layers;
    return status == LTAP_OK ? check_names(request, error) : status;
}

ltap_status cli_request_calls(const cli_arguments *arguments, ltap_calls *calls, ltap_error *error)
{
    const char *text = cli_arguments_value(arguments, "calls");
    *calls = !text                       ? LTAP_CALLS_REFUSE
             : strcmp(text, "last") == 0 ? LTAP_CALLS_LAST
                                         : LTAP_CALLS_FIRST;
    if (text && strcmp(text, "first") != 0 && strcmp(text, "last") != 0)
        return cli_error_set(error, LTAP_ERROR_ARGUMENT, "--calls is '%s'; it wants first or last",
                             text);
    return LTAP_OK;
}

static ltap_status take_precision(const cli_arguments *arguments, ltap_getter_options *options,
                                  ltap_error *error)
{
    const char *text = cli_arguments_value(arguments, "precision");
    options->precision =
        text && strcmp(text, "bf16") == 0 ? LTAP_PRECISION_BFLOAT16 : LTAP_PRECISION_FLOAT32;
    if (text && strcmp(text, "bf16") != 0 && strcmp(text, "float32") != 0)
        return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                             "--precision is '%s'; it wants float32 or bf16", text);
    return LTAP_OK;
}

ltap_status cli_request_layout(const cli_arguments *arguments, ltap_getter_options *options,
                               ltap_error *error)
{
    static const char *const names[] = {"given", "nchw", "nhwc"}; /* as ltap_channels has them */
    const char *text = cli_arguments_value(arguments, "layout");
    for (size_t i = 0; text && i < sizeof(names) / sizeof(names[0]); i++) {
        options->channels = (ltap_channels)i;
        if (strcmp(text, names[i]) == 0)
            return LTAP_OK;
    }
    return text ? cli_error_set(error, LTAP_ERROR_ARGUMENT,
                                "--layout is '%s'; it wants nchw, nhwc or given", text)
                : LTAP_OK;
}

ltap_status cli_request_options(const cli_arguments *arguments, ltap_getter_options *options,
                                ltap_error *error)
{
    long threads = 0;
    ltap_status status =
        cli_arguments_number(arguments, "threads", (const long[]){1, 4096, 0}, &threads, error);
    if (status == LTAP_OK)
        status = cli_request_calls(arguments, &options->calls, error);
    if (status == LTAP_OK)
        status = take_precision(arguments, options, error);
    options->threads = (int)threads;
    options->exact = cli_arguments_has(arguments, "exact");
    options->low_memory = cli_arguments_has(arguments, "low-memory");
    options->backend = cli_arguments_value(arguments, "backend");
    return status;
}

ltap_status cli_request_add_outputs(cli_request *request, const ltap_model *model, int literal,
                                    ltap_error *error)
{
    ltap_status status = LTAP_OK;
    for (size_t i = 0; status == LTAP_OK && i < ltap_model_outputs_count(model); i++) {
        const char *name = ltap_model_outputs_at(model, i)->name;
        char *selector = NULL;
        int length = asprintf(&selector, "output:%s", name);
        if (length < 0)
            return cli_error_memory(error);
        int plain = literal || !strchr(name, '@');
        status = add(request, selector, (size_t)length, plain ? name : NULL, error);
        free(selector);
    }
    return status;
}

static int has_name(const cli_request *request, const char *name)
{
    for (size_t i = 0; i < request->n_typed; i++) {
        const ltap_return_layer *layer = &request->layers[i];
        if (strcmp(layer->name ? layer->name : layer->layer, name) == 0)
            return 1;
    }
    return 0;
}

/* Layers that --all leaves out for one reason. */
typedef struct left_out {
    char names[512];
    size_t n;
} left_out;

enum { NAMES_SHOWN = 6 };

static void leave_out(left_out *list, const char *name)
{
    if (list->n < NAMES_SHOWN)
        cli_text_add(list->names, sizeof(list->names), "%s%s", list->n > 0 ? ", " : "", name);
    else if (list->n == NAMES_SHOWN)
        cli_text_add(list->names, sizeof(list->names), ", ...");
    list->n++;
}

ltap_status cli_request_add_all(cli_request *request, const ltap_model *model, const cli_talk *talk,
                                ltap_error *error)
{
    left_out folded = {0}, impossible = {0};
    for (size_t i = 0; i < ltap_model_layers_count(model); i++) {
        const ltap_layer *layer = ltap_model_layers_at(model, i);
        ltap_status status = LTAP_OK;
        if (request->n_typed > 0 && has_name(request, layer->name))
            continue;
        if (layer->folded)
            leave_out(&folded, layer->name);
        else if (!layer->computable)
            leave_out(&impossible, layer->name);
        else
            status = add(request, layer->name, strlen(layer->name), NULL, error);
        if (status != LTAP_OK)
            return status;
    }
    if (folded.n > 0)
        cli_report_note(talk, "left out, for the exporter folded their own value away: %s",
                        folded.names);
    if (impossible.n > 0)
        cli_report_note(talk, "left out, for layertap cannot compute them: %s", impossible.names);
    if (request->n_layers == 0)
        return cli_error_set(error, LTAP_ERROR_UNKNOWN_LAYER,
                             "%s: no layer has a value of its own that can be computed",
                             ltap_model_info_get(model)->name);
    return LTAP_OK;
}

static void clear_list(ltap_return_layer *layers, size_t n_layers)
{
    for (size_t i = 0; i < n_layers; i++) {
        free((char *)layers[i].layer);
        free((char *)layers[i].name);
    }
    free(layers);
}

void cli_request_clear(cli_request *request)
{
    clear_list(request->layers, request->n_layers);
    clear_list(request->from, request->n_from);
    *request = (cli_request){0};
}
