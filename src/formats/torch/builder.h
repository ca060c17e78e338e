/* Building a graph module by module, as PyTorch's forward would call them.
 *
 * A builder remembers the first thing that went wrong and does nothing from then on, so that
 * architectures read as a list of layers; the caller looks once, at the end. Weights are found by
 * the path of the module that runs, sizes come from their shapes.
 */
#ifndef LTAP_FORMATS_TORCH_BUILDER_H
#define LTAP_FORMATS_TORCH_BUILDER_H

#include "formats/torch/checkpoint.h"

/* Of a file that is not the architecture's: what is missing, and what has another shape. */
typedef struct ltap_survey {
    size_t n_found, n_missing;
    char missing[128], refusal[256]; /* the first of each; "" */
} ltap_survey;

/* What shapes cannot tell, as a user adds it to a name: "+heads=6". */
typedef struct ltap_arch_hint {
    const char *name;
    int n_numbers; /* behind "=", with commas between; 0: it stands alone */
} ltap_arch_hint;

struct ltap_architecture;
/* What the user calls a network: "resnet50", "googlenet+transform_input", "vit+heads=6". */
typedef struct ltap_arch {
    const char *text;
    size_t name_bytes;                   /* up to the first plus */
    bool is_family;                      /* of any sizes, but of those that hints say */
    const struct ltap_architecture *row; /* NULL: nothing was said, or a name that is none yet */
} ltap_arch;

typedef struct ltap_builder {
    ltap_torch_checkpoint *checkpoint;
    const ltap_arch *arch; /* NULL: nothing was said */
    ltap_graph *graph;
    ltap_vector path;    /* char: "layer1.0", the module that runs */
    ltap_vector scopes;  /* char: a line per module that runs, outermost first: path, tab, class */
    const char *summary; /* set by the architecture: "resnet18: ..." */
    const char *preprocess; /* set where it is not the architecture's */
    ltap_vector names;      /* of the modules that run, see builder.c */
    int next;               /* number of the next module that is called so */
    ltap_survey *survey;    /* NULL: differences end the building */
    ltap_status status;
    ltap_error *error;
} ltap_builder;

/* What flows between layers. */
typedef struct ltap_signal {
    uint32_t value;
    int64_t channels;
} ltap_signal;

/* b: zeroed but for checkpoint, graph and error. */
void ltap_builder_init(ltap_builder *b);
void ltap_builder_clear(ltap_builder *b);

/* As a module's name: the next number, as the children of a Sequential are called. */
#define LTAP_NEXT NULL

/* A module begins or ends. name may hold dots, where containers are never called ("convs.0").
 * class_name: "torchvision.models.resnet.BasicBlock". */
void ltap_build_enter(ltap_builder *b, const char *class_name, const char *name);
void ltap_build_enter_at(ltap_builder *b, const char *class_name, int number);
void ltap_build_leave(ltap_builder *b);
const char *ltap_build_path(const ltap_builder *b); /* "layer1.0", the module that runs; "" */

/* torch.nn's layers by name, in the module that runs. */
enum { LTAP_SAME = -1 }; /* padding: the size is kept, but for the stride */
typedef struct ltap_conv {
    int64_t stride, padding, dilation; /* 0 stride or dilation: 1 */
    int64_t kernel, groups;            /* 0: as the shapes say; else they must say so */
    int64_t kernel_width;              /* 0: as kernel, which then is the height */
    bool bias;                         /* the file has one, or must have none */
} ltap_conv;
ltap_signal ltap_build_conv(ltap_builder *b, const char *name, ltap_signal x, ltap_conv conv);
ltap_signal ltap_build_batch_norm(ltap_builder *b, const char *name, ltap_signal x, double epsilon);
ltap_signal ltap_build_linear(ltap_builder *b, const char *name, ltap_signal x);
ltap_signal ltap_build_relu(ltap_builder *b, const char *name, ltap_signal x);
/* What has no weights, and one input of any shape. */
typedef struct ltap_activation ltap_activation;
extern const ltap_activation ltap_relu, ltap_relu6, ltap_silu, ltap_hard_swish, ltap_hard_sigmoid,
    ltap_sigmoid, ltap_gelu, ltap_tanh;
ltap_signal ltap_build_activation(ltap_builder *b, const char *name, const ltap_activation *kind,
                                  ltap_signal x);
