/* --set LAYER=WHAT and --patch LAYER=INPUT. A patch is a run of the network on its input for that
 * one layer, with the same options; its value is then set like one from a file. */
#include "cli/changes.h"
#include "cli/inputs.h"
#include "cli/model.h"
#include "cli/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- --set ----------------------------------------------------------------------------------- */

static const char wants[] = "zero, mean[:AXIS], scale:X, noise:X[:SEED], or a file: x.npy";

/* A number up to ':' or the end. */
static int read_number(const char **text, double *number)
{
    char *end = NULL;
    errno = 0;
    *number = strtod(*text, &end);
    int good = errno == 0 && end != *text && (*end == 0 || *end == ':') && *number - *number == 0;
    *text = end;
    return good;
}

/* A number alone: most likely a factor. */
static int is_number(const char *text)
{
    double number;
    return read_number(&text, &number) && *text == 0;
}

static ltap_status refuse(const cli_change *change, ltap_error *error)
{
    char likely[128] = "";
    if (is_number(change->what))
        cli_text_add(likely, sizeof(likely), "; for a factor, scale:%s", change->what);
    return cli_error_set(error, LTAP_ERROR_ARGUMENT, "--set %s=%s: it wants LAYER=%s%s",
                         change->layer, change->what, wants, likely);
}

static int read_scale(const char *text, ltap_intervention *to)
{
    to->kind = LTAP_SET_SCALE;
    return *text == ':' && text++ && read_number(&text, &to->amount) && *text == 0;
}

static int read_noise(const char *text, ltap_intervention *to)
{
    char *end = NULL;
    to->kind = LTAP_SET_NOISE;
    if (*text != ':' || !text++ || !read_number(&text, &to->amount))
        return 0;
    if (*text == 0)
        return 1;
    errno = 0;
    to->seed = strtoull(text + 1, &end, 10);
    return text[1] >= '0' && text[1] <= '9' && errno == 0 && *end == 0;
}

static int read_mean(const char *text, ltap_intervention *to)
{
    char *end = NULL;
    to->kind = LTAP_SET_MEAN;
    if (*text == 0)
        return 1;
    long axis = *text == ':' ? strtol(text + 1, &end, 10) : 0;
    to->channels = (int)axis;
    return end && end != text + 1 && *end == 0 && axis != 0 && labs(axis) < LTAP_MAX_RANK;
}

static int read_zero(const char *text, ltap_intervention *to)
{
    to->kind = LTAP_SET_ZERO;
    return *text == 0;
}

static const struct {
    const char *word;
    int (*read)(const char *text, ltap_intervention *to);
} kinds[] = {
    {"zero", read_zero}, {"mean", read_mean}, {"scale", read_scale}, {"noise", read_noise}};

static ltap_status read_file(cli_change *change, ltap_error *error)
{
    ltap_status status = ltap_arrays_open(change->what, &change->arrays, error);
    if (status != LTAP_OK)
        return status;
    if (ltap_arrays_count(change->arrays) != 1)
        return cli_error_set(error, LTAP_ERROR_INPUT, "%s: it has %zu arrays; --set wants one",
                             change->what, ltap_arrays_count(change->arrays));
    change->intervention.kind = LTAP_SET_VALUE;
    change->intervention.value = &ltap_arrays_at(change->arrays, 0)->tensor;
    return LTAP_OK;
}

static ltap_status read_what(cli_change *change, ltap_error *error)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t length = strlen(kinds[i].word);
        const char *rest = change->what + length;
        if (strncmp(change->what, kinds[i].word, length) != 0 || (*rest && *rest != ':'))
            continue;
        return kinds[i].read(rest, &change->intervention) ? LTAP_OK : refuse(change, error);
    }
    int is_file = strchr(change->what, '.') || strchr(change->what, '/');
    return is_file && !is_number(change->what) ? read_file(change, error) : refuse(change, error);
}

static ltap_status read_change(cli_change *change, const cli_given *given, ltap_error *error)
{
    const char *equals = strrchr(given->value, '=');
    change->is_patch = strcmp(given->option->name, "patch") == 0;
    if (change->is_patch) /* NAME=SOURCE has an equals sign of its own */
        equals = strchr(given->value, '=');
    if (!equals || equals == given->value || !equals[1])
        return cli_error_set(error, LTAP_ERROR_ARGUMENT, "--%s '%s': it wants LAYER=%s",
                             given->option->name, given->value,
                             change->is_patch ? "INPUT, an input as for --input" : wants);
    change->layer = strndup(given->value, (size_t)(equals - given->value));
    change->what = equals + 1;
    if (!change->layer)
        return cli_error_memory(error);
    return change->is_patch ? LTAP_OK : read_what(change, error);
}

