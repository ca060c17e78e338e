/* Telling what each input is, by its first bytes or its name, and which input of the model it is
 * for. Nothing is read here but headers, so that the tenth file's mistake is found before the first
 * one's work. */
#include "cli/sources.h"
#include "cli/fit.h"
#include "cli/model.h"
#include "cli/names.h"
#include "cli/report.h"
#include "cli/text.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct reader {
    const ltap_model *model;
    cli_sources *sources;
} reader;

static ltap_status add(cli_feed *feed, const cli_item *item, ltap_error *error)
{
    if (feed->n_items == feed->room) {
        size_t room = feed->room * 2 + 4;
        cli_item *grown = realloc(feed->items, room * sizeof(*grown));
        if (!grown)
            return cli_error_memory(error);
        feed->items = grown;
        feed->room = room;
    }
    feed->items[feed->n_items] = *item;
    feed->items[feed->n_items].member = strdup(item->member ? item->member : "");
    if (!feed->items[feed->n_items].member)
        return cli_error_memory(error);
    feed->n_items++;
    return LTAP_OK;
}

/* --- files ----------------------------------------------------------------------------------- */

ltap_status cli_file_head(const char *path, unsigned char head[CLI_HEAD_BYTES], size_t *n_head,
                          ltap_error *error)
{
    struct stat about = {0};
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int is_regular = file >= 0 && fstat(file, &about) == 0 && S_ISREG(about.st_mode);
    ssize_t n = is_regular ? read(file, head, CLI_HEAD_BYTES) : 0;
    int reason = errno, failed = file < 0 || n < 0;
    if (file >= 0)
        close(file);
    *n_head = n > 0 ? (size_t)n : 0;
    if (failed)
        return cli_error_set(error, LTAP_ERROR_FILE, "%s: %s", path, cli_error_system(reason));
    if (!is_regular)
        return cli_error_set(
            error, LTAP_ERROR_FILE,
            "%s: not a file but a folder, pipe or device; '-' reads standard input", path);
    return LTAP_OK;
}

static ltap_status read_head(cli_sources *sources, const char *path, unsigned char *head,
                             size_t *n_head, ltap_error *error)
{
    ltap_status status = LTAP_OK;
    if (strcmp(path, "-") != 0)
        return cli_file_head(path, head, n_head, error);
    if (!sources->stdin_bytes)
        status = cli_stdin_read(&sources->stdin_bytes, &sources->stdin_size, error);
    if (status == LTAP_OK) {
        *n_head = sources->stdin_size < CLI_HEAD_BYTES ? sources->stdin_size : CLI_HEAD_BYTES;
        memcpy(head, sources->stdin_bytes, *n_head);
    }
    return status;
}

static int is_picture(const unsigned char *head, size_t n)
{
    return (n >= 3 && memcmp(head, "\xff\xd8\xff", 3) == 0) ||
           (n >= 8 && memcmp(head, "\x89PNG\r\n\x1a\n", 8) == 0) ||
           (n >= 12 && memcmp(head, "RIFF", 4) == 0 && memcmp(head + 8, "WEBP", 4) == 0);
}

static ltap_status refuse_file(const char *path, const unsigned char *head, size_t n,
                               ltap_error *error)
{
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    if (n == 0)
        return cli_error_set(error, LTAP_ERROR_FORMAT, "%s: the file is empty", name);
    char start[5 * CLI_HEAD_BYTES] = "";
    for (size_t i = 0, used = 0; i < n && i < 4; i++)
        used += (size_t)snprintf(start + used, sizeof(start) - used,
                                 head[i] >= 0x20 && head[i] < 0x7f ? "%c" : "\\x%02x", head[i]);
    return cli_error_set(
        error, LTAP_ERROR_FORMAT,
        "%s: not a JPEG, PNG, WebP, .npy, .npz or .safetensors file (starts with '%s')", name,
        start);
}

ltap_status cli_sources_arrays(const cli_sources *sources, const char *label, ltap_arrays **arrays,
                               ltap_error *error)
{
    if (strcmp(label, "-") == 0)
        return ltap_arrays_open_bytes(sources->stdin_bytes, sources->stdin_size, "standard input",
                                      arrays, error);
    return ltap_arrays_open(label, arrays, error);
}

