/* A row per opcode: its name, the argument behind it, what it does to the stack. Memory grows with
 * the bytes that were read, never with the numbers in them.
 */
#include "codec/pickle.h"

#include "base/error.h"
#include "base/vector.h"
#include "codec/bytes.h"

#include <inttypes.h>
#include <string.h>

typedef struct machine {
    const uint8_t *bytes;
    size_t size, at;
    uint64_t base;
    size_t opcode_at;
    const ltap_pickle_global *globals;
    ltap_arena *arena;
    ltap_vector stack; /* ltap_pickle * */
    ltap_vector memo;  /* ltap_pickle *, NULL where none */
    bool stopped;
    ltap_error *error;
} machine;

typedef struct argument {
    uint64_t number;
    const uint8_t *bytes; /* of a string, or of two lines */
    uint64_t size;
} argument;

typedef enum argument_kind {
    NOTHING,
    U1,
    U2,
    U4,
    I4,
    U8,
    F8,
    SIZED1,
    SIZED4,
    SIZED8,
    LINES
} argument_kind;

typedef struct opcode {
    const char *name;
    argument_kind argument;
    ltap_status (*run)(machine *m, const argument *a);
} opcode;

static uint64_t place(const machine *m)
{
    return m->base + m->opcode_at;
}

#define BAD(m, ...) ltap_error_at((m)->error, LTAP_ERROR_FORMAT, place(m), "pickle: " __VA_ARGS__)

static ltap_status push(machine *m, ltap_pickle *value)
{
    return ltap_vector_push(&m->stack, &value, m->error);
}

static ltap_status make(machine *m, ltap_pickle_kind kind, ltap_pickle **value)
{
    void *block;
    LTAP_TRY(ltap_arena_take(m->arena, 1, sizeof(ltap_pickle), &block, m->error));
    *value = block;
    (*value)->kind = kind;
    (*value)->offset = place(m);
    return push(m, *value);
}

static ltap_pickle *at_top(const machine *m, size_t below)
{
    return *LTAP_VECTOR_AT(&m->stack, ltap_pickle *, m->stack.count - 1 - below);
}

/* How many values stand above the last mark. */
static ltap_status above_mark(machine *m, size_t *count)
{
    for (*count = 0; *count < m->stack.count; (*count)++)
        if (at_top(m, *count)->kind == LTAP_PICKLE_MARK)
            return LTAP_OK;
    return BAD(m, "there is no mark on the stack");
}

/* At least `count` values, none of them a mark. */
static ltap_status need(machine *m, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (i >= m->stack.count || at_top(m, i)->kind == LTAP_PICKLE_MARK)
            return BAD(m, "an opcode takes %zu values, the stack has %zu", count, i);
    return LTAP_OK;
}

static ltap_pickle *pop(machine *m)
{
    ltap_pickle *value = at_top(m, 0);
    m->stack.count--;
    return value;
}

/* Appends the top values to a container, and takes them (with `extra` marks) from the stack. */
static ltap_status append(machine *m, ltap_pickle *to, size_t count, size_t extra)
{
    if (count > to->room - to->count) {
        size_t room = to->count + count + to->count / 2;
        void *block;
        LTAP_TRY(ltap_arena_take(m->arena, room, sizeof(ltap_pickle *), &block, m->error));
        if (to->count > 0)
            memcpy(block, to->items, to->count * sizeof(ltap_pickle *));
        to->items = block;
        to->room = room;
    }
    for (size_t i = 0; i < count; i++)
        to->items[to->count + i] = at_top(m, count - 1 - i);
    to->count += count;
    m->stack.count -= count + extra;
    return LTAP_OK;
}

static ltap_status run_skip(machine *m, const argument *a)
{
    (void)m;
    (void)a;
    return LTAP_OK;
}

static ltap_status run_stop(machine *m, const argument *a)
{
    (void)a;
    LTAP_TRY(need(m, 1));
    m->stopped = true;
    return LTAP_OK;
}

static ltap_status run_mark(machine *m, const argument *a)
{
    ltap_pickle *value;
    (void)a;
    return make(m, LTAP_PICKLE_MARK, &value);
}

static ltap_status run_none(machine *m, const argument *a)
{
    ltap_pickle *value;
    (void)a;
    return make(m, LTAP_PICKLE_NONE, &value);
}

