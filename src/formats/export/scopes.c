/* Which modules were running, from the metadata of an operation.
 *
 * nn_module_stack is "key,path,class;...", outermost first. The key of a later call of a module
 * ends with '@' and which one. Paths that Dynamo left as Python expressions, L['self'].layers[0],
 * are written like all others.
 */
#include "formats/export/program.h"

#include "base/error.h"

#include <string.h>

typedef struct field {
    const char *text;
    size_t bytes;
} field;

/* Up to `end` or one of the stops outside brackets. */
static const char *cut(const char *text, const char *end, char stop, field *out)
{
    int depth = 0;
    const char *at = text;
    for (; at < end && (depth > 0 || *at != stop); at++) {
        depth += *at == '(' || *at == '[';
        depth -= depth > 0 && (*at == ')' || *at == ']');
    }
    *out = (field){text, (size_t)(at - text)};
    return at < end ? at + 1 : end;
}

/* The number behind the last '@'; its place is the new end. */
static unsigned take_call(field *text)
{
    size_t digits = 0;
    unsigned call = 0;
    while (digits < text->bytes && digits < 9 && text->text[text->bytes - digits - 1] >= '0' &&
           text->text[text->bytes - digits - 1] <= '9')
        digits++;
    if (digits == 0 || digits == text->bytes || text->text[text->bytes - digits - 1] != '@')
        return 0;
    for (size_t i = text->bytes - digits; i < text->bytes; i++)
        call = call * 10 + (unsigned)(text->text[i] - '0');
    text->bytes -= digits + 1;
    return call;
}

/* "layers.0" of "L['self'].layers[0]". */
static ltap_status append_path(ltap_vector *out, field path, ltap_error *error)
{
    const char *p = path.text, *end = p + path.bytes;
    if (path.bytes > 3 && strncmp(p, "L['", 3) == 0) {
        while (p < end && *p != ']')
            p++;
        p += p < end;
        p += p < end && *p == '.';
    }
    for (; p < end; p++) {
        char c = *p == '[' ? '.' : *p;
        if (c == '\t' || c == '\n' || c == '\'' || c == '"' || c == ']')
            continue;
        LTAP_TRY(ltap_text_append(out, &c, 1, error));
    }
    return LTAP_OK;
}

static ltap_status append_line(ltap_vector *out, field line, ltap_error *error)
{
    field key, path, class_name;
    const char *end = line.text + line.bytes;
    const char *rest = cut(line.text, end, ',', &key);
    rest = cut(rest, end, ',', &path);
    class_name = (field){rest, (size_t)(end - rest)};
    unsigned call = take_call(&key);
    if (path.bytes == 0)
        return LTAP_OK;
    unsigned by_path = take_call(&path);
    size_t before = out->count;
    LTAP_TRY(append_path(out, path, error));
    if (out->count == before)
        return LTAP_OK;
    LTAP_TRY(ltap_text_append(out, "\t", 1, error));
    for (size_t i = 0; i < class_name.bytes; i++)
        if (class_name.text[i] != '\t' && class_name.text[i] != '\n')
            LTAP_TRY(ltap_text_append(out, &class_name.text[i], 1, error));
    return ltap_text_format(out, error, "\t%u\n", call > 0 ? call : by_path);
}

/* Decomposing turns nn.ReLU(inplace=True) on a view into relu, and views that put its value back
 * into what it was a view of: these are not of the module, which hands out the value itself. */
static bool puts_back(const ltap_json *node, const char *line)
{
    static const char *const views[] = {"view.",           "permute.",   "transpose.",
                                        "unsqueeze.",      "squeeze.",   "slice_scatter.",
                                        "select_scatter.", "as_strided."};
    static const char prefix[] = "torch.ops.aten.";
    const ltap_json *target = ltap_json_find(node, "target");
    const char *class_name = strchr(line, '\t') + 1;
    bool is_leaf = (strncmp(class_name, "torch.nn.modules.activation.", 28) == 0 &&
                    strncmp(class_name + 28, "MultiheadAttention", 18) != 0) ||
                   strncmp(class_name, "torch.nn.modules.dropout.", 25) == 0;
    if (!is_leaf || target == NULL || target->kind != LTAP_JSON_STRING ||
        strncmp(target->text, prefix, sizeof prefix - 1) != 0)
        return false;
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        if (strncmp(target->text + sizeof prefix - 1, views[i], strlen(views[i])) == 0)
            return true;
    return false;
}

/* Bytes without the last line. */
static size_t last_line(const ltap_vector *out)
{
    const char *text = out->data;
    size_t end = out->count > 0 ? out->count - 1 : 0;
    while (end > 0 && text[end - 1] != '\n')
        end--;
    return end;
}

static ltap_status append_all(ltap_vector *out, const ltap_json *stack, ltap_error *error)
{
    const char *at = stack->text, *end = at + stack->text_bytes;
    while (at < end) {
        field line;
        at = cut(at, end, ';', &line);
        LTAP_TRY(append_line(out, line, error));
    }
    return LTAP_OK;
}

ltap_status ltap_scopes_text(ltap_program *p, const ltap_json *node, const char **text,
                             ltap_error *error)
{
    const ltap_json *metadata = ltap_json_find(node, "metadata");
    const ltap_json *stack = metadata ? ltap_json_find(metadata, "nn_module_stack") : NULL;
    ltap_vector out;
    *text = NULL;
    if (stack == NULL || stack->kind != LTAP_JSON_STRING)
        return LTAP_OK;
    ltap_vector_init(&out, p->graph->memory, 1);
    ltap_status status = append_all(&out, stack, error);
    if (status == LTAP_OK && out.count > 0 &&
        puts_back(node, (const char *)out.data + last_line(&out)))
        out.count = last_line(&out);
    if (status == LTAP_OK)
        status = ltap_arena_text(&p->graph->arena, out.count > 0 ? out.data : "", out.count, text,
                                 error);
    ltap_vector_clear(&out);
    return status;
}
