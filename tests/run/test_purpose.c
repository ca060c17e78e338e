/* Requests made to catch a tap that shows, one a kind: next to what kernels join, share or name
 * anew. Each feature, kept, handed on or seen by a hook, has the bits that it has alone, in batches
 * of 1 to 3.
 */
#include "hooked.h"

enum { MAX_NAMES = 12, MAX_FEATURES = 64 };

typedef struct purpose {
    const char *what, *model;
    const char *layers[MAX_NAMES];
} purpose;

#define SHAPES  TEST_ROOT "/models/shapes-deeplabv3.onnx"
#define NETWORK TEST_ROOT "/tests/cli/networks/"

static const purpose purposes[] = {
    {"before and after an activation",
     SHAPES,
     {"backbone.bn1", "backbone.relu", "backbone.layer1.0.bn1", "backbone.layer1.0.relu#0"}},
    {"what an activation reads",
     SHAPES,
     {"backbone.relu:in", "backbone.relu", "backbone.layer2.0.relu#1:in"}},
    {"before and after a BatchNorm",
     SHAPES,
     {"backbone.conv1", "backbone.bn1", "backbone.layer3.0.conv2", "backbone.layer3.0.bn2"}},
    {"a convolution whose BatchNorm is not wanted", SHAPES, {"backbone.layer1.0.conv1"}},
    {"both summands of a residual, the sum, and after it",
     NETWORK "residual.onnx",
     {"two", "side", "/Add", "relu#2"}},
    {"one summand of a residual", NETWORK "residual.onnx", {"side.1", "fc"}},
    {"a residual whose other branch is the input of the block",
     SHAPES,
     {"backbone.layer1.0.bn2", "backbone.maxpool", "backbone.layer1.0.relu#1:in",
      "backbone.layer1.0"}},
    {"views and reshapes",
     NETWORK "attention.onnx",
     {"op:Reshape", "op:Transpose", "op:Squeeze", "op:Split"}},
    {"a view and what it is a view of",
     NETWORK "attention.onnx",
     {"/Reshape_1", "/qkv/Add", "/Transpose_1", "/Squeeze_1"}},
    {"what a Concat joins",
     NETWORK "dense.onnx",
     {"stem", "conv1", "/Concat", "conv2", "/Concat_1"}},
    {"a part of a Concat alone", NETWORK "dense.onnx", {"conv1", "/Sigmoid"}},
    {"gates", NETWORK "inverted.onnx", {"deep", "/ReduceMean", "gate", "/Mul", "project.0"}},
    {"a requested input", SHAPES, {"image", "backbone.conv1", "input:image"}},
    {"a constant",
     SHAPES,
     {"value:backbone.conv1.weight", "value:backbone.bn1.bias", "backbone.bn1"}},
    {"a value requested several times",
     SHAPES,
     {"backbone.layer1", "backbone.layer1.1", "backbone.layer1.1.relu#1", "backbone.layer1",
      "backbone.layer2.0.conv1:in"}},
    {"Winograd's convolutions, and what they do as well",
     SHAPES,
     {"backbone.layer3.*.conv?", "backbone.layer3.*.bn?", "backbone.layer3.*.relu*"}},
    {"dilated convolutions side by side", SHAPES, {"classifier.0.convs.*", "classifier.0"}},
    {"what is there only in bodies",
     TEST_ROOT "/tests/cli/data/loops.onnx",
     {"first", "Loop_1", "all"}},
};

typedef struct result {
    ltap_tensor tensor;
    bool there;
} result;

static result got[MAX_FEATURES];

static void keep(size_t index, const ltap_tensor *tensor)
{
    assert_true(index < MAX_FEATURES);
    free(got[index].tensor.data);
    got[index] = (result){*tensor, true};
    got[index].tensor.data = malloc((size_t)ltap_tensor_bytes(tensor) + 1);
    assert_non_null(got[index].tensor.data);
    memcpy(got[index].tensor.data, tensor->data, (size_t)ltap_tensor_bytes(tensor));
}

static ltap_status take(void *user, size_t index, const ltap_feature *feature, ltap_error *error)
{
    (void)user;
    (void)error;
    keep(index, &feature->tensor);
    return LTAP_OK;
}

static ltap_hook_answer look(void *user, ltap_hook_call *call)
{
    keep(*(const size_t *)user, &call->tensors[0]);
    return LTAP_HOOK_CONTINUE;
}

static ltap_input make_input(const ltap_model *of, int batch)
{
    const ltap_port *port = ltap_model_inputs_at(of, 0);
    ltap_input made = {NULL, {.dtype = port->dtype, .rank = port->rank}};
    for (int i = 0; i < port->rank; i++)
        made.tensor.dims[i] = port->dims[i].size >= 0 ? port->dims[i].size : i ? SIDE : batch;
    uint64_t n = ltap_tensor_count(&made.tensor);
    float *numbers = malloc((size_t)n * sizeof(float));
    ltap_random random = {.state = 3};
    assert_non_null(numbers);
    for (uint64_t i = 0; i < n; i++)
        numbers[i] = (float)ltap_random_normal(&random);
    made.tensor.data = numbers;
    return made;
}