static ltap_status make_bool(machine *m, int64_t truth)
{
    ltap_pickle *value;
    LTAP_TRY(make(m, LTAP_PICKLE_BOOL, &value));
    value->integer = truth;
    return LTAP_OK;
}

static ltap_status run_true(machine *m, const argument *a)
{
    (void)a;
    return make_bool(m, 1);
}

static ltap_status run_false(machine *m, const argument *a)
{
    (void)a;
    return make_bool(m, 0);
}

static ltap_status run_int(machine *m, const argument *a)
{
    ltap_pickle *value;
    LTAP_TRY(make(m, LTAP_PICKLE_INT, &value));
    value->integer = (int64_t)a->number;
    return LTAP_OK;
}

static ltap_status run_string(machine *m, const argument *a)
{
    ltap_pickle *value;
    const char *copy;
    LTAP_TRY(ltap_arena_text(m->arena, (const char *)a->bytes, a->size, &copy, m->error));
    LTAP_TRY(make(m, LTAP_PICKLE_STRING, &value));
    value->text = copy;
    value->bytes = a->size;
    return LTAP_OK;
}

/* Two's complement, little-endian. */
static ltap_status run_long(machine *m, const argument *a)
{
    uint64_t number = a->size > 0 && a->bytes[a->size - 1] >= 0x80 ? UINT64_MAX : 0;
    if (a->size > 8) {
        LTAP_TRY(run_string(m, a));
        at_top(m, 0)->kind = LTAP_PICKLE_BIG;
        return LTAP_OK;
    }
    for (size_t i = a->size; i-- > 0;)
        number = number << 8 | a->bytes[i];
    return run_int(m, &(argument){.number = number});
}

static ltap_status run_double(machine *m, const argument *a)
{
    ltap_pickle *value;
    LTAP_TRY(make(m, LTAP_PICKLE_DOUBLE, &value));
    memcpy(&value->number, &a->number, sizeof value->number);
    return LTAP_OK;
}

static ltap_status run_empty_tuple(machine *m, const argument *a)
{
    ltap_pickle *value;
    (void)a;
    return make(m, LTAP_PICKLE_TUPLE, &value);
}

static ltap_status run_empty_list(machine *m, const argument *a)
{
    ltap_pickle *value;
    (void)a;
    return make(m, LTAP_PICKLE_LIST, &value);
}

static ltap_status run_empty_dict(machine *m, const argument *a)
{
    ltap_pickle *value;
    (void)a;
    return make(m, LTAP_PICKLE_DICT, &value);
}

/* The top values become one. */
static ltap_status gather(machine *m, ltap_pickle_kind kind, size_t count, size_t marks)
{
    ltap_pickle *value;
    LTAP_TRY(make(m, kind, &value));
    m->stack.count--;
    LTAP_TRY(append(m, value, count, marks));
    return push(m, value);
}

static ltap_status run_tuple(machine *m, const argument *a)
{
    size_t count;
    (void)a;
    LTAP_TRY(above_mark(m, &count));
    return gather(m, LTAP_PICKLE_TUPLE, count, 1);
}

static ltap_status tuple_of(machine *m, size_t count)
{
    LTAP_TRY(need(m, count));
    return gather(m, LTAP_PICKLE_TUPLE, count, 0);
}

static ltap_status run_tuple1(machine *m, const argument *a)
{
    (void)a;
    return tuple_of(m, 1);
}

static ltap_status run_tuple2(machine *m, const argument *a)
{
    (void)a;
    return tuple_of(m, 2);
}

static ltap_status run_tuple3(machine *m, const argument *a)
{
    (void)a;
    return tuple_of(m, 3);
}

/* Values above `marks` marks go into the container below. */
static ltap_status fill(machine *m, ltap_pickle_kind kind, size_t count, size_t marks)
{
    if (m->stack.count < count + marks + 1)
        return BAD(m, "an opcode fills a container, and there is none on the stack");
    ltap_pickle *to = at_top(m, count + marks);
    if (to->kind != kind)
        return BAD(m, "items are put into something that is not %s",
                   kind == LTAP_PICKLE_DICT ? "a dictionary" : "a list");
    if (kind == LTAP_PICKLE_DICT && count % 2 != 0)
        return BAD(m, "a key has no value");
    return append(m, to, count, marks);
}

