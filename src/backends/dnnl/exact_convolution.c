/* Conv by oneDNN for exact mode: the same bits for any number of threads and any batch size.
 *
 * oneDNN chooses its blocking, and so the order of its sums, by batch and threads. So each image is
 * cut into bands of rows, by a rule that knows its shape only; each band is a convolution of one
 * image on one thread, and the threads share the bands. A band's rows are contiguous on both sides,
 * so it is described by moving pointers; bands of the same sizes share a primitive.
 */
#include "backends/dnnl/convolution.h"
#include "backends/dnnl/memory.h"
#include "backends/dnnl/row.h"
#include "backends/dnnl/rows.h"
#include "backends/simd/links.h"
#include "base/checked.h"
#include "base/parallel.h"

#define MAX_BANDS 8

typedef struct band {
    ltap_window window; /* of the band alone */
    int64_t src, dst;   /* first row of the input and of the output */
    size_t primitive;   /* which of the primitives */
} band;

typedef struct state {
    int workers; /* threads at most */
    dnnl_engine_t engine;
    size_t n_bands, n_primitives;
    band bands[MAX_BANDS];
    ltap_dnnl_primitive primitives[MAX_BANDS];
    int64_t images, src_row, dst_row, src_image, dst_image; /* bytes of a row, an image */
    uint64_t scratch_bytes;                                 /* of one worker */
    size_t n_inputs;
    ltap_links chain;
} state;

typedef struct run_job {
    const state *state;
    const void *const *inputs;
    void *const *outputs;
    char *scratch; /* a share of each worker */
    int64_t n_workers;
    ltap_status *statuses; /* of each worker */
} run_job;

/* Output rows [first, last) as a convolution of their own. */
static bool cut_band(const ltap_window *whole, int64_t first, int64_t last, band *result)
{
    ltap_window *w = &result->window;
    int64_t extent = (whole->kernel[1] - 1) * whole->dilation[1] + 1;
    int64_t top = first * whole->stride[1] - whole->begin[1];
    int64_t bottom = (last - 1) * whole->stride[1] - whole->begin[1] + extent;
    *w = *whole;
    w->begin[1] = top < 0 ? -top : 0;
    w->end[1] = bottom > whole->in[1] ? bottom - whole->in[1] : 0;
    w->in[1] = bottom - top - w->begin[1] - w->end[1];
    w->out[1] = last - first;
    result->src = top < 0 ? 0 : top;
    result->dst = first;
    return w->in[1] > 0;
}

/* Cuts an image; only channels-last ones are cut along rows. */
static bool cut_image(const ltap_window *whole, bool cuts, state *s, ltap_why *why)
{
    int64_t rows = cuts ? (whole->out[1] + MAX_BANDS - 1) / MAX_BANDS : whole->out[1];
    if (!cuts) {
        s->bands[s->n_bands++] = (band){.window = *whole};
        return true;
    }
    for (int64_t first = 0; first < whole->out[1]; first += rows) {
        int64_t last = first + rows < whole->out[1] ? first + rows : whole->out[1];
        if (!cut_band(whole, first, last, &s->bands[s->n_bands++]))
            return ltap_refuse(why, "a window lies in the padding");
    }
    return true;
}

static bool same_sizes(const ltap_window *a, const ltap_window *b)
{
    return a->in[1] == b->in[1] && a->out[1] == b->out[1] && a->begin[1] == b->begin[1] &&
           a->end[1] == b->end[1];
}

/* Band i's primitive is that of the first band of its sizes. */
static size_t first_like(const state *s, size_t i)
{
    size_t first = 0;
    while (!same_sizes(&s->bands[first].window, &s->bands[i].window))
        first++;
    return first;
}

static bool read_bands(const ltap_query *query, state *s, ltap_why *why)
{
    ltap_window whole;
    if (!query->exact)
        return ltap_refuse(why, "not in exact mode");
    return ltap_dnnl_conv_read(query, &whole, why) &&
           cut_image(&whole, query->inputs[0].rank == 4, s, why);
}

static bool accepts(const ltap_query *query, ltap_why *why)
{
    state s = {.n_bands = 0};
    if (!read_bands(query, &s, why))
        return false;
    for (size_t i = 0; i < s.n_bands; i++) {
        ltap_dnnl_job job = {.n_args = 0};
        if (first_like(&s, i) == i &&
            (!ltap_dnnl_conv_describe(query, &s.bands[i].window, 1, &job, why) ||
             !ltap_dnnl_has(&job, why)))
            return false;
    }
    return true;
}

static void release(ltap_kernel *kernel, ltap_memory *memory)
{
    state *s = kernel->state;
    if (!s)
        return;
    for (size_t i = 0; i < s->n_primitives; i++)
        ltap_dnnl_primitive_clear(&s->primitives[i]);
    if (s->engine)
        dnnl_engine_destroy(s->engine);
    ltap_memory_release(memory, s);
    kernel->state = NULL;
}

static ltap_status make_primitive(const ltap_query *query, state *s, size_t i, ltap_kernel *kernel,
                                  ltap_error *error)
{
    ltap_dnnl_job job = {.n_args = 0};
    ltap_why why = {""};
    size_t like = first_like(s, i);
    if (like != i) {
        s->bands[i].primitive = s->bands[like].primitive;
        return LTAP_OK;
    }
    if (!ltap_dnnl_conv_describe(query, &s->bands[i].window, 1, &job, &why))
        return ltap_error_set(error, LTAP_ERROR_INTERNAL, "oneDNN was chosen, but %s", why.text);
    s->bands[i].primitive = s->n_primitives;
    ltap_dnnl_primitive *p = &s->primitives[s->n_primitives++];
    LTAP_TRY(ltap_dnnl_primitive_init(query, &job, s->engine, p, &kernel->packed_inputs, error));
    if (p->scratch_bytes > s->scratch_bytes)
        s->scratch_bytes = p->scratch_bytes;
    return LTAP_OK;
}

