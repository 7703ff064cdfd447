/* clary completion: tab completion for bash, zsh and fish, made from the tables of options. */

#include "cli/cli.h"

#include <stdio.h>

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

static const Option options[] = {
    {0},
};

static const char *const examples[] = {
    "source <(clary completion bash)",
    "clary completion zsh > ~/.zfunc/_clary",
    "clary completion fish > ~/.config/fish/completions/clary.fish",
    NULL,
};

static void add_option_words(const Command *command, StrBuf *out)
{
    for (const Option *option = command->options; option && option->name; option++)
        strbuf_addf(out, "--%s ", option->name);
    strbuf_add(out, STR("--help"));
}

static void add_algorithm_words(StrBuf *out)
{
    for (const Algorithm *const *each = algorithms; *each; each++)
        strbuf_addf(out, "%s%s", each == algorithms ? "" : " ", (*each)->name);
}

static void add_param_words(const Algorithm *algorithm, StrBuf *out)
{
    for (const Param *param = algorithm->params; param->type != PARAM_TYPE_END; param++)
        strbuf_addf(out, "%s--%s", param == algorithm->params ? "" : " ", param->name);
}

/* bash and zsh share one function; zsh runs it through bashcompinit. */
static void print_bash(StrBuf *out)
{
    strbuf_add(
        out,
        STR("_clary() {\n"
            "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=\n"
            "    COMPREPLY=()\n"
            "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        words=\""));
    for (const Command *const *each = commands; *each; each++)
        strbuf_addf(out, "%s ", (*each)->name);
    strbuf_add(out, STR("help --help --version\"\n    else\n        case ${COMP_WORDS[1]} in\n"));
    for (const Command *const *each = commands; *each; each++) {
        strbuf_addf(out, "        %s)\n            case $before in\n", (*each)->name);
        for (const Option *option = (*each)->options; option && option->name; option++) {
            if (!option->choices) continue;
            strbuf_addf(out, "            --%s) words=\"", option->name);
            for (int i = 0; option->choices[i]; i++)
                strbuf_addf(out, "%s%s", i ? " " : "", option->choices[i]);
            strbuf_add(out, STR("\" ;;\n"));
        }
        strbuf_add(out, STR("            *) [[ $word == -* ]] && words=\""));
        add_option_words(*each, out);
        strbuf_add(out, STR("\" ;;\n            esac\n"));
        if ((*each)->params || str_is(str_of((*each)->name), "algorithms")) {
            strbuf_add(out, STR("            [ \"$COMP_CWORD\" -eq 2 ] && words=\"$words "));
            add_algorithm_words(out);
            strbuf_add(out, STR("\"\n"));
        }
        if ((*each)->params) {
            strbuf_add(
                out,
                STR("            if [[ $word == -* ]]; then\n                case ${COMP_WORDS[2]} in\n"));
            for (const Algorithm *const *algorithm = algorithms; *algorithm; algorithm++) {
                strbuf_addf(out, "                %s) words=\"$words ", (*algorithm)->name);
                add_param_words(*algorithm, out);
                strbuf_add(out, STR("\" ;;\n"));
            }
            strbuf_add(out, STR("                esac\n            fi\n"));
        }
        strbuf_add(out, STR("            ;;\n"));
    }
    strbuf_add(
        out,
        STR("        esac\n    fi\n"
            "    [ -n \"$words\" ] && mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
            "}\ncomplete -o default -F _clary clary\n"));
}

static void print_zsh(StrBuf *out)
{
    strbuf_add(out, STR("#compdef clary\nautoload -U +X bashcompinit && bashcompinit\n"
                        "mapfile() { shift; COMPREPLY=(\"${(@f)$(cat)}\") }\n"));
    print_bash(out);
}

/* Single quotes of fish know no escapes but \' and \\. */
static void add_fish_text(StrBuf *out, const char *text)
{
    strbuf_add_char(out, '\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\') strbuf_add_char(out, '\\');
        strbuf_add_char(out, *text);
    }
    strbuf_add_char(out, '\'');
}

static void print_fish(StrBuf *out)
{
    for (const Command *const *each = commands; *each; each++) {
        strbuf_addf(out, "complete -c clary -n __fish_use_subcommand -f -a %s -d ", (*each)->name);
        add_fish_text(out, (*each)->summary);
        strbuf_add_char(out, '\n');
        for (const Option *option = (*each)->options; option && option->name; option++) {
            strbuf_addf(out, "complete -c clary -n '__fish_seen_subcommand_from %s' -l %s",
                        (*each)->name, option->name);
            if (option->letter) strbuf_addf(out, " -s %c", option->letter);
            if (option->value) strbuf_add(out, STR(" -r"));
            if (option->choices) {
                strbuf_add(out, STR(" -f -a '"));
                for (int i = 0; option->choices[i]; i++)
                    strbuf_addf(out, "%s%s", i ? " " : "", option->choices[i]);
                strbuf_add_char(out, '\'');
            }
            strbuf_add(out, STR(" -d "));
            add_fish_text(out, option->help);
            strbuf_add_char(out, '\n');
        }
    }
    for (const Algorithm *const *each = algorithms; *each; each++) {
        strbuf_addf(
            out, "complete -c clary -n '__fish_seen_subcommand_from train algorithms' -f -a %s -d ",
            (*each)->name);
        add_fish_text(out, (*each)->summary);
        strbuf_add_char(out, '\n');
        for (const Param *param = (*each)->params; param->type != PARAM_TYPE_END; param++) {
            strbuf_addf(out, "complete -c clary -n '__fish_seen_subcommand_from %s' -l %s -r -d ",
                        (*each)->name, param->name);
            add_fish_text(out, param->help ? param->help : "");
            strbuf_add_char(out, '\n');
        }
    }
}

static bool completion_run(const Args *args, bool *ret_usage, Error *err)
{
    if (args->n_positional != 1) return USAGE("say the shell: bash, zsh or fish");
    AUTO_STRBUF StrBuf text = STRBUF(1 << 20);
    Str shell = args->positional[0];
    if (str_is(shell, shells[0]))
        print_bash(&text);
    else if (str_is(shell, shells[1]))
        print_zsh(&text);
    else if (str_is(shell, shells[2]))
        print_fish(&text);
    else
        return USAGE("'%.*s' is none of bash, zsh and fish", STR_ARG(shell));
    fputs(strbuf_cstr(&text), stdout);
    return true;
}

const Command completion_command = {
    .name = "completion",
    .synopsis = "bash|zsh|fish",
    .summary = "tab completion for a shell",
    .examples = examples,
    .options = options,
    .run = completion_run,
};
