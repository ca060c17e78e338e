/* Preprocessing settings by name: presets, single steps as text, and the JSON of a model's file.
 *
 * One table of steps serves both text and JSON, each row turning a JSON value into fields; text is
 * first made a JSON value. Numbers go through jansson, which does not depend on the locale.
 * The JSON is described in docs/preprocessing.md.
 */
#include "base/error.h"
#include "image/steps.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SIDE       65535
#define MAX_JSON_BYTES 65536

/* ---- presets ---- */

static const ltap_preprocess plain = {.scale = 255};
static const ltap_preprocess imagenet = {
    .scale = 255, .mean = {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}};

static void preset_imagenet(int height, int width, ltap_preprocess *p)
{
    int longer = height > width ? height : width;
    *p = imagenet;
    p->crop_height = height ? height : 224;
    p->crop_width = width ? width : 224;
    /* 256/224 is 8/7: in whole numbers, rounded to the nearest; halves cannot occur. */
    p->resize_short = longer ? (int)(((int64_t)longer * 16 + 7) / 14) : 256;
}

static void preset_segmentation(int height, int width, ltap_preprocess *p)
{
    *p = imagenet;
    p->resize_height = height;
    p->resize_width = width;
    p->resize_short = height ? 0 : 520;
}

static void preset_none(int height, int width, ltap_preprocess *p)
{
    (void)height;
    (void)width;
    *p = plain;
}

/* keras.utils.load_img of a size, then the mode of keras.applications' preprocess_input. */
static void preset_keras(int height, int width, ltap_preprocess *p)
{
    *p = (ltap_preprocess){.filter = LTAP_FILTER_NEAREST};
    p->resize_height = height ? height : 224;
    p->resize_width = width ? width : 224;
}

static void preset_keras_tf(int height, int width, ltap_preprocess *p)
{
    preset_keras(height, width, p);
    p->scale = 127.5f;
    for (int c = 0; c < 3; c++)
        p->mean[c] = p->std[c] = 1;
}

static void preset_keras_torch(int height, int width, ltap_preprocess *p)
{
    preset_keras(height, width, p);
    p->scale = imagenet.scale;
    memcpy(p->mean, imagenet.mean, sizeof p->mean);
    memcpy(p->std, imagenet.std, sizeof p->std);
}

static void preset_keras_caffe(int height, int width, ltap_preprocess *p)
{
    static const float mean[3] = {103.939f, 116.779f, 123.68f};
    preset_keras(height, width, p);
    p->bgr = 1;
    memcpy(p->mean, mean, sizeof mean);
    p->std[0] = p->std[1] = p->std[2] = 1;
}

typedef struct preset {
    const char *name;
    void (*fill)(int height, int width, ltap_preprocess *p);
} preset;

static const preset presets[] = {
    {"imagenet", preset_imagenet},
    {"segmentation", preset_segmentation},
    {"none", preset_none},
    {"keras", preset_keras},
    {"keras-caffe", preset_keras_caffe},
    {"keras-tf", preset_keras_tf},
    {"keras-torch", preset_keras_torch},
};

ltap_status ltap_preprocess_preset(const char *name, int height, int width,
                                   ltap_preprocess *preprocess, ltap_error *error)
{
    if (!name || !preprocess || height < 0 || width < 0)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "a preset needs a name, a size of 0 or more, and a place");
    /* Where the model leaves one side free, the picture becomes square. */
    height = height ? height : width;
    width = width ? width : height;
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (strcmp(presets[i].name, name) == 0) {
            presets[i].fill(height, width, preprocess);
            return LTAP_OK;
        }
    return ltap_error_set(
        error, LTAP_ERROR_ARGUMENT,
        "no preprocessing named '%s'; there are imagenet, segmentation, none, keras, "
        "keras-caffe, keras-tf and keras-torch",
        name);
}

/* ---- one step from a JSON value; false where it is not what the step takes ---- */

