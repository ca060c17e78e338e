/* Reading a node's attributes and properties, and naming it in messages. */
#include "graph/graph.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

static ltap_status copy_block(ltap_arena *arena, const void *from, size_t count, size_t size,
                              void **copy, ltap_error *error)
{
    LTAP_TRY(ltap_arena_take(arena, count, size, copy, error));
    if (count > 0)
        memcpy(*copy, from, count * size);
    return LTAP_OK;
}

static ltap_status copy_string(ltap_arena *arena, ltap_string *string, ltap_error *error)
{
    return ltap_arena_text(arena, string->data, string->bytes, &string->data, error);
}

static ltap_status copy_what_it_holds(ltap_arena *arena, ltap_attr *attr, ltap_error *error)
{
    void *list;
    if (attr->kind == LTAP_ATTR_STRING)
        return copy_string(arena, &attr->u.s, error);
    if (attr->kind == LTAP_ATTR_INTS) {
        LTAP_TRY(copy_block(arena, attr->u.ints, attr->count, sizeof(int64_t), &list, error));
        attr->u.ints = list;
    } else if (attr->kind == LTAP_ATTR_FLOATS) {
        LTAP_TRY(copy_block(arena, attr->u.floats, attr->count, sizeof(float), &list, error));
        attr->u.floats = list;
    } else if (attr->kind == LTAP_ATTR_STRINGS) {
        LTAP_TRY(
            copy_block(arena, attr->u.strings, attr->count, sizeof(ltap_string), &list, error));
        for (size_t i = 0; i < attr->count; i++)
            LTAP_TRY(copy_string(arena, &((ltap_string *)list)[i], error));
        attr->u.strings = list;
    }
    return LTAP_OK;
}

ltap_status ltap_attrs_copy(ltap_arena *arena, const ltap_attr *attrs, size_t count,
                            const ltap_attr **copy, ltap_error *error)
{
    void *block;
    LTAP_TRY(copy_block(arena, attrs, count, sizeof *attrs, &block, error));
    for (size_t i = 0; i < count; i++)
        LTAP_TRY(copy_what_it_holds(arena, &((ltap_attr *)block)[i], error));
    *copy = block;
    return LTAP_OK;
}

ltap_status ltap_property_new(ltap_arena *arena, const char *key, const char *value,
                              const ltap_property **property, ltap_error *error)
{
    void *block;
    const char *copy;
    LTAP_TRY(ltap_arena_take(arena, 1, sizeof **property, &block, error));
    LTAP_TRY(ltap_arena_text(arena, value, strlen(value), &copy, error));
    *(ltap_property *)block = (ltap_property){key, copy};
    *property = block;
    return LTAP_OK;
}

const ltap_attr *ltap_node_attr(const ltap_node *node, const char *name)
{
    for (size_t i = 0; i < node->n_attrs; i++)
        if (strcmp(node->attrs[i].name, name) == 0)
            return &node->attrs[i];
    return NULL;
}

int64_t ltap_node_int(const ltap_node *node, const char *name, int64_t otherwise)
{
    const ltap_attr *attr = ltap_node_attr(node, name);
    return attr != NULL && attr->kind == LTAP_ATTR_INT ? attr->u.i : otherwise;
}

double ltap_node_float(const ltap_node *node, const char *name, double otherwise)
{
    const ltap_attr *attr = ltap_node_attr(node, name);
    return attr != NULL && attr->kind == LTAP_ATTR_FLOAT ? attr->u.f : otherwise;
}

const char *ltap_node_string(const ltap_node *node, const char *name, const char *otherwise)
{
    const ltap_attr *attr = ltap_node_attr(node, name);
    return attr != NULL && attr->kind == LTAP_ATTR_STRING ? attr->u.s.data : otherwise;
}

size_t ltap_node_ints(const ltap_node *node, const char *name, const int64_t **ints)
{
    const ltap_attr *attr = ltap_node_attr(node, name);
    bool there = attr != NULL && attr->kind == LTAP_ATTR_INTS;
    *ints = there ? attr->u.ints : NULL;
    return there ? attr->count : 0;
}

const char *ltap_node_property(const ltap_node *node, const char *key)
{
    for (size_t i = 0; i < node->n_properties; i++)
        if (strcmp(node->properties[i].key, key) == 0)
            return node->properties[i].value;
    return NULL;
}

/* Cuts what does not fit between two characters of UTF-8. */
static void cut_clean(char *text, size_t room, int wanted)
{
    size_t end = room - 1;
    if (wanted < 0 || (size_t)wanted < room)
        return;
    while (end > 0 && ((unsigned char)text[end - 1] & 0xc0) == 0x80)
        end--;
    if (end > 0 && (unsigned char)text[end - 1] >= 0xc0)
        end--;
    text[end] = '\0';
}

ltap_text ltap_node_text(const ltap_graph *graph, const ltap_node *node)
{
    ltap_text text;
    const char *value = NULL;
    int n;
    for (size_t i = 0; i < node->n_outputs && value == NULL; i++)
        if (node->outputs[i] != LTAP_NO_VALUE)
            value = ltap_graph_at(graph, node->outputs[i])->name;
    if (node->name[0] != '\0')
        n = snprintf(text.text, sizeof text.text, "%s '%s'", node->op_type, node->name);
    else if (value != NULL && value[0] != '\1')
        n = snprintf(text.text, sizeof text.text, "%s of value '%s'", node->op_type, value);
    else
        n = snprintf(text.text, sizeof text.text, "%s (node %u)", node->op_type,
                     (unsigned)node->index);
    cut_clean(text.text, sizeof text.text, n);
    return text;
}
