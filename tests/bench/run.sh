#!/usr/bin/env bash
# run.sh [ROWS...]: tsf and DuckDB side by side on the same generated spans, in one run, with as many threads each.
#
# What is measured, as whole processes:
#   load      NDJSON to durable (tsf-ingest: in the WAL, fsynced) and on to committed Parquet (tsf-flush);
#             DuckDB: read_json, ORDER BY, COPY to partitioned Parquet, zstd 3, which does not fsync
#   query     every tests/bench/queries/*.sql; DuckDB reads the very files that the table's Delta log names.
#             Both answers are compared once, field by field
#   start     SELECT 1, beside /bin/true
#   compact   about 200 small files to one sorted file per partition; DuckDB: COPY with ORDER BY of the same
#
# Result: an aligned table on stdout, and build/bench/bench.tsv. ratio is tsf / DuckDB: below 1 is faster.
#
# Environment: BIN (folder of the tsf programs), THREADS (2), RUNS (5, per query), LOAD_RUNS (3; 1 from 5M rows),
# STEPS ("load query start compact"), ONLY (a pattern for queries), LIMIT (300 seconds, then a query has failed),
# COMPACT_LEVEL (9, DuckDB's zstd level in compact, the one of tsf-compact --full), BENCH_DIR (where the data goes,
# default build/bench/data), KEEP=1 (leave the data there), TSF_BENCH_STRICT=1 (exit 1 when answers differ or a run
# failed).
# What is missing, DuckDB or a tsf program, is left out with a word.
set -u
export LC_ALL=C TZ=UTC

here=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-build/bench}
threads=${THREADS:-2}
runs=${RUNS:-5}
steps=${STEPS:-load query start compact}
if [ $# -eq 0 ]; then
    read -ra sizes <<<"${ROWS:-1000000}"
    set -- "${sizes[@]}"
fi

say() { printf '%s\n' "$*" >&2; }
die() { say "bench: $*"; exit 1; }
wants() { case " $steps " in *" $1 "*) return 0;; esac; return 1; }

# the same CPUs for both, whatever they think of the machine
if [ -z "${BENCH_PINNED:-}" ] && command -v taskset >/dev/null && [ "$(nproc)" -gt "$threads" ]; then
    exec env BENCH_PINNED=1 taskset -c "0-$((threads - 1))" "$0" "$@"
fi

mkdir -p "$out" || exit 1
out=$(cd "$out" && pwd)
data=${BENCH_DIR:-$out/data}
"$here/tools.sh" "$out" || die "the helpers do not build"
tsv=$out/bench.tsv
log=$out/bench.log
: >"$log"
printf 'rows\tstep\tname\ttsf_ms\tduckdb_ms\tratio\ttsf_mib\tduckdb_mib\ttsf_cpu_ms\tduckdb_cpu_ms\tnote\n' >"$tsv"

# ---- who takes part ------------------------------------------------------------------------------

find_tsf() {
    local dir
    for dir in "${BIN:-}" build/release/bin build/release build/bin build; do
        [ -n "$dir" ] && [ -x "$dir/tsf-query" ] && (cd "$dir" && pwd) && return
    done
    dir=$(command -v tsf-query) && dirname "$dir"
}
bin=$(find_tsf)
[ -n "$bin" ] || say "bench: no tsf-query, DuckDB alone"
if DUCKDB_LIB=$("$here/get_duckdb.sh" "$(dirname "$out")/peers"); then
    export DUCKDB_LIB
    duck=$out/duckdb_run
else
    duck=
    say "bench: tsf alone"
fi
[ -n "$bin$duck" ] || die "nobody to measure"
command -v jq >/dev/null || die "jq is needed"

# ---- measuring -------------------------------------------------------------------------------------

# timed FILE ARG...: one run of a command, its costs appended to FILE
timed() {
    local file=$1
    shift
    "$out/timeit" -- "$@" >>"$file" 2>>"$log"
}

# costs FILE: wall ms, MiB, CPU ms, failed runs: the medians of the runs in FILE
costs() {
    [ -s "$1" ] || { echo "- - - 0"; return; }
    awk -F'\t' '{ w[NR] = $1; c[NR] = $4; if ($5 > rss) rss = $5; bad += $6 }
        function median(v, n,   i, j, t) {
            for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j] < v[j-1]; j--) { t = v[j]; v[j] = v[j-1]; v[j-1] = t }
            return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
        }
        END { printf "%.2f %.1f %.2f %d\n", median(w, NR), rss / 1024, median(c, NR), bad }' "$1"
}

