/* The same elements in another shape or order, and parts of them: what PyTorch makes without
 * copying, so that writing to it writes to what it is a view of.
 */
#include "formats/export/aten.h"

#include <string.h>

static ltap_operand self(ltap_program *p)
{
    return ltap_arg_tensor(p, "self");
}

static ltap_operand base_of(const ltap_program *p, const ltap_entry *view)
{
    return ltap_operand_of(ltap_program_at(p, view->base));
}

static bool is_fixed(ltap_operand x)
{
    for (int i = 0; i < x.rank; i++)
        if (x.dims[i] < 0)
            return false;
    return true;
}

static uint32_t shape_of(ltap_program *p, ltap_operand x)
{
    return is_fixed(x) ? ltap_emit_ints(p, x.dims, (size_t)x.rank) : ltap_emit_shape(p, x.value);
}

static uint32_t back_to_shape(ltap_program *p, const ltap_entry *view, uint32_t part)
{
    return ltap_emit_reshape(p, part, shape_of(p, base_of(p, view)));
}

/* --- Shapes. ---------------------------------------------------------------------------------- */

static void view(ltap_program *p)
{
    const char *name = ltap_arg_find(p, "shape") != NULL ? "shape" : "size";
    ltap_operand x = self(p);
    ltap_emit_result(p, 0, ltap_emit_reshape(p, x.value, ltap_arg_sizes(p, name)));
}

static void view_as(ltap_program *p)
{
    ltap_operand x = self(p);
    ltap_emit_result(p, 0, ltap_emit_reshape(p, x.value, shape_of(p, ltap_arg_tensor(p, "other"))));
}

/* Axes before `first` and behind `last` stay; what is between becomes `inner`. */
static uint32_t reshape_between(ltap_program *p, ltap_operand x, int first, int last,
                                uint32_t inner)
{
    uint32_t sizes[2 * LTAP_MAX_RANK + 1];
    size_t n = 0;
    for (int i = 0; i < first; i++)
        sizes[n++] = ltap_emit_dim(p, x, i);
    sizes[n++] = inner;
    for (int i = last + 1; i < x.rank; i++)
        sizes[n++] = ltap_emit_dim(p, x, i);
    return ltap_emit_reshape(p, x.value, ltap_emit_concat(p, sizes, n, 0));
}

static void flatten(ltap_program *p)
{
    ltap_operand x = self(p);
    int first = ltap_arg_axis(p, "start_dim", 0, x.rank);
    int last = ltap_arg_axis(p, "end_dim", -1, x.rank);
    if (first == 1 && last == x.rank - 1 && x.rank > 1)
        ltap_emit_result(p, 0, ltap_emit_with(p, "Flatten", x.value, LTAP_ATTR_I("axis", 1)));
    else
        ltap_emit_result(p, 0, reshape_between(p, x, first, last, ltap_emit_int(p, -1)));
}

static void unflatten(ltap_program *p)
{
    ltap_operand x = self(p);
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    ltap_emit_result(p, 0, reshape_between(p, x, axis, axis, ltap_arg_sizes(p, "sizes")));
}

static void squeeze(ltap_program *p)
{
    int64_t axes[LTAP_MAX_RANK], ones[LTAP_MAX_RANK];
    ltap_operand x = self(p);
    bool all = ltap_arg_find(p, "dim") == NULL;
    size_t n = ltap_arg_ints(p, "dim", axes), count = 0;
    for (int i = 0; all && i < x.rank; i++)
        axes[n++] = i;
    for (size_t i = 0; i < n; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + x.rank : axes[i];
        if (axis >= 0 && axis < x.rank && x.dims[axis] == 1)
            ones[count++] = axis;
    }
    ltap_emit_result(
        p, 0,
        count > 0 ? ltap_emit_two(p, "Squeeze", x.value, ltap_emit_ints(p, ones, count)) : x.value);
}

static void unsqueeze(ltap_program *p)
{
    ltap_operand x = self(p);
    int axis = ltap_arg_axis(p, "dim", 0, x.rank + 1);
    ltap_emit_result(p, 0, ltap_emit_unsqueeze(p, x.value, axis));
}

