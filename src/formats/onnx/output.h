/* A model on its way to its files: the bytes of the model, and the blobs of a data file beside it.
 * Internal to this folder.
 */
#ifndef LTAP_FORMATS_ONNX_OUTPUT_H
#define LTAP_FORMATS_ONNX_OUTPUT_H

#include "codec/wire_out.h"
#include "formats/format.h"

/* Bytes that go to the data file. */
typedef struct ltap_onnx_blob {
    const void *data;
    uint64_t offset, bytes;
} ltap_onnx_blob;

typedef struct ltap_onnx_output {
    const ltap_save *save;
    const ltap_source *source; /* whose mapped files are forgotten once they are written */
    ltap_wire_out model;
    bool repack;                       /* large tensors go to the data file */
    const char *data_path, *data_name; /* of that; its name as the model has it */
    ltap_vector blobs;                 /* ltap_onnx_blob */
    uint64_t data_bytes;
    uint64_t n_nodes, n_nodes_before; /* that are written, and that there were */
} ltap_onnx_output;

enum { LTAP_ONNX_MIN_BLOB = 1024 }; /* smaller tensors stay in the model */

/* All but the paths, which ltap_onnx_output_name gives. arena, save, source: borrowed. */
void ltap_onnx_output_init(ltap_onnx_output *output, const ltap_save *save,
                           const ltap_source *source, bool repack, ltap_arena *arena);
void ltap_onnx_output_clear(ltap_onnx_output *output);
ltap_status ltap_onnx_output_name(ltap_onnx_output *output, ltap_error *error);

/* Gives a tensor's bytes (borrowed until the end) a place in the data file, and says in the tensor
 * that is being written where they are. */
ltap_status ltap_onnx_output_move(ltap_onnx_output *output, const void *data, uint64_t bytes,
                                  ltap_error *error);
/* Says in the tensor that is being written where its bytes are. */
ltap_status ltap_onnx_output_place(ltap_onnx_output *output, const char *location, uint64_t offset,
                                   uint64_t bytes, ltap_error *error);

/* Whether two paths are one file. */
bool ltap_onnx_is_same_file(const char *a, const char *b);
/* "folder/location", folder being that of `path` (a folder itself where it is_folder). */
ltap_status ltap_onnx_path_beside(ltap_arena *arena, const char *path, bool is_folder,
                                  const char *location, const char **joined, ltap_error *error);
/* Refuses to write over the model that is read. */
ltap_status ltap_onnx_output_check(const ltap_onnx_output *output, ltap_error *error);
ltap_status ltap_onnx_refuse_own(const char *path, const char *what, ltap_error *error);

enum { LTAP_ONNX_MAX_OUTPUTS = 2 };

/* A writer: how it puts a model together. What it works with is a struct of its own (`of_bytes`
 * large) that begins with a ltap_onnx_output. */
typedef struct ltap_onnx_writer {
    size_t of_bytes;
    /* repack: large tensors go to the data file. */
    void (*init)(void *work, const ltap_save *save, bool repack);
    ltap_status (*put_together)(void *work, ltap_error *error);
    void (*clear)(void *work);
} ltap_onnx_writer;

/* Puts up to two models together and writes their files: all of them, or none. works: `count`
 * of them. Weights go to a data file where the user wants that, or where the model is too large. */
ltap_status ltap_onnx_outputs_write(const ltap_onnx_writer *writer, void *works,
                                    const ltap_save *saves, size_t count, ltap_pruned *pruned,
                                    ltap_error *error);

#endif
