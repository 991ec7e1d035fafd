#!/usr/bin/env bats
# Fewer, larger, sorted files; the rows stay what they were.

load helper

setup() {
    tsf_setup
    need jq
    export TSF_NOW=2026-11-20T12:30:00Z
    runs 0 tsf-query -q "CREATE TABLE logs (date date NOT NULL, timestamp timestamptz NOT NULL, n bigint, message text)
        PARTITION BY LIST (date) WITH (tsf.sort_order = 'timestamp DESC, n')"
}

put() { # put DAY FIRST LAST: a flushed file of rows n = FIRST..LAST
    seq "$2" "$3" | awk -v d="$1" '{ printf "{\"timestamp\":\"%sT%02d:%02d:00Z\",\"n\":%d,\"message\":\"message %d\"}\n", d, $1 % 24, $1 % 60, $1, $1 }' |
        tsf-ingest -q logs - >/dev/null
    tsf-flush logs >/dev/null
}

files() { # files WANT [CONDITION]: how many live files
    answer "$1" "SELECT count(*) FROM tsf.files('logs') ${2:-}"
}

sum() { answer "$1" "SELECT count(*), sum(n), min(message), max(message) FROM logs"; }

@test "tsf-compact: --full merges a partition's files; the manifest says which went and which came" {
    local k
    for k in 1 2 3; do put 2026-11-20 $((k * 10 - 9)) $((k * 10)); done
    sum '30,465,message 1,message 9'
    q "SELECT * FROM logs ORDER BY n" >before
    runs 0 tsf-compact --full logs
    jq -e '.op == "compact" and .version == 4 and (.removed | length) == 3 and (.added | length) == 1 and .added[0].rows == 30 and
        .metrics.mode == "full" and .metrics.rows == 30 and .metrics.files_in == 3 and .metrics.files_out == 1 and
        .metrics.partitions_rewritten == 1 and .metrics.partitions_skipped == 0 and .metrics.dry_run == false' <<<"$output"
    files 1
    sum '30,465,message 1,message 9'
    q "SELECT * FROM logs ORDER BY n" | cmp before -
}

@test "tsf-compact: a second run skips what is in shape" {
    put 2026-11-20 1 5
    put 2026-11-20 6 9
    for mode in --full --recompress; do
        runs 0 tsf-compact $mode --cold-after 0 --window all logs 2>/dev/null || runs 0 tsf-compact $mode --window all logs
    done
    runs 0 tsf-compact --full --window all logs
    jq -e '.added == [] and .removed == [] and .metrics.partitions_rewritten == 0 and .metrics.partitions_skipped == 1' <<<"$output"
    [ "$(find "$TSF_WAREHOUSE/logs/_delta_log" -name '0*.json' | wc -l)" = 4 ]
    # new rows bring it back
    put 2026-11-20 10 11
    runs 0 tsf-compact --full --window all logs
    jq -e '.metrics.files_in == 2 and .metrics.files_out == 1' <<<"$output"
    sum '11,66,message 1,message 9'
}

@test "tsf-compact: a cleared cache does not make it forget" {
    put 2026-11-20 1 5
    put 2026-11-20 6 9
    runs 0 tsf-compact --full logs
    rm -r "$TSF_DATA_DIR/cache"
    runs 0 tsf-compact --full logs
    jq -e '.metrics.partitions_rewritten == 0 and .metrics.partitions_skipped == 1' <<<"$output"
}

@test "tsf-compact: --dry-run tells and does nothing" {
    put 2026-11-20 1 5
    put 2026-11-20 6 9
    runs 0 tsf-compact --full --dry-run logs
    jq -e '.version == 2 and .metrics.dry_run and (.removed | length) == 2 and .added == [] and .metrics.files_in == 2' <<<"$output"
    files 2
    [ ! -e "$TSF_WAREHOUSE/logs/_delta_log/00000000000000000003.json" ]
    [ "$(find "$TSF_WAREHOUSE" -name '*.parquet' | wc -l)" = 2 ]
}

