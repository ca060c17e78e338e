/* Registration of hooks, and calling them; see hooks.h. */
#include "run/hooks.h"

#include "backends/layout.h"
#include "base/error.h"
#include "run/run.h"

#include <stdlib.h>
#include <string.h>

void ltap_hooks_init(ltap_hooks *hooks, ltap_memory *memory)
{
    *hooks = (ltap_hooks){.memory = memory};
    ltap_vector_init(&hooks->list, memory, sizeof(ltap_hooked *));
    ltap_vector_init(&hooks->points, memory, sizeof(ltap_point));
    ltap_vector_init(&hooks->attached, memory, sizeof(ltap_attached));
    ltap_vector_init(&hooks->first, memory, sizeof(size_t));
}

static void free_hooked(ltap_hooks *hooks, ltap_hooked *hooked)
{
    ltap_vector_clear(&hooked->points);
    ltap_vector_clear(&hooked->insides);
    ltap_arena_clear(&hooked->arena);
    ltap_memory_release(hooks->memory, hooked);
}

static ltap_hooked *hooked_at(const ltap_hooks *hooks, size_t index)
{
    return *LTAP_VECTOR_AT(&hooks->list, ltap_hooked *, index);
}

void ltap_hooks_clear(ltap_hooks *hooks, ltap_getter *getter)
{
    for (size_t i = 0; i < hooks->list.count; i++)
        free_hooked(hooks, hooked_at(hooks, i));
    ltap_vector_clear(&hooks->list);
    ltap_vector_clear(&hooks->points);
    ltap_vector_clear(&hooks->attached);
    ltap_vector_clear(&hooks->first);
    ltap_getter_unwatch(getter, hooks->watch);
    hooks->watch = NULL;
}

/* Where it is called: outside bodies, or in one where nothing outside is called so. */
static ltap_status find_points(const ltap_getter *getter, const ltap_hook *hook, ltap_hooked *made,
                               ltap_error *error)
{
    bool before = hook->side == LTAP_HOOK_BEFORE, unknown;

    LTAP_TRY(ltap_points_unknown(getter, hook->layer, &made->arena, &unknown, error));
    if (unknown) {
        LTAP_TRY(
            ltap_inside_find(getter, hook->layer, before, &made->arena, &made->insides, error));
        if (made->insides.count && before && hook->replaces)
            return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                                  "'%s' is in a body, where hooks may replace what comes out of a "
                                  "layer, not what goes in",
                                  hook->layer);
        if (made->insides.count)
            return LTAP_OK;
    }
    return ltap_points_find(getter, hook->layer, before, &made->arena, &made->points, error);
}

ltap_status ltap_hooks_add(ltap_hooks *hooks, const ltap_getter *getter, const ltap_hook *hook,
                           ltap_hooked **added, ltap_error *error)
{
    ltap_status status;
    void *block;

    LTAP_TRY(
        ltap_memory_take_zeroed(hooks->memory, 1, sizeof(ltap_hooked), "a hook", &block, error));
    ltap_hooked *made = block;
    made->hook = *hook;
    made->hook.layer = NULL;
    ltap_arena_init(&made->arena, hooks->memory);
    ltap_vector_init(&made->points, hooks->memory, sizeof(ltap_point));
    ltap_vector_init(&made->insides, hooks->memory, sizeof(ltap_inside_point));
    LTAP_GO(find_points(getter, hook, made, error));
    LTAP_GO(ltap_vector_push(&hooks->list, &made, error));
    made->number = ++hooks->n_given;
    made->what = "hook";
    *added = made;
    hooks->changed = true;
    return LTAP_OK;
done:
    free_hooked(hooks, made);
    return status;
}

static void sweep(ltap_hooks *hooks)
{
    size_t kept = 0;

    for (size_t i = 0; i < hooks->list.count; i++) {
        ltap_hooked *hooked = hooked_at(hooks, i);
        if (hooked->removed)
            free_hooked(hooks, hooked);
        else
            *LTAP_VECTOR_AT(&hooks->list, ltap_hooked *, kept++) = hooked;
    }
    hooks->list.count = kept;
}

