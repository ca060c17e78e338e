/* Errors: a status that is returned, and a message that the caller owns.
 *
 * Every function that can fail returns an ltap_status and takes `ltap_error *error` last. `error`
 * may be NULL. On LTAP_OK the error is left untouched; otherwise it holds one line: what was found,
 * what was expected, what to do. Nothing is ever printed by the library.
 */
#ifndef LAYERTAP_ERROR_H
#define LAYERTAP_ERROR_H

#include <layertap/export.h>
#include <stdint.h>

LTAP_BEGIN

typedef enum ltap_status {
    LTAP_OK = 0,
    LTAP_ERROR_ARGUMENT = 1,        /* the call itself is wrong: NULL, an impossible option */
    LTAP_ERROR_MEMORY = 2,          /* the memory limit would be passed, or there is none left */
    LTAP_ERROR_FILE = 3,            /* the system refused: open, read, write, rename */
    LTAP_ERROR_FORMAT = 4,          /* the bytes are not what the format demands */
    LTAP_ERROR_UNSUPPORTED = 5,     /* valid, but layertap does not have it (operator, type, ...) */
    LTAP_ERROR_UNKNOWN_LAYER = 6,   /* no layer of that name; the message has the nearest ones */
    LTAP_ERROR_AMBIGUOUS_LAYER = 7, /* several layers of that name; the message lists them */
    LTAP_ERROR_FOLDED_LAYER = 8,    /* the exporter folded this layer's value away */
    LTAP_ERROR_INPUT = 9,           /* an input has the wrong shape, type, name, or is missing */
    LTAP_ERROR_EXISTS = 10,         /* the output exists and overwriting was not asked for */
    LTAP_ERROR_INTERNAL = 11,       /* our own mistake; please report it */
    LTAP_ERROR_HOOK = 12            /* a hook said that it failed, or gave what does not fit */
} ltap_status;

#define LTAP_ERROR_MESSAGE_BYTES 2048
#define LTAP_NO_OFFSET           UINT64_MAX

typedef struct ltap_error {
    ltap_status code;
    uint64_t offset; /* byte in the file where the trouble is, or LTAP_NO_OFFSET */
    char message[LTAP_ERROR_MESSAGE_BYTES]; /* one line of UTF-8, NUL-terminated */
} ltap_error;

/* Short stable name of a status for machines: "ok", "unknown_layer", "format", ... Never NULL. */
LTAP_API const char *ltap_status_name(ltap_status status);

/* Version of the library in use, "MAJOR.MINOR.PATCH". */
LTAP_API const char *ltap_version(void);

/* What this library runs on: processor features and kernel libraries in use, one fact per line.
 * Borrowed, constant. */
LTAP_API const char *ltap_version_details(void);

LTAP_END

#endif
