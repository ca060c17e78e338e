/* Which features can be seen, and as what, is a table; each row of each batch goes through it. */
#include "cli/pictures.h"
#include "cli/report.h"
#include <layertap/picture.h>
#include <stdlib.h>
#include <string.h>

/* What is drawn of one row of a batch. */
typedef struct drawn_row {
    const cli_pictures *pictures;
    int64_t row;
    char stem[320];
    const ltap_tensor *input; /* f32[N,3,H,W] or f32[N,H,W,3], or NULL */
    int at;                   /* where its height is */
    const ltap_image *seen;   /* it, as pixels, or NULL */
} drawn_row;

typedef struct drawing {
    const char *suffix;
    int (*suits)(const ltap_feature *feature);
    ltap_status (*draw)(const drawn_row *shot, const ltap_feature *feature, const char *path,
                        const ltap_picture_options *options, ltap_error *error);
} drawing;

static int suits_grid(const ltap_feature *feature)
{
    const ltap_tensor *tensor = &feature->tensor;
    return tensor->dtype == LTAP_FLOAT32 && tensor->rank >= 2 && tensor->rank <= 4 &&
           ltap_tensor_count(tensor) > 0;
}

static ltap_status draw_grid(const drawn_row *shot, const ltap_feature *feature, const char *path,
                             const ltap_picture_options *options, ltap_error *error)
{
    return ltap_picture_grid(&feature->tensor, shot->row, path, options, error);
}

static int suits_labels(const ltap_feature *feature)
{
    const ltap_tensor *tensor = &feature->tensor;
    const int at = feature->channels == 3 ? 1 : 2;
    return suits_grid(feature) && tensor->rank == 4 && tensor->dims[feature->channels] >= 2 &&
           tensor->dims[at] > 1 && tensor->dims[at + 1] > 1 && strcmp(feature->kind, "output") == 0;
}

static ltap_status draw_labels(const drawn_row *shot, const ltap_feature *feature, const char *path,
                               const ltap_picture_options *options, ltap_error *error)
{
    const ltap_tensor *labels = &feature->tensor, *input = shot->input;
    const int at = feature->channels == 3 ? 1 : 2;
    int alike = input && labels->dims[at] * input->dims[shot->at + 1] ==
                             labels->dims[at + 1] * input->dims[shot->at];
    return ltap_picture_labels(labels, shot->row, alike ? shot->seen : NULL, path, options, error);
}

static const drawing drawings[] = {
    {"", suits_grid, draw_grid},
    {".labels", suits_labels, draw_labels},
};

/* DIR/STEM.NAME.png, with what a file name cannot hold as %XX. */
static ltap_status make_path(const drawn_row *shot, const char *name, const char *suffix,
                             char **path, ltap_error *error)
{
    char *safe = malloc(strlen(name) * 3 + 1);
    if (!safe)
        return cli_error_memory(error);
    size_t used = 0;
    for (; *name; name++) {
        unsigned char byte = (unsigned char)*name;
        int plain = byte >= 0x20 && byte != 0x7f && byte != '/' && byte != '%';
        used += (size_t)sprintf(safe + used, plain ? "%c" : "%%%02X", byte);
    }
    safe[used] = 0;
    const char *folder = shot->pictures->folder;
    const char *slash = folder[strlen(folder) - 1] == '/' ? "" : "/";
    int n = asprintf(path, "%s%s%s.%s%s.png", folder, slash, shot->stem, safe, suffix);
    free(safe);
    if (n < 0)
        *path = NULL;
    return n < 0 ? cli_error_memory(error) : LTAP_OK;
}

static ltap_status draw_input(const drawn_row *shot, const ltap_picture_options *options,
                              ltap_error *error)
{
    char *path = NULL;
    ltap_status status = make_path(shot, "input", "", &path, error);
    if (status == LTAP_OK)
        status = ltap_picture_input(shot->input, shot->row, shot->pictures->preprocess, path,
                                    options, error);
    free(path);
    return status;
}

static ltap_status draw_feature(cli_pictures *pictures, const drawn_row *shot,
                                const ltap_feature *feature, const ltap_picture_options *given,
                                ltap_error *error)
{
    ltap_picture_options options = *given;
    ltap_status status = LTAP_OK;
    options.channels = feature->channels;
    int has_row = feature->tensor.rank > 0 && shot->row < feature->tensor.dims[0];
    for (size_t i = 0; i < sizeof(drawings) / sizeof(drawings[0]); i++) {
        if (status != LTAP_OK || !has_row || !drawings[i].suits(feature))
            continue;
        char *path = NULL;
        status = make_path(shot, feature->name, drawings[i].suffix, &path, error);
        if (status == LTAP_OK)
            status = drawings[i].draw(shot, feature, path, &options, error);
        pictures->n_written += status == LTAP_OK;
        free(path);
    }
    return status;
}

static ltap_status draw_row(cli_pictures *pictures, const ltap_features *features, drawn_row *shot,
                            ltap_error *error)
{
    const ltap_picture_options options = {.force = pictures->force};
    ltap_image *seen = NULL;
    ltap_status status = LTAP_OK;
    if (shot->input) {
        status = draw_input(shot, &options, error);
        pictures->n_written += status == LTAP_OK;
        if (status == LTAP_OK)
            status =
                ltap_image_open_tensor(shot->input, shot->row, pictures->preprocess, &seen, error);
    }
    shot->seen = seen;
    for (size_t i = 0; status == LTAP_OK && i < ltap_features_count(features); i++)
        status = draw_feature(pictures, shot, ltap_features_at(features, i), &options, error);
    ltap_image_close(seen);
    return status;
}

static const ltap_tensor *picture_input(const cli_pictures *pictures, const cli_batch *batch)
{
    for (size_t i = 0; pictures->preprocess && i < batch->n_inputs; i++) {
        const ltap_tensor *tensor = &batch->tensors[i];
        const int axis = pictures->preprocess->channels_last ? 3 : 1;
        if (tensor->dtype == LTAP_FLOAT32 && tensor->rank == 4 && tensor->dims[axis] == 3)
            return tensor;
    }
    return NULL;
}

ltap_status cli_pictures_add(cli_pictures *pictures, const ltap_features *features,
                             const cli_batch *batch, ltap_error *error)
{
    ltap_status status = LTAP_OK;
    for (int64_t row = 0; status == LTAP_OK && row < batch->rows; row++) {
        size_t part = (size_t)row < batch->n_origins ? (size_t)row : 0;
        const cli_origin *origin = &batch->origins[part];
        int64_t item_row = batch->n_origins > 1 ? origin->row : origin->row + row;
        const cli_item *item = pictures->lead ? &pictures->lead->items[origin->item] : NULL;
        int alone = !item || item->kind == CLI_PICTURE || item->tensor.rank == 0 ||
                    item->tensor.dims[0] == 1;
        drawn_row view = {.pictures = pictures,
                          .row = row,
                          .input = picture_input(pictures, batch),
                          .at =
                              pictures->preprocess && pictures->preprocess->channels_last ? 1 : 2};
        const char *stem = cli_stems_at(pictures->stems, origin->item);
        if (alone)
            snprintf(view.stem, sizeof(view.stem), "%s", stem);
        else
            snprintf(view.stem, sizeof(view.stem), "%s-row%lld", stem, (long long)item_row);
        status = draw_row(pictures, features, &view, error);
    }
    return status;
}
