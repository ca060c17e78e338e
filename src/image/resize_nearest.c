/* Pillow's resize to the nearest pixel, bit for bit: the pixel under the centre of each pixel of
 * the result, where the centre moves by additions of a double, with what they round.
 */
#include "image/image.h"
#include "image/resize.h"

/* Which source pixel each of the `count` from `first` on is. */
static void choose(int source, int size, int first, int count, int *chosen)
{
    double scale = (double)source / size, centre = scale * 0.5;
    for (int i = 0; i < first + count; i++, centre += scale)
        if (i >= first)
            chosen[i - first] = (int)centre < source ? (int)centre : source - 1;
}

ltap_status ltap_image_resize_nearest(const ltap_image *image, const ltap_resize *r, uint8_t *dst,
                                      ltap_error *error)
{
    void *block;
    int width = r->window_width, height = r->window_height;
    ltap_status status =
        ltap_memory_take(image->memory, ((uint64_t)width + (uint64_t)height) * sizeof(int),
                         "resizing a picture", &block, error);
    if (status != LTAP_OK)
        return status;
    int *columns = block, *rows = columns + width;
    choose(image->width, r->width, r->window_x, width, columns);
    choose(image->height, r->height, r->window_y, height, rows);
    for (int y = 0; y < height; y++) {
        const uint8_t *row = image->pixels + (size_t)rows[y] * (size_t)image->width * 3;
        for (int x = 0; x < width; x++, dst += 3)
            for (int c = 0; c < 3; c++)
                dst[c] = row[3 * (size_t)columns[x] + (size_t)c];
    }
    ltap_memory_release(image->memory, block);
    return LTAP_OK;
}
