/* The table of reductions, and chains of them; see reduce.h. */
#include "plan/reduce.h"

#include "plan/reduce_kernels.h"

#include <string.h>

static bool is_float(const ltap_tensor *in)
{
    return in->dtype == LTAP_FLOAT32 || in->dtype == LTAP_FLOAT64 || in->dtype == LTAP_FLOAT16 ||
           in->dtype == LTAP_BFLOAT16;
}

static int64_t product(const ltap_tensor *in, int from)
{
    int64_t count = 1;

    for (int i = from; i < in->rank; i++)
        count *= in->dims[i];
    return count;
}

static bool shape_pooled(const ltap_tensor *in, int64_t count, ltap_tensor *out)
{
    (void)count;
    *out = ltap_tensor_make(in->dtype, 2, in->dims, NULL);
    return in->rank >= 3 && is_float(in) && product(in, 2) > 0;
}

static bool shape_flat(const ltap_tensor *in, int64_t count, ltap_tensor *out)
{
    (void)count;
    if (in->rank < 2)
        return false;
    *out = ltap_tensor_make(in->dtype, 2, in->dims, NULL);
    out->dims[1] = product(in, 1);
    return true;
}

static bool shape_first(const ltap_tensor *in, int64_t count, ltap_tensor *out)
{
    (void)count;
    if (in->rank != 3 || in->dims[1] < 1 || ltap_dtype_bits(in->dtype) < 8)
        return false;
    *out = ltap_tensor_make(in->dtype, 2, in->dims, NULL);
    out->dims[1] = in->dims[2];
    return true;
}

static bool shape_unit(const ltap_tensor *in, int64_t count, ltap_tensor *out)
{
    (void)count;
    *out = *in;
    return in->rank >= 2 && is_float(in);
}

static bool shape_half(const ltap_tensor *in, int64_t count, ltap_tensor *out)
{
    (void)count;
    *out = *in;
    out->dtype = LTAP_FLOAT16;
    return is_float(in);
}

static bool shape_largest(const ltap_tensor *in, int64_t count, ltap_tensor *out)
{
    *out = *in;
    if (in->rank < 1 || !is_float(in) || in->dims[in->rank - 1] < count)
        return false;
    out->dims[in->rank - 1] = count;
    return true;
}

static bool shape_places(const ltap_tensor *in, int64_t count, ltap_tensor *out)
{
    bool fits = shape_largest(in, count, out);

    out->dtype = LTAP_INT64;
    return fits;
}

/* clang-format off */
const ltap_reduction ltap_reductions[] = {
    {"gap", "a map of floats, [N,C,H,W] or the like", false, true, shape_pooled, ltap_reduce_mean, false, 0},
    {"max", "a map of floats, [N,C,H,W] or the like", false, true, shape_pooled, ltap_reduce_max, false, 0},
    {"flatten", "two axes or more", false, false, shape_flat, ltap_reduce_flatten, true, 0},
    {"cls", "tokens, [N,T,D]", false, false, shape_first, ltap_reduce_cls, false, 0},
    {"l2", "floats with two axes or more, [N,C] or the like", false, true, shape_unit, ltap_reduce_l2, false, 0},
    {"topk", "floats, as many or more along the last axis", true, false, shape_largest, ltap_reduce_topk, false, LTAP_REDUCE_RANKED_BYTES},
    {"topk-indices", "floats, as many or more along the last axis", true, false, shape_places, ltap_reduce_topk_indices, false, LTAP_REDUCE_RANKED_BYTES},
    {"half", "floats", false, false, shape_half, ltap_reduce_half, false, 0},
    {NULL, NULL, false, false, NULL, NULL, false, 0},
};
/* clang-format on */

ltap_seen ltap_reduce_see(const ltap_tensor *tensor, ltap_layout layout, int64_t step)
{
    ltap_seen seen = {.tensor = *tensor, .layout = layout, .step = step, .n = 1, .c = 1, .p = 1};
    bool last = layout == LTAP_LAYOUT_CHANNELS_LAST;

    if (tensor->rank > 0)
        seen.n = tensor->dims[0];
    if (tensor->rank > 1)
        seen.c = tensor->dims[1];
    seen.p = product(tensor, 2);
    seen.c_step = last ? 1 : seen.p;
    seen.p_step = !last ? 1 : step ? step : seen.c;
    seen.n_step = (last ? seen.p_step : seen.c) * seen.p;
    return seen;
}

/* --- reading --------------------------------------------------------------------------------- */

/* "5" of "topk:5"; 0 where it is none. */
static int64_t read_count(const char *text, size_t bytes)
{
    int64_t count = 0;

    if (!bytes || bytes > 9)
        return 0;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        count = count * 10 + (text[i] - '0');
    }
    return count;
}

