/* Fast kernels: rows (operator, name, accepts, prepare, run) above the reference kernel.
 *
 * The rows of an operator are tried in order; the first that accepts is used, so the choice is a
 * pure function of the node, its shapes, the mode, threads and processor. Taking all rows away
 * leaves a slower program that passes every test.
 */
#ifndef LTAP_BACKENDS_IMPL_H
#define LTAP_BACKENDS_IMPL_H

#include "backends/packs.h"
#include "backends/simd/vector.h"
#include "ops/op.h"
#include <stdio.h>

/* How a value of one to three spatial axes (rank 3 to 5) lies in memory. Other ranks are always
 * plain. */
typedef enum ltap_layout {
    LTAP_LAYOUT_PLAIN = 0,     /* row-major as the shape says: NCHW */
    LTAP_LAYOUT_CHANNELS_LAST, /* NHWC: axes 0,2,3,1, channels fastest */
    LTAP_LAYOUT_COUNT
} ltap_layout;

#define LTAP_LAYOUT_MAX_RANK 5
static inline bool ltap_layout_applies(int rank)
{
    return rank >= 3 && rank <= LTAP_LAYOUT_MAX_RANK;
}

/* The axis that comes at place i of `rank`, from the slowest on. */
static inline int ltap_layout_axis(ltap_layout layout, int rank, int i)
{
    if (layout == LTAP_LAYOUT_PLAIN || i == 0)
        return i;
    return i == rank - 1 ? 1 : i + 1;
}

#define LTAP_IMPL_MAX_INPUTS 8
/* Nodes at most that a kernel does after its own, and other tensors that they read. */
#define LTAP_IMPL_MAX_CHAIN  11
#define LTAP_IMPL_MAX_EXTRAS 6

/* A pointwise node that a kernel does after its own. */
typedef struct ltap_link {
    const ltap_node *node;
    ltap_vector_map map;
    float params[2];
    int n_sources;
    int sources[2]; /* >= 0: that extra; ~0: what the kernel itself makes; ~i: link i - 1's result
                     */
} ltap_link;

/* What a row is asked. Tensors have concrete shapes; constants have data (plain). */
typedef struct ltap_query {
    const ltap_node *node;
    const ltap_tensor *inputs; /* omitted: dtype LTAP_UNDEFINED */
    size_t n_inputs;
    const ltap_tensor *outputs;
    size_t n_outputs;
    bool exact, bf16; /* bf16: products may be of bfloat16 */
    int threads;
    /* Of output 0. Not yet known to accepts. */
    ltap_layout layout;
    /* Floats from one pixel of output 0 to the next, where it is written among the channels of a
     * larger tensor; 0: its pixels lie side by side. More than one channel. For prepare of a row
     * that is apart. */
    int64_t step;
    /* Nodes of output 0's shape that follow, and no other node reads what is in between: for
     * prepare of a row that chains. Extras have the shape in which they lie. */
    const ltap_link *chain;
    const ltap_tensor *extras;
    size_t n_chain, n_extras;
    /* What of it is handed out besides: bit 0 what the kernel itself makes, bit i what link i - 1
     * does. These are outputs 1, 2, ... of run, in the order of the bits. */
    uint32_t kept;
    /* n_inputs entries: what a constant input is to packs (its data may be a copy that is made anew
     * for each plan): pass identities[i] as the source of ltap_packs_get. NULL for the others. */
    const void *const *identities;
    /* Bit i: constant input i stays where it is, and memory is short: for prepare of a row that can
     * pack it at each run, in scratch memory. */
    uint32_t again;
    /* n_inputs entries: whether it lies channels last now (and that is not plain as well). For
     * layouts and prepare of a row that has the same bits either way. NULL: none does. */
    const bool *lies_last;
    ltap_packs *packs;   /* where packed weights live; shared by all plans of a getter */
    ltap_memory *memory; /* for the kernel's own state */
} ltap_query;

static inline bool ltap_query_lies_last(const ltap_query *query, size_t input)
{
    return query->lies_last && query->lies_last[input];
}

/* Why a row refuses; one short phrase. */
typedef struct ltap_why {
    char text[128];
} ltap_why;

/* Fills `why` and is false: `return ltap_refuse(why, "...")`. */
static inline bool ltap_refuse(ltap_why *why, const char *reason)
{
    snprintf(why->text, sizeof(why->text), "%s", reason);
    return false;
}

typedef struct ltap_impl ltap_impl;

/* A row made ready for one node of one plan. Immutable; shared by threads. */
typedef struct ltap_kernel {
    const ltap_impl *impl;
    void *state;            /* the row's own; freed by impl->release */
    uint64_t scratch_bytes; /* working memory that run wants, aligned to LTAP_ALIGNMENT */
    uint64_t mapped_bytes;  /* what run has of the file at once to pack it */
    uint64_t state_bytes;   /* what prepare took besides packs, for the estimate */
    uint32_t
        packed_inputs;  /* bit i: input i lives in packs or state now; run does not look at it */
    const char *detail; /* what the library chose: "brgconv:avx512_core"; or "" */
} ltap_kernel;

struct ltap_impl {
    const char *op;   /* operator's name, domain "" */
    const char *name; /* "dnnl:conv" */
    /* Pure. `why` is filled on refusal. chain is not looked at. */
    bool (*accepts)(const ltap_query *query, ltap_why *why);
    /* The layouts it wants of its inputs (of those that are not packed) and gives its outputs.
     * NULL: all plain. in: n_inputs, out: n_outputs entries, preset to plain. */
    void (*layouts)(const ltap_query *query, ltap_layout *in, ltap_layout *out);
    /* Pointwise: takes its inputs channels last where they lie so, and gives its output so. */
    bool follows;
    /* Does the query's chain too, with the very bits of separate nodes: its output 0 is then what
     * the chain's last link makes. */
    bool chains;
    /* Obeys the query's step. */
    bool apart;
    /* Bit i: float32 input i, where it is constant, need not be aligned to its type. */
    uint32_t loose;
    /* Makes the kernel, packs weights. Plain row-major descriptions in the query, memory in the
     * agreed layouts. */
    ltap_status (*prepare)(const ltap_query *query, ltap_kernel *kernel, ltap_error *error);
    /* inputs and outputs: data pointers, NULL where omitted or packed; extras follow inputs, what
     * is kept of a chain follows output 0. */
    ltap_status (*run)(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error);
    void (*release)(ltap_kernel *kernel, ltap_memory *memory);
};

/* The release of rows whose state is one block. */
void ltap_kernel_release(ltap_kernel *kernel, ltap_memory *memory);

/* Whether this processor has products of bfloat16. */
bool ltap_impls_have_bf16(void);

/* What any row of that operator takes loose. */
uint32_t ltap_impls_loose(const char *op);

/* Rows in order; NULL-terminated. */
const ltap_impl *const *ltap_impls(void);

#endif
