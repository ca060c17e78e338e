/* Aligned columns. Cells are kept until the end, because a column is as wide as its widest cell;
 * width is counted in UTF-8 characters. No borders: awk and eyes read spaces. */
#include "cli/table.h"
#include "cli/report.h"
#include <stdlib.h>
#include <string.h>

struct cli_table {
    const char *alignment;
    size_t n_columns, n_cells, room;
    size_t *widths;
    char **cells;
    size_t *marked; /* first cells of rows that stand out, in order */
    size_t n_marked, marks_room;
};

static size_t width(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

cli_table *cli_table_new(const char *alignment, const char *const *header)
{
    cli_table *table = calloc(1, sizeof(*table));
    if (!table)
        return NULL;
    table->alignment = alignment;
    table->n_columns = strlen(alignment);
    table->widths = calloc(table->n_columns, sizeof(*table->widths));
    ltap_error error;
    if (!table->widths || cli_table_add(table, header, &error) != LTAP_OK) {
        cli_table_free(table);
        return NULL;
    }
    return table;
}

void cli_table_free(cli_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->n_cells; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table->marked);
    free(table->widths);
    free(table);
}

ltap_status cli_table_add(cli_table *table, const char *const *cells, ltap_error *error)
{
    if (table->n_cells + table->n_columns > table->room) {
        size_t room = table->room * 2 + 16 * table->n_columns;
        char **grown = realloc(table->cells, room * sizeof(*grown));
        if (!grown)
            return cli_error_memory(error);
        table->cells = grown;
        table->room = room;
    }
    for (size_t i = 0; i < table->n_columns; i++) {
        char *copy = strdup(cells[i]);
        if (!copy)
            return cli_error_memory(error);
        for (char *c = copy; *c; c++)
            *c = (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c;
        table->cells[table->n_cells++] = copy;
        if (width(copy) > table->widths[i])
            table->widths[i] = width(copy);
    }
    return LTAP_OK;
}

static void pad(FILE *out, size_t spaces)
{
    fprintf(out, "%*s", (int)spaces, "");
}

static void print_row(const cli_table *table, const char *const *cells, FILE *out)
{
    size_t owed = 0; /* spaces that are printed only when text follows */
    for (size_t i = 0; i < table->n_columns; i++) {
        size_t fill = table->widths[i] - width(cells[i]);
        int right = table->alignment[i] == 'r';
        if (cells[i][0]) {
            pad(out, owed + (right ? fill : 0));
            fputs(cells[i], out);
            owed = right ? 2 : fill + 2;
        } else
            owed += fill + 2;
    }
    fputc('\n', out);
}

ltap_status cli_table_mark(cli_table *table, ltap_error *error)
{
    if (table->n_marked == table->marks_room) {
        size_t room = table->marks_room * 2 + 16;
        size_t *grown = realloc(table->marked, room * sizeof(*grown));
        if (!grown)
            return cli_error_memory(error);
        table->marked = grown;
        table->marks_room = room;
    }
    table->marked[table->n_marked++] = table->n_cells - table->n_columns;
    return LTAP_OK;
}

void cli_table_print(const cli_table *table, FILE *out)
{
    int colours = cli_report_colours(out);
    size_t next = 0;
    for (size_t i = 0; i < table->n_cells; i += table->n_columns) {
        int marked = next < table->n_marked && table->marked[next] == i;
        const char *style = i == 0 ? "\033[1m" : "\033[36m";
        next += (size_t)marked;
        fputs(colours && (i == 0 || marked) ? style : "", out);
        print_row(table, (const char *const *)table->cells + i, out);
        fputs(colours && (i == 0 || marked) ? "\033[0m" : "", out);
    }
}
