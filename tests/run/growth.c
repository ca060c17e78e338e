/* What a forward was predicted to take, against what the process then grew by.
 *
 * usage: growth [--batch N] [--threads N] [--side N] [--exact] [--low-memory]
 *               [--tapped | --streamed] [--set LAYER] MODEL
 * Untapped: the model's outputs. Tapped: every layer of the model's list that stands by itself, in
 * one request; streamed: the same, handed on. --set: the layer, of three axes or more, gets its
 * means, and a value where it is an output. Free sizes: the first is the batch, others N. The
 * inputs are there before. Prints "predicted BYTES grown BYTES"; peaks are VmHWM, which is set
 * back before (so Linux only), and count pages of code and of mapped weights as well.
 */
#include <layertap/layertap.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_INPUTS = 16, MAX_LAYERS = 16384 };

typedef struct request {
    const char *path, *set;
    int batch, threads, side, exact, low;
    bool tapped, streamed;
} request;

static int read_line(int argc, char **argv, request *r)
{
    *r = (request){.batch = 1, .threads = 1, .side = 224};
    for (int i = 1; i < argc; i++) {
        int *number = strcmp(argv[i], "--batch") == 0     ? &r->batch
                      : strcmp(argv[i], "--threads") == 0 ? &r->threads
                      : strcmp(argv[i], "--side") == 0    ? &r->side
                                                          : NULL;
        if (number && i + 1 < argc)
            *number = atoi(argv[++i]);
        else if (strcmp(argv[i], "--set") == 0 && i + 1 < argc)
            r->set = argv[++i];
        else if (strcmp(argv[i], "--exact") == 0)
            r->exact = 1;
        else if (strcmp(argv[i], "--low-memory") == 0)
            r->low = 1;
        else if (strcmp(argv[i], "--tapped") == 0)
            r->tapped = true;
        else if (strcmp(argv[i], "--streamed") == 0)
            r->tapped = r->streamed = true;
        else if (argv[i][0] != '-')
            r->path = argv[i];
        else
            return 0;
    }
    return r->path != NULL;
}

static int fail(const char *what, const ltap_error *error)
{
    fprintf(stderr, "%s: %s\n", what, error->message);
    return 1;
}

/* A line of /proc/self/status, in bytes. */
static unsigned long long status_of(const char *key)
{
    char line[256];
    unsigned long long kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    size_t n = strlen(key);
    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, key, n) == 0 && line[n] == ':')
            kilobytes = strtoull(line + n + 1, NULL, 10);
    if (file)
        fclose(file);
    return kilobytes * 1024;
}

static int set_back_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (!file)
        return 0;
    int done = fputs("5", file) >= 0;
    return fclose(file) == 0 && done;
}

static size_t choose_layers(const ltap_model *model, const request *r, ltap_return_layer *layers)
{
    size_t n = 0;
    for (size_t i = 0; r->tapped && i < ltap_model_layers_count(model) && n < MAX_LAYERS; i++)
        layers[n++] = (ltap_return_layer){ltap_model_layers_at(model, i)->name, NULL};
    for (size_t i = 0; !r->tapped && i < ltap_model_outputs_count(model); i++)
        layers[n++] = (ltap_return_layer){ltap_model_outputs_at(model, i)->name, NULL};
    return n;
}

static size_t make_inputs(const ltap_getter *getter, const request *r, ltap_input *inputs,
                          ltap_tensor *shapes)
{
    size_t n = ltap_getter_inputs_count(getter);
    for (size_t i = 0; i < n && i < MAX_INPUTS; i++) {
        const ltap_port *port = ltap_getter_inputs_at(getter, i);
        ltap_tensor *tensor = &inputs[i].tensor;
        *tensor = (ltap_tensor){.dtype = port->dtype, .rank = port->rank < 0 ? 0 : port->rank};
        for (int k = 0; k < tensor->rank; k++)
            tensor->dims[k] = port->dims[k].size >= 0 ? port->dims[k].size : k ? r->side : r->batch;
        tensor->data = malloc((size_t)ltap_tensor_bytes(tensor) + 1);
        if (tensor->data)
            memset(tensor->data, 0, (size_t)ltap_tensor_bytes(tensor) + 1);
        inputs[i].name = port->name;
        shapes[i] = *tensor;
    }
    return n < MAX_INPUTS ? n : MAX_INPUTS;
}

