/* The classes of layers that layertap has: a row each. */
#include "formats/keras/rows.h"

#include <string.h>

#define ANY    LTAP_KERAS_ANY_RANK
#define MASKS  LTAP_KERAS_MASKS
#define BIASED "kernel,bias=use_bias"

/* clang-format off */
static const ltap_keras_row rows[] = {
    {"Activation", ltap_keras_run_activation, NULL, NULL, ANY | MASKS},
    {"ActivityRegularization", ltap_keras_run_identity, NULL, NULL, ANY | MASKS},
    {"AdaptiveAveragePooling1D", ltap_keras_run_adaptive_pool, NULL, NULL, 0},
    {"AdaptiveAveragePooling2D", ltap_keras_run_adaptive_pool, NULL, NULL, 0},
    {"AdaptiveAveragePooling3D", ltap_keras_run_adaptive_pool, NULL, NULL, 0},
    {"AdaptiveMaxPooling1D", ltap_keras_run_adaptive_pool, NULL, NULL, 0},
    {"AdaptiveMaxPooling2D", ltap_keras_run_adaptive_pool, NULL, NULL, 0},
    {"AdaptiveMaxPooling3D", ltap_keras_run_adaptive_pool, NULL, NULL, 0},
    {"Add", ltap_keras_run_add, NULL, NULL, MASKS},
    {"AlphaDropout", ltap_keras_run_identity, NULL, NULL, ANY | MASKS},
    {"Average", ltap_keras_run_average, NULL, NULL, MASKS},
    {"AveragePooling1D", ltap_keras_run_pool, NULL, NULL, 0},
    {"AveragePooling2D", ltap_keras_run_pool, NULL, NULL, 0},
    {"AveragePooling3D", ltap_keras_run_pool, NULL, NULL, 0},
    {"BatchNormalization", ltap_keras_run_batch_norm, "gamma=scale,beta=center,!moving_mean,!moving_variance", NULL, MASKS},
    {"BatchNormalizationV1", ltap_keras_run_batch_norm, "gamma=scale,beta=center,!moving_mean,!moving_variance", NULL, MASKS},
    {"CategoryEncoding", ltap_keras_run_category_encoding, NULL, NULL, 0},
    {"CenterCrop", ltap_keras_run_center_crop, NULL, NULL, 0},
    {"Concatenate", ltap_keras_run_concatenate, NULL, NULL, MASKS},
    {"Conv1D", ltap_keras_run_conv, BIASED, NULL, 0},
    {"Conv1DTranspose", ltap_keras_run_conv_transpose, BIASED, NULL, 0},
    {"Conv2D", ltap_keras_run_conv, BIASED, NULL, 0},
    {"Conv2DTranspose", ltap_keras_run_conv_transpose, BIASED, NULL, 0},
    {"Conv3D", ltap_keras_run_conv, BIASED, NULL, 0},
    {"Conv3DTranspose", ltap_keras_run_conv_transpose, BIASED, NULL, 0},
    {"Convolution1D", ltap_keras_run_conv, BIASED, NULL, 0},
    {"Convolution2D", ltap_keras_run_conv, BIASED, NULL, 0},
    {"Cropping1D", ltap_keras_run_cropping, NULL, NULL, 0},
    {"Cropping2D", ltap_keras_run_cropping, NULL, NULL, 0},
    {"Cropping3D", ltap_keras_run_cropping, NULL, NULL, 0},
    {"Dense", ltap_keras_run_dense, BIASED, NULL, ANY | MASKS},
    {"DepthwiseConv1D", ltap_keras_run_depthwise, BIASED, NULL, 0},
    {"DepthwiseConv2D", ltap_keras_run_depthwise, BIASED, NULL, 0},
    {"Discretization", ltap_keras_run_discretization, NULL, NULL, 0},
    {"Dot", ltap_keras_run_dot, NULL, NULL, 0},
    {"Dropout", ltap_keras_run_identity, NULL, NULL, ANY | MASKS},
    {"ELU", ltap_keras_run_elu, NULL, NULL, ANY | MASKS},
    {"EinsumDense", ltap_keras_run_einsum_dense, "kernel,bias=~bias_axes", NULL, 0},
    {"Embedding", ltap_keras_run_embedding, "embeddings", NULL, MASKS},
    {"Flatten", ltap_keras_run_flatten, NULL, NULL, 0},
    {"GaussianDropout", ltap_keras_run_identity, NULL, NULL, ANY | MASKS},
    {"GaussianNoise", ltap_keras_run_identity, NULL, NULL, ANY | MASKS},
    {"GlobalAveragePooling1D", ltap_keras_run_global_pool, NULL, NULL, 0},
    {"GlobalAveragePooling2D", ltap_keras_run_global_pool, NULL, NULL, 0},
    {"GlobalAveragePooling3D", ltap_keras_run_global_pool, NULL, NULL, 0},
    {"GlobalMaxPooling1D", ltap_keras_run_global_pool, NULL, NULL, 0},
    {"GlobalMaxPooling2D", ltap_keras_run_global_pool, NULL, NULL, 0},
    {"GlobalMaxPooling3D", ltap_keras_run_global_pool, NULL, NULL, 0},
    {"GroupNormalization", ltap_keras_run_group_norm, "gamma=scale,beta=center", NULL, MASKS},
    {"Identity", ltap_keras_run_identity, NULL, NULL, ANY | MASKS},
    {"LayerNormalization", ltap_keras_run_layer_norm, "gamma=scale,beta=center", NULL, MASKS},
    {"LeakyReLU", ltap_keras_run_leaky_relu, NULL, NULL, ANY | MASKS},
    {"Masking", ltap_keras_run_masking, NULL, NULL, MASKS},
    {"MaxPooling1D", ltap_keras_run_pool, NULL, NULL, 0},
    {"MaxPooling2D", ltap_keras_run_pool, NULL, NULL, 0},
    {"MaxPooling3D", ltap_keras_run_pool, NULL, NULL, 0},
    {"Maximum", ltap_keras_run_maximum, NULL, NULL, MASKS},
    {"Minimum", ltap_keras_run_minimum, NULL, NULL, MASKS},
    {"Multiply", ltap_keras_run_multiply, NULL, NULL, MASKS},
    {"Normalization", ltap_keras_run_normalization, "!mean=?mean,!variance=?mean,!count=?mean", NULL, 0},
    {"PReLU", ltap_keras_run_prelu, "alpha", NULL, MASKS},
    {"Permute", ltap_keras_run_permute, NULL, NULL, 0},
    {"RMSNormalization", ltap_keras_run_rms_norm, "scale", NULL, MASKS},
    {"RandomBrightness", ltap_keras_run_identity, NULL, NULL, ANY},
    {"RandomColorDegeneration", ltap_keras_run_identity, NULL, NULL, ANY},
    {"RandomColorJitter", ltap_keras_run_identity, NULL, NULL, ANY},
    {"RandomContrast", ltap_keras_run_identity, NULL, NULL, ANY},
    {"RandomElasticTransform", ltap_keras_run_identity, NULL, NULL, ANY},
    {"RandomErasing", ltap_keras_run_identity, NULL, NULL, ANY},
    {"RandomFlip", ltap_keras_run_identity, NULL, NULL, ANY},
    {"RandomGaussianBlur", ltap_keras_run_identity, NULL, NULL, ANY},
    {"RandomGrayscale", ltap_keras_run_identity, NULL, NULL, ANY},
    {"RandomHue", ltap_keras_run_identity, NULL, NULL, ANY},
    {"RandomInvert", ltap_keras_run_identity, NULL, NULL, ANY},
    {"RandomPerspective", ltap_keras_run_identity, NULL, NULL, ANY},
    {"RandomPosterization", ltap_keras_run_identity, NULL, NULL, ANY},
    {"RandomRotation", ltap_keras_run_identity, NULL, NULL, ANY},
    {"RandomSaturation", ltap_keras_run_identity, NULL, NULL, ANY},
    {"RandomSharpness", ltap_keras_run_identity, NULL, NULL, ANY},
    {"RandomShear", ltap_keras_run_identity, NULL, NULL, ANY},
    {"RandomTranslation", ltap_keras_run_identity, NULL, NULL, ANY},
    {"RandomZoom", ltap_keras_run_identity, NULL, NULL, ANY},
    {"ReLU", ltap_keras_run_relu, NULL, NULL, ANY | MASKS},
    {"RepeatVector", ltap_keras_run_repeat_vector, NULL, NULL, 0},
    {"Rescaling", ltap_keras_run_rescaling, NULL, NULL, ANY},
    {"Reshape", ltap_keras_run_reshape, NULL, NULL, ANY},
    {"Resizing", ltap_keras_run_resizing, NULL, NULL, 0},
    {"SeparableConv1D", ltap_keras_run_separable, "depthwise_kernel,pointwise_kernel,bias=use_bias", NULL, 0},
    {"SeparableConv2D", ltap_keras_run_separable, "depthwise_kernel,pointwise_kernel,bias=use_bias", NULL, 0},
    {"Softmax", ltap_keras_run_softmax, NULL, NULL, MASKS},
    {"SpatialDropout1D", ltap_keras_run_identity, NULL, NULL, ANY | MASKS},
    {"SpatialDropout2D", ltap_keras_run_identity, NULL, NULL, ANY | MASKS},
    {"SpatialDropout3D", ltap_keras_run_identity, NULL, NULL, ANY | MASKS},
    {"SpectralNormalization", ltap_keras_run_wrapped, "!vector_u", "layer=layer", 0},
    {"Subtract", ltap_keras_run_subtract, NULL, NULL, MASKS},
    {"SyncBatchNormalization", ltap_keras_run_batch_norm, "gamma=scale,beta=center,!moving_mean,!moving_variance", NULL, MASKS},
    {"ThresholdedReLU", ltap_keras_run_thresholded_relu, NULL, NULL, ANY | MASKS},
    {"UnitNormalization", ltap_keras_run_unit_norm, NULL, NULL, MASKS},
    {"UpSampling1D", ltap_keras_run_up_sampling, NULL, NULL, 0},
    {"UpSampling2D", ltap_keras_run_up_sampling, NULL, NULL, 0},
    {"UpSampling3D", ltap_keras_run_up_sampling, NULL, NULL, 0},
    {"ZeroPadding1D", ltap_keras_run_zero_padding, NULL, NULL, 0},
    {"ZeroPadding2D", ltap_keras_run_zero_padding, NULL, NULL, 0},
    {"ZeroPadding3D", ltap_keras_run_zero_padding, NULL, NULL, 0},
};
/* clang-format on */

const ltap_keras_row *ltap_keras_row_find(const char *class_name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (ltap_keras_is(rows[i].name, class_name))
            return &rows[i];
    return NULL;
}

const ltap_keras_row *ltap_keras_operation_find(const char *class_name)
{
    (void)class_name;
    return NULL;
}

const ltap_keras_row *ltap_keras_function_find(const char *function)
{
    (void)function;
    return NULL;
}
