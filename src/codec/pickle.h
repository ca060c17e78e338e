/* Python pickles as data: a machine that builds values and calls nothing.
 *
 * Only opcodes that describe plain data are known, and only globals that the caller lists; any
 * other ends the reading with its name. What a pickle wants called stays a note of what and with
 * what. Values are shared as the pickle shares them, and may even be in circles: who walks over
 * them counts, or marks what it has seen.
 */
#ifndef LTAP_CODEC_PICKLE_H
#define LTAP_CODEC_PICKLE_H

#include "base/arena.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LTAP_PICKLE_MAX_BYTES (64u << 20)

typedef enum ltap_pickle_kind {
    LTAP_PICKLE_NONE,
    LTAP_PICKLE_BOOL,
    LTAP_PICKLE_INT,
    LTAP_PICKLE_BIG, /* an integer beyond int64: its little-endian bytes as text */
    LTAP_PICKLE_DOUBLE,
    LTAP_PICKLE_STRING, /* and bytes */
    LTAP_PICKLE_TUPLE,
    LTAP_PICKLE_LIST, /* and sets */
    LTAP_PICKLE_DICT, /* items: key, value, key, value */
    LTAP_PICKLE_GLOBAL,
    LTAP_PICKLE_CALL,       /* items: the global, its arguments (a tuple); of an object its state */
    LTAP_PICKLE_PERSISTENT, /* items: what the pickle says of a thing outside it */
    LTAP_PICKLE_MARK        /* never in a result */
} ltap_pickle_kind;

/* A global that may be named. name NULL: all of the module, and of modules in it. */
typedef struct ltap_pickle_global {
    const char *module, *name;
    int role; /* the caller's; LTAP_PICKLE_MAPPING: calling it makes a dict; LTAP_PICKLE_OBJECT: a
                 class whose objects keep the state that they are given */
    int element; /* the caller's */
} ltap_pickle_global;
#define LTAP_PICKLE_MAPPING (-1)
#define LTAP_PICKLE_OBJECT  (-2)

typedef struct ltap_pickle {
    ltap_pickle_kind kind;
    bool seen;       /* false; for who walks */
    uint64_t offset; /* byte in the file of the opcode that made it */
    union {
        int64_t integer; /* and BOOL */
        double number;
        const ltap_pickle_global *global;
        struct {
            const char *text; /* NUL-terminated copy; may hold NULs inside */
            size_t bytes;
        };
        struct {
            struct ltap_pickle **items;
            size_t count, room;
        };
    };
} ltap_pickle;

/* Reads one pickle at the beginning of bytes. base: added to offsets. globals: up to a row with
 * module NULL. value: lives in the arena. used: its bytes. Errors: LTAP_ERROR_FORMAT with the byte;
 * LTAP_ERROR_UNSUPPORTED for opcodes and globals that are not known, by name. */
ltap_status ltap_pickle_read(const uint8_t *bytes, size_t size, uint64_t base,
                             const ltap_pickle_global *globals, ltap_arena *arena,
                             ltap_pickle **value, size_t *used, ltap_error *error);

/* The value of a string key of a dict; NULL: there is none, or it is no dict. */
ltap_pickle *ltap_pickle_find(const ltap_pickle *dict, const char *key);

#endif
