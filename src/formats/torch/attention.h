/* Attention over rows f32[..., S, E] in pieces, each head a part of E. */
#ifndef LTAP_FORMATS_TORCH_ATTENTION_H
#define LTAP_FORMATS_TORCH_ATTENTION_H

#include "formats/torch/rows.h"

typedef struct ltap_heads {
    int rank; /* of the rows */
    int64_t count;
} ltap_heads;

/* Queries, keys or values: rows by a part of a weight, as f32[..., S, heads, size]. */
ltap_signal ltap_build_heads(ltap_builder *b, ltap_signal x, const ltap_rows *rows,
                             const ltap_heads *heads);
/* f32[..., heads, queries, keys]; scaled by a number, unless it is 1. */
uint32_t ltap_build_scores(ltap_builder *b, ltap_signal queries, ltap_signal keys, float scale);
/* The values, weighted by the softmax of the scores, as rows again. */
ltap_signal ltap_build_attend(ltap_builder *b, uint32_t scores, ltap_signal values,
                              const ltap_heads *heads);

/* torch.nn.MultiheadAttention of rows f32[N,S,E] with themselves. */
ltap_signal ltap_build_self_attention(ltap_builder *b, const char *name, ltap_signal x,
                                      int64_t heads);

#endif
