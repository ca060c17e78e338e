/* layertap layers --inside: what runs in the bodies of If, Loop and Scan. It can be changed
 * (extract
 * --set) and hooked, not asked for. */
#include "cli/json.h"
#include "cli/layers.h"
#include "cli/table.h"

typedef struct rows {
    cli_table *table; /* or */
    json_t *document;
    size_t n;
    ltap_status status;
    ltap_error *error;
} rows;

static void add_row(void *user, const ltap_inside_info *inside)
{
    rows *r = user;
    const char *cells[] = {inside->name, inside->type, inside->within};
    r->n++;
    if (r->document)
        json_array_append_new(r->document,
                              json_pack("{s:o, s:o, s:o}", "name", cli_json_text(inside->name),
                                        "type", cli_json_text(inside->type), "within",
                                        cli_json_text(inside->within)));
    else if (r->table && r->status == LTAP_OK)
        r->status = cli_table_add(r->table, cells, r->error);
}

size_t cli_layers_count_inside(const cli_layers *list)
{
    rows r = {.n = 0};
    ltap_error ignored;
    ltap_status status = ltap_model_inside(list->model.model, add_row, &r, &ignored);
    return status == LTAP_OK ? r.n : 0;
}

static ltap_status print_table(const cli_layers *list, ltap_error *error)
{
    static const char *const header[] = {"layer", "kind", "within"};
    rows r = {.table = cli_table_new("lll", header), .error = error};
    ltap_status status = r.table ? ltap_model_inside(list->model.model, add_row, &r, error)
                                 : cli_error_memory(error);
    if (status == LTAP_OK)
        status = r.status;
    if (status == LTAP_OK && r.n > 0)
        cli_table_print(r.table, stdout);
    if (status == LTAP_OK && r.n == 0)
        cli_report_note(&list->talk, "%s has no If, Loop or Scan",
                        ltap_model_info_get(list->model.model)->name);
    cli_table_free(r.table);
    return status == LTAP_OK ? cli_report_flush(error) : status;
}

ltap_status cli_layers_inside(const cli_layers *list, ltap_error *error)
{
    if (!list->talk.json)
        return print_table(list, error);
    rows r = {.document = json_array()};
    ltap_status status = ltap_model_inside(list->model.model, add_row, &r, error);
    if (status == LTAP_OK)
        return cli_json_print(json_pack("{s:i, s:o, s:o}", "layertap", 1, "model",
                                        cli_json_model(list->model.model), "inside", r.document),
                              error);
    json_decref(r.document);
    return status;
}
