/* Tensors and constants as oneDNN sees them; its errors as ours. */
#ifndef LTAP_BACKENDS_DNNL_MEMORY_H
#define LTAP_BACKENDS_DNNL_MEMORY_H

#include "backends/packs.h"
#include "base/error.h"
#include "tensor/tensor.h"
#include <dnnl.h>

/* `what` names what was asked of oneDNN: "dnnl:conv". */
ltap_status ltap_dnnl_check(dnnl_status_t status, const char *what, ltap_error *error);

/* The dense description of a tensor of rank 1..5; channels last where rank is 4 and asked for. */
bool ltap_dnnl_tensor(const ltap_tensor *tensor, bool channels_last, dnnl_memory_desc_t *desc);
/* The same shape with the layout left to oneDNN. */
dnnl_memory_desc_t ltap_dnnl_any(const dnnl_memory_desc_t *desc);

/* A constant that is to be laid out anew. */
typedef struct ltap_dnnl_reorder {
    dnnl_engine_t engine;
    dnnl_memory_desc_t from, to;
    const void *data;
} ltap_dnnl_reorder;

/* The constant in layout `to`, made once per getter; identity: what packs know it by. */
ltap_status ltap_dnnl_pack(ltap_packs *packs, const void *identity, ltap_dnnl_reorder *reorder,
                           const void **packed, ltap_error *error);

/* What packs know a layout by: everything about it that the packed bytes depend on. */
typedef struct ltap_dnnl_key {
    char text[2048];
} ltap_dnnl_key;
ltap_dnnl_key ltap_dnnl_key_of(const dnnl_memory_desc_t *desc, const char *name);

#endif
