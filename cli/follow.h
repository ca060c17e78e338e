/* Does a feature's first axis follow the batch, or only happen to be as long? */
#ifndef LTAP_CLI_FOLLOW_H
#define LTAP_CLI_FOLLOW_H

#include "cli/inputs.h"

/* Asks for the shapes that one row more would give. What shapes cannot tell is let pass; the rows
 * of each forward are checked in any case. cure: the advice where it does not. */
LTAP_MUST_USE ltap_status cli_follow_check(const ltap_model *model, const ltap_getter *getter,
                                           const cli_batch *batch, const char *cure,
                                           ltap_error *error);

#endif
