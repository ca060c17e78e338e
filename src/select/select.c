/* One selector to one value: what matches exactly, else by the table of syntax; one value is the
 * answer, several are ambiguous.
 */
#include "select/select.h"

#include "base/error.h"
#include "select/things.h"
#include <string.h>

/* A row of syntax: what stands behind a name. `indexed` rows take "[k]". */
typedef struct end_row {
    const char *text;
    bool indexed;
    ltap_end_kind kind;
} end_row;

static const end_row end_rows[] = {
    {":folded", false, LTAP_END_FOLDED},
    {":in", true, LTAP_END_IN},
    {":out", true, LTAP_END_OUT},
};

/* Cuts "[12]" off; bytes: what is left. Without one, index is -1. */
static bool cut_index(const char *text, size_t *bytes, int64_t *index)
{
    size_t end = *bytes;
    *index = -1;
    if (end == 0 || text[end - 1] != ']')
        return true;
    size_t open = end - 1;
    while (open > 0 && text[open - 1] >= '0' && text[open - 1] <= '9')
        open--;
    if (open == 0 || text[open - 1] != '[' || open == end - 1 || end - open > 9)
        return false;
    *index = 0;
    for (size_t i = open; i < end - 1; i++)
        *index = *index * 10 + (text[i] - '0');
    *bytes = open - 1;
    return true;
}

static bool match_end(const end_row *row, const char *text, size_t *bytes, ltap_end *end)
{
    size_t n = strlen(row->text);
    *bytes = strlen(text);
    end->kind = row->kind;
    end->index = -1;
    if (row->indexed && !cut_index(text, bytes, &end->index))
        return false;
    if (*bytes <= n || memcmp(text + *bytes - n, row->text, n) != 0)
        return false;
    *bytes -= n;
    return true;
}

/* Finds things and the end that is asked for; none: things->count is 0. */
static ltap_status parse(const ltap_search *search, const char *selector, ltap_things *things,
                         ltap_end *end, ltap_error *error)
{
    *end = (ltap_end){LTAP_END_PLAIN, -1};
    LTAP_TRY(ltap_things_find(search, selector, things, error));
    for (size_t i = 0; i < sizeof end_rows / sizeof *end_rows && things->count == 0; i++) {
        size_t bytes;
        const char *base;
        if (!match_end(&end_rows[i], selector, &bytes, end))
            continue;
        LTAP_TRY(ltap_arena_text(search->arena, selector, bytes, &base, error));
        LTAP_TRY(ltap_things_find(search, base, things, error));
        if (things->count == 0)
            return ltap_refuse_unknown(search, base, error);
    }
    return LTAP_OK;
}

static ltap_status decide(const ltap_search *search, const char *selector,
                          const ltap_things *things, ltap_end end, ltap_selection *selection,
                          ltap_error *error)
{
    bool agree = things->n_found == things->count;
    if (things->n_found == 1)
        return ltap_thing_value(search, &things->items[0], end, selection, error);
    for (size_t i = 0; i < things->count && agree; i++) {
        ltap_selection other;
        ltap_status status = ltap_thing_value(search, &things->items[i], end, &other, NULL);
        if (status == LTAP_ERROR_MEMORY)
            return ltap_thing_value(search, &things->items[i], end, &other, error);
        agree = status == LTAP_OK && (i == 0 || other.value == selection->value);
        if (i == 0)
            *selection = other;
    }
    return agree ? LTAP_OK : ltap_refuse_ambiguous(search, selector, things, end, error);
}

ltap_status ltap_select(const ltap_layers *layers, const char *model_name, const char *selector,
                        ltap_calls calls, ltap_arena *arena, ltap_selection *selection,
                        ltap_error *error)
{
    ltap_search search = {layers, model_name, calls, arena};
    ltap_things things;
    ltap_end end;
    LTAP_TRY(parse(&search, selector, &things, &end, error));
    if (things.count == 0)
        return ltap_refuse_unknown(&search, selector, error);
    return decide(&search, selector, &things, end, selection, error);
}
