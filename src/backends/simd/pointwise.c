/* Pointwise operators on float32, and chains of them: rows made of simd/vector.h's functions.
 *
 * They take their inputs as they lie, plain or channels last: element by element, the layout does
 * not change a bit.
 */
#include "backends/simd/links.h"
#include "backends/simd/rows.h"

#include "backends/layout.h"
#include "base/error.h"

static bool accepts(const ltap_query *query, ltap_why *why)
{
    ltap_link link;

    if (ltap_tensor_count(&query->outputs[0]) == 0)
        return ltap_refuse(why, "empty");
    return ltap_link_read(query->node, query->inputs, &link, why);
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    ltap_link head;
    ltap_tensor own[2];
    ltap_why why;

    if (!ltap_link_read(query->node, query->inputs, &head, &why))
        return ltap_error_set(error, LTAP_ERROR_INTERNAL, "%s", why.text);
    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, sizeof(ltap_links), "a kernel",
                                     &kernel->state, error));
    for (int i = 0; i < head.n_sources; i++)
        own[i] = ltap_layout_told(&query->inputs[i], query->layout, query->outputs[0].rank);
    ltap_links_from(query, &(ltap_links_heads){&head, 1, own, (size_t)head.n_sources},
                    kernel->state);
    kernel->state_bytes = sizeof(ltap_links);
    kernel->detail = "";
    return LTAP_OK;
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const ltap_links *chain = kernel->state;
    const void *operands[LTAP_LINKS_OPERANDS];
    size_t n_inputs = chain->links[0].node->n_inputs, n_own = (size_t)chain->links[0].n_sources;

    (void)scratch;
    (void)error;
    for (size_t k = 0; k < chain->n_operands; k++)
        operands[k] = inputs[k < n_own ? k : n_inputs + k - n_own];
    if (outputs[0])
        ltap_links_run(chain, operands, outputs);
    return LTAP_OK;
}

#define ROW(id, operator)                                                                          \
    const ltap_impl ltap_impl_simd_##id = {                                                        \
        .op = operator,                                                                            \
        .name = "simd:pointwise",                                                                  \
        .follows = true,                                                                           \
        .chains = true,                                                                            \
        .accepts = accepts,                                                                        \
        .prepare = prepare,                                                                        \
        .run = run,                                                                                \
        .release = ltap_kernel_release,                                                            \
    };
LTAP_SIMD_POINTWISE(ROW)