/* -1 keeps a size: one times it. */
static void expand(ltap_program *p)
{
    int64_t sizes[LTAP_MAX_RANK];
    ltap_operand x = self(p);
    uint32_t shape = ltap_arg_sizes(p, "size");
    const ltap_json *list = ltap_arg_find(p, "size");
    bool fixed = true;
    for (const ltap_json *item = list ? list->first : NULL; item != NULL; item = item->next)
        fixed &= item->kind == LTAP_JSON_INT || ltap_json_find(item, "as_int") != NULL;
    if (fixed) {
        size_t n = ltap_arg_ints(p, "size", sizes);
        for (size_t i = 0; i < n; i++)
            sizes[i] = sizes[i] < 0 ? 1 : sizes[i];
        shape = ltap_emit_ints(p, sizes, n);
    } else {
        shape = ltap_emit_two(p, "Max", shape, ltap_emit_int(p, 1));
    }
    ltap_emit_result(p, 0, ltap_emit_two(p, "Expand", x.value, shape));
}

static void expand_as(ltap_program *p)
{
    ltap_operand x = self(p);
    ltap_emit_result(p, 0,
                     ltap_emit_two(p, "Expand", x.value, shape_of(p, ltap_arg_tensor(p, "other"))));
}

/* --- Order of axes. --------------------------------------------------------------------------- */

/* Axes go to new places, the others keep their order around them. */
static void move_axes(ltap_program *p, int rank, int64_t perm[LTAP_MAX_RANK])
{
    int64_t from[LTAP_MAX_RANK], to[LTAP_MAX_RANK];
    bool moved[LTAP_MAX_RANK] = {false};
    size_t n = ltap_arg_ints(p, "source", from), m = ltap_arg_ints(p, "destination", to);
    for (int i = 0; i < rank; i++)
        perm[i] = -1;
    for (size_t i = 0; i < n && n == m; i++) {
        from[i] += from[i] < 0 ? rank : 0;
        to[i] += to[i] < 0 ? rank : 0;
        if (from[i] < 0 || to[i] < 0 || from[i] >= rank || to[i] >= rank)
            continue;
        perm[to[i]] = from[i];
        moved[from[i]] = true;
    }
    for (int i = 0, next = 0; i < rank; i++) {
        if (perm[i] >= 0)
            continue;
        while (next < rank && moved[next])
            next++;
        perm[i] = next++;
    }
}

/* result axis i is axis perm[i] of the input; false: refused. */
static bool read_perm(ltap_program *p, int rank, int64_t perm[LTAP_MAX_RANK])
{
    const char *name = p->row->op_type;
    int64_t axes[LTAP_MAX_RANK];
    for (int i = 0; i < rank; i++)
        perm[i] = i;
    if (strcmp(name, "permute") == 0) {
        size_t n = ltap_arg_ints(p, "dims", axes);
        if (n != (size_t)rank)
            ltap_program_refuse(p, "of %zu axes, a tensor with %d", n, rank);
        for (size_t i = 0; i < n && i < (size_t)rank; i++)
            perm[i] = axes[i] < 0 ? axes[i] + rank : axes[i];
    } else if (strcmp(name, "swap") == 0) {
        bool numbered = ltap_arg_find(p, "dim0") != NULL;
        int a = ltap_arg_axis(p, numbered ? "dim0" : "axis0", 0, rank);
        int b = ltap_arg_axis(p, numbered ? "dim1" : "axis1", 1, rank);
        perm[a] = b;
        perm[b] = a;
    } else if (strcmp(name, "move") == 0) {
        move_axes(p, rank, perm);
    } else if (strcmp(name, "last") == 0 && rank >= 2) {
        perm[rank - 2] = rank - 1;
        perm[rank - 1] = rank - 2;
    } else {
        for (int i = 0; i < rank; i++)
            perm[i] = rank - 1 - i;
    }
    return ltap_program_goes_on(p);
}

static void permute(ltap_program *p)
{
    int64_t perm[LTAP_MAX_RANK];
    ltap_operand x = self(p);
    if (read_perm(p, x.rank, perm))
        ltap_emit_result(p, 0,
                         x.rank > 1 ? ltap_emit_transpose(p, x.value, perm, x.rank) : x.value);
}

static uint32_t back_to_order(ltap_program *p, const ltap_entry *view, uint32_t part)
{
    int64_t perm[LTAP_MAX_RANK], inverse[LTAP_MAX_RANK] = {0};
    int rank = base_of(p, view).rank;
    bool known = read_perm(p, rank, perm);
    for (int i = 0; known && i < rank; i++)
        if (perm[i] >= 0 && perm[i] < rank)
            inverse[perm[i]] = i;
    return known && rank > 1 ? ltap_emit_transpose(p, part, inverse, rank) : part;
}

/* --- Parts. ----------------------------------------------------------------------------------- */

