#!/bin/sh
# Replays a session and compares what is printed, stdout and stderr as a terminal shows them.
# usage: run_session.sh LAYERTAP SOURCE_ROOT SESSION
#
# In a session, "$ " begins a command, what follows is its output; "[exit 1]" ends it where the
# status is not 0; lines that begin with "# " are comments. In a Markdown file, only fenced blocks
# whose first line begins with "$ layertap" are a session, and statuses are not shown. With UPDATE=1 a
# session that is no Markdown is written anew with what was printed: read the diff before you believe
# it.
set -u
root=$(cd "$2" && pwd)
tool=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
session=$(cd "$(dirname "$3")" && pwd)/$(basename "$3")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/dir"
ln -s "$tool" "$work/bin/layertap"
ln -s "$root/tests/cli/npy.sh" "$work/bin/npy"
ln -s "$root/tests/cli/rounded.sh" "$work/bin/rounded"
ln -s "$root/tests/formats/data" "$work/formats"
cd "$work/dir" || exit 1
is_document=0
case $session in
*.md) is_document=1
      ln -s "$root/models" . ;;
*) ln -s "$root"/tests/cli/data/*.onnx "$root"/tests/cli/data/*.npz "$root"/tests/formats/data/saved_calls.onnx "$root"/models/*.onnx "$root"/models/pictures/* . ;;
esac
case $session in
*/checkpoints.*) ln -s "$root"/tests/formats/data/*.pth "$root"/tests/formats/data/*.npz \
                       "$root"/tests/formats/data/*.safetensors "$root"/tests/formats/data/*.pt "$root"/tests/formats/data/*.mar \
                       "$root"/tests/formats/attacks/no_file.mar . ;;
esac
case $session in
*/keras.*) ln -s "$root"/tests/formats/data/lambda.keras "$root"/tests/formats/data/keras* . ;;
esac
PATH=$work/bin:$PATH LC_ALL=C
export PATH LC_ALL
unset NO_COLOR

# Times are not compared, nor blanks at the ends of lines, nor blank lines at the end, which separate
# one command from the next.
plain() {
    sed -E 's/ in [0-9.]+ (ms|s)/ in * ms/; s/[[:space:]]+$//' |
        awk '/./ { while (held-- > 0) print ""; held = 0; print; next } { held++ }'
}

finish() {
    [ -n "$command" ] || return 0
    { (eval "$command") 2>&1 </dev/null; echo "[exit $?]"; } | awk -v document=$is_document '
        NR > 1 { print last } { last = $0 }
        END { if (sub(/\[exit 0\]$/, "", last) || (document && sub(/\[exit [0-9]*\]$/, "", last)))
                  printf "%s", last
              else print last }' >"$work/raw"
    { printf '$ %s\n' "$command"; plain <"$work/raw"; echo; } >>"$work/new"
    plain <"$work/raw" >"$work/got"
    plain <"$work/expected" >"$work/wanted"
    cmp -s "$work/wanted" "$work/got" && return
    printf '$ %s\n' "$command"
    diff -u "$work/wanted" "$work/got" | sed 1,2d
    bad=$((bad + 1))
}

case $session in
*.md) awk '/^```/ { inside = !inside; first = inside; next }
           inside { if (first) wanted = /^\$ layertap/; first = 0; if (wanted) print }' "$session" ;;
*) cat "$session" ;;
esac >"$work/session"

bad=0 command= count=0
while IFS= read -r line; do
    case $line in
    '$ '*) finish
           command=${line#\$ } count=$((count + 1)) && : >"$work/expected" ;;
    '# '*) finish
           command=
           printf '%s\n' "$line" >>"$work/new" ;;
    *) printf '%s\n' "$line" >>"$work/expected" ;;
    esac
done <"$work/session"
finish

if [ "${UPDATE:-0}" = 1 ] && [ $is_document = 0 ]; then
    cat "$work/new" >"$session"
    exit 0
fi
[ $count -gt 0 ] || { echo "no commands in $session"; exit 1; }
exit $((bad > 0))
