/* A folder for models that tests write, and what they ask of what is in it. */
#ifndef TESTS_FORMATS_WRITTEN_H
#define TESTS_FORMATS_WRITTEN_H

#include <layertap/layertap.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct place {
    char folder[64], model[512]; /* `model`: of the tests' data, the one opened last */
    char out[128], data[128], head[128], copy[128];
} place;

static inline int make_place(void **state)
{
    place *at = calloc(1, sizeof *at);
    assert_non_null(at);
    strcpy(at->folder, "/tmp/ltap-write-XXXXXX");
    assert_non_null(mkdtemp(at->folder));
    snprintf(at->out, sizeof at->out, "%s/out.onnx", at->folder);
    snprintf(at->data, sizeof at->data, "%s/out.onnx.data", at->folder);
    snprintf(at->head, sizeof at->head, "%s/head.onnx", at->folder);
    snprintf(at->copy, sizeof at->copy, "%s/small.pth", at->folder);
    *state = at;
    return 0;
}

static inline int remove_place(void **state)
{
    place *at = *state;
    unlink(at->out);
    unlink(at->data);
    unlink(at->head);
    unlink(at->copy);
    int left = rmdir(at->folder);
    free(at);
    return left;
}

static inline ltap_model *open_model(const char *path)
{
    ltap_error error;
    ltap_model *model;
    if (ltap_model_open(path, NULL, &model, &error) != LTAP_OK)
        fail_msg("%s", error.message);
    return model;
}

static inline const char *data_path(place *at, const char *name)
{
    snprintf(at->model, sizeof at->model, "%s/%s", DATA_DIR, name);
    return at->model;
}

static inline void assert_same_bits(const ltap_features *a, size_t i, const ltap_features *b,
                                    size_t k, const char *what)
{
    const ltap_tensor *x = &ltap_features_at(a, i)->tensor, *y = &ltap_features_at(b, k)->tensor;
    if (ltap_tensor_bytes(x) != ltap_tensor_bytes(y) ||
        memcmp(x->data, y->data, ltap_tensor_bytes(x)) != 0)
        fail_msg("%s: '%s' is not the same", what, ltap_features_at(a, i)->name);
}

#endif
