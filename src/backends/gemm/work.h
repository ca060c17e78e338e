/* Sharing a matrix product out among threads, and the chain that follows it.
 *
 * Rows are done a chunk at a time, and the chain is done on the chunk before it leaves the cache.
 * Threads share the rows out among them, always in the same way, so that what one has written it
 * finds in its own cache; of very few rows, the columns instead, so that no two read all weights.
 */
#ifndef LTAP_BACKENDS_GEMM_WORK_H
#define LTAP_BACKENDS_GEMM_WORK_H

#include "backends/gemm/gemm.h"
#include "backends/simd/links.h"

/* Immutable once made. */
typedef struct ltap_work {
    ltap_panels panels;
    int64_t rows, columns, chunk; /* of the left side; of all products; rows at a time */
    int64_t step;                 /* floats from one row of the result to the next */
    int64_t plane;                /* not 0: see ltap_work_size */
    int threads;                  /* that share the work */
    bool by_panel;
    size_t n_inputs;
    const float *packed; /* NULL: packed at each run, from source */
    ltap_panels_source source;
    uint64_t source_bytes, packed_bytes;
    const ltap_packs *packs;
    int fillers; /* threads that pack */
    ltap_links chain;
} ltap_work;

/* What is multiplied, in so many products side by side (see ltap_panels); row_bytes: of the left
 * side that a row adds to what is read. */
typedef struct ltap_work_size {
    int64_t rows, taps, depth, columns, groups, row_bytes;
    /* Not 0: rows that lie so far apart read the same again (planes of a volume); a chunk is done
     * of all planes before the next. */
    int64_t plane;
    bool pairs; /* of bfloat16: the depth counts pairs */
} ltap_work_size;
/* How it is cut: a pure function of the size and the number of threads. The chain is the query's,
 * after output 0, whose rows lie one after the other. */
void ltap_work_init(const ltap_query *query, const ltap_work_size *size, ltap_work *work);
/* Packs input 1, or sees to it that each run does. */
ltap_status ltap_work_pack(const ltap_query *query, const ltap_panels_source *source,
                           ltap_work *work, ltap_kernel *kernel, ltap_error *error);
/* Working memory: for what each run packs, and the pointers. UINT64_MAX: too much. */
uint64_t ltap_work_scratch(const ltap_work *work);

/* Fills in pointers for rows from `first` on, block after block (see ltap_gemm). */
typedef void (*ltap_work_point)(const void *context, int64_t first, const ltap_blocks *blocks,
                                const float **pointers);
typedef struct ltap_work_job {
    const ltap_work *work;
    ltap_work_point point;
    void (*multiply)(const ltap_gemm *gemm); /* NULL: ltap_gemm_run */
    const void *context;                     /* for point */
    const void *const *inputs;               /* the node's, then the chain's */
    const float *bias;                       /* a number a column, or NULL */
    void *const *outputs;                    /* the product's, then what the chain keeps */
    void *scratch;
} ltap_work_job;
void ltap_work_run(const ltap_work_job *job);

#endif