/* The index as int64[1], counted from the beginning. */
static uint32_t read_index(ltap_program *p, ltap_operand x, int axis, int64_t *fixed)
{
    const ltap_json *arg = ltap_arg_find(p, "index");
    *fixed = -1;
    if (arg != NULL && arg->kind != LTAP_JSON_INT)
        return ltap_arg_size(p, "index", 0);
    int64_t index = ltap_arg_int(p, "index", 0);
    if (index < 0 && x.dims[axis] >= 0)
        index += x.dims[axis];
    if (index < 0)
        return ltap_emit_two(p, "Add", ltap_emit_dim(p, x, axis), ltap_emit_int(p, index));
    *fixed = index;
    return ltap_emit_int(p, index);
}

static void take_index(ltap_program *p)
{
    int64_t fixed;
    ltap_operand x = self(p);
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    if (!ltap_program_goes_on(p) || x.rank == 0)
        return;
    uint32_t index = read_index(p, x, axis, &fixed);
    uint32_t number = fixed >= 0 ? ltap_emit_number(p, (double)fixed, LTAP_INT64)
                                 : ltap_emit_reshape_to(p, index, NULL, 0);
    ltap_emit_result(p, 0, ltap_emit_gather(p, "Gather", x.value, number, axis));
}

static uint32_t replace_index(ltap_program *p, ltap_operand base, uint32_t part)
{
    int64_t fixed;
    int axis = ltap_arg_axis(p, "dim", 0, base.rank);
    if (!ltap_program_goes_on(p))
        return part;
    uint32_t begin = read_index(p, base, axis, &fixed);
    uint32_t end = fixed >= 0 ? ltap_emit_int(p, fixed + 1)
                              : ltap_emit_two(p, "Add", begin, ltap_emit_int(p, 1));
    return ltap_emit_replace(p, base.value, ltap_emit_unsqueeze(p, part, axis), begin, end, axis);
}

static uint32_t back_to_index(ltap_program *p, const ltap_entry *view, uint32_t part)
{
    return replace_index(p, base_of(p, view), part);
}

static void slice(ltap_program *p)
{
    ltap_operand x = self(p);
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    uint32_t begin = ltap_arg_size(p, "start", 0), end = ltap_arg_size(p, "end", INT64_MAX);
    ltap_emit_result(p, 0,
                     ltap_emit_slice(p, x.value, begin, end, axis, ltap_arg_int(p, "step", 1)));
}

static uint32_t replace_slice(ltap_program *p, ltap_operand base, uint32_t part)
{
    int axis = ltap_arg_axis(p, "dim", 0, base.rank);
    uint32_t begin = ltap_arg_size(p, "start", 0), end = ltap_arg_size(p, "end", INT64_MAX);
    int64_t step = ltap_arg_int(p, "step", 1), row[LTAP_MAX_RANK];
    if (step == 1 || base.rank == 0)
        return ltap_emit_replace(p, base.value, part, begin, end, axis);
    for (int i = 0; i < base.rank; i++)
        row[i] = i == axis ? -1 : 1;
    uint32_t places = ltap_emit_range(p, ltap_emit_dim(p, base, axis));
    places = ltap_emit_slice(p, places, begin, end, 0, step);
    places = ltap_emit_reshape_to(p, places, row, (size_t)base.rank);
    places = ltap_emit_two(p, "Expand", places, ltap_emit_shape(p, part));
    uint32_t inputs[] = {base.value, places, part};
    return ltap_emit_scatter(p, "ScatterElements", inputs, axis, NULL);
}

static uint32_t back_to_slice(ltap_program *p, const ltap_entry *view, uint32_t part)
{
    return replace_slice(p, base_of(p, view), part);
}

static void select_scatter(ltap_program *p)
{
    ltap_operand x = self(p), part = ltap_arg_tensor(p, "src");
    ltap_emit_result(p, 0, replace_index(p, x, part.value));
}

static void slice_scatter(ltap_program *p)
{
    ltap_operand x = self(p), part = ltap_arg_tensor(p, "src");
    ltap_emit_result(p, 0, replace_slice(p, x, part.value));
}

static void narrow(ltap_program *p)
{
    ltap_operand x = self(p);
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    uint32_t begin = ltap_arg_size(p, "start", 0);
    uint32_t end = ltap_emit_two(p, "Add", begin, ltap_arg_size(p, "length", 0));
    ltap_emit_result(p, 0, ltap_emit_slice(p, x.value, begin, end, axis, 1));
}

