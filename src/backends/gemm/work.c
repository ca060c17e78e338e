/* Threads, chunks and chains of matrix products; see work.h. */
#include "backends/gemm/work.h"

#include "base/checked.h"
#include "base/parallel.h"

/* CHUNK_BYTES: rows in and out that are worked on together; at least and at most so many rows.
 * POINTER_BYTES: pointers to what they see. LEAST_WORK: multiply-adds that are worth a thread.
 * FEW_ROWS: of fewer for each thread, columns are shared out. */
enum { CHUNK_BYTES = 384 << 10, CHUNK_LEAST = 48, CHUNK_MOST = 1024 };
enum { POINTER_BYTES = 8 << 20, LEAST_WORK = 300000, FEW_ROWS = 32 };

void ltap_work_init(const ltap_query *query, const ltap_work_size *size, ltap_work *work)
{
    double products =
        (double)size->rows * (double)size->taps * (double)size->depth * (double)size->columns;
    int64_t columns = size->columns * size->groups;
    double worth = products * (double)size->groups / LEAST_WORK;
    int64_t bytes = size->row_bytes + columns * (int64_t)sizeof(float);

    *work = (ltap_work){.rows = size->rows,
                        .columns = columns,
                        .threads = 1,
                        .n_inputs = query->n_inputs,
                        .panels = {.tiles = size->pairs ? ltap_tiles_pairs() : ltap_tiles_best(),
                                   .pairs = size->pairs,
                                   .taps = size->taps,
                                   .depth = size->depth,
                                   .columns = size->columns,
                                   .groups = size->groups}};
    if (worth >= 2 && query->threads > 1)
        work->threads = worth < query->threads ? (int)worth : query->threads;
    work->by_panel = work->threads > 1 && size->rows < (int64_t)work->threads * FEW_ROWS;
    ltap_panels_cut(&work->panels, work->by_panel ? work->threads : 1);
    if (work->by_panel && work->panels.count < work->threads)
        work->threads = (int)work->panels.count;
    work->chunk = CHUNK_BYTES / bytes < CHUNK_LEAST ? CHUNK_LEAST : CHUNK_BYTES / bytes;
    if (ltap_panels_bytes(&work->panels) > CHUNK_BYTES || work->chunk > CHUNK_MOST)
        work->chunk = CHUNK_MOST;
    int64_t pointed = POINTER_BYTES / (int64_t)sizeof(float *) / size->taps;
    if (work->chunk > pointed)
        work->chunk = pointed < CHUNK_LEAST ? CHUNK_LEAST : pointed;
    work->chunk = work->chunk < size->rows ? work->chunk : size->rows;
    work->step = query->step ? query->step : columns;
    if (!work->by_panel && size->plane >= (int64_t)work->threads * FEW_ROWS)
        work->plane = size->plane;
    ltap_links_after(query, &work->chain);
}

ltap_status ltap_work_pack(const ltap_query *query, const ltap_panels_source *source,
                           ltap_work *work, ltap_kernel *kernel, ltap_error *error)
{
    const void *packed;
    uint64_t bytes = ltap_panels_bytes(&work->panels);

    if ((query->again >> 1 & 1u) &&
        ltap_checked_round_up(bytes, LTAP_ALIGNMENT, &work->packed_bytes)) {
        work->source = *source;
        work->source_bytes = ltap_tensor_bytes(&query->inputs[1]);
        work->packs = query->packs;
        work->fillers = query->threads;
        kernel->mapped_bytes =
            ltap_panels_mapped(&work->panels, source, work->source_bytes, query->threads);
        return LTAP_OK;
    }
    LTAP_TRY(ltap_panels_pack(query, 1, &work->panels, source, &packed, error));
    work->packed = packed;
    return LTAP_OK;
}

