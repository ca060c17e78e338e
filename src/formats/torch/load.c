/* The format's row: a checkpoint is recognised by the names and shapes of its tensors, and its
 * network built. A network that is nearly known is refused, never approximated: every tensor must
 * find its place.
 */
#include "base/error.h"
#include "formats/torch/architecture.h"
#include "formats/torch/torch.h"

#include <stdio.h>
#include <string.h>

static const ltap_architecture *recognise(const ltap_torch_checkpoint *c)
{
    const ltap_architecture *row;
    for (size_t i = 0; (row = ltap_torch_row(i)) != NULL; i++)
        if (row->fits(c))
            return row;
    return NULL;
}

/* "ResNet, VGG" */
static void list_names(char *text, size_t size)
{
    const ltap_architecture *row;
    for (size_t i = 0, at = 0; (row = ltap_torch_row(i)) != NULL && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%s", i > 0 ? ", " : "", row->name);
}

/* What the file holds, for whoever wants to see it. */
static ltap_status store(const ltap_torch_checkpoint *c, ltap_graph *graph, ltap_error *error)
{
    void *block;
    LTAP_TRY(ltap_arena_take(&graph->arena, c->tensors.count, sizeof(ltap_stored), &block, error));
    ltap_stored *stored = block;
    for (size_t i = 0; i < c->tensors.count; i++) {
        const ltap_torch_tensor *tensor = LTAP_VECTOR_AT(&c->tensors, ltap_torch_tensor, i);
        stored[i] = (ltap_stored){tensor->name, tensor->shape};
    }
    graph->stored = stored;
    graph->n_stored = c->tensors.count;
    return LTAP_OK;
}

/* A row that fits by few names, and why its network could not be built. */
typedef struct refusal {
    const char *name; /* NULL: none */
    char why[256];
} refusal;

/* Names of tensors may hold anything: what is kept is one line, as errors have it. */
static ltap_status keep_line(ltap_graph *graph, const char **line, ltap_error *error,
                             const ltap_error *told)
{
    return ltap_arena_text(&graph->arena, told->message, strlen(told->message), line, error);
}

/* What the user can do instead. */
static ltap_status tell_way(const ltap_torch_checkpoint *c, const char **way, ltap_error *error)
{
    *way = "export the network with torch.onnx.export";
    return c->is_script ? ltap_torch_tell_conversion(c->source, c->arena, way, error) : LTAP_OK;
}

static ltap_status tell_unknown(ltap_torch_checkpoint *c, const refusal *begun, ltap_graph *graph,
                                ltap_error *error)
{
    ltap_nearest nearest;
    ltap_error told;
    char names[512];
    const char *way;
    LTAP_TRY(tell_way(c, &way, error));
    LTAP_TRY(ltap_torch_nearest(c, &nearest, error));
    if (nearest.name == NULL && begun->name != NULL)
        nearest = (ltap_nearest){begun->name, begun->why};
    list_names(names, sizeof names);
    graph->version = "weights without a network";
    if (nearest.name == NULL) {
        (void)ltap_error_set(&told, LTAP_ERROR_UNSUPPORTED,
                             "the %zu tensors of this %s are those of no network that layertap "
                             "builds (%s); %s",
                             c->tensors.count, c->layout, names, way);
        return keep_line(graph, &graph->no_network, error, &told);
    }
    graph->nearest = nearest.name;
    (void)ltap_error_set(&told, LTAP_ERROR_UNSUPPORTED, "%s", nearest.differs);
    LTAP_TRY(keep_line(graph, &graph->differs, error, &told));
    (void)ltap_error_set(&told, LTAP_ERROR_UNSUPPORTED,
                         "the %zu tensors of this %s are nearly, but not, those of %s: %s; "
                         "%s",
                         c->tensors.count, c->layout, nearest.name, graph->differs, way);
    return keep_line(graph, &graph->no_network, error, &told);
}

/* The user's name stands, or says what it is instead. */
static ltap_status check_name(const ltap_arch *arch, const char *summary, ltap_error *error)
{
    char name[64];
    if (arch->is_family)
        return LTAP_OK;
    ltap_torch_name(summary, "", name);
    if (strlen(name) == arch->name_bytes && strncmp(name, arch->text, arch->name_bytes) == 0)
        return LTAP_OK;
    return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "this is not %.*s, but %s",
                          (int)arch->name_bytes, arch->text, summary);
}

/* LTAP_ERROR_UNSUPPORTED where its tensors are not those of the file. arch: NULL: nothing was said
 * of it. */
