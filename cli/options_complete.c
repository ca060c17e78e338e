/* Completions for bash, zsh and fish, from the tables of options. After -r, all three offer the
 * layer names of the model that stands on the line, by asking "layertap layers --names". */
#include "cli/options.h"
#include <layertap/model.h>
#include <string.h>

typedef struct shell {
    const char *name;
    void (*print)(FILE *out);
} shell;

static int visible(const cli_command *command)
{
    return !command->hidden;
}

/* --- bash ------------------------------------------------------------------------------------ */

/* bash splits words at ':' and '=', which layer names hold; so the word is taken from the line, and
 * what stands before its last ':' or '=' is cut from the answers again. */
static const char bash_opening[] =
    "# bash completion for layertap, written by \"layertap generate bash\"\n"
    "_layertap_layers() {\n"
    "    local word\n"
    "    for word in \"${words[@]:2}\"; do\n"
    "        [[ $word != -* && -f $word ]] || continue\n"
    "        layertap layers --names -- \"$word\" 2>/dev/null\n"
    "        return\n"
    "    done\n"
    "}\n"
    "_layertap() {\n"
    "    local line=${COMP_LINE:0:COMP_POINT} words cur prev command answers cut\n"
    "    local IFS=$' \\t\\n'\n"
    "    read -ra words <<< \"$line\"\n"
    "    cur=${line##*[[:space:]]}\n"
    "    if [[ -n $cur ]]; then prev=${words[-2]}; else prev=${words[-1]}; fi\n"
    "    command=${words[1]}\n"
    "    cut=${cur%\"${cur##*[:=]}\"}\n"
    "    IFS=$'\\n'\n"
    "    case \"$command $prev\" in\n";

static const char bash_closing[] = "    esac\n"
                                   "    COMPREPLY=($(compgen -W \"$answers\" -- \"$cur\"))\n"
                                   "    COMPREPLY=(\"${COMPREPLY[@]#\"$cut\"}\")\n"
                                   "}\n"
                                   "complete -o default -F _layertap layertap\n";

/* What an option's value may be. separator: "\\n" or " ". */
static void put_words(FILE *out, const char *complete, const char *separator)
{
    const char *name;
    if (strcmp(complete, "arch") != 0)
        for (; *complete; complete++)
            fputs(*complete == ' ' ? separator : (const char[]){*complete, 0}, out);
    else
        for (size_t i = 0; (name = ltap_model_arch_at(i)) != NULL; i++)
            fprintf(out, "%s%s", i > 0 ? separator : "", name);
}

static void bash_value(FILE *out, const cli_command *command, const cli_option *option)
{
    if (!option->argument)
        return;
    fprintf(out, "    \"%s --%s\"", command->name, option->name);
    if (option->letter)
        fprintf(out, " | \"%s -%c\"", command->name, option->letter);
    const char *what = option->complete ? option->complete : "";
    if (strcmp(what, "layer") == 0)
        fputs(") answers=$(_layertap_layers) ;;\n", out);
    else if (strcmp(what, "folder") == 0)
        fputs(") COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n", out);
    else if (strcmp(what, "file") == 0 || !what[0])
        fputs(") return ;;\n", out);
    else {
        fputs(") answers=$'", out);
        put_words(out, what, "\\n");
        fputs("' ;;\n", out);
    }
}

static void print_bash(FILE *out)
{
    fputs(bash_opening, out);
    for (size_t c = 0; c < cli_commands_count; c++) {
        const cli_command *command = &cli_commands[c];
        for (size_t i = 0; visible(command) && i < command->n_options; i++)
            bash_value(out, command, &command->options[i]);
    }
    for (size_t c = 0; c < cli_commands_count; c++) {
        const cli_command *command = &cli_commands[c];
        if (!visible(command))
            continue;
        fprintf(out, "    \"%s \"*)\n        [[ $cur == -* ]] || return\n        answers=$'",
                command->name);
        for (size_t i = 0; i < command->n_options; i++)
            fprintf(out, "--%s\\n", command->options[i].name);
        fputs("' ;;\n", out);
    }
    fputs("    *) answers=$'", out);
    for (size_t c = 0; c < cli_commands_count; c++) {
        if (visible(&cli_commands[c]))
            fprintf(out, "%s\\n", cli_commands[c].name);
    }
    fputs("help\\n--version\\n--help\\n' ;;\n", out);
    fputs(bash_closing, out);
}

/* --- zsh ------------------------------------------------------------------------------------- */

