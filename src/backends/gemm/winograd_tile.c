/* The transforms of F(4x4, 3x3); see winograd_tile.h.
 *
 * Sixteen channels at a time, as vectors of the compiler: it makes of them what the processor has.
 */
#include "backends/gemm/winograd_tile.h"

#include "backends/simd/vector.h"

#include <stddef.h>
LTAP_VECTOR_CONTRACT

enum { LANES = LTAP_WINOGRAD_LANES, IN = 6, OUT = 4, TAPS = 3 };

/* The points' squares and what is made of them. */
#define A       0.75f
#define B       1.5f
#define AA      (A * A)
#define BB      (B * B)
#define PRODUCT (AA * BB)
#define SUM     (AA + BB)

typedef float vector __attribute__((vector_size(LANES * sizeof(float)), aligned(4)));

/* Along one axis: the outputs of each phase of the dilation (every d-th from the phase on) are cut
 * into tiles; the first `longer` phases have one output more than the others. */
typedef struct phases {
    int64_t longer, tiles_longer, tiles_other;
} phases;

static phases find_phases(const ltap_winograd *w, int axis)
{
    int64_t shortest = w->out[axis] / w->dilation[axis];
    phases p = {w->out[axis] % w->dilation[axis], shortest / OUT + 1, (shortest + OUT - 1) / OUT};

    return p;
}

void ltap_winograd_count(ltap_winograd *w, int64_t images)
{
    for (int i = 0; i < 2; i++) {
        phases p = find_phases(w, i);
        w->tiles[i] = p.longer * p.tiles_longer + (w->dilation[i] - p.longer) * p.tiles_other;
    }
    w->per_image = w->tiles[0] * w->tiles[1];
    w->total = w->per_image * images;
}

/* The first output of a tile along an axis. */
static int64_t first_output(const ltap_winograd *w, int axis, int64_t tile)
{
    phases p = find_phases(w, axis);
    int64_t before = p.longer * p.tiles_longer;
    bool longer = tile < before;
    int64_t tiles = longer ? p.tiles_longer : p.tiles_other, rest = longer ? tile : tile - before;
    int64_t phase = (longer ? 0 : p.longer) + rest / tiles;

    return phase + rest % tiles * OUT * w->dilation[axis];
}

/* Six from three: the filters' side. */
LTAP_VECTOR_INLINE void expand_filter(const vector *g, int step, vector *u)
{
    const float na = 1.0f / (2.0f * AA * (AA - BB)), nb = 1.0f / (2.0f * BB * (BB - AA));
    vector even_a = (g[0] + g[2 * step] * AA) * na, odd_a = g[step] * (A * na);
    vector even_b = (g[0] + g[2 * step] * BB) * nb, odd_b = g[step] * (B * nb);

    u[0] = g[0] * (1.0f / PRODUCT);
    u[1] = even_a + odd_a;
    u[2] = even_a - odd_a;
    u[3] = even_b + odd_b;
    u[4] = even_b - odd_b;
    u[5] = g[2 * step];
}

/* Six from six: the pixels' side. */
LTAP_VECTOR_INLINE void spread_pixels(const vector *d, int step, vector *v)
{
    vector near_a = d[4 * step] - d[2 * step] * BB, odd_a = (d[3 * step] - d[step] * BB) * A;
    vector near_b = d[4 * step] - d[2 * step] * AA, odd_b = (d[3 * step] - d[step] * AA) * B;

    v[0] = d[0] * PRODUCT - d[2 * step] * SUM + d[4 * step];
    v[1] = near_a + odd_a;
    v[2] = near_a - odd_a;
    v[3] = near_b + odd_b;
    v[4] = near_b - odd_b;
    v[5] = d[step] * PRODUCT - d[3 * step] * SUM + d[5 * step];
}

/* Four from six: the results. */
LTAP_VECTOR_INLINE void gather_results(const vector *m, int step, vector *y)
{
    vector sum_a = m[step] + m[2 * step], less_a = m[step] - m[2 * step];
    vector sum_b = m[3 * step] + m[4 * step], less_b = m[3 * step] - m[4 * step];

    y[0] = m[0] + sum_a + sum_b;
    y[1] = less_a * A + less_b * B;
    y[2] = sum_a * AA + sum_b * BB;
    y[3] = less_a * (A * AA) + less_b * (B * BB) + m[5 * step];
}

