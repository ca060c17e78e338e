/* The changes of mutant.h. Data is made anew at the end: random numbers for floats, and what the
 * case said, repeated, for integers, so that indices often stay valid.
 */
#include "mutant.h"

#include "support/draw.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* Larger ones are cut, so that no test takes long. */
enum { MAX_ELEMENTS = 40000 };

static int64_t pick(mutant *m, int64_t low, int64_t high)
{
    return draw(&m->random, low, high);
}

static bool chance(mutant *m, int one_in)
{
    return pick(m, 1, one_in) == 1;
}

static size_t count_attrs(const op_case *c)
{
    size_t count = 0;
    while (count < CASE_ATTRS && c->attrs[count].name)
        count++;
    return count;
}

static size_t count_inputs(const op_case *c)
{
    size_t count = c->n_inputs;
    while (count < CASE_TENSORS && c->inputs[count].dtype != LTAP_UNDEFINED)
        count++;
    return count;
}

static int64_t a_size(mutant *m)
{
    static const int64_t sizes[] = {0, 1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33};
    return sizes[pick(m, 0, COUNT(sizes) - 1)];
}

static int64_t a_number(mutant *m)
{
    static const int64_t numbers[] = {INT64_MIN, INT32_MIN, -1000, -7,        7,        12,
                                      100,       1000,      65536, INT32_MAX, INT64_MAX};
    if (m->c.bodies[0].attr || !chance(m, 4)) /* a Loop is to end */
        return pick(m, -3, 5);
    return numbers[pick(m, 0, COUNT(numbers) - 1)];
}

static float a_float(mutant *m)
{
    static const float floats[] = {0, -0.0F, 1, -1, 0.5F, 2, 1e-6F, 1e10F, NAN, INFINITY};
    return floats[pick(m, 0, COUNT(floats) - 1)];
}

/* Input `i`, if there are any. */
static case_tensor *an_input(mutant *m)
{
    size_t count = count_inputs(&m->c);
    return count ? &m->c.inputs[pick(m, 0, (int64_t)count - 1)] : NULL;
}

/* One size of the case becomes another, wherever it stands. */
static void change_size_everywhere(mutant *m)
{
    case_tensor *t = an_input(m);
    if (!t || t->rank == 0)
        return;
    int64_t from = t->dims[pick(m, 0, t->rank - 1)], to = a_size(m);
    for (size_t i = 0; i < count_inputs(&m->c); i++)
        for (int k = 0; k < m->c.inputs[i].rank; k++)
            if (m->c.inputs[i].dims[k] == from)
                m->c.inputs[i].dims[k] = to;
}

/* One axis of the first input, and of all that have its shape there. */
static void change_axis(mutant *m)
{
    case_tensor *first = &m->c.inputs[0];
    if (first->rank == 0)
        return;
    int axis = (int)pick(m, 0, first->rank - 1);
    int64_t from = first->dims[axis], to = a_size(m);
    for (size_t i = 0; i < count_inputs(&m->c); i++)
        if (m->c.inputs[i].rank == first->rank && m->c.inputs[i].dims[axis] == from)
            m->c.inputs[i].dims[axis] = to;
}

static void change_size(mutant *m)
{
    case_tensor *t = an_input(m);
    if (t && t->rank > 0)
        t->dims[pick(m, 0, t->rank - 1)] = a_size(m);
}

static void insert_axis(case_tensor *t, int at, int64_t size)
{
    if (t->rank == LTAP_MAX_RANK || at > t->rank)
        return;
    memmove(t->dims + at + 1, t->dims + at, (size_t)(t->rank - at) * sizeof(t->dims[0]));
    t->dims[at] = size;
    t->rank++;
}

static void remove_axis(case_tensor *t, int at)
{
    if (at >= t->rank)
        return;
    memmove(t->dims + at, t->dims + at + 1, (size_t)(t->rank - at - 1) * sizeof(t->dims[0]));
    t->rank--;
}

static void change_rank(mutant *m)
{
    case_tensor *t = an_input(m);
    bool grows = chance(m, 2), all = chance(m, 2);
    int64_t size = a_size(m);
    if (!t)
        return;
    int at = (int)pick(m, 0, t->rank);
    for (size_t i = 0; i < count_inputs(&m->c); i++) {
        case_tensor *each = &m->c.inputs[i];
        if (each != t && (!all || each->rank != t->rank || each->rank < 2))
            continue;
        if (grows)
            insert_axis(each, at, size);
        else
            remove_axis(each, at);
    }
}

