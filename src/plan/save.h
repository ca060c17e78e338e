/* Pruned networks as files: requests understood, types found, halves told apart. */
#ifndef LTAP_PLAN_SAVE_H
#define LTAP_PLAN_SAVE_H

#include "plan/getter.h"
#include <layertap/prune.h>

ltap_status ltap_save_getter(const ltap_getter *getter, const char *path,
                             const ltap_prune_options *options, ltap_pruned *pruned,
                             ltap_error *error);
/* Values of the model as outputs and starts of a file; types are filled in. */
typedef struct ltap_save_part {
    const ltap_model *model;
    ltap_saved_value *outputs, *starts;
    const uint32_t *output_values, *start_values;
    size_t n_outputs, n_starts;
    const char *path;
} ltap_save_part;
/* One or two parts of one model, all or none. pruned: NULL, or as many. */
ltap_status ltap_save_write(const ltap_save_part *parts, size_t count,
                            const ltap_prune_options *options, ltap_pruned *pruned,
                            ltap_error *error);
ltap_status ltap_split_write(const ltap_model *model, const ltap_split *split,
                             const ltap_prune_options *options, ltap_pruned pruned[2],
                             ltap_error *error);

#endif