@test "tsf-compact: --light takes today, --full two days, --window all everything" {
    local day
    for day in 2026-11-20 2026-11-19 2026-11-01; do
        put $day 1 3
        put $day 4 6
    done
    runs 0 tsf-compact --light logs
    [ "$(jq -r '.removed[].partition.date' <<<"$output" | sort -u)" = 2026-11-20 ]
    files 5
    runs 0 tsf-compact --full logs
    files 4
    files 2 "WHERE path LIKE 'date=2026-11-01/%'"
    runs 0 tsf-compact --full --window all logs
    files 3
    sum '18,63,message 1,message 6'
}

@test "tsf-compact: --recompress takes what is cold" {
    put 2026-11-20 1 3
    put 2026-10-01 1 3
    runs 0 tsf-compact --recompress logs
    [ "$(jq -r '.removed[].partition.date' <<<"$output")" = 2026-10-01 ]
    jq -e '.metrics.mode == "recompress"' <<<"$output"
    runs 0 tsf-compact --recompress logs
    jq -se 'all(.removed == [])' <<<"$output"
    sum '6,12,message 1,message 3'
}

@test "tsf-compact: --min-files leaves partitions with fewer alone" {
    put 2026-11-20 1 3
    put 2026-11-20 4 6
    runs 0 tsf-compact --full --min-files 3 logs
    jq -e '.metrics.partitions_skipped == 1' <<<"$output"
    files 2
    put 2026-11-20 7 9
    runs 0 tsf-compact --full --min-files 3 logs
    files 1
}

@test "tsf-compact: --partition chooses, and refuses what is no partition" {
    put 2026-11-20 1 3
    put 2026-11-20 4 6
    put 2026-11-19 1 3
    put 2026-11-19 4 6
    runs 0 tsf-compact --full --window all --partition date=2026-11-19 logs
    [ "$(jq -r '.removed[].partition.date' <<<"$output" | sort -u)" = 2026-11-19 ]
    files 3
    runs 0 tsf-compact --full --window all --partition date=1999-01-01 logs
    files 3
    runs 1 tsf-compact --full --partition nope=1 logs
    says "not partitioned by nope"
    runs 1 tsf-compact --full --partition garbage logs
    says 'expected key=value, found "garbage"'
    files 3
}

@test "tsf-compact: --target bounds the files" {
    local k
    for k in 1 2 3 4; do
        head -c 4000000 /dev/urandom | base64 -w 50 |
            awk -v k=$k '{ printf "{\"timestamp\":%d,\"n\":%d,\"message\":\"%s\"}\n", 1795176000 + NR % 100, k, $0 }' | tsf-ingest -q logs - >/dev/null
        tsf-flush >/dev/null
    done
    q "SELECT count(*), sum(n), count(DISTINCT message) FROM logs" >before
    runs 0 tsf-compact --full --target 4M logs
    jq -e '.metrics.files_out > 1 and ([.added[].size] | max) < 6000000' <<<"$output"
    q "SELECT count(*), sum(n), count(DISTINCT message) FROM logs" | cmp before -
}

@test "tsf-compact: unflushed rows are not its business" {
    put 2026-11-20 1 3
    put 2026-11-20 4 6
    echo '{"timestamp":"2026-11-20T12:00:00Z","n":7,"message":"message 7"}' | tsf-ingest -q logs - >/dev/null
    runs 0 tsf-compact --full logs
    jq -e '.metrics.rows == 6' <<<"$output"
    sum '7,28,message 1,message 7'
}