void ltap_hooks_remove(ltap_hooks *hooks, uint64_t number, bool busy)
{
    for (size_t i = 0; i < hooks->list.count; i++) {
        if (hooked_at(hooks, i)->number != number)
            continue;
        hooked_at(hooks, i)->removed = true;
        hooks->changed = true;
    }
    if (!busy && hooks->changed)
        sweep(hooks);
}

/* The place of a point among the different ones; it replaces where any of its hooks may. */
static ltap_status find_point(ltap_hooks *hooks, const ltap_hooked *hooked, const ltap_point *point,
                              size_t *index, ltap_error *error)
{
    ltap_point added = *point;

    added.replaces = hooked->hook.replaces != 0;
    for (*index = 0; *index < hooks->points.count; ++*index) {
        ltap_point *other = LTAP_VECTOR_AT(&hooks->points, ltap_point, *index);
        if (!ltap_point_meets(other, point))
            continue;
        other->replaces = other->replaces || added.replaces;
        return LTAP_OK;
    }
    return ltap_vector_push(&hooks->points, &added, error);
}

static int by_point(const void *a, const void *b)
{
    const ltap_attached *x = a, *y = b;

    if (x->point != y->point)
        return x->point < y->point ? -1 : 1;
    return x->hooked->number < y->hooked->number ? -1 : x->hooked->number > y->hooked->number;
}

static ltap_status attach(ltap_hooks *hooks, ltap_error *error)
{
    hooks->points.count = hooks->attached.count = hooks->first.count = 0;
    for (size_t i = 0; i < hooks->list.count; i++) {
        const ltap_hooked *hooked = hooked_at(hooks, i);
        for (size_t k = 0; k < hooked->points.count; k++) {
            ltap_attached attached = {.hooked = hooked};
            LTAP_TRY(find_point(hooks, hooked, LTAP_VECTOR_AT(&hooked->points, ltap_point, k),
                                &attached.point, error));
            LTAP_TRY(ltap_vector_push(&hooks->attached, &attached, error));
        }
    }
    if (hooks->attached.count)
        qsort(hooks->attached.data, hooks->attached.count, sizeof(ltap_attached), by_point);
    for (size_t i = 0; i <= hooks->attached.count; i++) {
        size_t point = i < hooks->attached.count
                           ? LTAP_VECTOR_AT(&hooks->attached, ltap_attached, i)->point
                           : hooks->points.count;
        while (hooks->first.count <= point)
            LTAP_TRY(ltap_vector_push(&hooks->first, &i, error));
    }
    return LTAP_OK;
}

ltap_status ltap_hooks_prepare(ltap_hooks *hooks, ltap_getter *getter, ltap_error *error)
{
    const ltap_watch *watch = NULL;

    if (!hooks->changed)
        return LTAP_OK;
    sweep(hooks);
    hooks->n_ready = hooks->n_given;
    hooks->n_inside = 0;
    for (size_t i = 0; i < hooks->list.count; i++)
        hooks->n_inside += hooked_at(hooks, i)->insides.count;
    LTAP_TRY(attach(hooks, error));
    if (hooks->points.count)
        LTAP_TRY(ltap_getter_watch(getter, hooks->points.data, hooks->points.count, &watch, error));
    ltap_getter_unwatch(getter, hooks->watch);
    hooks->watch = watch;
    hooks->changed = false;
    return LTAP_OK;
}

static uint64_t most_of_step(const ltap_hooks *hooks, const ltap_step *step)
{
    const size_t *range = LTAP_VECTOR_AT(&hooks->first, size_t, step->point);
    uint64_t most = 0;

    for (size_t i = range[0]; i < range[1]; i++) {
        const ltap_hooked *hooked = LTAP_VECTOR_AT(&hooks->attached, ltap_attached, i)->hooked;
        uint64_t bytes =
            hooked->takes ? hooked->takes(hooked->hook.user, &step->operands[0].tensor) : 0;
        most = bytes > most ? bytes : most;
    }
    return most;
}

