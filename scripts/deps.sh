#!/bin/sh
# Installs what `make test` can use beyond Go, Python and a C compiler: a second
# PostgreSQL, a pooler and valgrind; spin for `make model`; and PgQ, which `make bench`
# compares with. As root on Debian and its kin; else says how.
set -eu
packages="postgresql pgbouncer valgrind spin gcc g++ libc6-dev python3-venv"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update
  # The tests start servers of their own: no cluster shall be made and started.
  mkdir -p /etc/postgresql-common/createcluster.d
  echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.d/pgqrs.conf
  # shellcheck disable=SC2086 # several packages
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages
  for server in /usr/lib/postgresql/*; do
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      "postgresql-${server##*/}-pgq3" || echo "no PgQ for PostgreSQL ${server##*/}: make bench goes without"
  done
else
  echo "sudo apt-get update && sudo apt-get install -y --no-install-recommends $packages"
fi
