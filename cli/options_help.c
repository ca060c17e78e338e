/* --help, on one screen: the usage line, a sentence, a line an option. Options that belong together
 * (the single steps of preprocessing, say) share a line; the man page tells each apart. */
#include "cli/options.h"
#include "cli/text.h"
#include <string.h>

enum { NAME_WIDTH = 30 };

static size_t spelled(char *text, size_t size, const cli_option *option, int with_argument)
{
    char letter[8] = "";
    if (option->letter)
        snprintf(letter, sizeof(letter), "-%c, ", option->letter);
    const char *argument = with_argument && option->argument ? option->argument : "";
    int n =
        snprintf(text, size, "%s--%s%s%s", letter, option->name, argument[0] ? " " : "", argument);
    return n < 0 ? 0 : (size_t)n;
}

/* An option by itself, or the one that opens a shared line, with those after it. Returns how many
 * options the line took. */
static size_t print_line(FILE *out, const cli_option *options, size_t n_options)
{
    char names[256], one[128];
    int shared = options[0].row != NULL;
    spelled(names, sizeof(names), &options[0], !shared);
    size_t taken = 1;
    while (shared && taken < n_options && options[taken].row && !options[taken].row[0]) {
        spelled(one, sizeof(one), &options[taken++], 0);
        cli_text_add(names, sizeof(names), ", %s", one);
    }
    const char *help = shared ? options[0].row : options[0].help;
    const char *indent = options[0].letter ? "  " : "      ";
    fprintf(out, "%s%-*s  %s\n", indent, NAME_WIDTH - (int)strlen(indent), names, help);
    return taken;
}

void cli_help_print(FILE *out, const cli_command *command)
{
    fprintf(out, "layertap %s %s\n%s\n\n", command->name, command->operands, command->summary);
    size_t i = 0;
    while (i < command->n_options)
        i += print_line(out, &command->options[i], command->n_options - i);
}

void cli_help_overview(FILE *out)
{
    fputs("layertap taps the inner layers of neural networks.\n\n", out);
    for (size_t i = 0; i < cli_commands_count; i++) {
        const cli_command *command = &cli_commands[i];
        if (!command->hidden)
            fprintf(out, "  layertap %-8s %s\n", command->name, command->summary);
    }
    fputs("\n  layertap COMMAND --help        the options of a command\n"
          "  layertap --version [--verbose] version; processor features and kernels in use\n\n"
          "A first try:\n"
          "  layertap layers resnet18.onnx\n"
          "  layertap extract resnet18.onnx -r layer1=feat1 -r layer3=feat2 cat.jpg -o cat.npz\n",
          out);
}
