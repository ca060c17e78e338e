/* Where inputs come from: each operand and --input of a command line as items, in order. */
#ifndef LTAP_CLI_SOURCES_H
#define LTAP_CLI_SOURCES_H

#include "cli/options.h"
#include <layertap/arrays.h>
#include <layertap/getter.h>

typedef enum cli_item_kind { CLI_PICTURE, CLI_ARRAY, CLI_RANDOM, CLI_CONSTANT } cli_item_kind;

/* One file (or member of one), or one made-up array, for one input of the model. */
typedef struct cli_item {
    cli_item_kind kind;
    const char *label;  /* as typed; a path, "-", "random:7" */
    char *member;       /* of a file of arrays; "" for .npy */
    uint64_t seed;      /* of a random array */
    double value;       /* of a constant one */
    ltap_tensor tensor; /* type and shape; pictures: not known before they are decoded */
    int width, height;  /* of a picture, once decoded */
} cli_item;

/* The items of one input of the model, in order. */
typedef struct cli_feed {
    const ltap_port *port;
    cli_item *items;
    size_t n_items, room;
} cli_feed;

typedef struct cli_sources {
    cli_feed *feeds; /* one per input that the request needs */
    size_t n_feeds;
    void *stdin_bytes;
    size_t stdin_size;
} cli_sources;

/* Looks at every file: its kind, and the type and shape of arrays; pictures are not decoded.
 * sources: cleared by the caller, after an error too. */
LTAP_MUST_USE ltap_status cli_sources_open(const cli_arguments *arguments, const ltap_model *model,
                                           const ltap_getter *getter, cli_sources *sources,
                                           ltap_error *error);
/* Random numbers (zeros where the input wants no floats) for the inputs that nothing was given for.
 */
LTAP_MUST_USE ltap_status cli_sources_fill(cli_sources *sources, const ltap_model *model,
                                           ltap_error *error);
void cli_sources_clear(cli_sources *sources);

/* The first bytes of a regular file; n_head: how many there are. */
enum { CLI_HEAD_BYTES = 16 };
LTAP_MUST_USE ltap_status cli_file_head(const char *path, unsigned char head[CLI_HEAD_BYTES],
                                        size_t *n_head, ltap_error *error);

/* The arrays of an item's file. */
LTAP_MUST_USE ltap_status cli_sources_arrays(const cli_sources *sources, const char *label,
                                             ltap_arrays **arrays, ltap_error *error);

#endif
