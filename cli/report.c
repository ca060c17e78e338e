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

void cli_error_prefix(ltap_error *error, const char *what)
{
    char message[sizeof(error->message)];
    snprintf(message, sizeof(message), "%.512s: %.1500s", what, error->message);
    memcpy(error->message, message, sizeof(message));
}

static void print_plain(FILE *out, const char *text)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        fputc(byte < 0x20 || byte == 0x7f ? '?' : byte, out);
    }
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
    fputs(cli_report_colours(stderr) ? "\033[1;31mlayertap:\033[0m " : "layertap: ", stderr);
    print_plain(stderr, error->message);
    fputc('\n', stderr);
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
    print_plain(stderr, text);
    fputc('\n', stderr);
}

ltap_status cli_report_flush(ltap_error *error)
{
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout))
        return cli_error_set(error, LTAP_ERROR_FILE, "standard output: %s",
                             errno ? strerror(errno) : "not all of it could be written");
    return LTAP_OK;
}
