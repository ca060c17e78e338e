/* --stats: what is told of each layer. */
#ifndef LTAP_CLI_FACTS_H
#define LTAP_CLI_FACTS_H

#include "cli/extract.h"
#include "cli/json.h"

/* The table. */
LTAP_MUST_USE ltap_status cli_facts_print(const cli_extraction *extraction, ltap_error *error);
/* Adds "std", "zeros", "channels", "dead", "probes" and "histogram" to a feature's document. */
void cli_facts_document(const ltap_summary *summary, json_t *document);

#endif
