/* Hooks: callbacks at inner layers while a forward runs; register_forward_hook and
 * register_forward_pre_hook of PyTorch, in C.
 *
 * A hook belongs to a run. It sees a layer's inputs just before the layer is computed, or its
 * output as soon as that exists, and answers whether to go on or to stop there. Hooks are called in
 * the thread of ltap_run_forward, in the order of execution: of modules that begin together, the
 * outer one first; of those that end together, the inner one; several hooks on one layer in the
 * order in which they were added. A run without hooks pays nothing for them, and hooks that only
 * look change no bit of any value.
 *
 * A hook that replaces gives a layer another output, for all that comes after it and for the
 * features; or other inputs, for that layer alone. A value that is replaced is computed by itself:
 * where the whole network computes a convolution and the BatchNormalization after it as one, they
 * become two, and last bits after them may differ; nothing else changes.
 *
 * Inside a callback the run must not be freed; a forward of the same run is refused, other runs may
 * be used. Hooks may be added (called from the next forward on) and removed (not called any more).
 */
#ifndef LAYERTAP_HOOK_H
#define LAYERTAP_HOOK_H

#include <layertap/error.h>
#include <layertap/export.h>
#include <layertap/getter.h>
#include <layertap/run.h>
#include <layertap/tensor.h>

LTAP_BEGIN

typedef enum ltap_hook_side {
    LTAP_HOOK_AFTER = 0, /* the layer's output */
    LTAP_HOOK_BEFORE = 1 /* what the layer reads, in its order, but for weights and sizes */
} ltap_hook_side;

typedef enum ltap_hook_answer {
    LTAP_HOOK_CONTINUE = 0,
    LTAP_HOOK_REPLACED = 1, /* goes on with what is in call->tensors now; for hooks that may */
    LTAP_HOOK_STOP = 2,  /* ends the forward here, without an error: what was to come is missing */
    LTAP_HOOK_FAILED = 3 /* ends the forward with call->error, or LTAP_ERROR_HOOK */
} ltap_hook_answer;

/* What a callback is told. All of it is lent until the callback returns. */
typedef struct ltap_hook_call {
    const char *layer; /* resolved, in full: "layer1.0.relu#1" */
    const char *kind;  /* "module", "node", "value", "input", "output" */
    size_t call;       /* which call of the module, from 0 */
    ltap_hook_side side;
    /* Inside a Loop or Scan: which iteration of the innermost one, from 0; and of all around, the
     * outermost first. Elsewhere 0, and none. */
    size_t iteration;
    const size_t *iterations;
    size_t n_iterations;
    /* AFTER: one; BEFORE: one an input. Plain row-major. A hook that replaces writes into the data,
     * or sets `data` to memory of its own, which must stay as it is until the forward returns or
     * the hook is called again; type and shape stay. To all others they are read only. */
    ltap_tensor *tensors;
    size_t n_tensors;
    ltap_error *error; /* for FAILED: may be set, by calls of layertap as well; else left alone */
} ltap_hook_call;

/* Zero-initialise. */
typedef struct ltap_hook {
    const char *layer; /* a selector (see getter.h), copied. A module that is called several times
                          is hooked at each call; a pattern hooks every layer it stands for. What is
                          in the body of an If, Loop or Scan ("Loop_3.body.conv", or "conv" where
                          only one body has that; see ltap_model_inside) is hooked each time that it
                          runs */
    ltap_hook_side side;
    int replaces; /* 1: may answer LTAP_HOOK_REPLACED; inside bodies only AFTER */
    /* Asked first, with the tensors' types and shapes and data NULL: 0 lets this call go by without
     * bringing the data into plain layout, and the callback is not called. NULL: always wanted. */
    int (*wants)(void *user, const ltap_hook_call *call);
    ltap_hook_answer (*callback)(void *user, ltap_hook_call *call); /* never NULL */
    void *user;                                                     /* handed on */
} ltap_hook;

/* Adds a hook, from the next forward on. number: under which to remove it; never given twice by a
 * run, never 0; may be NULL. Errors: unknown, ambiguous, folded layers; LTAP_ERROR_UNKNOWN_LAYER
 * for a layer that the request does not need, so that it is never computed. */
LTAP_API LTAP_MUST_USE ltap_status ltap_hook_add(ltap_run *run, const ltap_hook *hook,
                                                 uint64_t *number, ltap_error *error);
/* Removes that hook and no other, at once, also from inside a callback. A number that is removed
 * already, or was never given, does nothing. */
LTAP_API void ltap_hook_remove(ltap_run *run, uint64_t number);

LTAP_END

#endif
