/* The steps of preprocessing, worked out for a picture of one size. */
#ifndef LTAP_IMAGE_STEPS_H
#define LTAP_IMAGE_STEPS_H

#include <layertap/image.h>
#include <stdbool.h>

/* Sizes after each step. crop_x, crop_y: where the crop begins in the resized picture; negative
 * where it is padded. */
typedef struct ltap_steps {
    int width, height;                 /* of the picture */
    int resized_width, resized_height; /* INT_MAX where it would be more */
    int crop_x, crop_y, crop_width, crop_height;
} ltap_steps;

ltap_steps ltap_steps_plan(const ltap_preprocess *preprocess, int width, int height);

#define LTAP_N_FILTERS 3
extern const char *const ltap_filter_names[LTAP_N_FILTERS];

/* Whether (x - mean) / std applies. */
bool ltap_preprocess_normalises(const ltap_preprocess *preprocess);
/* What each 8-bit level of output channel c becomes. */
void ltap_preprocess_levels(const ltap_preprocess *preprocess, int c, float levels[256]);
/* LTAP_ERROR_ARGUMENT where a setting is impossible, by its name. */
ltap_status ltap_preprocess_check(const ltap_preprocess *preprocess, ltap_error *error);

#endif
