/* Calls of layers, in an order in which each finds its inputs: a layer's calls by their numbers,
 * layers as they are listed, again and again until all calls are done.
 */
#include "formats/keras/net.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

enum { MAX_ROUNDS = 1000, MAX_LISTS = 8 };

/* What the calls of a layer handed out so far. */
typedef struct done {
    ltap_vector calls; /* handed */
    const ltap_json *next;
    bool started;
} done;

typedef struct handed {
    const ltap_keras_tensor *tensors;
    size_t count;
} handed;

/* A net at work. */
typedef struct running {
    ltap_keras_reader *r;
    ltap_keras_net *net;
    done *layers;
    int depth;
} running;

/* --- References. --------------------------------------------------------------------------------
 */

typedef struct reference {
    const char *layer;
    int64_t call, tensor;
    const ltap_json *shape; /* where the file says it */
} reference;

static bool is_history(const ltap_json *list, reference *ref)
{
    if (list == NULL || list->kind != LTAP_JSON_ARRAY || list->count < 3)
        return false;
    const ltap_json *name = list->first, *call = name->next, *tensor = call->next;
    if (name->kind != LTAP_JSON_STRING || call->kind != LTAP_JSON_INT ||
        tensor->kind != LTAP_JSON_INT || call->integer < 0)
        return false;
    *ref = (reference){name->text, call->integer, tensor->integer, NULL};
    return true;
}

/* A tensor of Keras 3, an object; old: a list, [layer, call, tensor, kwargs]. */
static bool is_reference(const ltap_json *json, bool old, reference *ref)
{
    if (old)
        return is_history(json, ref);
    const char *name = ltap_keras_text_of(ltap_json_find(json, "class_name"), "");
    const ltap_json *config = ltap_json_find(json, "config");
    if (!ltap_keras_is(name, "__keras_tensor__") ||
        !is_history(ltap_json_find(config, "keras_history"), ref))
        return false;
    ref->shape = ltap_json_find(config, "shape");
    return true;
}

static size_t layer_number(const running *run, const ltap_keras_layer *layer)
{
    return (size_t)(layer - LTAP_VECTOR_AT(&run->net->layers, ltap_keras_layer, 0));
}

/* A custom layer's shape, as whoever reads it was told. */
static void take_shape(ltap_keras_tensor *x, const ltap_json *shape)
{
    if (x->rank >= 0 || shape == NULL || shape->kind != LTAP_JSON_ARRAY ||
        shape->count > LTAP_KERAS_MAX_RANK)
        return;
    x->rank = 0;
    for (const ltap_json *j = shape->first; j != NULL; j = j->next)
        x->dims[x->rank++] = j->kind == LTAP_JSON_INT && j->integer >= 0 && j->integer <= INT32_MAX
                                 ? j->integer
                                 : -1;
}

/* Which of a layer's calls a number means: those of models may be counted from 1. */
static int64_t call_number(const running *run, const ltap_keras_layer *layer, const reference *ref,
                           bool as_output)
{
    bool from_one = false;
    if (layer->net != NULL && run->net->is_old)
        from_one = layer->least_ref >= 1;
    else if (layer->net != NULL && as_output)
        from_one = !layer->net->is_sequential ||
                   ref->call >= (layer->inbound != NULL ? (int64_t)layer->inbound->count : 0);
    return from_one && ref->call > 0 ? ref->call - 1 : ref->call;
}

/* False: not yet there, or wrong (the builder knows). */
static bool resolve(const running *run, const reference *ref, bool as_output, ltap_keras_tensor *x)
{
    ltap_keras_builder *b = &run->r->b;
    ltap_keras_layer *layer = ltap_keras_net_find(run->net, ref->layer);
    if (layer == NULL) {
        ltap_keras_wrong(b, LTAP_ERROR_FORMAT,
                         "'%.100s' uses a layer '%.100s', which is not listed", run->net->name,
                         ref->layer);
        return false;
    }
    const done *d = &run->layers[layer_number(run, layer)];
    int64_t call = call_number(run, layer, ref, as_output);
    if ((uint64_t)call >= d->calls.count)
        return false;
    const handed *made = LTAP_VECTOR_AT(&d->calls, handed, call);
    int64_t tensor = ref->tensor < 0 ? ref->tensor + (int64_t)made->count : ref->tensor;
    if (tensor < 0 || (uint64_t)tensor >= made->count) {
        ltap_keras_wrong(b, LTAP_ERROR_FORMAT,
                         "output %lld of layer '%.100s' is used, which has %zu",
                         (long long)ref->tensor, ref->layer, made->count);
        return false;
    }
    *x = made->tensors[tensor];
    x->one_of = as_output ? x->one_of : 0;
    take_shape(x, ref->shape);
    return true;
}

