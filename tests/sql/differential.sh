#!/bin/sh
# differential.sh [FILE.slt...]: do the files expect what PostgreSQL answers? And does tsf answer random queries as it does?
# Starts a server of its own in a folder of its own, on a Unix socket, and takes it down again. Skips with a word where there
# is no PostgreSQL.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
skip() {
    echo "skipped: $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

bin=
for d in /usr/lib/postgresql/*/bin /usr/local/pgsql/bin; do
    [ -x "$d/initdb" ] && [ -x "$d/pg_ctl" ] && bin=$d
done
[ -n "$bin" ] || skip "no PostgreSQL server here (apt-get install postgresql)"
command -v python3 >/dev/null || skip "no python3"
command -v psql >/dev/null || skip "no psql"

dir=$(mktemp -d)
as_owner() { if [ "$(id -u)" = 0 ]; then su postgres -s /bin/sh -c "$1"; else sh -c "$1"; fi; }
finish() {
    as_owner "'$bin/pg_ctl' -D '$dir/data' -m immediate stop" >/dev/null 2>&1 || :
    rm -rf "$dir"
}
trap finish EXIT INT TERM
if [ "$(id -u)" = 0 ]; then
    id postgres >/dev/null 2>&1 || skip "root, and no user postgres to run the server"
    chown postgres "$dir"
fi
as_owner "'$bin/initdb' -D '$dir/data' -A trust -E UTF8 --locale=C.UTF-8 -U postgres" >/dev/null || skip "initdb fails"
as_owner "'$bin/pg_ctl' -D '$dir/data' -l '$dir/log' -w -o \"-c listen_addresses='' -c fsync=off -k '$dir'\" start" >/dev/null ||
    skip "the server does not start"
export PGHOST="$dir" PGUSER=postgres PGDATABASE=postgres
if [ $# -gt 0 ]; then
    python3 "$here/differential.py" "$@"
    exit
fi
status=0
python3 "$here/differential.py" "$here"/*.slt || status=1

# Random queries the other way round: PostgreSQL answers, tsf is asked. SEED and COUNT from outside for more of them.
sqllogic=${SQLLOGIC:-$here/../../build/release/tests/sql/sqllogic}
[ -x "$sqllogic" ] || exit $status
for seed in ${SEED:-1 2 3}; do
    rows=
    [ "$seed" != 3 ] || rows=20000
    # shellcheck disable=SC2086 # no rows, no word
    python3 "$here/random_queries.py" "$seed" "${COUNT:-800}" $rows >"$dir/random-$seed.slt"
    python3 "$here/differential.py" --write --loose "$dir/random-$seed.slt" >/dev/null
    "$sqllogic" "$dir/random-$seed.slt" || status=1
done
exit $status
