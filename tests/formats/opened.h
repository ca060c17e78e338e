/* A model file opened by its reader, and what is asked of every reader: files made to do harm give
 * one line, and so do files of which a byte was changed.
 */
#ifndef TESTS_FORMATS_OPENED_H
#define TESTS_FORMATS_OPENED_H

#include "formats/format.h"
#include "graph/layers.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct opened {
    ltap_memory *memory;
    ltap_file file;
    ltap_source source;
    ltap_graph *graph;
    ltap_error error;
    ltap_status status;
    const char *arch; /* what the user calls it; NULL */
} opened;

/* What the file says of its modules is read later than the rest. */
static inline void build_layers(const ltap_graph *graph)
{
    ltap_layers *layers = NULL;
    if (ltap_layers_new(graph, &layers, NULL) == LTAP_OK)
        ltap_layers_free(layers);
}

/* Any bytes, on the memory of an opened model that was unloaded. */
static inline void load(opened *model, const uint8_t *data, size_t size)
{
    ltap_source_init(&model->source, data, size, model->memory);
    model->source.arch = model->arch;
    model->graph = NULL;
    memset(&model->error, 0, sizeof model->error);
    model->status = ltap_format_load(&model->source, &model->graph, &model->error);
    assert_true((model->status == LTAP_OK) == (model->graph != NULL));
    assert_true(model->status == LTAP_OK || model->error.message[0] != '\0');
    assert_null(strchr(model->error.message, '\n'));
    if (model->status == LTAP_OK)
        build_layers(model->graph);
}

static inline void unload(opened *model)
{
    ltap_graph_free(model->graph);
    model->graph = NULL;
    ltap_source_clear(&model->source);
}

static inline void open_limited(opened *model, const char *folder, const char *name, uint64_t limit)
{
    char path[512];
    model->arch = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(ltap_memory_new(NULL, limit, &model->memory, NULL), LTAP_OK);
    assert_int_equal(ltap_file_open(path, false, model->memory, &model->file, NULL), LTAP_OK);
    load(model, model->file.data, model->file.size);
}

static inline void open_model(opened *model, const char *folder, const char *name)
{
    open_limited(model, folder, name, 64u << 20);
}

static inline void close_model(opened *model)
{
    unload(model);
    ltap_file_close(&model->file);
    assert_int_equal(ltap_memory_used(model->memory), 0);
    ltap_memory_unref(model->memory);
}

static inline const ltap_tensor *weight(const opened *model, const char *name)
{
    uint32_t value;
    if (model->status != LTAP_OK)
        fail_msg("%s", model->error.message);
    if (!ltap_graph_find(model->graph, name, &value))
        fail_msg("no '%s'", name);
    return ltap_graph_at(model->graph, value)->constant;
}

static inline void assert_same_weight(const opened *one, const opened *other, const char *name)
{
    const ltap_tensor *a = weight(one, name), *b = weight(other, name);
    assert_true(ltap_tensor_same_shape(a, b));
    assert_memory_equal(a->data, b->data, ltap_tensor_bytes(a));
}

/* The file's bytes on the heap, where a read past their end is seen; `more` zeros behind them.
 * free() is the caller's. */
static inline uint8_t *copy_bytes(const opened *model, size_t more)
{
    uint8_t *copy = calloc(model->file.size + more, 1);
    assert_non_null(copy);
    memcpy(copy, model->file.data, model->file.size);
    return copy;
}

static inline bool ends_with(const char *name, const char *suffix)
{
    size_t n = strlen(name), n_suffix = strlen(suffix);
    return n > n_suffix && strcmp(name + n - n_suffix, suffix) == 0;
}

/* The files of a suffix in the folder of attacks, of which there are at least so many. */
static inline void refuse_attacks(const char *suffix, size_t least)
{
    size_t count = 0;
    DIR *folder = opendir(ATTACKS_DIR);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        opened model;
        if (!ends_with(entry->d_name, suffix))
            continue;
        open_model(&model, ATTACKS_DIR, entry->d_name);
        unload(&model);
        uint8_t *copy = copy_bytes(&model, 0);
        load(&model, copy, model.file.size);
        if (model.status != LTAP_ERROR_FORMAT && model.status != LTAP_ERROR_UNSUPPORTED)
            fail_msg("%s: status %d", entry->d_name, (int)model.status);
        close_model(&model);
        free(copy);
        count++;
    }
    closedir(folder);
    assert_true(count >= least);
}

/* Changes the bits of a mask in some places all over the file, one after the other. */
static inline void change_bytes(const char *name, size_t n_places, uint8_t mask)
{
    opened model;
    open_model(&model, DATA_DIR, name);
    unload(&model);
    size_t size = model.file.size;
    uint8_t *copy = copy_bytes(&model, 0);
    for (size_t at = 0; at < size; at += size / n_places + 1) {
        copy[at] ^= mask;
        load(&model, copy, size);
        unload(&model);
        copy[at] ^= mask;
    }
    close_model(&model);
    free(copy);
}

#endif
