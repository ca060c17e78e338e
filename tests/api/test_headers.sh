#!/bin/sh
# Each public header alone, as C11 and, where there is a C++ compiler, as C++17; without a warning.
# usage: test_headers.sh INCLUDE_DIR CC [CXX]
set -u
include=$1 cc=$2 cxx=${3:-}
bad=0

check() { # compiler, language, standard, header
    printf '#include <layertap/%s>\nextern int not_empty;\n' "$4" |
        $1 -x "$2" -std="$3" -pedantic -Wall -Wextra -Werror -I "$include" -fsyntax-only - ||
        { echo "$4 does not stand alone as $3"; bad=1; }
}

for path in "$include"/layertap/*.h; do
    header=${path##*/}
    check "$cc" c c11 "$header"
    [ -z "$cxx" ] || check "$cxx" c++ c++17 "$header"
done
exit $bad
