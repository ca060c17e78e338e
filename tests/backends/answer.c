#include "answer.h"

#include "backends/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What a plan would have at hand. */
typedef struct desk {
    ltap_tensor inputs[ANSWER_TENSORS];  /* without the data of what is not constant */
    ltap_tensor outputs[ANSWER_TENSORS]; /* without data */
    const void *identities[ANSWER_TENSORS];
    bool lies_last[ANSWER_TENSORS];
    ltap_layout in[ANSWER_TENSORS], out[ANSWER_TENSORS];
    ltap_query query;
    void *blocks[ANSWER_TENSORS]; /* inputs as the row wants them */
    void *raw[ANSWER_TENSORS];    /* outputs as it makes them; what is kept follows the first */
} desk;

static void set_up(const question *asked, desk *d)
{
    memset(d, 0, sizeof *d);
    assert_true(asked->node->n_inputs <= ANSWER_TENSORS);
    assert_true(asked->node->n_outputs <= ANSWER_TENSORS);
    for (size_t i = 0; i < asked->node->n_inputs; i++) {
        bool constant = asked->constants >> i & 1;
        d->inputs[i] = asked->inputs[i];
        d->inputs[i].data = constant ? asked->inputs[i].data : NULL;
        d->identities[i] = d->inputs[i].data;
        d->lies_last[i] = asked->last && ltap_layout_applies(asked->inputs[i].rank) && !constant;
    }
    for (size_t i = 0; i < asked->node->n_outputs; i++) {
        d->outputs[i] = asked->outputs[i];
        d->outputs[i].data = NULL;
    }
    d->query = (ltap_query){.node = asked->node,
                            .inputs = d->inputs,
                            .n_inputs = asked->node->n_inputs,
                            .outputs = d->outputs,
                            .n_outputs = asked->node->n_outputs,
                            .exact = asked->exact,
                            .bf16 = asked->bf16,
                            .threads = asked->threads,
                            .identities = d->identities,
                            .lies_last = d->lies_last,
                            .memory = asked->memory};
    assert_int_equal(ltap_packs_new(asked->memory, &d->query.packs, NULL), LTAP_OK);
}

/* The data of a tensor of this plain shape, moved between layouts. */
static void *move(const ltap_tensor *plain, const void *data, ltap_layout from, ltap_layout to)
{
    size_t bytes = (size_t)ltap_tensor_bytes(plain);
    void *moved = malloc(bytes ? bytes : 1);
    assert_non_null(moved);
    if (bytes > 0 && from == to)
        memcpy(moved, data, bytes);
    else if (bytes > 0)
        ltap_layout_convert(plain, &(ltap_layout_side){(void *)(uintptr_t)data, from, 0},
                            &(ltap_layout_side){moved, to, 0}, 1);
    return moved;
}

static void move_inputs(const question *asked, const ltap_kernel *kernel, desk *d,
                        const void **inputs)
{
    for (size_t i = 0; i < asked->node->n_inputs; i++) {
        inputs[i] = NULL;
        if (asked->inputs[i].dtype == LTAP_UNDEFINED)
            continue;
        ltap_layout layout = asked->constants >> i & 1 ? LTAP_LAYOUT_PLAIN : d->in[i];
        d->blocks[i] = move(&asked->inputs[i], asked->inputs[i].data, LTAP_LAYOUT_PLAIN, layout);
        inputs[i] = kernel->packed_inputs >> i & 1 ? NULL : d->blocks[i];
    }
}

enum { UNTOUCHED = 0x7b };

/* Room for a tensor, and for what is left between its pixels. */
static void *take_raw(const desk *d, const ltap_tensor *shape)
{
    size_t bytes = (size_t)ltap_tensor_bytes(shape) * (d->query.step ? 1 + ANSWER_GAP : 1) + 1;
    void *data = malloc(bytes);
    assert_non_null(data);
    memset(data, UNTOUCHED, bytes);
    return data;
}