/* Bytes of one row of one image, all channels. */
static int64_t row_bytes(const ltap_tensor *t)
{
    return t->dims[1] * t->dims[t->rank - 1] * (int64_t)sizeof(float);
}

/* Each worker has its scratch memory, then its status. */
static bool share_scratch(state *s, int threads, uint64_t *total)
{
    int64_t tasks = s->images * (int64_t)s->n_bands;
    s->workers = (int)(tasks < threads ? tasks : threads);
    return ltap_checked_round_up(s->scratch_bytes, LTAP_ALIGNMENT, &s->scratch_bytes) &&
           ltap_checked_mul(s->scratch_bytes + sizeof(ltap_status), (uint64_t)s->workers, total);
}

static ltap_status prepare(const ltap_query *query, ltap_kernel *kernel, ltap_error *error)
{
    const ltap_tensor *x = &query->inputs[0], *y = &query->outputs[0];
    ltap_why why = {""};
    ltap_status status = LTAP_OK;
    LTAP_TRY(ltap_memory_take_zeroed(query->memory, 1, sizeof(state), "a kernel", &kernel->state,
                                     error));
    state *s = kernel->state;
    kernel->state_bytes = sizeof *s;
    s->n_inputs = query->n_inputs;
    ltap_links_after(query, &s->chain);
    s->images = x->dims[0];
    s->src_row = row_bytes(x);
    s->dst_row = row_bytes(y);
    s->src_image = (int64_t)ltap_tensor_bytes(x) / s->images;
    s->dst_image = (int64_t)ltap_tensor_bytes(y) / s->images;
    LTAP_GO(ltap_dnnl_check(dnnl_engine_create(&s->engine, dnnl_cpu, 0), "an engine", error));
    if (!read_bands(query, s, &why))
        LTAP_GO(ltap_error_set(error, LTAP_ERROR_INTERNAL, "oneDNN was chosen, but %s", why.text));
    for (size_t i = 0; i < s->n_bands; i++)
        LTAP_GO(make_primitive(query, s, i, kernel, error));
    if (!share_scratch(s, query->threads, &kernel->scratch_bytes))
        LTAP_GO(ltap_error_set(error, LTAP_ERROR_MEMORY, "its working memory is too large"));
    kernel->detail = s->primitives[0].detail;
done:
    if (status != LTAP_OK)
        release(kernel, query->memory);
    return status;
}

static ltap_status run_band(const run_job *work, int64_t task, char *scratch, ltap_error *error)
{
    const state *s = work->state;
    const band *b = &s->bands[(size_t)task % s->n_bands];
    int64_t image = task / (int64_t)s->n_bands;
    const void *inputs[3] = {NULL, NULL, NULL};
    for (size_t i = 0; i < s->primitives[0].n_args; i++) {
        const ltap_dnnl_arg *arg = &s->primitives[0].args[i];
        if (arg->place != LTAP_DNNL_OUTPUT)
            inputs[arg->index] = work->inputs[arg->index];
    }
    inputs[0] = (const char *)inputs[0] + image * s->src_image + b->src * s->src_row;
    void *outputs[] = {(char *)work->outputs[0] + image * s->dst_image + b->dst * s->dst_row};
    return ltap_dnnl_primitive_run(&s->primitives[b->primitive], inputs, outputs, scratch, error);
}

static void run_workers(void *context, int64_t first, int64_t last)
{
    const run_job *work = context;
    const state *s = work->state;
    for (int64_t worker = first; worker < last; worker++) {
        char *scratch = work->scratch + worker * (int64_t)s->scratch_bytes;
        work->statuses[worker] = LTAP_OK;
        for (int64_t task = worker;
             task < s->images * (int64_t)s->n_bands && work->statuses[worker] == LTAP_OK;
             task += work->n_workers)
            work->statuses[worker] = run_band(work, task, scratch, NULL);
    }
}

static ltap_status run(const ltap_kernel *kernel, const void *const *inputs, void *const *outputs,
                       void *scratch, ltap_error *error)
{
    const state *s = kernel->state;
    run_job work = {.state = s,
                    .inputs = inputs,
                    .outputs = outputs,
                    .scratch = scratch,
                    .n_workers = s->workers};
    work.statuses =
        (ltap_status *)(void *)(work.scratch + work.n_workers * (int64_t)s->scratch_bytes);
    ltap_parallel_for(s->workers, work.n_workers, 1, run_workers, &work);
    for (int64_t i = 0; i < work.n_workers; i++) {
        if (work.statuses[i] != LTAP_OK)
            return ltap_error_set(error, work.statuses[i], "oneDNN could not run a convolution");
    }
    ltap_links_finish(&s->chain, inputs, s->n_inputs, outputs);
    return LTAP_OK;
}

const ltap_impl ltap_dnnl_exact_conv = {
    .op = "Conv",
    .name = "dnnl:exact_conv",
    .accepts = accepts,
    .layouts = ltap_dnnl_layouts,
    .chains = true,
    .prepare = prepare,
    .run = run,
    .release = release,
};