ltap_status cli_changes_read(const cli_arguments *arguments, cli_changes *changes,
                             ltap_error *error)
{
    changes->items = calloc(arguments->n_given + 1, sizeof(*changes->items));
    if (!changes->items)
        return cli_error_memory(error);
    for (size_t i = 0; i < arguments->n_given; i++) {
        const char *name = arguments->given[i].option->name;
        if (strcmp(name, "set") != 0 && strcmp(name, "patch") != 0)
            continue;
        ltap_status status =
            read_change(&changes->items[changes->n_items++], &arguments->given[i], error);
        if (status != LTAP_OK)
            return status;
    }
    return LTAP_OK;
}

void cli_changes_clear(cli_changes *changes)
{
    for (size_t i = 0; i < changes->n_items; i++) {
        free(changes->items[i].layer);
        ltap_arrays_close(changes->items[i].arrays);
        ltap_features_free(changes->items[i].features);
    }
    free(changes->items);
    *changes = (cli_changes){0};
}

/* --- --patch --------------------------------------------------------------------------------- */

/* The name of the model's input that INPUT begins with, "NAME="; 0: none. */
static size_t named(const ltap_model *model, const char *text)
{
    size_t longest = 0;
    for (size_t i = 0; i < ltap_model_inputs_count(model); i++) {
        const char *name = ltap_model_inputs_at(model, i)->name;
        size_t length = strlen(name);
        if (strncmp(text, name, length) == 0 && text[length] == '=' && length > longest)
            longest = length;
    }
    return longest;
}

/* What was typed, with the patch's input instead of the inputs that it stands for. */
static ltap_status take_arguments(const cli_arguments *arguments, const ltap_model *model,
                                  const char *what, cli_arguments *taken, ltap_error *error)
{
    const cli_command *command = arguments->command;
    size_t length = named(model, what);
    *taken = (cli_arguments){.command = command, .n_operands = 1};
    taken->given = calloc(arguments->n_given + 1, sizeof(*taken->given));
    taken->operands = calloc(1, sizeof(*taken->operands));
    if (!taken->given || !taken->operands)
        return cli_error_memory(error);
    taken->operands[0] = arguments->operands[0];
    for (size_t i = 0; i < arguments->n_given; i++) {
        const cli_given *given = &arguments->given[i];
        int is_input = strcmp(given->option->name, "input") == 0;
        size_t other = is_input ? named(model, given->value) : 0;
        int same = other == length && strncmp(given->value, what, length) == 0;
        if (!is_input || (other > 0 && !same))
            taken->given[taken->n_given++] = *given;
    }
    for (size_t i = 0; i < command->n_options; i++)
        if (strcmp(command->options[i].name, "input") == 0)
            taken->given[taken->n_given++] = (cli_given){&command->options[i], what};
    return LTAP_OK;
}

/* A getter of the layer; where the name with its part is none, of the layer without it. */
static ltap_status get_layer(const ltap_model *model, const char *name,
                             const ltap_getter_options *options, ltap_getter **getter,
                             ltap_error *error)
{
    ltap_return_layer layer = {name, NULL};
    const char *part = strrchr(name, '[');
    ltap_status status = ltap_getter_new(model, &layer, 1, options, getter, error);
    if (status != LTAP_ERROR_UNKNOWN_LAYER || !part || !strpbrk(part, ":,"))
        return status;
    char *whole = strndup(name, (size_t)(part - name));
    if (!whole)
        return cli_error_memory(error);
    layer.layer = whole;
    status = ltap_getter_new(model, &layer, 1, options, getter, error);
    free(whole);
    return status;
}

/* What is done with a patch's input. */
typedef ltap_status (*patch_use)(cli_changes *changes, cli_change *change, ltap_getter *getter,
                                 const cli_batch *batch, ltap_error *error);

static ltap_status run_once(cli_changes *changes, cli_change *change, ltap_getter *getter,
                            const cli_batch *batch, ltap_error *error)
{
    ltap_run *run = NULL;
    (void)changes;
    ltap_status status = ltap_run_new(getter, &run, error);
    if (status == LTAP_OK)
        status = ltap_run_forward(run, batch->inputs, batch->n_inputs, &change->features, error);
    ltap_run_free(run);
    if (status != LTAP_OK)
        return status;
    change->intervention.kind = LTAP_SET_VALUE;
    change->intervention.value = &ltap_features_at(change->features, 0)->tensor;
    return LTAP_OK;
}

