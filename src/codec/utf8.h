/* UTF-8: checked, never repaired. */
#ifndef LTAP_CODEC_UTF8_H
#define LTAP_CODEC_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True when the bytes are well-formed UTF-8 (no overlong forms, no surrogates, at most U+10FFFF).
 * bad (may be NULL): index of the first byte that is not. */
bool ltap_utf8_check(const void *bytes, size_t size, size_t *bad);

/* Writes one code point (not a surrogate, at most 0x10FFFF); returns the number of bytes, 1..4. */
size_t ltap_utf8_encode(uint32_t code, char out[4]);

#endif
