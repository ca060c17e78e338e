/* Pools: torch.nn's modules, and the functions that modules call. */
#include "formats/torch/build.h"

#define CLASS(name) "torch.nn.modules.pooling." name

ltap_signal ltap_build_pool_here(ltap_builder *b, ltap_signal x, ltap_pool pool)
{
    int64_t side = pool.padding;
    const ltap_attr attrs[] = {
        LTAP_ATTR_N("kernel_shape", 2, ((int64_t[]){pool.kernel, pool.kernel})),
        LTAP_ATTR_N("strides", 2, ((int64_t[]){pool.stride, pool.stride})),
        LTAP_ATTR_N("pads", 4, ((int64_t[]){side, side, side, side})),
        LTAP_ATTR_I("ceil_mode", pool.ceil), LTAP_ATTR_I("count_include_pad", 1)};
    size_t n_attrs = pool.average ? 5 : 4;
    return (ltap_signal){
        ltap_build_node(b, (ltap_node){.op_type = pool.average ? "AveragePool" : "MaxPool",
                                       .inputs = &x.value,
                                       .n_inputs = 1,
                                       .attrs = attrs,
                                       .n_attrs = n_attrs}),
        x.channels};
}

ltap_signal ltap_build_pool(ltap_builder *b, const char *name, ltap_signal x, ltap_pool pool)
{
    ltap_build_enter(b, pool.average ? CLASS("AvgPool2d") : CLASS("MaxPool2d"), name);
    x = ltap_build_pool_here(b, x, pool);
    ltap_build_leave(b);
    return x;
}

ltap_signal ltap_build_global_pool_here(ltap_builder *b, ltap_signal x)
{
    return (ltap_signal){ltap_build_op(b, "GlobalAveragePool", 1, &x.value), x.channels};
}

ltap_signal ltap_build_mean_here(ltap_builder *b, ltap_signal x)
{
    ltap_attr attr = LTAP_ATTR_I("keepdims", 0);
    uint32_t inputs[] = {x.value, ltap_build_list(b, 2, (int64_t[]){2, 3})};
    return (ltap_signal){ltap_build_node(b, (ltap_node){.op_type = "ReduceMean",
                                                        .inputs = inputs,
                                                        .n_inputs = 2,
                                                        .attrs = &attr,
                                                        .n_attrs = 1}),
                         x.channels};
}

static ltap_signal adaptive_pool_here(ltap_builder *b, ltap_signal x, int64_t size)
{
    ltap_attr attr = LTAP_ATTR_N("output_size", 2, ((int64_t[]){size, size}));
    return (ltap_signal){ltap_build_node(b, (ltap_node){.op_type = "AdaptiveAveragePool",
                                                        .domain = "layertap",
                                                        .inputs = &x.value,
                                                        .n_inputs = 1,
                                                        .attrs = &attr,
                                                        .n_attrs = 1}),
                         x.channels};
}

ltap_signal ltap_build_adaptive_pool(ltap_builder *b, const char *name, ltap_signal x, int64_t size)
{
    ltap_build_enter(b, CLASS("AdaptiveAvgPool2d"), name);
    x = size == 1 ? ltap_build_global_pool_here(b, x) : adaptive_pool_here(b, x, size);
    ltap_build_leave(b);
    return x;
}
