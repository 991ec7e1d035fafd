#!/bin/sh
# get_duckdb.sh [DIR]: put DuckDB's shared library, the benchmark's peer, into DIR (build/peers).
# Prints its path. $DUCKDB_LIB wins when set. Exits 1 with a word when it cannot be had.
set -u
dir=${1:-build/peers}
package=@duckdb/node-bindings-linux-x64

if [ -n "${DUCKDB_LIB:-}" ]; then
    [ -f "$DUCKDB_LIB" ] && echo "$DUCKDB_LIB" && exit 0
    echo "get_duckdb: DUCKDB_LIB=$DUCKDB_LIB is not there" >&2
    exit 1
fi
mkdir -p "$dir" || exit 1
dir=$(cd "$dir" && pwd) || exit 1
if [ ! -f "$dir/libduckdb.so" ]; then
    command -v npm >/dev/null || { echo "get_duckdb: no npm, hence no DuckDB" >&2; exit 1; }
    tmp=$(mktemp -d "$dir/get.XXXXXX") || exit 1
    trap 'rm -rf "$tmp"' EXIT
    (cd "$tmp" && npm pack --silent "$package" >name && tar xzf "$(tail -n 1 name)" package/libduckdb.so) >/dev/null 2>"$tmp/log" ||
        { echo "get_duckdb: npm cannot reach $package, hence no DuckDB" >&2; exit 1; }
    mv "$tmp/package/libduckdb.so" "$dir/libduckdb.so" || exit 1
fi
echo "$dir/libduckdb.so"
