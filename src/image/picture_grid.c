/* A grid of channels in viridis: every channel is there, the last row is filled with background.
 *
 * Each channel runs from its own minimum to its own maximum (of the finite elements), or all share
 * one scale. Without a range there is no colour scale, so such a channel is flat grey. Vectors and
 * tokens are drawn as one tile, a strip.
 */
#include "base/error.h"
#include "image/picture.h"
#include "tensor/tensor.h"
#include <math.h>

#define TILE_PIXELS  64  /* at least, of a tile's longer side where enlarge is 0 */
#define STRIP_PIXELS 512 /* about the length of a strip */
#define STRIP_HEIGHT 48  /* of a strip of one line */
#define GAP          1

typedef struct range {
    double min, max; /* min > max: no finite element */
} range;

typedef struct grid {
    ltap_planes planes; /* height and width of a tile; count: how many are drawn */
    int64_t columns, rows;
    int64_t across, down; /* pixels per element */
    range *ranges;        /* of each channel */
} grid;

static range range_of(const float *data, int64_t count, int64_t step)
{
    range r = {INFINITY, -INFINITY};
    for (int64_t i = 0; i < count; i++) {
        float value = data[i * step];
        if (!isfinite(value))
            continue;
        r.min = value < r.min ? value : r.min;
        r.max = value > r.max ? value : r.max;
    }
    return r;
}

static void fill_ranges(grid *g, ltap_scaling scaling)
{
    const ltap_planes *p = &g->planes;
    range all = {INFINITY, -INFINITY};
    for (int64_t c = 0; c < g->planes.count; c++) {
        g->ranges[c] = range_of(p->data + c * p->c_step, p->height * p->width, p->p_step);
        all.min = fmin(all.min, g->ranges[c].min);
        all.max = fmax(all.max, g->ranges[c].max);
    }
    for (int64_t c = 0; scaling == LTAP_SCALE_LAYER && c < g->planes.count; c++)
        g->ranges[c] = all;
}

static ltap_colour colour_of(float value, const range *r)
{
    if (!isfinite(value))
        return ltap_colour_special;
    if (!(r->max > r->min))
        return ltap_colour_constant;
    return ltap_colour_viridis((value - r->min) / (r->max - r->min));
}

static uint8_t *put(uint8_t *rgb, ltap_colour colour, int64_t count)
{
    for (int64_t i = 0; i < count; i++, rgb += 3) {
        rgb[0] = colour.red;
        rgb[1] = colour.green;
        rgb[2] = colour.blue;
    }
    return rgb;
}

static void draw_row(const void *context, int y, uint8_t *rgb)
{
    const grid *g = context;
    const ltap_planes *p = &g->planes;
    int64_t tile_height = g->planes.height * g->down, tile_width = g->planes.width * g->across;
    int64_t row = y / (tile_height + GAP), line = y % (tile_height + GAP);
    for (int64_t column = 0; column < g->columns; column++) {
        int64_t c = row * g->columns + column;
        if (column > 0)
            rgb = put(rgb, ltap_colour_background, GAP);
        if (line >= tile_height || c >= g->planes.count) {
            rgb = put(rgb, ltap_colour_background, tile_width);
            continue;
        }
        const float *src = p->data + c * p->c_step + line / g->down * p->width * p->p_step;
        for (int64_t x = 0; x < p->width; x++)
            rgb = put(rgb, colour_of(src[x * p->p_step], &g->ranges[c]), g->across);
    }
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void lay_out_strip(grid *g, const ltap_picture_options *options)
{
    g->columns = g->rows = 1;
    g->across = options->enlarge
                    ? options->enlarge
                    : larger(1, STRIP_PIXELS / larger(g->planes.width, g->planes.height));
    g->down = g->planes.height == 1 ? STRIP_HEIGHT : g->across;
}

static void lay_out_tiles(grid *g, const ltap_picture_options *options)
{
    g->columns = options->columns ? options->columns : (int64_t)ceil(sqrt((double)g->planes.count));
    g->columns = g->columns > g->planes.count ? g->planes.count : g->columns;
    g->rows = (g->planes.count + g->columns - 1) / g->columns;
    int64_t longer = larger(g->planes.width, g->planes.height);
    g->across = options->enlarge ? options->enlarge : (TILE_PIXELS + longer - 1) / longer;
    g->down = g->across;
}

static ltap_status lay_out(grid *g, const ltap_tensor *tensor, int64_t item,
                           const ltap_picture_options *options, ltap_error *error)
{
    const int64_t *dims = tensor->dims;
    if (tensor->rank < 2 || tensor->rank > 4)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "a grid of channels needs a tensor of shape NxCxHxW, NxLxC or NxC, "
                              "this is %s",
                              ltap_shape_text(tensor).text);
    if (options->columns < 0 || options->max_channels < 0 || options->enlarge < 0)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "columns, channels and pixels of a grid must not be negative");
    ltap_tensor strip = *tensor; /* one tile of a picture's four axes */
    if (tensor->rank < 4) {
        int64_t height = tensor->rank == 3 ? dims[1] : 1;
        strip = ltap_tensor_make(LTAP_FLOAT32, 4,
                                 (const int64_t[]){dims[0], 1, height, dims[tensor->rank - 1]},
                                 tensor->data);
    }
    g->planes = ltap_planes_of(&strip, item, tensor->rank == 4 ? options->channels : 1);
    if (options->max_channels && g->planes.count > options->max_channels)
        g->planes.count = options->max_channels;
    if (tensor->rank == 4)
        lay_out_tiles(g, options);
    else
        lay_out_strip(g, options);
    return LTAP_OK;
}

/* columns * width * across + gaps, kept in range by a bound on each factor. */
static uint64_t pixels_along(int64_t tiles, int64_t elements, int64_t enlarge)
{
    double pixels = (double)tiles * ((double)elements * (double)enlarge + GAP) - GAP;
    return pixels > 1e15 ? (uint64_t)1e15 : (uint64_t)pixels;
}

ltap_status ltap_picture_grid(const ltap_tensor *tensor, int64_t item, const char *path,
                              const ltap_picture_options *options, ltap_error *error)
{
    static const ltap_picture_options defaults = {0};
    ltap_memory *memory = NULL;
    void *ranges = NULL;
    grid g;
    ltap_status status;
    options = options ? options : &defaults;
    LTAP_TRY(ltap_picture_check(tensor, item, path, error));
    LTAP_TRY(lay_out(&g, tensor, item, options, error));
    LTAP_GO(ltap_memory_new(NULL, 0, &memory, error));
    LTAP_GO(ltap_memory_take_zeroed(memory, (uint64_t)g.planes.count, sizeof(range),
                                    "a picture's ranges", &ranges, error));
    g.ranges = ranges;
    fill_ranges(&g, options->scaling);
    ltap_canvas canvas = {pixels_along(g.columns, g.planes.width, g.across),
                          pixels_along(g.rows, g.planes.height, g.down), draw_row, &g};
    LTAP_GO(ltap_canvas_write(&canvas, path, options->force, memory, error));
done:
    if (memory)
        ltap_memory_release(memory, ranges);
    ltap_memory_unref(memory);
    return status;
}