/* All tensors in a part of a call's arguments, in order; false: not all are there yet. */
static bool gather(const running *run, const ltap_json *json, int level, ltap_keras_tensor *tensors,
                   size_t *count)
{
    reference ref;
    if (json == NULL || (json->kind != LTAP_JSON_ARRAY && json->kind != LTAP_JSON_OBJECT))
        return true;
    if (is_reference(json, run->net->is_old, &ref)) {
        if (*count == LTAP_KERAS_MAX_ENDS) {
            ltap_keras_wrong(&run->r->b, LTAP_ERROR_UNSUPPORTED, "a call with more than %d tensors",
                             LTAP_KERAS_MAX_ENDS);
            return false;
        }
        if (!resolve(run, &ref, false, &tensors[*count]))
            return false;
        ++*count;
        /* Keras 2 has the other arguments behind the first tensor. */
        const ltap_json *kwargs =
            run->net->is_old && json->count > 3 ? json->first->next->next->next : NULL;
        return gather(run, kwargs, level + 1, tensors, count);
    }
    for (const ltap_json *j = json->first; j != NULL && level < MAX_LISTS; j = j->next)
        if (!gather(run, j, level + 1, tensors, count))
            return false;
    return true;
}

/* --- Arguments. ---------------------------------------------------------------------------------
 */

/* ["_CONSTANT_VALUE", -1, value, kwargs] */
static bool is_old_constant(const ltap_json *json)
{
    return json->kind == LTAP_JSON_ARRAY && json->count >= 3 &&
           ltap_keras_is(ltap_keras_text_of(json->first, ""), "_CONSTANT_VALUE");
}

static ltap_keras_argument argument_of(const running *run, const ltap_json *json)
{
    ltap_keras_argument argument = {.json = json};
    reference ref;
    if (run->net->is_old && is_old_constant(json))
        return (ltap_keras_argument){.json = json->first->next->next};
    if (is_reference(json, run->net->is_old, &ref) && resolve(run, &ref, false, &argument.tensor))
        argument.json = NULL;
    return argument;
}

ltap_keras_argument ltap_keras_argument_get(ltap_keras_call *c, size_t place, const char *name)
{
    const ltap_json *json = ltap_json_find(c->kwargs, name);
    if (place < c->n_args)
        return c->args[place];
    if (json != NULL && json->kind != LTAP_JSON_NULL && c->running != NULL)
        return argument_of(c->running, json);
    json = ltap_json_find(c->config, name);
    if (json != NULL && json->kind == LTAP_JSON_NULL)
        json = NULL;
    return (ltap_keras_argument){.json = json, .tensor.rank = LTAP_KERAS_NO_ARGUMENT};
}

/* --- One call. ----------------------------------------------------------------------------------
 */

static void call_net(ltap_keras_call *c)
{
    size_t n_outputs = 0;
    ltap_keras_net_run(c->r, c->layer->net, c->inputs, c->n_inputs, c->outputs, &n_outputs,
                       c->depth + 1);
    c->n_outputs = n_outputs;
}

void ltap_keras_cannot(ltap_keras_call *c, const char *why)
{
    char op[160];
    uint32_t inputs[LTAP_KERAS_MAX_ENDS], values[LTAP_KERAS_MAX_ENDS];
    snprintf(op, sizeof op, "%.60s%s%s%s", c->layer->class_name, why ? " (" : "", why ? why : "",
             why ? ")" : "");
    for (size_t i = 0; i < c->n_inputs; i++)
        inputs[i] = c->inputs[i].value;
    c->n_outputs = c->layer->last_end < LTAP_KERAS_MAX_ENDS ? (size_t)c->layer->last_end + 1 : 1;
    ltap_keras_add_several(
        c->b,
        (ltap_keras_node){.op = op, .domain = "keras", .inputs = inputs, .n_inputs = c->n_inputs},
        values, c->n_outputs);
    for (size_t i = 0; i < c->n_outputs; i++)
        c->outputs[i] = (ltap_keras_tensor){
            .value = values[i], .mask = LTAP_NO_VALUE, .rank = -1, .dtype = LTAP_FLOAT32};
}

static bool ranks_known(const ltap_keras_call *c)
{
    for (size_t i = 0; i < c->n_inputs; i++)
        if (c->inputs[i].rank < 0)
            return false;
    return true;
}

