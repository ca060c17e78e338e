/* How pictures are prepared for the networks of keras.applications, by the name that these give
 * themselves: what their preprocess_input does behind keras.utils.load_img.
 */
#include "formats/keras/net.h"

#include <string.h>

#define CAFFE    ",\"order\":\"bgr\",\"mean\":[103.939,116.779,123.68]"
#define TF       ",\"scale\":127.5,\"mean\":1"
#define TORCH    ",\"scale\":255,\"mean\":[0.485,0.456,0.406],\"std\":[0.229,0.224,0.225]"
#define AS_IT_IS ""

/* The first row whose beginning the name has, and whose class the layer behind the input has. */
static const struct {
    const char *name;
    const char *first; /* NULL: any */
    const char *steps;
    int side; /* where the model leaves it free */
} applications[] = {
    {"convnext_", "Normalization", AS_IT_IS, 224},
    {"densenet", NULL, TORCH, 224},
    {"efficientnet", "Rescaling", AS_IT_IS, 224},
    {"inception_resnet_v2", NULL, TF, 299},
    {"inception_v3", NULL, TF, 299},
    {"mobilenet_", NULL, TF, 224},
    {"mobilenetv2_", NULL, TF, 224},
    {"MobileNetV3", "Rescaling", AS_IT_IS, 224},
    {"nasnet_mobile", NULL, TF, 224},
    {"nasnet_large", NULL, TF, 331},
    {"NASNet", NULL, TF, 224},
    {"resnet50v2", NULL, TF, 224},
    {"resnet101v2", NULL, TF, 224},
    {"resnet152v2", NULL, TF, 224},
    {"resnet50", NULL, CAFFE, 224},
    {"resnet101", NULL, CAFFE, 224},
    {"resnet152", NULL, CAFFE, 224},
    {"vgg16", NULL, CAFFE, 224},
    {"vgg19", NULL, CAFFE, 224},
    {"xception", NULL, TF, 299},
};

static bool begins_so(const ltap_keras_net *net, size_t row)
{
    const char *first = applications[row].first;
    if (strncmp(net->name, applications[row].name, strlen(applications[row].name)) != 0)
        return false;
    return first == NULL ||
           (net->layers.count > 1 &&
            ltap_keras_is(LTAP_VECTOR_AT(&net->layers, ltap_keras_layer, 1)->class_name, first));
}

/* Height and width of the one input, of three channels that are last. */
static bool find_sides(const ltap_graph *graph, int64_t sides[2])
{
    if (graph->inputs.count != 1)
        return false;
    const ltap_type *type =
        &ltap_graph_at(graph, *LTAP_VECTOR_AT(&graph->inputs, uint32_t, 0))->type;
    if (type->rank != 4 || type->dims[3].size != 3)
        return false;
    sides[0] = type->dims[1].size;
    sides[1] = type->dims[2].size;
    return true;
}

ltap_status ltap_keras_tell_pictures(ltap_keras_reader *r, const ltap_keras_net *net)
{
    ltap_graph *graph = r->b.graph;
    int64_t sides[2];
    size_t row = 0, n = sizeof applications / sizeof applications[0];
    const char *steps;
    while (row < n && !begins_so(net, row))
        row++;
    if (row == n || !find_sides(graph, sides))
        return LTAP_OK;
    for (int i = 0; i < 2; i++)
        sides[i] = sides[i] > 0 ? sides[i] : applications[row].side;
    LTAP_TRY(ltap_arena_format(r->arena, &steps, r->error,
                               "{\"resize\":[%lld,%lld],\"filter\":\"nearest\"%s}",
                               (long long)sides[0], (long long)sides[1], applications[row].steps));
    graph->n_properties = 1;
    return ltap_property_new(r->arena, LTAP_PREPROCESS_KEY, steps, &graph->properties, r->error);
}