static ltap_status let_go(void *user, size_t index, const ltap_feature *feature, ltap_error *error)
{
    (void)index;
    (void)error;
    if (!feature->missing && ltap_tensor_bytes(&feature->tensor))
        *(unsigned char *)user ^= *(const unsigned char *)feature->tensor.data;
    return LTAP_OK;
}

/* Where the layer is a feature, a value of its shape, which the intervention copies; its means. */
static ltap_status change_layer(ltap_getter *getter, ltap_run *run, const char *layer,
                                const ltap_tensor *shapes, ltap_error *error)
{
    size_t n = ltap_getter_layers_count(getter);
    ltap_tensor *features = calloc(n + 1, sizeof(*features));
    const ltap_intervention mean = {.layer = layer, .kind = LTAP_SET_MEAN};
    ltap_status status =
        ltap_getter_shapes(getter, shapes, ltap_getter_inputs_count(getter), features, error);
    for (size_t i = 0; status == LTAP_OK && i < n; i++) {
        if (strcmp(ltap_getter_layers_at(getter, i)->layer, layer) != 0)
            continue;
        features[i].data = calloc(1, (size_t)ltap_tensor_bytes(&features[i]) + 1);
        const ltap_intervention value = {
            .layer = layer, .kind = LTAP_SET_VALUE, .value = &features[i]};
        status = ltap_intervention_add(run, &value, NULL, error);
        free(features[i].data);
    }
    if (status == LTAP_OK)
        status = ltap_intervention_add(run, &mean, NULL, error);
    free(features);
    return status;
}

static int measure(ltap_getter *getter, const request *r)
{
    static ltap_input inputs[MAX_INPUTS];
    static ltap_tensor shapes[MAX_INPUTS];
    unsigned char seen = 0;
    const ltap_sink sink = {.take = let_go, .user = &seen};
    ltap_estimate estimate;
    ltap_features *features = NULL;
    ltap_run *run = NULL;
    ltap_error error;
    size_t n = make_inputs(getter, r, inputs, shapes);
    unsigned long long before = status_of("VmRSS");
    if (!set_back_peak())
        return fprintf(stderr, "the peak cannot be set back\n"), 1;
    if (ltap_run_new(getter, &run, &error) != LTAP_OK ||
        (r->set && change_layer(getter, run, r->set, shapes, &error) != LTAP_OK) ||
        ltap_run_estimate(run, shapes, n, &estimate, &error) != LTAP_OK ||
        (r->streamed ? ltap_run_stream(run, inputs, n, &sink, &error)
                     : ltap_run_forward(run, inputs, n, &features, &error)) != LTAP_OK)
        return fail(r->path, &error);
    unsigned long long peak = status_of("VmHWM");
    unsigned long long predicted = r->streamed ? estimate.stream_bytes : estimate.total_bytes;
    printf("predicted %llu grown %llu\n", predicted, peak > before ? peak - before : 0);
    ltap_features_free(features);
    ltap_run_free(run);
    for (size_t i = 0; i < n; i++)
        free(inputs[i].tensor.data);
    return 0;
}

int main(int argc, char **argv)
{
    static ltap_return_layer layers[MAX_LAYERS];
    request r;
    ltap_error error;
    ltap_model *model = NULL;
    ltap_getter *getter = NULL;
    if (!read_line(argc, argv, &r))
        return fprintf(stderr, "usage: growth [--batch N] [--threads N] [--side N] [--exact] "
                               "[--low-memory] [--tapped | --streamed] [--set LAYER] MODEL\n"),
               2;
    if (ltap_model_open(r.path, NULL, &model, &error) != LTAP_OK)
        return fail(r.path, &error);
    const ltap_getter_options options = {
        .threads = r.threads, .exact = r.exact, .low_memory = r.low};
    size_t n = choose_layers(model, &r, layers);
    if (ltap_getter_new(model, layers, n, &options, &getter, &error) != LTAP_OK) {
        ltap_model_close(model);
        return fail(r.path, &error);
    }
    int status = measure(getter, &r);
    ltap_getter_free(getter);
    ltap_model_close(model);
    return status;
}
