/* A fast row asked about one node, and run: as a plan would, with its inputs moved to the layouts
 * that it wants and its outputs moved back.
 *
 * Tensors lie in blocks of their exact size, so that sanitizers see every step outside.
 */
#ifndef LTAP_TESTS_BACKENDS_ANSWER_H
#define LTAP_TESTS_BACKENDS_ANSWER_H

#include "backends/impl.h"

#define ANSWER_TENSORS 12
/* Floats that a question leaves between pixels. */
#define ANSWER_GAP 3

typedef struct question {
    const ltap_node *node;
    const ltap_tensor *inputs;  /* plain, with their data; omitted: LTAP_UNDEFINED */
    const ltap_tensor *outputs; /* as the shape rule says */
    unsigned constants, wanted; /* bit i: input i is; output i is wanted */
    bool exact, bf16;           /* modes */
    bool last;                  /* inputs lie channels last where that exists */
    const ltap_link *link;      /* NULL, or a node that the row does after its own */
    bool kept;                  /* what is before the link is handed out as well */
    bool apart;                 /* pixels of output 0 lie apart, where the row can do that */
    int threads;
    ltap_memory *memory;
} question;

typedef struct answer {
    bool accepted;
    ltap_why why;                 /* of a refusal */
    ltap_status status;           /* of the run */
    ltap_error error;             /* of the run */
    void *blocks[ANSWER_TENSORS]; /* the wanted outputs, plain; NULL where the run failed */
    void *kept;                   /* what is before the link, where that was asked for */
} answer;

/* Asks only; why: of a refusal. */
bool answer_accepts(const ltap_impl *row, const question *asked, ltap_why *why);
/* Yours to clear. */
void answer_find(const ltap_impl *row, const question *asked, answer *found);
void answer_clear(answer *found);

#endif
