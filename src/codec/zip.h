/* Zip archives: a strict reader over memory, and the headers of a store-only writer.
 *
 * The reader believes nothing that is said once: local and central headers must agree on names,
 * methods, sizes and CRCs (sizes and CRC may be missing from the local header where flag bit 3 says
 * so; then the central directory rules), entries must not overlap, names must differ.
 */
#ifndef LTAP_CODEC_ZIP_H
#define LTAP_CODEC_ZIP_H

#include "base/arena.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ltap_zip_entry {
    const char *name; /* UTF-8, NUL-terminated, without a NUL in it; unchecked as a path */
    size_t name_bytes;
    bool deflated;
    uint32_t crc;
    uint64_t packed_bytes, bytes; /* in the file, and unpacked */
    uint64_t header_offset;       /* of the local header */
    uint64_t data_offset;         /* of the packed bytes; checked to lie in the file */
    uint64_t central_offset;      /* of the central header */
} ltap_zip_entry;

typedef struct ltap_zip {
    const uint8_t *bytes; /* borrowed */
    uint64_t size;
    ltap_zip_entry *entries; /* in the order of the central directory */
    size_t n_entries;
} ltap_zip;

/* True when the bytes begin as a zip archive does. */
bool ltap_zip_probe(const void *bytes, size_t size);

/* Reads and checks the directory and every local header. bytes: borrowed as long as zip is used;
 * all else lives in the arena. Errors: LTAP_ERROR_FORMAT; LTAP_ERROR_UNSUPPORTED for encryption,
 * several disks, methods other than stored and deflate. */
ltap_status ltap_zip_open(const void *bytes, size_t size, ltap_arena *arena, ltap_zip *zip,
                          ltap_error *error);

/* The entry of that name; NULL: there is none. */
const ltap_zip_entry *ltap_zip_find(const ltap_zip *zip, const char *name);
/* LTAP_ERROR_FORMAT unless a stored entry's bytes have its CRC. */
ltap_status ltap_zip_check(const ltap_zip *zip, const ltap_zip_entry *entry, ltap_error *error);
/* Unpacks a deflated entry into a block of its declared size, which was checked to be within what
 * deflate can do with the bytes there are; checks size and CRC. block: yours to release. */
ltap_status ltap_zip_inflate(const ltap_zip *zip, const ltap_zip_entry *entry, ltap_memory *memory,
                             void **block, ltap_error *error);

/* False when an entry's name, used as a path, could lead elsewhere: absolute, "..", a backslash, a
 * drive, empty. */
bool ltap_zip_name_is_path(const char *name);

/* Continues a CRC-32 over more bytes. */
uint32_t ltap_zip_crc(uint32_t crc, const void *bytes, uint64_t size);

/* --- Writing: stored entries with sizes known in advance. ------------------------------------ */

typedef struct ltap_zip_member {
    const char *name; /* UTF-8 */
    size_t name_bytes;
    uint64_t bytes;
    uint32_t crc;                        /* known when the headers are written */
    uint64_t header_offset, data_offset; /* set by place; data_offset is a multiple of 64 */
} ltap_zip_member;

/* Places a member at *end and moves *end behind its data. Errors: LTAP_ERROR_ARGUMENT for a name of
 * more than 65535 bytes, or a file that would pass 2^63 bytes. */
ltap_status ltap_zip_place(ltap_zip_member *member, uint64_t *end, ltap_error *error);

/* Fills the data_offset - header_offset bytes in front of a member's data. */
void ltap_zip_local_header(const ltap_zip_member *member, uint8_t *out);

/* Bytes of what follows the last member: central directory and end records. */
uint64_t ltap_zip_directory_bytes(const ltap_zip_member *members, size_t n_members,
                                  uint64_t offset);
/* Writes them; offset is where they will lie in the file. */
void ltap_zip_directory(const ltap_zip_member *members, size_t n_members, uint64_t offset,
                        uint8_t *out);

#endif
