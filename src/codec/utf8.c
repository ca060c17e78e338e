/* UTF-8 as RFC 3629 has it: the table of well-formed sequences by their first byte and the range of
 * their second one decides; the rest are plain continuation bytes. Not a transcoder.
 */
#include "codec/utf8.h"

typedef struct sequence {
    uint8_t first, last; /* range of the leading byte */
    uint8_t low, high;   /* range of the second byte */
    uint8_t bytes;
} sequence;

static const sequence sequences[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
    {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
    {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

/* Bytes of the well-formed sequence at p, 0 where there is none. */
static size_t sequence_bytes(const uint8_t *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof sequences / sizeof sequences[0]; i++) {
        const sequence *s = &sequences[i];
        if (p[0] < s->first || p[0] > s->last)
            continue;
        if (left < s->bytes || p[1] < s->low || p[1] > s->high)
            return 0;
        for (size_t k = 2; k < s->bytes; k++)
            if ((p[k] & 0xC0) != 0x80)
                return 0;
        return s->bytes;
    }
    return 0;
}

bool ltap_utf8_check(const void *bytes, size_t size, size_t *bad)
{
    const uint8_t *p = bytes;
    for (size_t at = 0; at < size;) {
        size_t step = sequence_bytes(p + at, size - at);
        if (step == 0) {
            if (bad)
                *bad = at;
            return false;
        }
        at += step;
    }
    return true;
}

size_t ltap_utf8_encode(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t bytes = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t marks[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = bytes; i-- > 1; code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)(marks[bytes] | code);
    return bytes;
}