static uint32_t back_to_narrow(ltap_program *p, const ltap_entry *view, uint32_t part)
{
    ltap_operand base = base_of(p, view);
    uint32_t begin = ltap_arg_size(p, "start", 0);
    uint32_t end = ltap_emit_two(p, "Add", begin, ltap_arg_size(p, "length", 0));
    return ltap_emit_replace(p, base.value, part, begin, end,
                             ltap_arg_axis(p, "dim", 0, base.rank));
}

/* --- Several parts. --------------------------------------------------------------------------- */

static void split_into(ltap_program *p, ltap_operand x, int axis, uint32_t sizes)
{
    uint32_t inputs[] = {x.value, sizes}, *outputs;
    void *block = NULL;
    ltap_attr attr = LTAP_ATTR_I("axis", axis);
    ltap_program_take(
        p, ltap_arena_take(p->scratch, p->n_results + 1, sizeof(uint32_t), &block, p->error));
    if (!ltap_program_goes_on(p))
        return;
    outputs = block;
    ltap_emit(p,
              (ltap_emit_node){.op_type = "Split",
                               .inputs = inputs,
                               .n_inputs = 2,
                               .attrs = &attr,
                               .n_attrs = 1,
                               .n_outputs = p->n_results},
              outputs);
    for (size_t i = 0; i < p->n_results; i++)
        ltap_emit_result(p, i, outputs[i]);
}

/* Parts of `size`, the last of what is left. */
static void split_evenly(ltap_program *p, ltap_operand x, int axis, int64_t size)
{
    void *block = NULL;
    int64_t left = x.dims[axis];
    if (left < 0 || size < 1) {
        ltap_program_refuse(p, "of a size that is free");
        return;
    }
    ltap_program_take(
        p, ltap_arena_take(p->scratch, p->n_results + 1, sizeof(int64_t), &block, p->error));
    if (!ltap_program_goes_on(p))
        return;
    int64_t *sizes = block;
    for (size_t i = 0; i < p->n_results; i++, left -= size)
        sizes[i] = left < size ? left : size;
    split_into(p, x, axis, ltap_emit_ints(p, sizes, p->n_results));
}

static void split(ltap_program *p)
{
    ltap_operand x = self(p);
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    if (x.rank > 0)
        split_evenly(p, x, axis, ltap_arg_int(p, "split_size", 1));
}

static void split_with_sizes(ltap_program *p)
{
    ltap_operand x = self(p);
    const char *name = ltap_arg_find(p, "split_sizes") != NULL ? "split_sizes" : "split_size";
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    if (ltap_arg_count(p, name) == 0)
        split(p);
    else
        split_into(p, x, axis, ltap_arg_sizes(p, name));
}

static void chunk(ltap_program *p)
{
    ltap_operand x = self(p);
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    int64_t chunks = ltap_arg_int(p, "chunks", 1);
    if (x.rank > 0 && chunks > 0 && ltap_program_goes_on(p))
        split_evenly(p, x, axis,
                     x.dims[axis] < 0 ? -1 : x.dims[axis] / chunks + (x.dims[axis] % chunks > 0));
}

/* Parts between the indices. */
static void split_at(ltap_program *p)
{
    int64_t at[LTAP_MAX_RANK + 2] = {0};
    ltap_operand x = self(p);
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    size_t n = ltap_arg_ints(p, "indices", at + 1);
    at[n + 1] = INT64_MAX;
    if (n + 1 != p->n_results)
        ltap_program_refuse(p, "into %zu parts by %zu indices", p->n_results, n);
    for (size_t i = 0; i <= n && ltap_program_goes_on(p); i++)
        ltap_emit_result(p, i,
                         ltap_emit_slice(p, x.value, ltap_emit_int(p, at[i]),
                                         ltap_emit_int(p, at[i + 1]), axis, 1));
}

/* Parts as even as can be, the longer ones first. */
static void split_in(ltap_program *p)
{
    ltap_operand x = self(p);
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    int64_t n = (int64_t)p->n_results, at = 0, size = x.rank > 0 ? x.dims[axis] : -1;
    if (size < 0 || ltap_arg_int(p, "sections", n) != n)
        ltap_program_refuse(p, "of a size that is free");
    for (int64_t i = 0; i < n && ltap_program_goes_on(p); i++) {
        int64_t next = at + size / n + (i < size % n);
        ltap_emit_result(
            p, (size_t)i,
            ltap_emit_slice(p, x.value, ltap_emit_int(p, at), ltap_emit_int(p, next), axis, 1));
        at = next;
    }
}

