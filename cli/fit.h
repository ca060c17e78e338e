/* Does an input fit: type and shape against what the model wants, and the line that says what to do
 * where they do not. */
#ifndef LTAP_CLI_FIT_H
#define LTAP_CLI_FIT_H

#include <layertap/model.h>

/* name: of the array, for the message. */
LTAP_MUST_USE ltap_status cli_fit_array(const char *name, const ltap_tensor *tensor,
                                        const ltap_port *port, ltap_error *error);
LTAP_MUST_USE ltap_status cli_fit_picture(const char *name, const ltap_port *port,
                                          ltap_error *error);
/* float32, one picture, channels where the port has them; data NULL. */
ltap_tensor cli_fit_picture_tensor(int height, int width, const ltap_port *port);
/* The picture's size after preprocessing. */
LTAP_MUST_USE ltap_status cli_fit_prepared(const char *name, int height, int width,
                                           const ltap_port *port, ltap_error *error);
LTAP_MUST_USE ltap_status cli_fit_synthetic(const char *text, int random, const ltap_tensor *tensor,
                                            const ltap_port *port, ltap_error *error);

#endif
