/* Matching by what layers read and what reads them, where names do not tell. */
#ifndef LTAP_CLI_NEIGHBOURS_H
#define LTAP_CLI_NEIGHBOURS_H

#include "cli/match.h"

/* Operators that exporters write for one another share a number; 0: none. */
size_t cli_match_class(const char *type);

/* Operations may have names that mean nothing, such as numbers. Drops pairs by name whose
 * neighbours are others' partners; where these are many, all pairs by name. How many. */
size_t cli_match_doubt_names(cli_match *match);

/* Matches values whose operator, shape and matched neighbours agree and which are the only ones of
 * which that is so; begins at the pairs that are there, and at the models' inputs. */
LTAP_MUST_USE ltap_status cli_match_neighbours(cli_match *match, ltap_error *error);

/* Two values without partners become a pair. */
LTAP_MUST_USE ltap_status cli_match_pair(cli_match *match, size_t a, size_t b, ltap_error *error);

/* Whether two values without partners, of A and of B, lie between the same matched ones. */
int cli_match_between(const cli_match *match, size_t a, size_t b);

#endif
