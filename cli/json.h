/* Documents for --json, built with jansson. Builders give NULL where memory ends; a document that
 * holds a NULL cannot be finished, so one check at the end is enough. */
#ifndef LTAP_CLI_JSON_H
#define LTAP_CLI_JSON_H

#include <jansson.h>
#include <layertap/error.h>
#include <layertap/model.h>
#include <layertap/tensor.h>
#include <stdbool.h>

/* Any bytes as a string: what is not UTF-8 becomes U+FFFD. */
json_t *cli_json_text(const char *text);
/* A number; null for NaN and Inf, which JSON does not have. */
json_t *cli_json_number(double number);
json_t *cli_json_shape(const ltap_tensor *tensor);
/* {"name", "dtype", "shape"}; a free size is its name, or null. */
json_t *cli_json_port(const ltap_port *port);
/* {"file", "format", "version", "producer", "parameters", "unsupported"} */
json_t *cli_json_model(const ltap_model *model);

/* Prints the document and a line end on standard output; takes it. */
LTAP_MUST_USE ltap_status cli_json_print(json_t *document, ltap_error *error);
void cli_json_print_error(const ltap_error *error);

#endif
