/* The state while a plan's steps are being written down; inside of src/plan only. */
#ifndef LTAP_PLAN_SCHEDULE_H
#define LTAP_PLAN_SCHEDULE_H

#include "plan/plan.h"

/* Where a value lies: one buffer a layout, LTAP_NO_BUFFER where it does not. A part of a Concat's
 * output lies in that only: channels last, from an offset on, with a step from pixel to pixel. */
typedef struct ltap_place {
    uint32_t buffer[LTAP_LAYOUT_COUNT];
    uint32_t whole; /* the buffer that it is a part of, or LTAP_NO_BUFFER */
    uint64_t offset;
    int64_t step;
} ltap_place;

typedef struct ltap_schedule {
    const ltap_plan_request *request;
    ltap_plan *plan;
    ltap_propagation known;
    ltap_place *places;      /* one a value */
    uint32_t *uses;          /* one a value: kept nodes that still have to read it */
    uint32_t *tapped;        /* one a value: 1 + its first tap, 0: none */
    uint32_t *next_tap;      /* one a tap: 1 + the next tap of the same value */
    uint8_t *resident;       /* one a value: a constant that a step reads at run time */
    size_t next_look;        /* of the request's: the next hooks in order */
    uint8_t *done;           /* one a node: inside the kernel of a node before it */
    ltap_tensor *tensors;    /* scratch for calls, twice the largest arity */
    const void **identities; /* scratch */
    bool *lies_last;         /* scratch */
    ltap_layout *layouts;    /* scratch */
} ltap_schedule;

/* True when the two layouts of a tensor are the same bytes (one channel, or one pixel). */
bool ltap_schedule_neutral(const ltap_tensor *tensor);

/* The buffer of a value in a layout, converting (a step) or computing a constant where needed. */
ltap_status ltap_schedule_obtain(ltap_schedule *schedule, uint32_t value, ltap_layout layout,
                                 uint32_t *buffer, ltap_error *error);
/* A value lies in a buffer from here on. */
void ltap_schedule_settle(ltap_schedule *schedule, uint32_t value, ltap_layout layout,
                          uint32_t buffer);
/* A new arena buffer for a value that the next step makes. */
ltap_status ltap_schedule_make(ltap_schedule *schedule, uint32_t value, ltap_layout layout,
                               uint32_t *buffer, ltap_error *error);
/* Appends a step and lengthens the lives of its buffers to it. */
ltap_status ltap_schedule_append(ltap_schedule *schedule, const ltap_step *step, ltap_error *error);
/* Zeroed operands for a step, from the plan's arena. */
ltap_status ltap_schedule_operands(ltap_schedule *schedule, size_t count, ltap_operand **operands,
                                   ltap_error *error);

/* Parts: a value that a Concat of channels alone reads is made where the Concat would copy it to
 * (parts.c). */

/* The step of a value's pixels in the output of the Concat that it is to be a part of, or 0. */
int64_t ltap_schedule_part_step(const ltap_schedule *schedule, uint32_t value);
/* The operand, whose value has a step, lies there from now on. */
ltap_status ltap_schedule_make_part(ltap_schedule *schedule, ltap_operand *operand,
                                    ltap_error *error);
/* Whether parts of the Concat's output are there already. */
bool ltap_schedule_has_parts(const ltap_schedule *schedule, const ltap_node *concat);
/* The parts that are not are copied. */
ltap_status ltap_schedule_add_parts(ltap_schedule *schedule, const ltap_node *concat,
                                    ltap_error *error);
/* A value as an operand, in whichever layout it lies; with a step where it is a part. */
ltap_status ltap_schedule_lies(ltap_schedule *schedule, uint32_t value, ltap_operand *operand,
                               ltap_error *error);

/* Writes down all steps; everything in the schedule is set up. */
ltap_status ltap_schedule_steps(ltap_schedule *schedule, ltap_error *error);

/* Constants that a node reads get their data; so the rows can see and pack them. */
ltap_status ltap_schedule_constants(ltap_schedule *schedule, const ltap_node *node,
                                    ltap_error *error);
/* The same, but for those that the node's rows may take as they lie in the file, unaligned; loose:
 * a bit for each of these. */
ltap_status ltap_schedule_see(ltap_schedule *schedule, const ltap_node *node, uint32_t *loose,
                              ltap_error *error);
/* The scratch tensors of these get their data: the file's own, or a copy for a row that does not
 * take that. */
ltap_status ltap_schedule_see_loose(ltap_schedule *schedule, const ltap_node *node, uint32_t loose,
                                    bool copied, ltap_error *error);

/* With little memory: inputs that the file has, a bit each; they can be packed at each run. */
uint32_t ltap_schedule_again(const ltap_schedule *schedule, const ltap_node *node);

/* Whether a value lies channels last, and that is not plain as well. */
bool ltap_schedule_lies_last(const ltap_schedule *schedule, uint32_t value);

/* Whether a tensor, seen with that rank, is the same bytes in both layouts. */
bool ltap_schedule_reads_alike(const ltap_tensor *tensor, int rank);

/* Pointwise nodes that follow a node at once, for its kernel to do as well. */
typedef struct ltap_chain_plan {
    size_t n_links, n_extras;
    ltap_link links[LTAP_IMPL_MAX_CHAIN];
    uint32_t values[LTAP_IMPL_MAX_EXTRAS];    /* of the extras */
    ltap_tensor extras[LTAP_IMPL_MAX_EXTRAS]; /* as they lie */
    uint32_t kept;                            /* what is tapped inside; see ltap_query */
} ltap_chain_plan;

/* The longest chain after the query's node such that no other node reads what is in between. The
 * query's layout is set; its chain becomes found's. */
ltap_status ltap_chain_find(ltap_schedule *schedule, ltap_query *query, ltap_chain_plan *found,
                            ltap_error *error);

/* How one node will run. */
typedef struct ltap_choice {
    const ltap_impl *impl; /* NULL: the reference kernel */
    ltap_layout *in, *out; /* scratch of the schedule */
    bool permuted;         /* reference kernel told the axes in channels-last order */
    const char *refusals;  /* from the plan's arena */
} ltap_choice;

/* Pure function of the node, its shapes, mode, threads, processor; for pointwise nodes the layout
 * follows the inputs, which does not change a bit. */
ltap_status ltap_choose(ltap_schedule *schedule, const ltap_query *query, ltap_choice *choice,
                        ltap_error *error);

#endif
