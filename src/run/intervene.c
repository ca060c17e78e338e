/* Interventions: a hook of our own that changes a part of a layer's output.
 *
 * The part is gone through by runs along its last axis, loaded as doubles, changed, and stored
 * rounded once. What is done to an input of a batch never depends on the others.
 */
#include "run/intervene.h"

#include "base/error.h"
#include "ops/elements.h"
#include "run/part.h"
#include "run/run.h"
#include <layertap/random.h>

#include <string.h>

typedef struct change {
    ltap_memory *memory;
    ltap_part part;
    ltap_intervention_kind kind;
    double amount;
    uint64_t seed;
    int channels;
    ltap_tensor value;
} change;

/* One run of the part: n elements from `start`, element `index` of the part. */
typedef struct stretch {
    const change *change;
    ltap_tensor *tensor;
    const double *means; /* f64[rows,channels] */
    int64_t index[LTAP_MAX_RANK];
    uint64_t start, at; /* elements before it: of the tensor; of the part */
    bool whole;         /* the value is of the layer, not of the part */
    uint64_t row_size;  /* elements of a value that is the same for each input; 0: it is not */
    ltap_random random;
} stretch;

/* The step from one index of an axis to the next. */
static uint64_t stride_of(const ltap_tensor *tensor, int axis)
{
    uint64_t stride = 1;

    for (int i = axis + 1; i < tensor->rank; i++)
        stride *= (uint64_t)tensor->dims[i];
    return stride;
}

/* The mean that belongs to element i of a stretch. */
static double mean_at(const stretch *s, int64_t i)
{
    int axis = ltap_channel_axis(s->tensor->rank, s->change->channels);
    int last = s->tensor->rank - 1;
    int64_t channel = s->index[axis] + (axis == last ? i : 0);

    return s->means[s->index[0] * s->tensor->dims[axis] + channel];
}

static void change_zero(stretch *s, double *x, int64_t n)
{
    (void)s;
    for (int64_t i = 0; i < n; i++)
        x[i] = 0;
}

static void change_mean(stretch *s, double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = mean_at(s, i);
}

static void change_scale(stretch *s, double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] *= s->change->amount;
}

static void change_noise(stretch *s, double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] += s->change->amount * ltap_random_normal(&s->random);
}

static void change_value(stretch *s, double *x, int64_t n)
{
    const ltap_tensor *value = &s->change->value;
    uint64_t from = s->whole ? s->start : s->at;

    if (!s->row_size)
        ltap_load_doubles(value->dtype, value->data, (int64_t)from, n, x);
    for (int64_t i = 0; s->row_size && i < n; i++)
        ltap_load_doubles(value->dtype, value->data, (int64_t)((from + (uint64_t)i) % s->row_size),
                          1, &x[i]);
}

/* By number of the kind. */
static void (*const changes[])(stretch *s, double *x, int64_t n) = {
    change_zero, change_mean, change_scale, change_noise, change_value};

static void do_stretch(stretch *s, int64_t n)
{
    double x[LTAP_BLOCK];
    int last = s->tensor->rank - 1;

    for (int64_t done = 0; done < n;) {
        int64_t some = n - done < LTAP_BLOCK ? n - done : LTAP_BLOCK;
        ltap_load_doubles(s->tensor->dtype, s->tensor->data, (int64_t)s->start, some, x);
        changes[s->change->kind](s, x, some);
        ltap_store_doubles(s->tensor->dtype, s->tensor->data, (int64_t)s->start, some, x);
        done += some;
        s->start += (uint64_t)some;
        s->at += (uint64_t)some;
        if (last >= 0)
            s->index[last] += some;
    }
}

static ltap_random seed_of(const change *c, const char *layer)
{
    uint64_t state = UINT64_C(0xcbf29ce484222325); /* FNV-1a, 64 bits */

    for (; *layer; layer++)
        state = (state ^ (unsigned char)*layer) * UINT64_C(0x100000001b3);
    return (ltap_random){.state = state + c->seed};
}

/* Goes through a part, stretch by stretch. */
static void walk(stretch *s, const ltap_box *box, const ltap_random *seed)
{
    int last = box->rank - 1;
    int64_t n = last < 0 ? 1 : box->count[last], at[LTAP_MAX_RANK] = {0};

    for (int i = 0; i < box->rank; i++)
        if (box->count[i] == 0)
            return;
    for (;;) {
        s->start = 0;
        for (int i = 0; i < box->rank; i++) {
            s->index[i] = box->first[i] + at[i];
            s->start += (uint64_t)s->index[i] * stride_of(s->tensor, i);
        }
        bool begins_row = true; /* the first stretch of an input of the batch */
        for (int i = 1; i < last; i++)
            begins_row = begins_row && at[i] == 0;
        if (begins_row)
            s->random = *seed;
        do_stretch(s, n);
        int axis = last - 1;
        while (axis >= 0 && ++at[axis] == box->count[axis])
            at[axis--] = 0;
        if (axis < 0)
            return;
    }
}

