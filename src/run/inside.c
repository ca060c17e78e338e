/* Hooks in the bodies of If, Loop and Scan: told by the body's own run, node by node. */
#include "base/error.h"
#include "run/run.h"

#include <string.h>

/* What the layer reads, but for weights, or the one output. Room for as many as the node has. */
static size_t take_tensors(const ltap_inside_point *point, const ltap_tensor *tensors,
                           ltap_tensor *taken)
{
    const ltap_node *node = ltap_graph_node(point->body, point->node);
    size_t n = 0;

    if (!point->before) {
        taken[0] = tensors[point->slot];
        return 1;
    }
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != LTAP_NO_VALUE &&
            !ltap_graph_at(point->body, node->inputs[i])->constant)
            taken[n++] = tensors[i];
    return n;
}

static bool is_wanted(const ltap_hooked *hooked, const ltap_hook_call *call, ltap_tensor *taken)
{
    ltap_hook_call asked = *call;

    if (!hooked->hook.wants)
        return true;
    for (size_t i = 0; i < call->n_tensors; i++)
        taken[i].data = NULL;
    return hooked->hook.wants(hooked->hook.user, &asked) != 0;
}

/* One hook at one point. taken: scratch. */
static ltap_status call_at(ltap_insider *insider, const ltap_hooked *hooked,
                           const ltap_inside_point *point, const ltap_tensor *tensors,
                           ltap_tensor *taken, ltap_error *error)
{
    const ltap_observer *observer = &insider->observer;
    size_t n = observer->n_iterations;
    ltap_hook_call call = {.layer = point->layer,
                           .kind = point->kind,
                           .side = point->before ? LTAP_HOOK_BEFORE : LTAP_HOOK_AFTER,
                           .iteration = n ? observer->iterations[n - 1] : 0,
                           .iterations = observer->iterations,
                           .n_iterations = n,
                           .tensors = taken};
    bool replaced;

    call.n_tensors = take_tensors(point, tensors, taken);
    if (!is_wanted(hooked, &call, taken))
        return LTAP_OK;
    (void)take_tensors(point, tensors, taken);
    LTAP_TRY(ltap_hook_ask(insider->run, hooked, &call, &replaced, error));
    if (insider->run->stopped)
        return ltap_error_set(error, LTAP_ERROR_HOOK, "stopped at '%s'", point->layer);
    if (!replaced)
        return LTAP_OK;
    const ltap_tensor *wanted = &tensors[point->slot];
    LTAP_TRY(ltap_hook_check_replaced(&call, 0, wanted, error));
    if (call.tensors[0].data != wanted->data)
        memmove(wanted->data, call.tensors[0].data, (size_t)ltap_tensor_bytes(wanted));
    return LTAP_OK;
}

static ltap_status call_hooked(ltap_insider *insider, const ltap_hooked *hooked,
                               const ltap_inside_point *point, const ltap_tensor *tensors,
                               ltap_error *error)
{
    const ltap_node *node = ltap_graph_node(point->body, point->node);
    void *taken;

    LTAP_TRY(ltap_memory_take(insider->run->memory,
                              (point->before ? node->n_inputs : 1) * sizeof(ltap_tensor),
                              "what a hook sees", &taken, error));
    ltap_status status = call_at(insider, hooked, point, tensors, taken, error);
    ltap_memory_release(insider->run->memory, taken);
    return status;
}

static ltap_status see(ltap_observer *observer, const ltap_graph *body, const ltap_node *node,
                       bool before, const ltap_tensor *tensors, ltap_error *error)
{
    ltap_insider *insider = (ltap_insider *)observer;
    const ltap_hooks *hooks = &insider->run->hooks;

    for (size_t i = 0; i < hooks->list.count; i++) {
        const ltap_hooked *hooked = *LTAP_VECTOR_AT(&hooks->list, ltap_hooked *, i);
        for (size_t k = 0; k < hooked->insides.count; k++) {
            const ltap_inside_point *point = LTAP_VECTOR_AT(&hooked->insides, ltap_inside_point, k);
            bool meets =
                point->body == body && point->node == node->index && point->before == before;
            if (meets && !hooked->removed && hooked->number <= hooks->n_ready)
                LTAP_TRY(call_hooked(insider, hooked, point, tensors, error));
        }
    }
    return LTAP_OK;
}

ltap_observer *ltap_run_observe(ltap_run *run, ltap_insider *insider)
{
    if (!run->hooks.n_inside)
        return NULL;
    *insider = (ltap_insider){.observer = {.see = see}, .run = run};
    return &insider->observer;
}
