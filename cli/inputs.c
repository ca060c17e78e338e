/* Batches out of items. Every input of the model has a lane; a lane is taken either by rows (its
 * axis 0 is a batch: rows of several items may share a forward, those of one may be split) or by
 * whole items. All lanes move in step. A lane that holds one whole item while others hold many
 * gives that item to every forward. */
#include "cli/inputs.h"
#include "cli/model.h"
#include "cli/preprocess.h"
#include "cli/stage.h"
#include "cli/text.h"
#include <stdlib.h>
#include <string.h>

enum { PICTURES_TOLD = 8, FIRST_ORIGINS = 16 };

typedef struct lane {
    cli_feed *feed;
    cli_stage stage;
    size_t item;
    int64_t row;
    int by_rows, constant, used;
    int64_t fixed; /* rows that the model demands; 0: free */
    int64_t units; /* rows, or items, in all */
    void *buffer;
    uint64_t buffer_bytes;
} lane;

struct cli_inputs {
    cli_inputs_options options;
    cli_sources sources;
    ltap_preprocess preprocess;
    int has_pictures;
    size_t n_told; /* pictures that were spoken of */
    int rewound;   /* all were */
    lane *lanes;
    size_t n_lanes, lead;
    int64_t limit, units, done;
    ltap_input *inputs;
    ltap_tensor *tensors;
    cli_origin *origins; /* of the rows of a batch, grown as they come */
    int64_t n_origins;
};

/* --- lanes ----------------------------------------------------------------------------------- */

static int has_only(const cli_feed *feed, cli_item_kind kind)
{
    for (size_t i = 0; i < feed->n_items; i++) {
        if (feed->items[i].kind != kind)
            return 0;
    }
    return 1;
}

static int goes_by_rows(const cli_feed *feed, int batch_given)
{
    const ltap_port *port = feed->port;
    if (port->rank < 0)
        return has_only(feed, CLI_PICTURE);
    if (port->rank == 0 || ltap_dtype_bits(port->dtype) < 8)
        return 0;
    if (port->dims[0].size >= 0)
        return port->rank == 4 && port->dims[0].size > 0;
    return batch_given || cli_model_is_batch(port);
}

static int64_t item_rows(const cli_item *item)
{
    return item->kind == CLI_PICTURE || item->tensor.rank == 0 ? 1 : item->tensor.dims[0];
}

static int64_t feed_rows(const cli_feed *feed)
{
    int64_t rows = 0;
    for (size_t i = 0; i < feed->n_items; i++)
        rows += item_rows(&feed->items[i]);
    return rows;
}

/* One item for an input whose first axis is fixed, and is no batch: every forward gets it. */
static int stays(const lane *l)
{
    const ltap_port *port = l->feed->port;
    return l->feed->n_items == 1 &&
           (port->rank == 0 || (port->rank > 0 && port->dims[0].size >= 0));
}

/* Rows are only split where every lane can be: else an array goes whole, as its file has it. */
static void choose_ways(cli_inputs *inputs)
{
    int all = 1;
    int64_t fixed = 0;
    for (size_t i = 0; i < inputs->n_lanes; i++) {
        lane *l = &inputs->lanes[i];
        const ltap_port *port = l->feed->port;
        l->by_rows = goes_by_rows(l->feed, inputs->options.batch_given);
        l->fixed = l->by_rows && port->rank > 0 && port->dims[0].size > 0 ? port->dims[0].size : 0;
        all &= (l->by_rows || stays(l)) && !(fixed > 0 && l->fixed > 0 && fixed != l->fixed);
        fixed = l->fixed > 0 ? l->fixed : fixed;
    }
    for (size_t i = 0; i < inputs->n_lanes; i++) {
        lane *l = &inputs->lanes[i];
        l->by_rows = l->by_rows && (all || has_only(l->feed, CLI_PICTURE));
        l->units = l->by_rows ? feed_rows(l->feed) : (int64_t)l->feed->n_items;
    }
}