/* Pixels that lie further apart, side by side again; nothing was written between them. */
static void close_up(const ltap_tensor *shape, float *data)
{
    size_t channels = (size_t)shape->dims[1];
    size_t pixels = (size_t)ltap_tensor_count(shape) / channels;

    for (size_t i = 0; i < pixels; i++) {
        float *pixel = data + i * (channels + ANSWER_GAP);
        for (size_t k = 0; k < ANSWER_GAP * sizeof(float); k++)
            assert_int_equal(((unsigned char *)(pixel + channels))[k], UNTOUCHED);
        memmove(data + i * channels, pixel, channels * sizeof(float));
    }
}

static void run_raw(const question *asked, const ltap_kernel *kernel, desk *d, answer *found)
{
    const void *inputs[ANSWER_TENSORS];
    void *scratch;

    move_inputs(asked, kernel, d, inputs);
    assert_int_equal(
        ltap_memory_take(asked->memory, kernel->scratch_bytes, "scratch", &scratch, NULL), LTAP_OK);
    memset(scratch, 0xff, (size_t)kernel->scratch_bytes);
    found->status = kernel->impl->run(kernel, inputs, d->raw, scratch, &found->error);
    ltap_memory_release(asked->memory, scratch);
}

static void run(const question *asked, const ltap_kernel *kernel, desk *d, answer *found)
{
    const ltap_tensor *shapes = asked->outputs;

    for (size_t i = 0; i < asked->node->n_outputs; i++)
        if (asked->wanted >> i & 1)
            d->raw[i] = take_raw(d, &shapes[i]);
    if (asked->kept)
        d->raw[1] = take_raw(d, &shapes[0]);
    run_raw(asked, kernel, d, found);
    if (d->query.step && found->status == LTAP_OK)
        close_up(&shapes[0], d->raw[0]);
    if (asked->kept && found->status == LTAP_OK)
        found->kept = move(&shapes[0], d->raw[1], d->out[0], LTAP_LAYOUT_PLAIN);
    for (size_t i = 0; i < asked->node->n_outputs; i++)
        if (d->raw[i] && found->status == LTAP_OK)
            found->blocks[i] = move(&shapes[i], d->raw[i], d->out[i], LTAP_LAYOUT_PLAIN);
}

/* What a plan says once a row has accepted. */
static void settle(const ltap_impl *row, const question *asked, desk *d)
{
    bool wide = asked->apart && row->apart && asked->outputs[0].dims[1] > 1;

    if (row->layouts)
        row->layouts(&d->query, d->in, d->out);
    d->query.layout = d->out[0];
    d->query.chain = asked->link;
    d->query.n_chain = asked->link ? 1 : 0;
    d->query.kept = asked->kept;
    if (wide && d->out[0] == LTAP_LAYOUT_CHANNELS_LAST)
        d->query.step = asked->outputs[0].dims[1] + ANSWER_GAP;
}

static void tear_down(desk *d)
{
    ltap_packs_free(d->query.packs);
    for (size_t i = 0; i < ANSWER_TENSORS; i++) {
        free(d->blocks[i]);
        free(d->raw[i]);
    }
}

bool answer_accepts(const ltap_impl *row, const question *asked, ltap_why *why)
{
    desk d;

    set_up(asked, &d);
    bool accepted = row->accepts(&d.query, why);
    tear_down(&d);
    return accepted;
}

void answer_find(const ltap_impl *row, const question *asked, answer *found)
{
    desk d;
    ltap_kernel kernel = {.impl = row, .detail = ""};

    memset(found, 0, sizeof *found);
    set_up(asked, &d);
    found->accepted = row->accepts(&d.query, &found->why);
    if (found->accepted) {
        settle(row, asked, &d);
        assert_int_equal(row->prepare(&d.query, &kernel, &found->error), LTAP_OK);
        run(asked, &kernel, &d, found);
        row->release(&kernel, asked->memory);
    }
    tear_down(&d);
}

void answer_clear(answer *found)
{
    free(found->kept);
    for (size_t i = 0; i < ANSWER_TENSORS; i++)
        free(found->blocks[i]);
}