static void change_type(mutant *m)
{
    static const ltap_dtype types[] = {
        LTAP_FLOAT32, LTAP_FLOAT32, LTAP_FLOAT64, LTAP_FLOAT16,   LTAP_BFLOAT16,    LTAP_INT8,
        LTAP_UINT8,   LTAP_INT16,   LTAP_UINT16,  LTAP_INT32,     LTAP_INT64,       LTAP_UINT32,
        LTAP_UINT64,  LTAP_BOOL,    LTAP_INT4,    LTAP_COMPLEX64, LTAP_FLOAT8E4M3FN};
    case_tensor *t = an_input(m);
    ltap_dtype to = types[pick(m, 0, COUNT(types) - 1)];
    bool all = !chance(m, 4);
    if (!t)
        return;
    ltap_dtype from = t->dtype;
    for (size_t i = 0; i < count_inputs(&m->c); i++)
        if (&m->c.inputs[i] == t || (all && m->c.inputs[i].dtype == from))
            m->c.inputs[i].dtype = to;
}

static void change_inputs(mutant *m)
{
    size_t count = count_inputs(&m->c);
    if (count == 0 || m->c.bodies[0].attr) /* the last ones are captured */
        return;
    case_tensor *t = an_input(m);
    if (chance(m, 2)) {
        memset(t, 0, sizeof *t);
    } else if (count < CASE_TENSORS) {
        m->c.inputs[count++] = *t;
    }
    m->c.n_inputs = count - (chance(m, 2) && count > 1 ? 1 : 0);
    for (size_t i = m->c.n_inputs; i < CASE_TENSORS; i++)
        memset(&m->c.inputs[i], 0, sizeof m->c.inputs[i]);
}

/* A list of numbers: one entry changed, added, or gone. */
static void change_ints(mutant *m, size_t index)
{
    ltap_attr *attr = &m->c.attrs[index];
    int64_t *ints = m->ints[index];
    size_t count = attr->count < MUTANT_INTS - 1 ? attr->count : MUTANT_INTS - 1;
    memmove(ints, attr->u.ints, count * sizeof *ints);
    if (count > 0 && chance(m, 5))
        count--;
    else if (count == 0 || chance(m, 5))
        ints[count++] = a_number(m);
    else
        ints[pick(m, 0, (int64_t)count - 1)] = a_number(m);
    attr->u.ints = ints;
    attr->count = count;
}

static void change_floats(mutant *m, size_t index)
{
    ltap_attr *attr = &m->c.attrs[index];
    float *floats = m->floats[index];
    size_t count = attr->count < MUTANT_INTS - 1 ? attr->count : MUTANT_INTS - 1;
    memmove(floats, attr->u.floats, count * sizeof *floats);
    floats[chance(m, 3) || count == 0 ? count++ : 0] = a_float(m);
    attr->u.floats = floats;
    attr->count = count;
}

static void change_kind(mutant *m, ltap_attr *attr)
{
    static const ltap_attr_kind kinds[] = {LTAP_ATTR_INT, LTAP_ATTR_FLOAT, LTAP_ATTR_INTS};
    static const int64_t ints[] = {1, 0, 1, 2};
    attr->kind = kinds[pick(m, 0, COUNT(kinds) - 1)];
    attr->count = 1;
    if (attr->kind == LTAP_ATTR_INT)
        attr->u.i = a_number(m);
    else if (attr->kind == LTAP_ATTR_FLOAT)
        attr->u.f = a_float(m);
    else {
        attr->count = (size_t)pick(m, 0, COUNT(ints));
        attr->u.ints = ints;
    }
}

/* One attribute gets another value of its kind, now and then another kind. */
static void change_attr(mutant *m)
{
    size_t count = count_attrs(&m->c);
    if (count == 0)
        return;
    size_t index = (size_t)pick(m, 0, (int64_t)count - 1);
    ltap_attr *attr = &m->c.attrs[index];
    if (chance(m, 12))
        change_kind(m, attr);
    else if (attr->kind == LTAP_ATTR_INT)
        attr->u.i = a_number(m);
    else if (attr->kind == LTAP_ATTR_FLOAT)
        attr->u.f = a_float(m);
    else if (attr->kind == LTAP_ATTR_STRING)
        attr->u.s = chance(m, 2) ? (ltap_string){"nonsense", 8} : (ltap_string){"", 0};
    else if (attr->kind == LTAP_ATTR_INTS)
        change_ints(m, index);
    else if (attr->kind == LTAP_ATTR_FLOATS)
        change_floats(m, index);
}

