/* Writing a picture as PNG, row by row into a file that appears whole or not at all.
 *
 * libpng leaves by longjmp, so all that lives across a call of it is in one struct, a frame above
 * setjmp.
 */
#include "base/checked.h"
#include "base/error.h"
#include "base/file.h"
#include "image/image.h"
#include "image/picture.h"
#include <png.h>
#include <setjmp.h>

typedef struct job {
    png_structp png;
    png_infop info;
    jmp_buf leave;
    const ltap_canvas *canvas;
    ltap_outfile file;
    uint64_t position;
    ltap_memory *memory;
    uint8_t *row;
    ltap_status status;
    ltap_error *error;
} job;

static void on_error(png_structp png, png_const_charp text)
{
    job *j = png_get_error_ptr(png);
    if (j->status == LTAP_OK)
        j->status = ltap_error_set(j->error, LTAP_ERROR_INTERNAL, "writing a PNG: %s", text);
    longjmp(j->leave, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void on_write(png_structp png, png_bytep bytes, size_t count)
{
    job *j = png_get_io_ptr(png);
    j->status = ltap_outfile_write(&j->file, j->position, bytes, count, j->error);
    if (j->status != LTAP_OK)
        png_error(png, "writing");
    j->position += count;
}

static void on_flush(png_structp png)
{
    (void)png;
}

static png_voidp on_malloc(png_structp png, png_alloc_size_t bytes)
{
    job *j = png_get_mem_ptr(png);
    void *block = NULL;
    if (j->status != LTAP_OK)
        return NULL;
    j->status = ltap_memory_take(j->memory, bytes, "encoding a PNG", &block, j->error);
    return j->status == LTAP_OK ? block : NULL;
}

static void on_free(png_structp png, png_voidp block)
{
    job *j = png_get_mem_ptr(png);
    ltap_memory_release(j->memory, block);
}

static void encode(job *j)
{
    const ltap_canvas *canvas = j->canvas;
    if (setjmp(j->leave))
        return;
    j->png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, j, on_error, on_warning, j, on_malloc,
                                       on_free);
    if (j->png)
        j->info = png_create_info_struct(j->png);
    if (!j->info) {
        if (j->status == LTAP_OK)
            j->status = ltap_error_set(j->error, LTAP_ERROR_MEMORY, "no memory to encode a PNG");
        return;
    }
    png_set_write_fn(j->png, j, on_write, on_flush);
    png_set_user_limits(j->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_IHDR(j->png, j->info, (png_uint_32)canvas->width, (png_uint_32)canvas->height, 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(j->png, j->info);
    for (uint64_t y = 0; y < canvas->height; y++) {
        canvas->draw_row(canvas->context, (int)y, j->row);
        png_write_row(j->png, j->row);
    }
    png_write_end(j->png, NULL);
}

ltap_status ltap_canvas_write(const ltap_canvas *canvas, const char *path, bool force,
                              ltap_memory *memory, ltap_error *error)
{
    job j = {.canvas = canvas, .memory = memory, .error = error};
    bool opened = false;
    uint64_t pixels;
    void *row = NULL;
    ltap_status status;
    if (canvas->width == 0 || canvas->height == 0 ||
        !ltap_checked_mul(canvas->width, canvas->height, &pixels) || pixels > LTAP_IMAGE_MAX_PIXELS)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "%s would have %llux%llu pixels; at most %u are drawn: draw fewer "
                              "channels, or enlarge less",
                              path, (unsigned long long)canvas->width,
                              (unsigned long long)canvas->height, LTAP_IMAGE_MAX_PIXELS);
    LTAP_GO(ltap_memory_take(memory, canvas->width * 3, "a line of a picture", &row, error));
    j.row = row;
    LTAP_GO(ltap_outfile_open(path, force, &j.file, error));
    opened = true;
    encode(&j);
    LTAP_GO(j.status);
    LTAP_GO(ltap_outfile_commit(&j.file, error));
done:
    png_destroy_write_struct(&j.png, &j.info);
    if (opened)
        ltap_outfile_close(&j.file);
    ltap_memory_release(memory, row);
    return status;
}