static ltap_getter *new_getter(const ltap_model *of, const ltap_return_layer *layers, size_t n)
{
    ltap_getter *getter;
    ltap_error error;
    must(ltap_getter_new(of, layers, n, &(ltap_getter_options){.threads = 1}, &getter, &error),
         &error);
    return getter;
}

/* All features at once, kept (0), handed on (1), or looked at beside the last one (2); into got. */
static void run_all(const ltap_model *of, ltap_getter *all, const ltap_input *in, int way)
{
    static size_t numbers[MAX_FEATURES];
    const ltap_sink sink = {.take = take};
    size_t n = ltap_getter_layers_count(all);
    const ltap_return_layer last = {ltap_getter_layers_at(all, n - 1)->layer, "last"};
    ltap_features *features = NULL;
    ltap_run *run;
    ltap_error error;
    ltap_getter *getter = way == 2 ? new_getter(of, &last, 1) : all;
    must(ltap_run_new(getter, &run, &error), &error);
    for (size_t i = 0; way == 2 && i < n; i++) {
        const ltap_hook hook = {
            .layer = ltap_getter_layers_at(all, i)->layer, .callback = look, .user = &numbers[i]};
        numbers[i] = i;
        ltap_status status = ltap_hook_add(run, &hook, NULL, &error);
        assert_true(status == LTAP_OK || status == LTAP_ERROR_UNKNOWN_LAYER ||
                    status == LTAP_ERROR_ARGUMENT);
    }
    must(way == 1 ? ltap_run_stream(run, in, 1, &sink, &error)
                  : ltap_run_forward(run, in, 1, &features, &error),
         &error);
    for (size_t i = 0; way == 0 && i < n; i++)
        keep(i, &ltap_features_at(features, i)->tensor);
    ltap_features_free(features);
    ltap_run_free(run);
    if (way == 2)
        ltap_getter_free(getter);
}

static void compare_alone(const ltap_model *of, const ltap_getter_layer *layer,
                          const ltap_input *in, const result *seen, int way)
{
    const ltap_return_layer wanted = {layer->layer, NULL};
    ltap_getter *getter = new_getter(of, &wanted, 1);
    ltap_features *features;
    ltap_run *run;
    ltap_error error;
    must(ltap_run_new(getter, &run, &error), &error);
    must(ltap_run_forward(run, in, ltap_getter_inputs_count(getter), &features, &error), &error);
    if (!same_tensor(&seen->tensor, &ltap_features_at(features, 0)->tensor))
        fail_msg("'%s' has other bits than alone (way %d)", layer->layer, way);
    ltap_features_free(features);
    ltap_run_free(run);
    ltap_getter_free(getter);
}

static void every_feature_has_the_bits_that_it_has_alone(void **state)
{
    const purpose *p = *state;
    ltap_return_layer layers[MAX_NAMES];
    char names[MAX_NAMES][16];
    size_t n = 0, n_seen = 0;
    ltap_model *of;
    ltap_error error;
    must(ltap_model_open(p->model, NULL, &of, &error), &error);
    for (; n < MAX_NAMES && p->layers[n]; n++) {
        bool several = strpbrk(p->layers[n], "*?") || strncmp(p->layers[n], "op:", 3) == 0;
        snprintf(names[n], sizeof(names[n]), "%zu", n);
        layers[n] = (ltap_return_layer){p->layers[n], several ? NULL : names[n]};
    }
    ltap_getter *all = new_getter(of, layers, n);
    for (int batch = 1; batch <= 3; batch++) {
        ltap_input in = make_input(of, batch);
        for (int way = 0; way < 3; way++) {
            memset(got, 0, sizeof(got));
            run_all(of, all, &in, way);
            for (size_t i = 0; i < ltap_getter_layers_count(all); i++) {
                assert_true(way == 2 || got[i].there);
                if (got[i].there)
                    compare_alone(of, ltap_getter_layers_at(all, i), &in, &got[i], way);
                n_seen += way == 2 && got[i].there;
                free(got[i].tensor.data);
            }
        }
        free(in.tensor.data);
    }
    assert_true(n_seen >= 3);
    ltap_getter_free(all);
    ltap_model_close(of);
}

int main(void)
{
    enum { N = sizeof purposes / sizeof purposes[0] };
    struct CMUnitTest tests[N];
    for (size_t i = 0; i < N; i++)
        tests[i] =
            (struct CMUnitTest){purposes[i].what, every_feature_has_the_bits_that_it_has_alone,
                                NULL, NULL, (void *)(uintptr_t)&purposes[i]};
    return _cmocka_run_group_tests("taps made on purpose", tests, N, NULL, NULL);
}
