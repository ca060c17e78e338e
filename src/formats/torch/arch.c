/* What users call networks: a family or one of torchvision's names, and behind pluses what no shape
 * tells. The names are those of the architectures' own tables.
 */
#include "formats/torch/architecture.h"

#include "base/error.h"
#include "base/near.h"
#include "formats/torch/torch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const ltap_architecture *row;
    const char *family;
} rows[] = {
#define LTAP_ARCHITECTURE(name) {&ltap_torch_##name, #name},
#include "formats/torch/architectures.def"
#undef LTAP_ARCHITECTURE
};

#define N_ROWS (sizeof rows / sizeof *rows)

const ltap_architecture *ltap_torch_row(size_t index)
{
    return index < N_ROWS ? rows[index].row : NULL;
}

const ltap_arch_hint ltap_output_stride[] = {{"output_stride", 1}, {NULL, 0}};

static const char *name_at(const ltap_names *names, size_t index)
{
    const void *row = (const char *)names->rows + index * names->row_bytes;
    return *(const char *const *)row;
}

const char *ltap_torch_arch_at(size_t index)
{
    if (index < N_ROWS)
        return rows[index].family;
    index -= N_ROWS;
    for (size_t i = 0; i < N_ROWS; i++) {
        const ltap_names *names = &rows[i].row->variants;
        for (size_t n = 0; n < names->count; n++)
            if (strcmp(name_at(names, n), rows[i].family) != 0 && index-- == 0)
                return name_at(names, n);
    }
    return NULL;
}

static bool is_name(const ltap_arch *arch, const char *name)
{
    return strlen(name) == arch->name_bytes && strncmp(name, arch->text, arch->name_bytes) == 0;
}

static void find_row(ltap_arch *arch)
{
    for (size_t i = 0; i < N_ROWS && arch->row == NULL; i++) {
        const ltap_names *names = &rows[i].row->variants;
        arch->is_family = is_name(arch, rows[i].family);
        arch->row = arch->is_family ? rows[i].row : NULL;
        for (size_t n = 0; n < names->count && arch->row == NULL; n++)
            arch->row = is_name(arch, name_at(names, n)) ? rows[i].row : NULL;
    }
}

/* "deeplabv3_resnet18": a family on a network that is known, as summaries have it. */
static void find_compound(ltap_arch *arch)
{
    for (size_t i = 0; i < N_ROWS && arch->row == NULL; i++) {
        size_t bytes = strlen(rows[i].family) + 1;
        if (arch->name_bytes <= bytes || arch->text[bytes - 1] != '_' ||
            strncmp(arch->text, rows[i].family, bytes - 1) != 0)
            continue;
        ltap_arch inner = {.text = arch->text + bytes, .name_bytes = arch->name_bytes - bytes};
        find_row(&inner);
        arch->row = inner.row != NULL && !inner.is_family ? rows[i].row : NULL;
    }
}

static ltap_status refuse_name(const ltap_arch *arch, ltap_error *error)
{
    char wanted[LTAP_NEAR_LONGEST + 2], names[256] = "";
    const char *name;
    ltap_near near;
    snprintf(wanted, sizeof wanted, "%.*s", (int)arch->name_bytes, arch->text);
    ltap_near_init(&near, wanted, LTAP_NEAR_ROOM);
    for (size_t i = 0; (name = ltap_torch_arch_at(i)) != NULL; i++)
        ltap_near_offer(&near, name);
    for (size_t i = 0, at = 0; i < near.count; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%s",
                               i > 0 ? ", " : "; nearest: ", near.best[i].name);
    return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "no network is called '%.60s'%s", wanted,
                          names);
}

/* "=8", "=6,12,18", "": as many whole numbers as there must be. */
static bool read_numbers(const char *text, int count, int64_t *numbers)
{
    for (int i = 0; i < count; i++) {
        char *end;
        if (*text != (i == 0 ? '=' : ',') || text[1] < '0' || text[1] > '9')
            return false;
        int64_t number = strtoll(text + 1, &end, 10);
        if (number < 1 || number > INT32_MAX)
            return false;
        if (numbers != NULL)
            numbers[i] = number;
        text = end;
    }
    return *text == '\0' || *text == '+';
}

/* What stands behind a hint's name in the text; NULL: it is not there. */
static const char *find_hint(const char *text, const char *name)
{
    size_t bytes = strlen(name);
    while ((text = strchr(text, '+')) != NULL)
        if (strncmp(++text, name, bytes) == 0 && strcspn(text, "=+") == bytes)
            return text + bytes;
    return NULL;
}

/* "+output_stride=N and +rates=N,N,N may" */
static void list_hints(const ltap_arch_hint *hints, char *text, size_t size)
{
    snprintf(text, size, "nothing may");
    for (size_t i = 0, at = 0; hints != NULL && hints[i].name != NULL && at < size; i++) {
        at += (size_t)snprintf(text + at, size - at, "%s+%s", i > 0 ? " and " : "", hints[i].name);
        for (int n = 0; n < hints[i].n_numbers && at < size; n++)
            at += (size_t)snprintf(text + at, size - at, "%cN", n > 0 ? ',' : '=');
        if (hints[i + 1].name == NULL && at < size)
            snprintf(text + at, size - at, " may");
    }
}

static bool is_hint(const ltap_arch_hint *hints, const char *text)
{
    for (; hints != NULL && hints->name != NULL; hints++)
        if (strlen(hints->name) == strcspn(text, "=+") &&
            strncmp(text, hints->name, strlen(hints->name)) == 0)
            return read_numbers(text + strlen(hints->name), hints->n_numbers, NULL);
    return false;
}

ltap_status ltap_arch_read(const char *text, ltap_arch *arch, ltap_error *error)
{
    char hints[256];
    *arch = (ltap_arch){.text = text, .name_bytes = strcspn(text, "+")};
    find_row(arch);
    find_compound(arch);
    if (arch->row == NULL)
        return refuse_name(arch, error);
    list_hints(arch->row->hints, hints, sizeof hints);
    for (const char *at = text; (at = strchr(at, '+')) != NULL;)
        if (!is_hint(arch->row->hints, ++at))
            return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                                  "'%.*s' takes no '+%.60s'; behind that name %s stand",
                                  (int)arch->name_bytes, text, at, hints);
    return LTAP_OK;
}

bool ltap_build_is_called(const ltap_builder *b, const char *name)
{
    return b->arch != NULL && is_name(b->arch, name);
}

bool ltap_build_hint(const ltap_builder *b, const char *name, int64_t *numbers)
{
    const ltap_arch_hint *hint = b->arch != NULL ? b->arch->row->hints : NULL;
    const char *text = b->arch != NULL ? find_hint(b->arch->text, name) : NULL;
    while (hint != NULL && hint->name != NULL && strcmp(hint->name, name) != 0)
        hint++;
    return text != NULL && hint != NULL && hint->name != NULL &&
           read_numbers(text, hint->n_numbers, numbers);
}

const char *ltap_width_name(const ltap_width *widths, size_t count, int64_t width,
                            const char *otherwise)
{
    for (size_t i = 0; i < count; i++)
        if (widths[i].width == width)
            return widths[i].name;
    return otherwise;
}
