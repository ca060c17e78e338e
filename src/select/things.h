/* What a name can mean, before an end of it is chosen. Private to src/select. */
#ifndef LTAP_SELECT_THINGS_H
#define LTAP_SELECT_THINGS_H

#include "select/select.h"

#define LTAP_BARE       UINT32_MAX /* a module without saying which call */
#define LTAP_MAX_THINGS 16         /* more of one name are counted, not kept */

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
    int64_t index; /* -1: not said */
} ltap_end;

/* Everything that `name` means by itself, then by prefix ("node:"), then as a call ("relu#1"). */
ltap_status ltap_things_find(const ltap_search *search, const char *name, ltap_things *things,
                             ltap_error *error);

/* The value at an end of a thing, or the reason why there is none. */
ltap_status ltap_thing_value(const ltap_search *search, const ltap_thing *thing, ltap_end end,
                             ltap_selection *selection, ltap_error *error);
/* "layer1.0.relu#1" of a call; the name of anything else. */
ltap_status ltap_thing_name(const ltap_search *search, const ltap_thing *thing, const char **name,
                            ltap_error *error);

/* Refusals, each with its own status. */
ltap_status ltap_refuse_unknown(const ltap_search *search, const char *name, ltap_error *error);
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
