/* Finding the row of an operator. */
#include "formats/export/aten.h"

#include <string.h>

static const ltap_aten_row *const families[] = {
    ltap_aten_layers,  ltap_aten_recurrent, ltap_aten_windows, ltap_aten_activations,
    ltap_aten_math,    ltap_aten_reduce,    ltap_aten_views,   ltap_aten_move,
    ltap_aten_index,   ltap_aten_subscript, ltap_aten_patches, ltap_aten_diagonal,
    ltap_aten_control, ltap_aten_formulas,  ltap_aten_cells,   ltap_aten_make,
    ltap_aten_sizes};

#define MAX_NAME 96

/* Without "torch.ops.aten.", and without the '_' of an operator that overwrites. */
static bool read_name(const char *target, char name[MAX_NAME], size_t *base)
{
    static const char prefix[] = "torch.ops.aten.";
    if (strncmp(target, prefix, strlen(prefix)) != 0) {
        *base = strlen(target);
        if (*base >= MAX_NAME)
            return false;
        memcpy(name, target, *base + 1);
        return true;
    }
    target += strlen(prefix);
    const char *dot = strrchr(target, '.');
    if (dot == NULL || strlen(target) >= MAX_NAME)
        return false;
    *base = (size_t)(dot - target);
    if (*base > 2 && dot[-1] == '_' && dot[-2] != '_')
        --*base;
    memcpy(name, target, *base);
    memcpy(name + *base, dot, strlen(dot) + 1);
    return true;
}

const ltap_aten_row *ltap_aten_find(const char *target)
{
    char name[MAX_NAME];
    size_t base;
    if (!read_name(target, name, &base))
        return NULL;
    for (size_t f = 0; f < sizeof families / sizeof *families; f++)
        for (const ltap_aten_row *row = families[f]; row->name != NULL; row++)
            if (strcmp(row->name, name) == 0 ||
                (strncmp(row->name, name, base) == 0 && row->name[base] == '\0'))
                return row;
    return NULL;
}
