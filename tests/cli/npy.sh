#!/bin/sh
# Writes an array of zeros: npy FILE DTYPE DIM...   npy x.npy '<f4' 1 3 32 32
set -eu
file=$1 dtype=$2
shift 2
count=1 shape=
for dim; do
    count=$((count * dim)) shape="$shape$dim, "
done
header=$(printf "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }" "$dtype" "$shape")
{
    printf '\223NUMPY\001\000\166\000'
    printf '%-117s\n' "$header"
    head -c "$((count * ${dtype#??}))" /dev/zero
} >"$file"