static ltap_status missing(const cli_feed *feed, ltap_error *error)
{
    int picture = cli_model_is_colour(feed->port);
    return cli_error_set(error, LTAP_ERROR_INPUT,
                         "nothing is given for the input '%s', %s: %sx.npy, or --input %s=random",
                         feed->port->name, cli_text_port(feed->port).text,
                         picture ? "a picture, " : "", feed->port->name);
}

static ltap_status check_counts(cli_inputs *inputs, ltap_error *error)
{
    int64_t most = 0;
    for (size_t i = 0; i < inputs->n_lanes; i++) {
        if (inputs->lanes[i].feed->n_items == 0)
            return missing(inputs->lanes[i].feed, error);
        if (inputs->lanes[i].units > most)
            most = inputs->lanes[i].units;
    }
    inputs->lead = inputs->n_lanes;
    for (size_t i = inputs->n_lanes; i > 0; i--) {
        lane *l = &inputs->lanes[i - 1];
        l->constant = !l->by_rows && l->units == 1 && most > 1;
        inputs->lead = l->constant ? inputs->lead : i - 1;
    }
    inputs->units = most;
    const lane *lead = &inputs->lanes[inputs->lead];
    for (size_t i = 0; i < inputs->n_lanes; i++) {
        const lane *l = &inputs->lanes[i];
        if (!l->constant && l->units != lead->units)
            return cli_error_set(error, LTAP_ERROR_INPUT,
                                 "the input '%s' has %lld %s, '%s' has %lld; they go together",
                                 lead->feed->port->name, (long long)lead->units,
                                 lead->by_rows ? "rows" : "files", l->feed->port->name,
                                 (long long)l->units);
    }
    return LTAP_OK;
}

static void choose_limit(cli_inputs *inputs)
{
    inputs->limit = inputs->options.batch;
    for (size_t i = 0; i < inputs->n_lanes; i++) {
        if (inputs->lanes[i].fixed > 0 && inputs->lanes[i].by_rows)
            inputs->limit = inputs->lanes[i].fixed;
    }
    for (size_t i = 0; i < inputs->n_lanes; i++) {
        if (!inputs->lanes[i].by_rows && !inputs->lanes[i].constant)
            inputs->limit = 1;
    }
}

/* Options that were given and change nothing are spoken of. */
static void tell_useless(const cli_inputs *inputs)
{
    static const char *const steps[] = {"preprocess", "resize", "crop",  "filter", "scale",
                                        "mean",       "std",    "order", "exif"};
    const cli_inputs_options *options = &inputs->options;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !inputs->has_pictures; i++) {
        if (cli_arguments_has(options->arguments, steps[i]))
            cli_report_note(options->talk, "--%s changes nothing: no input is a picture", steps[i]);
    }
    for (size_t i = 0; i < inputs->n_lanes; i++) {
        const lane *l = &inputs->lanes[i];
        if (options->batch_given && l->fixed > 0 && l->fixed != options->batch)
            cli_report_note(options->talk,
                            "--batch changes nothing: the batch of '%s' is fixed at %lld",
                            l->feed->port->name, (long long)l->fixed);
    }
}

static ltap_status choose_preprocess(cli_inputs *inputs, const ltap_model *model, ltap_error *error)
{
    for (size_t i = 0; i < inputs->n_lanes; i++) {
        const cli_feed *feed = inputs->lanes[i].feed;
        for (size_t k = 0; k < feed->n_items; k++) {
            if (feed->items[k].kind != CLI_PICTURE)
                continue;
            inputs->has_pictures = 1;
            return cli_preprocess_choose(inputs->options.arguments, model, feed->port,
                                         &inputs->preprocess, error);
        }
    }
    return LTAP_OK;
}