static ltap_status refuse_unknown(const char *text, size_t bytes, ltap_error *error)
{
    return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                          "no reduction '@%.*s'; there are @gap, @max, @flatten, @cls, @l2, "
                          "@topk:N, @topk-indices:N, @half ('@@' in a name is '@' itself)",
                          (int)bytes, text);
}

const char *ltap_reduce_topk_in(const ltap_reduce *reduce)
{
    const char *text = reduce->text;

    for (size_t i = 0; i < reduce->n_links; i++) {
        if (reduce->links[i].reduction->shape == shape_largest)
            return text;
        text += strcspn(text, "@") + 1;
    }
    return NULL;
}

static ltap_status read_link(const char *text, size_t bytes, ltap_reduce *reduce, ltap_error *error)
{
    const char *colon = memchr(text, ':', bytes);
    size_t length = colon ? (size_t)(colon - text) : bytes;

    for (const ltap_reduction *row = ltap_reductions; row->name; row++) {
        if (strlen(row->name) != length || memcmp(row->name, text, length) != 0)
            continue;
        int64_t count = colon ? read_count(colon + 1, bytes - length - 1) : 0;
        if (row->counted ? !count : colon != NULL)
            return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "'@%.*s': %s", (int)bytes, text,
                                  row->counted ? "it wants how many, 1 or more: @topk:5"
                                               : "it wants no number");
        if (row->shape == shape_largest && ltap_reduce_topk_in(reduce))
            return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "'@%s': @topk twice", reduce->text);
        reduce->links[reduce->n_links].reduction = row;
        reduce->links[reduce->n_links++].count = count;
        return LTAP_OK;
    }
    return refuse_unknown(text, bytes, error);
}

ltap_status ltap_reduce_read(const char *text, ltap_reduce *reduce, ltap_error *error)
{
    *reduce = (ltap_reduce){.layer = "", .text = text};
    while (*text) {
        size_t bytes = strcspn(text, "@");
        if (reduce->n_links == LTAP_MAX_REDUCTIONS)
            return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "'@%s': more than %d reductions",
                                  reduce->text, LTAP_MAX_REDUCTIONS);
        LTAP_TRY(read_link(text, bytes, reduce, error));
        text += bytes + (text[bytes] == '@');
        if (!*text && text[-1] == '@')
            return refuse_unknown("", 0, error);
    }
    return LTAP_OK;
}

/* --- axes ------------------------------------------------------------------------------------ */

static bool has_last(const ltap_reduce *reduce, int rank)
{
    return reduce->last && ltap_layout_applies(rank);
}

/* Tokens are the second axis of what the model hands out, whichever axis channels get then. */
static bool takes_token(const ltap_reduce *reduce)
{
    for (size_t i = 0; i < reduce->n_links; i++)
        if (reduce->links[i].reduction->shape == shape_first)
            return true;
    return false;
}

static bool is_turned(const ltap_reduce *reduce, int rank)
{
    return has_last(reduce, rank) && reduce->second && !(rank == 3 && takes_token(reduce));
}

bool ltap_reduce_changes(const ltap_reduce *reduce, int rank)
{
    return reduce->n_links > 0 || is_turned(reduce, rank);
}

int ltap_reduce_channels(const ltap_reduce *reduce, int rank, int out)
{
    if (out < 2)
        return 0;
    if (out == rank && has_last(reduce, rank) && !is_turned(reduce, rank))
        return rank - 1;
    return ltap_channel_axis(out, is_turned(reduce, rank) ? 1 : 0);
}

/* The shape with its last axis as the second, or back. */
static ltap_tensor turned(const ltap_tensor *in, bool back)
{
    ltap_tensor out = *in;

    for (int i = 1; i < in->rank; i++)
        out.dims[i] =
            in->dims[back ? (i == in->rank - 1 ? 1 : i + 1) : (i == 1 ? in->rank : i) - 1];
    return out;
}

/* What comes to a link: `now`, and whether its last axis holds channels; `given` is what the
 * link's row sees. */
static ltap_tensor given_to(const ltap_reduction *row, const ltap_tensor *now, bool last)
{
    return last && row->by_channel ? turned(now, false) : *now;
}

/* What a link made, as the next one gets it. */
static ltap_tensor made_of(const ltap_tensor *made, int rank, const ltap_reduction *row, bool *last)
{
    *last = *last && made->rank == rank;
    return *last && row->by_channel ? turned(made, true) : *made;
}

/* --- shapes and running ---------------------------------------------------------------------- */

