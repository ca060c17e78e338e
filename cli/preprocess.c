/* Preprocessing is chosen once for all pictures of a command, in three steps: a preset or the
 * model's own words, then the options of single steps, in the order typed. */
#include "cli/preprocess.h"
#include "cli/model.h"
#include "cli/report.h"
#include <string.h>

static ltap_status choose_base(const char *preset, const ltap_model *model, const ltap_port *port,
                               ltap_preprocess *preprocess, ltap_error *error)
{
    const char *metadata = ltap_model_metadata(model, "layertap.preprocess");
    if (!preset && metadata) {
        ltap_status status = ltap_preprocess_parse(metadata, preprocess, error);
        if (status != LTAP_OK) {
            cli_error_prefix(error, "the model's metadata layertap.preprocess");
            error->code = LTAP_ERROR_FORMAT;
            status = LTAP_ERROR_FORMAT;
        }
        return status;
    }
    int is_last = cli_model_is_channels_last(port);
    if (!preset && (is_last || !cli_model_is_colour(port)))
        return cli_error_set(error, LTAP_ERROR_INPUT,
                             "the model does not say how pictures are prepared for the input '%s': "
                             "say --preprocess imagenet, segmentation, none, keras, keras-caffe, "
                             "keras-tf or keras-torch",
                             port->name);
    int64_t sides[2] = {0, 0};
    for (int i = 0; port->rank == 4 && i < 2; i++)
        sides[i] = port->dims[is_last ? 1 + i : 2 + i].size;
    int fixed = sides[0] > 0 && sides[1] > 0 && sides[0] <= INT32_MAX && sides[1] <= INT32_MAX;
    int height = fixed ? (int)sides[0] : 0, width = fixed ? (int)sides[1] : 0;
    return ltap_preprocess_preset(preset ? preset : "imagenet", height, width, preprocess, error);
}

ltap_status cli_preprocess_choose(const cli_arguments *arguments, const ltap_model *model,
                                  const ltap_port *port, ltap_preprocess *preprocess,
                                  ltap_error *error)
{
    static const char *const steps[] = {"resize", "crop", "filter", "scale",
                                        "mean",   "std",  "order"};
    const char *preset = cli_arguments_value(arguments, "preprocess");
    ltap_status status = choose_base(preset, model, port, preprocess, error);
    preprocess->channels_last = cli_model_is_channels_last(port);
    for (size_t i = 0; status == LTAP_OK && i < arguments->n_given; i++) {
        const cli_given *given = &arguments->given[i];
        for (size_t k = 0; status == LTAP_OK && k < sizeof(steps) / sizeof(steps[0]); k++) {
            if (strcmp(given->option->name, steps[k]) == 0)
                status = ltap_preprocess_set(preprocess, steps[k], given->value, error);
        }
    }
    return status;
}
