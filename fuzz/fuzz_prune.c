/* Fuzzing the writer: of any model that loads, some layers are written as models of their own, as
 * two halves, and from a layer on. Each is refused with one clear line, or loads again; of a
 * refused one nothing is left. */
#include <layertap/layertap.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REQUESTS = 6 };
static char paths[2][64];
static const ltap_model_options small = {.memory_limit = 64u << 20};

static void check_refusal(ltap_status status, const ltap_error *error)
{
    if (!error->message[0] || strchr(error->message, '\n') || error->code != status)
        abort();
    for (int i = 0; i < 2; i++)
        if (access(paths[i], F_OK) == 0)
            abort();
}

static void check_written(const char *path)
{
    ltap_error error;
    ltap_model *model = NULL;
    ltap_status status = ltap_model_open(path, &small, &model, &error);
    if (status != LTAP_OK && status != LTAP_ERROR_MEMORY) {
        fprintf(stderr, "%s\n", error.message);
        abort();
    }
    ltap_model_close(model);
    unlink(path);
}

static void prune(const ltap_model *model, const char *layer, const char *from)
{
    const ltap_return_layer wanted = {layer, "wanted"}, start = {from, "start"};
    const ltap_getter_options getter = {.from = &start, .n_from = from != NULL};
    ltap_error error = {.code = LTAP_OK};
    ltap_status status = ltap_model_prune(model, &wanted, 1, &getter, paths[0], NULL, NULL, &error);
    if (status == LTAP_OK)
        check_written(paths[0]);
    else
        check_refusal(status, &error);
}

static void split(const ltap_model *model, const char *layer, const char *at)
{
    const ltap_return_layer wanted = {layer, "wanted"};
    const ltap_split halves = {{at, "cut"}, &wanted, 1, LTAP_CALLS_FIRST, paths[0], paths[1]};
    ltap_error error = {.code = LTAP_OK};
    ltap_status status = ltap_model_split(model, &halves, NULL, NULL, &error);
    if (status != LTAP_OK) {
        check_refusal(status, &error);
        return;
    }
    for (int i = 0; i < 2; i++)
        check_written(paths[i]);
}

static const char *choose(const ltap_model *model, uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return ltap_model_layers_at(model, (*seed >> 8) % ltap_model_layers_count(model))->name;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ltap_model *model = NULL;
    uint32_t seed = (uint32_t)size;
    for (size_t i = 0; i < size; i++)
        seed = seed * 31 + data[i];
    for (int i = 0; i < 2; i++) {
        snprintf(paths[i], sizeof(paths[i]), "/dev/shm/fuzz-prune-%d-%d.onnx", (int)getpid(), i);
        unlink(paths[i]);
    }
    if (ltap_model_open_bytes(data, size, "model", &small, &model, NULL) != LTAP_OK)
        return 0;
    for (int i = 0; i < REQUESTS && ltap_model_layers_count(model) > 0; i++) {
        const char *wanted = choose(model, &seed), *other = choose(model, &seed);
        if (i % 3 == 2)
            split(model, wanted, other);
        else
            prune(model, wanted, i % 3 == 1 ? other : NULL);
    }
    ltap_model_close(model);
    return 0;
}
