#!/bin/sh
# Builds the C library and the programs beside this file, and runs them as a
# stranger would: capi/ctest/run.sh [plain] [asan] [valgrind], all when none is named.
#
#   plain     the library as it is shipped, its symbols, and the header by itself
#   asan      the programs under the address, leak and undefined behaviour sanitizers
#   valgrind  the library with Go's tag valgrind, under memcheck
#
# On memory://, and plain and asan on PGQRS_TEST_DSN too where that is set. The last
# line is "N passed, N failed"; the exit status is 0 when none failed. What a
# failing program printed stands before it.
set -u

here=$(cd "$(dirname "$0")" && pwd)
capi=$(dirname "$here")
build=$(dirname "$capi")/build/ctest
cc=${CC:-cc}
flags="-std=c11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror -Wno-format-zero-length -I$capi"
programs="first produce request settle stream log ring misuse threads fork"
server=${PGQRS_TEST_DSN:-}
passed=0
failed=0

# verdict NAME STATUS: counts one test.
verdict() {
  if [ "$2" -eq 0 ]; then
    passed=$((passed + 1))
    echo "ok   $1"
  else
    failed=$((failed + 1))
    echo "FAILED $1 (status $2)"
  fi
}

# library DIRECTORY SETTINGS FLAGS…: builds one variant of the library.
library() {
  directory=$1 settings=$2
  shift 2
  # shellcheck disable=SC2086 # a list of NAME=value
  env $settings "$capi/build.sh" "$build/$directory/libpgqrs.so" "$@" || {
    echo "FAILED to build the library ($directory)"
    exit 1
  }
}

# compile MODE LIBRARY PROGRAM FLAGS…: builds build/MODE/PROGRAM.
compile() {
  mode=$1 library=$2 program=$3
  shift 3
  mkdir -p "$build/$mode"
  harness="$here/harness.c"
  [ "$program" != first ] || harness="" # it is an example, and stands alone
  # shellcheck disable=SC2086 # lists of words
  "$cc" $flags "$@" "$here/$program.c" $harness -o "$build/$mode/$program" \
    -L"$build/$library" -lpgqrs -Wl,-rpath,"$build/$library" -pthread || {
    echo "FAILED to compile $program ($mode)"
    exit 1
  }
}

# execute NAME DSN COMMAND…: runs a program; its output shows only when it fails.
execute() {
  name=$1
  PGQRS_TEST_DSN=$2
  export PGQRS_TEST_DSN
  shift 2
  log=$build/log
  timeout 300 "$@" >"$log" 2>&1
  status=$?
  [ $status -eq 0 ] || sed 's/ passed, / good, /' "$log" # the last line alone counts
  verdict "$name" $status
}

# everywhere NAME COMMAND…: on memory://, and on the server where there is one.
everywhere() {
  name=$1
  shift
  execute "$name, memory" "" "$@"
  [ -z "$server" ] || execute "$name, server" "$server" "$@"
}

# Every function that the header declares is exported, and nothing else.
symbols() {
  sed -e 's|/\*.*\*/||' -e '\|/\*|,\|\*/|d' "$capi/pgqrs.h" | grep -o 'pgqrs_[a-z_]*(' | tr -d '(' | sort >"$build/declared"
  nm -D --defined-only "$build/shipped/libpgqrs.so" | awk '{ print $3 }' | sort >"$build/exported"
  diff "$build/declared" "$build/exported" && [ -s "$build/declared" ]
  verdict "plain: what is declared is exported, and nothing else" $?
}

# The header needs nothing before it, in C and in C++.
header() {
  echo '#include "pgqrs.h"' | "$cc" -std=c99 -pedantic -Wall -Wextra -Werror -I"$capi" -fsyntax-only -x c -
  verdict "plain: the header in C99" $?
  echo '#include "pgqrs.h"' | "$cc" -std=c++11 -Wall -Wextra -Werror -I"$capi" -fsyntax-only -x c++ -
  verdict "plain: the header in C++11" $?
}

plain() {
  library shipped ""
  library panic "" -tags pgqrs_panic
  symbols
  header
  for program in $programs; do
    compile plain shipped "$program"
    everywhere "plain: $program" "$build/plain/$program"
  done
  compile plain panic panic
  everywhere "plain: panic" "$build/plain/panic"
}

asan() {
  library symbols "STRIP=0"
  for program in $programs leak; do
    compile asan symbols "$program" -fsanitize=address,undefined -fno-sanitize-recover -fno-omit-frame-pointer
  done
  for program in $programs; do
    everywhere "asan: $program" "$build/asan/$program"
  done
  # A sanitizer that sees nothing would pass everything.
  PGQRS_TEST_DSN="" "$build/asan/leak" >"$build/log" 2>&1
  grep -q 'LeakSanitizer: detected memory leaks' "$build/log"
  verdict "asan: the sanitizer sees a leak" $?
}

# Valgrind 3.19 reads DWARF 4 at most. Go's preemption by signal writes below the
# stack pointer that valgrind knows, and Go's collector reuses blocks that valgrind
# takes for allocated: both are off here; plain and asan run with them.
memcheck="env GODEBUG=asyncpreemptoff=1 GOGC=off valgrind -q --trace-children=yes --error-exitcode=9
  --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite"

under_valgrind() {
  library valgrind "GOEXPERIMENT=nodwarf5 STRIP=0" -tags valgrind,pgqrs_panic
  for program in $programs panic leak; do
    compile valgrind valgrind "$program"
  done
  for program in $programs panic; do
    # shellcheck disable=SC2086 # a list of words
    execute "valgrind: $program, memory" "" $memcheck --suppressions="$here/valgrind.supp" "$build/valgrind/$program"
  done
  # shellcheck disable=SC2086 # a list of words
  PGQRS_TEST_DSN="" $memcheck --suppressions="$here/valgrind.supp" "$build/valgrind/leak" >"$build/log" 2>&1
  grep -q 'face_allocate' "$build/log" # where the leaked memory came from
  verdict "valgrind: memcheck sees a leak" $?
}

mkdir -p "$build"
for mode in ${*:-plain asan valgrind}; do
  case $mode in
  plain) plain ;;
  asan) asan ;;
  valgrind)
    command -v valgrind >/dev/null || {
      echo "FAILED valgrind is not installed: make deps"
      exit 1
    }
    under_valgrind
    ;;
  *)
    echo "usage: run.sh [plain] [asan] [valgrind]"
    exit 2
    ;;
  esac
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