ltap_status ltap_reduce_shape(const ltap_reduce *reduce, const ltap_tensor *in, ltap_tensor *out,
                              ltap_error *error)
{
    bool known = true, turns = is_turned(reduce, in->rank);
    bool last = has_last(reduce, in->rank) && !turns;
    ltap_tensor now = turns ? turned(in, false) : *in;

    for (int i = 0; i < in->rank; i++)
        known = known && in->dims[i] >= 0;
    for (size_t i = 0; i < reduce->n_links; i++) {
        const ltap_reduction *row = reduce->links[i].reduction;
        ltap_tensor given = given_to(row, &now, last), next;
        if (!known || !row->shape(&given, reduce->links[i].count, &next))
            return ltap_error_set(
                error, LTAP_ERROR_ARGUMENT, "'%s' is %s%s%s; @%s in '@%s' wants %s", reduce->layer,
                ltap_tensor_text(&now).text, i ? " after what comes before" : "",
                known ? "" : ", known in a run only", row->name, reduce->text, row->wants);
        now = made_of(&next, given.rank, row, &last);
    }
    *out = now;
    out->data = NULL;
    return LTAP_OK;
}

static uint64_t round_up(uint64_t bytes)
{
    return (bytes + 63) & ~(uint64_t)63;
}

/* Memory between the links, taken from its start on. */
typedef struct placing {
    char *scratch; /* NULL: only counted */
    uint64_t used;
} placing;

static void *take(placing *room, uint64_t bytes)
{
    void *block = room->scratch ? room->scratch + room->used : NULL;

    room->used += round_up(bytes);
    return block;
}

/* All links after it give the bytes only another shape. */
static bool is_last_to_write(const ltap_reduce *reduce, size_t link)
{
    for (size_t i = link + 1; i < reduce->n_links; i++)
        if (!reduce->links[i].reduction->views)
            return false;
    return true;
}

/* Bytes with channels last are those of channels second, seen as lying so. */
static ltap_seen see_turned(const ltap_seen *now)
{
    ltap_tensor tensor = turned(&now->tensor, false);

    return ltap_reduce_see(&tensor, LTAP_LAYOUT_CHANNELS_LAST, 0);
}

/* A copy with the axes in the order in which they are counted. */
static ltap_seen copy_plain(const ltap_seen *now, void *to, const placing *room, int threads)
{
    ltap_tensor made = now->tensor;
    const ltap_reducing work = {.src = now, .dst = &made, .threads = threads};

    made.data = to;
    if (room->scratch)
        ltap_reduce_flatten(&work);
    return ltap_reduce_see(&made, LTAP_LAYOUT_PLAIN, 0);
}

/* From link to link; what is there in the end lies at dst, unless all were views. */
static ltap_seen walk(const ltap_reduce *reduce, const ltap_seen *src, void *dst, placing *room,
                      int threads)
{
    ltap_seen now = *src;
    bool turns = is_turned(reduce, src->tensor.rank);
    bool last = has_last(reduce, src->tensor.rank) && !turns;

    if ((last || turns) && now.layout != LTAP_LAYOUT_PLAIN)
        now = copy_plain(&now, take(room, ltap_tensor_bytes(&now.tensor)), room, threads);
    if (turns)
        now = see_turned(&now);
    if (reduce->n_links == 0)
        return copy_plain(&now, dst, room, threads);
    for (size_t i = 0; i < reduce->n_links; i++) {
        const ltap_reduction *row = reduce->links[i].reduction;
        bool as_second = last && row->by_channel;
        ltap_seen given = as_second ? see_turned(&now) : now;
        ltap_tensor made;
        ltap_reducing work = {&given, &made, as_second, reduce->links[i].count, NULL, threads};
        (void)row->shape(&given.tensor, work.count, &made);
        made.data = given.tensor.data;
        if (!row->views || given.layout != LTAP_LAYOUT_PLAIN) {
            made.data = is_last_to_write(reduce, i) ? dst : take(room, ltap_tensor_bytes(&made));
            work.work = take(room, row->work_bytes * (uint64_t)work.count);
            if (room->scratch)
                row->run(&work);
        }
        made = made_of(&made, given.tensor.rank, row, &last);
        now = ltap_reduce_see(&made, LTAP_LAYOUT_PLAIN, 0);
    }
    return now;
}

uint64_t ltap_reduce_scratch(const ltap_reduce *reduce, const ltap_seen *src)
{
    placing room = {NULL, 0};

    (void)walk(reduce, src, NULL, &room, 1);
    return room.used;
}

void ltap_reduce_run(const ltap_reduce *reduce, const ltap_seen *src, void *dst, void *scratch,
                     int threads)
{
    placing room = {scratch, 0};
    ltap_seen end = walk(reduce, src, dst, &room, threads);
    uint64_t bytes = ltap_tensor_bytes(&end.tensor);

    if (end.tensor.data != dst && bytes)
        memcpy(dst, end.tensor.data, (size_t)bytes);
}
