/* The format's row: inputs and weights by the program's signature, then its operations. */
#include "formats/export/export.h"

#include "base/error.h"
#include "formats/export/aten.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void ltap_program_take(ltap_program *p, ltap_status status)
{
    if (p->status == LTAP_OK)
        p->status = status;
}

#define MAX_REASON 200

void ltap_program_refuse(ltap_program *p, const char *format, ...)
{
    char text[MAX_REASON];
    va_list list;
    if (!ltap_program_goes_on(p))
        return;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    ltap_program_take(p, ltap_arena_text(p->scratch, text, strlen(text), &p->refusal, p->error));
}

static const ltap_json *need(ltap_program *p, const ltap_json *object, const char *key,
                             ltap_json_kind kind)
{
    const ltap_json *found = object != NULL ? ltap_json_find(object, key) : NULL;
    if (found != NULL && found->kind == kind)
        return found;
    if (object != NULL)
        ltap_program_take(p, ltap_error_at(p->error, LTAP_ERROR_FORMAT, object->offset,
                                           "the program lacks %s named '%s'",
                                           ltap_json_kind_name(kind), key));
    return NULL;
}

/* Paths of all modules, also of those that make nothing. */
static ltap_status read_modules(ltap_program *p, const ltap_json *module, ltap_error *error)
{
    const ltap_json *calls = ltap_json_find(module, "module_call_graph");
    if (calls == NULL || calls->kind != LTAP_JSON_ARRAY)
        return LTAP_OK;
    for (const ltap_json *call = calls->first; call != NULL; call = call->next) {
        const ltap_json *path = ltap_json_find(call, "fqn");
        if (path != NULL && path->kind == LTAP_JSON_STRING && path->text_bytes > 0)
            LTAP_TRY(ltap_map_set(&p->modules, path->text, path->text_bytes, 1, error));
    }
    return LTAP_OK;
}

static ltap_status check_weight(const ltap_entry *entry, const ltap_tensor *tensor,
                                const char *name, ltap_error *error)
{
    bool same = tensor->dtype == entry->dtype && tensor->rank == entry->rank;
    for (int i = 0; same && i < entry->rank; i++)
        same = entry->dims[i] < 0 || entry->dims[i] == tensor->dims[i];
    if (same)
        return LTAP_OK;
    return ltap_error_at(error, LTAP_ERROR_FORMAT, entry->meta->offset,
                         "the tensor '%.100s' is %s; the program expects another type or shape",
                         name, ltap_tensor_text(tensor).text);
}

/* A tensor of the archive under its own name; tied ones are one. */
static ltap_status add_weight(ltap_program *p, uint32_t entry, int store, const char *name,
                              ltap_error *error)
{
    ltap_tensor tensor;
    ltap_span span;
    uint32_t value;
    ltap_entry *at = ltap_program_at(p, entry);
    LTAP_TRY(ltap_archive_tensor(&p->archive, store, name, &tensor, &span, error));
    LTAP_TRY(check_weight(at, &tensor, name, error));
    if (ltap_graph_find(p->graph, name, &value) && ltap_graph_at(p->graph, value)->constant == NULL)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, at->meta->offset,
                             "'%.100s' is an input and a weight", name);
    LTAP_TRY(ltap_graph_value(p->graph, name, strlen(name), &value, error));
    if (ltap_graph_at(p->graph, value)->constant == NULL) {
        LTAP_TRY(ltap_graph_set_constant(p->graph, value, &tensor, error));
        ltap_graph_at(p->graph, value)->span = span;
    }
    at->value = value;
    return LTAP_OK;
}

static ltap_status add_input(ltap_program *p, uint32_t entry, ltap_error *error)
{
    uint32_t value;
    LTAP_TRY(ltap_entry_value(p, entry, true, &value, error));
    ltap_program_at(p, entry)->value = value;
    ltap_graph_at(p->graph, value)->is_input = true;
    return ltap_vector_push(&p->graph->inputs, &value, error);
}

/* Kinds of inputs, and which key names the tensor. */
static const struct kind_row {
    const char *kind, *name;
    int store;
} kinds[] = {{"parameter", "parameter_name", LTAP_ARCHIVE_WEIGHTS},
             {"buffer", "buffer_name", LTAP_ARCHIVE_WEIGHTS},
             {"tensor_constant", "tensor_constant_name", LTAP_ARCHIVE_CONSTANTS}};

static ltap_status read_weight(ltap_program *p, const ltap_json *spec, const struct kind_row *row,
                               ltap_error *error)
{
    const ltap_json *arg = need(p, spec, "arg", LTAP_JSON_OBJECT);
    const ltap_json *name = need(p, spec, row->name, LTAP_JSON_STRING);
    const ltap_json *persistent = ltap_json_find(spec, "persistent");
    const char *its = arg != NULL ? ltap_arg_name(arg) : NULL;
    LTAP_TRY(p->status);
    uint32_t entry = its != NULL ? ltap_entries_find(p, its) : LTAP_NO_ENTRY;
    if (entry == LTAP_NO_ENTRY || ltap_program_at(p, entry)->is_number)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, spec->offset,
                             "the tensor of '%.100s' is not described", name->text);
    if (ltap_program_at(p, entry)->value != LTAP_NO_VALUE)
        return ltap_error_at(error, LTAP_ERROR_FORMAT, spec->offset,
                             "'%.100s' stands twice in the signature", its);
    bool lost = persistent != NULL && persistent->kind == LTAP_JSON_BOOL && !persistent->boolean;
    return add_weight(p, entry, lost ? LTAP_ARCHIVE_CONSTANTS : row->store, name->text, error);
}

