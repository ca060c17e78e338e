/* Keys of a layer's configuration, with Keras' defaults where they are null or missing. */
#include "formats/keras/net.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

bool ltap_keras_is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static const ltap_json *find(const ltap_keras_call *c, const char *key)
{
    const ltap_json *json = ltap_json_find(c->config, key);
    return json != NULL && json->kind == LTAP_JSON_NULL ? NULL : json;
}

static void wrong(ltap_keras_call *c, const char *key, const ltap_json *json, const char *expected)
{
    ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its '%s' is %s; expected %s", key,
                     ltap_json_kind_name(json->kind), expected);
}

bool ltap_keras_bool(ltap_keras_call *c, const char *key, bool otherwise)
{
    const ltap_json *json = find(c, key);
    if (json == NULL)
        return otherwise;
    if (json->kind == LTAP_JSON_BOOL)
        return json->boolean;
    wrong(c, key, json, "true or false");
    return otherwise;
}

bool ltap_keras_is_number(const ltap_json *json, double *number)
{
    if (json == NULL || (json->kind != LTAP_JSON_INT && json->kind != LTAP_JSON_DOUBLE))
        return false;
    *number = json->kind == LTAP_JSON_INT ? (double)json->integer : json->number;
    return true;
}

static bool is_int(const ltap_json *json, int64_t *number)
{
    const double limit = 9007199254740992.0;
    if (json->kind == LTAP_JSON_DOUBLE && fabs(json->number) < limit &&
        floor(json->number) == json->number) {
        *number = (int64_t)json->number;
        return true;
    }
    *number = json->kind == LTAP_JSON_INT ? json->integer : 0;
    return json->kind == LTAP_JSON_INT;
}

int64_t ltap_keras_int(ltap_keras_call *c, const char *key, int64_t otherwise)
{
    const ltap_json *json = find(c, key);
    int64_t number;
    if (json == NULL)
        return otherwise;
    if (is_int(json, &number))
        return number;
    wrong(c, key, json, "a whole number");
    return otherwise;
}

double ltap_keras_number(ltap_keras_call *c, const char *key, double otherwise)
{
    const ltap_json *json = find(c, key);
    double number;
    if (json == NULL)
        return otherwise;
    /* Older files write activations' arguments as arrays. */
    const ltap_json *value = json->kind == LTAP_JSON_OBJECT
                                 ? ltap_json_find(ltap_json_find(json, "config"), "value")
                                 : NULL;
    if (ltap_keras_is_number(json, &number) || ltap_keras_is_number(value, &number) ||
        (json->kind == LTAP_JSON_OBJECT &&
         ltap_keras_is_number(ltap_json_find(json, "value"), &number)))
        return number;
    wrong(c, key, json, "a number");
    return otherwise;
}

const char *ltap_keras_text_of(const ltap_json *json, const char *otherwise)
{
    return json != NULL && json->kind == LTAP_JSON_STRING ? json->text : otherwise;
}

const char *ltap_keras_text(ltap_keras_call *c, const char *key, const char *otherwise)
{
    const ltap_json *json = find(c, key);
    if (json != NULL && json->kind != LTAP_JSON_STRING)
        wrong(c, key, json, "a text");
    return ltap_keras_text_of(json, otherwise);
}

size_t ltap_keras_ints_of(ltap_keras_call *c, const ltap_json *json, const char *key, int64_t *list,
                          size_t room)
{
    size_t count = 0;
    bool many = json->kind == LTAP_JSON_ARRAY;
    for (const ltap_json *j = many ? json->first : json; j != NULL; j = many ? j->next : NULL) {
        if (count == room) {
            ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its '%s' has more than %zu numbers", key,
                             room);
            return count;
        }
        if (!is_int(j, &list[count++])) {
            wrong(c, key, j, "a whole number");
            return count;
        }
    }
    return count;
}

void ltap_keras_list(ltap_keras_call *c, const char *key, int64_t otherwise, int64_t *list,
                     size_t count)
{
    const ltap_json *json = find(c, key);
    size_t found = json != NULL ? ltap_keras_ints_of(c, json, key, list, count) : 0;
    if (json != NULL && found != count && found != 1)
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "its '%s' has %zu numbers; expected %zu", key,
                         found, count);
    for (size_t i = found; i < count; i++)
        list[i] = json != NULL && found > 0 ? list[0] : otherwise;
}

bool ltap_keras_channels_first(ltap_keras_call *c)
{
    return ltap_keras_is(ltap_keras_text(c, "data_format", "channels_last"), "channels_first");
}
