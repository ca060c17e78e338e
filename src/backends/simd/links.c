/* Chains of pointwise operators; see links.h.
 *
 * The output's axes are merged where all operands allow it. Blocks are whole rows of the last
 * merged axis, as many as fit, or pieces of one long row. An operand that does not run along with
 * the output is laid out for a block first (a tile), so that every link is a plain loop.
 */
#include "backends/simd/links.h"

#include "backends/layout.h"
#include "base/parallel.h"

#include <string.h>

/* GRAIN: below this many elements, a second thread costs more than it brings. */
enum { BLOCK = 512, GRAIN = 16384 };

static bool reads_text(const ltap_node *node, const ltap_vector_function *function)
{
    return !function->text_attr ||
           strcmp(ltap_node_string(node, function->text_attr, "none"), function->text) == 0;
}

static float read_param(const ltap_node *node, const char *name, float otherwise)
{
    return name ? (float)ltap_node_float(node, name, otherwise) : otherwise;
}

static bool read_params(const ltap_node *node, const ltap_tensor *inputs,
                        const ltap_vector_function *function, ltap_link *link)
{
    for (size_t i = 0; i < 2; i++) {
        link->params[i] = read_param(node, function->params[i].attr, function->params[i].otherwise);
        size_t input = i + 1;
        if (!function->limits || input >= node->n_inputs || node->inputs[input] == LTAP_NO_VALUE)
            continue;
        if (!inputs[input].data)
            return false;
        memcpy(&link->params[i], inputs[input].data, sizeof(float));
    }
    return true;
}

bool ltap_link_read(const ltap_node *node, const ltap_tensor *inputs, ltap_link *link,
                    ltap_why *why)
{
    const ltap_vector_function *f = ltap_vector_functions();

    while (f->op && (strcmp(f->op, node->op_type) != 0 || !reads_text(node, f)))
        f++;
    if (!f->op || node->domain[0] || node->n_outputs != 1)
        return ltap_refuse(why, "not a function that is known here");
    *link = (ltap_link){.node = node, .map = f->map, .n_sources = f->n_sources, .sources = {0, 1}};
    for (int i = 0; i < f->n_sources; i++)
        if (inputs[i].dtype != LTAP_FLOAT32)
            return ltap_refuse(why, "not float32");
    return read_params(node, inputs, f, link) || ltap_refuse(why, "a limit is computed");
}

static bool mergeable(const ltap_links *chain, int64_t strides[][LTAP_MAX_RANK], int axis,
                      int64_t size)
{
    for (size_t k = 0; k < chain->n_operands; k++)
        if (chain->operands[k].strides[chain->rank - 1] != strides[k][axis] * size)
            return false;
    return true;
}

/* A new last axis. */
static void push_axis(ltap_links *chain, int64_t size)
{
    chain->dims[chain->rank] = size;
    for (size_t k = 0; k < chain->n_operands; k++)
        chain->operands[k].strides[chain->rank] = 0;
    chain->rank++;
}

static void mark_full(ltap_links *chain)
{
    for (size_t k = 0; k < chain->n_operands; k++) {
        int64_t stride = 1;
        chain->operands[k].full = true;
        for (int i = chain->rank - 1; i >= 0; stride *= chain->dims[i], i--)
            if (chain->dims[i] != 1 && chain->operands[k].strides[i] != stride)
                chain->operands[k].full = false;
    }
}

/* tensors: the operands', as they lie; out too. step: of the query. */
static void merge_axes(ltap_links *chain, const ltap_tensor *tensors, const ltap_tensor *out,
                       int64_t step)
{
    int64_t strides[LTAP_LINKS_OPERANDS][LTAP_MAX_RANK];
    int last = out->rank - 1;

    for (size_t k = 0; k < chain->n_operands; k++)
        ltap_dims_strides(&tensors[k], out, strides[k]);
    for (int axis = 0; step && axis < last; axis++)
        strides[0][axis] = strides[0][axis] / out->dims[last] * step;
    chain->rank = 0;
    push_axis(chain, 1);
    for (int axis = 0; axis < out->rank; axis++) {
        if (out->dims[axis] == 1)
            continue;
        if (chain->rank == 1 || !mergeable(chain, strides, axis, out->dims[axis]))
            push_axis(chain, 1);
        chain->dims[chain->rank - 1] *= out->dims[axis];
        for (size_t k = 0; k < chain->n_operands; k++)
            chain->operands[k].strides[chain->rank - 1] = strides[k][axis];
    }
    if (chain->rank == 1)
        push_axis(chain, 1);
    mark_full(chain);
    chain->step = step ? step : chain->dims[chain->rank - 1];
}

/* The outputs that take what is kept, before the query's links are added. */
static void mark_kept(const ltap_query *query, ltap_links *chain)
{
    uint8_t output = 0;

    for (size_t i = 0; i < query->n_chain; i++) {
        if (!(query->kept >> i & 1u))
            continue;
        if (i + chain->n_links == 0)
            chain->kept_own = ++output;
        else
            chain->kept[i + chain->n_links - 1] = ++output;
    }
}

