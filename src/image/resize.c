/* Pillow's resize, bit for bit: separable, antialiased, 8-bit fixed point.
 *
 * Weights are computed in double, rounded to 22 bits after the point, and not normalised again. The
 * horizontal pass comes first and is rounded to 8 bits; a pass whose size does not change is left
 * out. Source: the behaviour of Pillow up to 12.1 (newer versions swap the passes where
 * the height shrinks most; docs/preprocessing.md). Only the asked-for window is computed.
 */
#include "image/resize.h"
#include "base/checked.h"
#include "base/error.h"
#include "image/image.h"
#include <math.h>
#include <string.h>

#define PRECISION_BITS 22
#define BLOCK          768

/* Which pixels of one axis make each output pixel, and with what weights. */
typedef struct axis {
    int count, n_taps; /* output pixels; room for weights of each */
    int *first, *used; /* per output pixel: first source pixel, number of them */
    int32_t *weights;  /* i32[count,n_taps] */
} axis;

static double triangle(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    if (x < 2.0)
        return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
    return 0.0;
}

typedef struct kernel {
    double (*weight)(double x);
    double support;
} kernel;

static const kernel kernels[] = {
    [LTAP_FILTER_BILINEAR] = {triangle, 1.0},
    [LTAP_FILTER_BICUBIC] = {cubic, 2.0},
};

static int32_t fixed(double weight)
{
    double scaled = weight * (1 << PRECISION_BITS);
    return (int32_t)(weight < 0 ? scaled - 0.5 : scaled + 0.5);
}

/* One output pixel. weights is f64[n_taps] of scratch. */
static void fill_tap(axis *a, int i, int output, double scale, const kernel *k, int source,
                     double *weights)
{
    double stretch = scale < 1.0 ? 1.0 : scale;
    double support = k->support * stretch, inverse = 1.0 / stretch;
    double centre = (output + 0.5) * scale, sum = 0.0;
    int first = (int)(centre - support + 0.5), end = (int)(centre + support + 0.5);
    first = first < 0 ? 0 : first;
    end = end > source ? source : end;
    for (int x = first; x < end; x++) {
        weights[x - first] = k->weight((x - centre + 0.5) * inverse);
        sum += weights[x - first];
    }
    for (int x = 0; x < end - first; x++)
        a->weights[(size_t)i * (size_t)a->n_taps + (size_t)x] =
            fixed(sum != 0.0 ? weights[x] / sum : weights[x]);
    a->first[i] = first;
    a->used[i] = end - first;
}

/* memory's block: *block, to be released. */
static ltap_status axis_init(axis *a, const kernel *k, const int sizes[2], const int window[2],
                             ltap_memory *memory, void **block, ltap_error *error)
{
    double scale = (double)sizes[0] / sizes[1];
    double n_taps = ceil(k->support * (scale < 1.0 ? 1.0 : scale)) * 2 + 1;
    uint64_t per_pixel, total;
    if (n_taps > (double)(INT32_MAX / 16) ||
        !ltap_checked_mul((uint64_t)n_taps + 2, sizeof(int32_t), &per_pixel) ||
        !ltap_checked_mul(per_pixel, (uint64_t)window[1], &total) ||
        !ltap_checked_add(total, (uint64_t)n_taps * sizeof(double), &total))
        return ltap_error_set(error, LTAP_ERROR_INPUT, "a picture cannot be resized from %d to %d",
                              sizes[0], sizes[1]);
    LTAP_TRY(ltap_memory_take(memory, total, "resizing a picture", block, error));
    double *scratch = *block;
    a->count = window[1];
    a->n_taps = (int)n_taps;
    a->weights = (int32_t *)(scratch + a->n_taps);
    a->first = (int *)(a->weights + (size_t)a->n_taps * (size_t)a->count);
    a->used = a->first + a->count;
    for (int i = 0; i < a->count; i++)
        fill_tap(a, i, window[0] + i, scale, k, sizes[0], scratch);
    return LTAP_OK;
}

