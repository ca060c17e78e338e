/* The layers of a model, as a tree, with the shapes that they have for one input size.
 * usage: walk MODEL [HEIGHT WIDTH] */
#include <layertap/layertap.h>
#include <stdio.h>
#include <stdlib.h>

/* Free sizes of an input: a batch of one, three channels, height x width. */
static ltap_tensor choose(const ltap_port *port, int height, int width)
{
    const int64_t fallback[4] = {1, 3, height, width};
    ltap_tensor shape = {.dtype = port->dtype, .rank = port->rank};
    for (int i = 0; i < port->rank; i++)
        shape.dims[i] = port->dims[i].size >= 0 ? port->dims[i].size : i < 4 ? fallback[i] : 1;
    return shape;
}

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 4)
        return fprintf(stderr, "usage: walk MODEL [HEIGHT WIDTH]\n"), 2;
    int height = argc == 4 ? atoi(argv[2]) : 224, width = argc == 4 ? atoi(argv[3]) : 224;
    ltap_error error;
    ltap_model *model = NULL;
    ltap_shapes *shapes = NULL;
    ltap_tensor inputs[8];
    if (ltap_model_open(argv[1], NULL, &model, &error) != LTAP_OK)
        return fprintf(stderr, "%s\n", error.message), 1;
    size_t n = ltap_model_inputs_count(model);
    for (size_t i = 0; i < n && i < 8; i++)
        inputs[i] = choose(ltap_model_inputs_at(model, i), height, width);
    if (ltap_shapes_new(model, inputs, n < 8 ? n : 8, &shapes, &error) != LTAP_OK) {
        ltap_model_close(model);
        return fprintf(stderr, "%s\n", error.message), 1;
    }
    for (size_t i = 0; i < ltap_model_layers_count(model); i++) {
        const ltap_layer *layer = ltap_model_layers_at(model, i);
        const ltap_tensor *tensor = &ltap_shapes_at(shapes, i)->tensor;
        printf("%*s%s %s %s %llu\n", 2 * layer->depth, "", layer->name, layer->type,
               tensor->dtype == LTAP_UNDEFINED ? "?" : ltap_shape_text(tensor).text,
               (unsigned long long)layer->n_parameters);
    }
    ltap_shapes_free(shapes);
    ltap_model_close(model);
    return 0;
}