static ltap_status run_append(machine *m, const argument *a)
{
    (void)a;
    LTAP_TRY(need(m, 2));
    return fill(m, LTAP_PICKLE_LIST, 1, 0);
}

static ltap_status run_appends(machine *m, const argument *a)
{
    size_t count;
    (void)a;
    LTAP_TRY(above_mark(m, &count));
    return fill(m, LTAP_PICKLE_LIST, count, 1);
}

static ltap_status run_setitem(machine *m, const argument *a)
{
    (void)a;
    LTAP_TRY(need(m, 3));
    return fill(m, LTAP_PICKLE_DICT, 2, 0);
}

static ltap_status run_setitems(machine *m, const argument *a)
{
    size_t count;
    (void)a;
    LTAP_TRY(above_mark(m, &count));
    return fill(m, LTAP_PICKLE_DICT, count, 1);
}

static bool is_named(const ltap_pickle_global *g, const char *module, const char *name)
{
    size_t bytes = strlen(g->module);
    if (g->name != NULL)
        return strcmp(g->module, module) == 0 && strcmp(g->name, name) == 0;
    return strncmp(g->module, module, bytes) == 0 &&
           (module[bytes] == '.' || module[bytes] == '\0');
}

static ltap_status find_global(machine *m, const char *module, const char *name)
{
    ltap_pickle *value;
    for (const ltap_pickle_global *g = m->globals; g->module != NULL; g++)
        if (is_named(g, module, name)) {
            LTAP_TRY(make(m, LTAP_PICKLE_GLOBAL, &value));
            value->global = g;
            return LTAP_OK;
        }
    return ltap_error_at(
        m->error, LTAP_ERROR_UNSUPPORTED, place(m),
        "the pickle names '%.100s.%.100s', which is not plain data, and nothing in "
        "a file is run; save model.state_dict() instead",
        module, name);
}

static ltap_status run_global(machine *m, const argument *a)
{
    const char *text;
    LTAP_TRY(ltap_arena_text(m->arena, (const char *)a->bytes, a->size, &text, m->error));
    char *line = strchr(text, '\n');
    if (line == NULL)
        return BAD(m, "the name of a global holds a NUL");
    *line = '\0';
    return find_global(m, text, line + 1);
}

static ltap_status run_stack_global(machine *m, const argument *a)
{
    (void)a;
    LTAP_TRY(need(m, 2));
    const ltap_pickle *name = pop(m), *module = pop(m);
    if (name->kind != LTAP_PICKLE_STRING || module->kind != LTAP_PICKLE_STRING)
        return BAD(m, "a global is named by something that is not a string");
    return find_global(m, module->text, name->text);
}

/* OrderedDict([(key, value), ...]), as Python 2 writes it. */
static ltap_status fill_mapping(machine *m, ltap_pickle *dict, const ltap_pickle *args)
{
    const ltap_pickle *list = args->count == 1 ? args->items[0] : NULL;
    if (list == NULL || list->kind != LTAP_PICKLE_LIST)
        return LTAP_OK;
    for (size_t i = 0; i < list->count; i++) {
        const ltap_pickle *pair = list->items[i];
        if ((pair->kind != LTAP_PICKLE_LIST && pair->kind != LTAP_PICKLE_TUPLE) || pair->count != 2)
            return BAD(m, "a dictionary is made from something that is not pairs");
        LTAP_TRY(push(m, pair->items[0]));
        LTAP_TRY(push(m, pair->items[1]));
        LTAP_TRY(append(m, dict, 2, 0));
    }
    return LTAP_OK;
}

/* REDUCE and NEWOBJ: what is to be called, and with what. */
static ltap_status run_call(machine *m, const argument *a)
{
    (void)a;
    LTAP_TRY(need(m, 2));
    ltap_pickle *args = at_top(m, 0), *callee = at_top(m, 1), *dict;
    if (callee->kind != LTAP_PICKLE_GLOBAL || args->kind != LTAP_PICKLE_TUPLE)
        return BAD(m, "a call of something that is not a global with a tuple of arguments");
    if (callee->global->role != LTAP_PICKLE_MAPPING)
        return gather(m, LTAP_PICKLE_CALL, 2, 0);
    m->stack.count -= 2;
    LTAP_TRY(make(m, LTAP_PICKLE_DICT, &dict));
    return fill_mapping(m, dict, args);
}

