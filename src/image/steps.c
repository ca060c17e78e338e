/* What preprocessing does to a picture of a given size: torchvision's sizes and its float32.
 *
 * Resize of the short side truncates the long one; the centre crop starts at a half rounded to
 * even, and a smaller picture is padded with zeros first. An 8-bit level goes through float32
 * divisions in the order of ToTensor and Normalize, so a table of 256 levels per channel is exact.
 */
#include "image/steps.h"
#include "base/error.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const ltap_filter_names[LTAP_N_FILTERS] = {
    [LTAP_FILTER_BILINEAR] = "bilinear",
    [LTAP_FILTER_BICUBIC] = "bicubic",
    [LTAP_FILTER_NEAREST] = "nearest",
};

static int clamped(double size)
{
    return size < 1 ? 1 : size > INT_MAX ? INT_MAX : (int)size;
}

/* Start of the crop on one axis: half to even, or minus the padding before. */
static int crop_start(int size, int crop)
{
    if (crop > size)
        return -((crop - size) / 2);
    int excess = size - crop, half = excess / 2;
    return excess % 2 && half % 2 ? half + 1 : half;
}

static void plan_resize(const ltap_preprocess *p, ltap_steps *steps)
{
    steps->resized_width = steps->width;
    steps->resized_height = steps->height;
    if (p->resize_height > 0 && p->resize_width > 0) {
        steps->resized_width = p->resize_width;
        steps->resized_height = p->resize_height;
    } else if (p->resize_short > 0) {
        bool wide = steps->width > steps->height;
        double shorter = wide ? steps->height : steps->width;
        double longer = wide ? steps->width : steps->height;
        int result = clamped((double)p->resize_short * longer / shorter);
        steps->resized_width = wide ? result : p->resize_short;
        steps->resized_height = wide ? p->resize_short : result;
    }
}

ltap_steps ltap_steps_plan(const ltap_preprocess *preprocess, int width, int height)
{
    ltap_steps steps = {.width = width, .height = height};
    plan_resize(preprocess, &steps);
    bool crops = preprocess->crop_height > 0 && preprocess->crop_width > 0;
    steps.crop_width = crops ? preprocess->crop_width : steps.resized_width;
    steps.crop_height = crops ? preprocess->crop_height : steps.resized_height;
    steps.crop_x = crop_start(steps.resized_width, steps.crop_width);
    steps.crop_y = crop_start(steps.resized_height, steps.crop_height);
    return steps;
}

bool ltap_preprocess_normalises(const ltap_preprocess *preprocess)
{
    return preprocess->std[0] != 0 && preprocess->std[1] != 0 && preprocess->std[2] != 0;
}

void ltap_preprocess_levels(const ltap_preprocess *preprocess, int c, float levels[256])
{
    for (int level = 0; level < 256; level++) {
        float x = (float)level;
        if (preprocess->scale != 0)
            x = x / preprocess->scale;
        if (ltap_preprocess_normalises(preprocess)) {
            x = x - preprocess->mean[c];
            x = x / preprocess->std[c];
        }
        levels[level] = x;
    }
}

ltap_status ltap_preprocess_check(const ltap_preprocess *p, ltap_error *error)
{
    bool finite = isfinite(p->scale);
    for (int c = 0; c < 3; c++)
        finite = finite && isfinite(p->mean[c]) && isfinite(p->std[c]);
    if (!finite)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "preprocessing: scale, mean and std must be finite numbers");
    if (p->resize_short < 0 || p->resize_height < 0 || p->resize_width < 0 || p->crop_height < 0 ||
        p->crop_width < 0)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "preprocessing: sizes of resize and crop must not be negative");
    if ((p->resize_height > 0) != (p->resize_width > 0) ||
        (p->crop_height > 0) != (p->crop_width > 0))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "preprocessing: an exact resize and a crop need height and width");
    if ((unsigned)p->filter >= LTAP_N_FILTERS)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "preprocessing: the filter is bilinear, bicubic or nearest");
    return LTAP_OK;
}

void ltap_preprocess_size(const ltap_preprocess *preprocess, int width, int height, int *out_width,
                          int *out_height)
{
    ltap_steps steps = ltap_steps_plan(preprocess, width, height);
    *out_width = steps.crop_width;
    *out_height = steps.crop_height;
}

static bool same_triple(const float *a, float x, float y, float z)
{
    return a[0] == x && a[1] == y && a[2] == z;
}

static void describe_normalise(const ltap_preprocess *p, ltap_text *step)
{
    bool imagenet = p->scale == 255 && !p->bgr && same_triple(p->mean, 0.485f, 0.456f, 0.406f) &&
                    same_triple(p->std, 0.229f, 0.224f, 0.225f);
    if (imagenet)
        snprintf(step->text, sizeof step->text, "ImageNet mean and std");
    else
        snprintf(step->text, sizeof step->text, "mean %g,%g,%g and std %g,%g,%g",
                 (double)p->mean[0], (double)p->mean[1], (double)p->mean[2], (double)p->std[0],
                 (double)p->std[1], (double)p->std[2]);
}

size_t ltap_preprocess_describe(const ltap_preprocess *preprocess, int width, int height,
                                ltap_text steps[LTAP_PREPROCESS_MAX_STEPS])
{
    const ltap_preprocess *p = preprocess;
    ltap_steps s = ltap_steps_plan(p, width, height);
    size_t n = 0;
    if (s.resized_width != width || s.resized_height != height)
        snprintf(steps[n++].text, sizeof steps->text, "resized to %dx%d (%s)", s.resized_width,
                 s.resized_height, ltap_filter_names[p->filter]);
    if (s.crop_width > s.resized_width || s.crop_height > s.resized_height) {
        int padded_width = s.crop_width > s.resized_width ? s.crop_width : s.resized_width;
        int padded_height = s.crop_height > s.resized_height ? s.crop_height : s.resized_height;
        snprintf(steps[n++].text, sizeof steps->text, "padded with black to %dx%d", padded_width,
                 padded_height);
    }
    if (s.crop_width < s.resized_width || s.crop_height < s.resized_height)
        snprintf(steps[n++].text, sizeof steps->text, "cropped to %dx%d", s.crop_width,
                 s.crop_height);
    if (p->bgr)
        snprintf(steps[n++].text, sizeof steps->text, "blue, green, red");
    if (p->scale != 0 && p->scale != 1)
        snprintf(steps[n++].text, sizeof steps->text, "divided by %g", (double)p->scale);
    if (ltap_preprocess_normalises(p))
        describe_normalise(p, &steps[n++]);
    return n;
}