@test "tsf-compact: dies in the middle, and nothing is lost; leftovers do not count" {
    local k pid
    for k in 1 2 3; do
        head -c 1500000 /dev/urandom | base64 -w 50 |
            awk -v k=$k '{ printf "{\"timestamp\":%d,\"n\":%d,\"message\":\"%s\"}\n", 1795176000 + NR % 100, k, $0 }' | tsf-ingest -q logs - >/dev/null
        tsf-flush >/dev/null
    done
    q "SELECT count(*), sum(n), min(message), max(message) FROM logs" >before
    for sig in TERM KILL; do
        tsf-compact --full --level 19 logs >out 2>err &
        pid=$!
        until [ -n "$(find "$TSF_WAREHOUSE/logs" -name '*.parquet' -o -name '.tmp*' | sed 4q | sed -n 4p)" ] || ! kill -0 $pid 2>/dev/null; do :; done
        kill -$sig $pid 2>/dev/null || true
        rc=0
        wait $pid || rc=$?
        q "SELECT count(*), sum(n), min(message), max(message) FROM logs" | cmp before -
        case $rc in
        0) jq -e '.metrics.files_out >= 1' out ;; # it was faster
        143) [ ! -s out ] && [ -z "$(find "$TSF_WAREHOUSE" -name '.tmp*')" ] ;;
        137) [ ! -s out ] ;;
        *) cat err; false ;;
        esac
    done
    runs 0 tsf-compact --full logs
    q "SELECT count(*), sum(n), min(message), max(message) FROM logs" | cmp before -
    files 1
}

@test "tsf-compact: a disk that takes no more is exit 1, and the table is as it was" {
    local k
    for k in 1 2; do
        head -c 150000 /dev/urandom | base64 -w 50 |
            awk -v k=$k '{ printf "{\"timestamp\":%d,\"n\":%d,\"message\":\"%s\"}\n", 1795176000 + NR % 100, k, $0 }' | tsf-ingest -q logs - >/dev/null
        tsf-flush >/dev/null
    done
    q "SELECT count(*), sum(n), min(message) FROM logs" >before
    run bash -c 'trap "" XFSZ; ulimit -f 16; tsf-compact --full logs 2>&1'
    [ "$status" = 1 ] || { echo "$status $output"; return 1; }
    [[ $output == *"File too large"* ]] || { echo "$output"; return 1; }
    [ -z "$(find "$TSF_WAREHOUSE" -name '.tmp*')" ]
    files 2
    q "SELECT count(*), sum(n), min(message) FROM logs" | cmp before -
}

@test "tsf-compact: readers see the same while flush, compact and vacuum run" {
    local n k worker
    put 2026-11-20 1 100
    (
        while [ ! -e stop ]; do
            tsf-flush >/dev/null 2>>err || echo "flush $?" >>err
            tsf-compact --full logs >/dev/null 2>>err || echo "compact $?" >>err
            tsf-compact --light --min-files 2 logs >/dev/null 2>>err || echo "compact $?" >>err
            tsf-evict logs >/dev/null 2>>err || echo "evict $?" >>err
        done
    ) &
    worker=$!
    for k in $(seq 12); do
        echo "{\"timestamp\":\"2026-11-20T12:00:00Z\",\"n\":$k,\"message\":\"x\"}" | tsf-ingest -q logs - >/dev/null
        for sql in "SELECT count(*) FROM logs" "SELECT count(*) FROM logs WHERE n > 0"; do
            n=$(tsf-query -t -F csv "$sql")
            [ "$n" = $((100 + k)) ] || { echo "$n rows, not $((100 + k))"; touch stop; wait $worker; return 1; }
        done
    done
    touch stop
    wait $worker
    [ ! -s err ] || { cat err; return 1; }
}

@test "tsf-compact: two at once, each row stays once" {
    local k rc pids=()
    for k in 1 2 3 4; do put 2026-11-20 $((k * 10 - 9)) $((k * 10)); done
    for k in 1 2 3; do
        tsf-compact --full logs >out$k 2>err$k &
        pids+=($!)
    done
    for k in "${pids[@]}"; do
        rc=0
        wait "$k" || rc=$?
        [ $rc = 0 ] || [ $rc = 75 ]
    done
    sum '40,820,message 1,message 9'
    files 1
}

@test "tsf-compact: wrong usage is exit 2, a missing table exit 1" {
    runs 2 tsf-compact logs
    says "one of --light, --full and --recompress"
    runs 2 tsf-compact --light --full logs
    runs 2 tsf-compact --full
    says "which table?"
    runs 2 tsf-compact --full --window soon logs
    runs 1 tsf-compact --full nowhere
    says nowhere
}
