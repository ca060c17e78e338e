/* Cases of the tables, changed at random: other sizes, ranks, types, attributes, missing and
 * superfluous inputs. What comes out may be legal or not; nobody says which.
 *
 * Everything follows from the seed.
 */
#ifndef LTAP_TESTS_OPS_MUTANT_H
#define LTAP_TESTS_OPS_MUTANT_H

#include "cases.h"

#define MUTANT_INTS 16 /* entries of a changed list */

typedef struct mutant {
    uint64_t random;
    op_case c;       /* what became of the case; points into the mutant */
    unsigned wanted; /* bit i: output i is asked for */
    int64_t ints[CASE_ATTRS][MUTANT_INTS];
    float floats[CASE_ATTRS][MUTANT_INTS];
    void *blocks[CASE_TENSORS];
    const op_case *relatives; /* of the same operator: attributes come from there, too */
    size_t n_relatives;
} mutant;

/* Changes one of the cases. mutant: yours to clear; it stays where it is. */
void mutant_make(mutant *m, const op_case *cases, size_t count, uint64_t seed);
void mutant_clear(mutant *m);
/* Prints node, attributes and inputs on stderr. */
void mutant_print(const mutant *m);

#endif
