/* The man page, in plain roff, from the tables of options and the commands' own paragraphs. */
#include "cli/options.h"
#include <layertap/model.h>
#include <string.h>

/* Backslashes and dashes mean something to roff, and so do dots and quotes that begin a line. A
 * line that begins with a space is shown as typed. */
static void put_text(FILE *out, const char *text)
{
    int at_start = 1, as_typed = 0;
    for (; *text; text++) {
        if (at_start && (*text == ' ') != as_typed) {
            as_typed = !as_typed;
            fputs(as_typed ? ".nf\n" : ".fi\n", out);
        }
        if (at_start && (*text == '.' || *text == '\''))
            fputs("\\&", out);
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else
            fputc(*text, out);
        at_start = *text == '\n';
    }
    fputs(at_start ? "" : "\n", out);
    fputs(as_typed ? ".fi\n" : "", out);
}

static void put_option(FILE *out, const cli_option *option)
{
    fputs(".TP\n", out);
    if (option->letter)
        fprintf(out, "\\fB\\-%c\\fR, ", option->letter);
    fputs("\\fB\\-\\-", out);
    for (const char *c = option->name; *c; c++)
        fputs(*c == '-' ? "\\-" : (const char[]){*c, 0}, out);
    fprintf(out, "\\fR%s%s\n", option->argument ? " " : "",
            option->argument ? option->argument : "");
    put_text(out, option->help);
}

static void put_command(FILE *out, const cli_command *command)
{
    fprintf(out, ".SH \"%s\"\n", command->name);
    fprintf(out, ".B layertap %s\n", command->name);
    put_text(out, command->operands);
    fputs(".PP\n", out);
    put_text(out, command->summary);
    for (size_t i = 0; command->details && command->details[i]; i++) {
        fputs(".PP\n", out);
        put_text(out, command->details[i]);
    }
    for (size_t i = 0; i < command->n_options; i++)
        put_option(out, &command->options[i]);
}

static void put_networks(FILE *out)
{
    const char *name;
    fputs(".SH NETWORKS\n", out);
    put_text(out,
             "A checkpoint (.pth, .safetensors) holds weights alone. Its network is recognised by "
             "their names and shapes; --arch NAME says which one it must be, and with a plus what "
             "no shape tells: googlenet+transform_input, inception_v3+transform_input, "
             "vit+heads=6, resnet50+output_stride=8, deeplabv3_resnet50+output_stride=16"
             "+rates=6,12,18. NAME is a family, whatever the sizes in the file, or a network:\n");
    fputs(".PP\n", out);
    for (size_t i = 0; (name = ltap_model_arch_at(i)) != NULL; i++) {
        fputs(i > 0 ? ", " : "", out);
        fputs(name, out);
    }
    fputs(".\n", out);
}

void cli_man_print(FILE *out)
{
    fprintf(out, ".TH LAYERTAP 1 \"\" \"layertap %s\" \"User commands\"\n", ltap_version());
    fputs(".SH NAME\nlayertap \\- tap the inner layers of neural networks\n", out);
    fputs(".SH SYNOPSIS\n", out);
    for (size_t i = 0; i < cli_commands_count; i++) {
        if (cli_commands[i].hidden)
            continue;
        fprintf(out, ".B layertap %s\n", cli_commands[i].name);
        put_text(out, cli_commands[i].operands);
        fputs(".br\n", out);
    }
    fputs(".B layertap \\-\\-version\n[\\-\\-verbose]\n", out);
    fputs(".SH DESCRIPTION\n", out);
    put_text(out, "Give it a model file and the names of the layers you want. It keeps only what "
                  "those layers need, runs it, and writes their outputs under the names you chose. "
                  "Options may stand anywhere; \"--\" ends them; \"-\" is standard input or "
                  "output.\n");
    for (size_t i = 0; i < cli_commands_count; i++) {
        if (!cli_commands[i].hidden)
            put_command(out, &cli_commands[i]);
    }
    put_networks(out);
    fputs(".SH \"EXIT STATUS\"\n", out);
    put_text(
        out,
        "0: done. 1: the work failed (unknown layer, bad file, refused memory). 2: the "
        "command line is wrong. 3: diff found a difference. Interrupted, layertap ends by the signal itself and "
        "leaves nothing half-written.\n");
    fputs(".SH ENVIRONMENT\n", out);
    put_text(out,
             "NO_COLOR: when set and not empty, no colours. Without it, only on a terminal.\n");
}
