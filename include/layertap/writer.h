/* Features out: .npz, .npy, .safetensors, or a folder of .npy files.
 *
 * .npz: members "<key>.npy", stored, not deflated, arrays aligned to 64 bytes; the key is the name
 * byte for byte, with only '%', control characters, backslash, a leading '/' and '..'
 * percent-encoded. Folder: files "<name>.npy", encoded likewise, and every '/' as %2F. .npy: one
 * array, without a name. .safetensors: names as they are; the format for bfloat16 and float8, which
 * numpy lacks.
 *
 * Nothing is seen under the final name before ltap_writer_commit: the file is written beside it
 * under a temporary name and renamed. Rows may be appended in pieces, member by member in any
 * interleaving, so that a thousand pictures never have to be in memory at once.
 */
#ifndef LAYERTAP_WRITER_H
#define LAYERTAP_WRITER_H

#include <layertap/error.h>
#include <layertap/export.h>
#include <layertap/tensor.h>

LTAP_BEGIN

typedef struct ltap_writer ltap_writer;

/* Zero-initialise for defaults. */
typedef struct ltap_writer_options {
    int force;          /* 1: replace what is there; a folder only if it holds just .npy files */
    const char *format; /* NULL: by the path's suffix; "npz", "npy", "safetensors", "folder" */
} ltap_writer_options;

/* A member: its key, type and full shape. dtype and dims are what will have been appended in all.
 */
typedef struct ltap_writer_member {
    const char *name;   /* UTF-8, copied */
    ltap_tensor tensor; /* data ignored */
} ltap_writer_member;

/* path: by suffix .npz, .npy (one member), .safetensors; ending in '/': a folder; "-": standard
 * output (options->format decides, default npz), gathered in a temporary file in TMPDIR or /tmp.
 * members: copied; names must differ, in an .npz also 'a' from 'a.npy', which numpy takes for one.
 * writer: yours to close; one thread at a time. Errors: exists (without force), unwritable, unknown
 * suffix, a type that the format lacks, a full disk; a closed pipe is LTAP_ERROR_FILE and raises no
 * signal. */
LTAP_API LTAP_MUST_USE ltap_status ltap_writer_open(const char *path,
                                                    const ltap_writer_member *members,
                                                    size_t n_members,
                                                    const ltap_writer_options *options,
                                                    ltap_writer **writer, ltap_error *error);
/* Appends the next bytes of a member, in row-major order. Too many is an error. */
LTAP_API LTAP_MUST_USE ltap_status ltap_writer_append(ltap_writer *writer, size_t member,
                                                      const void *data, size_t bytes,
                                                      ltap_error *error);
/* Finishes and puts the file in its place. Every member must be complete. bytes: total size
 * written, may be NULL. */
LTAP_API LTAP_MUST_USE ltap_status ltap_writer_commit(ltap_writer *writer, uint64_t *bytes,
                                                      ltap_error *error);
/* Without a commit before it, leaves nothing behind. NULL is fine. */
LTAP_API void ltap_writer_close(ltap_writer *writer);

/* Bytes that the members will take in this format, headers included; for --dry-run. */
LTAP_API LTAP_MUST_USE ltap_status ltap_writer_estimate(const char *path,
                                                        const ltap_writer_member *members,
                                                        size_t n_members,
                                                        const ltap_writer_options *options,
                                                        uint64_t *bytes, ltap_error *error);

LTAP_END

#endif
