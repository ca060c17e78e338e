/* Our own fast rows: what oneDNN lacks, kept in channels-last between convolutions. Portable C in
 * loops that the compiler vectorises.
 */
#ifndef LTAP_BACKENDS_SIMD_ROWS_H
#define LTAP_BACKENDS_SIMD_ROWS_H

#include "backends/impl.h"

extern const ltap_impl ltap_impl_simd_concat;
extern const ltap_impl ltap_impl_simd_max_pool;
extern const ltap_impl ltap_impl_simd_resize;

#endif
