/* PNG by libpng, reduced to RGB the way Pillow's convert("RGB") does it.
 *
 * Alpha and transparent colours are dropped, not blended; 16-bit samples keep their high byte;
 * gamma and colour profiles are not applied. Palette indices past the palette are grey levels, as
 * in Pillow. A file without its end is refused. libpng leaves by longjmp, so all that lives across
 * a call of it is in one struct, a frame above setjmp.
 */
#include "base/error.h"
#include "image/image.h"
#include <png.h>
#include <setjmp.h>
#include <string.h>

typedef struct job {
    png_structp png;
    png_infop info;
    jmp_buf leave;
    const ltap_image_source *input;
    size_t position;
    ltap_image *image;
    uint8_t *indices; /* u8[height,width] of a palette picture */
    ltap_status status;
    ltap_error *error;
} job;

static void on_error(png_structp png, png_const_charp text)
{
    job *j = png_get_error_ptr(png);
    if (j->status == LTAP_OK)
        j->status = ltap_error_set(j->error, LTAP_ERROR_FORMAT, "broken PNG: %s", text);
    longjmp(j->leave, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void on_read(png_structp png, png_bytep dst, size_t bytes)
{
    job *j = png_get_io_ptr(png);
    if (bytes > j->input->size - j->position) {
        j->status = ltap_error_at(j->error, LTAP_ERROR_FORMAT, j->input->size,
                                  "the PNG ends too early; it is cut short");
        png_error(png, "cut short");
    }
    memcpy(dst, j->input->bytes + j->position, bytes);
    j->position += bytes;
}

static png_voidp on_malloc(png_structp png, png_alloc_size_t bytes)
{
    job *j = png_get_mem_ptr(png);
    void *block = NULL;
    if (j->status != LTAP_OK)
        return NULL;
    j->status = ltap_memory_take(j->image->memory, bytes, "decoding a PNG", &block, j->error);
    return j->status == LTAP_OK ? block : NULL;
}

static void on_free(png_structp png, png_voidp block)
{
    job *j = png_get_mem_ptr(png);
    ltap_memory_release(j->image->memory, block);
}

static ltap_status set_up(job *j)
{
    j->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, j, on_error, on_warning, j, on_malloc,
                                      on_free);
    if (j->png)
        j->info = png_create_info_struct(j->png);
    if (!j->info)
        return j->status != LTAP_OK
                   ? j->status
                   : ltap_error_set(j->error, LTAP_ERROR_MEMORY, "no memory left to decode a PNG");
    png_set_read_fn(j->png, j, on_read);
    /* Our own cap is on the number of pixels. */
    png_set_user_limits(j->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    /* Texts and profiles can unpack to megabytes, and nobody reads them. */
    png_set_keep_unknown_chunks(j->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    return LTAP_OK;
}

static ltap_status read_header(job *j)
{
    png_read_info(j->png, j->info);
    png_uint_32 width = png_get_image_width(j->png, j->info);
    png_uint_32 height = png_get_image_height(j->png, j->info);
    int kind = png_get_color_type(j->png, j->info);
    LTAP_TRY(ltap_image_take_pixels(j->image, width, height, j->input->max_pixels, j->error));
    if (kind == PNG_COLOR_TYPE_PALETTE) {
        void *block;
        LTAP_TRY(ltap_memory_take(j->image->memory, (uint64_t)width * height,
                                  "a picture's palette indices", &block, j->error));
        j->indices = block;
        png_set_packing(j->png);
        return LTAP_OK;
    }
    png_set_strip_16(j->png);
    if (!(kind & PNG_COLOR_MASK_COLOR)) {
        png_set_expand_gray_1_2_4_to_8(j->png);
        png_set_gray_to_rgb(j->png);
    }
    if (kind & PNG_COLOR_MASK_ALPHA)
        png_set_strip_alpha(j->png);
    return LTAP_OK;
}

static ltap_status read_rows(job *j)
{
    ltap_image *image = j->image;
    uint8_t *rows = j->indices ? j->indices : image->pixels;
    size_t stride = (size_t)image->width * (j->indices ? 1 : 3);
    int n_passes = png_set_interlace_handling(j->png);
    png_read_update_info(j->png, j->info);
    if (png_get_rowbytes(j->png, j->info) != stride)
        return ltap_error_set(j->error, LTAP_ERROR_INTERNAL,
                              "libpng gives lines of %zu bytes, expected %zu",
                              (size_t)png_get_rowbytes(j->png, j->info), stride);
    for (int pass = 0; pass < n_passes; pass++)
        for (int y = 0; y < image->height; y++)
            png_read_row(j->png, rows + (size_t)y * stride, NULL);
    png_read_end(j->png, NULL);
    return LTAP_OK;
}

static void expand_palette(job *j)
{
    uint8_t table[256][3];
    png_colorp colours = NULL;
    int n_colours = 0;
    png_get_PLTE(j->png, j->info, &colours, &n_colours);
    for (int i = 0; i < 256; i++)
        memset(table[i], i, 3);
    for (int i = 0; i < n_colours && i < 256; i++) {
        table[i][0] = colours[i].red;
        table[i][1] = colours[i].green;
        table[i][2] = colours[i].blue;
    }
    size_t count = (size_t)j->image->width * (size_t)j->image->height;
    for (size_t i = 0; i < count; i++)
        memcpy(j->image->pixels + 3 * i, table[j->indices[i]], 3);
}

static void decode(job *j)
{
    if (setjmp(j->leave))
        return;
    ltap_status status = set_up(j);
    if (status == LTAP_OK)
        status = read_header(j);
    if (status == LTAP_OK)
        status = read_rows(j);
    if (status == LTAP_OK && j->indices)
        expand_palette(j);
    if (j->status == LTAP_OK)
        j->status = status;
}

ltap_status ltap_png_decode(const ltap_image_source *source, ltap_image *image, ltap_error *error)
{
    job j = {.input = source, .image = image, .error = error};
    decode(&j);
    png_destroy_read_struct(&j.png, &j.info, NULL);
    ltap_memory_release(image->memory, j.indices);
    return j.status;
}
