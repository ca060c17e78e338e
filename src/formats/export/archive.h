/* A .pt2 archive: the program's JSON and the tensors beside it, wherever the version of PyTorch put
 * them. The bytes of weights stay where they are.
 */
#ifndef LTAP_FORMATS_EXPORT_ARCHIVE_H
#define LTAP_FORMATS_EXPORT_ARCHIVE_H

#include "codec/json.h"
#include "codec/zip.h"
#include "formats/torch/checkpoint.h"

/* Tensors by name: parameters and persistent buffers, or all others. */
typedef struct ltap_archive_store {
    bool read;
    ltap_source source; /* of an archive inside this one */
    uint64_t at;        /* where that begins */
    ltap_torch_checkpoint table;
} ltap_archive_store;

enum { LTAP_ARCHIVE_WEIGHTS, LTAP_ARCHIVE_CONSTANTS, LTAP_ARCHIVE_STORES };

typedef struct ltap_archive {
    ltap_source *source;
    ltap_arena *arena;   /* borrowed: lives as long as the graph */
    ltap_arena *scratch; /* borrowed: lives as long as the archive */
    ltap_zip zip;
    ltap_map by_name;  /* entries */
    const char *root;  /* of the records' names: "resnet18/", "" */
    const char *model; /* "model"; NULL: the layout of PyTorch before 2.8 */
    const ltap_json *program;
    ltap_archive_store stores[LTAP_ARCHIVE_STORES];
} ltap_archive;

bool ltap_archive_probe(const ltap_source *source);
/* archive: zeroed but for source and arenas; to be closed whatever the result. */
ltap_status ltap_archive_open(ltap_archive *archive, ltap_error *error);
void ltap_archive_close(ltap_archive *archive);
/* A tensor of a store as ltap_torch_data gives it. span: its bytes in the file. */
ltap_status ltap_archive_tensor(ltap_archive *archive, int store, const char *name,
                                ltap_tensor *tensor, ltap_span *span, ltap_error *error);

/* The schema's numbers of element types; LTAP_UNDEFINED: none that is known. */
ltap_dtype ltap_export_dtype(const ltap_json *number);
/* A size: {"as_int": 3}, or -1 where it is an expression; false: neither. */
bool ltap_export_size(const ltap_json *json, int64_t *size);

#endif
