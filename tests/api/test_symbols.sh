#!/bin/sh
# What the shared library exports is what the public headers declare with LTAP_API: no more, no less.
# usage: test_symbols.sh LIBRARY INCLUDE_DIR CC
set -eu
library=$1 include=$2 cc=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

nm -D --defined-only "$library" | awk '$2 ~ /[TDBRVW]/ { sub(/@.*/, "", $3); print $3 }' |
    sort -u >"$work/exported"
echo '#include <layertap/layertap.h>' | "$cc" -E -P -x c -I "$include" - | tr '\n' ' ' |
    tr ';' '\n' | grep 'visibility("default")' | grep -o 'ltap_[a-z0-9_]* *(' | tr -d ' (' |
    sort -u >"$work/declared"
[ -s "$work/declared" ] || { echo "no declarations found"; exit 1; }
diff -u "$work/declared" "$work/exported"
