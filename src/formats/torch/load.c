/* The format's row: a checkpoint is recognised by the names and shapes of its tensors, and its
 * network built. A network that is nearly known is refused, never approximated: every tensor must
 * find its place.
 */
#include "base/error.h"
#include "formats/torch/architecture.h"
#include "formats/torch/torch.h"

#include <stdio.h>
#include <string.h>

#define LTAP_ARCHITECTURE(name) &ltap_torch_##name,
static const ltap_architecture *const architectures[] = {
#include "formats/torch/architectures.def"
};
#undef LTAP_ARCHITECTURE

static const ltap_architecture *recognise(const ltap_torch_checkpoint *c)
{
    for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++)
        if (architectures[i]->fits(c))
            return architectures[i];
    return NULL;
}

/* "ResNet, VGG" */
static void list_names(char *text, size_t size)
{
    for (size_t i = 0, at = 0; i < sizeof architectures / sizeof *architectures && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%s", i > 0 ? ", " : "",
                               architectures[i]->name);
}

#define N_ROWS (sizeof architectures / sizeof *architectures)

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

static ltap_status tell_unknown(ltap_torch_checkpoint *c, const refusal *begun, ltap_graph *graph,
                                ltap_error *error)
{
    ltap_nearest nearest;
    ltap_error told;
    char names[512];
    LTAP_TRY(ltap_torch_nearest(c, architectures, N_ROWS, &nearest, error));
    if (nearest.name == NULL && begun->name != NULL)
        nearest = (ltap_nearest){begun->name, begun->why};
    list_names(names, sizeof names);
    graph->version = "weights without a network";
    if (nearest.name == NULL) {
        (void)ltap_error_set(&told, LTAP_ERROR_UNSUPPORTED,
                             "the %zu tensors of this %s are those of no network that layertap "
                             "builds (%s); export the network with torch.onnx.export",
                             c->tensors.count, c->layout, names);
        return keep_line(graph, &graph->no_network, error, &told);
    }
    graph->nearest = nearest.name;
    (void)ltap_error_set(&told, LTAP_ERROR_UNSUPPORTED, "%s", nearest.differs);
    LTAP_TRY(keep_line(graph, &graph->differs, error, &told));
    (void)ltap_error_set(&told, LTAP_ERROR_UNSUPPORTED,
                         "the %zu tensors of this %s are nearly, but not, those of %s: %s; "
                         "export the network with torch.onnx.export",
                         c->tensors.count, c->layout, nearest.name, graph->differs);
    return keep_line(graph, &graph->no_network, error, &told);
}

/* LTAP_ERROR_UNSUPPORTED where its tensors are not those of the file. */
static ltap_status build(const ltap_architecture *row, ltap_torch_checkpoint *c, ltap_graph *graph,
                         ltap_error *error)
{
    ltap_builder b = {.checkpoint = c, .graph = graph, .error = error};
    size_t n_unused;
    ltap_builder_init(&b);
    row->build(&b);
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
    LTAP_TRY(ltap_arena_format(&graph->arena, &graph->version, error, "recognised as %s%s%s%s",
                               b.summary, c->prefix[0] ? " (names without '" : "", c->prefix,
                               c->prefix[0] ? "')" : ""));
    return ltap_graph_link(graph, error);
}

static ltap_status new_graph(ltap_source *source, ltap_graph **graph, ltap_error *error)
{
    LTAP_TRY(ltap_graph_new(source->memory, graph, error));
    (*graph)->opset = 20;
    (*graph)->is_built = true;
    (*graph)->producer = (*graph)->producer_version = "";
    return LTAP_OK;
}

/* begun: NULL: the row that fits is built, and what that was is told in *row. */
static ltap_status read(ltap_source *source, ltap_graph *graph, const refusal *begun,
                        const ltap_architecture **row, ltap_error *error)
{
    static const refusal none = {.name = NULL};
    ltap_torch_checkpoint c = {.source = source, .arena = &graph->arena};
    ltap_status status = ltap_torch_read(&c, error);
    *row = status == LTAP_OK && begun == NULL ? recognise(&c) : NULL;
    graph->format = c.layout;
    if (status == LTAP_OK)
        status = store(&c, graph, error);
    if (status == LTAP_OK && *row != NULL)
        status = build(*row, &c, graph, error);
    else if (status == LTAP_OK)
        status = tell_unknown(&c, begun ? begun : &none, graph, error);
    ltap_torch_clear(&c);
    return status;
}

static ltap_status load(ltap_source *source, ltap_graph **graph, ltap_error *error)
{
    const ltap_architecture *row;
    ltap_graph *made;
    ltap_error told = {.message = ""};
    LTAP_TRY(new_graph(source, &made, error));
    ltap_status status = read(source, made, NULL, &row, &told);
    if (status == LTAP_ERROR_UNSUPPORTED && row != NULL) {
        refusal begun = {.name = row->name};
        snprintf(begun.why, sizeof begun.why, "%.255s", told.message);
        ltap_graph_free(made);
        LTAP_TRY(new_graph(source, &made, error));
        status = read(source, made, &begun, &row, &told);
    }
    if (status == LTAP_OK) {
        *graph = made;
        return LTAP_OK;
    }
    ltap_graph_free(made);
    if (error != NULL)
        *error = told;
    return status;
}

const ltap_format ltap_torch_format = {"PyTorch checkpoint", ltap_torch_probe, load, NULL};