/* A state that dictionaries carry beside their items says nothing about tensors. */
static ltap_status run_build(machine *m, const argument *a)
{
    (void)a;
    LTAP_TRY(need(m, 2));
    ltap_pickle *object = at_top(m, 1);
    if (object->kind != LTAP_PICKLE_DICT && object->kind != LTAP_PICKLE_CALL)
        return BAD(m, "a state is given to something that is not an object");
    if (object->kind == LTAP_PICKLE_CALL && object->items[0]->global->role == LTAP_PICKLE_OBJECT) {
        if (object->count > 2)
            return BAD(m, "an object is given a state twice");
        return append(m, object, 1, 0);
    }
    m->stack.count--;
    return LTAP_OK;
}

static ltap_status run_persistent(machine *m, const argument *a)
{
    (void)a;
    LTAP_TRY(need(m, 1));
    return gather(m, LTAP_PICKLE_PERSISTENT, 1, 0);
}

/* A writer numbers from 0, so an index is never larger than the bytes before it. */
static ltap_status put(machine *m, uint64_t index)
{
    LTAP_TRY(need(m, 1));
    if (index > m->opcode_at)
        return BAD(m, "memo index %" PRIu64 " is larger than the pickle so far", index);
    if (index >= m->memo.count)
        LTAP_TRY(ltap_vector_grow(&m->memo, (size_t)index + 1 - m->memo.count, NULL, m->error));
    *LTAP_VECTOR_AT(&m->memo, ltap_pickle *, index) = at_top(m, 0);
    return LTAP_OK;
}

static ltap_status run_put(machine *m, const argument *a)
{
    return put(m, a->number);
}

static ltap_status run_memoize(machine *m, const argument *a)
{
    (void)a;
    return put(m, m->memo.count);
}

static ltap_status run_get(machine *m, const argument *a)
{
    ltap_pickle *value =
        a->number < m->memo.count ? *LTAP_VECTOR_AT(&m->memo, ltap_pickle *, a->number) : NULL;
    if (value == NULL)
        return BAD(m, "memo index %" PRIu64 " was never put", a->number);
    return push(m, value);
}

static const opcode opcodes[256] = {
    ['('] = {"MARK", NOTHING, run_mark},
    ['.'] = {"STOP", NOTHING, run_stop},
    ['N'] = {"NONE", NOTHING, run_none},
    ['J'] = {"BININT", I4, run_int},
    ['K'] = {"BININT1", U1, run_int},
    ['M'] = {"BININT2", U2, run_int},
    ['G'] = {"BINFLOAT", F8, run_double},
    ['X'] = {"BINUNICODE", SIZED4, run_string},
    ['T'] = {"BINSTRING", SIZED4, run_string},
    ['U'] = {"SHORT_BINSTRING", SIZED1, run_string},
    ['B'] = {"BINBYTES", SIZED4, run_string},
    ['C'] = {"SHORT_BINBYTES", SIZED1, run_string},
    [')'] = {"EMPTY_TUPLE", NOTHING, run_empty_tuple},
    ['t'] = {"TUPLE", NOTHING, run_tuple},
    [']'] = {"EMPTY_LIST", NOTHING, run_empty_list},
    ['a'] = {"APPEND", NOTHING, run_append},
    ['e'] = {"APPENDS", NOTHING, run_appends},
    ['}'] = {"EMPTY_DICT", NOTHING, run_empty_dict},
    ['s'] = {"SETITEM", NOTHING, run_setitem},
    ['u'] = {"SETITEMS", NOTHING, run_setitems},
    ['c'] = {"GLOBAL", LINES, run_global},
    ['R'] = {"REDUCE", NOTHING, run_call},
    ['b'] = {"BUILD", NOTHING, run_build},
    ['q'] = {"BINPUT", U1, run_put},
    ['r'] = {"LONG_BINPUT", U4, run_put},
    ['h'] = {"BINGET", U1, run_get},
    ['j'] = {"LONG_BINGET", U4, run_get},
    ['Q'] = {"BINPERSID", NOTHING, run_persistent},
    [0x80] = {"PROTO", U1, run_skip},
    [0x81] = {"NEWOBJ", NOTHING, run_call},
    [0x85] = {"TUPLE1", NOTHING, run_tuple1},
    [0x86] = {"TUPLE2", NOTHING, run_tuple2},
    [0x87] = {"TUPLE3", NOTHING, run_tuple3},
    [0x88] = {"NEWTRUE", NOTHING, run_true},
    [0x89] = {"NEWFALSE", NOTHING, run_false},
    [0x8a] = {"LONG1", SIZED1, run_long},
    [0x8c] = {"SHORT_BINUNICODE", SIZED1, run_string},
    [0x8d] = {"BINUNICODE8", SIZED8, run_string},
    [0x8f] = {"EMPTY_SET", NOTHING, run_empty_list},
    [0x90] = {"ADDITEMS", NOTHING, run_appends},
    [0x93] = {"STACK_GLOBAL", NOTHING, run_stack_global},
    [0x94] = {"MEMOIZE", NOTHING, run_memoize},
    [0x95] = {"FRAME", U8, run_skip},
};