static void broadcast_all(ltap_program *p)
{
    const ltap_operand *parts;
    size_t n = ltap_arg_tensors(p, "tensors", &parts);
    for (size_t i = 0; i < n; i++) {
        uint32_t y = parts[i].value;
        for (size_t k = 0; k < n; k++)
            if (k != i)
                y = ltap_emit_two(p, "Expand", y, shape_of(p, parts[k]));
        ltap_emit_result(p, i, y);
    }
}

static void unbind(ltap_program *p)
{
    ltap_operand x = self(p);
    int axis = ltap_arg_axis(p, "dim", 0, x.rank);
    for (size_t i = 0; i < p->n_results; i++) {
        uint32_t at = ltap_emit_number(p, (double)i, LTAP_INT64);
        ltap_emit_result(p, i, ltap_emit_gather(p, "Gather", x.value, at, axis));
    }
}

/* Parts before this one say where it begins. */
static uint32_t back_to_parts(ltap_program *p, const ltap_entry *view, uint32_t part)
{
    ltap_operand base = base_of(p, view);
    int axis = ltap_arg_axis(p, "dim", 0, base.rank);
    int64_t begin = 0;
    for (uint32_t i = 0; i <= view->slot && base.rank > 0; i++) {
        const ltap_entry *its = ltap_arg_result(p, i);
        int64_t size = its->rank == base.rank ? its->dims[axis] : its->rank < base.rank ? 1 : -1;
        if (size < 0)
            ltap_program_refuse(p, "of a size that is free");
        if (i == view->slot && its->rank < base.rank)
            part = ltap_emit_unsqueeze(p, part, axis);
        if (i == view->slot)
            return ltap_emit_replace(p, base.value, part, ltap_emit_int(p, begin),
                                     ltap_emit_int(p, begin + size), axis);
        begin += size;
    }
    return part;
}

/* --- Memory seen with strides. ---------------------------------------------------------------- */

/* Axes by falling stride: the order in which elements lie. False: they do not fill their memory. */
static bool order_of(const int64_t *sizes, const int64_t *strides, int rank,
                     int64_t order[LTAP_MAX_RANK])
{
    int64_t expected = 1;
    for (int i = 0; i < rank; i++)
        order[i] = i;
    for (int i = 0; i < rank; i++)
        for (int k = i; k > 0; k--) {
            int64_t a = order[k - 1], b = order[k];
            bool turned = strides[a] < strides[b] ||
                          (strides[a] == strides[b] && sizes[a] == 1 && sizes[b] != 1);
            if (!turned)
                break;
            order[k - 1] = b;
            order[k] = a;
        }
    for (int i = rank; i-- > 0;) {
        if (sizes[order[i]] != 1 && strides[order[i]] != expected)
            return false;
        if (__builtin_mul_overflow(expected, sizes[order[i]], &expected))
            return false;
    }
    return true;
}

/* The order in which a tensor lies in memory; false: not known, or with gaps. */
static bool lies_in(const ltap_entry *entry, int64_t order[LTAP_MAX_RANK])
{
    int64_t sizes[LTAP_MAX_RANK], strides[LTAP_MAX_RANK];
    return ltap_entry_hints(entry, "sizes", sizes) && ltap_entry_hints(entry, "strides", strides) &&
           order_of(sizes, strides, entry->rank, order);
}

/* The input as it lies in memory, then read in the new order. */
static void as_strided(ltap_program *p)
{
    int64_t from[LTAP_MAX_RANK], to[LTAP_MAX_RANK], perm[LTAP_MAX_RANK];
    ltap_operand x = self(p);
    const ltap_entry *made = ltap_arg_result(p, 0);
    const ltap_json *inputs = ltap_json_find(p->node, "inputs");
    const char *name = ltap_arg_name(ltap_json_find(inputs->first, "arg")->first);
    uint32_t its = name != NULL ? ltap_entries_find(p, name) : LTAP_NO_ENTRY;
    if (!ltap_program_goes_on(p) || its == LTAP_NO_ENTRY ||
        ltap_arg_int(p, "storage_offset", 0) != 0 || !lies_in(ltap_program_at(p, its), from) ||
        !lies_in(made, to) || ltap_arg_count(p, "size") != (size_t)made->rank) {
        ltap_program_refuse(p, "with strides that leave gaps or overlap");
        return;
    }
    for (int i = 0; i < made->rank; i++)
        perm[to[i]] = i;
    uint32_t y = x.rank > 1 ? ltap_emit_transpose(p, x.value, from, x.rank) : x.value;
    uint32_t order = ltap_emit_ints(p, to, (size_t)made->rank);
    y = ltap_emit_reshape(p, y, ltap_emit_two(p, "Gather", ltap_arg_sizes(p, "size"), order));
    ltap_emit_result(p, 0, made->rank > 1 ? ltap_emit_transpose(p, y, perm, made->rank) : y);
}