static ltap_status open_lanes(cli_inputs *inputs, const ltap_model *model, ltap_error *error)
{
    size_t n = inputs->sources.n_feeds;
    inputs->lanes = calloc(n + 1, sizeof(*inputs->lanes));
    inputs->inputs = calloc(n + 1, sizeof(*inputs->inputs));
    inputs->tensors = calloc(n + 1, sizeof(*inputs->tensors));
    if (!inputs->lanes || !inputs->inputs || !inputs->tensors)
        return cli_error_memory(error);
    inputs->n_lanes = n;
    for (size_t i = 0; i < n; i++)
        inputs->lanes[i].feed = &inputs->sources.feeds[i];
    choose_ways(inputs);
    ltap_status status = check_counts(inputs, error);
    if (status != LTAP_OK)
        return status;
    choose_limit(inputs);
    inputs->n_origins = FIRST_ORIGINS;
    inputs->origins = calloc(FIRST_ORIGINS, sizeof(*inputs->origins));
    status = inputs->origins ? choose_preprocess(inputs, model, error) : cli_error_memory(error);
    tell_useless(inputs);
    return status;
}

ltap_status cli_inputs_open(const cli_inputs_options *options, const ltap_model *model,
                            const ltap_getter *getter, cli_inputs **out, ltap_error *error)
{
    *out = NULL;
    cli_inputs *inputs = calloc(1, sizeof(*inputs));
    if (!inputs)
        return cli_error_memory(error);
    inputs->options = *options;
    ltap_status status =
        cli_sources_open(options->arguments, model, getter, &inputs->sources, error);
    if (status == LTAP_OK && options->fill)
        status = cli_sources_fill(&inputs->sources, model, error);
    if (status == LTAP_OK)
        status = open_lanes(inputs, model, error);
    if (status != LTAP_OK) {
        cli_inputs_close(inputs);
        return status;
    }
    *out = inputs;
    return LTAP_OK;
}

void cli_inputs_close(cli_inputs *inputs)
{
    if (!inputs)
        return;
    for (size_t i = 0; i < inputs->n_lanes; i++) {
        cli_stage_clear(&inputs->lanes[i].stage);
        free(inputs->lanes[i].buffer);
    }
    free(inputs->lanes);
    free(inputs->inputs);
    free(inputs->tensors);
    free(inputs->origins);
    cli_sources_clear(&inputs->sources);
    free(inputs);
}

/* --- batches --------------------------------------------------------------------------------- */

/* "cat.jpg: 640x480, resized to 341x256, cropped to 224x224, ImageNet mean and std" */
static void tell_picture(cli_inputs *inputs, const cli_item *item)
{
    const cli_talk *talk = inputs->options.talk;
    if (inputs->rewound)
        return;
    size_t told = inputs->n_told++;
    if (told == PICTURES_TOLD && !talk->verbose)
        cli_report_note(talk, "... (--verbose tells of every picture)");
    if (talk->quiet || (told >= PICTURES_TOLD && !talk->verbose))
        return;
    ltap_text steps[LTAP_PREPROCESS_MAX_STEPS];
    size_t n = ltap_preprocess_describe(&inputs->preprocess, item->width, item->height, steps);
    char line[LTAP_PREPROCESS_MAX_STEPS * 64] = "";
    for (size_t i = 0; i < n; i++) {
        cli_text_add(line, sizeof(line), ", %s", steps[i].text);
    }
    const char *name = strcmp(item->label, "-") == 0 ? "standard input" : item->label;
    cli_report_note(talk, "%s: %dx%d%s", name, item->width, item->height, line);
}

static ltap_status stage(cli_inputs *inputs, lane *l, ltap_error *error)
{
    if (l->stage.loaded)
        return LTAP_OK;
    const cli_stage_options options = {
        .sources = &inputs->sources,
        .preprocess = &inputs->preprocess,
        .exif = cli_arguments_has(inputs->options.arguments, "exif"),
        .memory_limit = inputs->options.memory_limit,
    };
    cli_item *item = &l->feed->items[l->item];
    ltap_status status = cli_stage_load(&options, l->feed->port, item, &l->stage, error);
    if (status == LTAP_OK && item->kind == CLI_PICTURE)
        tell_picture(inputs, item);
    return status;
}

static int same_row_shape(const ltap_tensor *a, const ltap_tensor *b)
{
    return a->rank == b->rank &&
           memcmp(a->dims + 1, b->dims + 1, (size_t)(a->rank - 1) * sizeof(a->dims[0])) == 0;
}