/* The links of the query, after those that are there; what the kernel itself makes is operand 0 (no
 * links yet) or the last link's. */
static void add_links(const ltap_query *query, size_t n_own, ltap_links *chain)
{
    int n_heads = (int)chain->n_links;

    mark_kept(query, chain);
    for (size_t i = 0; i < query->n_chain; i++) {
        ltap_link *link = &chain->links[chain->n_links++];
        *link = query->chain[i];
        for (int k = 0; k < link->n_sources; k++) {
            int source = link->sources[k];
            if (source >= 0)
                link->sources[k] = source + (int)n_own;
            else if (n_heads == 0)
                link->sources[k] = source == ~0 ? 0 : source + 1;
            else
                link->sources[k] = source - (n_heads - 1);
        }
    }
}

static void finish(const ltap_query *query, const ltap_tensor *own, size_t n_own, int64_t step,
                   ltap_links *chain)
{
    ltap_tensor tensors[LTAP_LINKS_OPERANDS];
    ltap_tensor out = ltap_layout_told(&query->outputs[0], query->layout, query->outputs[0].rank);

    chain->threads = query->threads;
    chain->n_operands = n_own + query->n_extras;
    for (size_t i = 0; i < n_own; i++)
        tensors[i] = own[i];
    for (size_t i = 0; i < query->n_extras; i++)
        tensors[n_own + i] = query->extras[i];
    merge_axes(chain, tensors, &out, step);
}

void ltap_links_after(const ltap_query *query, ltap_links *chain)
{
    ltap_tensor own = ltap_layout_told(&query->outputs[0], query->layout, query->outputs[0].rank);

    *chain = (ltap_links){.n_links = 0};
    add_links(query, 1, chain);
    finish(query, &own, 1, query->step, chain);
}

void ltap_links_from(const ltap_query *query, const ltap_links_heads *heads, ltap_links *chain)
{
    *chain = (ltap_links){.n_links = heads->n_links};
    for (size_t i = 0; i < heads->n_links; i++)
        chain->links[i] = heads->links[i];
    add_links(query, heads->n_own, chain);
    finish(query, heads->own, heads->n_own, 0, chain);
}

typedef struct job {
    const ltap_links *chain;
    const float *operands[LTAP_LINKS_OPERANDS];
    void *const *outputs;
    int64_t unit; /* elements */
} job;

/* A block: rows of the last axis from `row` on, or a piece of one row. */
typedef struct block {
    int64_t row, n_rows, column, width;
} block;

/* One thread's tiles, and what nobody keeps. */
typedef struct desk {
    float tiles[LTAP_LINKS_OPERANDS][BLOCK];
    float spare[LTAP_LINKS_COUNT][BLOCK];
    int64_t tile_base[LTAP_LINKS_OPERANDS], tile_rows[LTAP_LINKS_OPERANDS];
} desk;

/* Where row `row` of an operand begins. */
static int64_t row_base(const ltap_links *chain, const ltap_links_operand *operand, int64_t row)
{
    int64_t base = 0;

    for (int i = chain->rank - 2; i >= 0; row /= chain->dims[i], i--)
        base += row % chain->dims[i] * operand->strides[i];
    return base;
}

static void fill_tile(const ltap_links_operand *operand, int rank, const float *src, const block *b,
                      float *tile)
{
    int64_t along = operand->strides[rank - 1], down = operand->strides[rank - 2];

    for (int64_t r = 0; r < b->n_rows; r++, src += down, tile += b->width)
        for (int64_t i = 0; i < b->width; i++)
            tile[i] = src[i * along];
}

static const float *fetch(const job *work, size_t index, const block *b, desk *d)
{
    const ltap_links *chain = work->chain;
    const ltap_links_operand *operand = &chain->operands[index];
    const float *data = work->operands[index];
    int last = chain->rank - 1;

    if (operand->full)
        return data + b->row * chain->dims[last] + b->column;
    int64_t base = row_base(chain, operand, b->row) + b->column * operand->strides[last];
    if (b->n_rows == 1 && operand->strides[last])
        return data + base;
    bool same = operand->strides[last - 1] == 0 && d->tile_base[index] == base &&
                d->tile_rows[index] >= b->n_rows * b->width;
    if (!same)
        fill_tile(operand, chain->rank, data + base, b, d->tiles[index]);
    if (!same) {
        d->tile_base[index] = base;
        d->tile_rows[index] = b->n_rows * b->width;
    }
    return d->tiles[index];
}

static float *output_at(const job *work, size_t output, int64_t element)
{
    return (float *)work->outputs[output] + element;
}

/* Where the last link writes: output 0 itself, unless the block is of several rows that lie apart.
 */
