/* Public functions of <layertap/prune.h>: check arguments, call inside, nothing else. */
#include <layertap/prune.h>

#include "base/error.h"
#include "plan/save.h"

ltap_status ltap_getter_save(const ltap_getter *getter, const char *path,
                             const ltap_prune_options *options, ltap_pruned *pruned,
                             ltap_error *error)
{
    if (!getter || !path)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "ltap_getter_save: an argument is NULL");
    return ltap_save_getter(getter, path, options, pruned, error);
}

ltap_status ltap_model_prune(const ltap_model *model, const ltap_return_layer *layers,
                             size_t n_layers, const ltap_getter_options *getter, const char *path,
                             const ltap_prune_options *options, ltap_pruned *pruned,
                             ltap_error *error)
{
    ltap_getter *made = NULL;
    if (!model || !path || (n_layers && !layers))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "ltap_model_prune: an argument is NULL");
    LTAP_TRY(ltap_getter_make(model, layers, n_layers, getter, false, &made, error));
    ltap_status status = ltap_save_getter(made, path, options, pruned, error);
    ltap_getter_unref(made);
    return status;
}

ltap_status ltap_model_split(const ltap_model *model, const ltap_split *split,
                             const ltap_prune_options *options, ltap_pruned *pruned,
                             ltap_error *error)
{
    if (!model || !split || !split->at.layer || !split->backbone || !split->head ||
        (split->n_layers && !split->layers))
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "ltap_model_split: an argument is NULL");
    return ltap_split_write(model, split, options, pruned, error);
}
