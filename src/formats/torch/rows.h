/* Layers over rows of features: f32[..., C], where the last axis is what ltap_signal.channels
 * counts. What transformers are made of.
 */
#ifndef LTAP_FORMATS_TORCH_ROWS_H
#define LTAP_FORMATS_TORCH_ROWS_H

#include "formats/torch/builder.h"

ltap_signal ltap_build_layer_norm(ltap_builder *b, const char *name, ltap_signal x, double epsilon);
/* LayerNorm of the module that runs. */
ltap_signal ltap_build_layer_norm_here(ltap_builder *b, ltap_signal x, double epsilon);
ltap_signal ltap_build_linear_rows(ltap_builder *b, const char *name, ltap_signal x, bool bias);

/* x times some rows of a weight of the module that runs, transposed. */
typedef struct ltap_rows {
    const char *weight, *bias; /* "in_proj_weight"; bias NULL: none */
    int part, parts;           /* which of how many equal ones of the weight's rows; parts 0: all */
} ltap_rows;
ltap_signal ltap_build_rows(ltap_builder *b, ltap_signal x, const ltap_rows *rows);

/* torchvision's MLP with one hidden layer: "0" Linear, "1" GELU, "2" Dropout, "3" Linear, "4". */
ltap_signal ltap_build_mlp(ltap_builder *b, const char *class_name, const char *name,
                           ltap_signal x);

/* Between images [N,C,H,W] and rows [N,H,W,C]; torchvision's module of that name. */
ltap_signal ltap_build_to_rows(ltap_builder *b, ltap_signal x);
ltap_signal ltap_build_to_image(ltap_builder *b, ltap_signal x);
ltap_signal ltap_build_permute_to_rows(ltap_builder *b, const char *name, ltap_signal x);
ltap_signal ltap_build_permute_to_image(ltap_builder *b, const char *name, ltap_signal x);

#endif