/* Means of each channel of each input over all else, in double. */
static ltap_status take_means(const change *c, const ltap_tensor *tensor, double **means,
                              ltap_error *error)
{
    int axis = ltap_channel_axis(tensor->rank, c->channels);
    void *block;

    if (tensor->rank < 3)
        return ltap_error_set(error, LTAP_ERROR_INPUT,
                              "it is %s: a channel has one number, and no mean of several",
                              ltap_tensor_text(tensor).text);
    if (axis < 1 || axis >= tensor->rank)
        return ltap_error_set(error, LTAP_ERROR_INPUT, "%s has no channels along axis %d",
                              ltap_tensor_text(tensor).text, c->channels);
    uint64_t n = (uint64_t)tensor->dims[axis], inner = stride_of(tensor, axis);
    uint64_t total = ltap_tensor_count(tensor), row = stride_of(tensor, 0);
    LTAP_TRY(ltap_memory_take_zeroed(c->memory, (uint64_t)tensor->dims[0] * n, sizeof(double),
                                     "the channels' means", &block, error));
    *means = block;
    for (uint64_t i = 0; i < total; i++) {
        double x;
        ltap_load_doubles(tensor->dtype, tensor->data, (int64_t)i, 1, &x);
        (*means)[i / row * n + i / inner % n] += x;
    }
    for (uint64_t i = 0; total && i < (uint64_t)tensor->dims[0] * n; i++)
        (*means)[i] /= (double)(row / n);
    return LTAP_OK;
}

/* Whether a value is of a shape; row_size: its size, where it is the same for all inputs of a
 * batch, else 0. */
static bool is_of(const ltap_tensor *value, const ltap_tensor *shape, bool batch,
                  uint64_t *row_size)
{
    *row_size = 0;
    if (value->rank != shape->rank)
        return false;
    for (int i = 1; i < shape->rank; i++)
        if (value->dims[i] != shape->dims[i])
            return false;
    if (!shape->rank || value->dims[0] == shape->dims[0])
        return true;
    *row_size = ltap_tensor_count(value);
    return batch && value->dims[0] == 1;
}

/* A value has the part's shape, or the layer's: then its part is taken. */
static ltap_status fit_value(stretch *s, const ltap_box *box, ltap_error *error)
{
    const change *c = s->change;
    bool batch = !(c->part.n_axes && c->part.axes[0].single);

    if (is_of(&c->value, &box->shape, batch, &s->row_size))
        return LTAP_OK;
    s->whole = is_of(&c->value, s->tensor, true, &s->row_size);
    if (s->whole)
        return LTAP_OK;
    if (c->part.n_axes)
        return ltap_error_set(error, LTAP_ERROR_INPUT,
                              "the value is %s; the layer is %s, its part %s",
                              ltap_tensor_text(&c->value).text, ltap_tensor_text(s->tensor).text,
                              ltap_tensor_text(&box->shape).text);
    return ltap_error_set(error, LTAP_ERROR_INPUT, "the value is %s, the layer is %s",
                          ltap_tensor_text(&c->value).text, ltap_tensor_text(s->tensor).text);
}

static ltap_status apply(const change *c, const char *layer, ltap_tensor *tensor, ltap_error *error)
{
    stretch s = {.change = c, .tensor = tensor};
    const ltap_random seed = seed_of(c, layer);
    double *means = NULL;
    ltap_box box;

    if (tensor->dtype != LTAP_FLOAT32 && tensor->dtype != LTAP_FLOAT64 &&
        !ltap_dtype_is_half(tensor->dtype))
        return ltap_error_set(error, LTAP_ERROR_INPUT, "it is %s; only float layers can be changed",
                              ltap_tensor_text(tensor).text);
    LTAP_TRY(ltap_part_fit(&c->part, tensor, &box, error));
    if (c->kind == LTAP_SET_VALUE)
        LTAP_TRY(fit_value(&s, &box, error));
    if (c->kind == LTAP_SET_MEAN)
        LTAP_TRY(take_means(c, tensor, &means, error));
    s.means = means;
    walk(&s, &box, &seed);
    ltap_memory_release(c->memory, means);
    return LTAP_OK;
}