static void remove_attr(mutant *m)
{
    size_t count = count_attrs(&m->c);
    if (count == 0)
        return;
    m->c.attrs[pick(m, 0, (int64_t)count - 1)] = m->c.attrs[count - 1];
    memset(&m->c.attrs[count - 1], 0, sizeof(ltap_attr));
}

/* An attribute that another case of the operator has. */
static void borrow_attr(mutant *m)
{
    const op_case *other = &m->relatives[pick(m, 0, (int64_t)m->n_relatives - 1)];
    size_t theirs = count_attrs(other), count = count_attrs(&m->c), at = 0;
    if (theirs == 0)
        return;
    const ltap_attr *attr = &other->attrs[pick(m, 0, (int64_t)theirs - 1)];
    while (at < count && strcmp(m->c.attrs[at].name, attr->name) != 0)
        at++;
    if (at < CASE_ATTRS)
        m->c.attrs[at] = *attr;
}

static void change_constants(mutant *m)
{
    m->c.constants ^= INPUT((unsigned)pick(m, 0, 3));
}

/* As many outputs as the operator does not make, or fewer. */
static void change_outputs(mutant *m)
{
    size_t count = (size_t)pick(m, 1, 4);
    if (m->c.bodies[0].attr)
        return;
    for (size_t i = 0; i < CASE_TENSORS; i++)
        m->c.outputs[i].dtype = i < count ? LTAP_FLOAT32 : LTAP_UNDEFINED;
}

typedef void change(mutant *m);
static change *const changes[] = {change_size_everywhere,
                                  change_size_everywhere,
                                  change_size_everywhere,
                                  change_axis,
                                  change_axis,
                                  change_size,
                                  change_rank,
                                  change_type,
                                  change_inputs,
                                  change_attr,
                                  change_attr,
                                  change_attr,
                                  borrow_attr,
                                  borrow_attr,
                                  remove_attr,
                                  change_constants,
                                  change_outputs};

static void fill_floats(mutant *m, float *data, int64_t count, bool constant)
{
    bool special = chance(m, 8) && !constant; /* no weights are */
    for (int64_t i = 0; i < count; i++)
        data[i] = (float)pick(m, -1000, 1000) / 500;
    if (special && count > 0)
        data[pick(m, 0, count - 1)] = chance(m, 2) ? NAN : INFINITY;
}

static bool is_whole(ltap_dtype dtype)
{
    return ltap_dtype_bits(dtype) >= 8 && dtype != LTAP_FLOAT32 && dtype != LTAP_FLOAT64 &&
           dtype != LTAP_FLOAT16 && dtype != LTAP_BFLOAT16;
}

/* Numbers as before, as often as needed; now and then one is another. */
static void fill_whole(mutant *m, ltap_tensor *t, const case_tensor *before)
{
    uint64_t count = ltap_tensor_count(t), bytes = ltap_dtype_bits(t->dtype) / 8;
    unsigned char *data = t->data;
    bool same = before->dtype == t->dtype && before->data_bytes >= bytes;
    for (uint64_t i = 0; i < count; i++) {
        int64_t number = t->dtype == LTAP_BOOL ? pick(m, 0, 1) : pick(m, 0, 2);
        memset(data + i * bytes, 0, bytes);
        memcpy(data + i * bytes, &number, bytes < 8 ? bytes : 8);
        if (same)
            memcpy(data + i * bytes,
                   (const char *)before->data + i * bytes % (before->data_bytes / bytes * bytes),
                   bytes);
    }
    if (t->dtype != LTAP_BOOL && bytes <= 8 && count > 0 && chance(m, 3)) {
        int64_t number = a_number(m);
        memcpy(data + (uint64_t)pick(m, 0, (int64_t)count - 1) * bytes, &number, bytes);
    }
}

/* Floats of other types: by way of float32's bits, cut. */
static void fill_other(mutant *m, ltap_tensor *t)
{
    uint64_t bytes = ltap_tensor_bytes(t), count = ltap_tensor_count(t);
    unsigned char *data = t->data;
    if (t->dtype == LTAP_FLOAT64) {
        for (uint64_t i = 0; i < count; i++)
            ((double *)t->data)[i] = (double)pick(m, -1000, 1000) / 500;
        return;
    }
    for (uint64_t i = 0; i < bytes; i++) /* halves from 2^-7 to 2 of either sign; any nibbles */
        data[i] =
            (unsigned char)(i % 2 ? pick(m, 0, 1) * 0x80 + pick(m, 0x30, 0x3f) : pick(m, 0, 255));
}

