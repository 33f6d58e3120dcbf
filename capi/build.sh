#!/bin/sh
# Builds the C library: capi/build.sh OUTPUT [flags of "go build"…]
#
#   capi/build.sh build/libpgqrs.so
#   STRIP=0 capi/build.sh build/valgrind/libpgqrs.so -tags valgrind
#   capi/build.sh build/panic/libpgqrs.so -tags pgqrs_panic
#
# This is the only place that knows how; Makefile and setup.py call it.
# Environment: GO, CC, and all that "go build" reads (GOOS and GOARCH build for another
# machine, with a CC that can); STRIP=0 keeps symbols.
set -eu

# The folder, as other programs write it: the shells of Windows have paths of their own.
here() { pwd -W 2>/dev/null || pwd; }

output=${1:?usage: capi/build.sh OUTPUT [flags of "go build"…]}
shift
capi=$(cd "$(dirname "$0")" && here)
mkdir -p "$(dirname "$output")"
output=$(cd "$(dirname "$output")" && here)/$(basename "$output")

# Only what pgqrs.h declares is exported; nothing is ever unloaded. The quotes are
# for paths with spaces: "go build" and the linker behind it split by them.
name=$(basename "$output")
case $("${GO:-go}" env GOOS) in
darwin) link="-Wl,-exported_symbol,_pgqrs_* -Wl,-install_name,@rpath/$name" ;;
windows)
  # A linker for Windows takes a list of names, and no patterns.
  exports=${output%.*}.def
  { echo EXPORTS && sed -n 's/^[a-z].*[ *]\(pgqrs_[a-z_]*\)(.*/  \1/p' "$capi/pgqrs.h"; } >"$exports"
  link="\"$exports\""
  ;;
*)
  link="\"-Wl,--version-script=$capi/pgqrs.map\" -Wl,-soname,$name -Wl,-z,nodelete"
  [ "${STRIP:-1}" != 1 ] || link="$link -Wl,-s" # zig cc does not heed the -s that Go gives it
  ;;
esac
strip="-s -w -buildid=" # else the path of the clone is in it
[ "${STRIP:-1}" = 1 ] || strip="-s=false" # -ldflags must not begin with a quote

cd "$capi/.."
CGO_ENABLED=1 "${GO:-go}" build -trimpath -buildmode=c-shared \
  -ldflags="$strip '-extldflags=$link'" "$@" -o "$output" ./capi

# cgo writes a header for what Go exports; pgqrs.h is the one to use.
rm -f "${output%.*}.h" "${output%.*}.def"
