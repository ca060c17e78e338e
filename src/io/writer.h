/* Features out, inside: a writer, and what a format has to say. A new format is one file and one
 * row in the list of writer.c.
 */
#ifndef LTAP_IO_WRITER_H
#define LTAP_IO_WRITER_H

#include "base/arena.h"
#include "base/file.h"
#include "base/vector.h"
#include "tensor/tensor.h"
#include <layertap/writer.h>
#include <stdbool.h>

/* A member on its way out. */
typedef struct ltap_writer_slot {
    const char *name; /* as requested */
    const char *key;  /* as the format spells it, set by layout */
    ltap_tensor tensor;
    uint64_t bytes, done; /* of data; appended so far */
    uint64_t offset;      /* of data in the file, set by layout */
    uint32_t crc;         /* npz: of the member so far */
} ltap_writer_slot;

/* A format. The functions get a writer whose slots are checked: names differ and are UTF-8, sizes
 * are known. */
typedef struct ltap_writer_format {
    const char *name;   /* "npz" */
    const char *suffix; /* ".npz"; "/" for a folder */
    /* Sets keys, offsets and total_bytes; refuses types and names. Writes nothing. */
    ltap_status (*layout)(ltap_writer *writer, ltap_error *error);
    ltap_status (*open)(ltap_writer *writer, ltap_error *error);
    /* The caller has checked that the bytes belong to the slot. */
    ltap_status (*append)(ltap_writer *writer, ltap_writer_slot *slot, const void *data,
                          size_t bytes, ltap_error *error);
    ltap_status (*commit)(ltap_writer *writer, ltap_error *error);
    void (*close)(ltap_writer *writer);
} ltap_writer_format;
extern const ltap_writer_format ltap_writer_npy, ltap_writer_npz, ltap_writer_safetensors,
    ltap_writer_folder;

struct ltap_writer {
    ltap_memory *memory;
    ltap_arena arena;
    const ltap_writer_format *format;
    const char *path;
    bool force, is_stdout;
    bool is_open;   /* format->open succeeded: there is something to close */
    bool is_broken; /* an append failed: nothing can be committed */
    ltap_writer_slot *slots;
    size_t n_slots;
    uint64_t total_bytes;
    ltap_outfile file; /* formats of one file */
    void *state;       /* the format's own, in the arena */
};

/* As ltap_writer_open, on an account. */
ltap_status ltap_writer_open_on(ltap_memory *memory, const char *path,
                                const ltap_writer_member *members, size_t n_members,
                                const ltap_writer_options *options, ltap_writer **writer,
                                ltap_error *error);

/* --- Formats of one file share these. --------------------------------------------------------- */

ltap_status ltap_writer_file_open(ltap_writer *writer, ltap_error *error);
ltap_status ltap_writer_file_append(ltap_writer *writer, ltap_writer_slot *slot, const void *data,
                                    size_t bytes, ltap_error *error);
ltap_status ltap_writer_file_commit(ltap_writer *writer, ltap_error *error);
void ltap_writer_file_close(ltap_writer *writer);

/* --- Standard output: a nameless temporary file that is copied out at commit. ----------------- */

ltap_status ltap_stdout_open(ltap_outfile *file, ltap_error *error);
/* A reader that went away is an error like any other, not a signal. */
ltap_status ltap_stdout_commit(ltap_outfile *file, uint64_t bytes, ltap_memory *memory,
                               ltap_error *error);

/* --- Names. ------------------------------------------------------------------------------------
 */

/* Percent-encodes '%', control characters, '\', every "..", and a slash: the leading one, or all.
 * Different names stay different. */
ltap_status ltap_writer_encode(ltap_arena *arena, const char *name, bool all_slashes,
                               const char *suffix, const char **encoded, ltap_error *error);

#endif
