/* All fast rows, in the order in which they are tried. */
#include "backends/impl.h"

#include "backends/simd/rows.h"

static const ltap_impl *const rows[] = {
    &ltap_impl_simd_concat,
    &ltap_impl_simd_resize,
    NULL,
};

const ltap_impl *const *ltap_impls(void)
{
    return rows;
}