static bool read_side(const json_t *value, int *side)
{
    if (!json_is_integer(value) || json_integer_value(value) < 1 ||
        json_integer_value(value) > MAX_SIDE)
        return false;
    *side = (int)json_integer_value(value);
    return true;
}

/* "HxW" or [H, W]. */
static bool read_pair(const json_t *value, int *height, int *width)
{
    int end = -1;
    if (json_is_string(value)) {
        const char *text = json_string_value(value);
        if (strspn(text, "0123456789x") != strlen(text) || strlen(text) > 11 ||
            sscanf(text, "%dx%d%n", height, width, &end) != 2 || text[end] != '\0')
            return false;
        return *height >= 1 && *height <= MAX_SIDE && *width >= 1 && *width <= MAX_SIDE;
    }
    return json_array_size(value) == 2 && read_side(json_array_get(value, 0), height) &&
           read_side(json_array_get(value, 1), width);
}

static bool set_resize(ltap_preprocess *p, const json_t *value)
{
    int shorter = 0, height = 0, width = 0;
    if (!json_is_null(value) && !read_side(value, &shorter) && !read_pair(value, &height, &width))
        return false;
    p->resize_short = shorter;
    p->resize_height = height;
    p->resize_width = width;
    return true;
}

static bool set_crop(ltap_preprocess *p, const json_t *value)
{
    int height = 0, width = 0;
    if (read_side(value, &height))
        width = height;
    else if (!json_is_null(value) && !read_pair(value, &height, &width))
        return false;
    p->crop_height = height;
    p->crop_width = width;
    return true;
}

static bool is_text(const json_t *value, const char *text)
{
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

static bool set_filter(ltap_preprocess *p, const json_t *value)
{
    for (int i = 0; i < LTAP_N_FILTERS; i++)
        if (is_text(value, ltap_filter_names[i])) {
            p->filter = (ltap_filter)i;
            return true;
        }
    return false;
}

static bool set_order(ltap_preprocess *p, const json_t *value)
{
    if (!is_text(value, "rgb") && !is_text(value, "bgr"))
        return false;
    p->bgr = is_text(value, "bgr");
    return true;
}

static bool set_scale(ltap_preprocess *p, const json_t *value)
{
    float scale = (float)json_number_value(value);
    if (!json_is_null(value) && (!json_is_number(value) || !(scale > 0) || !isfinite(scale)))
        return false;
    p->scale = scale;
    return true;
}

/* Three numbers, or one for all channels. */
static bool read_triple(const json_t *value, float triple[3])
{
    if (!json_is_number(value) && json_array_size(value) != 1 && json_array_size(value) != 3)
        return false;
    for (size_t c = 0; c < 3; c++) {
        size_t i = json_array_size(value) == 3 ? c : 0;
        const json_t *number = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_number(number))
            return false;
        triple[c] = (float)json_number_value(number);
        if (!isfinite(triple[c]))
            return false;
    }
    return true;
}

static bool set_mean(ltap_preprocess *p, const json_t *value)
{
    float mean[3] = {0, 0, 0};
    if (!json_is_null(value) && !read_triple(value, mean))
        return false;
    memcpy(p->mean, mean, sizeof mean);
    /* A mean alone is subtracted and nothing more. */
    if (!json_is_null(value) && !ltap_preprocess_normalises(p))
        p->std[0] = p->std[1] = p->std[2] = 1;
    return true;
}

static bool set_std(ltap_preprocess *p, const json_t *value)
{
    float std[3] = {0, 0, 0};
    if (!json_is_null(value) &&
        (!read_triple(value, std) || !(std[0] > 0 && std[1] > 0 && std[2] > 0)))
        return false;
    memcpy(p->std, std, sizeof std);
    return true;
}

typedef struct step {
    const char *name;
    bool (*set)(ltap_preprocess *p, const json_t *value);
    const char *takes;
} step;

