/* Numbers as text and back: counts with one letter, bytes with a unit, shapes as 1x3x224x224. One
 * place, so that every table, message and option spells them alike. */
#include "cli/text.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ltap_text cli_text_count(uint64_t count, const char *unit)
{
    static const char letters[] = {'k', 'M', 'G', 'T', 'P'};
    ltap_text text;
    if (count == 0)
        snprintf(text.text, sizeof(text.text), "-");
    else if (count < 1000)
        snprintf(text.text, sizeof(text.text), "%u", (unsigned)count);
    else {
        double value = (double)count / 1000;
        size_t letter = 0;
        while (value >= 999.95 && letter + 1 < sizeof(letters)) {
            value /= 1000;
            letter++;
        }
        snprintf(text.text, sizeof(text.text), "%.1f%s%c", value, unit, letters[letter]);
    }
    return text;
}

ltap_text cli_text_bytes(uint64_t bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    ltap_text text;
    if (bytes < 1000) {
        snprintf(text.text, sizeof(text.text), "%u bytes", (unsigned)bytes);
        return text;
    }
    double value = (double)bytes / 1000;
    size_t unit = 0;
    while (value >= 999.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1000;
        unit++;
    }
    snprintf(text.text, sizeof(text.text), "%.1f %s", value, units[unit]);
    return text;
}

ltap_text cli_text_number(double number)
{
    ltap_text text;
    if (isnan(number))
        snprintf(text.text, sizeof(text.text), "-");
    else
        snprintf(text.text, sizeof(text.text), "%.4g", number == 0 ? 0.0 : number);
    return text;
}

void cli_text_add(char *text, size_t size, const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
}

ltap_text cli_text_port(const ltap_port *port)
{
    ltap_text text;
    snprintf(text.text, sizeof(text.text), "%s[", ltap_dtype_name(port->dtype));
    if (port->rank < 0)
        cli_text_add(text.text, sizeof(text.text), "...");
    for (int i = 0; i < port->rank; i++) {
        const ltap_port_dim *dim = &port->dims[i];
        const char *comma = i > 0 ? "," : "";
        if (dim->size >= 0)
            cli_text_add(text.text, sizeof(text.text), "%s%lld", comma, (long long)dim->size);
        else
            cli_text_add(text.text, sizeof(text.text), "%s%s", comma,
                         dim->symbol ? dim->symbol : "?");
    }
    cli_text_add(text.text, sizeof(text.text), "]");
    return text;
}

ltap_text cli_text_tensor(const ltap_tensor *tensor)
{
    ltap_port port = {.dtype = tensor->dtype, .rank = tensor->rank};
    for (int i = 0; i < tensor->rank; i++)
        port.dims[i].size = tensor->dims[i];
    return cli_text_port(&port);
}

ltap_text cli_text_base(const char *path, int keep_suffix)
{
    ltap_text text;
    const char *slash = strrchr(path, '/');
    snprintf(text.text, sizeof(text.text), "%s", slash ? slash + 1 : path);
    char *dot = strrchr(text.text, '.');
    if (!keep_suffix && dot && dot != text.text)
        *dot = 0;
    return text;
}

int cli_text_parse_shape(const char *text, ltap_tensor *tensor)
{
    tensor->rank = 0;
    tensor->data = NULL;
    if (text[0] == 0 || strcmp(text, "scalar") == 0)
        return 1;
    uint64_t count = 1;
    for (;;) {
        char *end = NULL;
        errno = 0;
        long long dim = text[0] >= '0' && text[0] <= '9' ? strtoll(text, &end, 10) : -1;
        if (dim < 0 || errno != 0 || tensor->rank == LTAP_MAX_RANK)
            return 0;
        if (dim > 0 && count > ((uint64_t)1 << 48) / (uint64_t)dim)
            return 0;
        count *= (uint64_t)dim;
        tensor->dims[tensor->rank++] = dim;
        if (*end == 0)
            return 1;
        if (*end != 'x')
            return 0;
        text = end + 1;
    }
}

int cli_text_parse_bytes(const char *text, uint64_t *bytes)
{
    static const char letters[] = "KMGTPE";
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9' || text[1] == 'x' || text[1] == 'X')
        return 0;
    errno = 0;
    double value = strtod(text, &end);
    if (*end != 0) {
        char upper = *end >= 'a' ? (char)(*end - 'a' + 'A') : *end;
        const char *letter = strchr(letters, upper);
        if (!letter)
            return 0;
        for (const char *i = letters; i <= letter; i++)
            value *= 1024;
        end++;
        end += strncmp(end, "iB", 2) == 0 ? 2 : *end == 'B';
    }
    if (*end != 0 || errno != 0 || value < 1 || value > 9e18)
        return 0;
    *bytes = (uint64_t)value;
    return 1;
}
