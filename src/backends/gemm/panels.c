/* Packing the columns of a matrix product into panels; see gemm.h. */
#include "backends/gemm/gemm.h"

#include "backends/gemm/pairs.h"
#include "backends/simd/transpose.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/parallel.h"

#include <stdio.h>
#include <string.h>

/* LARGE_BYTES: of the source that are worth a word to the system. */
enum { RUN = 16, TILE = LTAP_TRANSPOSE_TILE, FLOAT = sizeof(float), LARGE_BYTES = 1 << 20 };

static int64_t round_up(int64_t count, int64_t unit)
{
    return (count + unit - 1) / unit;
}

/* Products whose columns and depth fit into a vector each. */
static int64_t fit_together(const ltap_panels *panels)
{
    int64_t lanes = panels->tiles->lanes;
    int64_t wide = panels->depth > panels->columns ? panels->depth : panels->columns;
    bool several =
        panels->groups > 1 && 2 * wide <= lanes && panels->groups * panels->depth >= lanes;

    return several ? lanes / wide : 1;
}

void ltap_panels_cut(ltap_panels *panels, int pieces)
{
    int64_t vectors = round_up(panels->columns, panels->tiles->lanes);
    int64_t count = round_up(vectors, panels->tiles->vectors);

    if (pieces > 1 && vectors >= pieces && panels->groups == 1)
        count = round_up(count, pieces) * pieces;
    panels->vectors = (int)round_up(vectors, count < vectors ? count : vectors);
    panels->count = round_up(vectors, panels->vectors) * panels->groups;
    panels->rows = panels->tiles->rows[panels->vectors - 1];
    panels->together = fit_together(panels);
    if (panels->together > 1) {
        panels->count = round_up(panels->groups, panels->together);
        panels->rows = panels->tiles->narrow_rows;
    }
}

ltap_panel ltap_panels_at(const ltap_panels *panels, int64_t panel)
{
    int64_t lanes = panels->tiles->lanes, full = panels->vectors * lanes;
    int64_t group = round_up(panels->columns, lanes) * lanes;
    int64_t each = (panels->count - 1) / panels->groups + 1, first = panel % each * full;
    int64_t index = panel / each, left = panels->columns - first;
    ltap_panel at = {.column = index * panels->columns + first,
                     .live = left < full ? left : full,
                     .skipped = index * panels->depth,
                     .place = (index * group + first) * panels->taps * panels->depth};

    if (panels->together == 1)
        return at;
    index = panel * panels->together;
    left = panels->groups - index < panels->together ? panels->groups - index : panels->together;
    return (ltap_panel){.column = index * panels->columns,
                        .live = left * panels->columns,
                        .skipped = index * panels->depth,
                        .place = panel * lanes * panels->taps * panels->depth};
}

uint64_t ltap_panels_bytes(const ltap_panels *panels)
{
    uint64_t floats = (uint64_t)panels->tiles->lanes * sizeof(float), bytes;

    uint64_t vectors = (uint64_t)round_up(panels->columns, panels->tiles->lanes);

    if (panels->together > 1)
        floats *= (uint64_t)panels->count;
    else if (!ltap_checked_mul(floats, vectors, &floats) ||
             !ltap_checked_mul(floats, (uint64_t)panels->groups, &floats))
        return UINT64_MAX;
    if (ltap_checked_mul(floats, (uint64_t)panels->taps, &floats) &&
        ltap_checked_mul(floats, (uint64_t)panels->depth, &bytes))
        return bytes;
    return UINT64_MAX;
}

/* Columns of one panel: `live` of them exist, from `column` on, of those of all products. */
typedef struct strip {
    const ltap_panels_source *source;
    int64_t column, live, width;
    bool pairs;
} strip;

static int64_t place_of(const ltap_panels_source *s, int64_t k)
{
    return k / s->inner * s->outer + k % s->inner * s->depth;
}

static float load(const char *from, int64_t place)
{
    float number;
    memcpy(&number, from + place * FLOAT, FLOAT);
    return number;
}

/* Column c, from tap t on. */
static const char *find_column(const strip *at, int64_t t, int64_t c)
{
    const ltap_panels_source *s = at->source;
    return s->src + ((at->column + c) * s->column + t * s->tap) * FLOAT;
}

/* Columns from `first` on, number by number. */
static void gather(const strip *at, int64_t t, const int64_t *places, int64_t n, int64_t first,
                   float *to)
{
    for (int64_t c = first; c < at->live; c++) {
        const char *from = find_column(at, t, c);
        for (int64_t i = 0; i < n && !at->pairs; i++)
            to[i * at->width + c] = load(from, places[i]);
        for (int64_t i = 0; i < n && at->pairs; i++)
            to[i * at->width + c] =
                ltap_pair(load(from, places[2 * i]), load(from, places[2 * i + 1]));
    }
}

/* Columns in tiles of which each lies in one stretch; how many that were. */
static int64_t transpose(const strip *at, int64_t t, int64_t place, float *to)
{
    int64_t c = 0;

    for (; c + TILE <= at->live; c += TILE)
        for (int64_t i = 0; i < RUN; i += TILE)
            ltap_transpose_tile(find_column(at, t, c) + (place + i) * FLOAT, at->source->column,
                                to + i * at->width + c, at->width);
    return c;
}