static uint8_t clipped(int32_t sum)
{
    sum >>= PRECISION_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static void resize_row(const axis *a, const uint8_t *src, uint8_t *dst)
{
    for (int x = 0; x < a->count; x++) {
        const uint8_t *p = src + 3 * (size_t)a->first[x];
        const int32_t *k = a->weights + (size_t)x * (size_t)a->n_taps;
        int32_t red = 1 << (PRECISION_BITS - 1), green = red, blue = red;
        for (int i = 0; i < a->used[x]; i++, p += 3) {
            red += p[0] * k[i];
            green += p[1] * k[i];
            blue += p[2] * k[i];
        }
        dst[3 * x] = clipped(red);
        dst[3 * x + 1] = clipped(green);
        dst[3 * x + 2] = clipped(blue);
    }
}

/* One output row of `bytes` from the rows at src, `stride` apart. */
static void resize_column(const int32_t *weights, int n, const uint8_t *src, size_t stride,
                          uint8_t *dst, size_t bytes)
{
    int32_t sums[BLOCK];
    for (size_t start = 0; start < bytes; start += BLOCK) {
        size_t count = bytes - start < BLOCK ? bytes - start : BLOCK;
        for (size_t i = 0; i < count; i++)
            sums[i] = 1 << (PRECISION_BITS - 1);
        for (int t = 0; t < n; t++) {
            const uint8_t *row = src + (size_t)t * stride + start;
            int32_t weight = weights[t];
            for (size_t i = 0; i < count; i++)
                sums[i] += row[i] * weight;
        }
        for (size_t i = 0; i < count; i++)
            dst[start + i] = clipped(sums[i]);
    }
}

/* The vertical pass. rows: the first one is source row `first_row`. */
static void resize_vertically(const axis *a, const uint8_t *rows, size_t stride, int first_row,
                              uint8_t *dst, size_t bytes)
{
    for (int y = 0; y < a->count; y++)
        resize_column(a->weights + (size_t)y * (size_t)a->n_taps, a->used[y],
                      rows + (size_t)(a->first[y] - first_row) * stride, stride,
                      dst + (size_t)y * bytes, bytes);
}

ltap_status ltap_image_resize(const ltap_image *image, const ltap_resize *r, uint8_t *dst,
                              ltap_error *error)
{
    ltap_memory *memory = image->memory;
    if (r->filter == LTAP_FILTER_NEAREST)
        return ltap_image_resize_nearest(image, r, dst, error);
    const kernel *k = &kernels[r->filter];
    bool across = r->width != image->width, down = r->height != image->height;
    size_t bytes = (size_t)r->window_width * 3, stride = (size_t)image->width * 3;
    int first_row = r->window_y, n_rows = r->window_height;
    axis horizontal = {0}, vertical = {0};
    void *x_block = NULL, *y_block = NULL, *passed = NULL;
    ltap_status status = LTAP_OK;

    if (down) {
        LTAP_GO(axis_init(&vertical, k, (int[]){image->height, r->height},
                          (int[]){r->window_y, r->window_height}, memory, &y_block, error));
        int last = vertical.count - 1;
        first_row = vertical.first[0];
        n_rows = vertical.first[last] + vertical.used[last] - first_row;
    }
    const uint8_t *rows = image->pixels + (size_t)first_row * stride;
    if (across) {
        LTAP_GO(axis_init(&horizontal, k, (int[]){image->width, r->width},
                          (int[]){r->window_x, r->window_width}, memory, &x_block, error));
        if (down)
            LTAP_GO(ltap_memory_take(memory, (uint64_t)n_rows * bytes, "resizing a picture",
                                     &passed, error));
        uint8_t *made = down ? passed : dst;
        for (int y = 0; y < n_rows; y++)
            resize_row(&horizontal, rows + (size_t)y * stride, made + (size_t)y * bytes);
        rows = made;
        stride = bytes;
    } else {
        rows += (size_t)r->window_x * 3;
    }
    if (down)
        resize_vertically(&vertical, rows, stride, first_row, dst, bytes);
    else if (!across)
        for (int y = 0; y < n_rows; y++)
            memcpy(dst + (size_t)y * bytes, rows + (size_t)y * stride, bytes);
done:
    ltap_memory_release(memory, x_block);
    ltap_memory_release(memory, y_block);
    ltap_memory_release(memory, passed);
    return status;
}
