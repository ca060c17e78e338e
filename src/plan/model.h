/* A loaded model: the file, the graph as it stands in the file, the graph that runs, the layers.
 *
 * Immutable once made and shared by reference: getters keep it alive.
 */
#ifndef LTAP_PLAN_MODEL_H
#define LTAP_PLAN_MODEL_H

#include "formats/format.h"
#include "graph/layers.h"
#include "select/select.h"
#include <layertap/model.h>
#include <stdatomic.h>

struct ltap_model {
    atomic_uint references;
    ltap_memory *memory;
    ltap_arena arena; /* texts and tables below */
    ltap_file file;   /* the mapped model file; empty when it came from memory */
    ltap_source source;
    ltap_graph *graph;     /* as the file says */
    ltap_graph *rewritten; /* what runs; the same numbers for the same values */
    ltap_layers *layers;
    ltap_vector listed; /* ltap_listed, the inside of `list` */
    ltap_layer *list;   /* as many as listed */
    uint32_t *values;   /* the file's, in the order of ltap_model_values_at */
    uint32_t
        *place_of_value; /* a value of the graph -> place in values; LTAP_NO_VALUE: not there */
    size_t n_values;
    ltap_port *inputs, *outputs;
    ltap_model_info info;
};

/* From a path, or (path NULL) from bytes named `name`. model: yours to unref. */
ltap_status ltap_model_load(const char *path, const void *bytes, size_t size, const char *name,
                            const ltap_model_options *options, ltap_model **model,
                            ltap_error *error);
ltap_model *ltap_model_ref(const ltap_model *model);
void ltap_model_unref(ltap_model *model);

/* Bytes of its files that were read and need not stay in memory; model: const ltap_model. */
void ltap_model_forget(const void *model, const void *data, uint64_t bytes);

/* All bytes of its files: whatever is read brings in pages around it, of weights that nobody may
 * need. */
void ltap_model_forget_all(const ltap_model *model);

/* The layers that a node stands in, for messages: "roi_heads", or the node's own words. */
ltap_text ltap_model_place(const ltap_model *model, uint32_t node);
/* "RoiAlign x2 (roi_heads), ..." for the marked nodes (keep NULL: all) whose operator is missing;
 * "" when there are none. */
ltap_status ltap_model_unsupported_text(const ltap_model *model, const uint8_t *keep,
                                        ltap_arena *arena, const char **text, ltap_error *error);

/* Fills model->values. */
ltap_status ltap_model_list_values(ltap_model *model, ltap_error *error);
size_t ltap_model_value_reads(const ltap_model *model, uint32_t value, size_t *reads,
                              size_t n_reads);
void ltap_model_describe_value(const ltap_model *model, uint32_t value, ltap_value_info *info);
/* As ltap_model_inside. */
ltap_status ltap_model_list_inside(const ltap_model *model,
                                   void (*line)(void *user, const ltap_inside_info *inside),
                                   void *user, ltap_error *error);
/* matched: a flag a listed line. */
ltap_status ltap_model_match(const ltap_model *model, const char *pattern, unsigned char *matched,
                             ltap_error *error);
/* values: a flag a value, 0 where an operator on the way is missing; from the arena. */
ltap_status ltap_model_computable(const ltap_model *model, ltap_arena *arena, uint8_t **values,
                                  ltap_error *error);

#endif
