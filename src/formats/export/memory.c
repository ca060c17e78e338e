/* Operations that overwrite: each becomes one that makes a new value, and whatever is the same
 * memory holds the new value from then on.
 *
 * A view of overwritten memory is computed again when it is read the next time. Writing to a view
 * puts the new part back into its base, if the view's operator knows how; else the base is spoiled,
 * and an operation that reads it is not one that layertap has.
 */
#include "formats/export/aten.h"

#include "base/error.h"

#define MAX_VIEWS 32 /* of views of views */

/* Makes a view's operation the one at hand again. */
static ltap_program take_up(ltap_program *p, const ltap_entry *entry)
{
    const ltap_program kept = *p;
    ltap_program_take(p, ltap_program_results(p, entry->maker, p->error));
    p->wanted = NULL;
    p->node = entry->maker;
    p->row = entry->row;
    return kept;
}

void ltap_program_resume(ltap_program *p, const ltap_program *kept)
{
    p->result_entries = kept->result_entries;
    p->results = kept->results;
    p->wanted = kept->wanted;
    p->n_results = kept->n_results;
    p->node = kept->node;
    p->row = kept->row;
}

/* Runs the row of a view's operation again, on what its base holds now. */
static uint32_t remake(ltap_program *p, const ltap_entry *entry)
{
    const ltap_program kept = take_up(p, entry);
    uint32_t value = LTAP_NO_VALUE;
    if (ltap_program_goes_on(p))
        p->row->map(p);
    if (ltap_program_goes_on(p) && entry->slot < p->n_results)
        value = p->results[entry->slot];
    ltap_program_resume(p, &kept);
    return value;
}

static void refresh(ltap_program *p, uint32_t index, int depth)
{
    ltap_entry *entry = ltap_program_at(p, index);
    if (!ltap_program_goes_on(p) || entry->alias == LTAP_ALIAS_OWN || entry->spoiled)
        return;
    if (depth > MAX_VIEWS) {
        ltap_program_refuse(p, "reads a view of more than %d views", MAX_VIEWS);
        return;
    }
    refresh(p, entry->base, depth + 1);
    const ltap_entry *base = ltap_program_at(p, entry->base);
    if (entry->seen == base->writes && !base->spoiled)
        return;
    if (base->spoiled || base->value == LTAP_NO_VALUE || entry->alias == LTAP_ALIAS_PERHAPS) {
        entry->spoiled = true;
        return;
    }
    uint32_t value = entry->alias == LTAP_ALIAS_SAME ? base->value : remake(p, entry);
    entry->value = value;
    entry->seen = base->writes;
    entry->writes++;
}

void ltap_entry_refresh(ltap_program *p, uint32_t index)
{
    refresh(p, index, 0);
    if (ltap_program_at(p, index)->spoiled)
        ltap_program_refuse(p, "reads '%.60s' after memory that it shares was overwritten",
                            ltap_program_at(p, index)->name);
}

static void spoil(ltap_program *p, uint32_t index)
{
    for (int depth = 0; index != LTAP_NO_ENTRY && depth < MAX_VIEWS; depth++) {
        ltap_entry *entry = ltap_program_at(p, index);
        entry->spoiled = true;
        entry->writes++;
        index = entry->alias != LTAP_ALIAS_OWN ? entry->base : LTAP_NO_ENTRY;
    }
}

/* The base with a new part in place of the view. */
static uint32_t put_back(ltap_program *p, const ltap_entry *entry, uint32_t value)
{
    const ltap_program kept = take_up(p, entry);
    if (ltap_program_goes_on(p))
        value = p->row->back(p, entry, value);
    ltap_program_resume(p, &kept);
    if (ltap_program_goes_on(p))
        ltap_program_take(
            p, ltap_entry_type(p, entry->base, &ltap_graph_at(p->graph, value)->type, p->error));
    return value;
}

void ltap_entry_write(ltap_program *p, uint32_t index, uint32_t value)
{
    for (int depth = 0; ltap_program_goes_on(p); depth++) {
        ltap_entry *entry = ltap_program_at(p, index);
        uint32_t base = entry->base;
        entry->value = value;
        entry->writes++;
        if (entry->alias == LTAP_ALIAS_OWN)
            return;
        bool knows = entry->alias == LTAP_ALIAS_SAME ||
                     (entry->alias == LTAP_ALIAS_VIEW && entry->row->back != NULL);
        if (!knows || depth > MAX_VIEWS || ltap_program_at(p, base)->spoiled) {
            entry->alias = LTAP_ALIAS_OWN;
            spoil(p, base);
            return;
        }
        if (entry->alias == LTAP_ALIAS_VIEW)
            value = put_back(p, entry, value);
        if (p->refusal != NULL) { /* a part that cannot be put back */
            p->refusal = NULL;
            entry->alias = LTAP_ALIAS_OWN;
            spoil(p, base);
            return;
        }
        entry->seen = ltap_program_at(p, base)->writes + 1;
        index = base;
    }
}
