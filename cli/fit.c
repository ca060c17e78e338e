/* The commonest mistakes with arrays have one-line cures in numpy: channels last, no batch axis,
 * float64. Each cure is a row of a table; the first that makes the array fit is told. */
#include "cli/fit.h"
#include "cli/model.h"
#include "cli/report.h"
#include "cli/text.h"
#include <stdio.h>
#include <string.h>

typedef struct cure {
    const char *numpy; /* what to write after x */
    const char *means;
    int rank;     /* of the array as it is */
    int new_rank; /* and as it becomes */
    int from[5];  /* new axis i is old axis from[i]; -1: a new axis of size 1 */
} cure;

static const cure cures[] = {
    {"[None]", "a batch of one", 1, 2, {-1, 0}},
    {"[None]", "a batch of one", 2, 3, {-1, 0, 1}},
    {"[None]", "a batch of one", 3, 4, {-1, 0, 1, 2}},
    {"[None]", "a batch of one", 4, 5, {-1, 0, 1, 2, 3}},
    {".transpose(2,0,1)[None]", "channels first", 3, 4, {-1, 2, 0, 1}},
    {".transpose(0,3,1,2)", "channels first", 4, 4, {0, 3, 1, 2}},
    {".transpose(0,2,3,1)", "channels last", 4, 4, {0, 2, 3, 1}},
    {".transpose(1,2,0)[None]", "channels last", 3, 4, {-1, 1, 2, 0}},
    {"[None,None]", "a batch of one, one channel", 2, 4, {-1, -1, 0, 1}},
    {"[0]", "without the batch axis", 4, 3, {1, 2, 3}},
};

static int cures_it(const cure *c, const ltap_tensor *tensor, const ltap_port *port)
{
    if (tensor->rank != c->rank)
        return 0;
    ltap_tensor changed = {.dtype = port->dtype, .rank = c->new_rank};
    for (int i = 0; i < c->new_rank; i++)
        changed.dims[i] = c->from[i] < 0 ? 1 : tensor->dims[c->from[i]];
    int drops_a_row = c->new_rank < c->rank && tensor->dims[0] != 1;
    return !drops_a_row && cli_model_allows(port, &changed);
}

static void advise(const ltap_tensor *tensor, const ltap_port *port, char *advice, size_t size)
{
    char cast[64] = "";
    advice[0] = 0;
    if (tensor->dtype != port->dtype)
        snprintf(cast, sizeof(cast), ".astype('%s')", ltap_dtype_name(port->dtype));
    ltap_tensor typed = *tensor;
    typed.dtype = port->dtype;
    if (cli_model_allows(port, &typed)) {
        snprintf(advice, size, " (numpy: x%s)", cast);
        return;
    }
    for (size_t i = 0; i < sizeof(cures) / sizeof(cures[0]); i++) {
        if (!cures_it(&cures[i], tensor, port))
            continue;
        snprintf(advice, size, " (%s; numpy: x%s%s)", cures[i].means, cures[i].numpy, cast);
        return;
    }
}

/* More rows, or fewer, than a fixed batch of pictures: they go through as many at a time. */
static int fits_by_rows(const ltap_tensor *tensor, const ltap_port *port)
{
    ltap_tensor one = *tensor;
    if (port->rank != 4 || tensor->rank != 4 || port->dims[0].size <= 0)
        return 0;
    one.dims[0] = port->dims[0].size;
    return cli_model_allows(port, &one);
}

ltap_status cli_fit_array(const char *name, const ltap_tensor *tensor, const ltap_port *port,
                          ltap_error *error)
{
    if (ltap_tensor_count(tensor) == 0)
        return cli_error_set(error, LTAP_ERROR_INPUT, "%s is %s: there is nothing in it", name,
                             cli_text_tensor(tensor).text);
    if (cli_model_allows(port, tensor) || fits_by_rows(tensor, port))
        return LTAP_OK;
    char advice[256];
    advise(tensor, port, advice, sizeof(advice));
    return cli_error_set(error, LTAP_ERROR_INPUT, "%s is %s; the input '%s' wants %s%s", name,
                         cli_text_tensor(tensor).text, port->name, cli_text_port(port).text,
                         advice);
}

ltap_status cli_fit_picture(const char *name, const ltap_port *port, ltap_error *error)
{
    int has_channels = cli_model_is_colour(port) || (port->rank == 4 && port->dims[1].size < 0);
    if (port->dtype == LTAP_FLOAT32 && (has_channels || port->rank < 0))
        return LTAP_OK;
    return cli_error_set(error, LTAP_ERROR_INPUT,
                         "%s is a picture, which becomes float32[1,3,height,width]; the input '%s' "
                         "wants %s: give it an array (.npy)",
                         name, port->name, cli_text_port(port).text);
}

ltap_tensor cli_fit_picture_tensor(int height, int width, const ltap_port *port)
{
    if (cli_model_is_channels_last(port))
        return (ltap_tensor){.dtype = LTAP_FLOAT32, .rank = 4, .dims = {1, height, width, 3}};
    return (ltap_tensor){.dtype = LTAP_FLOAT32, .rank = 4, .dims = {1, 3, height, width}};
}

ltap_status cli_fit_prepared(const char *name, int height, int width, const ltap_port *port,
                             ltap_error *error)
{
    const ltap_tensor tensor = cli_fit_picture_tensor(height, width, port);
    int at = cli_model_is_channels_last(port) ? 1 : 2;
    int fits =
        port->rank != 4 || ((port->dims[at].size < 0 || port->dims[at].size == height) &&
                            (port->dims[at + 1].size < 0 || port->dims[at + 1].size == width));
    if (fits)
        return LTAP_OK;
    return cli_error_set(error, LTAP_ERROR_INPUT,
                         "%s becomes %s; the input '%s' wants %s: choose its size by --crop HxW or "
                         "--resize HxW",
                         name, cli_text_tensor(&tensor).text, port->name, cli_text_port(port).text);
}

ltap_status cli_fit_synthetic(const char *text, int random, const ltap_tensor *tensor,
                              const ltap_port *port, ltap_error *error)
{
    int is_float = port->dtype == LTAP_FLOAT32 || port->dtype == LTAP_FLOAT64;
    int is_whole = port->dtype == LTAP_UINT8 || port->dtype == LTAP_INT8 ||
                   port->dtype == LTAP_INT32 || port->dtype == LTAP_INT64 ||
                   port->dtype == LTAP_BOOL;
    if (random && !is_float)
        return cli_error_set(
            error, LTAP_ERROR_INPUT,
            "%s: random numbers are for float32 and float64; the input '%s' is %s: "
            "zeros, ones, or an array (.npy)",
            text, port->name, cli_text_port(port).text);
    if (!is_float && !is_whole)
        return cli_error_set(error, LTAP_ERROR_INPUT,
                             "%s: the input '%s' is %s: give it an array (.npy)", text, port->name,
                             cli_text_port(port).text);
    if (!cli_model_allows(port, tensor) || ltap_tensor_count(tensor) == 0)
        return cli_error_set(error, LTAP_ERROR_INPUT, "%s is %s; the input '%s' wants %s", text,
                             ltap_shape_text(tensor).text, port->name, cli_text_port(port).text);
    return LTAP_OK;
}
