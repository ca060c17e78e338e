/* Files: mapped for reading, and written so that they appear whole or not at all. */
#ifndef LTAP_BASE_FILE_H
#define LTAP_BASE_FILE_H

#include "base/memory.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A read-only file. data is NULL when size is 0. */
typedef struct ltap_file {
    const uint8_t *data;
    size_t size;
    ltap_memory *memory; /* a private copy's account, else NULL */
} ltap_file;

/* Maps a regular file ("-" is not special here). private_copy: reads it into `memory` instead.
 * Errors name the path and the system's reason; an empty file is LTAP_ERROR_FORMAT. */
ltap_status ltap_file_open(const char *path, bool private_copy, ltap_memory *memory,
                           ltap_file *file, ltap_error *error);
/* Maps `relative` below folder `base`: refused when absolute, when a component is "..", when a
 * component is a link, when it is not a regular file. May be empty. */
ltap_status ltap_file_open_beneath(const char *base, const char *relative, bool private_copy,
                                   ltap_memory *memory, ltap_file *file, ltap_error *error);
/* Reads a stream (a pipe, standard input) to its end into memory, up to limit bytes. */
ltap_status ltap_file_read_stream(int descriptor, const char *name, uint64_t limit,
                                  ltap_memory *memory, ltap_file *file, ltap_error *error);
void ltap_file_close(ltap_file *file);
/* Tells the system that these bytes will not be read again soon. Does nothing where they are not
 * within this file, or where the file is a copy and not mapped. */
void ltap_file_forget(const ltap_file *file, const void *data, size_t bytes);

/* Whom to tell that bytes of some files were read and are not needed in memory for now. */
typedef struct ltap_reader {
    void (*done)(const void *files, const void *data, uint64_t bytes); /* NULL: nobody */
    const void *files;
} ltap_reader;
static inline void ltap_reader_done(const ltap_reader *reader, const void *data, uint64_t bytes)
{
    if (reader->done)
        reader->done(reader->files, data, bytes);
}

#define LTAP_PATH_BYTES 4096

/* An output that is seen under its final name only after commit. Where the system can, it has no
 * name at all until then, so that nothing is left behind even when the process is killed. */
typedef struct ltap_outfile {
    int descriptor; /* -1 when closed */
    char path[LTAP_PATH_BYTES];
    char temporary[LTAP_PATH_BYTES]; /* "" while there is no such name */
    bool force;
} ltap_outfile;

/* Makes a temporary file beside path. Without force an existing path is LTAP_ERROR_EXISTS. */
ltap_status ltap_outfile_open(const char *path, bool force, ltap_outfile *file, ltap_error *error);
ltap_status ltap_outfile_write(ltap_outfile *file, uint64_t offset, const void *data, size_t bytes,
                               ltap_error *error);
/* Flushes and renames. Without force, an existing path is refused even when it appeared meanwhile.
 */
ltap_status ltap_outfile_commit(ltap_outfile *file, ltap_error *error);
/* Removes the temporary file unless committed. */
void ltap_outfile_close(ltap_outfile *file);

#endif