static ltap_status cut_short(machine *m, const char *name)
{
    return BAD(m, "%s is cut short", name);
}

/* Two lines: module and name. */
static ltap_status read_lines(machine *m, const char *name, argument *a)
{
    a->bytes = m->bytes + m->at;
    for (int line = 0; line < 2; line++) {
        const uint8_t *end =
            m->at < m->size ? memchr(m->bytes + m->at, '\n', m->size - m->at) : NULL;
        if (end == NULL)
            return cut_short(m, name);
        m->at = (size_t)(end - m->bytes) + 1;
    }
    a->size = (uint64_t)(m->bytes + m->at - a->bytes) - 1;
    return LTAP_OK;
}

static ltap_status read_argument(machine *m, const opcode *op, argument *a)
{
    static const uint8_t widths[] = {0, 1, 2, 4, 4, 8, 8, 1, 4, 8};
    if (op->argument == LINES)
        return read_lines(m, op->name, a);
    size_t width = widths[op->argument];
    if (m->size - m->at < width)
        return cut_short(m, op->name);
    for (size_t i = 0; i < width; i++)
        a->number |= (uint64_t)m->bytes[m->at + i] << 8 * (op->argument == F8 ? 7 - i : i);
    m->at += width;
    if (op->argument == I4)
        a->number = (uint64_t)(int64_t)(int32_t)a->number;
    if (op->argument < SIZED1)
        return LTAP_OK;
    if (a->number > m->size - m->at)
        return cut_short(m, op->name);
    a->bytes = m->bytes + m->at;
    a->size = a->number;
    m->at += (size_t)a->number;
    return LTAP_OK;
}

static ltap_status run(machine *m)
{
    while (!m->stopped) {
        argument a = {0};
        m->opcode_at = m->at;
        if (m->at >= m->size)
            return BAD(m, "it ends without STOP");
        const opcode *op = &opcodes[m->bytes[m->at++]];
        if (op->run == NULL)
            return ltap_error_at(m->error, LTAP_ERROR_UNSUPPORTED, place(m),
                                 "pickle: opcode 0x%02x is not one of those that describe data",
                                 m->bytes[m->opcode_at]);
        LTAP_TRY(read_argument(m, op, &a));
        LTAP_TRY(op->run(m, &a));
    }
    return LTAP_OK;
}

ltap_status ltap_pickle_read(const uint8_t *bytes, size_t size, uint64_t base,
                             const ltap_pickle_global *globals, ltap_arena *arena,
                             ltap_pickle **value, size_t *used, ltap_error *error)
{
    machine m = {.bytes = bytes,
                 .size = size < LTAP_PICKLE_MAX_BYTES ? size : LTAP_PICKLE_MAX_BYTES,
                 .base = base,
                 .globals = globals,
                 .arena = arena,
                 .error = error};
    ltap_vector_init(&m.stack, arena->memory, sizeof(ltap_pickle *));
    ltap_vector_init(&m.memo, arena->memory, sizeof(ltap_pickle *));
    ltap_status status = run(&m);
    if (status == LTAP_OK) {
        *value = at_top(&m, 0);
        *used = m.at;
    }
    ltap_vector_clear(&m.memo);
    ltap_vector_clear(&m.stack);
    return status;
}

ltap_pickle *ltap_pickle_find(const ltap_pickle *dict, const char *key)
{
    for (size_t i = 0; dict->kind == LTAP_PICKLE_DICT && i + 1 < dict->count; i += 2)
        if (dict->items[i]->kind == LTAP_PICKLE_STRING && strcmp(dict->items[i]->text, key) == 0)
            return dict->items[i + 1];
    return NULL;
}