#define VIEW    .flags = LTAP_ATEN_VIEW
#define RESHAPE .flags = LTAP_ATEN_RESHAPE, .back = back_to_shape
#define PARTS   .flags = LTAP_ATEN_VIEW, .back = back_to_parts
#define ORDER   .map = permute, .flags = LTAP_ATEN_VIEW, .back = back_to_order

const ltap_aten_row ltap_aten_views[] = {
    {.name = "view.default", .map = view, VIEW, .back = back_to_shape},
    {.name = "_unsafe_view", .map = view},
    {.name = "view_copy.default", .map = view},
    {.name = "reshape", .map = view, RESHAPE},
    {.name = "view_as", .map = view_as, VIEW, .back = back_to_shape},
    {.name = "reshape_as", .map = view_as, RESHAPE},
    {.name = "flatten.using_ints", .map = flatten, RESHAPE},
    {.name = "ravel", .map = flatten, RESHAPE},
    {.name = "unflatten.int", .map = unflatten, VIEW, .back = back_to_shape},
    {.name = "squeeze", .map = squeeze, VIEW, .back = back_to_shape},
    {.name = "squeeze_copy", .map = squeeze},
    {.name = "unsqueeze", .map = unsqueeze, VIEW, .back = back_to_shape},
    {.name = "unsqueeze_copy", .map = unsqueeze},
    {.name = "expand", .map = expand, VIEW},
    {.name = "expand_copy", .map = expand},
    {.name = "broadcast_to", .map = expand, VIEW},
    {.name = "expand_as", .map = expand_as, VIEW},
    {.name = "permute", .op_type = "permute", ORDER},
    {.name = "permute_copy", .map = permute, .op_type = "permute"},
    {.name = "transpose.int", .op_type = "swap", ORDER},
    {.name = "transpose_copy", .map = permute, .op_type = "swap"},
    {.name = "swapaxes", .op_type = "swap", ORDER},
    {.name = "swapdims", .op_type = "swap", ORDER},
    {.name = "t", .op_type = "turn", ORDER},
    {.name = "t_copy", .map = permute, .op_type = "turn"},
    {.name = "numpy_T", .op_type = "turn", ORDER},
    {.name = "mT", .op_type = "last", ORDER},
    {.name = "mH", .op_type = "last", ORDER},
    {.name = "adjoint", .op_type = "last", ORDER},
    {.name = "movedim", .op_type = "move", ORDER},
    {.name = "moveaxis", .op_type = "move", ORDER},
    {.name = "select.int", .map = take_index, VIEW, .back = back_to_index},
    {.name = "select_copy", .map = take_index},
    {.name = "slice.Tensor", .map = slice, VIEW, .back = back_to_slice},
    {.name = "slice_copy", .map = slice},
    {.name = "select_scatter", .map = select_scatter},
    {.name = "slice_scatter", .map = slice_scatter},
    {.name = "narrow.default", .map = narrow, VIEW, .back = back_to_narrow},
    {.name = "narrow_copy", .map = narrow},
    {.name = "split.Tensor", .map = split, PARTS},
    {.name = "split.sizes", .map = split_with_sizes, PARTS},
    {.name = "split_with_sizes", .map = split_with_sizes, PARTS},
    {.name = "split_with_sizes_copy", .map = split_with_sizes},
    {.name = "split_copy", .map = split},
    {.name = "chunk", .map = chunk, PARTS},
    {.name = "tensor_split.indices", .map = split_at, PARTS},
    {.name = "tensor_split.sections", .map = split_in, PARTS},
    {.name = "unsafe_split.Tensor", .map = split},
    {.name = "unsafe_chunk", .map = chunk},
    {.name = "broadcast_tensors", .map = broadcast_all},
    {.name = "unbind", .map = unbind, PARTS},
    {.name = "unbind_copy", .map = unbind},
    {.name = "as_strided", .map = as_strided, VIEW},
    {.name = "as_strided_copy", .map = as_strided},
    {0},
};