/* A module that hands on what it gets, at inference. */
ltap_signal ltap_build_identity(ltap_builder *b, const char *class_name, const char *name,
                                ltap_signal x);
ltap_signal ltap_build_flatten_module(ltap_builder *b, const char *name, ltap_signal x);
ltap_signal ltap_build_dropout(ltap_builder *b, const char *name, ltap_signal x);
typedef struct ltap_pool {
    int64_t kernel, stride, padding;
    bool average; /* padding counts; else the largest */
    bool ceil;    /* a last window may hang over the end */
} ltap_pool;
ltap_signal ltap_build_pool(ltap_builder *b, const char *name, ltap_signal x, ltap_pool pool);
ltap_signal ltap_build_adaptive_pool(ltap_builder *b, const char *name, ltap_signal x,
                                     int64_t size);

/* Operations of the module itself. */
ltap_signal ltap_build_multiply(ltap_builder *b, ltap_signal x, ltap_signal y); /* channels: y's */
ltap_signal ltap_build_add(ltap_builder *b, ltap_signal x, ltap_signal y);
/* count channels, from the one of that number on. */
ltap_signal ltap_build_channels(ltap_builder *b, ltap_signal x, int64_t first, int64_t count);
ltap_signal ltap_build_relu_here(ltap_builder *b, ltap_signal x);
ltap_signal ltap_build_pool_here(ltap_builder *b, ltap_signal x, ltap_pool pool);
ltap_signal ltap_build_global_pool_here(ltap_builder *b, ltap_signal x); /* to 1x1 */
ltap_signal ltap_build_mean_here(ltap_builder *b, ltap_signal x);        /* to rank 2 */
ltap_signal ltap_build_flatten(ltap_builder *b, ltap_signal x);
#define LTAP_BUILD_MAX_PARTS 64
/* Along the channels. */
ltap_signal ltap_build_concat(ltap_builder *b, const ltap_signal *parts, size_t count);
/* Bilinear, without aligned corners, to the height and width of another value. */
ltap_signal ltap_build_resize_like(ltap_builder *b, ltap_signal x, ltap_signal like);

ltap_signal ltap_build_input(ltap_builder *b, const char *name, int64_t channels);
/* Of images of one size only. */
ltap_signal ltap_build_square_input(ltap_builder *b, const char *name, int64_t channels,
                                    int64_t side);
/* rank: 2 (batch, features) or 4. */
void ltap_build_output(ltap_builder *b, const char *name, ltap_signal x, int rank);

/* "path" with a printed name behind, for questions to the checkpoint; NULL: no such tensor. */
const ltap_torch_tensor *ltap_torch_findf(const ltap_torch_checkpoint *checkpoint,
                                          const char *format, ...) LTAP_PRINTF(2, 3);
/* A tensor below the module that runs, for questions; NULL: there is none. */
const ltap_torch_tensor *ltap_build_child(const ltap_builder *b, const char *name);
bool ltap_torch_any(const ltap_torch_checkpoint *checkpoint, const char *prefix); /* a name */
/* The first number n for which no tensor's name begins with the printed prefix, n and a dot. */
int ltap_torch_countf(const ltap_torch_checkpoint *checkpoint, const char *format, ...)
    LTAP_PRINTF(2, 3);
/* Gives tensors whose names hold a part of old times today's, as PyTorch does when it loads them.
 */
void ltap_torch_rename(ltap_builder *b, const char *part, const char *todays);
/* Leaves tensors alone that are for training only. */
void ltap_torch_skip(const ltap_torch_checkpoint *checkpoint, const char *prefix);
int64_t ltap_torch_dim(const ltap_torch_tensor *tensor, int axis); /* 0: not there */
/* Whether the user's name is this one, whatever hints follow. */
bool ltap_build_is_called(const ltap_builder *b, const char *name);
/* Whether the user gave a hint. numbers: as many as its row has. */
bool ltap_build_hint(const ltap_builder *b, const char *name, int64_t *numbers);
void ltap_build_refuse(ltap_builder *b, const char *format, ...) LTAP_PRINTF(2, 3);
void ltap_build_summary(ltap_builder *b, const char *format, ...) LTAP_PRINTF(2, 3);

#endif
