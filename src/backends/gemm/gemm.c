/* Walking blocks, panels and parts of the depth; see gemm.h. */
#include "backends/gemm/gemm.h"

#include <string.h>

/* PART_BYTES: what of a panel is gone through at once, so that it stays in the second-level cache
 * beside the rows. */
enum { PART_BYTES = 192 << 10, LINE = 64, MOST_WIDTH = 64, MOST_PLACES = 16 / 2 * 16 };

ltap_blocks ltap_blocks_of(const ltap_panels *panels, int64_t rows)
{
    return (ltap_blocks){rows, (rows + panels->rows - 1) / panels->rows};
}

/* A stretch of a panel's depth: whole taps, or a piece of one. */
typedef struct part {
    int64_t tap, taps, first, depth;
} part;

/* The part after `p`; false at the end. Start with all 0. */
static bool next_part(const ltap_panels *panels, int64_t width, part *p)
{
    int64_t most = PART_BYTES / (width * (int64_t)sizeof(float)), left;

    p->first += p->depth;
    if (p->first >= panels->depth || p->taps > 1) {
        p->tap += p->taps;
        p->first = 0;
    }
    if (p->tap >= panels->taps)
        return false;
    left = panels->depth - p->first;
    p->taps = 1;
    p->depth = left < most ? left : (left + (left - 1) / most) / ((left - 1) / most + 1);
    if (p->first == 0 && left <= most / 2) {
        int64_t taps = most / left;
        p->taps = taps < panels->taps - p->tap ? taps : panels->taps - p->tap;
    }
    return true;
}

/* One panel of the product. */
typedef struct walk {
    const ltap_gemm *gemm;
    const float *panel;
    int vectors;
    int64_t width, column, live; /* floats in a row of the panel; its place; what exists of them */
    int64_t skipped;             /* of the rows' depth: that of other products */
    const float *start;          /* the bias, as wide as the panel */
    const int32_t *places;       /* of a narrow panel, otherwise NULL */
} walk;

static void run_block(const walk *w, const part *p, int64_t block, ltap_tile_job *job)
{
    const ltap_gemm *g = w->gemm;
    int64_t begin = ltap_blocks_begin(&g->blocks, block);
    int64_t n_rows = ltap_blocks_begin(&g->blocks, block + 1) - begin;
    const ltap_tiles *tiles = g->panels->tiles;
    ltap_tile tile =
        w->places ? tiles->narrow[n_rows - 1] : tiles->tiles[w->vectors - 1][n_rows - 1];

    job->rows = g->pointers + g->panels->taps * begin + p->tap * n_rows;
    job->dst = g->dst + begin * g->stride + w->column;
    job->some = (int)(w->live % tiles->lanes);
    tile(job);
}

/* All blocks go through a part while the next one is fetched, a share of it with each block. */
static void run_part(const walk *w, const part *p, const float *panel)
{
    const ltap_gemm *g = w->gemm;
    int64_t floats = p->taps * p->depth * w->width;
    int64_t lines = floats * (int64_t)sizeof(float) / LINE;
    int64_t share = (lines - 1) / g->blocks.count + 1;
    const char *ahead = (const char *)(panel + floats);
    ltap_tile_job job = {.taps = p->taps,
                         .first = w->skipped + p->first,
                         .depth = p->depth,
                         .panel = panel,
                         .start = p->tap == 0 && p->first == 0 ? w->start : NULL,
                         .stride = g->stride,
                         .places = w->places};

    for (int64_t block = 0; block < g->blocks.count; block++) {
        job.ahead = ahead + block * share * LINE;
        run_block(w, p, block, &job);
    }
}

/* What each lane of a narrow panel multiplies. A vector from the row's first number on must be
 * inside of the row: near its end it begins earlier. */
static void find_places(const ltap_panels *panels, walk *w, int32_t *places)
{
    int64_t lanes = panels->tiles->lanes, begin = panels->groups * panels->depth - lanes;
    int64_t shift = w->skipped > begin ? w->skipped - begin : 0;

    w->skipped -= shift;
    w->places = places;
    for (int64_t k = 0; k < panels->depth; k++)
        for (int64_t lane = 0; lane < lanes; lane++, places++)
            *places =
                lane < w->live ? (int32_t)(shift + lane / panels->columns * panels->depth + k) : 0;
}

static void run_panel(const ltap_gemm *g, int64_t index)
{
    const ltap_panels *panels = g->panels;
    int lanes = panels->tiles->lanes;
    ltap_panel at = ltap_panels_at(panels, index);
    walk w = {.gemm = g,
              .column = at.column,
              .live = at.live,
              .skipped = at.skipped,
              .panel = g->packed + at.place};
    float start[MOST_WIDTH] = {0};
    int32_t places[MOST_PLACES];
    part p = {0, 0, 0, 0};

    w.vectors = (int)((w.live + lanes - 1) / lanes);
    w.width = (int64_t)w.vectors * lanes;
    w.start = start;
    if (panels->together > 1)
        find_places(panels, &w, places);
    if (g->bias)
        memcpy(start, g->bias + w.column, (size_t)w.live * sizeof(float));
    while (next_part(panels, w.width, &p))
        run_part(&w, &p, w.panel + (p.tap * panels->depth + p.first) * w.width);
}

void ltap_gemm_run(const ltap_gemm *gemm)
{
    for (int64_t panel = gemm->first; panel < gemm->last; panel++)
        run_panel(gemm, panel);
}
