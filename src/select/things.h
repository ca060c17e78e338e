/* What a name can mean, before an end of it is chosen. Private to src/select. */
#ifndef LTAP_SELECT_THINGS_H
#define LTAP_SELECT_THINGS_H

#include "select/select.h"

#define LTAP_BARE       UINT32_MAX /* a module without saying which call */
#define LTAP_MAX_THINGS 16         /* more of one name are counted, not kept */
#define LTAP_NO_INDEX   INT64_MIN  /* "X:in" without "[k]" */

typedef struct ltap_search {
    const ltap_layers *layers;
    const char *model_name;
    ltap_calls calls;
    ltap_arena *arena;
} ltap_search;

typedef struct ltap_thing {
    const char *kind;                   /* "module", "node", "value", "input", "output" */
    const char *name;                   /* as the file or the tree has it */
    uint32_t module, call, node, value; /* by kind; value for the last three */
    const char *note;                   /* NULL, or how it was found */
} ltap_thing;

typedef struct ltap_things {
    ltap_thing items[LTAP_MAX_THINGS];
    size_t count;   /* kept */
    size_t n_found; /* all */
} ltap_things;

/* Which end of a thing is asked for. */
typedef enum ltap_end_kind {
    LTAP_END_PLAIN,
    LTAP_END_IN,
    LTAP_END_OUT,
    LTAP_END_FOLDED
} ltap_end_kind;
typedef struct ltap_end {
    ltap_end_kind kind;
    int64_t index; /* LTAP_NO_INDEX: not said; negative: from the end */
} ltap_end;

/* Everything that `name` means by itself, then by prefix ("node:"), then as a call ("relu#1"). */
ltap_status ltap_things_find(const ltap_search *search, const char *name, ltap_things *things,
                             ltap_error *error);

void ltap_things_add(ltap_things *things, ltap_thing thing);

/* Cuts "relu#12" at a separator before digits at the end; false where it has none. */
bool ltap_number_cut(const char *name, char separator, size_t *bytes, uint32_t *number);
/* Cuts "[12]" or "[-1]" off; bytes: what is left. Without one, index is LTAP_NO_INDEX; false where
 * it ends with "]" and is no index. */
bool ltap_index_cut(const char *text, size_t *bytes, int64_t *index);
/* "X[0]", "X[-1]", "op:Conv", "op:Conv[2]": a child of a module, nodes of a type. None:
 * things->count is 0. */
ltap_status ltap_things_child(const ltap_search *search, const char *selector, ltap_things *things,
                              ltap_error *error);
/* The rest of "op:Conv"; NULL where it is no such. */
const char *ltap_operator_of(const char *selector);
/* Upper and lower case are the same. */
bool ltap_operator_is(const ltap_node *node, const char *type, size_t bytes);

/* Cuts ":in[1]", ":out", ":folded" off a selector; false where it ends with none. */
bool ltap_end_cut(const char *selector, size_t *bytes, ltap_end *end);
/* ":in[1]" */
ltap_status ltap_end_write(const ltap_search *search, ltap_end end, const char **text,
                           ltap_error *error);
/* Whether a name is a pattern: it holds "*" or "?". */
bool ltap_glob_is(const char *pattern);
/* "*" and "?" within a part, "**" across; parts end at "." and "/". states: scratch, one byte for
 * each of the name's and one more. */
bool ltap_glob_match(const char *pattern, size_t pattern_bytes, const char *name, size_t bytes,
                     uint8_t *states);

/* Another way to write a name, tried where nothing is found: "layer1/0" for "layer1.0". Each row
 * rewrites a selector; *other NULL: it does not apply. */
typedef struct ltap_spelling {
    ltap_status (*rewrite)(const ltap_search *search, const char *name, const char **other,
                           ltap_error *error);
} ltap_spelling;
extern const ltap_spelling ltap_spellings[];
extern const size_t ltap_spellings_count;
/* Names that end with "/" and this one. */
void ltap_things_tail(const ltap_search *search, const char *name, ltap_things *things);

/* The value at an end of a thing, or the reason why there is none. */
ltap_status ltap_thing_value(const ltap_search *search, const ltap_thing *thing, ltap_end end,
                             ltap_selection *selection, ltap_error *error);
/* "layer1.0.relu#1" of a call; the name of anything else. */
ltap_status ltap_thing_name(const ltap_search *search, const ltap_thing *thing, const char **name,
                            ltap_error *error);

/* Refusals, each with its own status. */
ltap_status ltap_refuse_unknown(const ltap_search *search, const char *name, ltap_error *error);
/* Refuses a name that is made inside a body of If, Loop or Scan; *refused: whether it is one. */
ltap_status ltap_refuse_inside(const ltap_search *search, const char *name, bool *refused,
                               ltap_error *error);
ltap_status ltap_refuse_ambiguous(const ltap_search *search, const char *name,
                                  const ltap_things *things, ltap_end end, ltap_error *error);
ltap_status ltap_refuse_calls(const ltap_search *search, const ltap_module *module, const char *end,
                              ltap_error *error);
ltap_status ltap_refuse_folded(const ltap_search *search, const ltap_module *module, uint32_t call,
                               ltap_error *error);
ltap_status ltap_refuse_doubt(const ltap_search *search, const char *name, const char *doubt,
                              ltap_error *error);

/* The names nearest to a wrong one, best first, as they can be asked for. count: in, room; out,
 * found. */
ltap_status ltap_nearest(const ltap_search *search, const char *name, const char **nearest,
                         size_t *count, ltap_error *error);

#endif