LTAP_VECTOR_CLONES
static void expand_lanes(const float *weights, int64_t count, int64_t group, float *to,
                         int64_t matrix)
{
    for (int64_t c = 0; c < count; c++, weights += LTAP_WINOGRAD_TAPS * group, to += group) {
        vector g[TAPS * TAPS], rows[TAPS * IN], u[IN];
        for (int i = 0; i < TAPS * TAPS; i++)
            g[i] = *(const vector *)(weights + i * group);
        for (int y = 0; y < TAPS; y++)
            expand_filter(g + y * TAPS, 1, rows + y * IN);
        for (int x = 0; x < IN; x++) {
            expand_filter(rows + x, IN, u);
            for (int y = 0; y < IN; y++)
                *(vector *)(to + (y * IN + x) * matrix) = u[y];
        }
    }
}

void ltap_winograd_expand(const float *weights, int64_t count, int64_t group, float *to,
                          int64_t matrix)
{
    for (int64_t k = 0; k < group; k += LANES)
        expand_lanes(weights + k, count, group, to + k, matrix);
}

/* Where a tile lies: its first output pixel, and its image. */
typedef struct corner {
    int64_t image, y, x;
} corner;

static corner find_corner(const ltap_winograd *w, int64_t tile)
{
    int64_t rest = tile % w->per_image;

    return (corner){tile / w->per_image, first_output(w, 0, rest / w->tiles[1]),
                    first_output(w, 1, rest % w->tiles[1])};
}

/* The image that a tile sees through a plane of the filters; -1 in the padding. */
static int64_t find_image(const ltap_winograd *w, const corner *at, int64_t plane)
{
    int64_t shift = plane * w->plane_dilation - w->plane_begin, z = at->image % w->volume + shift;

    return z >= 0 && z < w->volume ? at->image + shift : -1;
}

/* Offsets of the 36 pixels that a tile reads in an image; -1 for those in the padding. */
static void find_pixels(const ltap_winograd *w, const corner *at, int64_t image, int64_t *offsets)
{
    for (int i = 0; i < IN * IN; i++) {
        int64_t y = at->y - w->begin[0] + i / IN * w->dilation[0];
        int64_t x = at->x - w->begin[1] + i % IN * w->dilation[1];
        bool inside = image >= 0 && y >= 0 && y < w->in[0] && x >= 0 && x < w->in[1];
        offsets[i] = inside ? ((image * w->in[0] + y) * w->in[1] + x) * w->channels : -1;
    }
}

/* A row of the pixels that a tile reads, of sixteen channels. */
LTAP_VECTOR_INLINE void load_line(const float *src, const int64_t *offsets, vector *line)
{
    for (int x = 0; x < IN; x++)
        line[x] = offsets[x] < 0 ? (vector){0} : *(const vector *)(src + offsets[x]);
}

LTAP_VECTOR_CLONES
static void spread_tile(const float *src, const int64_t *offsets, int64_t channels, float *to,
                        int64_t matrix)
{
    for (int64_t c = 0; c < channels; c += LANES) {
        vector columns[IN * IN], line[IN];
        for (int y = 0; y < IN; y++) {
            load_line(src + c, offsets + y * IN, line);
            spread_pixels(line, 1, columns + y * IN);
        }
        for (int x = 0; x < IN; x++) {
            spread_pixels(columns + x, IN, line);
            for (int y = 0; y < IN; y++)
                *(vector *)(to + (y * IN + x) * matrix + c) = line[y];
        }
    }
}

void ltap_winograd_spread(const ltap_winograd *w, int64_t tile, const float *src, float *to,
                          int64_t matrix)
{
    corner at = find_corner(w, tile);
    int64_t offsets[IN * IN];

    for (int64_t plane = 0; plane < w->planes; plane++) {
        find_pixels(w, &at, find_image(w, &at, plane), offsets);
        spread_tile(src, offsets, w->channels, to + plane * w->channels, matrix);
    }
}

