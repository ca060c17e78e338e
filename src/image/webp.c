/* WebP by libwebp, with the pixels of Pillow's convert("RGB").
 *
 * Lossy and lossless; alpha is dropped, not blended. Of an animation the first frame is taken, on a
 * black canvas where it does not fill it. The container is checked whole by libwebp's demuxer, so a
 * file that is cut short or whose later frames are broken is refused, as in Pillow. What libwebp
 * needs while it decodes is its own, outside our account; the limit is asked first.
 */
#include "base/error.h"
#include "image/image.h"
#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>

#define RIFF_HEADER          8 /* bytes before those that the RIFF size counts */
#define WORK_BYTES           5 /* a pixel while decoding: its colours, and its alpha */
#define DEMUX_BYTES_PER_BYTE 8 /* notes of the demuxer, of a file of nothing but tiny chunks */

/* Why libwebp stopped, by its status. */
static const char *const reasons[] = {
    [VP8_STATUS_INVALID_PARAM] = "its sizes contradict each other",
    [VP8_STATUS_BITSTREAM_ERROR] = "the picture's data is damaged",
    [VP8_STATUS_UNSUPPORTED_FEATURE] = "it uses a feature that no WebP picture has",
    [VP8_STATUS_SUSPENDED] = "the picture's data ends too early",
    [VP8_STATUS_USER_ABORT] = "decoding stopped",
    [VP8_STATUS_NOT_ENOUGH_DATA] = "the picture's data ends too early",
};

static ltap_status refuse(VP8StatusCode code, ltap_error *error)
{
    const char *reason = (size_t)code < sizeof reasons / sizeof *reasons ? reasons[code] : NULL;
    if (code == VP8_STATUS_OUT_OF_MEMORY)
        return ltap_error_set(error, LTAP_ERROR_MEMORY, "no memory left to decode a WebP");
    return ltap_error_set(error, LTAP_ERROR_FORMAT, "broken WebP: %s",
                          reason ? reason : "unknown reason");
}

static ltap_status open_container(const ltap_image_source *source, ltap_memory *memory,
                                  WebPDemuxer **demux, ltap_error *error)
{
    const uint8_t *p = source->bytes + 4;
    const WebPData data = {source->bytes, source->size};
    uint64_t declared =
        (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
    if (declared > source->size - RIFF_HEADER)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, source->size,
                             "the WebP ends too early; it is cut short");
    LTAP_TRY(ltap_memory_check(memory, (uint64_t)source->size * DEMUX_BYTES_PER_BYTE,
                               "the chunks of a WebP", error));
    *demux = WebPDemux(&data);
    if (!*demux)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "broken WebP: its chunks do not make up a picture");
    return LTAP_OK;
}

/* Decodes the frame into its place on the canvas. */
static ltap_status decode_frame(const WebPIterator *frame, ltap_image *image, ltap_error *error)
{
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config))
        return ltap_error_set(error, LTAP_ERROR_INTERNAL, "libwebp is of another version");
    VP8StatusCode code =
        WebPGetFeatures(frame->fragment.bytes, frame->fragment.size, &config.input);
    if (code != VP8_STATUS_OK)
        return refuse(code, error);
    int width = config.input.width, height = config.input.height;
    if (width != frame->width || height != frame->height || frame->x_offset < 0 ||
        frame->y_offset < 0 || width > image->width - frame->x_offset ||
        height > image->height - frame->y_offset)
        return refuse(VP8_STATUS_INVALID_PARAM, error);
    LTAP_TRY(ltap_memory_check(image->memory, (uint64_t)width * (uint64_t)height * WORK_BYTES,
                               "decoding a WebP", error));
    size_t stride = (size_t)image->width * 3;
    size_t start = (size_t)frame->y_offset * stride + (size_t)frame->x_offset * 3;
    config.output.colorspace = MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = image->pixels + start;
    config.output.u.RGBA.stride = (int)stride;
    config.output.u.RGBA.size = stride * (size_t)image->height - start;
    code = WebPDecode(frame->fragment.bytes, frame->fragment.size, &config);
    WebPFreeDecBuffer(&config.output);
    return code == VP8_STATUS_OK ? LTAP_OK : refuse(code, error);
}

ltap_status ltap_webp_decode(const ltap_image_source *source, ltap_image *image, ltap_error *error)
{
    WebPDemuxer *demux = NULL;
    WebPIterator frame = {0};
    ltap_status status = LTAP_OK;
    LTAP_GO(open_container(source, image->memory, &demux, error));
    LTAP_GO(ltap_image_take_pixels(image, WebPDemuxGetI(demux, WEBP_FF_CANVAS_WIDTH),
                                   WebPDemuxGetI(demux, WEBP_FF_CANVAS_HEIGHT), source->max_pixels,
                                   error));
    if (!WebPDemuxGetFrame(demux, 1, &frame)) {
        status = ltap_error_set(error, LTAP_ERROR_FORMAT, "broken WebP: it holds no picture");
        goto done;
    }
    if (frame.width != image->width || frame.height != image->height)
        memset(image->pixels, 0, (size_t)image->width * (size_t)image->height * 3);
    status = decode_frame(&frame, image, error);
done:
    WebPDemuxReleaseIterator(&frame);
    WebPDemuxDelete(demux);
    return status;
}
