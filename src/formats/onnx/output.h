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

/* Whether the model is larger than protobuf's readers take. */
bool ltap_onnx_output_is_large(const ltap_onnx_output *output);
ltap_status ltap_onnx_output_refuse_size(const ltap_onnx_output *output, ltap_error *error);
/* Whether two paths are one file. */
bool ltap_onnx_is_same_file(const char *a, const char *b);
/* "folder/location", folder being that of `path` (a folder itself where it is_folder). */
ltap_status ltap_onnx_path_beside(ltap_arena *arena, const char *path, bool is_folder,
                                  const char *location, const char **joined, ltap_error *error);
/* Refuses to write over the model that is read. */
ltap_status ltap_onnx_output_check(const ltap_onnx_output *output, ltap_error *error);
ltap_status ltap_onnx_refuse_own(const char *path, const char *what, ltap_error *error);

enum { LTAP_ONNX_MAX_OUTPUTS = 2 };
/* Writes the files of up to two models: all of them, or none. */
ltap_status ltap_onnx_outputs_write(const ltap_onnx_output *const *outputs, size_t count,
                                    ltap_error *error);
/* Two models to one path are refused. */
ltap_status ltap_onnx_check_paths(const ltap_save *saves, size_t count, ltap_error *error);

#endif
