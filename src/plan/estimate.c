/* What a forward takes, from its plan; see estimate.h. */
#include "plan/estimate.h"

#include "base/error.h"

ltap_status ltap_getter_plan_for(ltap_getter *getter, const ltap_tensor *inputs, size_t n_inputs,
                                 const ltap_watch *watch, const ltap_plan **plan, ltap_error *error)
{
    ltap_status status;
    void *shapes = NULL;

    if (n_inputs)
        return n_inputs == getter->n_inputs
                   ? ltap_getter_plan(getter, inputs, watch, plan, error)
                   : ltap_error_set(error, LTAP_ERROR_INPUT,
                                    "%zu input shapes were given; the request needs %zu", n_inputs,
                                    getter->n_inputs);
    LTAP_TRY(ltap_memory_take_zeroed(getter->memory, getter->n_inputs, sizeof(ltap_tensor),
                                     "input shapes", &shapes, error));
    LTAP_GO(ltap_getter_fixed_shapes(getter, shapes, error));
    LTAP_GO(ltap_getter_plan(getter, shapes, watch, plan, error));
done:
    ltap_memory_release(getter->memory, shapes);
    return status;
}

/* While weights are packed there may be more than ever after. */
static uint64_t total_of(const ltap_plan *plan, const ltap_estimate *estimate, uint64_t features)
{
    uint64_t running =
        estimate->packed_bytes + estimate->arena_bytes + estimate->scratch_bytes + features;

    return plan->planning_bytes > running ? plan->planning_bytes : running;
}

void ltap_plan_estimate(const ltap_getter *getter, const ltap_plan *plan, uint64_t held_bytes,
                        ltap_estimate *estimate)
{
    enum { LEAST = 4 << 20, SHARE = 64 };
    uint64_t scratch = plan->scratch_bytes + plan->mapped_bytes + plan->temporary_bytes +
                       plan->state_bytes + held_bytes;

    *estimate =
        (ltap_estimate){.packed_bytes = ltap_packs_bytes(getter->packs) + plan->constant_bytes,
                        .arena_bytes = plan->arena_bytes,
                        .scratch_bytes = scratch + plan->view_bytes,
                        .features_bytes = plan->features_bytes,
                        .handed_bytes = plan->sink_bytes,
                        .mult_adds = plan->mult_adds,
                        .n_nodes = plan->n_nodes};
    uint64_t total = total_of(plan, estimate, estimate->features_bytes);
    estimate->stream_bytes = total_of(plan, estimate, estimate->handed_bytes);
    estimate->packed_bytes =
        total - estimate->arena_bytes - estimate->scratch_bytes - estimate->features_bytes;
    estimate->besides_bytes = LEAST + (total - estimate->features_bytes) / SHARE;
    estimate->total_bytes = total + estimate->besides_bytes;
    estimate->stream_bytes += estimate->besides_bytes;
}
