/* If and Loop: operators with bodies.
 *
 * The plan must know every shape before it runs. An If whose condition only data can tell needs
 * branches of one shape; a Loop is gone through without data, as far as its end is known.
 */
#include "ops/body.h"
#include "ops/rules.h"

#include <string.h>

/* Iterations gone through to find shapes. */
enum { MAX_BLIND = 4096 };

static ltap_status check_outputs(const ltap_call *call, const ltap_graph *graph, const char *what,
                                 size_t besides, ltap_error *error)
{
    if (call->n_outputs + besides <= graph->outputs.count)
        return LTAP_OK;
    return ltap_error_set(error, LTAP_ERROR_FORMAT, "it has %zu outputs, its %s makes %zu",
                          call->n_outputs + besides, what, graph->outputs.count);
}

/* The branch that a known condition chooses; NULL where it is not known. */
static ltap_status choose(const ltap_call *call, const char **branch, ltap_error *error)
{
    const ltap_tensor *condition = &call->inputs[0];
    *branch = NULL;
    if (ltap_node_own_inputs(call->node) != 1)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "it has %zu inputs, one is needed",
                              ltap_node_own_inputs(call->node));
    LTAP_TRY(ltap_call_check_type(call, 0, LTAP_TYPES_BOOL, error));
    if (ltap_tensor_count(condition) != 1)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "its condition has shape %s, one value is needed",
                              ltap_shape_text(condition).text);
    if (condition->data)
        *branch = *(const uint8_t *)condition->data ? "then_branch" : "else_branch";
    return LTAP_OK;
}

/* Runs a branch: shapes into outputs (blind), or data. */
static ltap_status branch_outputs(const ltap_call *call, const char *branch, ltap_tensor *outputs,
                                  ltap_error *error)
{
    const ltap_graph *graph;
    ltap_body body = {.memory = NULL};
    ltap_status status;
    LTAP_TRY(ltap_body_find(call, branch, &graph, error));
    if (graph->inputs.count)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its %s has inputs", branch);
    LTAP_TRY(check_outputs(call, graph, branch, 0, error));
    LTAP_GO(ltap_body_init(&body, graph, call, error));
    LTAP_GO(ltap_body_run(&body, call, error));
    for (size_t i = 0; i < call->n_outputs; i++) {
        if (body.blind)
            outputs[i] = *ltap_body_output(&body, i);
        else
            LTAP_GO(ltap_body_hand_out(call, i, ltap_body_output(&body, i), error));
        outputs[i].data = body.blind ? NULL : outputs[i].data;
    }
done:
    ltap_body_clear(&body);
    return status;
}

static ltap_status compare_branches(const ltap_call *call, const ltap_tensor *other,
                                    ltap_error *error)
{
    for (size_t i = 0; i < call->n_outputs; i++) {
        const ltap_tensor *out = &call->outputs[i];
        if (out->dtype == other[i].dtype && ltap_tensor_same_shape(out, &other[i]))
            continue;
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "its branches make %s and %s; which it is depends on data",
                              ltap_tensor_text(&other[i]).text, ltap_tensor_text(out).text);
    }
    return LTAP_OK;
}

/* Both branches without data. One that contradicts itself for these shapes is not the one taken. */
static ltap_status either_shape(const ltap_call *call, ltap_tensor *other, ltap_error *error)
{
    ltap_error ignored;
    ltap_status first = branch_outputs(call, "then_branch", other, error);
    if (first != LTAP_OK && first != LTAP_ERROR_FORMAT)
        return first;
    ltap_status second =
        branch_outputs(call, "else_branch", call->outputs, first == LTAP_OK ? error : &ignored);
    if (second != LTAP_OK && (second != LTAP_ERROR_FORMAT || first != LTAP_OK))
        return first == LTAP_OK ? second : first;
    if (first == LTAP_OK && second == LTAP_OK)
        return compare_branches(call, other, error);
    for (size_t i = 0; first == LTAP_OK && i < call->n_outputs; i++)
        call->outputs[i] = other[i];
    return LTAP_OK;
}