/* Sizes that no tensor has are not reckoned with; a run tells of them. */
static void limit_sizes(ltap_keras_tensor *x)
{
    for (int i = 0; i < x->rank; i++)
        if (x->dims[i] > INT32_MAX)
            x->dims[i] = -1;
}

static void run_row(ltap_keras_call *c)
{
    const ltap_keras_row *row = c->layer->row;
    c->n_outputs = 1;
    if (c->layer->net != NULL)
        call_net(c);
    else if (row == NULL)
        ltap_keras_cannot(c, NULL);
    else if (c->n_inputs == 0)
        ltap_keras_wrong(c->b, LTAP_ERROR_FORMAT, "it is called without a tensor");
    else if (!(row->flags & LTAP_KERAS_ANY_RANK) && !ranks_known(c))
        ltap_keras_cannot(c, "of an input of unknown shape");
    else
        row->run(c);
    if (!ltap_keras_is_good(c->b)) { /* a row that failed may have left anything there */
        c->outputs[0] = (ltap_keras_tensor){
            .value = LTAP_NO_VALUE, .mask = LTAP_NO_VALUE, .rank = -1, .dtype = LTAP_FLOAT32};
        c->n_outputs = 1;
        return;
    }
    /* Several follow each other as Keras lists them, whatever was computed first. */
    for (size_t i = 0; c->n_outputs > 1 && i < c->n_outputs; i++) {
        c->outputs[i] = ltap_keras_unary(c->b, "Identity", c->outputs[i]);
        c->outputs[i].one_of = (int)i + 1;
        if (ltap_keras_is_good(c->b))
            ltap_graph_at(c->b->graph, c->outputs[i].value)->is_end = true;
    }
    for (size_t i = 0; i < c->n_outputs; i++)
        limit_sizes(&c->outputs[i]);
    for (size_t i = 0; row != NULL && !(row->flags & LTAP_KERAS_MASKS) && i < c->n_outputs; i++)
        c->outputs[i].mask = LTAP_NO_VALUE;
}

static const char *shown_class(const ltap_keras_layer *layer)
{
    const char *last = strrchr(layer->class_name, '>');
    return last != NULL ? last + 1 : layer->class_name;
}

static void run_layer(ltap_keras_call *c)
{
    ltap_keras_enter(c->b, shown_class(c->layer), c->layer->name);
    run_row(c);
    ltap_keras_leave(c->b);
}

ltap_keras_tensor ltap_keras_run_held(ltap_keras_call *c, ltap_keras_layer *layer,
                                      ltap_keras_tensor x)
{
    ltap_keras_tensor outputs[LTAP_KERAS_MAX_ENDS];
    ltap_keras_call inner = {.r = c->r,
                             .b = c->b,
                             .layer = layer,
                             .config = layer->config,
                             .inputs = &x,
                             .n_inputs = 1,
                             .outputs = outputs,
                             .depth = c->depth + 1};
    run_layer(&inner);
    return outputs[0];
}

static ltap_status keep(ltap_keras_reader *r, done *d, const ltap_keras_tensor *tensors,
                        size_t count)
{
    void *block;
    LTAP_TRY(ltap_arena_take(r->arena, count, sizeof *tensors, &block, r->error));
    if (count > 0)
        memcpy(block, tensors, count * sizeof *tensors);
    const handed made = {block, count};
    return ltap_vector_push(&d->calls, &made, r->error);
}

/* Tensors by name: masks belong to the tensors that they are of, in their order. */
static bool gather_named(const running *run, ltap_keras_call *c, ltap_keras_tensor *inputs)
{
    ltap_keras_tensor masks[LTAP_KERAS_MAX_ENDS];
    if (c->kwargs == NULL || c->kwargs->kind != LTAP_JSON_OBJECT)
        return true;
    for (const ltap_json *j = c->kwargs->first; j != NULL; j = j->next) {
        size_t n_masks = 0, *count = strcmp(j->key, "mask") == 0 ? &n_masks : &c->n_inputs;
        if (!gather(run, j, 0, count == &n_masks ? masks : inputs, count))
            return false;
        for (size_t i = 0; i < n_masks && i < c->n_inputs; i++)
            inputs[i].mask = masks[i].value;
    }
    return true;
}