/* What is staged can join what the batch has already. */
static int joins(const cli_inputs *inputs)
{
    for (size_t i = 0; i < inputs->n_lanes; i++) {
        const lane *l = &inputs->lanes[i];
        if (l->by_rows && !same_row_shape(&l->stage.tensor, &inputs->tensors[i]))
            return 0;
    }
    return 1;
}

static void step(lane *l)
{
    cli_stage_clear(&l->stage);
    l->item++;
    l->row = 0;
}

static uint64_t row_bytes(const ltap_tensor *tensor)
{
    return tensor->dims[0] > 0 ? ltap_tensor_bytes(tensor) / (uint64_t)tensor->dims[0] : 0;
}

static ltap_status reserve(const cli_inputs *inputs, lane *l, ltap_error *error)
{
    int64_t left = inputs->units - inputs->done;
    uint64_t rows = (uint64_t)(l->fixed > 0 || inputs->limit < left ? inputs->limit : left);
    uint64_t bytes = row_bytes(&l->stage.tensor);
    if (bytes > 0 && rows > UINT64_MAX / bytes)
        return cli_error_memory(error);
    if (rows * bytes <= l->buffer_bytes)
        return LTAP_OK;
    free(l->buffer);
    l->buffer_bytes = 0;
    ltap_status status =
        cli_stage_allocate(inputs->options.memory_limit, rows * bytes, &l->buffer, error);
    l->buffer_bytes = status == LTAP_OK ? rows * bytes : 0;
    return status;
}

static ltap_status take_row(cli_inputs *inputs, size_t index, int64_t at, ltap_error *error)
{
    lane *l = &inputs->lanes[index];
    const ltap_tensor *whole = &l->stage.tensor;
    uint64_t bytes = row_bytes(whole);
    if (at == 0) {
        ltap_status status = reserve(inputs, l, error);
        if (status != LTAP_OK)
            return status;
        inputs->tensors[index] = *whole;
        inputs->tensors[index].data = l->buffer;
    }
    memcpy((char *)l->buffer + (uint64_t)at * bytes,
           (const char *)whole->data + (uint64_t)l->row * bytes, bytes);
    inputs->tensors[index].dims[0] = at + 1;
    if (++l->row == whole->dims[0])
        step(l);
    return LTAP_OK;
}

/* What a file declares is no reason to allocate: room is made row by row. */
static ltap_status note_origin(cli_inputs *inputs, int64_t at, cli_origin origin, ltap_error *error)
{
    if (at == inputs->n_origins) {
        uint64_t count = 2 * (uint64_t)inputs->n_origins;
        void *grown;
        ltap_status status = cli_stage_allocate(inputs->options.memory_limit,
                                                count * sizeof(*inputs->origins), &grown, error);
        if (status != LTAP_OK)
            return status;
        memcpy(grown, inputs->origins, (size_t)at * sizeof(*inputs->origins));
        free(inputs->origins);
        inputs->origins = grown;
        inputs->n_origins = (int64_t)count;
    }
    inputs->origins[at] = origin;
    return LTAP_OK;
}

static ltap_status take(cli_inputs *inputs, int64_t at, ltap_error *error)
{
    const lane *lead = &inputs->lanes[inputs->lead];
    ltap_status noted = note_origin(inputs, at, (cli_origin){lead->item, lead->row}, error);
    if (noted != LTAP_OK)
        return noted;
    for (size_t i = 0; i < inputs->n_lanes; i++) {
        lane *l = &inputs->lanes[i];
        if (l->by_rows) {
            ltap_status status = take_row(inputs, i, at, error);
            if (status != LTAP_OK)
                return status;
        } else {
            inputs->tensors[i] = l->stage.tensor;
            l->used = !l->constant;
        }
    }
    inputs->done++;
    return LTAP_OK;
}

