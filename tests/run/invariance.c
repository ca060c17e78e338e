/* A feature's bits do not depend on what else is asked for or looked at: random requests to any
 * models, each feature compared with the bits that it has when it is asked for alone.
 *
 * usage: invariance [--requests N] [--seed S] [--side N] MODEL...
 * Layers are the model's listed ones, every value that a node makes, inputs, and some weights; some
 * reduced, kept or streamed; with hooks that look at others, whose bits are compared as well, and
 * into bodies. Free sizes: the first is the batch, 1 to 3; others N. One or two threads, fast or
 * exact. Prints each difference with the seed that repeats it, and a line a model; ends with 1
 * where something differs.
 */
#include <layertap/layertap.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAMES = 8192, MAX_TAPS = 24, MAX_HOOKS = 4, MAX_INPUTS = 8, N_WEIGHTS = 12 };
enum { MAX_BATCH = 3, N_SETTINGS = MAX_BATCH * 2 * 2, NAME_BYTES = 512 };

/* What a value is when it is asked for alone. */
typedef struct digest {
    bool known, refused;
    ltap_dtype dtype;
    uint64_t bytes, hash;
} digest;

typedef struct network {
    ltap_model *model;
    const char *path;
    char (*names)[NAME_BYTES];
    const char **reduces; /* "" or what is made of it: "@gap" */
    size_t n_names;
    digest *solo; /* N_SETTINGS a name */
    ltap_input inputs[MAX_BATCH][MAX_INPUTS];
    size_t n_inputs, n_compared, n_hooked, n_refused, n_different;
    int n_batches;
    uint64_t seed; /* of this request */
} network;

typedef struct setting {
    int batch, threads, exact;
} setting;

typedef struct watcher {
    size_t name; /* of the network's */
    digest seen;
} watcher;

typedef struct asked {
    setting how;
    size_t taps[MAX_TAPS], n_taps; /* the network's names */
    watcher watchers[MAX_HOOKS];
    size_t n_watchers;
    bool streams;
    digest got[MAX_TAPS]; /* what each tap gave */
} asked;

static uint64_t state;

