/* Which layer of one side is which of the other, and how that is known. */
#ifndef LTAP_CLI_MATCH_H
#define LTAP_CLI_MATCH_H

#include "cli/edges.h"
#include <layertap/compare.h>

/* From the weakest reason to the strongest. */
typedef enum cli_reason {
    CLI_BY_PLACE,     /* files of arrays of the same shapes in the same order */
    CLI_BY_STRUCTURE, /* the same operator and shape between the same matched layers */
    CLI_BY_OUTPUT,    /* outputs of the models, by position */
    CLI_BY_NAME,      /* an operation's name in the file */
    CLI_BY_FOLD,      /* a folded convolution, and the BatchNorm that was folded into it */
    CLI_BY_PATH,      /* the module path */
    CLI_BY_REQUEST    /* -r A=B */
} cli_reason;

/* Two layers that should be the same. */
typedef struct cli_pair {
    size_t layer[2]; /* the names shown, of A and B */
    size_t value[2];
    cli_reason reason;
    size_t next;   /* another pair of the same value of A; CLI_NOWHERE */
    int is_chosen; /* to be compared */
    /* The result. */
    ltap_tensor tensors[2]; /* types and shapes, as first seen */
    ltap_difference difference;
    int other_shapes;
    int cannot;  /* such types cannot be compared */
    int differs; /* beyond the tolerance */
    int inside;  /* and so does not count: matched by structure only, in a module that agrees */
    int before;  /* the same: what is computed from it agrees */
} cli_pair;

typedef struct cli_match {
    cli_side *sides; /* A, B */
    cli_pair *pairs;
    size_t n_pairs, room;
    cli_edges edges[2];
    size_t *partners[2];   /* a node of the edges -> its partner's; CLI_NOWHERE */
    const char *prefix[2]; /* what only this side's names begin with: "module"; "" */
    size_t prefix_bytes[2];
} cli_match;

/* Finds the pairs and chooses all of them; shapes should be known. match: zeroed but for sides;
 * cleared by the caller, after an error too. */
LTAP_MUST_USE ltap_status cli_match_layers(cli_match *match, ltap_error *error);
void cli_match_clear(cli_match *match);

/* Adds a pair, or betters one. */
LTAP_MUST_USE ltap_status cli_match_add(cli_match *match, const size_t layer[2], cli_reason reason,
                                        ltap_error *error);

/* Makes the edges known; then values between matched ones, by operator, shape and edges. */
LTAP_MUST_USE ltap_status cli_match_edges(cli_match *match, ltap_error *error);
LTAP_MUST_USE ltap_status cli_match_structure(cli_match *match, ltap_error *error);

/* Chooses only the pairs of -r LAYER[=LAYER] and --layers-from. */
LTAP_MUST_USE ltap_status cli_match_request(cli_match *match, const ltap_return_layer *layers,
                                            size_t n_layers, ltap_error *error);

/* "path", "name", ... */
const char *cli_reason_name(cli_reason reason);

#endif
