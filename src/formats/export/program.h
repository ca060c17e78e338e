/* A program of torch.export on its way to a graph: operation by operation, each by the row of its
 * ATen operator.
 *
 * A program remembers the first thing that went wrong and does nothing from then on, so that rows
 * read as what they make. There are two kinds of wrong: a file that contradicts itself ends the
 * reading; an operation that layertap does not have is put into the graph as it is called, so that
 * all layers before it work.
 */
#ifndef LTAP_FORMATS_EXPORT_PROGRAM_H
#define LTAP_FORMATS_EXPORT_PROGRAM_H

#include "formats/export/archive.h"

#define LTAP_NO_ENTRY UINT32_MAX

struct ltap_aten_row;

/* Whose memory a tensor of the program is. */
typedef enum ltap_alias {
    LTAP_ALIAS_OWN,
    LTAP_ALIAS_SAME,   /* the base's, all of it, in the same shape */
    LTAP_ALIAS_VIEW,   /* the base's, seen through an operation */
    LTAP_ALIAS_PERHAPS /* either a view or a copy: the file does not say */
} ltap_alias;

/* A tensor, or a number of shape arithmetic, by the name it has in the program. */
typedef struct ltap_entry {
    const char *name;
    bool is_number;
    ltap_dtype dtype;
    int rank;
    const int64_t *dims;   /* -1: an expression of free sizes */
    const ltap_json *meta; /* of a tensor */
    uint32_t value;        /* what it holds now; LTAP_NO_VALUE: nothing is computed */
    /* Memory: writing to a view writes to its base, and what looks at the base sees it. */
    ltap_alias alias;
    uint32_t base;                   /* entry */
    const ltap_json *maker;          /* the operation that makes the view */
    const struct ltap_aten_row *row; /* its */
    uint32_t slot;                   /* which of its results */
    uint32_t writes, seen;           /* to it; to its base when it was computed */
    bool spoiled;                    /* what it holds after a write is not known */
} ltap_entry;

typedef struct ltap_program {
    ltap_archive archive;
    ltap_graph *graph;
    ltap_arena *scratch;
    ltap_vector entries; /* ltap_entry */
    ltap_map entry_by_name;
    ltap_map modules; /* paths */
    /* The operation at hand. */
    const ltap_json *node;
    const struct ltap_aten_row *row;
    ltap_vector staged;                 /* ltap_node: of the graph, before they are added */
    uint32_t *result_entries, *results; /* values; LTAP_NO_VALUE: not made */
    uint32_t *wanted;                   /* values that results become; NULL: none in particular */
    size_t n_results;
    int depth; /* of parts in parts */
    const char
        *refusal; /* NULL, or why this application is not one that is known: "" or a reason */
    ltap_status status;
    ltap_error *error;
} ltap_program;

static inline ltap_entry *ltap_program_at(const ltap_program *p, uint32_t entry)
{
    return LTAP_VECTOR_AT(&p->entries, ltap_entry, entry);
}
static inline bool ltap_program_goes_on(const ltap_program *p)
{
    return p->status == LTAP_OK && p->refusal == NULL;
}
void ltap_program_take(ltap_program *p, ltap_status status);
/* The operation is not one that layertap has; the reason is printed. */
void ltap_program_refuse(ltap_program *p, const char *format, ...) LTAP_PRINTF(2, 3);

/* --- entries.c: names, types, memory. --------------------------------------------------------- */
ltap_status ltap_entries_read(ltap_program *p, const ltap_json *graph, ltap_error *error);
/* LTAP_NO_ENTRY: there is none. */
uint32_t ltap_entries_find(const ltap_program *p, const char *name);
/* A value of the graph for an entry, named like it, or "%name" where a weight or, but for inputs, a
 * module has that name. */
ltap_status ltap_entry_value(ltap_program *p, uint32_t entry, bool is_input, uint32_t *value,
                             ltap_error *error);
ltap_status ltap_entry_type(ltap_program *p, uint32_t entry, ltap_type *type, ltap_error *error);
/* Elements lie in row-major order, one behind the other. */
bool ltap_entry_is_dense(const ltap_entry *entry);
/* Whether `made`, of the same elements in the same order, is a view of base or a copy. */
ltap_alias ltap_entry_reshaped(const ltap_entry *base, const ltap_entry *made);
/* Sizes or strides as they were when the program was exported; false: not all are in the file. */
bool ltap_entry_hints(const ltap_entry *entry, const char *what, int64_t hints[LTAP_MAX_RANK]);

/* Goes back to the operation that was at hand. */
void ltap_program_resume(ltap_program *p, const ltap_program *kept);

/* --- memory.c ------------------------------------------------------------------------------- */
/* Computes a view again where its base was written to. */
void ltap_entry_refresh(ltap_program *p, uint32_t entry);
/* An entry was overwritten: it holds value, and so does all memory that it is. */
void ltap_entry_write(ltap_program *p, uint32_t entry, uint32_t value);

/* --- scopes.c: "path<TAB>class<TAB>call" lines of a node's modules; NULL: it says none. ---------
 */
ltap_status ltap_scopes_text(ltap_program *p, const ltap_json *node, const char **text,
                             ltap_error *error);

/* --- nodes.c -------------------------------------------------------------------------------- */
/* Sets result_entries and empty results for an operation. */
ltap_status ltap_program_results(ltap_program *p, const ltap_json *node, ltap_error *error);
ltap_status ltap_program_nodes(ltap_program *p, const ltap_json *nodes, ltap_error *error);
/* What an entry holds when all operations are done. */
ltap_status ltap_program_last(ltap_program *p, uint32_t entry, uint32_t *value, ltap_error *error);

/* --- inline.c: a part of the program that is a graph of its own. -------------------------------
 */
bool ltap_program_is_part(const ltap_json *node, const char *target);
/* After ltap_program_results. */
ltap_status ltap_program_part(ltap_program *p, const ltap_json *node, ltap_error *error);

/* --- outputs.c: names of outputs from the tree of what the model returns. -----------------------
 */
ltap_status ltap_program_outputs(ltap_program *p, const ltap_json *module, ltap_error *error);

#endif
