/* Architectures: a row each. The first whose weights are there is built; what the file then holds
 * too much, or too little, refuses it.
 */
#ifndef LTAP_FORMATS_TORCH_ARCHITECTURE_H
#define LTAP_FORMATS_TORCH_ARCHITECTURE_H

#include "formats/torch/builder.h"

typedef struct ltap_architecture {
    const char *name;
    bool (*fits)(const ltap_torch_checkpoint *checkpoint); /* by few names and shapes */
    void (*build)(ltap_builder *b);
    const char *preprocess; /* JSON as in a model's metadata; a builder may know better */
} ltap_architecture;

/* Where no row fits as a whole: the one with most in common. */
typedef struct ltap_nearest {
    const char *name; /* NULL: none is near */
    const char *differs;
} ltap_nearest;
ltap_status ltap_torch_nearest(ltap_torch_checkpoint *checkpoint,
                               const ltap_architecture *const *rows, size_t n_rows,
                               ltap_nearest *nearest, ltap_error *error);
/* A tensor that is not used; counters of training are nobody's. count: of all such tensors. */
const ltap_torch_tensor *ltap_torch_unused(const ltap_torch_checkpoint *checkpoint, size_t *count);

#define LTAP_IMAGENET_COLOURS                                                                      \
    "\"mean\":[0.485,0.456,0.406],\"std\":[0.229,0.224,0.225],\"scale\":255"
#define LTAP_BICUBIC                        "\"filter\":\"bicubic\","
#define LTAP_PREPROCESS(resize, crop, more) "{\"resize\":" #resize ",\"crop\":" #crop "," more "}"
#define LTAP_IMAGENET                       LTAP_PREPROCESS(256, 224, LTAP_IMAGENET_COLOURS)
#define LTAP_SEGMENTATION                   "{\"resize\":520," LTAP_IMAGENET_COLOURS "}"

#define LTAP_ARCHITECTURE(name)             extern const ltap_architecture ltap_torch_##name;
#include "formats/torch/architectures.def"
#undef LTAP_ARCHITECTURE

#endif