uint64_t ltap_hooks_bytes(const ltap_hooks *hooks, const ltap_plan *plan)
{
    uint64_t held = 0, most = 0;

    for (size_t i = 0; i < hooks->list.count; i++)
        held += hooked_at(hooks, i)->held_bytes;
    for (size_t i = 0; i < plan->steps.count; i++) {
        const ltap_step *step = LTAP_VECTOR_AT(&plan->steps, ltap_step, i);
        uint64_t bytes = step->kind == LTAP_STEP_HOOK ? most_of_step(hooks, step) : 0;
        most = bytes > most ? bytes : most;
    }
    return held + most;
}

/* The step's values as one hook is told them, without their data. */
static void describe(ltap_run *run, const ltap_step *step, ltap_hook_call *call)
{
    const ltap_point *point = &run->hooks.watch->points[step->point];

    for (size_t i = 0; i < step->n_inputs; i++)
        run->tensors[i] = step->operands[i].tensor;
    *call = (ltap_hook_call){.layer = point->layer,
                             .kind = point->kind,
                             .call = point->call,
                             .side = point->before ? LTAP_HOOK_BEFORE : LTAP_HOOK_AFTER,
                             .tensors = run->tensors,
                             .n_tensors = step->n_inputs};
}

/* The operand that holds what hooks see and may replace. */
static const ltap_operand *operand_of(const ltap_step *step, size_t index)
{
    return &step->operands[step->n_outputs ? step->n_inputs + index : index];
}

/* Values that may be replaced get their own place, where it is not the one they lie in. */
static void move_on(ltap_run *run, const ltap_plan *plan, const ltap_step *step)
{
    for (size_t i = 0; i < step->n_outputs; i++) {
        const ltap_operand *in = &step->operands[i], *out = operand_of(step, i);
        if (in->buffer != out->buffer)
            memcpy(ltap_run_locate(run, plan, out), ltap_run_locate(run, plan, in),
                   (size_t)ltap_tensor_bytes(&in->tensor));
    }
}

/* run->pointers: the data in plain layout; what lies in another is converted into the view. */
static void bring(ltap_run *run, const ltap_plan *plan, const ltap_step *step)
{
    char *next = run->view;

    for (size_t i = 0; i < step->n_inputs; i++) {
        const ltap_operand *operand = operand_of(step, i);
        run->pointers[i] = ltap_run_locate(run, plan, operand);
        if (operand->layout == LTAP_LAYOUT_PLAIN)
            continue;
        ltap_run_copy_plain(run, operand, run->pointers[i], next);
        run->pointers[i] = next;
        next += ltap_hook_view_bytes(&operand->tensor);
    }
}

/* What was replaced in the view goes to where it is read. */
static void take_back(ltap_run *run, const ltap_plan *plan, const ltap_step *step)
{
    for (size_t i = 0; i < step->n_outputs; i++) {
        const ltap_operand *operand = operand_of(step, i);
        const ltap_layout_side from = {run->pointers[i], LTAP_LAYOUT_PLAIN, 0};
        const ltap_layout_side to = {ltap_run_locate(run, plan, operand), operand->layout, 0};
        if (operand->layout != LTAP_LAYOUT_PLAIN)
            ltap_layout_convert(&operand->tensor, &from, &to, run->getter->threads);
    }
}

ltap_status ltap_hook_check_replaced(const ltap_hook_call *call, size_t index,
                                     const ltap_tensor *wanted, ltap_error *error)
{
    const ltap_tensor *given = &call->tensors[index];

    if (given->dtype == wanted->dtype && ltap_tensor_same_shape(given, wanted) && given->data)
        return LTAP_OK;
    return ltap_error_set(error, LTAP_ERROR_HOOK,
                          "the hook at '%s' replaced %s by %s; type and shape must stay",
                          call->layer, ltap_tensor_text(wanted).text,
                          given->data ? ltap_tensor_text(given).text : "nothing");
}