static ltap_status plan_once(cli_changes *changes, cli_change *change, ltap_getter *getter,
                             const cli_batch *batch, ltap_error *error)
{
    ltap_estimate estimate;
    ltap_status status =
        ltap_getter_estimate(getter, batch->tensors, batch->n_inputs, &estimate, error);
    if (status != LTAP_OK)
        return status;
    uint64_t bytes = changes->held_bytes + estimate.total_bytes;
    changes->peak_bytes = bytes > changes->peak_bytes ? bytes : changes->peak_bytes;
    changes->held_bytes += estimate.features_bytes;
    change->intervention.kind = LTAP_SET_ZERO;
    return LTAP_OK;
}

static ltap_status patch(cli_changes *changes, cli_change *change, const cli_arguments *arguments,
                         const ltap_model *model, ltap_getter *getter, patch_use use,
                         ltap_error *error)
{
    const cli_talk silent = {.quiet = true};
    cli_inputs_options options = {.arguments = arguments, .talk = &silent, .batch = 1 << 20};
    cli_inputs *inputs = NULL;
    cli_batch batch = {0};
    ltap_status status = cli_model_memory(arguments, &options.memory_limit, error);
    if (status == LTAP_OK)
        status = cli_inputs_open(&options, model, getter, &inputs, error);
    if (status == LTAP_OK)
        status = cli_inputs_next(inputs, &batch, error);
    if (status == LTAP_OK && !batch.is_last)
        status = cli_error_set(error, LTAP_ERROR_INPUT,
                               "it is more than goes through the network at once");
    if (status == LTAP_OK)
        status = use(changes, change, getter, &batch, error);
    cli_inputs_close(inputs);
    return status;
}

/* What is the same for all patches. */
typedef struct patching {
    const cli_arguments *arguments;
    const ltap_model *model;
    const ltap_getter_options *options;
    patch_use use;
} patching;

static ltap_status take_patch(cli_changes *changes, cli_change *change, const patching *with,
                              ltap_error *error)
{
    cli_arguments taken;
    ltap_getter *getter = NULL;
    ltap_status status = take_arguments(with->arguments, with->model, change->what, &taken, error);
    if (status == LTAP_OK)
        status = get_layer(with->model, change->layer, with->options, &getter, error);
    if (status == LTAP_OK && ltap_getter_layers_count(getter) != 1)
        status = cli_error_set(error, LTAP_ERROR_ARGUMENT,
                               "it stands for %zu layers; --patch each by its own name",
                               ltap_getter_layers_count(getter));
    if (status == LTAP_OK)
        status = patch(changes, change, &taken, with->model, getter, with->use, error);
    ltap_getter_free(getter);
    cli_arguments_clear(&taken);
    return status;
}

static ltap_status take_patches(cli_changes *changes, const patching *with, ltap_error *error)
{
    for (size_t i = 0; i < changes->n_items; i++) {
        cli_change *change = &changes->items[i];
        if (!change->is_patch)
            continue;
        ltap_status status = take_patch(changes, change, with, error);
        if (status != LTAP_OK) {
            char what[512];
            snprintf(what, sizeof(what), "--patch %s=%s", change->layer, change->what);
            cli_error_prefix(error, what);
            return status;
        }
    }
    return LTAP_OK;
}

ltap_status cli_changes_patch(cli_changes *changes, const cli_arguments *arguments,
                              const ltap_model *model, const ltap_getter_options *options,
                              ltap_error *error)
{
    return take_patches(changes, &(patching){arguments, model, options, run_once}, error);
}

ltap_status cli_changes_plan(cli_changes *changes, const cli_arguments *arguments,
                             const ltap_model *model, const ltap_getter_options *options,
                             ltap_error *error)
{
    return take_patches(changes, &(patching){arguments, model, options, plan_once}, error);
}

/* --- both ------------------------------------------------------------------------------------ */

ltap_status cli_changes_apply(cli_changes *changes, ltap_run *run, ltap_error *error)
{
    for (size_t i = 0; i < changes->n_items; i++) {
        cli_change *change = &changes->items[i];
        change->intervention.layer = change->layer;
        ltap_status status = ltap_intervention_add(run, &change->intervention, NULL, error);
        if (status != LTAP_OK)
            return status;
        ltap_arrays_close(change->arrays);
        ltap_features_free(change->features);
        change->arrays = NULL;
        change->features = NULL;
    }
    return LTAP_OK;
}

void cli_changes_tell(const cli_changes *changes, const cli_talk *talk)
{
    for (size_t i = 0; i < changes->n_items; i++)
        cli_report_note(talk,
                        changes->items[i].is_patch ? "%s: its value from %s" : "%s: set to %s",
                        changes->items[i].layer, changes->items[i].what);
}