static ltap_status if_shape(const ltap_call *call, ltap_error *error)
{
    const char *branch;
    const ltap_graph *graph;
    void *other = NULL;
    LTAP_TRY(choose(call, &branch, error));
    if (branch)
        return branch_outputs(call, branch, call->outputs, error);
    LTAP_TRY(ltap_body_find(call, "else_branch", &graph, error));
    LTAP_TRY(ltap_body_find(call, "then_branch", &graph, error));
    LTAP_TRY(ltap_memory_take_zeroed(graph->memory, call->n_outputs, sizeof(ltap_tensor),
                                     "the outputs of a branch", &other, error));
    ltap_status status = either_shape(call, other, error);
    ltap_memory_release(graph->memory, other);
    return status;
}

static ltap_status if_reference(const ltap_call *call, ltap_error *error)
{
    const char *branch;
    LTAP_TRY(choose(call, &branch, error));
    return branch_outputs(call, branch, call->outputs, error);
}

/* A Loop on its way. */
typedef struct loop {
    const ltap_call *call;
    const ltap_graph *graph;
    ltap_body body;
    size_t n_carried, n_scanned;
    ltap_carried *carried;
    uint64_t own_bytes; /* of the body's tables */
    int64_t trips;      /* -1: no limit */
    int64_t iteration;  /* how many are done */
    bool goes_on;       /* as far as is known, one more is to come */
    bool known;         /* so far, the end depends on no data */
    uint8_t yes;        /* what the body is told: that it goes on */
} loop;

static bool has_own(const ltap_call *call, size_t input)
{
    return input < ltap_node_own_inputs(call->node) && ltap_call_has(call, input);
}

static ltap_status check_loop(const loop *l, ltap_error *error)
{
    const ltap_call *call = l->call;
    size_t own = ltap_node_own_inputs(call->node), inputs = l->graph->inputs.count;
    for (size_t i = 0; i < 2 && i < own; i++)
        if (has_own(call, i)) {
            LTAP_TRY(ltap_call_check_type(call, i, i == 0 ? LTAP_TYPE(LTAP_INT64) : LTAP_TYPES_BOOL,
                                          error));
            if (ltap_tensor_count(&call->inputs[i]) != 1)
                return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                      "input %zu has shape %s, one value is needed", i,
                                      ltap_shape_text(&call->inputs[i]).text);
        }
    if (inputs < 2 || inputs - 2 != (own > 2 ? own - 2 : 0) ||
        l->graph->outputs.count < 1 + l->n_carried)
        return ltap_error_set(error, LTAP_ERROR_FORMAT,
                              "it carries %zu values; its body has %zu inputs and %zu outputs",
                              own > 2 ? own - 2 : 0, inputs, l->graph->outputs.count);
    return check_outputs(call, l->graph, "body", 1, error);
}

static ltap_status begin_loop(const ltap_call *call, loop *l, ltap_error *error)
{
    void *block;
    *l = (loop){.call = call, .trips = -1, .goes_on = true, .known = true};
    LTAP_TRY(ltap_body_find(call, "body", &l->graph, error));
    size_t own = ltap_node_own_inputs(call->node);
    l->n_carried = own > 2 ? own - 2 : 0;
    LTAP_TRY(check_loop(l, error));
    l->n_scanned = l->graph->outputs.count - 1 - l->n_carried;
    LTAP_TRY(ltap_body_init(&l->body, l->graph, call, error));
    l->own_bytes = l->body.held;
    LTAP_TRY(ltap_memory_take_zeroed(l->body.memory, l->n_carried, sizeof(ltap_carried),
                                     "what a loop carries", &block, error));
    l->carried = block;
    for (size_t i = 0; i < l->n_carried; i++) {
        if (!ltap_call_has(call, 2 + i))
            return ltap_error_set(error, LTAP_ERROR_FORMAT, "input %zu is missing", 2 + i);
        LTAP_TRY(ltap_carried_take(&l->carried[i], &call->inputs[2 + i], l->body.memory, error));
    }
    if (has_own(call, 0)) {
        l->known = call->inputs[0].data != NULL;
        l->trips = l->known ? ltap_tensor_int(&call->inputs[0], 0) : -1;
        l->trips = l->known && l->trips < 0 ? 0 : l->trips;
    }
    if (has_own(call, 1) && call->inputs[1].data)
        l->goes_on = *(const uint8_t *)call->inputs[1].data != 0;
    else if (has_own(call, 1))
        l->known = false;
    return LTAP_OK;
}