static bool is_stretch(const int64_t *places, int64_t n)
{
    for (int64_t i = 1; i < n; i++)
        if (places[i] != places[0] + i)
            return false;
    return n == RUN;
}

/* A few rows of a panel: tap t, depths [k, k + n). Source runs are short, so that what is written
 * stays in the cache until all columns are there. */
static void fill_rows(const strip *at, int64_t t, int64_t k, int64_t n, float *to)
{
    const ltap_panels_source *s = at->source;
    int64_t places[2 * RUN], each = at->pairs ? 2 : 1, done = 0;

    for (int64_t i = 0; i < each * n; i++)
        places[i] = place_of(s, each * k + i);
    if (s->column == 1 && !at->pairs) {
        for (int64_t i = 0; i < n; i++)
            memcpy(to + i * at->width, find_column(at, t, 0) + places[i] * FLOAT,
                   (size_t)(at->live * FLOAT));
        done = at->live;
    } else if (!at->pairs && is_stretch(places, n)) {
        done = transpose(at, t, places[0], to);
    }
    gather(at, t, places, n, done, to);
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = at->live; c < at->width; c++)
            to[i * at->width + c] = 0;
}

void ltap_panels_fill(const ltap_panels *panels, const ltap_panels_source *source, int64_t first,
                      int64_t last, float *packed)
{
    int64_t lanes = panels->tiles->lanes;

    for (int64_t p = first; p < last; p++) {
        ltap_panel found = ltap_panels_at(panels, p);
        strip at = {source, found.column, found.live, 0, panels->pairs};
        float *panel = packed + found.place;
        at.width = round_up(at.live, lanes) * lanes;
        for (int64_t k = 0; k < panels->depth; k += RUN) {
            int64_t n = panels->depth - k < RUN ? panels->depth - k : RUN;
            for (int64_t t = 0; t < panels->taps; t++)
                fill_rows(&at, t, k, n, panel + (t * panels->depth + k) * at.width);
        }
    }
}

typedef struct filling {
    const ltap_panels *panels;
    const ltap_panels_source *source;
    const ltap_packs *packs;
    float *packed;
    int threads;
} filling;

/* Bytes of a column that lies by itself, or 0. */
static int64_t column_bytes(const ltap_panels *panels, const ltap_panels_source *source)
{
    int64_t numbers = panels->taps * panels->depth * (panels->pairs ? 2 : 1);

    return source->column == numbers ? numbers * FLOAT : 0;
}

/* What panels [first, last) read of the source is not needed again, where columns lie by
 * themselves, and it is much or the end. True where it was let go. */
static bool let_go(const filling *f, int64_t first, int64_t last, bool end)
{
    int64_t column = column_bytes(f->panels, f->source);
    ltap_panel from = ltap_panels_at(f->panels, first), to = ltap_panels_at(f->panels, last - 1);
    int64_t bytes = (to.column + to.live - from.column) * column;

    if (bytes == 0 || (bytes < LARGE_BYTES && !end))
        return false;
    ltap_packs_let_go(f->packs, f->source->src + from.column * column, (uint64_t)bytes);
    return true;
}

uint64_t ltap_panels_mapped(const ltap_panels *panels, const ltap_panels_source *source,
                            uint64_t bytes, int threads)
{
    int64_t column = column_bytes(panels, source);
    uint64_t panel = (uint64_t)(panels->vectors * panels->tiles->lanes * column) + LARGE_BYTES;

    return column > 0 && panel < bytes / (uint64_t)threads ? panel * (uint64_t)threads : bytes;
}

static void fill_range(void *context, int64_t first, int64_t last)
{
    const filling *f = context;

    int64_t there = first;

    for (int64_t panel = first; panel < last; panel++) {
        ltap_panels_fill(f->panels, f->source, panel, panel + 1, f->packed);
        if (let_go(f, there, panel + 1, panel + 1 == last))
            there = panel + 1;
    }
}

static ltap_status fill(void *context, void *packed, ltap_error *error)
{
    filling *f = context;

    (void)error;
    f->packed = packed;
    ltap_parallel_for(f->threads, f->panels->count, 1, fill_range, f);
    return LTAP_OK;
}

void ltap_panels_fill_all(const ltap_panels *panels, const ltap_panels_source *source,
                          const ltap_packs *packs, int threads, float *packed)
{
    filling f = {panels, source, packs, packed, threads};

    ltap_parallel_for(threads, panels->count, 1, fill_range, &f);
}

ltap_status ltap_panels_pack(const ltap_query *query, size_t input, const ltap_panels *panels,
                             const ltap_panels_source *source, const void **packed,
                             ltap_error *error)
{
    filling f = {panels, source, query->packs, NULL, query->threads};
    char key[120];

    snprintf(key, sizeof key, "panels %s %d %lld %lld %lld %lld", panels->tiles->name,
             panels->vectors, (long long)panels->taps, (long long)source->depth,
             (long long)source->inner, (long long)panels->groups);
    return ltap_packs_get(query->packs, query->identities[input], key, ltap_panels_bytes(panels),
                          fill, &f, packed, error);
}