static void fill(mutant *m, size_t index)
{
    case_tensor before = m->c.inputs[index], *t = &m->c.inputs[index];
    uint64_t count;
    while (!ltap_dims_count(t->rank, t->dims, &count) || count > MAX_ELEMENTS)
        t->rank--;
    ltap_tensor tensor = ltap_tensor_make(t->dtype, t->rank, t->dims, NULL);
    uint64_t bytes = ltap_tensor_bytes(&tensor);
    tensor.data = m->blocks[index] = malloc(bytes ? (size_t)bytes : 1);
    if (!tensor.data)
        abort();
    bool keeps = before.dtype == t->dtype && bytes == before.data_bytes && chance(m, 2);
    if (keeps && bytes)
        memcpy(tensor.data, before.data, (size_t)bytes);
    else if (t->dtype == LTAP_FLOAT32)
        fill_floats(m, tensor.data, (int64_t)count, m->c.constants >> index & 1);
    else if (is_whole(t->dtype))
        fill_whole(m, &tensor, &before);
    else
        fill_other(m, &tensor);
    t->data = tensor.data;
    t->data_bytes = (size_t)bytes;
}

/* A Loop without a number of trips could go on for ever. */
static void limit_trips(op_case *c)
{
    static const int64_t trips = 3;
    if (strcmp(c->op, "Loop") == 0 && c->inputs[0].dtype != LTAP_INT64)
        c->inputs[0] = (case_tensor){LTAP_INT64, SCALAR, &trips, sizeof trips};
}

void mutant_make(mutant *m, const op_case *cases, size_t count, uint64_t seed)
{
    memset(m, 0, sizeof *m);
    m->random = seed * UINT64_C(0x9E3779B97F4A7C15);
    m->relatives = cases;
    m->n_relatives = count;
    m->c = cases[pick(m, 0, (int64_t)count - 1)];
    for (int64_t n = pick(m, 1, 4); n > 0; n--)
        changes[pick(m, 0, COUNT(changes) - 1)](m);
    limit_trips(&m->c);
    m->wanted = chance(m, 3) ? (unsigned)pick(m, 0, 15) : ~0U;
    for (size_t i = 0; i < count_inputs(&m->c); i++) {
        if (ltap_dtype_bits(m->c.inputs[i].dtype) > 0)
            fill(m, i);
    }
    m->c.n_inputs = count_inputs(&m->c);
}

void mutant_clear(mutant *m)
{
    for (size_t i = 0; i < CASE_TENSORS; i++)
        free(m->blocks[i]);
}

static void print_attr(const ltap_attr *attr)
{
    fprintf(stderr, "  %s =", attr->name);
    if (attr->kind == LTAP_ATTR_INT)
        fprintf(stderr, " %lld", (long long)attr->u.i);
    else if (attr->kind == LTAP_ATTR_FLOAT)
        fprintf(stderr, " %g", attr->u.f);
    else if (attr->kind == LTAP_ATTR_STRING)
        fprintf(stderr, " '%s'", attr->u.s.data);
    for (size_t i = 0; attr->kind == LTAP_ATTR_INTS && i < attr->count; i++)
        fprintf(stderr, " %lld", (long long)attr->u.ints[i]);
    for (size_t i = 0; attr->kind == LTAP_ATTR_FLOATS && i < attr->count; i++)
        fprintf(stderr, " %g", (double)attr->u.floats[i]);
    fprintf(stderr, " (kind %d)\n", (int)attr->kind);
}

static void print_input(const mutant *m, size_t index)
{
    const case_tensor *t = &m->c.inputs[index];
    ltap_tensor tensor = ltap_tensor_make(t->dtype, t->rank, t->dims, (void *)(uintptr_t)t->data);
    fprintf(stderr, "  input %zu: %s%s", index, ltap_tensor_text(&tensor).text,
            m->c.constants & INPUT(index) ? ", constant:" : ":");
    for (uint64_t i = 0; ltap_dtype_bits(t->dtype) >= 8 && i < 12 && i < ltap_tensor_count(&tensor);
         i++)
        fprintf(stderr, " %g", ltap_tensor_double(&tensor, i));
    fprintf(stderr, "\n");
}

void mutant_print(const mutant *m)
{
    fprintf(stderr, "%s, from '%s'\n", m->c.op, m->c.name);
    for (size_t i = 0; i < count_attrs(&m->c); i++)
        print_attr(&m->c.attrs[i]);
    for (size_t i = 0; i < count_inputs(&m->c); i++)
        print_input(m, i);
}