/* What a hook gave instead, into what the next one sees. */
static ltap_status take_replaced(ltap_run *run, const ltap_step *step, const ltap_hook_call *call,
                                 ltap_error *error)
{
    for (size_t i = 0; i < call->n_tensors; i++)
        LTAP_TRY(ltap_hook_check_replaced(call, i, &step->operands[i].tensor, error));
    for (size_t i = 0; i < call->n_tensors; i++)
        if (call->tensors[i].data != run->pointers[i])
            memmove(run->pointers[i], call->tensors[i].data,
                    (size_t)ltap_tensor_bytes(&call->tensors[i]));
    run->replaced = true;
    return LTAP_OK;
}

static ltap_status fail(const ltap_hooked *hooked, const ltap_hook_call *call, ltap_error *error)
{
    if (call->error->code == LTAP_OK)
        return ltap_error_set(error, LTAP_ERROR_HOOK, "the hook at '%s' failed", call->layer);
    if (error)
        *error = *call->error;
    return ltap_error_prefix(error, call->error->code, "the %s at '%s'", hooked->what, call->layer);
}

ltap_status ltap_hook_ask(ltap_run *run, const ltap_hooked *hooked, ltap_hook_call *call,
                          bool *replaced, ltap_error *error)
{
    const ltap_hook *hook = &hooked->hook;
    ltap_error said = {.code = LTAP_OK, .offset = LTAP_NO_OFFSET};

    call->error = &said;
    *replaced = false;
    switch (hook->callback(hook->user, call)) {
    case LTAP_HOOK_CONTINUE:
        return LTAP_OK;
    case LTAP_HOOK_REPLACED:
        *replaced = true;
        if (hook->replaces)
            return LTAP_OK;
        return ltap_error_set(error, LTAP_ERROR_HOOK,
                              "the hook at '%s' was added to look, and replaced; set `replaces`",
                              call->layer);
    case LTAP_HOOK_STOP:
        run->stopped = call->layer;
        return LTAP_OK;
    case LTAP_HOOK_FAILED:
        return fail(hooked, call, error);
    }
    return ltap_error_set(error, LTAP_ERROR_HOOK, "the hook at '%s' gave an answer that is none",
                          call->layer);
}

/* One hook that wants the data. */
static ltap_status call_back(ltap_run *run, const ltap_step *step, const ltap_hooked *hooked,
                             ltap_hook_call *call, ltap_error *error)
{
    bool replaced;

    for (size_t i = 0; i < call->n_tensors; i++)
        call->tensors[i].data = run->pointers[i];
    LTAP_TRY(ltap_hook_ask(run, hooked, call, &replaced, error));
    return replaced ? take_replaced(run, step, call, error) : LTAP_OK;
}

ltap_status ltap_run_hooks(ltap_run *run, const ltap_plan *plan, const ltap_step *step,
                           ltap_error *error)
{
    const size_t *range = LTAP_VECTOR_AT(&run->hooks.first, size_t, step->point);
    bool there = false;

    move_on(run, plan, step);
    run->replaced = false;
    for (size_t i = range[0]; i < range[1] && !run->stopped; i++) {
        const ltap_hooked *hooked = LTAP_VECTOR_AT(&run->hooks.attached, ltap_attached, i)->hooked;
        ltap_hook_call call;
        if (hooked->removed)
            continue;
        describe(run, step, &call);
        if (hooked->hook.wants && !hooked->hook.wants(hooked->hook.user, &call))
            continue;
        if (!there)
            bring(run, plan, step);
        there = true;
        describe(run, step, &call);
        LTAP_TRY(call_back(run, step, hooked, &call, error));
    }
    if (run->replaced)
        take_back(run, plan, step);
    return LTAP_OK;
}