static ltap_status add_array(cli_feed *feed, const char *path, const ltap_array *array,
                             ltap_error *error)
{
    cli_item item = {.kind = CLI_ARRAY, .label = path, .tensor = array->tensor};
    char name[512];
    item.tensor.data = NULL;
    item.member = strdup(array->name);
    if (!item.member)
        return cli_error_memory(error);
    snprintf(name, sizeof(name), array->name[0] ? "%s: '%s'" : "%s", path, array->name);
    ltap_status status = cli_fit_array(name, &array->tensor, feed->port, error);
    if (status == LTAP_OK)
        status = add(feed, &item, error);
    free(item.member);
    return status;
}

static ltap_status no_member(const reader *read, const char *path, const ltap_arrays *arrays,
                             ltap_error *error)
{
    char names[512] = "";
    for (size_t i = 0; i < ltap_arrays_count(arrays) && i < 8; i++) {
        cli_text_add(names, sizeof(names), "%s%s", i > 0 ? ", " : "",
                     ltap_arrays_at(arrays, i)->name);
    }
    const char *wanted = read->sources->feeds[0].port->name;
    return cli_error_set(error, LTAP_ERROR_INPUT,
                         "%s has no member '%s', which is the input's name; it has: %s (numpy: "
                         "np.savez(file, **{'%s': x}))",
                         path, wanted, names[0] ? names : "nothing", wanted);
}

/* The member of an input's name; as our own writer spells a name that begins like a path, too. */
static const ltap_array *find_member(const ltap_arrays *arrays, const char *name)
{
    const ltap_array *found = ltap_arrays_find(arrays, name);
    char *spelled = NULL;
    if (found || name[0] != '/' || asprintf(&spelled, "%%2F%s", name + 1) < 0)
        return found;
    found = ltap_arrays_find(arrays, spelled);
    free(spelled);
    return found;
}

/* only: the feed that was named, or NULL: members find theirs by name. */
static ltap_status add_arrays(reader *read, const char *path, cli_feed *only, ltap_error *error)
{
    ltap_arrays *arrays = NULL;
    ltap_status status = cli_sources_arrays(read->sources, path, &arrays, error);
    if (status != LTAP_OK)
        return status;
    size_t n = ltap_arrays_count(arrays), taken = 0;
    int unnamed = n == 1 && (only || !ltap_arrays_at(arrays, 0)->name[0]);
    for (size_t i = 0; status == LTAP_OK && i < read->sources->n_feeds; i++) {
        cli_feed *feed = &read->sources->feeds[i];
        if (only && feed != only)
            continue;
        const ltap_array *array = unnamed && (only || read->sources->n_feeds == 1)
                                      ? ltap_arrays_at(arrays, 0)
                                      : find_member(arrays, feed->port->name);
        if (array)
            status = add_array(feed, path, array, error);
        taken += array != NULL;
    }
    if (status == LTAP_OK && taken == 0 && unnamed)
        status = cli_error_set(error, LTAP_ERROR_INPUT,
                               "%s: the request needs %zu inputs; say which: --input NAME=%s", path,
                               read->sources->n_feeds, path);
    else if (status == LTAP_OK && taken == 0)
        status = no_member(read, path, arrays, error);
    ltap_arrays_close(arrays);
    return status;
}

static ltap_status add_file(reader *read, const char *path, cli_feed *only, ltap_error *error)
{
    unsigned char head[CLI_HEAD_BYTES];
    size_t n_head = 0;
    ltap_status status = read_head(read->sources, path, head, &n_head, error);
    if (status != LTAP_OK)
        return status;
    if (!is_picture(head, n_head)) {
        int is_array = n_head > 0 && ltap_arrays_probe(head, n_head);
        return is_array ? add_arrays(read, path, only, error)
                        : refuse_file(path, head, n_head, error);
    }
    if (!only && read->sources->n_feeds == 1)
        only = &read->sources->feeds[0];
    if (!only)
        return cli_error_set(error, LTAP_ERROR_INPUT,
                             "%s: the request needs %zu inputs; say which: --input NAME=%s", path,
                             read->sources->n_feeds, path);
    const cli_item item = {.kind = CLI_PICTURE, .label = path};
    status = cli_fit_picture(path, only->port, error);
    return status == LTAP_OK ? add(only, &item, error) : status;
}

