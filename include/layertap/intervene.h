/* Interventions: declared changes to a layer's output, without a callback.
 *
 * An intervention is a hook that replaces (see hook.h): it belongs to a run, is applied when the
 * layer is computed, and is removed by ltap_hook_remove. Layers are changed in the order of
 * execution; interventions and hooks on one layer apply in the order in which they were added, each
 * to what the one before it left.
 */
#ifndef LAYERTAP_INTERVENE_H
#define LAYERTAP_INTERVENE_H

#include <layertap/error.h>
#include <layertap/export.h>
#include <layertap/run.h>
#include <layertap/tensor.h>

LTAP_BEGIN

typedef enum ltap_intervention_kind {
    LTAP_SET_ZERO = 0,
    LTAP_SET_MEAN = 1,  /* each channel of each input gets its mean over the positions */
    LTAP_SET_SCALE = 2, /* times `amount` */
    LTAP_SET_NOISE = 3, /* plus `amount` times standard normal numbers, the same for each input of a
                           batch; from `seed` and the layer's name, alike on every machine */
    LTAP_SET_VALUE = 4  /* `value`; with 1 along axis 0, the same for each input of a batch */
} ltap_intervention_kind;

/* Zero-initialise. Axis 0 is the batch. */
typedef struct ltap_intervention {
    const char
        *layer; /* a selector, and behind it a part, as numpy writes it: "layer3[:,17]",
                   "layer3[:,:,0:7,-1]"; without a part the whole. A name that is a layer as it
                   stands is that. A part has a ':' or ',' in it: "layer3[0]" is a child.
                   Modules that are called several times and patterns as for a hook; copied */
    ltap_intervention_kind kind;
    double amount; /* of SCALE, NOISE */
    uint64_t seed; /* of NOISE */
    int channels;  /* of MEAN: the axis of the channels, 1 or more; negative: from the end; 0: the
                      last where the model has them so (Keras), else axis 1, of three axes the last
                    */
    /* Of VALUE: of the part's shape, where a single index is no axis; or of the layer's, whose part
     * is taken then. Any type of real numbers, converted; copied. */
    const ltap_tensor *value;
} ltap_intervention;

/* number: for ltap_hook_remove; may be NULL. Errors as of ltap_hook_add. What depends on the
 * layer's shape fails the forward (LTAP_ERROR_INPUT): a layer of integers, a part or value that
 * does not fit, a mean of a layer without positions. */
LTAP_API LTAP_MUST_USE ltap_status ltap_intervention_add(ltap_run *run,
                                                         const ltap_intervention *intervention,
                                                         uint64_t *number, ltap_error *error);

LTAP_END

#endif