static uint64_t draw(void)
{
    uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static size_t below(size_t count)
{
    return (size_t)(draw() % count);
}

static digest digest_of(const ltap_tensor *tensor)
{
    digest made = {true, false, tensor->dtype, ltap_tensor_bytes(tensor), 14695981039346656037u};
    const unsigned char *bytes = tensor->data;
    for (uint64_t i = 0; i < made.bytes; i++)
        made.hash = (made.hash ^ bytes[i]) * 1099511628211u;
    for (int i = 0; i < tensor->rank; i++)
        made.hash = (made.hash ^ (uint64_t)tensor->dims[i]) * 1099511628211u;
    return made;
}

static bool same(const digest *a, const digest *b)
{
    return a->dtype == b->dtype && a->bytes == b->bytes && a->hash == b->hash;
}

/* --- a model, its names, its inputs ---------------------------------------------------------- */

static void add_name(network *net, const char *prefix, const char *name, const char *reduce)
{
    if (net->n_names == MAX_NAMES)
        return;
    snprintf(net->names[net->n_names], NAME_BYTES, "%s%s", prefix, name);
    net->reduces[net->n_names++] = reduce;
}

static void add_names(network *net)
{
    static const char *const reduces[] = {"@gap", "@max@half", "@l2", "@topk:2", "@flatten"};
    size_t n_values = ltap_model_values_count(net->model), n_weights = 0;
    for (size_t i = 0; i < ltap_model_layers_count(net->model); i++) {
        const char *name = ltap_model_layers_at(net->model, i)->name;
        add_name(net, "", name, "");
        if (i % 3 == 0)
            add_name(net, "", name, reduces[i / 3 % 5]);
    }
    for (size_t i = 0; i < n_values; i++) {
        ltap_value_info info;
        ltap_model_values_at(net->model, i, &info);
        if (strcmp(info.type, "weight") != 0 || n_weights++ < N_WEIGHTS)
            add_name(net, "value:", info.name, "");
    }
}

static void fill(const ltap_tensor *tensor)
{
    for (uint64_t i = 0; i < ltap_tensor_count(tensor); i++) {
        uint64_t number = draw();
        if (tensor->dtype == LTAP_FLOAT32)
            ((float *)tensor->data)[i] = (float)(number >> 40) / 8388608.0f - 1.0f;
        else if (tensor->dtype == LTAP_INT64)
            ((int64_t *)tensor->data)[i] = (int64_t)(number % 4);
        else if (tensor->dtype == LTAP_INT32)
            ((int32_t *)tensor->data)[i] = (int32_t)(number % 4);
    }
}

static void make_inputs(network *net, int side)
{
    net->n_inputs = ltap_model_inputs_count(net->model);
    net->n_inputs = net->n_inputs < MAX_INPUTS ? net->n_inputs : MAX_INPUTS;
    net->n_batches = 1;
    for (int batch = 1; batch <= MAX_BATCH; batch++) {
        for (size_t i = 0; i < net->n_inputs; i++) {
            const ltap_port *port = ltap_model_inputs_at(net->model, i);
            ltap_tensor tensor = {.dtype = port->dtype, .rank = port->rank < 0 ? 0 : port->rank};
            for (int k = 0; k < tensor.rank; k++)
                tensor.dims[k] = port->dims[k].size >= 0 ? port->dims[k].size : k ? side : batch;
            if (tensor.rank > 0 && port->dims[0].size < 0)
                net->n_batches = MAX_BATCH;
            tensor.data = calloc(1, (size_t)ltap_tensor_bytes(&tensor) + 1);
            fill(&tensor);
            net->inputs[batch - 1][i] = (ltap_input){port->name, tensor};
        }
    }
}

/* --- a forward ------------------------------------------------------------------------------- */

static ltap_hook_answer look(void *user, ltap_hook_call *call)
{
    watcher *self = user;
    self->seen = digest_of(&call->tensors[0]);
    return LTAP_HOOK_CONTINUE;
}

static ltap_hook_answer look_inside(void *user, ltap_hook_call *call)
{
    *(uint64_t *)user ^= digest_of(&call->tensors[0]).hash;
    return LTAP_HOOK_CONTINUE;
}

/* A layer that the request does not need has no hook; nor has what no body holds. */
static void watch(const network *net, ltap_run *run, asked *request)
{
    static uint64_t seen;
    const ltap_hook inside = {.layer = "*.body.**", .callback = look_inside, .user = &seen};
    ltap_error ignored;
    if (request->n_watchers > 1 && ltap_hook_add(run, &inside, NULL, &ignored) != LTAP_OK)
        seen = 0;
    for (size_t i = 0; i < request->n_watchers; i++) {
        watcher *self = &request->watchers[i];
        const ltap_hook hook = {.layer = net->names[self->name], .callback = look, .user = self};
        ltap_error error;
        ltap_status status = ltap_hook_add(run, &hook, NULL, &error);
        (void)status;
    }
}

/* Features are called by their places; "3.indices" is left out. */
static ltap_status take(void *user, size_t index, const ltap_feature *feature, ltap_error *error)
{
    asked *request = user;
    char *end;
    unsigned long tap = strtoul(feature->name, &end, 10);
    (void)index;
    (void)error;
    if (!*end)
        request->got[tap] = digest_of(&feature->tensor);
    return LTAP_OK;
}

static ltap_status run_once(const network *net, asked *request, ltap_run *run, ltap_error *error)
{
    const ltap_input *inputs = net->inputs[request->how.batch - 1];
    const ltap_sink sink = {take, request};
    ltap_features *features = NULL;
    if (request->streams)
        return ltap_run_stream(run, inputs, net->n_inputs, &sink, error);
    ltap_status status = ltap_run_forward(run, inputs, net->n_inputs, &features, error);
    for (size_t i = 0; status == LTAP_OK && i < ltap_features_count(features); i++)
        status = take(request, i, ltap_features_at(features, i), error);
    ltap_features_free(features);
    return status;
}

static ltap_status forward(const network *net, asked *request, ltap_error *error)
{
    ltap_return_layer layers[MAX_TAPS];
    char keys[MAX_TAPS][24];
    const ltap_getter_options options = {
        .exact = request->how.exact, .threads = request->how.threads, .calls = LTAP_CALLS_LAST};
    ltap_getter *getter = NULL;
    ltap_run *run = NULL;
    for (size_t i = 0; i < request->n_taps; i++) {
        snprintf(keys[i], sizeof(keys[i]), "%zu%s", i, net->reduces[request->taps[i]]);
        layers[i] = (ltap_return_layer){net->names[request->taps[i]], keys[i]};
    }
    ltap_status status =
        ltap_getter_new(net->model, layers, request->n_taps, &options, &getter, error);
    if (status == LTAP_OK)
        status = ltap_run_new(getter, &run, error);
    if (status == LTAP_OK)
        watch(net, run, request);
    if (status == LTAP_OK)
        status = run_once(net, request, run, error);
    ltap_run_free(run);
    ltap_getter_free(getter);
    return status;
}

static const digest *alone(network *net, const setting *how, size_t name)
{
    size_t index = ((size_t)how->batch - 1) * 4 + (size_t)(how->threads - 1) * 2;
    digest *made = &net->solo[name * N_SETTINGS + index + (size_t)how->exact];
    asked request = {.how = *how, .taps = {name}, .n_taps = 1};
    ltap_error error;
    if (made->known)
        return made;
    if (forward(net, &request, &error) != LTAP_OK)
        *made = (digest){.known = true, .refused = true};
    else
        *made = request.got[0];
    return made;
}

/* --- requests -------------------------------------------------------------------------------- */

static void check(network *net, const setting *how, size_t name, const digest *got, bool hooked)
{
    const digest *want = alone(net, how, name);
    net->n_compared++;
    net->n_hooked += hooked;
    if (!want->refused && same(got, want))
        return;
    net->n_different++;
    printf("%s: '%s'%s %s other bits than alone (batch %d, %d threads, %s; --seed %llu)\n",
           net->path, net->names[name], net->reduces[name], hooked ? "is seen with" : "has",
           how->batch, how->threads, how->exact ? "exact" : "fast", (unsigned long long)net->seed);
}

/* Neighbours share kernels: half of what is asked for is near one place. */
static size_t draw_name(const network *net, size_t near)
{
    return below(2) ? below(net->n_names) : (near + below(12)) % net->n_names;
}

static void draw_request(network *net, asked *request)
{
    request->how =
        (setting){1 + (int)below((size_t)net->n_batches), 1 + (int)below(2), (int)below(2)};
    size_t wanted = below(5) ? 2 + below(6) : MAX_TAPS, near = below(net->n_names);
    for (size_t i = 0; i < wanted; i++) {
        size_t name = draw_name(net, near);
        if (alone(net, &request->how, name)->refused)
            net->n_refused++;
        else
            request->taps[request->n_taps++] = name;
    }
    request->n_watchers = below(MAX_HOOKS + 1);
    request->streams = below(2);
    for (size_t i = 0; i < request->n_watchers; i++)
        request->watchers[i].name = draw_name(net, near);
}

static void check_request(network *net, uint64_t seed)
{
    asked request = {.n_taps = 0};
    ltap_error error;
    state = net->seed = seed;
    draw_request(net, &request);
    if (!request.n_taps)
        return;
    if (forward(net, &request, &error) != LTAP_OK) {
        net->n_different++;
        printf("%s: --seed %llu: %s\n", net->path, (unsigned long long)seed, error.message);
        return;
    }
    for (size_t i = 0; i < request.n_taps; i++)
        check(net, &request.how, request.taps[i], &request.got[i], false);
    for (size_t i = 0; i < request.n_watchers; i++) {
        const watcher *self = &request.watchers[i];
        bool whole = !net->reduces[self->name][0];
        if (whole && self->seen.known && !alone(net, &request.how, self->name)->refused)
            check(net, &request.how, self->name, &self->seen, true);
    }
}

/* Every request has a seed of its own: the first one's repeats it. */
static bool check_model(const char *path, long n_requests, uint64_t seed, int side)
{
    network net = {.path = path};
    ltap_error error;
    if (ltap_model_open(path, NULL, &net.model, &error) != LTAP_OK) {
        printf("%s\n", error.message);
        return false;
    }
    net.names = calloc(MAX_NAMES, sizeof(*net.names));
    net.reduces = calloc(MAX_NAMES, sizeof(*net.reduces));
    state = 1;
    add_names(&net);
    make_inputs(&net, side);
    net.solo = calloc(net.n_names * N_SETTINGS, sizeof(*net.solo));
    for (long i = 0; i < n_requests; i++)
        check_request(&net, seed + (uint64_t)i);
    printf("%s: %ld requests from seed %llu over %zu layers: %zu values compared, %zu of them by "
           "hooks; %zu different, %zu refused alone\n",
           path, n_requests, (unsigned long long)seed, net.n_names, net.n_compared, net.n_hooked,
           net.n_different, net.n_refused);
    fflush(stdout);
    for (int batch = 0; batch < MAX_BATCH; batch++)
        for (size_t i = 0; i < net.n_inputs; i++)
            free(net.inputs[batch][i].tensor.data);
    free(net.solo);
    free(net.names);
    free(net.reduces);
    ltap_model_close(net.model);
    return net.n_different == 0 && net.n_compared > 0;
}

int main(int argc, char **argv)
{
    long n_requests = 40, side = 96;
    uint64_t seed = 1;
    bool good = true;
    int i = 1;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        if (strcmp(argv[i], "--requests") == 0)
            n_requests = atol(argv[i + 1]);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--side") == 0)
            side = atol(argv[i + 1]);
    }
    if (i >= argc)
        return fprintf(stderr, "usage: invariance [--requests N] [--seed S] [--side N] MODEL...\n"),
               2;
    for (; i < argc; i++)
        good = check_model(argv[i], n_requests, seed, (int)side) && good;
    return good ? 0 : 1;
}