static void end_loop(loop *l)
{
    if (!l->body.memory)
        return;
    ltap_carried_clear(l->carried, l->n_carried, l->body.memory);
    ltap_body_clear(&l->body);
}

/* One run of the body from what is carried now. Its outputs stay until the next. */
static ltap_status iterate(loop *l, ltap_error *error)
{
    l->yes = 1;
    ltap_tensor number = {.dtype = LTAP_INT64, .data = &l->iteration};
    ltap_tensor condition = {.dtype = LTAP_BOOL, .data = &l->yes};
    ltap_body_reset(&l->body);
    if (!l->known)
        number.data = condition.data = NULL;
    ltap_body_set(&l->body, 0, &number);
    ltap_body_set(&l->body, 1, &condition);
    for (size_t i = 0; i < l->n_carried; i++)
        ltap_body_set(&l->body, 2 + i, &l->carried[i].tensor);
    l->body.held = l->own_bytes + ltap_carried_bytes(l->carried, l->n_carried);
    LTAP_TRY(ltap_body_iterate(&l->body, l->call, l->iteration, error));
    const ltap_tensor *go_on = ltap_body_output(&l->body, 0);
    if (go_on->dtype != LTAP_BOOL || ltap_tensor_count(go_on) != 1)
        return ltap_error_set(error, LTAP_ERROR_FORMAT, "its body's condition is %s, not one bool",
                              ltap_tensor_text(go_on).text);
    if (go_on->data)
        l->goes_on = *(const uint8_t *)go_on->data != 0;
    else
        l->known = false;
    return LTAP_OK;
}

static bool is_over(const loop *l)
{
    return !l->goes_on || (l->trips >= 0 && l->iteration >= l->trips);
}

/* What the last run made becomes what is carried. */
static ltap_status carry_on(loop *l, ltap_error *error)
{
    for (size_t i = 0; i < l->n_carried; i++)
        LTAP_TRY(ltap_carried_take(&l->carried[i], ltap_body_output(&l->body, 1 + i),
                                   l->body.memory, error));
    l->iteration++;
    return LTAP_OK;
}

/* Shapes of the scanned outputs of one run, with `count` in front. */
static ltap_status scanned_shapes(loop *l, int64_t count, ltap_error *error)
{
    for (size_t i = l->n_carried; i < l->call->n_outputs; i++) {
        ltap_tensor made = *ltap_body_output(&l->body, 1 + i), *out = &l->call->outputs[i];
        if (made.rank == LTAP_MAX_RANK)
            return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                                  "output %zu has more than %d dimensions", i, LTAP_MAX_RANK);
        memmove(made.dims + 1, made.dims, (size_t)made.rank * sizeof(int64_t));
        made.dims[0] = count;
        made.rank++;
        made.data = NULL;
        bool changed = out->rank != made.rank || out->dtype != made.dtype ||
                       memcmp(out->dims + 1, made.dims + 1, (size_t)out->rank * 8 - 8) != 0;
        if (count > 1 && changed)
            return ltap_error_set(error, LTAP_ERROR_FORMAT,
                                  "output %zu changes its shape from one iteration to the next", i);
        *out = made;
    }
    return LTAP_OK;
}

static void carried_shapes(const loop *l)
{
    for (size_t i = 0; i < l->n_carried; i++) {
        const ltap_tensor *t = &l->carried[i].tensor;
        ltap_call_output(l->call, i, t->dtype, t->rank, t->dims);
    }
}

/* How often is not known: what is carried must keep its shape, and nothing may be counted. */
static ltap_status shapes_of_any(loop *l, ltap_error *error)
{
    if (l->call->n_outputs > l->n_carried)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "the number of its iterations depends on data");
    for (size_t i = 0; i < l->n_carried; i++)
        l->carried[i].tensor.data = NULL;
    l->known = false;
    LTAP_TRY(iterate(l, error));
    for (size_t i = 0; i < l->n_carried; i++) {
        const ltap_tensor *now = ltap_body_output(&l->body, 1 + i), *was = &l->carried[i].tensor;
        if (now->dtype != was->dtype || !ltap_tensor_same_shape(now, was))
            return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                                  "what it carries grows from %s to %s, and the number of its "
                                  "iterations depends on data",
                                  ltap_tensor_text(was).text, ltap_tensor_text(now).text);
    }
    carried_shapes(l);
    return LTAP_OK;
}

