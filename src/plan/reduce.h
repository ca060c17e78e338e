/* Reductions at a tap: what is asked for behind a name, "feat@gap@l2".
 *
 * A table: a name, the shape that it makes of another, and a kernel. The first kernel of a chain
 * reads the value as it lies, so that the whole of it is never copied; each next one reads what the
 * one before it made. Sums are in double and in the order of pixels or channels, whichever way the
 * value lies, so that layouts, batches and threads change no bit.
 */
#ifndef LTAP_PLAN_REDUCE_H
#define LTAP_PLAN_REDUCE_H

#include "backends/impl.h"
#include "base/error.h"

/* A tensor seen as [N, C, P]: axis 0, axis 1, all others; distances in elements. */
typedef struct ltap_seen {
    ltap_tensor tensor; /* type, shape; data as it lies */
    ltap_layout layout;
    int64_t step; /* of an operand: floats from pixel to pixel among others' channels, or 0 */
    int64_t n, c, p;
    int64_t n_step, c_step, p_step;
} ltap_seen;

ltap_seen ltap_reduce_see(const ltap_tensor *tensor, ltap_layout layout, int64_t step);

/* One reduction at work. */
typedef struct ltap_reducing {
    const ltap_seen *src;
    ltap_tensor *dst; /* plain */
    bool last;        /* dst has channels as its last axis, src as axis 1 */
    int64_t count;    /* "topk:5" */
    void *work;       /* of the row's work_bytes */
    int threads;
} ltap_reducing;

typedef struct ltap_reduction {
    const char *name, *wants; /* "gap", "a map [N,C,H,W] of floats" */
    bool counted;             /* ":N" follows */
    bool by_channel;          /* axis 1 of what it reads holds channels */
    bool (*shape)(const ltap_tensor *in, int64_t count, ltap_tensor *out);
    void (*run)(const ltap_reducing *work);
    bool views;        /* where it lies plain, another shape for the same bytes */
    size_t work_bytes; /* for each of `count` */
} ltap_reduction;

/* A NULL name ends it. */
extern const ltap_reduction ltap_reductions[];

enum { LTAP_MAX_REDUCTIONS = 8 };

typedef struct ltap_reduce {
    const char *layer, *text; /* for messages: "layer4", "gap@l2"; borrowed */
    bool last;                /* values of three to five axes have channels as their last */
    bool second;              /* and are handed out with channels as axis 1 */
    size_t n_links;           /* 0: none */
    struct {
        const ltap_reduction *reduction;
        int64_t count;
    } links[LTAP_MAX_REDUCTIONS];
} ltap_reduce;

/* "gap@topk:5"; "" is none. Errors: unknown, with all there are; a count that is none. */
ltap_status ltap_reduce_read(const char *text, ltap_reduce *reduce, ltap_error *error);
/* Whether there is anything to do with such a value. */
bool ltap_reduce_changes(const ltap_reduce *reduce, int rank);
/* The axis of channels of what is made of such a value; 0: there is none. out: the result's axes.
 */
int ltap_reduce_channels(const ltap_reduce *reduce, int rank, int out);
/* Where in its text "topk:5" begins, which has places to tell as well; NULL: nowhere. */
const char *ltap_reduce_topk_in(const ltap_reduce *reduce);

/* Type and shape of the result. Errors: what a link does not take. */
ltap_status ltap_reduce_shape(const ltap_reduce *reduce, const ltap_tensor *in, ltap_tensor *out,
                              ltap_error *error);
/* Memory for what is between the links. src: of a shape that the chain takes; no data. */
uint64_t ltap_reduce_scratch(const ltap_reduce *reduce, const ltap_seen *src);
/* dst: the result's data. scratch: that much. */
void ltap_reduce_run(const ltap_reduce *reduce, const ltap_seen *src, void *dst, void *scratch,
                     int threads);

#endif
