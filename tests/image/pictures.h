/* What the tests of pictures share: reading a test picture, hashing, wrapping up. */
#ifndef LTAP_TESTS_IMAGE_PICTURES_H
#define LTAP_TESTS_IMAGE_PICTURES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct blob {
    uint8_t *bytes;
    size_t size;
} blob;

static inline const char *picture_path(const char *name, char path[512])
{
    snprintf(path, 512, "%s/%s", LTAP_PICTURES, name);
    return path;
}

/* free bytes. */
static inline blob read_picture(const char *name)
{
    char path[512];
    blob b = {malloc(1 << 20), 0};
    FILE *file = fopen(picture_path(name, path), "rb");
    assert_non_null(file);
    assert_non_null(b.bytes);
    b.size = fread(b.bytes, 1, 1 << 20, file);
    fclose(file);
    return b;
}

/* FNV-1a. */
static inline uint64_t hash_of(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t value = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        value = (value ^ bytes[i]) * 0x100000001b3u;
    return value;
}

#endif
