/* Random problems for fast rows: a node, its inputs, and what the reference kernel makes of them.
 *
 * All is made from a seed. Tensors lie in blocks of their exact size, so that sanitizers see every
 * step outside.
 */
#ifndef LTAP_TESTS_BACKENDS_PROBLEM_H
#define LTAP_TESTS_BACKENDS_PROBLEM_H

#include "ops/op.h"

#define PROBLEM_TENSORS 6
#define PROBLEM_ATTRS   8
#define PROBLEM_OUTPUTS 3

typedef struct problem {
    uint64_t random; /* the state that numbers are drawn from */
    ltap_node node;
    uint32_t values[PROBLEM_TENSORS + PROBLEM_OUTPUTS];
    ltap_attr attrs[PROBLEM_ATTRS];
    int64_t ints[PROBLEM_ATTRS][8];
    ltap_tensor inputs[PROBLEM_TENSORS];  /* plain */
    size_t shown;                         /* the output that is wanted, of node.n_outputs */
    ltap_tensor outputs[PROBLEM_OUTPUTS]; /* shapes */
    ltap_tensor output;                   /* the one that is shown, plain; the reference's */
    bool mixes_batch;                     /* axis 0 of input 0 is no batch */
    unsigned constants, batched;          /* bit i: input i is; has the batch as its axis 0 */
} problem;

/* Draws a number in [low, high]. */
int64_t problem_draw(problem *p, int64_t low, int64_t high);
/* An attribute. The list's numbers are copied. */
void problem_int(problem *p, const char *name, int64_t number);
void problem_ints(problem *p, const char *name, size_t count, const int64_t *numbers);
/* The next input, of random numbers. */
void problem_input(problem *p, int rank, const int64_t *dims, bool constant);
/* The next input, a constant: a list of 64-bit integers. */
void problem_indices(problem *p, size_t count, const int64_t *numbers);
/* Puts some NaN and infinities into input 0. */
void problem_spoil(problem *p);
/* Cuts inputs 0 and 1 to what bfloat16 holds. */
void problem_round(problem *p);
/* Runs the shape rule and the reference. False: the node is not valid. */
bool problem_solve(problem *p, ltap_memory *memory);
/* The same problem on the last index of axis 0 alone, of input 0 and the batched ones; unsolved. */
void problem_last(const problem *p, problem *last);
void problem_clear(problem *p);

#define PROBLEM_MAKER(op) void make_##op(problem *p)
PROBLEM_MAKER(conv);
PROBLEM_MAKER(groups);
PROBLEM_MAKER(other_conv);
PROBLEM_MAKER(volume_conv);
PROBLEM_MAKER(depthwise);
PROBLEM_MAKER(batch_norm);
PROBLEM_MAKER(concat);
PROBLEM_MAKER(average_pool);
PROBLEM_MAKER(reduce);
PROBLEM_MAKER(reduce_extreme);
PROBLEM_MAKER(max_pool);
PROBLEM_MAKER(other_max_pool);
PROBLEM_MAKER(other_average_pool);
PROBLEM_MAKER(other_global_average_pool);
PROBLEM_MAKER(any_max_pool);
PROBLEM_MAKER(any_average_pool);
PROBLEM_MAKER(global_average_pool);
PROBLEM_MAKER(gemm);
PROBLEM_MAKER(matmul);
PROBLEM_MAKER(einsum);
PROBLEM_MAKER(softmax);
PROBLEM_MAKER(layer_norm);
PROBLEM_MAKER(plane_norm);
PROBLEM_MAKER(conv_transpose);
PROBLEM_MAKER(global_max_pool);
PROBLEM_MAKER(resize);
PROBLEM_MAKER(resize_nearest);
PROBLEM_MAKER(slice);
PROBLEM_MAKER(split);
PROBLEM_MAKER(recurrent);

#endif
