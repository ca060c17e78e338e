/* Pointers to the pixels of convolutions; see pixels.h. */
#include "backends/gemm/pixels.h"

#include "backends/simd/vector.h"
#include <stddef.h>

/* Output pixels side by side. */
typedef struct stretch {
    int64_t image, z, y, x, count;
} stretch;

/* Those of a stretch that are inside, of pixels at x, x + stride, ... */
static void clip(const ltap_window *w, int64_t x, int64_t count, int64_t *first, int64_t *last)
{
    int64_t stride = w->stride[2], room = w->in[2] - 1 - x;

    *first = x < 0 ? (stride - 1 - x) / stride : 0;
    *last = room < 0 ? 0 : room / stride + 1;
    *first = *first < count ? *first : count;
    *last = *last < count ? *last : count;
}

/* What a stretch sees through taps, `step` pointers from one tap to the next. */
static void point_stretch(const ltap_pixels_source *p, const stretch *at, int64_t step,
                          const float **to)
{
    const ltap_pixels *s = p->pixels;
    const ltap_window *w = &s->window;
    int64_t pixel = w->stride[2] * s->channels;

    for (int64_t k = 0; k < w->kernel[0] * w->kernel[1]; k++) {
        int64_t z = ltap_window_at(w, 0, at->z, k / w->kernel[1]);
        int64_t y = ltap_window_at(w, 1, at->y, k % w->kernel[1]);
        bool there = z >= 0 && z < w->in[0] && y >= 0 && y < w->in[1];
        int64_t index = there ? (at->image * w->in[0] + z) * w->in[1] + y : 0;
        const float *line = p->src + index * w->in[2] * s->channels;
        for (int64_t kx = 0; kx < w->kernel[2]; kx++, to += step) {
            int64_t x = ltap_window_at(w, 2, at->x, kx), first = at->count, last = at->count, i = 0;
            if (there)
                clip(w, x, at->count, &first, &last);
            for (; i < first; i++)
                to[i] = s->zeros;
            for (; i < last; i++)
                to[i] = line + x * s->channels + i * pixel;
            for (; i < at->count; i++)
                to[i] = s->zeros;
        }
    }
}

/* A tap that sees nothing but padding is left out. */
static void leave_out(const ltap_pixels *s, int64_t n_rows, const float **to)
{
    for (int64_t tap = 0; tap < s->taps; tap++, to += n_rows) {
        bool empty = true;
        for (int64_t r = 0; r < n_rows; r++)
            empty = empty && to[r] == s->zeros;
        if (empty)
            to[0] = NULL;
    }
}

/* Each pixel sees itself. */
static bool is_plain(const ltap_window *w)
{
    bool plain = true;

    for (int i = 0; i < LTAP_WINDOW_AXES; i++)
        plain = plain && w->kernel[i] == 1 && w->in[i] == w->out[i] && w->begin[i] == 0 &&
                w->stride[i] == 1;
    return plain;
}

static void start_line(const ltap_window *w, stretch *at)
{
    at->x = 0;
    at->y++;
    if (at->y < w->out[1])
        return;
    at->y = 0;
    at->z++;
    if (at->z == w->out[0]) {
        at->z = 0;
        at->image++;
    }
}

void ltap_pixels_point(const void *context, int64_t first, const ltap_blocks *blocks,
                       const float **pointers)
{
    const ltap_pixels_source *p = context;
    const ltap_window *w = &p->pixels->window;
    int64_t taps = p->pixels->taps, width = w->out[2], line = first / width;
    int64_t plane = line / w->out[1];
    if (is_plain(w)) {
        for (int64_t r = 0; r < blocks->rows; r++)
            pointers[r] = p->src + (first + r) * p->pixels->channels;
        return;
    }
    stretch at = {plane / w->out[0], plane % w->out[0], line % w->out[1], first % width, 0};

    for (int64_t b = 0; b < blocks->count; b++) {
        int64_t begin = ltap_blocks_begin(blocks, b), end = ltap_blocks_begin(blocks, b + 1);
        const float **to = pointers + begin * taps;
        for (int64_t r = begin; r < end; r += at.count, at.x += at.count) {
            if (at.x == width)
                start_line(w, &at);
            at.count = end - r < width - at.x ? end - r : width - at.x;
            point_stretch(p, &at, end - begin, to + r - begin);
        }
        if (p->pixels->taps > 1)
            leave_out(p->pixels, end - begin, to);
    }
}

enum { LANES = 16 };
typedef float vector __attribute__((vector_size(LANES * sizeof(float)), aligned(4)));

/* Three planes, as pictures in colour have: lanes of two vectors, then of these and the third. */
LTAP_VECTOR_CLONES
static int64_t interleave_three(const float *from, int64_t plane, int64_t count, float *to)
{
    int64_t i = 0;

    for (; i + LANES <= count; i += LANES, to += 3 * LANES) {
        vector a = *(const vector *)(from + i), b = *(const vector *)(from + plane + i);
        vector c = *(const vector *)(from + 2 * plane + i);
        vector ab0 =
            __builtin_shufflevector(a, b, 0, 16, 0, 1, 17, 0, 2, 18, 0, 3, 19, 0, 4, 20, 0, 5);
        vector ab1 =
            __builtin_shufflevector(a, b, 21, 0, 6, 22, 0, 7, 23, 0, 8, 24, 0, 9, 25, 0, 10, 26);
        vector ab2 =
            __builtin_shufflevector(a, b, 0, 11, 27, 0, 12, 28, 0, 13, 29, 0, 14, 30, 0, 15, 31, 0);
        *(vector *)to = __builtin_shufflevector(ab0, c, 0, 1, 16, 3, 4, 17, 6, 7, 18, 9, 10, 19, 12,
                                                13, 20, 15);
        *(vector *)(to + LANES) = __builtin_shufflevector(ab1, c, 0, 21, 2, 3, 22, 5, 6, 23, 8, 9,
                                                          24, 11, 12, 25, 14, 15);
        *(vector *)(to + 2 * LANES) = __builtin_shufflevector(ab2, c, 26, 1, 2, 27, 4, 5, 28, 7, 8,
                                                              29, 10, 11, 30, 13, 14, 31);
    }
    return i;
}

void ltap_pixels_interleave(const float *from, int64_t plane, int64_t channels, int64_t count,
                            float *to)
{
    int64_t done = channels == 3 ? interleave_three(from, plane, count, to) : 0;

    for (int64_t i = done; i < count; i++)
        for (int64_t c = 0; c < channels; c++)
            to[i * channels + c] = from[c * plane + i];
}