static float *last_result(const job *work, const block *b, desk *d)
{
    const ltap_links *chain = work->chain;
    bool scattered = chain->step != b->width && b->n_rows > 1;

    return scattered ? d->spare[chain->n_links - 1]
                     : output_at(work, 0, b->row * chain->step + b->column);
}

static void scatter(const job *work, const block *b, const float *rows)
{
    float *dst = output_at(work, 0, b->row * work->chain->step);

    for (int64_t r = 0; dst != rows && r < b->n_rows; r++)
        memcpy(dst + r * work->chain->step, rows + r * b->width, (size_t)b->width * sizeof(float));
}

static void run_block(const job *work, const block *b, desk *d)
{
    const ltap_links *chain = work->chain;
    const float *operands[LTAP_LINKS_OPERANDS];
    float *results[LTAP_LINKS_COUNT];
    int64_t n = b->n_rows * b->width;
    int64_t at = b->row * chain->dims[chain->rank - 1] + b->column;

    for (size_t k = 0; k < chain->n_operands; k++)
        operands[k] = fetch(work, k, b, d);
    if (chain->kept_own)
        memcpy(output_at(work, chain->kept_own, at), operands[0], (size_t)n * sizeof(float));
    for (size_t i = 0; i < chain->n_links; i++) {
        const ltap_link *link = &chain->links[i];
        const float *sources[2] = {NULL, NULL};
        for (int k = 0; k < link->n_sources; k++)
            sources[k] =
                link->sources[k] >= 0 ? operands[link->sources[k]] : results[~link->sources[k]];
        results[i] = chain->kept[i]           ? output_at(work, chain->kept[i], at)
                     : i + 1 < chain->n_links ? d->spare[i]
                                              : last_result(work, b, d);
        ltap_vector_apply(link->map, sources[0], sources[1], link->params, results[i], n);
    }
    if (b->column == 0 && b->n_rows > 1)
        scatter(work, b, results[chain->n_links - 1]);
}

/* The block at an element: whole rows while they fit together, or a piece of one. */
static block cut_block(const ltap_links *chain, int64_t element, int64_t last)
{
    int64_t width = chain->dims[chain->rank - 1], middle = chain->dims[chain->rank - 2];
    block b = {element / width, 1, element % width, width};
    int64_t rows = middle - b.row % middle, fit = BLOCK / width, left = last - element;

    rows = rows < fit ? rows : fit;
    rows = rows < left / width ? rows : left / width;
    if (b.column == 0 && rows > 0) {
        b.n_rows = rows;
        return b;
    }
    b.width = width - b.column < BLOCK ? width - b.column : BLOCK;
    b.width = b.width < left ? b.width : left;
    return b;
}

static void run_elements(const job *work, int64_t first, int64_t last)
{
    desk d;

    for (size_t k = 0; k < work->chain->n_operands; k++)
        d.tile_base[k] = -1;
    while (first < last) {
        block b = cut_block(work->chain, first, last);
        run_block(work, &b, &d);
        first += b.n_rows * b.width;
    }
}

static void run_units(void *context, int64_t first, int64_t last)
{
    const job *work = context;
    const ltap_links *chain = work->chain;
    int64_t count = 1;

    for (int i = 0; i < chain->rank; i++)
        count *= chain->dims[i];
    first *= work->unit;
    last *= work->unit;
    run_elements(work, first, last < count ? last : count);
}

void ltap_links_run(const ltap_links *chain, const void *const *operands, void *const *outputs)
{
    int64_t width = chain->dims[chain->rank - 1], count = 1;
    job work = {.chain = chain, .outputs = outputs, .unit = width < BLOCK ? width : BLOCK};

    if (chain->n_links == 0)
        return;
    for (size_t k = 0; k < chain->n_operands; k++)
        work.operands[k] = operands[k];
    for (int i = 0; i < chain->rank; i++)
        count *= chain->dims[i];
    ltap_parallel_for(chain->threads, (count - 1) / work.unit + 1, GRAIN / work.unit, run_units,
                      &work);
}

/* Operand 0 is output 0, the others follow the node's inputs. */
static job begin_finish(const ltap_links *chain, const void *const *inputs, size_t n_inputs,
                        void *const *outputs)
{
    job work = {.chain = chain, .operands = {outputs[0]}, .outputs = outputs};

    for (size_t k = 1; k < chain->n_operands; k++)
        work.operands[k] = inputs[n_inputs + k - 1];
    return work;
}

void ltap_links_finish(const ltap_links *chain, const void *const *inputs, size_t n_inputs,
                       void *const *outputs)
{
    job work = begin_finish(chain, inputs, n_inputs, outputs);

    ltap_links_run(chain, (const void *const *)work.operands, outputs);
}

void ltap_links_finish_part(const ltap_links *chain, const void *const *inputs, size_t n_inputs,
                            void *const *outputs, int64_t first, int64_t last)
{
    job work = begin_finish(chain, inputs, n_inputs, outputs);

    if (chain->n_links > 0)
        run_elements(&work, first, last);
}
