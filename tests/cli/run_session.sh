#!/bin/sh
# Replays a session and compares what is printed, stdout and stderr as a terminal shows them.
# usage: run_session.sh LAYERTAP SOURCE_ROOT SESSION
#
# In a session, "$ " begins a command, what follows is its output; "[exit 1]" ends it where the
# status is not 0; lines that begin with "# " are comments. In a Markdown file, only fenced blocks
# whose first line begins with "$ layertap" are a session. Times are not compared. With UPDATE=1 the
# session is written anew with what was printed: read the diff before you believe it.
set -u
root=$(cd "$2" && pwd)
tool=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
session=$(cd "$(dirname "$3")" && pwd)/$(basename "$3")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/dir"
ln -s "$tool" "$work/bin/layertap"
ln -s "$root/tests/cli/npy.sh" "$work/bin/npy"
cd "$work/dir" || exit 1
ln -s "$root"/tests/cli/data/*.onnx "$root"/models/*.onnx "$root"/models/pictures/* .
PATH=$work/bin:$PATH LC_ALL=C
export PATH LC_ALL
unset NO_COLOR

plain() { sed -E 's/ in [0-9.]+ (ms|s)/ in * ms/; s/[[:space:]]+$//'; }

# Command substitution drops blank lines at the end, which separate one command from the next.
finish() {
    [ -n "$command" ] || return 0
    got=$(eval "$command" 2>&1 </dev/null; status=$?; [ $status -eq 0 ] || echo "[exit $status]")
    printf '$ %s\n' "$command" >>"$work/new"
    [ -z "$got" ] || printf '%s\n' "$got" >>"$work/new"
    echo >>"$work/new"
    printf '%s\n' "$expected" | plain >"$work/expected"
    printf '%s\n' "$got" | plain >"$work/got"
    cmp -s "$work/expected" "$work/got" && return
    printf '$ %s\n' "$command"
    diff -u "$work/expected" "$work/got" | sed 1,2d
    bad=$((bad + 1))
}

case $session in
*.md) awk '/^```/ { inside = !inside; first = inside; next }
           inside { if (first) wanted = /^\$ layertap/; first = 0; if (wanted) print }' "$session" ;;
*) cat "$session" ;;
esac >"$work/session"

bad=0 command= expected= count=0
while IFS= read -r line; do
    case $line in
    '$ '*)
        finish
        command=${line#\$ } expected= count=$((count + 1)) ;;
    '# '*) finish; command=; printf '%s\n' "$line" >>"$work/new" ;;
    *) expected=$(printf '%s\n%s.' "$expected" "$line") && expected=${expected%.}
       [ "$expected" = "
$line" ] && expected=$line ;;
    esac
    expected=$(printf '%s' "$expected")
done <"$work/session"
finish

if [ "${UPDATE:-0}" = 1 ]; then
    sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' "$work/new" >"$session"
    exit 0
fi
[ $count -gt 0 ] || { echo "no commands in $session"; exit 1; }
exit $((bad > 0))
