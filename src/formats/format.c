/* The table of model formats, and what to say of files that are none of them. */
#include "formats/format.h"
#include "base/error.h"
#include "formats/export/export.h"
#include "formats/keras/keras.h"
#include "formats/onnx/onnx.h"
#include "formats/torch/torch.h"
#include "formats/torchserve/torchserve.h"
#include <string.h>

void ltap_source_init(ltap_source *source, const void *data, size_t size, ltap_memory *memory)
{
    *source = (ltap_source){.data = data, .size = size, .memory = memory};
    ltap_vector_init(&source->files, memory, sizeof(ltap_file));
}

void ltap_source_clear(ltap_source *source)
{
    if (source->files.memory == NULL)
        return;
    for (size_t i = 0; i < source->files.count; i++)
        ltap_file_close(LTAP_VECTOR_AT(&source->files, ltap_file, i));
    ltap_vector_clear(&source->files);
}

ltap_status ltap_source_entry(ltap_source *source, const ltap_zip *zip, const ltap_zip_entry *entry,
                              const uint8_t **data, ltap_error *error)
{
    ltap_file file = {.size = (size_t)entry->bytes, .memory = source->memory};
    void *block;
    *data = zip->bytes + entry->data_offset;
    if (!entry->deflated)
        return LTAP_OK;
    LTAP_TRY(ltap_zip_inflate(zip, entry, source->memory, &block, error));
    *data = file.data = block;
    ltap_status status = ltap_vector_push(&source->files, &file, error);
    if (status != LTAP_OK)
        ltap_memory_release(source->memory, block);
    return status;
}

static const ltap_format *const formats[] = {&ltap_onnx_format,       &ltap_export_format,
                                             &ltap_torch_format,      &ltap_keras_format,
                                             &ltap_torchserve_format, NULL};

#define READS "layertap reads ONNX, PyTorch (.pth, .pt2, .pt), safetensors, Keras and .mar"
#define PICKLE                                                                                     \
    "a pickle that is no file of torch.save; save torch.save(model.state_dict(), 'net.pth')"

const ltap_format *const *ltap_formats(void)
{
    return formats;
}

/* Beginnings of other files. */
static const struct {
    size_t offset, bytes;
    const char *begins, *what;
} foreign[] = {
    {0, 2, "PK", "a zip archive that is cut short, or none that holds a model; " READS},
    {0, 2, "\x80\2", PICKLE},
    {0, 2, "\x80\3", PICKLE},
    {0, 2, "\x80\4", PICKLE},
    {0, 2, "\x80\5", PICKLE},
    {8, 2, "{\"",
     "like a safetensors file, but its header would have more than 100 MB; fetch it again"},
    {4, 4, "TFL3", "a TensorFlow Lite model; convert it to ONNX with tf2onnx"},
    {4, 4, "ORTM", "an ONNX Runtime model (.ort); give the .onnx file that it was made from"},
    {0, 4, "GGUF", "a GGUF file; " READS},
    {0, 6, "\x93NUMPY", "a NumPy array, not a model; " READS},
    {0, 3, "\xff\xd8\xff", "a JPEG picture, not a model; " READS},
    {0, 8, "\x89PNG\r\n\x1a\n", "a PNG picture, not a model; " READS},
    {0, 2, "\x1f\x8b", "a gzip file; unpack it first"},
    {0, 6,
     "\xfd"
     "7zXZ",
     "an xz file; unpack it first"},
    {0, 4, "\x28\xb5\x2f\xfd", "a zstd file; unpack it first"},
    {0, 4,
     "\x7f"
     "ELF",
     "a program, not a model; " READS},
    {0, 34, "version https://git-lfs.github.com",
     "a Git LFS pointer, not the file itself; run 'git lfs pull'"},
    {0, 5, "<?xml",
     "an XML file, such as an OpenVINO model; give the model that it was made from; " READS},
};

static const char *find_foreign(const ltap_source *source)
{
    for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++)
        if (source->size >= foreign[i].offset + foreign[i].bytes &&
            memcmp(source->data + foreign[i].offset, foreign[i].begins, foreign[i].bytes) == 0)
            return foreign[i].what;
    return NULL;
}

#define SHOWN 12
/* Printable bytes at the beginning, up to SHOWN; text holds one more. */
static size_t first_text(const ltap_source *source, char text[SHOWN + 1])
{
    size_t count = 0;
    while (count < source->size && count < SHOWN && source->data[count] >= ' ' &&
           source->data[count] < 0x7f)
        count++;
    memcpy(text, source->data, count);
    text[count] = '\0';
    return count;
}

static bool is_text(const ltap_source *source)
{
    char text[SHOWN + 1];
    return first_text(source, text) == (source->size < SHOWN ? source->size : SHOWN);
}

static ltap_status refuse(const ltap_source *source, ltap_error *error)
{
    char text[SHOWN + 1];
    const uint8_t *data = source->data;
    const char *what = find_foreign(source);
    if (what)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, 0, "this is %s", what);
    enum { MIN_TEXT = 4 };
    if (first_text(source, text) >= MIN_TEXT || is_text(source))
        return ltap_error_at(error, LTAP_ERROR_FORMAT, 0,
                             "not a model (a text that starts with '%s'); " READS, text);
    return ltap_error_at(error, LTAP_ERROR_FORMAT, 0,
                         "not a model of a known format (starts with the bytes %02x %02x %02x "
                         "%02x); " READS,
                         data[0], source->size > 1 ? data[1] : 0, source->size > 2 ? data[2] : 0,
                         source->size > 3 ? data[3] : 0);
}

ltap_status ltap_format_load(ltap_source *source, ltap_graph **graph, ltap_error *error)
{
    const ltap_format *best = NULL;
    int sure = 0;
    if (source->size == 0)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "the file is empty; " READS);
    for (size_t i = 0; formats[i]; i++) {
        int score = formats[i]->probe(source);
        if (score > sure) {
            sure = score;
            best = formats[i];
        }
    }
    if (!best || (sure < 2 && (find_foreign(source) || is_text(source))))
        return refuse(source, error);
    if (source->arch != NULL && !best->takes_arch)
        return ltap_error_set(
            error, LTAP_ERROR_ARGUMENT,
            "this is %s, which holds its own network; '%.60s' can only name that of "
            "a checkpoint",
            best->name, source->arch);
    return best->load(source, graph, error);
}

ltap_status ltap_format_save(const ltap_save *saves, size_t count, ltap_pruned *pruned,
                             ltap_error *error)
{
    const char *name = saves[0].graph->format;
    for (size_t i = 0; formats[i] && !saves[0].options->rewrite; i++)
        if (formats[i]->save && name && strcmp(formats[i]->name, name) == 0)
            return formats[i]->save(saves, count, pruned, error);
    return ltap_onnx_write(saves, count, pruned, error);
}
