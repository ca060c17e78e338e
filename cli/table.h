/* Tables: columns as wide as their widest cell, two spaces between, a header line. */
#ifndef LTAP_CLI_TABLE_H
#define LTAP_CLI_TABLE_H

#include <layertap/error.h>
#include <stdio.h>

typedef struct cli_table cli_table;

/* One letter a column: 'l' left, 'r' right. header: one text a column, borrowed. NULL: no memory.
 */
cli_table *cli_table_new(const char *alignment, const char *const *header);
void cli_table_free(cli_table *table);
/* cells: one a column, copied, control characters replaced. */
LTAP_MUST_USE ltap_status cli_table_add(cli_table *table, const char *const *cells,
                                        ltap_error *error);
/* The row added last stands out on a terminal. */
LTAP_MUST_USE ltap_status cli_table_mark(cli_table *table, ltap_error *error);
void cli_table_print(const cli_table *table, FILE *out);

#endif
