/* Inputs and outputs of a network that is built. */
#include "formats/torch/build.h"

#include <string.h>

/* float32[batch,channels,height,width], or less of it; side: of a square, -1: free. */
static ltap_status set_type(ltap_builder *b, uint32_t value, int rank, int64_t channels,
                            int64_t side)
{
    static const char *const symbols[] = {"batch", NULL, "height", "width"};
    void *block;
    LTAP_TRY(ltap_arena_take(&b->graph->arena, 4, sizeof(ltap_dim), &block, b->error));
    for (int i = 0; i < rank; i++)
        ((ltap_dim *)block)[i] = (ltap_dim){i == 1 ? channels : i == 0 ? -1 : side, symbols[i]};
    ltap_graph_at(b->graph, value)->type =
        (ltap_type){LTAP_TYPE_TENSOR, LTAP_FLOAT32, rank, block, NULL};
    return LTAP_OK;
}

/* The graph's lists of them are of its loader to fill. */
static ltap_status add_input(ltap_builder *b, const char *name, int64_t channels, int64_t side,
                             uint32_t *value)
{
    LTAP_TRY(ltap_graph_value(b->graph, name, strlen(name), value, b->error));
    LTAP_TRY(set_type(b, *value, 4, channels, side));
    ltap_graph_at(b->graph, *value)->is_input = true;
    return ltap_vector_push(&b->graph->inputs, value, b->error);
}

ltap_signal ltap_build_square_input(ltap_builder *b, const char *name, int64_t channels,
                                    int64_t side)
{
    ltap_signal x = {0, channels};
    if (ltap_build_is_good(b))
        ltap_build_take(b, add_input(b, name, channels, side, &x.value));
    return x;
}

ltap_signal ltap_build_input(ltap_builder *b, const char *name, int64_t channels)
{
    return ltap_build_square_input(b, name, channels, -1);
}

static ltap_status add_output(ltap_builder *b, const char *name, ltap_signal x, int rank)
{
    uint32_t value = x.value;
    LTAP_TRY(set_type(b, value, rank, x.channels, -1));
    ltap_graph_at(b->graph, value)->is_output = true;
    LTAP_TRY(ltap_vector_push(&b->graph->outputs, &value, b->error));
    return ltap_vector_push(&b->graph->output_names, &name, b->error);
}

void ltap_build_output(ltap_builder *b, const char *name, ltap_signal x, int rank)
{
    if (ltap_build_is_good(b))
        ltap_build_take(b, add_output(b, name, x, rank));
}
