/* JPEG by libjpeg-turbo, with the settings of Pillow, so that the pixels are Pillow's.
 *
 * That means: slow integer DCT, fancy upsampling, the library's own guess of the colour space, four
 * components always taken as Adobe's inverted CMYK. A file that ends before its last byte is
 * refused; damage that libjpeg only warns of is not, as in Pillow. libjpeg leaves by longjmp, so
 * all that lives across a call of it is in one struct, a frame above setjmp.
 */
#include "base/checked.h"
#include "base/error.h"
#include "image/image.h"
#include <setjmp.h>
#include <stdio.h>
/* After stdio.h, which it needs. */
#include <jpeglib.h>
/* After jpeglib.h, which it needs. */
#include <jerror.h>

#define MAX_SCANS 200 /* of a progressive file: each costs a pass over all pixels */

typedef struct job {
    struct jpeg_decompress_struct cinfo;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf leave;
    const ltap_image_source *input;
    ltap_image *image;
    uint8_t *row; /* one line of CMYK */
    ltap_status status;
    ltap_error *error;
} job;

static void leave(job *j, ltap_status status)
{
    j->status = status;
    longjmp(j->leave, 1);
}

static void on_error(j_common_ptr common)
{
    job *j = common->client_data;
    char text[JMSG_LENGTH_MAX];
    common->err->format_message(common, text);
    if (common->err->msg_code == JERR_OUT_OF_MEMORY)
        leave(j, ltap_error_set(j->error, LTAP_ERROR_MEMORY, "no memory left to decode a JPEG"));
    leave(j, ltap_error_set(j->error, LTAP_ERROR_FORMAT, "broken JPEG: %s", text));
}

static void on_message(j_common_ptr common, int level)
{
    if (level < 0)
        common->err->num_warnings++;
}

static void on_progress(j_common_ptr common)
{
    j_decompress_ptr cinfo = (j_decompress_ptr)common;
    job *j = common->client_data;
    if (cinfo->input_scan_number > MAX_SCANS)
        leave(j, ltap_error_set(j->error, LTAP_ERROR_FORMAT,
                                "broken JPEG: more than %d scans; no picture has that many",
                                MAX_SCANS));
}

static boolean on_end(j_decompress_ptr cinfo)
{
    job *j = cinfo->client_data;
    leave(j, ltap_error_at(j->error, LTAP_ERROR_FORMAT, j->input->size,
                           "the JPEG ends too early; it is cut short"));
    return FALSE;
}

static void on_skip(j_decompress_ptr cinfo, long bytes)
{
    if (bytes <= 0)
        return;
    if ((size_t)bytes > cinfo->src->bytes_in_buffer)
        on_end(cinfo);
    cinfo->src->next_input_byte += bytes;
    cinfo->src->bytes_in_buffer -= (size_t)bytes;
}

static void on_nothing(j_decompress_ptr cinfo)
{
    (void)cinfo;
}

static void set_up(job *j)
{
    struct jpeg_decompress_struct *cinfo = &j->cinfo;
    cinfo->err = jpeg_std_error(&j->errors);
    cinfo->client_data = j;
    j->errors.error_exit = on_error;
    j->errors.emit_message = on_message;
    jpeg_create_decompress(cinfo);
    cinfo->client_data = j;
    j->source.next_input_byte = j->input->bytes;
    j->source.bytes_in_buffer = j->input->size;
    j->source.init_source = on_nothing;
    j->source.fill_input_buffer = on_end;
    j->source.skip_input_data = on_skip;
    j->source.resync_to_restart = jpeg_resync_to_restart;
    j->source.term_source = on_nothing;
    cinfo->src = &j->source;
    j->progress.progress_monitor = on_progress;
    cinfo->progress = &j->progress;
}

/* A progressive file needs all coefficients at once; they are libjpeg's, outside our account. */
static ltap_status check_coefficients(job *j)
{
    uint64_t bytes = 0, blocks, more;
    if (!jpeg_has_multiple_scans(&j->cinfo))
        return LTAP_OK;
    for (int i = 0; i < j->cinfo.num_components; i++) {
        const jpeg_component_info *part = &j->cinfo.comp_info[i];
        if (!ltap_checked_mul(part->width_in_blocks, part->height_in_blocks, &blocks) ||
            !ltap_checked_mul(blocks, sizeof(JBLOCK), &more) ||
            !ltap_checked_add(bytes, more, &bytes))
            return ltap_error_set(j->error, LTAP_ERROR_FORMAT, "broken JPEG: too large");
    }
    return ltap_memory_check(j->image->memory, bytes, "a progressive JPEG", j->error);
}

static ltap_status read_header(job *j)
{
    struct jpeg_decompress_struct *cinfo = &j->cinfo;
    jpeg_read_header(cinfo, TRUE);
    int n = cinfo->num_components;
    if (n != 1 && n != 3 && n != 4)
        return ltap_error_set(j->error, LTAP_ERROR_UNSUPPORTED,
                              "a JPEG of %d components; 1, 3 and 4 are read", n);
    cinfo->out_color_space = n == 4 ? JCS_CMYK : JCS_RGB;
    LTAP_TRY(ltap_image_take_pixels(j->image, cinfo->image_width, cinfo->image_height,
                                    j->input->max_pixels, j->error));
    if (n == 4) {
        void *block;
        LTAP_TRY(ltap_memory_take(j->image->memory, (uint64_t)cinfo->image_width * 4,
                                  "a line of CMYK", &block, j->error));
        j->row = block;
    }
    return check_coefficients(j);
}

/* Pillow's rounding of a * b / 255. */
static inline int scaled(int a, int b)
{
    int product = a * b + 128;
    return ((product >> 8) + product) >> 8;
}

/* The file holds 255 - ink. */
static void cmyk_to_rgb(const uint8_t *src, uint8_t *dst, int width)
{
    for (int x = 0; x < width; x++) {
        int light = src[4 * x + 3];
        for (int c = 0; c < 3; c++) {
            int value = light - scaled(255 - src[4 * x + c], light);
            dst[3 * x + c] = (uint8_t)(value < 0 ? 0 : value);
        }
    }
}

static void read_rows(job *j)
{
    struct jpeg_decompress_struct *cinfo = &j->cinfo;
    ltap_image *image = j->image;
    jpeg_start_decompress(cinfo);
    while (cinfo->output_scanline < cinfo->output_height) {
        uint8_t *dst = image->pixels + (size_t)cinfo->output_scanline * (size_t)image->width * 3;
        JSAMPROW row = j->row ? j->row : dst;
        jpeg_read_scanlines(cinfo, &row, 1);
        if (j->row)
            cmyk_to_rgb(j->row, dst, image->width);
    }
    jpeg_finish_decompress(cinfo);
}

static void decode(job *j)
{
    if (setjmp(j->leave))
        return;
    set_up(j);
    j->status = read_header(j);
    if (j->status == LTAP_OK)
        read_rows(j);
}

ltap_status ltap_jpeg_decode(const ltap_image_source *source, ltap_image *image, ltap_error *error)
{
    job j = {.input = source, .image = image, .error = error};
    decode(&j);
    jpeg_destroy_decompress(&j.cinfo);
    ltap_memory_release(image->memory, j.row);
    return j.status;
}
