#!/bin/sh
# Each ```c block with an #include, in README and docs, is a program that compiles without a warning.
# usage: test_programs.sh SOURCE_ROOT CC
set -u
root=$1 cc=$2 bad=0 count=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for document in "$root"/README.md "$root"/docs/*.md; do
    rm -f "$work"/*.c
    awk -v base="$work/" '/^```c$/ { n++; inside = 1; next } /^```/ { inside = 0 }
        inside { print > (base n ".c") }' "$document"
    for program in "$work"/*.c; do
        [ -e "$program" ] && grep -q '^#include <layertap' "$program" || continue
        count=$((count + 1))
        "$cc" -std=c11 -Wall -Wextra -Werror -I "$root/include" -fsyntax-only "$program" ||
            { echo "in ${document#"$root"/}"; bad=1; }
    done
done
[ $count -gt 0 ] || { echo "no programs found"; exit 1; }
exit $bad