# record STEP NAME TSF-FILE DUCKDB-FILE [NOTE]
record() {
    local t d note=${5:-}
    t=$(costs "$3")
    d=$(costs "$4")
    [ "${t##* }" = 0 ] || { note="tsf FAILED${note:+, $note}"; failures=$((failures + 1)); t="- - - 1"; }
    [ "${d##* }" = 0 ] || { note="DuckDB FAILED${note:+, $note}"; d="- - - 1"; }
    echo "$rows $1 $2 $t $d" | awk -v note="$note" -v OFS='\t' '{
        ratio = $4 == "-" || $8 == "-" || $8 == 0 ? "-" : sprintf("%.2f", $4 / $8)
        print $1, $2, $3, $4, $8, ratio, $5, $9, $6, $10, note }' >>"$tsv"
    say "$(tail -n 1 "$tsv" | cut -f 2-6,11)"
}

fill() { # fill TEMPLATE IN OUT [LEVEL]: the template with its places filled
    local text
    text=$(cat "$1")
    text=${text//@IN@/$2}
    text=${text//@OUT@/$3}
    printf '%s\n' "${text//@LEVEL@/${4:-3}}"
}

# The active files of a Delta table, as the log says.
active_files() {
    cat "$1"/_delta_log/*.json | jq -rn 'reduce inputs as $a ({}; if $a.add then .[$a.add.path] = 1
        elif $a.remove then del(.[$a.remove.path]) else . end) | keys[]' |
        while IFS= read -r path; do printf '%s/%b\n' "$1" "${path//%/\\x}"; done
}

# They as DuckDB reads them.
parquet_list() {
    printf "read_parquet(["
    sed "s/'/''/g; s/.*/'&'/" | paste -sd, | tr -d '\n'
    printf "], hive_partitioning = true)"
}

size_mib() { tr '\n' '\0' | du -cb --files0-from=- 2>/dev/null | awk 'END { printf "%.1f", $1 / 1048576 }'; }

# compare NAME TOLERANCE: sets note to what is to say about answer.tsf and answer.duck
compare() {
    if note=$("$out/csvcmp" -t "$2" "$work/answer.tsf" "$work/answer.duck" 2>&1); then
        note=agree
    else
        failures=$((failures + 1))
        note="DIFFERS ${note:0:160}"
        cp "$work/answer.tsf" "$out/differs-$1.tsf.csv"
        cp "$work/answer.duck" "$out/differs-$1.duckdb.csv"
    fi
}

# same_rows NAME FILES: does the table spans hold what DuckDB finds in FILES? Sets note.
same_rows() {
    local sql
    note=
    [ -n "$bin" ] && [ -n "$duck" ] || return
    sql=$(cat "$here/check.sql")
    if "$bin/tsf-query" --format csv "${sql//@T@/spans}" >"$work/answer.tsf" 2>>"$log"; then
        "$duck" --csv -- "${sql//@T@/$2}" >"$work/answer.duck" 2>>"$log"
        compare "$1" 1e-9
    else
        failures=$((failures + 1))
        note="no answer"
    fi
}

fresh_table() { # fresh_table DIR: an empty table spans in a warehouse and data directory of its own
    rm -rf "$1"
    mkdir -p "$1"
    export TSF_DATA_DIR=$1/data TSF_WAREHOUSE=$1/wh
    mkdir -p "$TSF_DATA_DIR" "$TSF_WAREHOUSE"
    "$bin/tsf-query" -f "$here/spans.sql" >>"$log" 2>&1 || { say "bench: CREATE TABLE failed, see $log"; return 1; }
}

use_table() { export TSF_DATA_DIR=$1/data TSF_WAREHOUSE=$1/wh; }

# ---- load ------------------------------------------------------------------------------------------

bench_load() {
    local i n=${LOAD_RUNS:-$([ "$rows" -lt 5000000 ] && echo 3 || echo 1)} t
    t=$work/times
    rm -f "$t".*
    for ((i = 0; i < n; i++)); do
        if [ -n "$bin" ] && fresh_table "$work/tsf"; then
            sync
            timed "$t.ingest" "$bin/tsf-ingest" spans "$work/spans.ndjson"
            timed "$t.flush" "$bin/tsf-flush" spans
        fi
        if [ -n "$duck" ]; then
            rm -rf "$work/duck"
            fill "$here/duckdb_load.sql" "'$work/spans.ndjson'" "$work/duck" >"$work/load.sql"
            sync
            timed "$t.duck" "$duck" --threads "$threads" -f "$work/load.sql"
        fi
    done
    : >"$t.none"
    if [ -s "$t.ingest" ]; then
        record load ndjson-to-wal "$t.ingest" "$t.none" "$(du -sm "$work/spans.ndjson" | cut -f1) MiB in"
        record load wal-to-parquet "$t.flush" "$t.none"
        # wall and CPU add up, memory is the larger
        paste "$t.ingest" "$t.flush" | awk -F'\t' -v OFS='\t' '{ print $1 + $7, $2 + $8, $3 + $9, $4 + $10, ($5 > $11 ? $5 : $11), $6 + $12 }' >"$t.both"
    fi
    local tsf_mib=- duck_mib=- note=
    [ -d "$work/tsf/wh/spans" ] && tsf_mib=$(active_files "$work/tsf/wh/spans" | size_mib)
    if [ -d "$work/duck" ]; then
        duck_mib=$(find "$work/duck" -name '*.parquet' | size_mib)
        same_rows load "$(find "$work/duck" -name '*.parquet' | parquet_list)"
    fi
    record load ndjson-to-parquet "$t.both" "$t.duck" "Parquet $tsf_mib | $duck_mib MiB${note:+, $note}"
}

# ---- queries -----------------------------------------------------------------------------------------

bench_query() {
    local file name twin table tolerance trace id note cmd t=$work/times
    if [ -n "$bin" ] && [ -d "$work/tsf/wh/spans/_delta_log" ]; then
        use_table "$work/tsf"
        table=$(active_files "$work/tsf/wh/spans" | parquet_list)
    elif [ -d "$work/duck" ]; then
        table=$(find "$work/duck" -name '*.parquet' | sort | parquet_list)
    else
        say "bench: no table to query"
        return
    fi
    # a row in the middle, to look up
    read -r trace id < <(sed -n "$((rows / 2 + 1))p;$((rows / 2 + 1))q" "$work/spans.ndjson" | jq -r '.context___trace_id + " " + .id')
    for file in "$here"/queries/*.sql; do
        name=$(basename "$file" .sql)
        # shellcheck disable=SC2053  # a pattern
        [[ $name == ${ONLY:-*} ]] || continue
        twin=$file
        [ -f "$here/queries/duckdb/$name.sql" ] && twin=$here/queries/duckdb/$name.sql
        tolerance=$(sed -n 's/^-- tolerance //p' "$file")
        sed "s/@T@/spans/; s/@TRACE@/$trace/; s/@ID@/$id/" "$file" >"$work/tsf.sql"
        cmd=$(sed "s/@TRACE@/$trace/; s/@ID@/$id/" "$twin")
        printf '%s\n' "${cmd//@T@/$table}" >"$work/duck.sql"
        rm -f "$t".* "$work"/answer.*
        note=
        local commands=()
        if [ -n "$bin" ]; then
            commands=("$bin/tsf-query" --format csv -f "$work/tsf.sql")
            echo "-- $name" >>"$log"
            if ! timeout "${LIMIT:-300}" "${commands[@]}" >"$work/answer.tsf" 2>>"$log"; then
                note="no answer"
                commands=(/bin/false) # a failed run in the table, without waiting for more of them
            fi
        fi
        if [ -n "$duck" ]; then
            "$duck" --csv -f "$work/duck.sql" >"$work/answer.duck" 2>>"$log"
            [ -n "$bin" ] && [ -z "$note" ] && compare "$name" "${tolerance:-1e-9}"
            [ -n "$bin" ] && commands+=(::)
            commands+=("$duck" --threads "$threads" -f "$work/duck.sql")
        fi
        "$out/timeit" -n "$runs" -w 1 -- "${commands[@]}" >"$t.all" 2>>"$log"
        : >"$t.tsf"
        : >"$t.duck"
        [ -n "$bin" ] && sed -n 1p "$t.all" >"$t.tsf"
        [ -n "$duck" ] && sed -n '$p' "$t.all" >"$t.duck"
        record query "$name" "$t.tsf" "$t.duck" "$note"
    done
}

# ---- start -------------------------------------------------------------------------------------------

bench_start() {
    local t=$work/times commands=(/bin/true)
    rm -f "$t".*
    : >"$t.none"
    : >"$t.tsf"
    : >"$t.duck"
    if [ -n "$bin" ]; then
        export TSF_DATA_DIR=$work/empty TSF_WAREHOUSE=$work/empty/wh
        mkdir -p "$TSF_WAREHOUSE"
        commands+=(:: "$bin/tsf-query" "SELECT 1")
    fi
    [ -n "$duck" ] && commands+=(:: "$duck" "SELECT 1")
    "$out/timeit" -n 40 -w 2 -- "${commands[@]}" >"$t.all" 2>>"$log"
    sed -n 1p "$t.all" >"$t.true"
    [ -n "$bin" ] && sed -n 2p "$t.all" >"$t.tsf"
    [ -n "$duck" ] && sed -n '$p' "$t.all" >"$t.duck"
    record start "select-1" "$t.tsf" "$t.duck" "/bin/true $(cut -f1 "$t.true") ms"
}

# ---- compaction ----------------------------------------------------------------------------------------

# About 200 small files: 50 flushes of 4 tenants over 2 days.
bench_compact() {
    local i n=${LOAD_RUNS:-$([ "$rows" -lt 5000000 ] && echo 3 || echo 1)} t=$work/times table file
    rm -rf "$t".* "$work"/part-* "$work/small" "$work/merged"
    "$out/gen_spans" --rows "$rows" --seed 2 --days 2 --out-prefix "$work/part" --files 50 || return
    if [ -n "$bin" ]; then
        fresh_table "$work/small" || return
        for file in "$work"/part-*.ndjson; do
            if ! { "$bin/tsf-ingest" spans "$file" && "$bin/tsf-flush" spans; } >>"$log" 2>&1; then
                say "bench: making small files failed, see $log"
                failures=$((failures + 1))
                return
            fi
        done
        active_files "$work/small/wh/spans" >"$work/small.list"
    else
        for file in "$work"/part-*.ndjson; do
            mkdir -p "$work/small"
            fill "$here/duckdb_load.sql" "'$file'" "$work/small/$(basename "$file" .ndjson)" >"$work/load.sql"
            "$duck" -f "$work/load.sql" >>"$log" 2>&1 || return
        done
        find "$work/small" -name '*.parquet' | sort >"$work/small.list"
    fi
    rm -f "$work"/part-*
    table=$(parquet_list <"$work/small.list")
    for ((i = 0; i < n; i++)); do
        if [ -n "$bin" ]; then
            # files never change, so links are copies
            rm -rf "$work/merged"
            cp -al "$work/small" "$work/merged"
            use_table "$work/merged"
            sync
            timed "$t.tsf" "$bin/tsf-compact" --full --window all spans
        fi
        if [ -n "$duck" ]; then
            rm -rf "$work/duckmerged"
            fill "$here/duckdb_merge.sql" "$table" "$work/duckmerged" "${COMPACT_LEVEL:-9}" >"$work/merge.sql"
            sync
            timed "$t.duck" "$duck" --threads "$threads" -f "$work/merge.sql"
        fi
    done
    local note sizes
    sizes="$(wc -l <"$work/small.list") files of $(size_mib <"$work/small.list") MiB"
    [ -d "$work/merged/wh/spans" ] && sizes="$sizes to $(active_files "$work/merged/wh/spans" | wc -l) of $(active_files "$work/merged/wh/spans" | size_mib)"
    [ -d "$work/duckmerged" ] && sizes="$sizes | $(find "$work/duckmerged" -name '*.parquet' | wc -l) of $(find "$work/duckmerged" -name '*.parquet' | size_mib)"
    same_rows compact "$table"
    record compact "small-files" "$t.tsf" "$t.duck" "$sizes${note:+, $note}"
}

# ---- all of it --------------------------------------------------------------------------------------------

failures=0
for rows in "$@"; do
    case $rows in *K) rows=${rows%K}000;; *M) rows=${rows%M}000000;; esac
    case $rows in *[!0-9]* | '') die "$rows: a number of rows is wanted";; esac
    work=$data/$rows
    mkdir -p "$work" || exit 1
    trap '[ -n "${KEEP:-}" ] || rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM
    say "bench: $rows rows, $threads threads, in $work"
    if [ ! "$work/spans.ndjson" -nt "$out/gen_spans" ]; then
        "$out/gen_spans" --rows "$rows" >"$work/spans.ndjson" || die "no room for the input"
    fi
    for step in load query start compact; do
        wants "$step" && "bench_$step"
    done
    [ -n "${KEEP:-}" ] || rm -rf "$work"
done

{
    echo "$(uname -m), $(nproc) CPUs ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)), $(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo), $threads threads each"
    [ -n "$bin" ] && "$bin/tsf-query" --version
    [ -n "$duck" ] && "$duck" --timing "SELECT 1" 2>&1 >/dev/null | sed 's/.*DuckDB/DuckDB/'
    cut -f 1-8,11 "$tsv" | awk -F'\t' '{ for (i = 1; i <= NF; i++) { cell[NR, i] = $i; if (length($i) > width[i] && i < NF) width[i] = length($i) } }
        END { for (r = 1; r <= NR; r++) { line = ""
            for (i = 1; i <= 9; i++) line = line sprintf(i <= 3 ? "%-" width[i] "s  " : i < 9 ? "%" width[i] "s  " : "%s", cell[r, i])
            print line } }'
    awk -F'\t' 'NR > 1 && $6 != "-" { n++; if ($6 > 1) slow++ } END { if (n) printf "%d measured side by side, tsf slower in %d\n", n, slow }' "$tsv"
} | tee "$out/bench.txt"
[ "$failures" -eq 0 ] || say "bench: $failures failed or different, see $log"
[ -z "${TSF_BENCH_STRICT:-}" ] || [ "$failures" -eq 0 ]