static const struct kind_row *kind_of(const ltap_json *spec)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (spec->kind == LTAP_JSON_OBJECT && spec->first != NULL &&
            strcmp(spec->first->key, kinds[i].kind) == 0)
            return &kinds[i];
    return NULL;
}

/* Weights first: their names are theirs, and inputs step aside. */
static ltap_status read_inputs(ltap_program *p, const ltap_json *specs, ltap_error *error)
{
    for (const ltap_json *spec = specs->first; spec != NULL; spec = spec->next)
        if (kind_of(spec) != NULL)
            LTAP_TRY(read_weight(p, spec->first, kind_of(spec), error));
    for (const ltap_json *spec = specs->first; spec != NULL; spec = spec->next) {
        const ltap_json *user = ltap_json_find(spec, "user_input");
        const ltap_json *arg = user != NULL ? ltap_json_find(user, "arg") : NULL;
        const ltap_json *tensor = arg != NULL ? ltap_json_find(arg, "as_tensor") : NULL;
        const char *name = tensor != NULL ? ltap_arg_name(tensor) : NULL;
        uint32_t entry = name != NULL ? ltap_entries_find(p, name) : LTAP_NO_ENTRY;
        if (name == NULL)
            continue; /* a number or text, which the program has taken in */
        if (entry == LTAP_NO_ENTRY || ltap_program_at(p, entry)->value != LTAP_NO_VALUE)
            return ltap_error_at(error, LTAP_ERROR_FORMAT, spec->offset,
                                 "the input '%.100s' is not described, or stands twice", name);
        LTAP_TRY(add_input(p, entry, error));
    }
    return LTAP_OK;
}

static ltap_status describe(ltap_program *p, ltap_error *error)
{
    ltap_graph *graph = p->graph;
    const ltap_json *program = p->archive.program;
    const ltap_json *torch = ltap_json_find(program, "torch_version");
    const ltap_json *version = ltap_json_find(program, "schema_version");
    const ltap_json *minor = ltap_json_find(version, "minor");
    const ltap_json *dialects = ltap_json_find(program, "verifiers");
    const ltap_json *dialect =
        dialects && dialects->kind == LTAP_JSON_ARRAY ? dialects->first : NULL;
    bool decomposed = dialect != NULL && dialect->kind == LTAP_JSON_STRING &&
                      strcmp(dialect->text, "TRAINING") != 0;
    graph->format = "torch.export program";
    graph->built_from = "the module stack of each operation";
    graph->producer_version = "";
    graph->producer = "PyTorch";
    if (torch != NULL && torch->kind == LTAP_JSON_STRING)
        LTAP_TRY(ltap_arena_format(&graph->arena, &graph->producer, error, "PyTorch %.60s",
                                   torch->text));
    return ltap_arena_format(
        &graph->arena, &graph->version, error, "schema 8.%lld%s",
        (long long)(minor != NULL && minor->kind == LTAP_JSON_INT ? minor->integer : 0),
        decomposed ? ", decomposed" : "");
}

static ltap_status read_program(ltap_program *p, ltap_error *error)
{
    LTAP_TRY(ltap_archive_open(&p->archive, error));
    const ltap_json *module = need(p, p->archive.program, "graph_module", LTAP_JSON_OBJECT);
    const ltap_json *graph = need(p, module, "graph", LTAP_JSON_OBJECT);
    const ltap_json *signature = need(p, module, "signature", LTAP_JSON_OBJECT);
    const ltap_json *specs = need(p, signature, "input_specs", LTAP_JSON_ARRAY);
    LTAP_TRY(p->status);
    LTAP_TRY(ltap_entries_read(p, graph, error));
    LTAP_TRY(read_modules(p, module, error));
    LTAP_TRY(read_inputs(p, specs, error));
    LTAP_TRY(ltap_program_nodes(p, ltap_json_find(graph, "nodes"), error));
    LTAP_TRY(ltap_program_outputs(p, module, error));
    LTAP_TRY(describe(p, error));
    return ltap_graph_link(p->graph, error);
}

static ltap_status load(ltap_source *source, ltap_graph **graph, ltap_error *error)
{
    ltap_graph *made;
    ltap_arena scratch;
    LTAP_TRY(ltap_graph_new(source->memory, &made, error));
    ltap_arena_init(&scratch, source->memory);
    ltap_program p = {.archive = {.source = source, .arena = &made->arena, .scratch = &scratch},
                      .graph = made,
                      .scratch = &scratch,
                      .error = error};
    made->opset = 24;
    made->is_built = true;
    ltap_vector_init(&p.entries, source->memory, sizeof(ltap_entry));
    ltap_vector_init(&p.staged, source->memory, sizeof(ltap_node));
    ltap_map_init(&p.entry_by_name, source->memory);
    ltap_map_init(&p.modules, source->memory);
    ltap_status status = read_program(&p, error);
    ltap_map_clear(&p.modules);
    ltap_map_clear(&p.entry_by_name);
    ltap_vector_clear(&p.staged);
    ltap_vector_clear(&p.entries);
    ltap_archive_close(&p.archive);
    ltap_arena_clear(&scratch);
    if (status == LTAP_OK)
        *graph = made;
    else
        ltap_graph_free(made);
    return status;
}

static int probe(const ltap_source *source)
{
    return ltap_archive_probe(source) ? 2 : 0;
}

const ltap_format ltap_export_format = {"torch.export program", probe, load, NULL, false};
