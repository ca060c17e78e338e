/* Plans: how a request runs for one set of input shapes.
 *
 * A plan is a list of steps over buffers: kernels, layout conversions, taps. It is immutable once
 * made and shared by threads; every offset is decided, so a run only needs one arena. Making one:
 * propagate shapes -> schedule steps (choose kernels, layouts) -> place buffers by life span.
 */
#ifndef LTAP_PLAN_PLAN_H
#define LTAP_PLAN_PLAN_H

#include "backends/impl.h"
#include "plan/propagate.h"
#include "plan/reduce.h"
#include <layertap/getter.h>

#define LTAP_NO_BUFFER UINT32_MAX

typedef enum ltap_buffer_kind {
    LTAP_BUFFER_CONSTANT, /* bytes that the plan or the file holds */
    LTAP_BUFFER_INPUT,    /* the caller's tensor */
    LTAP_BUFFER_ARENA
} ltap_buffer_kind;

typedef struct ltap_buffer {
    ltap_buffer_kind kind;
    uint64_t bytes;
    const void *constant; /* CONSTANT */
    uint32_t input;       /* INPUT: position among the getter's inputs */
    uint64_t offset;      /* ARENA */
    uint32_t first, last; /* steps between which it lives, both included */
} ltap_buffer;

/* A tensor of a step: where it lies and how the kernel sees it. */
typedef struct ltap_operand {
    uint32_t value;     /* LTAP_NO_VALUE: omitted */
    uint32_t buffer;    /* LTAP_NO_BUFFER: omitted, not wanted, or packed */
    ltap_layout layout; /* how the bytes lie */
    ltap_tensor tensor; /* the shape the kernel is told; data NULL */
    uint64_t offset;    /* bytes of the buffer before it */
    int64_t step;       /* floats from pixel to pixel where it is a part of a Concat; or 0 */
} ltap_operand;

typedef enum ltap_step_kind {
    LTAP_STEP_KERNEL,    /* a fast row */
    LTAP_STEP_REFERENCE, /* the operator's plain kernel */
    LTAP_STEP_CONVERT,   /* one layout to another */
    LTAP_STEP_TAP,       /* hands a value out in plain layout, or what is made of it */
    LTAP_STEP_HOOK       /* calls hooks, which see its inputs in plain layout */
} ltap_step_kind;

typedef struct ltap_step {
    ltap_step_kind kind;
    const ltap_node *node;         /* KERNEL, REFERENCE */
    const ltap_node *const *chain; /* nodes that the kernel does as well */
    size_t n_chain;
    ltap_kernel kernel;     /* KERNEL */
    ltap_operand *operands; /* inputs, then outputs */
    size_t n_inputs, n_outputs;
    size_t feature;            /* TAP: which one */
    const ltap_reduce *reduce; /* TAP: what is made of it; NULL: nothing */
    size_t point;              /* HOOK: of the watch's; outputs: what may be replaced */
    uint64_t lent_offset;      /* TAP: where in the arena there is room for view_bytes then */
    bool is_there;             /* TAP: the step before has put the same there */
    uint64_t view_bytes;       /* HOOK, TAP: of what does not lie in plain layout, or is reduced */
    const char *refusals;      /* why faster rows were not taken; "" */
    uint64_t mult_adds, temporary_bytes;
} ltap_step;

/* A place between steps at which hooks are called. */
typedef struct ltap_look {
    size_t point;           /* of the watch's */
    uint32_t node;          /* of the graph; LTAP_NO_NODE: before all of them */
    bool before;            /* before that node, not after it */
    size_t inside;          /* nodes in the layer */
    const uint32_t *values; /* what is looked at */
    size_t n_values;
} ltap_look;

/* Room for a value in plain layout, for hooks to see. */
static inline uint64_t ltap_hook_view_bytes(const ltap_tensor *tensor)
{
    return (ltap_tensor_bytes(tensor) + LTAP_ALIGNMENT - 1) & ~(uint64_t)(LTAP_ALIGNMENT - 1);
}

struct ltap_watch;

typedef struct ltap_plan {
    struct ltap_plan *next; /* in the getter's cache, the latest used first */
    unsigned users;         /* guarded by the getter's lock; one in use is not thrown out */
    ltap_memory *memory;    /* borrowed from the getter */
    ltap_arena arena;       /* steps' own arrays and texts */
    ltap_tensor *inputs;    /* the key: shapes, one a getter input */
    size_t n_inputs;
    const struct ltap_watch *watch; /* of the key: points of hooks; NULL: none */
    ltap_vector steps;              /* ltap_step */
    ltap_vector buffers;            /* ltap_buffer */
    ltap_vector blocks;             /* void *: memory of constants */
    ltap_tensor *features;          /* shapes, one a return layer */
    int *channels;                  /* the axis of each that holds channels; 0: none does */
    size_t n_features, n_nodes, max_operands;
    uint64_t arena_bytes, scratch_bytes, features_bytes, state_bytes, mult_adds;
    uint64_t constant_bytes;  /* computed weights and aligned copies that steps read */
    uint64_t planning_bytes;  /* most that packed weights and computed constants took at once */
    uint64_t mapped_bytes;    /* most that a step has of the file at once to pack it */
    uint64_t temporary_bytes; /* most that the reference kernel of a step takes for itself */
    uint64_t view_bytes; /* most that hooks of one step see in another layout than it lies in, or
                            that lies between the reductions of one tap */
    uint64_t sink_bytes; /* more of the arena, for a forward that hands features on */
} ltap_plan;

/* What a plan is made for. All borrowed for the call; graph, memory and packs for the plan's life.
 */
typedef struct ltap_plan_request {
    const ltap_graph *graph;
    const ltap_graph *base; /* whose values packed weights belong to; graph, or what it is a copy of
                               with the same numbers for the same values */
    const uint8_t *keep;    /* a flag a node */
    const uint32_t *taps;   /* values handed out, in request order; then those looked at */
    size_t n_taps, n_features;  /* all; handed out */
    const ltap_reduce *reduces; /* one a feature; NULL: none */
    const ltap_look *looks;     /* in order of execution */
    size_t n_looks;
    const uint32_t *input_values; /* the inputs that are needed, in order */
    const ltap_tensor *inputs;    /* their shapes */
    size_t n_inputs;
    bool exact, bf16, reference_only, low_memory;
    int threads;
    ltap_packs *packs;
    ltap_memory *memory;
    ltap_reader reader;
} ltap_plan_request;

/* plan: yours to free. Errors name the node. */
ltap_status ltap_plan_new(const ltap_plan_request *request, ltap_plan **plan, ltap_error *error);
void ltap_plan_free(ltap_plan *plan);

/* Gives every arena buffer an offset such that no two that live at once overlap; the total size.
 * Largest first, each at the lowest place that is free during its life (greedy by size, Pisarchyk
 * and Lee 2020). */
ltap_status ltap_offsets_place(ltap_vector *buffers, ltap_memory *memory, uint64_t *arena_bytes,
                               ltap_error *error);

/* Gives every tap a place in the arena that is free just then, for what it hands on; sets
 * sink_bytes to what the arena lacks for that. */
ltap_status ltap_offsets_lend(ltap_plan *plan, ltap_error *error);

/* A line a step, for people. */
ltap_status ltap_plan_explain(const ltap_plan *plan, const ltap_graph *graph,
                              void (*line)(void *user, const char *text), void *user,
                              ltap_error *error);

#endif