/* Every call of a layer in turn, as far as what it reads is there. */
static bool call_once(running *run, ltap_keras_layer *layer, done *d, const ltap_json *json)
{
    ltap_keras_tensor inputs[LTAP_KERAS_MAX_ENDS], outputs[LTAP_KERAS_MAX_ENDS];
    ltap_keras_argument args[LTAP_KERAS_MAX_ENDS];
    const ltap_json *list = run->net->is_old ? json : ltap_json_find(json, "args");
    ltap_keras_call c = {.r = run->r,
                         .b = &run->r->b,
                         .layer = layer,
                         .config = layer->config,
                         .inputs = inputs,
                         .outputs = outputs,
                         .args = args,
                         .running = run,
                         .depth = run->depth};
    c.kwargs = run->net->is_old ? NULL : ltap_json_find(json, "kwargs");
    if (!gather(run, list, 0, inputs, &c.n_inputs) || !gather_named(run, &c, inputs))
        return false;
    bool lists = list != NULL && list->kind == LTAP_JSON_ARRAY;
    /* One tensor alone may stand without the list around it: ["x", 0, 0, {}]. */
    reference ref;
    bool alone = run->net->is_old && (is_reference(list, true, &ref) || is_old_constant(list));
    for (const ltap_json *j = alone   ? list
                              : lists ? list->first
                                      : NULL;
         j != NULL && c.n_args < LTAP_KERAS_MAX_ENDS; j = alone ? NULL : j->next) {
        args[c.n_args++] = argument_of(run, j);
        if (run->net->is_old && c.kwargs == NULL && j->kind == LTAP_JSON_ARRAY && j->count > 3)
            c.kwargs = j->first->next->next->next;
    }
    run_layer(&c);
    if (ltap_keras_is_good(c.b))
        ltap_keras_take(c.b, keep(run->r, d, outputs, c.n_outputs));
    return ltap_keras_is_good(c.b);
}

/* --- Nets. --------------------------------------------------------------------------------------
 */

static bool advance(running *run, size_t number, bool *waits)
{
    ltap_keras_layer *layer = LTAP_VECTOR_AT(&run->net->layers, ltap_keras_layer, number);
    done *d = &run->layers[number];
    bool moved = false;
    if (!d->started)
        d->next = layer->inbound != NULL && layer->inbound->kind == LTAP_JSON_ARRAY
                      ? layer->inbound->first
                      : NULL;
    d->started = true;
    while (d->next != NULL && call_once(run, layer, d, d->next)) {
        d->next = d->next->next;
        moved = true;
    }
    *waits = *waits || d->next != NULL;
    return moved;
}

static void tell_stuck(running *run)
{
    for (size_t i = 0; i < run->net->layers.count; i++)
        if (run->layers[i].next != NULL) {
            ltap_keras_wrong(
                &run->r->b, LTAP_ERROR_FORMAT,
                "'%.100s': a call of layer '%.100s' has no inputs: the layers before it wait for "
                "each other, or it uses a call that is not listed",
                run->net->name, LTAP_VECTOR_AT(&run->net->layers, ltap_keras_layer, i)->name);
            return;
        }
}

static void run_calls(running *run)
{
    bool moved = true, waits = true;
    for (int round = 0; moved && waits && ltap_keras_is_good(&run->r->b); round++) {
        moved = waits = false;
        for (size_t i = 0; i < run->net->layers.count && ltap_keras_is_good(&run->r->b); i++)
            moved |= advance(run, i, &waits);
        if (round == MAX_ROUNDS)
            moved = false;
    }
    if (waits)
        tell_stuck(run);
}

/* An input of a net gets what the net is called with; it is a layer with a name of its own. */
static void bind_input(running *run, ltap_keras_layer *layer, ltap_keras_tensor x)
{
    ltap_keras_builder *b = &run->r->b;
    done *d = &run->layers[layer_number(run, layer)];
    if (d->calls.count > 0 || !ltap_keras_is_good(b))
        return;
    if (run->depth > 0) {
        ltap_keras_enter(b, "InputLayer", layer->name);
        x = ltap_keras_unary(b, "Identity", x);
        ltap_keras_leave(b);
    }
    ltap_keras_take(b, keep(run->r, d, &x, 1));
}

/* Triples, in lists, or under names. */
static void each_end(running *run, const ltap_json *json, int level,
                     void (*use)(running *run, const reference *ref, void *context), void *context)
{
    reference ref;
    if (json == NULL || level > MAX_LISTS ||
        (json->kind != LTAP_JSON_ARRAY && json->kind != LTAP_JSON_OBJECT))
        return;
    if (is_history(json, &ref)) {
        use(run, &ref, context);
        return;
    }
    for (const ltap_json *j = json->first; j != NULL; j = j->next)
        each_end(run, j, level + 1, use, context);
}

