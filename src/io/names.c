/* Names of features as names of members and files. Percent-encoding, because '%' itself is encoded,
 * can be undone and never makes two names one. Only what could be taken for a path elsewhere or
 * upset a terminal is touched: numpy shows all other names byte for byte.
 */
#include "base/error.h"
#include "io/writer.h"
#include <string.h>

/* How many bytes at a place are to be encoded. */
static size_t encoded_bytes(const char *name, size_t at, bool all_slashes)
{
    unsigned char c = (unsigned char)name[at];
    if (c == '.' && name[at + 1] == '.')
        return 2;
    if (c == '/')
        return all_slashes || at == 0;
    return c < 0x20 || c == 0x7F || c == '%' || c == '\\';
}

ltap_status ltap_writer_encode(ltap_arena *arena, const char *name, bool all_slashes,
                               const char *suffix, const char **encoded, ltap_error *error)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t bytes = strlen(name), n = 0;
    void *block;
    LTAP_TRY(ltap_arena_take(arena, bytes, 3, &block, error));
    char *out = block;
    for (size_t i = 0; i < bytes;) {
        size_t end = i + encoded_bytes(name, i, all_slashes);
        if (end == i)
            out[n++] = name[i++];
        for (; i < end; i++) {
            out[n++] = '%';
            out[n++] = digits[(unsigned char)name[i] >> 4];
            out[n++] = digits[(unsigned char)name[i] & 15];
        }
    }
    return ltap_arena_format(arena, encoded, error, "%.*s%s", (int)n, out, suffix);
}
