/* Errors, notes and exit statuses: data goes to standard output, talk to standard error. Names that
 * come from files are printed without their control characters, so that no model can drive the
 * terminal. */
#include "cli/report.h"
#include "cli/json.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ltap_status cli_error_set(ltap_error *error, ltap_status code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error->code = code;
    error->offset = LTAP_NO_OFFSET;
    vsnprintf(error->message, sizeof(error->message), format, arguments);
    va_end(arguments);
    return code;
}

ltap_status cli_error_memory(ltap_error *error)
{
    return cli_error_set(error, LTAP_ERROR_MEMORY, "there is no memory left");
}

const char *cli_error_system(int number)
{
    static _Thread_local char text[128];
    snprintf(text, sizeof(text), "%s", strerror(number));
    if (text[0] >= 'A' && text[0] <= 'Z' && !(text[1] >= 'A' && text[1] <= 'Z'))
        text[0] = (char)(text[0] - 'A' + 'a');
    return text;
}

void cli_error_prefix(ltap_error *error, const char *what)
{
    char message[sizeof(error->message)];
    snprintf(message, sizeof(message), "%.512s: %.1500s", what, error->message);
    memcpy(error->message, message, sizeof(message));
}

static void make_plain(char *text)
{
    for (; *text; text++)
        *text = (unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text;
}

void cli_report_print(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int n = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (n < 0)
        return;
    int ends = n > 0 && text[n - 1] == '\n';
    text[ends ? n - 1 : n] = 0;
    make_plain(text);
    printf(ends ? "%s\n" : "%s", text);
    free(text);
}

/* In one piece, so that lines of several processes do not mix. */
static void print_line(const char *before, const char *text)
{
    char line[LTAP_ERROR_MESSAGE_BYTES * 2 + 64];
    int n = snprintf(line, sizeof(line) - 1, "%s%s", before, text);
    size_t length = (size_t)n < sizeof(line) - 1 ? (size_t)n : sizeof(line) - 2;
    line[length] = 0;
    make_plain(line + strlen(before));
    line[length] = '\n';
    fwrite(line, 1, length + 1, stderr);
}

bool cli_report_colours(FILE *out)
{
    const char *no = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return !(no && no[0]) && !(term && strcmp(term, "dumb") == 0) && isatty(fileno(out));
}

int cli_report_error(const cli_talk *talk, const ltap_error *error)
{
    if (talk->json)
        cli_json_print_error(error);
    fflush(stdout);
    print_line(cli_report_colours(stderr) ? "\033[1;31mlayertap:\033[0m " : "layertap: ",
               error->message);
    return error->code == LTAP_ERROR_ARGUMENT ? CLI_MISUSED : CLI_FAILED;
}

void cli_report_note(const cli_talk *talk, const char *format, ...)
{
    if (talk->quiet)
        return;
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    print_line("", text);
}

ltap_status cli_report_flush(ltap_error *error)
{
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout))
        return cli_error_set(error, LTAP_ERROR_FILE, "standard output: %s",
                             errno ? cli_error_system(errno) : "not all of it could be written");
    return LTAP_OK;
}