typedef struct ends {
    const ltap_keras_tensor *given;
    ltap_keras_tensor *tensors;
    size_t count, n_given;
} ends;

static void use_input(running *run, const reference *ref, void *context)
{
    ends *e = context;
    ltap_keras_layer *layer = ltap_keras_net_find(run->net, ref->layer);
    if (layer == NULL)
        ltap_keras_wrong(&run->r->b, LTAP_ERROR_FORMAT,
                         "the input layer '%.100s' of '%.100s' is not listed", ref->layer,
                         run->net->name);
    else if (e->count >= e->n_given)
        ltap_keras_wrong(&run->r->b, LTAP_ERROR_FORMAT,
                         "'%.100s' has more inputs than the %zu "
                         "that it is called with",
                         run->net->name, e->n_given);
    else
        bind_input(run, layer, e->given[e->count++]);
}

static void use_output(running *run, const reference *ref, void *context)
{
    ends *e = context;
    if (!ltap_keras_is_good(&run->r->b))
        return;
    if (e->count == LTAP_KERAS_MAX_ENDS)
        ltap_keras_wrong(&run->r->b, LTAP_ERROR_UNSUPPORTED, "a model of more than %d outputs",
                         LTAP_KERAS_MAX_ENDS);
    else if (resolve(run, ref, true, &e->tensors[e->count]))
        e->count++;
    else
        ltap_keras_wrong(&run->r->b, LTAP_ERROR_FORMAT,
                         "an output of '%.100s' is a call of layer '%.100s' that is not listed",
                         run->net->name, ref->layer);
}

/* Each layer on what the one before it handed out. */
static void run_sequence(running *run, const ltap_keras_tensor *inputs, size_t n_inputs, ends *out)
{
    ltap_keras_tensor tensors[LTAP_KERAS_MAX_ENDS];
    out->count = n_inputs;
    memcpy(out->tensors, inputs, n_inputs * sizeof *inputs);
    for (size_t i = 0; i < run->net->layers.count && ltap_keras_is_good(&run->r->b); i++) {
        ltap_keras_layer *layer = LTAP_VECTOR_AT(&run->net->layers, ltap_keras_layer, i);
        ltap_keras_argument argument = {.tensor = out->tensors[0]};
        ltap_keras_call c = {.r = run->r,
                             .b = &run->r->b,
                             .layer = layer,
                             .config = layer->config,
                             .inputs = tensors,
                             .n_inputs = out->count,
                             .outputs = out->tensors,
                             .args = &argument,
                             .n_args = 1,
                             .depth = run->depth};
        memcpy(tensors, out->tensors, out->count * sizeof *tensors);
        if (ltap_keras_is_input(layer)) {
            bind_input(run, layer, tensors[0]);
            if (run->layers[i].calls.count > 0)
                out->tensors[0] = LTAP_VECTOR_AT(&run->layers[i].calls, handed, 0)->tensors[0];
            continue;
        }
        run_layer(&c);
        out->count = c.n_outputs;
    }
}

void ltap_keras_net_run(ltap_keras_reader *r, ltap_keras_net *net, const ltap_keras_tensor *inputs,
                        size_t n_inputs, ltap_keras_tensor *outputs, size_t *n_outputs, int depth)
{
    running run = {.r = r, .net = net, .depth = depth};
    ends in = {.given = inputs, .n_given = n_inputs}, out = {.tensors = outputs};
    void *block;
    if (!ltap_keras_is_good(&r->b))
        return;
    ltap_status status = ltap_memory_take_zeroed(r->memory, net->layers.count + 1, sizeof(done),
                                                 "a list of layers", &block, r->error);
    ltap_keras_take(&r->b, status);
    if (status != LTAP_OK)
        return;
    run.layers = block;
    for (size_t i = 0; i < net->layers.count; i++)
        ltap_vector_init(&run.layers[i].calls, r->memory, sizeof(handed));
    if (net->is_sequential && net->outputs == NULL) {
        run_sequence(&run, inputs, n_inputs, &out);
    } else {
        each_end(&run, net->inputs, 0, use_input, &in);
        run_calls(&run);
        each_end(&run, net->outputs, 0, use_output, &out);
    }
    *n_outputs = out.count;
    for (size_t i = 0; i < net->layers.count; i++)
        ltap_vector_clear(&run.layers[i].calls);
    ltap_memory_release(r->memory, run.layers);
}
