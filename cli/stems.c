/* Two inputs may have one base name (a/x.jpg, b/x.jpg); their outputs must not. Names are given out
 * in the order of the inputs, numbered where one is taken; a JSON object serves as the set. */
#include "cli/stems.h"
#include "cli/report.h"
#include "cli/text.h"
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static ltap_text plain_stem(const cli_item *item)
{
    int is_file = item->kind == CLI_PICTURE || item->kind == CLI_ARRAY;
    ltap_text text = cli_text_base(item->label, !is_file);
    if (strcmp(text.text, "-") == 0)
        snprintf(text.text, sizeof(text.text), "stdin");
    for (char *c = text.text; *c; c++)
        *c = (unsigned char)*c < 0x20 || (!is_file && *c == ':') ? '-' : *c;
    if (strcmp(text.text, ".") == 0 || strcmp(text.text, "..") == 0 || !text.text[0])
        snprintf(text.text, sizeof(text.text), "input");
    return text;
}

static ltap_status take_free(json_t *taken, const cli_item *item, char **stem, ltap_error *error)
{
    const ltap_text plain = plain_stem(item);
    char text[sizeof(plain.text) + 24];
    snprintf(text, sizeof(text), "%s", plain.text);
    json_t *known = json_object_get(taken, text);
    json_int_t number = known ? json_integer_value(known) : 1;
    while (json_object_get(taken, text))
        snprintf(text, sizeof(text), "%s-%lld", plain.text, (long long)++number);
    int failed = json_object_set_new_nocheck(taken, plain.text, json_integer(number)) != 0 ||
                 json_object_set_new_nocheck(taken, text, json_integer(1)) != 0;
    /* the plain name remembers how far its numbers went */
    failed |=
        number > 1 && json_object_set_new_nocheck(taken, plain.text, json_integer(number)) != 0;
    *stem = failed ? NULL : strdup(text);
    return *stem ? LTAP_OK : cli_error_memory(error);
}

ltap_status cli_stems_init(cli_stems *stems, const cli_feed *feed, ltap_error *error)
{
    *stems = (cli_stems){0};
    size_t n = feed ? feed->n_items : 0;
    json_t *taken = json_object();
    stems->stems = calloc(n + 1, sizeof(*stems->stems));
    ltap_status status = taken && stems->stems ? LTAP_OK : cli_error_memory(error);
    for (; status == LTAP_OK && stems->n_stems < n; stems->n_stems++)
        status =
            take_free(taken, &feed->items[stems->n_stems], &stems->stems[stems->n_stems], error);
    json_decref(taken);
    return status;
}

void cli_stems_clear(cli_stems *stems)
{
    for (size_t i = 0; i < stems->n_stems; i++)
        free(stems->stems[i]);
    free(stems->stems);
    *stems = (cli_stems){0};
}

const char *cli_stems_at(const cli_stems *stems, size_t item)
{
    return item < stems->n_stems ? stems->stems[item] : "input";
}

ltap_status cli_stems_path(const char *pattern, const char *stem, char **path, ltap_error *error)
{
    const char *hole = strstr(pattern, "{}");
    int n = hole ? asprintf(path, "%.*s%s%s", (int)(hole - pattern), pattern, stem, hole + 2)
                 : asprintf(path, "%s%s.npz", pattern, stem);
    if (n < 0)
        *path = NULL;
    return n < 0 ? cli_error_memory(error) : LTAP_OK;
}

ltap_status cli_folder_make(const char *path, ltap_error *error)
{
    struct stat about;
    if (mkdir(path, 0777) == 0)
        return LTAP_OK;
    int reason = errno;
    if (reason == EEXIST && stat(path, &about) == 0 && S_ISDIR(about.st_mode))
        return LTAP_OK;
    return cli_error_set(error, LTAP_ERROR_FILE, "%s: %s", path,
                         reason == EEXIST ? "it is there, and is no folder"
                                          : cli_error_system(reason));
}