/* std before mean: a mean alone then sets std 1. */
static const step steps[] = {
    {"resize", set_resize, "a short side (256), HxW (256x320), each 1 to 65535, or off"},
    {"crop", set_crop, "a side (224), HxW (224x320), each 1 to 65535, or off"},
    {"filter", set_filter, "bilinear, bicubic or nearest"},
    {"scale", set_scale, "a number above 0 (255), or off"},
    {"std", set_std, "three numbers above 0 (0.229,0.224,0.225), one for all, or off"},
    {"mean", set_mean, "three numbers (0.485,0.456,0.406), one for all, or off"},
    {"order", set_order, "rgb or bgr"},
};
#define N_STEPS (sizeof steps / sizeof *steps)

static const step *find_step(const char *name)
{
    for (size_t i = 0; i < N_STEPS; i++)
        if (strcmp(steps[i].name, name) == 0)
            return &steps[i];
    return NULL;
}

/* ---- text ---- */

/* A number, a list of numbers, or else a string; "off" is null. NULL without memory. */
static json_t *value_of_text(const char *text)
{
    char list[256];
    if (strcmp(text, "off") == 0)
        return json_null();
    if (strspn(text, "+-.0123456789eE, ") == strlen(text) &&
        snprintf(list, sizeof list, "[%s]", text) < (int)sizeof list) {
        json_t *array = json_loads(list, 0, NULL);
        if (array && json_array_size(array) == 1) {
            json_t *only = json_incref(json_array_get(array, 0));
            json_decref(array);
            return only;
        }
        if (array)
            return array;
    }
    return json_string(text);
}

ltap_status ltap_preprocess_set(ltap_preprocess *preprocess, const char *name, const char *value,
                                ltap_error *error)
{
    if (!preprocess || !name || !value)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "a step needs settings, a name and a value");
    const step *s = find_step(name);
    if (!s)
        return ltap_error_set(
            error, LTAP_ERROR_ARGUMENT,
            "no step '%s'; there are resize, crop, filter, scale, mean, std and order", name);
    json_t *parsed = value_of_text(value);
    bool right = parsed && s->set(preprocess, parsed);
    json_decref(parsed);
    if (!right)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "%s '%s' is not %s", name, value,
                              s->takes);
    return LTAP_OK;
}

/* ---- JSON ---- */

static ltap_status refuse_unknown(json_t *object, ltap_error *error)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (!find_step(key))
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "layertap.preprocess: no step '%s'; there are resize, crop, "
                                  "filter, scale, mean, std and order",
                                  key);
    }
    return LTAP_OK;
}

static ltap_status read_object(json_t *object, ltap_preprocess *p, ltap_error *error)
{
    if (!json_is_object(object))
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "layertap.preprocess: expected an object such as {\"resize\": 256}");
    LTAP_TRY(refuse_unknown(object, error));
    for (size_t i = 0; i < N_STEPS; i++) {
        const json_t *value = json_object_get(object, steps[i].name);
        if (!value || steps[i].set(p, value))
            continue;
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        ltap_status status =
            ltap_error_set(error, LTAP_ERROR_FORMAT, "layertap.preprocess: %s %.80s is not %s",
                           steps[i].name, text ? text : "", steps[i].takes);
        free(text);
        return status;
    }
    return LTAP_OK;
}

ltap_status ltap_preprocess_parse(const char *json, ltap_preprocess *preprocess, ltap_error *error)
{
    json_error_t trouble;
    if (!json || !preprocess)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "preprocessing needs a text and a place");
    size_t bytes = strnlen(json, MAX_JSON_BYTES + 1);
    if (bytes > MAX_JSON_BYTES)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "layertap.preprocess: more than %d bytes; expected a small object",
                              MAX_JSON_BYTES);
    json_t *object = json_loadb(json, bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &trouble);
    if (!object)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "layertap.preprocess: column %d: %s",
                              trouble.column, trouble.text);
    ltap_preprocess made = {0};
    ltap_status status = read_object(object, &made, error);
    json_decref(object);
    if (status == LTAP_OK)
        *preprocess = made;
    return status;
}
