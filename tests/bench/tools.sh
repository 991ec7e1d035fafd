#!/usr/bin/env bash
# tools.sh [DIR]: build the benchmark's helpers into DIR (build/bench): gen_spans, duckdb_run, timeit, csvcmp.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-build/bench}
mkdir -p "$dir"
for tool in gen_spans duckdb_run timeit csvcmp; do
    src=$here/$tool.c
    [ "$dir/$tool" -nt "$src" ] && continue
    # no contraction: the generator's floating point must be the same everywhere
    ${CC:-cc} -std=gnu17 -D_GNU_SOURCE -O2 -ffp-contract=off -Wall -Wextra -Wshadow -o "$dir/$tool.tmp.$$" "$src" -ldl -lm
    mv "$dir/$tool.tmp.$$" "$dir/$tool"
done