/* Offsets of the 16 pixels that a tile writes; -1 for those beyond the edge. */
static void find_results(const ltap_winograd *w, const corner *at, int64_t *offsets)
{
    for (int i = 0; i < OUT * OUT; i++) {
        int64_t y = at->y + i / OUT * w->dilation[0], x = at->x + i % OUT * w->dilation[1];
        bool inside = y < w->out[0] && x < w->out[1];
        offsets[i] = inside ? ((at->image * w->out[0] + y) * w->out[1] + x) * w->step : -1;
    }
}

/* Returns whether all is finite. dst and bias: from the part's first filter on. */
LTAP_VECTOR_CLONES
static bool gather_tile(const ltap_winograd_part *part, const float *bias, const int64_t *offsets,
                        float *dst)
{
    vector doubt = {0};
    bool finite = true;

    for (int64_t k = 0; k < part->count; k += LANES) {
        vector rows[OUT * IN], line[IN], shift = {0};
        if (bias)
            shift = *(const vector *)(bias + k);
        for (int x = 0; x < IN; x++) {
            for (int y = 0; y < IN; y++)
                line[y] = *(const vector *)(part->from + (y * IN + x) * part->matrix + k);
            vector y4[OUT];
            gather_results(line, 1, y4);
            for (int y = 0; y < OUT; y++)
                rows[y * IN + x] = y4[y];
        }
        for (int y = 0; y < OUT; y++) {
            vector x4[OUT];
            gather_results(rows + y * IN, 1, x4);
            for (int x = 0; x < OUT; x++) {
                vector result = x4[x] + shift;
                doubt += result * 0.0f;
                if (offsets[y * OUT + x] >= 0)
                    *(vector *)(dst + offsets[y * OUT + x] + k) = result;
            }
        }
    }
    for (int lane = 0; lane < LANES; lane++)
        finite = finite && doubt[lane] == 0.0f;
    return finite;
}

/* What a result has from one image; weights: of that plane and filter. */
static float compute_image(const ltap_winograd *w, const float *src, const corner *at,
                           const float *weights)
{
    float sum = 0;

    for (int i = 0; i < TAPS * TAPS; i++) {
        int64_t y = at->y - w->begin[0] + i / TAPS * w->dilation[0];
        int64_t x = at->x - w->begin[1] + i % TAPS * w->dilation[1];
        if (y < 0 || y >= w->in[0] || x < 0 || x >= w->in[1])
            continue;
        const float *pixel = src + (y * w->in[1] + x) * w->channels;
        for (int64_t c = 0; c < w->channels; c++)
            sum += pixel[c] * weights[(c * TAPS * TAPS + i) * w->group];
    }
    return sum;
}

static float compute_plain(const ltap_winograd *w, const ltap_winograd_plain *plain,
                           const corner *at, int64_t filter)
{
    int64_t part = w->channels * LTAP_WINOGRAD_TAPS * w->group;
    const float *weights = plain->weights + filter / w->group * w->planes * part;
    float sum = 0;

    for (int64_t plane = 0; plane < w->planes; plane++) {
        int64_t image = find_image(w, at, plane);
        if (image >= 0)
            sum += compute_image(w, plain->src + image * w->in[0] * w->in[1] * w->channels, at,
                                 weights + plane * part + filter % w->group);
    }
    return plain->bias ? sum + plain->bias[filter] : sum;
}

static void repair_tile(const ltap_winograd *w, const ltap_winograd_plain *plain,
                        const ltap_winograd_part *part, const corner *tile, const int64_t *offsets,
                        float *dst)
{
    for (int i = 0; i < OUT * OUT; i++) {
        corner at = {tile->image, tile->y + i / OUT * w->dilation[0],
                     tile->x + i % OUT * w->dilation[1]};
        for (int64_t k = 0; k < part->count && offsets[i] >= 0; k++)
            dst[offsets[i] + k] = compute_plain(w, plain, &at, part->first + k);
    }
}

void ltap_winograd_gather(const ltap_winograd *w, const ltap_winograd_part *part,
                          const ltap_winograd_plain *plain, float *dst)
{
    corner at = find_corner(w, part->tile);
    int64_t offsets[OUT * OUT];

    find_results(w, &at, offsets);
    dst += part->first;
    if (!gather_tile(part, plain->bias ? plain->bias + part->first : NULL, offsets, dst))
        repair_tile(w, plain, part, &at, offsets, dst);
}
