#!/bin/sh
# Runs a wheel for another architecture by qemu: scripts/emulated.sh aarch64 WHEEL
#
# Its Python is Debian's, unpacked into build/ARCHITECTURE and not installed; what the wheel
# requires comes from PyPI. It produces and consumes in memory, and on a server for tests,
# which is this machine's own. Needs qemu-user-static, apt-get and Go.
set -eu
machine=${1:?usage: scripts/emulated.sh ARCHITECTURE WHEEL}
wheel=$(realpath "${2:?usage: scripts/emulated.sh ARCHITECTURE WHEEL}")
cd "$(dirname "$0")/.."
case $machine in
aarch64) debian=arm64 ;;
x86_64) debian=amd64 ;;
*) echo "no Debian architecture is known for $machine" >&2 && exit 2 ;;
esac
root=$PWD/build/$machine

# An apt of its own, which knows nothing of what is installed here.
if [ ! -e "$root/complete" ]; then
  rm -rf "$root"
  mkdir -p "$root/apt/lists/partial" "$root/apt/cache/archives/partial" "$root/system"
  : >"$root/apt/status"
  cat >"$root/apt/conf" <<EOF
APT::Architecture "$debian";
APT::Architectures { "$debian"; };
APT::Install-Recommends "false";
APT::Sandbox::User "$(id -un)";
Dir::State "$root/apt";
Dir::State::status "$root/apt/status";
Dir::Cache "$root/apt/cache";
EOF
  export APT_CONFIG="$root/apt/conf"
  apt-get update -qq
  apt-get install -qq --download-only --yes python3 >/dev/null
  for package in "$root"/apt/cache/archives/*.deb; do dpkg -x "$package" "$root/system"; done
  touch "$root/complete"
fi

python=$(basename "$(readlink "$root/system/usr/bin/python3")") # python3.11
version=${python#python}
tags="--platform manylinux_2_17_$machine --platform manylinux2014_$machine --platform manylinux_2_28_$machine"
rm -rf "$root/packages"
# shellcheck disable=SC2086 # several options
python -m pip install --quiet --target "$root/packages" --only-binary :all: \
  --python-version "$version" --implementation cp $tags "$wheel"

go build -buildvcs=false -o build/testserver ./core/internal/testserver/run
export PYTHONPATH="$root/packages" PGQRS_MACHINE="$machine" PGQRS_PYTHON="$root/system/usr/bin/$python"
# shellcheck disable=SC2016 # expanded inside, where the server's DSN is known
build/testserver sh -euc 'for dsn in memory://emulated "$PGQRS_TEST_DSN"; do
  "qemu-$PGQRS_MACHINE-static" -L "${PGQRS_PYTHON%/usr/bin/*}" "$PGQRS_PYTHON" -W error \
    python/tests/packaging/programs/round_trip.py "$dsn"
done'
