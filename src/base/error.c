/* Setting errors: one line of clean UTF-8, whatever bytes went into it.
 *
 * Messages carry names from files, so everything that could fake a second line or upset a terminal
 * (control characters, broken UTF-8, line and direction marks) is written as \xNN. A message that
 * is too long is cut between characters and ends in "...".
 */
#include "base/error.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *const status_names[] = {
    [LTAP_OK] = "ok",
    [LTAP_ERROR_ARGUMENT] = "argument",
    [LTAP_ERROR_MEMORY] = "memory",
    [LTAP_ERROR_FILE] = "file",
    [LTAP_ERROR_FORMAT] = "format",
    [LTAP_ERROR_UNSUPPORTED] = "unsupported",
    [LTAP_ERROR_UNKNOWN_LAYER] = "unknown_layer",
    [LTAP_ERROR_AMBIGUOUS_LAYER] = "ambiguous_layer",
    [LTAP_ERROR_FOLDED_LAYER] = "folded_layer",
    [LTAP_ERROR_INPUT] = "input",
    [LTAP_ERROR_EXISTS] = "exists",
    [LTAP_ERROR_INTERNAL] = "internal",
    [LTAP_ERROR_HOOK] = "hook",
};

/* Characters that are valid UTF-8 and yet no part of one plain line. */
static const struct {
    uint32_t first, last;
} unwelcome[] = {
    {0x00, 0x1f},     /* controls */
    {0x7f, 0x9f},     /* delete, C1 controls */
    {0x2028, 0x202e}, /* line and paragraph separators, embeddings and overrides */
    {0x2066, 0x2069}, /* isolates */
};

const char *ltap_status_name(ltap_status status)
{
    size_t index = (size_t)status;
    if (index >= sizeof status_names / sizeof status_names[0])
        return "unknown";
    return status_names[index];
}

/* Bytes of the valid character that begins at text, and its code; 0 when it is broken. */
static size_t decode(const unsigned char *text, uint32_t *code)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t bytes = text[0] < 0x80             ? 1
                   : (text[0] & 0xe0) == 0xc0 ? 2
                   : (text[0] & 0xf0) == 0xe0 ? 3
                   : (text[0] & 0xf8) == 0xf0 ? 4
                                              : 0;
    if (bytes < 2) {
        *code = text[0];
        return bytes;
    }
    uint32_t value = text[0] & (0x7fu >> bytes);
    for (size_t i = 1; i < bytes; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (text[i] & 0x3fu);
    }
    *code = value;
    bool surrogate = value >= 0xd800 && value <= 0xdfff;
    return value < smallest[bytes] || value > 0x10ffff || surrogate ? 0 : bytes;
}

static bool is_welcome(uint32_t code)
{
    for (size_t i = 0; i < sizeof unwelcome / sizeof unwelcome[0]; i++)
        if (code >= unwelcome[i].first && code <= unwelcome[i].last)
            return false;
    return true;
}

/* Appends text to dst (room bytes with the NUL), escaped and cut. Returns the length of dst. */
static size_t append_clean(char *dst, size_t length, size_t room, const char *text)
{
    size_t cut = length; /* the last place where "..." still fits */
    while (*text != '\0') {
        const unsigned char *at = (const unsigned char *)text;
        uint32_t code;
        char piece[8];
        size_t bytes = decode(at, &code);
        size_t taken = bytes > 0 && is_welcome(code) ? bytes : 1;
        size_t n = taken;
        if (bytes > 0 && is_welcome(code))
            memcpy(piece, text, bytes);
        else
            n = (size_t)snprintf(piece, sizeof piece, "\\x%02X", at[0]);
        if (length + 3 < room)
            cut = length;
        if (length + n >= room) {
            n = (size_t)snprintf(dst + cut, room - cut, "...");
            return cut + n < room ? cut + n : room - 1;
        }
        memcpy(dst + length, piece, n);
        length += n;
        text += taken;
    }
    dst[length] = '\0';
    return length;
}

static ltap_status set(ltap_error *error, ltap_status code, uint64_t offset, const char *format,
                       va_list arguments)
{
    char raw[LTAP_ERROR_MESSAGE_BYTES + 8];
    size_t length = 0;
    if (error == NULL)
        return code;
    if (vsnprintf(raw, sizeof raw, format, arguments) < 0)
        raw[0] = '\0';
    error->code = code;
    error->offset = offset;
    if (offset != LTAP_NO_OFFSET)
        length = (size_t)snprintf(error->message, sizeof error->message,
                                  "byte %llu: ", (unsigned long long)offset);
    append_clean(error->message, length, sizeof error->message, raw);
    return code;
}

ltap_status ltap_error_set(ltap_error *error, ltap_status code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set(error, code, LTAP_NO_OFFSET, format, arguments);
    va_end(arguments);
    return code;
}

ltap_status ltap_error_at(ltap_error *error, ltap_status code, uint64_t offset, const char *format,
                          ...)
{
    va_list arguments;
    va_start(arguments, format);
    set(error, code, offset, format, arguments);
    va_end(arguments);
    return code;
}

ltap_status ltap_error_system(ltap_error *error, int number, const char *format, ...)
{
    char reason[128], raw[LTAP_ERROR_MESSAGE_BYTES];
    va_list arguments;
    if (error == NULL)
        return LTAP_ERROR_FILE;
    const char *words = strerror_r(number, reason, sizeof reason);
    va_start(arguments, format);
    if (vsnprintf(raw, sizeof raw, format, arguments) < 0)
        raw[0] = '\0';
    va_end(arguments);
    /* "No such file" reads better in the middle of a line as "no such file". */
    bool lower = words[0] >= 'A' && words[0] <= 'Z' && words[1] >= 'a' && words[1] <= 'z';
    char first = (char)(lower ? words[0] + ('a' - 'A') : words[0]);
    return ltap_error_set(error, LTAP_ERROR_FILE, "%s: %c%s", raw, first, words + 1);
}

ltap_status ltap_error_prefix(ltap_error *error, ltap_status status, const char *format, ...)
{
    char raw[LTAP_ERROR_MESSAGE_BYTES], old[LTAP_ERROR_MESSAGE_BYTES];
    va_list arguments;
    if (error == NULL)
        return status;
    va_start(arguments, format);
    if (vsnprintf(raw, sizeof raw, format, arguments) < 0)
        raw[0] = '\0';
    va_end(arguments);
    memcpy(old, error->message, sizeof old);
    old[sizeof old - 1] = '\0';
    /* A context may fill half of the line at most: what is wrong matters more than where. */
    size_t length = append_clean(error->message, 0, sizeof error->message / 2, raw);
    length = append_clean(error->message, length, sizeof error->message, ": ");
    append_clean(error->message, length, sizeof error->message, old);
    return status;
}