/* The means, while they are used. */
static uint64_t takes(const void *user, const ltap_tensor *tensor)
{
    const change *c = user;
    int axis = ltap_channel_axis(tensor->rank, c->channels);

    if (c->kind != LTAP_SET_MEAN || tensor->rank < 3 || axis < 1 || axis >= tensor->rank)
        return 0;
    return (uint64_t)tensor->dims[0] * (uint64_t)tensor->dims[axis] * sizeof(double);
}

static ltap_hook_answer intervene(void *user, ltap_hook_call *call)
{
    return apply(user, call->layer, &call->tensors[0], call->error) == LTAP_OK ? LTAP_HOOK_REPLACED
                                                                               : LTAP_HOOK_FAILED;
}

static ltap_status take_value(const ltap_tensor *value, ltap_arena *arena, ltap_tensor *copy,
                              ltap_error *error)
{
    uint64_t bytes = ltap_tensor_bytes(value);
    void *block;

    LTAP_TRY(ltap_arena_take(arena, bytes, 1, &block, error));
    if (bytes)
        memcpy(block, value->data, (size_t)bytes);
    *copy = *value;
    copy->data = block;
    return LTAP_OK;
}

/* "layer4[17]" is a child; where there is none, an index may have been meant. */
static ltap_status tell_parts(const char *layer, ltap_status status, ltap_error *error)
{
    const char *open = strrchr(layer, '[');
    size_t digits = open ? strspn(open + 1, "0123456789") : 0;

    if (status != LTAP_ERROR_UNKNOWN_LAYER || !error || open == layer || !digits ||
        strcmp(open + 1 + digits, "]") != 0)
        return status;
    const ltap_error said = *error;
    return ltap_error_set(error, status,
                          "%s; '[%.*s]' is a child, an index along axis 1 is '[:,%.*s]'",
                          said.message, (int)digits, open + 1, (int)digits, open + 1);
}

/* The hook, under the whole name or without its part. */
static ltap_status add_hook(ltap_run *run, const char *layer, ltap_part *part, ltap_hooked **hooked,
                            ltap_error *error)
{
    ltap_hook hook = {.layer = layer, .replaces = 1, .callback = intervene};
    ltap_status status;
    ltap_arena arena;
    size_t bytes;

    if (!ltap_part_cut(layer, &bytes, part)) {
        status = ltap_hooks_add(&run->hooks, run->getter, &hook, hooked, error);
        return tell_parts(layer, status, error);
    }
    status = ltap_hooks_add(&run->hooks, run->getter, &hook, hooked, NULL);
    if (status == LTAP_OK)
        part->n_axes = 0;
    if (status == LTAP_OK || status == LTAP_ERROR_MEMORY)
        return status == LTAP_OK ? status
                                 : ltap_error_set(error, status, "no memory for an intervention");
    ltap_arena_init(&arena, run->memory);
    status = ltap_arena_text(&arena, layer, bytes, &hook.layer, error);
    if (status == LTAP_OK)
        status = ltap_hooks_add(&run->hooks, run->getter, &hook, hooked, error);
    ltap_arena_clear(&arena);
    return status;
}

ltap_status ltap_run_intervene(ltap_run *run, const ltap_intervention *intervention,
                               uint64_t *number, ltap_error *error)
{
    ltap_hooked *hooked;
    ltap_part part;
    void *block;

    LTAP_TRY(add_hook(run, intervention->layer, &part, &hooked, error));
    ltap_status status = ltap_arena_take(&hooked->arena, 1, sizeof(change), &block, error);
    change *made = block;
    if (status == LTAP_OK) {
        *made = (change){.memory = run->memory,
                         .part = part,
                         .kind = intervention->kind,
                         .amount = intervention->amount,
                         .seed = intervention->seed,
                         .channels = intervention->channels ? intervention->channels
                                                            : run->getter->channels};
        hooked->hook.user = made;
        hooked->what = "intervention";
        hooked->takes = takes;
        if (intervention->kind == LTAP_SET_VALUE)
            hooked->held_bytes = ltap_tensor_bytes(intervention->value);
        if (intervention->kind == LTAP_SET_VALUE)
            status = take_value(intervention->value, &hooked->arena, &made->value, error);
    }
    if (status != LTAP_OK) {
        ltap_hooks_remove(&run->hooks, hooked->number, run->busy);
        return status;
    }
    if (number)
        *number = hooked->number;
    return LTAP_OK;
}
