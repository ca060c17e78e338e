/* Architectures: a row each. The first whose weights are there is built; what the file then holds
 * too much, or too little, refuses it.
 */
#ifndef LTAP_FORMATS_TORCH_ARCHITECTURE_H
#define LTAP_FORMATS_TORCH_ARCHITECTURE_H

#include "formats/torch/builder.h"

/* A table whose rows begin with a name. */
typedef struct ltap_names {
    const void *rows;
    size_t row_bytes, count;
} ltap_names;
#define LTAP_NAMES(table)                                                                          \
    {                                                                                              \
        table, sizeof *table, sizeof table / sizeof *table                                         \
    }

typedef struct ltap_architecture {
    const char *name;
    bool (*fits)(const ltap_torch_checkpoint *checkpoint); /* by few names and shapes */
    void (*build)(ltap_builder *b);
    const char *preprocess;      /* JSON as in a model's metadata; a builder may know better */
    ltap_names variants;         /* torchvision's */
    const ltap_arch_hint *hints; /* up to a row with name NULL; NULL: none */
} ltap_architecture;

/* The one hint of networks whose last stages may keep their size: "output_stride". */
extern const ltap_arch_hint ltap_output_stride[];

/* The rows of architectures.def; NULL behind the last. */
const ltap_architecture *ltap_torch_row(size_t index);
/* Reads what the user calls the network. text: kept. Errors: LTAP_ERROR_ARGUMENT with the nearest
 * names, or with what may stand behind the plus. */
ltap_status ltap_arch_read(const char *text, ltap_arch *arch, ltap_error *error);

/* Widths by name, for networks that differ in nothing else. */
typedef struct ltap_width {
    const char *name;
    int64_t width;
} ltap_width;
/* otherwise: what it is called where it is none of them. */
const char *ltap_width_name(const ltap_width *rows, size_t count, int64_t width,
                            const char *otherwise);

/* Where no row fits as a whole: the one with most in common. */
typedef struct ltap_nearest {
    const char *name; /* NULL: none is near */
    const char *differs;
} ltap_nearest;
ltap_status ltap_torch_nearest(ltap_torch_checkpoint *checkpoint, ltap_nearest *nearest,
                               ltap_error *error);
/* What differs from what the user calls it, however much that is. */
ltap_status ltap_torch_differs(ltap_torch_checkpoint *checkpoint, const ltap_arch *arch,
                               const char **differs, ltap_error *error);
/* The first word of a summary, where it is a name ("resnet50 by ..."); else the family's. */
void ltap_torch_name(const char *summary, const char *family, char name[64]);
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