/* --- made-up arrays -------------------------------------------------------------------------- */

/* 1 when text is "WORD" or "WORD:rest"; rest: what follows, or "". */
static int is_word(const char *text, const char *word, const char **rest)
{
    size_t length = strlen(word);
    if (strncmp(text, word, length) != 0 || (text[length] && text[length] != ':'))
        return 0;
    *rest = text[length] ? text + length + 1 : "";
    return 1;
}

static ltap_status bad_synthetic(const char *text, ltap_error *error)
{
    return cli_error_set(error, LTAP_ERROR_ARGUMENT,
                         "--input %s: it wants random[:SEED][:SHAPE], zeros[:SHAPE] or "
                         "ones[:SHAPE], a shape as 1x3x224x224",
                         text);
}

static ltap_status set_shape(reader *read, const char *text, const char *shape,
                             const ltap_port *port, ltap_tensor *tensor, ltap_error *error)
{
    int complete = 0;
    if (shape[0]) {
        tensor->dtype = port->dtype;
        return cli_text_parse_shape(shape, tensor) ? LTAP_OK : bad_synthetic(text, error);
    }
    cli_model_choose(read->model, port, tensor, &complete);
    if (!complete)
        return cli_error_set(
            error, LTAP_ERROR_INPUT, "--input %s: the input '%s' is %s; say a shape: %s:%s", text,
            port->name, cli_text_port(port).text, text, ltap_shape_text(tensor).text);
    return LTAP_OK;
}

static ltap_status add_synthetic(reader *read, const char *text, cli_feed *feed, ltap_error *error)
{
    const char *rest = "";
    cli_item item = {.kind = CLI_CONSTANT, .label = text};
    if (is_word(text, "random", &rest)) {
        item.kind = CLI_RANDOM;
        char *end = NULL;
        errno = 0;
        unsigned long long seed = rest[0] >= '0' && rest[0] <= '9' ? strtoull(rest, &end, 10) : 0;
        if (errno != 0)
            return bad_synthetic(text, error);
        if (end && (*end == 0 || *end == ':')) {
            item.seed = seed;
            rest = *end ? end + 1 : "";
        }
    } else
        item.value = is_word(text, "ones", &rest) || !is_word(text, "zeros", &rest);
    ltap_status status = set_shape(read, text, rest, feed->port, &item.tensor, error);
    if (status == LTAP_OK)
        status = cli_fit_synthetic(text, item.kind == CLI_RANDOM, &item.tensor, feed->port, error);
    return status == LTAP_OK ? add(feed, &item, error) : status;
}

/* --- the command line ------------------------------------------------------------------------ */

static int is_synthetic(const char *text)
{
    const char *rest;
    return is_word(text, "random", &rest) || is_word(text, "zeros", &rest) ||
           is_word(text, "ones", &rest);
}

static ltap_status unknown_input(const reader *read, const char *text, const char *equals,
                                 ltap_error *error)
{
    char names[1024] = "";
    cli_nearest nearest;
    cli_nearest_init(&nearest, text, (size_t)(equals - text));
    for (size_t i = 0; i < ltap_model_inputs_count(read->model); i++) {
        const char *name = ltap_model_inputs_at(read->model, i)->name;
        cli_text_add(names, sizeof(names), "%s%s", i > 0 ? ", " : "", name);
        cli_nearest_offer(&nearest, name);
    }
    return cli_error_set(error, LTAP_ERROR_INPUT, "no input '%.*s'; %s%s%sthe inputs are: %s",
                         (int)(equals - text), text, nearest.best ? "nearest: " : "",
                         nearest.best ? nearest.best : "", nearest.best ? "; " : "", names);
}

/* NAME=SOURCE by the names that the model has, which may themselves hold '='. name_length: 0 where
 * there is none. needed: the feed of that name, or NULL. */
