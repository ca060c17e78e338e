/* PyTorch's three ways to inner values: hook, wrapper, two parts. usage: three_ways MODEL LAYER */
#include <layertap/layertap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float pixels[3 * 64 * 64];
static ltap_input inputs[2] = {{NULL, {LTAP_FLOAT32, 4, {1, 3, 64, 64}, pixels}}};

static ltap_hook_answer keep(void *user, ltap_hook_call *call)
{
    memcpy(user, call->tensors[0].data, ltap_tensor_bytes(&call->tensors[0]));
    return LTAP_HOOK_CONTINUE;
}

/* The features of n layers; from: an inner layer to start at, whose value is the second input. */
static ltap_features *forward(const ltap_model *model, const ltap_return_layer *layers, size_t n,
                              const ltap_return_layer *from, const ltap_hook *hook)
{
    const ltap_getter_options options = {.from = from, .n_from = from ? 1 : 0};
    ltap_features *features;
    ltap_getter *getter;
    ltap_run *run;
    ltap_error error;
    if (ltap_getter_new(model, layers, n, &options, &getter, &error) != LTAP_OK ||
        ltap_run_new(getter, &run, &error) != LTAP_OK ||
        (hook && ltap_hook_add(run, hook, NULL, &error) != LTAP_OK) ||
        ltap_run_forward(run, inputs, from ? 2 : 1, &features, &error) != LTAP_OK)
        fprintf(stderr, "%s\n", error.message), exit(1);
    ltap_run_free(run);
    ltap_getter_free(getter);
    return features;
}

int main(int argc, char **argv)
{
    ltap_error error = {LTAP_OK, 0, "usage: three_ways MODEL LAYER"};
    ltap_model *model;
    if (argc != 3 || ltap_model_open(argv[1], NULL, &model, &error) != LTAP_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    for (size_t i = 0; i < sizeof(pixels) / sizeof(pixels[0]); i++)
        pixels[i] = (float)(i * 7919 % 1000) / 500 - 1;
    const ltap_return_layer both[] = {{"output:0", "output"}, {argv[2], "inner"}};
    ltap_features *wrapped = forward(model, both, 2, NULL, NULL);
    const ltap_tensor *inner = &ltap_features_at(wrapped, 1)->tensor;
    void *seen = malloc(ltap_tensor_bytes(inner));
    const ltap_hook hook = {.layer = argv[2], .callback = keep, .user = seen};
    ltap_features *whole = forward(model, both, 1, NULL, &hook);
    const ltap_tensor *output = &ltap_features_at(whole, 0)->tensor;
    inputs[1] = (ltap_input){"inner", *inner};
    ltap_features *end = forward(model, both, 1, both + 1, NULL);
    printf("inner %s, output %s\n", ltap_shape_text(inner).text, ltap_shape_text(output).text);
    const void *parts = ltap_features_at(end, 0)->tensor.data;
    printf("hook and wrapper agree: %s\nwhole and two parts agree: %s\n",
           memcmp(seen, inner->data, ltap_tensor_bytes(inner)) ? "no" : "yes",
           memcmp(output->data, parts, ltap_tensor_bytes(output)) ? "no" : "yes");
    ltap_features_free(wrapped), ltap_features_free(whole), ltap_features_free(end);
    return free(seen), ltap_model_close(model), 0;
}
