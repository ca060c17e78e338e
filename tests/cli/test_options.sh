#!/bin/sh
# Every option of every command is in its --help, in the man page and in the three completions; help
# fits one screen; bash completes commands, options and the layer names of the model on the line.
# usage: test_options.sh LAYERTAP SOURCE_ROOT
set -u
tool=$1 root=$2 bad=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
complain() { echo "$*"; bad=1; }

for page in man bash zsh fish; do "$tool" generate $page >"$work/$page"; done
sed 's/\\-/-/g' "$work/man" >"$work/plain"
"$tool" generate options >"$work/options"
[ "$(wc -l <"$work/options")" -gt 30 ] || complain "few options: $(wc -l <"$work/options")"
while read -r command option; do
    case $command in generate) continue ;; esac
    "$tool" "$command" --help | grep -q -e "--$option\>" || complain "$command --help: no --$option"
    grep -q -e "--$option\>" "$work/plain" || complain "man: no --$option"
    grep -q -e "--$option\>" "$work/bash" || complain "bash: no --$option"
    grep -q -e "--$option\>" "$work/zsh" || complain "zsh: no --$option"
    grep -q -e "-l $option\>" "$work/fish" || complain "fish: no -l $option"
done <"$work/options"

for command in layers extract bench diff; do
    [ "$("$tool" $command --help | wc -l)" -le 24 ] || complain "$command --help: more than 24 lines"
    [ "$("$tool" $command --help | awk '{ if (length($0) > n) n = length($0) } END { print n }')" \
        -le 100 ] || complain "$command --help: wider than 100 columns"
done

if command -v bash >/dev/null; then
    ln -s "$(realpath "$tool")" "$work/layertap"
    complete() { # line, expected answers
        got=$(cd "$root/tests/cli/data" && PATH=$work:$PATH bash -c "
            source '$work/bash'
            COMP_LINE=\$1 COMP_POINT=\${#1}
            _layertap
            printf '%s ' \"\${COMPREPLY[@]}\"" bash "$1" 2>&1)
        [ "$got" = "$2 " ] || complain "after '$1' bash offers '$got', not '$2'"
    }
    complete 'layertap ext' 'extract'
    complete 'layertap extract tiny.onnx --sep' '--separate'
    complete 'layertap extract tiny.onnx -r layer2' 'layer2 layer2.0 layer2.1'
    complete 'layertap extract tiny.onnx --return layer1.0.relu' 'layer1.0.relu#0 layer1.0.relu#1'
    complete 'layertap extract tiny.onnx -r conv1:f' 'folded'
    complete 'layertap extract tiny.onnx --calls ' 'first last'
    complete 'layertap layers net.pth --arch regnet_x_8' 'regnet_x_800mf regnet_x_8gf'
    bash -n "$work/bash" || complain "bash cannot read its completions"
fi
if command -v zsh >/dev/null; then zsh -n "$work/zsh" || complain "zsh cannot read its"; fi
if command -v fish >/dev/null; then fish -n "$work/fish" || complain "fish cannot read its"; fi
if command -v groff >/dev/null; then
    [ -z "$(groff -man -Tascii -ww "$work/man" 2>&1 >/dev/null)" ] || complain "groff warns"
fi
exit $bad