static ltap_status loop_shapes(loop *l, ltap_error *error)
{
    while (l->known && !is_over(l) && l->iteration < MAX_BLIND) {
        LTAP_TRY(iterate(l, error));
        LTAP_TRY(scanned_shapes(l, l->iteration + 1, error));
        LTAP_TRY(carry_on(l, error));
    }
    if (l->known && !is_over(l) && l->trips < 0)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                              "it has no limit, and goes on after %d iterations", MAX_BLIND);
    bool counted = l->known || (l->trips >= 0 && l->iteration >= l->trips);
    if (!counted || !is_over(l))
        return shapes_of_any(l, error);
    carried_shapes(l);
    if (l->iteration > 0)
        return LTAP_OK;
    LTAP_TRY(iterate(l, error));
    return scanned_shapes(l, 0, error);
}

static ltap_status loop_shape(const ltap_call *call, ltap_error *error)
{
    loop l;
    ltap_status status = begin_loop(call, &l, error);
    if (status == LTAP_OK)
        status = loop_shapes(&l, error);
    end_loop(&l);
    return status;
}

/* Puts what one iteration made into its place of the scanned outputs. */
static ltap_status hand_out_scanned(const loop *l, ltap_error *error)
{
    for (size_t i = l->n_carried; i < l->call->n_outputs; i++) {
        const ltap_tensor *made = ltap_body_output(&l->body, 1 + i), *out = &l->call->outputs[i];
        size_t bytes = (size_t)ltap_tensor_bytes(made);
        if (!out->data)
            continue;
        if (made->rank + 1 != out->rank || l->iteration >= out->dims[0] ||
            memcmp(made->dims, out->dims + 1, (size_t)made->rank * sizeof(int64_t)) != 0)
            return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                                  "output %zu was to be %s; iteration %lld makes %s", i,
                                  ltap_tensor_text(out).text, (long long)l->iteration,
                                  ltap_tensor_text(made).text);
        if (bytes)
            memcpy((char *)out->data + (size_t)l->iteration * bytes, made->data, bytes);
    }
    return LTAP_OK;
}

static ltap_status run_loop(loop *l, ltap_error *error)
{
    while (!is_over(l)) {
        LTAP_TRY(iterate(l, error));
        LTAP_TRY(hand_out_scanned(l, error));
        LTAP_TRY(carry_on(l, error));
    }
    for (size_t i = l->n_carried; i < l->call->n_outputs; i++)
        if (l->call->outputs[i].data && l->iteration != l->call->outputs[i].dims[0])
            return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                                  "it ended after %lld iterations instead of %lld",
                                  (long long)l->iteration, (long long)l->call->outputs[i].dims[0]);
    for (size_t i = 0; i < l->n_carried; i++)
        LTAP_TRY(ltap_body_hand_out(l->call, i, &l->carried[i].tensor, error));
    return LTAP_OK;
}

static ltap_status loop_reference(const ltap_call *call, ltap_error *error)
{
    loop l;
    ltap_status status = begin_loop(call, &l, error);
    if (status == LTAP_OK)
        status = run_loop(&l, error);
    end_loop(&l);
    return status;
}

const ltap_op ltap_op_if_else = {
    .name = "If",
    .domain = "",
    .min_inputs = 1,
    .max_inputs = -1,
    .min_outputs = 1,
    .max_outputs = -1,
    .shape = if_shape,
    .reference = if_reference,
    .temporary = ltap_body_temporary,
};

const ltap_op ltap_op_loop = {
    .name = "Loop",
    .domain = "",
    .min_inputs = 0,
    .max_inputs = -1,
    .min_outputs = 0,
    .max_outputs = -1,
    .shape = loop_shape,
    .reference = loop_reference,
    .temporary = ltap_body_temporary,
};
