/* Attention; see attention.h. Queries, keys and values are products of their own, and an Einsum
 * reads them as they lie, so that nothing is moved before the values are weighted.
 */
#include "formats/torch/attention.h"

#include "formats/torch/build.h"

#include <math.h>
#include <string.h>

static uint32_t einsum(ltap_builder *b, const char *equation, uint32_t x, uint32_t y)
{
    const ltap_attr attr = LTAP_ATTR_S("equation", equation);
    return ltap_build_node(b, (ltap_node){.op_type = "Einsum",
                                          .inputs = (uint32_t[]){x, y},
                                          .n_inputs = 2,
                                          .attrs = &attr,
                                          .n_attrs = 1});
}

ltap_signal ltap_build_heads(ltap_builder *b, ltap_signal x, const ltap_rows *rows,
                             const ltap_heads *heads)
{
    int64_t dims[LTAP_MAX_RANK] = {0};
    x = ltap_build_rows(b, x, rows);
    if (heads->count < 1 || x.channels % heads->count != 0) {
        ltap_build_refuse(b, "'%s' has %lld features, which are not %lld heads", ltap_build_path(b),
                          (long long)x.channels, (long long)heads->count);
        return x;
    }
    dims[heads->rank - 1] = heads->count;
    dims[heads->rank] = x.channels / heads->count;
    x.value = ltap_build_reshape(b, x.value, (size_t)heads->rank + 1, dims);
    return x;
}

uint32_t ltap_build_scores(ltap_builder *b, ltap_signal queries, ltap_signal keys, float scale)
{
    uint32_t scores = einsum(b, "...qhd,...khd->...hqk", queries.value, keys.value);
    if (scale != 1)
        scores = ltap_build_op(b, "Mul", 2, (uint32_t[]){scores, ltap_build_number(b, scale)});
    return scores;
}

ltap_signal ltap_build_attend(ltap_builder *b, uint32_t scores, ltap_signal values,
                              const ltap_heads *heads)
{
    int64_t perm[LTAP_MAX_RANK], dims[LTAP_MAX_RANK] = {0};
    int last = heads->rank;
    uint32_t weights = ltap_build_op_along(b, "Softmax", -1, 1, &scores);
    uint32_t y = einsum(b, "...hqk,...khd->...hqd", weights, values.value);
    for (int i = 0; i <= last; i++)
        perm[i] = i;
    perm[last - 2] = last - 1;
    perm[last - 1] = last - 2;
    dims[last - 1] = values.channels;
    y = ltap_build_transpose(b, y, (size_t)last + 1, perm);
    return (ltap_signal){ltap_build_reshape(b, y, (size_t)last, dims), values.channels};
}

ltap_signal ltap_build_self_attention(ltap_builder *b, const char *name, ltap_signal x,
                                      int64_t n_heads)
{
    const ltap_heads heads = {3, n_heads};
    const float scale = (float)(1 / sqrt((double)x.channels / (double)(n_heads ? n_heads : 1)));
    ltap_signal parts[3];
    ltap_build_enter(b, "torch.nn.modules.activation.MultiheadAttention", name);
    for (int i = 0; i < 3; i++)
        parts[i] = ltap_build_heads(
            b, x, &(ltap_rows){"in_proj_weight", "in_proj_bias", .part = i, .parts = 3}, &heads);
    uint32_t scores = ltap_build_scores(b, parts[0], parts[1], scale);
    x = ltap_build_attend(b, scores, parts[2], &heads);
    x = ltap_build_rows(b, x, &(ltap_rows){.weight = "out_proj.weight", .bias = "out_proj.bias"});
    ltap_build_leave(b);
    return x;
}