static int find_name(const reader *read, const char *text, size_t *name_length, cli_feed **needed)
{
    *name_length = 0;
    *needed = NULL;
    for (size_t i = 0; i < ltap_model_inputs_count(read->model); i++) {
        const char *name = ltap_model_inputs_at(read->model, i)->name;
        size_t length = strlen(name);
        if (strncmp(text, name, length) == 0 && text[length] == '=' && length > *name_length)
            *name_length = length;
    }
    for (size_t i = 0; i < read->sources->n_feeds; i++) {
        const char *name = read->sources->feeds[i].port->name;
        if (strlen(name) == *name_length && strncmp(text, name, *name_length) == 0)
            *needed = &read->sources->feeds[i];
    }
    return *name_length > 0;
}

static ltap_status add_named(reader *read, const char *text, ltap_error *error)
{
    size_t name_length;
    cli_feed *feed;
    const char *source = text, *equals = strchr(text, '=');
    if (find_name(read, text, &name_length, &feed)) {
        source = text + name_length + 1;
        if (!feed)
            return LTAP_OK; /* an input of the model that the request does not need */
    } else if (equals)
        return unknown_input(read, text, equals, error);
    else if (read->sources->n_feeds == 1)
        feed = &read->sources->feeds[0];
    if (!is_synthetic(source))
        return add_file(read, source, feed, error);
    if (!feed)
        return cli_error_set(error, LTAP_ERROR_INPUT,
                             "--input %s: the request needs %zu inputs; say which: --input NAME=%s",
                             text, read->sources->n_feeds, text);
    return add_synthetic(read, source, feed, error);
}

/* "LAYER=SOURCE" of --from, split at the last '='. */
static ltap_status add_start(reader *read, const char *text, ltap_error *error)
{
    const char *source = strrchr(text, '=') + 1;
    for (size_t i = 0; i < read->sources->n_feeds; i++) {
        cli_feed *feed = &read->sources->feeds[i];
        size_t length = strlen(feed->port->name);
        if (length != (size_t)(source - text) - 1 || strncmp(text, feed->port->name, length) != 0)
            continue;
        return is_synthetic(source) ? add_synthetic(read, source, feed, error)
                                    : add_file(read, source, feed, error);
    }
    return LTAP_OK;
}

ltap_status cli_sources_open(const cli_arguments *arguments, const ltap_model *model,
                             const ltap_getter *getter, cli_sources *sources, ltap_error *error)
{
    *sources = (cli_sources){.n_feeds = ltap_getter_inputs_count(getter)};
    sources->feeds = calloc(sources->n_feeds + 1, sizeof(*sources->feeds));
    if (!sources->feeds)
        return cli_error_memory(error);
    for (size_t i = 0; i < sources->n_feeds; i++)
        sources->feeds[i].port = ltap_getter_inputs_at(getter, i);
    reader read = {model, sources};
    ltap_status status = LTAP_OK;
    for (size_t i = 1; status == LTAP_OK && i < arguments->n_operands && sources->n_feeds > 0; i++)
        status = add_file(&read, arguments->operands[i], NULL, error);
    for (size_t i = 0; status == LTAP_OK && i < arguments->n_given; i++) {
        const cli_given *given = &arguments->given[i];
        if (strcmp(given->option->name, "input") == 0)
            status = add_named(&read, given->value, error);
        else if (strcmp(given->option->name, "from") == 0)
            status = add_start(&read, given->value, error);
    }
    return status;
}

ltap_status cli_sources_fill(cli_sources *sources, const ltap_model *model, ltap_error *error)
{
    reader read = {model, sources};
    ltap_status status = LTAP_OK;
    for (size_t i = 0; status == LTAP_OK && i < sources->n_feeds; i++) {
        cli_feed *feed = &sources->feeds[i];
        int floats = feed->port->dtype == LTAP_FLOAT32 || feed->port->dtype == LTAP_FLOAT64;
        if (feed->n_items == 0)
            status = add_synthetic(&read, floats ? "random" : "zeros", feed, error);
    }
    return status;
}

void cli_sources_clear(cli_sources *sources)
{
    for (size_t i = 0; sources->feeds && i < sources->n_feeds; i++) {
        for (size_t k = 0; k < sources->feeds[i].n_items; k++)
            free(sources->feeds[i].items[k].member);
        free(sources->feeds[i].items);
    }
    free(sources->feeds);
    free(sources->stdin_bytes);
    *sources = (cli_sources){0};
}
