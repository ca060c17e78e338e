/* Growable arrays: capacity grows by half, so appending is linear and never holds twice the data
 * for long. Text is a vector of char with a NUL behind the last one that count leaves out.
 */
#include "base/vector.h"

#include "base/checked.h"
#include "base/error.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void ltap_vector_init(ltap_vector *vector, ltap_memory *memory, size_t element_size)
{
    *vector = (ltap_vector){.memory = memory, .size = element_size};
}

void ltap_vector_clear(ltap_vector *vector)
{
    if (vector->data != NULL)
        ltap_memory_release(vector->memory, vector->data);
    *vector = (ltap_vector){.memory = vector->memory, .size = vector->size};
}

/* Makes room for `extra` more elements. */
static ltap_status reserve(ltap_vector *vector, size_t extra, ltap_error *error)
{
    uint64_t wanted, bytes;
    void *data;
    if (extra <= vector->capacity - vector->count)
        return LTAP_OK;
    if (!ltap_checked_add(vector->count, extra, &wanted))
        wanted = UINT64_MAX;
    uint64_t grown = vector->capacity + vector->capacity / 2;
    wanted = wanted > grown ? wanted : grown;
    wanted = wanted > 8 ? wanted : 8;
    if (!ltap_checked_mul(wanted, vector->size, &bytes))
        bytes = UINT64_MAX;
    LTAP_TRY(ltap_memory_take(vector->memory, bytes, "a list", &data, error));
    if (vector->data != NULL) {
        memcpy(data, vector->data, vector->count * vector->size);
        ltap_memory_release(vector->memory, vector->data);
    }
    vector->data = data;
    vector->capacity = (size_t)wanted;
    return LTAP_OK;
}

ltap_status ltap_vector_grow(ltap_vector *vector, size_t count, void **first, ltap_error *error)
{
    LTAP_TRY(reserve(vector, count, error));
    if (count > 0) {
        char *added = (char *)vector->data + vector->count * vector->size;
        memset(added, 0, count * vector->size);
        if (first != NULL)
            *first = added;
    } else if (first != NULL) {
        *first = NULL;
    }
    vector->count += count;
    return LTAP_OK;
}

ltap_status ltap_vector_push(ltap_vector *vector, const void *element, ltap_error *error)
{
    LTAP_TRY(reserve(vector, 1, error));
    memcpy((char *)vector->data + vector->count * vector->size, element, vector->size);
    vector->count++;
    return LTAP_OK;
}

ltap_status ltap_text_append(ltap_vector *text, const char *bytes, size_t count, ltap_error *error)
{
    LTAP_TRY(reserve(text, count < SIZE_MAX ? count + 1 : count, error));
    char *end = (char *)text->data + text->count;
    if (count > 0)
        memcpy(end, bytes, count);
    end[count] = '\0';
    text->count += count;
    return LTAP_OK;
}

ltap_status ltap_text_format(ltap_vector *text, ltap_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (n < 0)
        return ltap_error_set(error, LTAP_ERROR_INTERNAL, "a text could not be formatted");
    LTAP_TRY(reserve(text, (size_t)n + 1, error));
    va_start(arguments, format);
    vsnprintf((char *)text->data + text->count, (size_t)n + 1, format, arguments);
    va_end(arguments);
    text->count += (size_t)n;
    return LTAP_OK;
}

bool ltap_text_ends(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}