/* A model of fixed batch gets its last rows by repetition. */
static int64_t fill(cli_inputs *inputs, int64_t rows)
{
    int64_t filled = 0;
    for (size_t i = 0; i < inputs->n_lanes; i++) {
        const lane *l = &inputs->lanes[i];
        ltap_tensor *tensor = &inputs->tensors[i];
        if (!l->by_rows || l->fixed <= rows)
            continue;
        uint64_t bytes = row_bytes(tensor);
        for (int64_t row = rows; row < l->fixed; row++)
            memcpy((char *)l->buffer + (uint64_t)row * bytes,
                   (const char *)l->buffer + (uint64_t)(rows - 1) * bytes, bytes);
        tensor->dims[0] = l->fixed;
        filled = l->fixed - rows;
    }
    return filled;
}

static void describe_batch(cli_inputs *inputs, int64_t n, cli_batch *batch)
{
    int64_t filled = n > 0 ? fill(inputs, n) : 0;
    for (size_t i = 0; i < inputs->n_lanes; i++)
        inputs->inputs[i] = (ltap_input){NULL, inputs->tensors[i]};
    const lane *lead = &inputs->lanes[inputs->lead];
    const ltap_tensor *first = &inputs->tensors[inputs->lead];
    *batch = (cli_batch){
        .inputs = inputs->inputs,
        .tensors = inputs->tensors,
        .n_inputs = inputs->n_lanes,
        .rows = inputs->n_lanes == 0 || first->rank == 0 ? 1 : first->dims[0] - filled,
        .filled = filled,
        .origins = inputs->origins,
        .n_origins = (size_t)n,
        .is_last = inputs->done == inputs->units,
        .ends_item = !lead->by_rows || lead->row == 0,
    };
}

ltap_status cli_inputs_next(cli_inputs *inputs, cli_batch *batch, ltap_error *error)
{
    int64_t n = 0;
    if (inputs->n_lanes == 0) { /* nothing but constants: one forward */
        n = inputs->units == 0;
        inputs->units = inputs->done = 1;
        describe_batch(inputs, n, batch);
        return LTAP_OK;
    }
    for (size_t i = 0; i < inputs->n_lanes; i++) {
        if (inputs->lanes[i].used)
            step(&inputs->lanes[i]);
        inputs->lanes[i].used = 0;
    }
    while (n < inputs->limit && inputs->done < inputs->units) {
        for (size_t i = 0; i < inputs->n_lanes; i++) {
            ltap_status status = stage(inputs, &inputs->lanes[i], error);
            if (status != LTAP_OK)
                return status;
        }
        if (n > 0 && !joins(inputs))
            break;
        ltap_status status = take(inputs, n++, error);
        if (status != LTAP_OK)
            return status;
        if (inputs->options.separate && inputs->lanes[inputs->lead].row == 0)
            break;
    }
    describe_batch(inputs, n, batch);
    return LTAP_OK;
}

void cli_inputs_rewind(cli_inputs *inputs)
{
    for (size_t i = 0; i < inputs->n_lanes; i++) {
        lane *l = &inputs->lanes[i];
        cli_stage_clear(&l->stage);
        l->item = 0;
        l->row = 0;
        l->used = 0;
    }
    inputs->done = 0;
    inputs->rewound = 1;
    if (inputs->n_lanes == 0)
        inputs->units = 0;
}

/* --- facts ----------------------------------------------------------------------------------- */

const cli_feed *cli_inputs_lead(const cli_inputs *inputs)
{
    return inputs->n_lanes > 0 ? inputs->lanes[inputs->lead].feed : NULL;
}

const cli_feed *cli_inputs_feeds(const cli_inputs *inputs, size_t *n_feeds)
{
    *n_feeds = inputs->n_lanes;
    return inputs->sources.feeds;
}

int64_t cli_inputs_rows(const cli_inputs *inputs)
{
    return inputs->n_lanes > 0 ? feed_rows(inputs->lanes[inputs->lead].feed) : 1;
}

int cli_inputs_free_batch(const cli_inputs *inputs)
{
    for (size_t i = 0; i < inputs->n_lanes; i++) {
        if (!inputs->lanes[i].by_rows || inputs->lanes[i].fixed > 0)
            return 0;
    }
    return inputs->n_lanes > 0;
}

const ltap_preprocess *cli_inputs_preprocess(const cli_inputs *inputs)
{
    return inputs->has_pictures ? &inputs->preprocess : NULL;
}