static ltap_status build(const ltap_architecture *row, const ltap_arch *arch,
                         ltap_torch_checkpoint *c, ltap_graph *graph, const char **summary,
                         ltap_error *error)
{
    ltap_builder b = {.checkpoint = c, .arch = arch, .graph = graph, .error = error};
    size_t n_unused;
    ltap_builder_init(&b);
    row->build(&b);
    *summary = b.summary;
    ltap_builder_clear(&b);
    LTAP_TRY(b.status);
    const ltap_torch_tensor *unused = ltap_torch_unused(c, &n_unused);
    if (unused != NULL)
        return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "'%.100s' is none of its tensors",
                              unused->name);
    LTAP_TRY(ltap_property_new(&graph->arena, LTAP_PREPROCESS_KEY,
                               b.preprocess ? b.preprocess : row->preprocess, &graph->properties,
                               error));
    graph->n_properties = 1;
    LTAP_TRY(ltap_arena_format(&graph->arena, &graph->version, error, "recognised as %s%s%s%s%s",
                               b.summary, c->prefix[0] ? " (names without '" : "", c->prefix,
                               c->prefix[0] ? "')" : "",
                               c->is_script ? "; its own code is not run" : ""));
    return ltap_graph_link(graph, error);
}

/* As the user calls it, or what differs from that. */
static ltap_status build_called(const ltap_arch *arch, ltap_torch_checkpoint *c, ltap_graph *graph,
                                ltap_error *error)
{
    const char *differs, *summary;
    ltap_status status = build(arch->row, arch, c, graph, &summary, error);
    if (status == LTAP_OK)
        return check_name(arch, summary, error);
    if (status != LTAP_ERROR_UNSUPPORTED)
        return status;
    LTAP_TRY(ltap_torch_differs(c, arch, &differs, error));
    const ltap_architecture *row = recognise(c);
    bool is_other = row != NULL && row != arch->row;
    return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "this is not %s: %s%s%s", arch->text,
                          differs, is_other ? "; its names are those of " : "",
                          is_other ? row->name : "");
}

static ltap_status new_graph(ltap_source *source, ltap_graph **graph, ltap_error *error)
{
    LTAP_TRY(ltap_graph_new(source->memory, graph, error));
    (*graph)->opset = 20;
    (*graph)->is_built = true;
    (*graph)->producer = (*graph)->producer_version = "";
    return LTAP_OK;
}

/* What is to be built: what the user calls it; what was begun and refused is only told; else the
 * row that fits. */
typedef struct request {
    const ltap_arch *arch;        /* NULL */
    const refusal *begun;         /* NULL */
    const ltap_architecture *row; /* out: that fits */
} request;

static ltap_status make_network(ltap_torch_checkpoint *c, request *r, ltap_graph *graph,
                                ltap_error *error)
{
    static const refusal none = {.name = NULL};
    const char *summary;
    if (r->arch != NULL)
        return build_called(r->arch, c, graph, error);
    r->row = r->begun == NULL ? recognise(c) : NULL;
    if (r->row != NULL)
        return build(r->row, NULL, c, graph, &summary, error);
    return tell_unknown(c, r->begun ? r->begun : &none, graph, error);
}

static ltap_status read(ltap_source *source, request *r, ltap_graph **graph, ltap_error *error)
{
    LTAP_TRY(new_graph(source, graph, error));
    ltap_torch_checkpoint c = {.source = source, .arena = &(*graph)->arena};
    ltap_status status = ltap_torch_read(&c, error);
    (*graph)->format = c.layout;
    if (status == LTAP_OK)
        status = store(&c, *graph, error);
    if (status == LTAP_OK)
        status = make_network(&c, r, *graph, error);
    ltap_torch_clear(&c);
    if (status != LTAP_OK) {
        ltap_graph_free(*graph);
        *graph = NULL;
    }
    return status;
}

static ltap_status load(ltap_source *source, ltap_graph **graph, ltap_error *error)
{
    ltap_error told = {.message = ""};
    ltap_arch arch;
    request wanted = {.arch = NULL};
    if (source->arch != NULL) {
        LTAP_TRY(ltap_arch_read(source->arch, &arch, error));
        wanted.arch = &arch;
    }
    ltap_status status = read(source, &wanted, graph, &told);
    if (status == LTAP_ERROR_UNSUPPORTED && wanted.row != NULL) {
        refusal begun = {.name = wanted.row->name};
        snprintf(begun.why, sizeof begun.why, "%.255s", told.message);
        status = read(source, &(request){.begun = &begun}, graph, &told);
    }
    if (status != LTAP_OK && error != NULL)
        *error = told;
    return status;
}

const ltap_format ltap_torch_format = {"PyTorch checkpoint", ltap_torch_probe, load, NULL, true};