static void zsh_quoted(FILE *out, const char *text, const char *special)
{
    for (; *text; text++) {
        if (strchr(special, *text))
            fputc('\\', out);
        fputs(*text == '\'' ? "'\\''" : (const char[]){*text, 0}, out);
    }
}

static void zsh_option(FILE *out, const cli_option *option)
{
    fputs("        '*'", out);
    if (option->letter)
        fprintf(out, "{-%c,--%s}", option->letter, option->name);
    else
        fprintf(out, "--%s", option->name);
    fputs("'[", out);
    zsh_quoted(out, option->help, "[]");
    fputc(']', out);
    if (option->argument) {
        const char *what = option->complete ? option->complete : "";
        fputc(':', out);
        zsh_quoted(out, option->argument, ":");
        if (strcmp(what, "layer") == 0)
            fputs(":_layertap_layers", out);
        else if (strcmp(what, "file") == 0)
            fputs(":_files", out);
        else if (strcmp(what, "folder") == 0)
            fputs(":_files -/", out);
        else {
            fputs(":(", out);
            put_words(out, what, " ");
            fputc(')', out);
        }
    }
    fputs("' \\\n", out);
}

static void print_zsh(FILE *out)
{
    fputs("#compdef layertap\n# zsh completion, written by \"layertap generate zsh\"\n"
          "_layertap_layers() {\n    local word\n    for word in ${words[2,-1]}; do\n"
          "        [[ $word != -* && -f $word ]] || continue\n"
          "        compadd -- ${(f)\"$(layertap layers --names -- $word 2>/dev/null)\"}\n"
          "        return\n    done\n}\n_layertap() {\n    if (( CURRENT == 2 )); then\n"
          "        compadd --",
          out);
    for (size_t c = 0; c < cli_commands_count; c++)
        fprintf(out, "%s%s", visible(&cli_commands[c]) ? " " : "",
                visible(&cli_commands[c]) ? cli_commands[c].name : "");
    fputs(" help --version --help\n        return\n    fi\n    local command=$words[2]\n"
          "    shift words\n    (( CURRENT-- ))\n    case $command in\n",
          out);
    for (size_t c = 0; c < cli_commands_count; c++) {
        const cli_command *command = &cli_commands[c];
        if (!visible(command))
            continue;
        fprintf(out, "    %s) _arguments -s \\\n", command->name);
        for (size_t i = 0; i < command->n_options; i++)
            zsh_option(out, &command->options[i]);
        fputs("        '*:file:_files' ;;\n", out);
    }
    fputs("    esac\n}\n_layertap \"$@\"\n", out);
}

/* --- fish ------------------------------------------------------------------------------------ */

static void fish_option(FILE *out, const cli_command *command, const cli_option *option)
{
    const char *what = option->complete ? option->complete : "";
    fprintf(out, "complete -c layertap -n '__fish_seen_subcommand_from %s' -l %s", command->name,
            option->name);
    if (option->letter)
        fprintf(out, " -s %c", option->letter);
    if (strcmp(what, "layer") == 0)
        fputs(" -x -a '(__layertap_layers)'", out);
    else if (strcmp(what, "file") == 0 || strcmp(what, "folder") == 0)
        fputs(" -r -F", out);
    else if (option->argument) {
        fputs(" -x -a '", out);
        put_words(out, what, " ");
        fputc('\'', out);
    }
    fputs(" -d '", out);
    for (const char *c = option->help; *c; c++)
        fputs(*c == '\'' ? "\\'" : (const char[]){*c, 0}, out);
    fputs("'\n", out);
}

static void print_fish(FILE *out)
{
    fputs("# fish completion for layertap, written by \"layertap generate fish\"\n"
          "function __layertap_layers\n    for word in (commandline -opc)[3..-1]\n"
          "        if not string match -q -- '-*' $word; and test -f $word\n"
          "            layertap layers --names -- $word 2>/dev/null\n            return\n"
          "        end\n    end\nend\n",
          out);
    for (size_t c = 0; c < cli_commands_count; c++) {
        const cli_command *command = &cli_commands[c];
        if (!visible(command))
            continue;
        fprintf(out, "complete -c layertap -n __fish_use_subcommand -f -a %s -d '%s'\n",
                command->name, command->summary);
        for (size_t i = 0; i < command->n_options; i++)
            fish_option(out, command, &command->options[i]);
    }
}

void cli_completion_print(FILE *out, const char *shell_name)
{
    static const shell shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (strcmp(shells[i].name, shell_name) == 0)
            shells[i].print(out);
    }
}
