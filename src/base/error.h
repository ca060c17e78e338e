/* Setting and forwarding errors. Whoever detects an error sets it, once; others forward it. */
#ifndef LTAP_BASE_ERROR_H
#define LTAP_BASE_ERROR_H

#include <layertap/error.h>
#include <stdarg.h>

/* Forwards a failed call at once; only in functions that own nothing yet. */
#define LTAP_TRY(call)                                                                             \
    do {                                                                                           \
        ltap_status try_status_ = (call);                                                          \
        if (try_status_ != LTAP_OK)                                                                \
            return try_status_;                                                                    \
    } while (0)

/* Forwards a failed call to the one exit `done:`; the function has a local `status`. */
#define LTAP_GO(call)                                                                              \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != LTAP_OK)                                                                     \
            goto done;                                                                             \
    } while (0)

/* Sets code and message (error may be NULL) and returns `code`. Control characters in the message
 * are escaped as \xNN, so that a name from a file cannot fake a line. */
ltap_status ltap_error_set(ltap_error *error, ltap_status code, const char *format, ...)
    LTAP_PRINTF(3, 4);
/* The same with the byte in the file where the trouble is; the message begins "byte N: ". */
ltap_status ltap_error_at(ltap_error *error, ltap_status code, uint64_t offset, const char *format,
                          ...) LTAP_PRINTF(4, 5);
/* LTAP_ERROR_FILE with the system's words for an errno behind the message: "x.npy: no such file".
 */
ltap_status ltap_error_system(ltap_error *error, int number, const char *format, ...)
    LTAP_PRINTF(3, 4);
/* Puts context in front of a message that is set: "context: message". Returns error's code. Only at
 * boundaries (the file, the node). */
ltap_status ltap_error_prefix(ltap_error *error, ltap_status status, const char *format, ...)
    LTAP_PRINTF(3, 4);

#endif
