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

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* A tensor that the network did not ask for; counters of training are nobody's. */
static const ltap_torch_tensor *find_unused(const ltap_torch_checkpoint *c)
{
    for (size_t i = 0; i < c->tensors.count; i++) {
        const ltap_torch_tensor *tensor = LTAP_VECTOR_AT(&c->tensors, ltap_torch_tensor, i);
        if (!tensor->used && !ends_with(tensor->name, "num_batches_tracked"))
            return tensor;
    }
    return NULL;
}

/* "ResNet, VGG" */
static void list_names(char *text, size_t size)
{
    for (size_t i = 0, at = 0; i < sizeof architectures / sizeof *architectures && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%s", i > 0 ? ", " : "",
                               architectures[i]->name);
}

static ltap_status unknown(const ltap_torch_checkpoint *c, ltap_error *error)
{
    char names[512];
    const ltap_torch_tensor *first =
        c->tensors.count > 0 ? LTAP_VECTOR_AT(&c->tensors, ltap_torch_tensor, 0) : NULL;
    list_names(names, sizeof names);
    return ltap_error_set(error, LTAP_ERROR_UNSUPPORTED,
                          "the network of this %s is not one that layertap builds (%s): its %zu "
                          "tensors begin with '%.100s' %s; export it with torch.onnx.export",
                          c->layout, names, c->tensors.count, first ? first->name : "",
                          first ? ltap_tensor_text(&first->shape).text : "");
}

static ltap_status build(ltap_torch_checkpoint *c, ltap_graph *graph, ltap_error *error)
{
    const ltap_architecture *row = recognise(c);
    if (row == NULL)
        return unknown(c, error);
    ltap_builder b = {.checkpoint = c, .graph = graph, .error = error};
    ltap_builder_init(&b);
    row->build(&b);
    ltap_builder_clear(&b);
    const ltap_torch_tensor *unused = b.status == LTAP_OK ? find_unused(c) : NULL;
    if (unused != NULL)
        b.status = ltap_error_set(error, LTAP_ERROR_UNSUPPORTED, "it has '%.100s' %s, too",
                                  unused->name, ltap_tensor_text(&unused->shape).text);
    if (b.status == LTAP_ERROR_UNSUPPORTED)
        return ltap_error_prefix(error, b.status, "the network of this %s is near a %s, but none",
                                 c->layout, row->name);
    LTAP_TRY(b.status);
    void *block;
    LTAP_TRY(ltap_arena_take(&graph->arena, 1, sizeof(ltap_property), &block, error));
    *(ltap_property *)block =
        (ltap_property){"layertap.preprocess", b.preprocess ? b.preprocess : row->preprocess};
    graph->properties = block;
    graph->n_properties = 1;
    graph->format = c->layout;
    LTAP_TRY(ltap_arena_format(&graph->arena, &graph->version, error, "recognised as %s%s%s%s",
                               b.summary, c->prefix[0] ? " (names without '" : "", c->prefix,
                               c->prefix[0] ? "')" : ""));
    return ltap_graph_link(graph, error);
}

static ltap_status load(ltap_source *source, ltap_graph **graph, ltap_error *error)
{
    ltap_graph *made;
    LTAP_TRY(ltap_graph_new(source->memory, &made, error));
    ltap_torch_checkpoint checkpoint = {.source = source, .arena = &made->arena};
    made->opset = 20;
    made->is_built = true;
    made->producer = made->producer_version = "";
    ltap_status status = ltap_torch_read(&checkpoint, error);
    if (status == LTAP_OK)
        status = build(&checkpoint, made, error);
    ltap_torch_clear(&checkpoint);
    if (status == LTAP_OK)
        *graph = made;
    else
        ltap_graph_free(made);
    return status;
}

const ltap_format ltap_torch_format = {"PyTorch checkpoint", ltap_torch_probe, load, NULL};
