#!/bin/sh
# Runs an example and compares what it prints. usage: check.sh EXPECTED PROGRAM ARGUMENT...
set -u
expected=$1
shift
got=$("$@") || { echo "exit status $?"; exit 1; }
echo "$got" | diff -u "$expected" -
