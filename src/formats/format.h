/* Model formats: one row each, told by content, each yielding the same graph. */
#ifndef LTAP_FORMATS_FORMAT_H
#define LTAP_FORMATS_FORMAT_H

#include "base/file.h"
#include "codec/zip.h"
#include "graph/graph.h"
#include <layertap/prune.h>

/* Bytes of a model and where they come from. Files that a loader opens are added to `files` and
 * closed by the owner of the source after the graph. */
typedef struct ltap_source {
    const uint8_t *data;
    size_t size;
    const char *path;         /* of the model file; NULL for memory */
    uint64_t at;              /* where in that file the bytes begin */
    const char *member;       /* which file of an archive they are; NULL: of none */
    const char *external_dir; /* NULL or the one other folder that may be read */
    bool private_copy;
    const char *arch; /* what the user calls the network; NULL: as it is recognised */
    ltap_memory *memory;
    ltap_vector files; /* ltap_file */
} ltap_source;

/* Bytes (borrowed) without a path; what else is known is set behind that. */
void ltap_source_init(ltap_source *source, const void *data, size_t size, ltap_memory *memory);
/* Closes the files that loaders opened. A source of zeros has none. */
void ltap_source_clear(ltap_source *source);

/* Bytes of an entry of a zip archive that is the source: in place, or unpacked, which then belong
 * to the source like files. */
ltap_status ltap_source_entry(ltap_source *source, const ltap_zip *zip, const ltap_zip_entry *entry,
                              const uint8_t **data, ltap_error *error);

/* A value of the file that becomes an output or an input of a pruned model. */
typedef struct ltap_saved_value {
    const char *name;  /* that it gets */
    const char *value; /* its own, in the file */
    const char *layer; /* for messages */
    ltap_type type;    /* for where the file says none */
} ltap_saved_value;

typedef struct ltap_save {
    const ltap_source *source; /* of the model; not changed */
    const ltap_graph *graph;   /* that was read from it */
    const char *path;
    const ltap_prune_options *options;
    const ltap_saved_value *outputs, *starts;
    size_t n_outputs, n_starts;
} ltap_save;

typedef struct ltap_format {
    const char *name; /* "ONNX" */
    /* How sure: 0 no, 1 could be (nothing speaks against it), 2 it is. Looks at few bytes. */
    int (*probe)(const ltap_source *source);
    /* Builds and links the graph (operators are not bound yet). Errors carry byte offsets; the
     * caller adds the path. */
    ltap_status (*load)(ltap_source *source, ltap_graph **graph, ltap_error *error);
    /* Writes one or two pruned models in the same format, from the bytes of the source: all or
     * none. NULL: they are written as ONNX, from the graph. */
    ltap_status (*save)(const ltap_save *saves, size_t count, ltap_pruned *pruned,
                        ltap_error *error);
    bool takes_arch; /* its files hold weights: which network they are of, the user may say */
} ltap_format;

/* NULL-terminated. */
const ltap_format *const *ltap_formats(void);
/* Finds the row, loads. An unknown file says how it begins and which formats are known. */
ltap_status ltap_format_load(ltap_source *source, ltap_graph **graph, ltap_error *error);
/* Writes one or two pruned models: all or none. Those that layertap built itself, as ONNX. pruned:
 * as many. */
ltap_status ltap_format_save(const ltap_save *saves, size_t count, ltap_pruned *pruned,
                             ltap_error *error);

#endif