uint64_t ltap_work_scratch(const ltap_work *work)
{
    uint64_t bytes = (uint64_t)work->chunk * sizeof(float *);

    if (!ltap_checked_mul(bytes, (uint64_t)work->panels.taps, &bytes) ||
        !ltap_checked_mul(bytes, (uint64_t)work->threads, &bytes) ||
        !ltap_checked_add(bytes, work->packed_bytes, &bytes))
        return UINT64_MAX;
    return bytes;
}

/* The chain after rows and panels that are done. */
static void finish(const ltap_work_job *job, int64_t first, int64_t count, const ltap_gemm *g)
{
    const ltap_work *w = job->work;
    int64_t columns = w->columns, begin = ltap_panels_at(&w->panels, g->first).column;
    int64_t end = columns;

    if (g->last < w->panels.count)
        end = ltap_panels_at(&w->panels, g->last).column;
    if (w->chain.n_links == 0)
        return;
    if (end - begin == columns) {
        ltap_links_finish_part(&w->chain, job->inputs, w->n_inputs, job->outputs, first * columns,
                               (first + count) * columns);
        return;
    }
    for (int64_t row = first; row < first + count; row++)
        ltap_links_finish_part(&w->chain, job->inputs, w->n_inputs, job->outputs,
                               row * columns + begin, row * columns + end);
}

static void run_rows(const ltap_work_job *job, int64_t first, int64_t last, const float **pointers,
                     ltap_gemm *g)
{
    const ltap_work *w = job->work;

    g->pointers = pointers;
    while (first < last) {
        int64_t count = last - first < w->chunk ? last - first : w->chunk;
        g->blocks = ltap_blocks_of(&w->panels, count);
        g->dst = (float *)job->outputs[0] + first * w->step;
        job->point(job->context, first, &g->blocks, pointers);
        job->multiply(g);
        finish(job, first, count, g);
        first += count;
    }
}

/* Part `index` of each plane, a chunk of all of them after the other. */
static void run_planes(const ltap_work_job *job, int64_t index, const float **pointers,
                       ltap_gemm *g)
{
    const ltap_work *w = job->work;
    int64_t begin = w->plane * index / w->threads, end = w->plane * (index + 1) / w->threads;

    for (int64_t at = begin; at < end; at += w->chunk) {
        int64_t count = end - at < w->chunk ? end - at : w->chunk;
        for (int64_t row = at; row < w->rows; row += w->plane)
            run_rows(job, row, row + count, pointers, g);
    }
}

/* The share of thread `index`. */
static void run_share(const ltap_work_job *job, int64_t index)
{
    const ltap_work *w = job->work;
    int64_t n = w->threads, panels = w->panels.count;
    const float **pointers = (const float **)(void *)((char *)job->scratch + w->packed_bytes) +
                             index * w->chunk * w->panels.taps;
    ltap_gemm g = {.panels = &w->panels,
                   .packed = w->packed ? w->packed : job->scratch,
                   .last = panels,
                   .bias = job->bias,
                   .stride = w->step};

    if (w->by_panel) {
        g.first = panels * index / n;
        g.last = panels * (index + 1) / n;
        run_rows(job, 0, w->rows, pointers, &g);
    } else if (w->plane) {
        run_planes(job, index, pointers, &g);
    } else {
        run_rows(job, w->rows * index / n, w->rows * (index + 1) / n, pointers, &g);
    }
}

static void run_shares(void *context, int64_t first, int64_t last)
{
    for (int64_t index = first; index < last; index++)
        run_share(context, index);
}

void ltap_work_run(const ltap_work_job *job)
{
    const ltap_work *w = job->work;
    ltap_work_job copy = *job;

    if (!w->packed) {
        ltap_panels_fill_all(&w->panels, &w->source, w->packs, w->fillers, job->scratch);
        ltap_packs_let_go(w->packs, w->source.src, w->source_bytes);
    }
    copy.multiply = job->multiply ? job->multiply : ltap_gemm_run;
    ltap_parallel_for(job->work->threads, job->work->threads, 1, run_shares, &copy);
}
