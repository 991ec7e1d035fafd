#!/usr/bin/env bats
# From the WAL into the table: once and only once, whatever happened before.

load helper

setup() {
    tsf_setup
    need jq
    runs 0 tsf-query -q "CREATE TABLE logs (date date NOT NULL, timestamp timestamptz NOT NULL, n bigint, message text)
        PARTITION BY LIST (date)"
}

put() { # put FIRST LAST [TABLE]: one run of rows with n from FIRST to LAST
    seq "$1" "$2" | sed 's/.*/{"timestamp":1795176000,"n":&,"message":"message &"}/' >put.ndjson
    runs 0 tsf-ingest -q "${3:-logs}" put.ndjson
}

sum() { answer "$1" "SELECT count(*), sum(n) FROM logs"; }

wal() { echo "$TSF_DATA_DIR"/wal/*; }

hit() { # hit FILE OFFSET: other bytes there
    printf '\377\376\375' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

@test "tsf-flush: the manifest names what became part of the table" {
    local path
    put 1 100
    runs 0 tsf-flush logs
    [ -z "$stderr" ]
    [ "$(wc -l <<<"$output")" = 1 ]
    jq -e --arg t "$TSF_WAREHOUSE/logs" '.tsf == 1 and .op == "flush" and .table == $t and .version == 1 and .timestamp > 1.7e12 and
        .removed == [] and (.added | length) == 1 and .metrics.rows == 100 and .metrics.duplicates == 0 and
        .metrics.files == 1 and .metrics.damaged_records == 0 and .metrics.last_lsn >= 1 and .metrics.wal_bytes > 0' <<<"$output"
    jq -e '.added[0] | .rows == 100 and .partition == {"date": "2026-11-20"} and (.footer | length) == 2 and .cached == true' <<<"$output"
    path=$TSF_WAREHOUSE/logs/$(jq -r '.added[0].path' <<<"$output")
    [ "$(stat -c %s "$path")" = "$(jq -r '.added[0].size' <<<"$output")" ]
    # the footer is where it says: before the eight bytes at the end
    jq -e '.added[0] | .footer[0] + .footer[1] + 8 == .size or .footer[0] + .footer[1] == .size' <<<"$output"
    [ "$(tail -c 4 "$path")" = PAR1 ]
    [ -f "$TSF_WAREHOUSE/logs/_delta_log/00000000000000000001.json" ]
    sum 100,5050
}

@test "tsf-flush: a second run adds nothing" {
    put 1 10
    runs 0 tsf-flush
    runs 0 tsf-flush
    is ""
    [ -z "$stderr" ]
    runs 0 tsf-flush logs
    is ""
    [ "$(find "$TSF_WAREHOUSE/logs/_delta_log" -name '*.json' | wc -l)" = 2 ]
    sum 10,55
}

@test "tsf-flush: nothing was ever ingested, nothing to do" {
    runs 0 tsf-flush
    is ""
    runs 0 tsf-flush logs
    is ""
}

@test "tsf-flush: without a table, all that have rows; one that fails does not keep the others from it" {
    runs 0 tsf-query -q "CREATE TABLE a (n bigint); CREATE TABLE z (n bigint); CREATE TABLE idle (n bigint)"
    put 1 3
    put 1 3 a
    put 1 3 z
    rm -r "$TSF_WAREHOUSE/logs"
    runs 1 tsf-flush
    [ "$(jq -r '.table | split("/") | last' <<<"$output" | sort | tr '\n' ' ')" = "a z " ]
    says "table logs does not exist"
    put 4 5 a
    runs 1 tsf-flush a nowhere z
    jq -e '.metrics.rows == 2' <<<"$output"
    says nowhere
}

@test "tsf-flush: one file for each partition, rows in the table's order" {
    for i in 1 2 3; do echo "{\"timestamp\":\"2026-11-1${i}T10:0$i:00Z\",\"n\":$i}"; done | tsf-ingest -q logs - >/dev/null
    runs 0 tsf-flush
    jq -e '[.added[].partition.date] | sort == ["2026-11-11", "2026-11-12", "2026-11-13"]' <<<"$output"
    [ -d "$TSF_WAREHOUSE/logs/date=2026-11-12" ]
}

@test "tsf-flush: dedup keys, the last write wins" {
    runs 0 tsf-query -q "CREATE TABLE d (k bigint, n bigint) WITH (tsf.dedup_keys = 'k')"
    for i in 1 2 3 2 2; do echo "{\"k\":$((i % 2)),\"n\":$i}"; done | tsf-ingest -q d - >/dev/null
    echo '{"k":1,"n":9}' | tsf-ingest -q d - >/dev/null
    runs 0 tsf-flush d
    jq -e '.metrics.rows == 2 and .metrics.duplicates == 4' <<<"$output"
    answer '0,2
1,9' "SELECT k, n FROM d ORDER BY k"
}

@test "tsf-flush: a second flush of the table is told to come again (75), and --wait waits" {
    need flock
    put 1 10
    flock "$(wal)/flush.lock" sleep 1.5 &
    until [ -e "$(wal)/flush.lock" ] && ! flock -n "$(wal)/flush.lock" true; do :; done
    runs 75 tsf-flush logs
    is ""
    says "locked by another process"
    put 11 12
    runs 0 tsf-flush --wait 30s logs
    jq -e '.metrics.rows == 12' <<<"$output"
    wait
}

@test "tsf-flush: many at once commit each row once" {
    local i pids=()
    for i in 1 2 3 4 5; do put $i $i; done
    for i in 1 2 3 4; do
        tsf-flush --wait 30s >out$i 2>&1 &
        pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i"; done
    [ "$(cat out* | jq -s 'map(.metrics.rows) | add')" = 5 ]
    sum 5,15
}

@test "tsf-flush: a crash after the commit does not double: the WAL comes back, its rows do not" {
    put 1 50
    put 51 60
    cp -a "$(wal)" saved
    runs 0 tsf-flush
    sum 60,1830
    rm -r "$(wal)"
    cp -a saved "$TSF_DATA_DIR/wal/$(basename "$(wal)")" 2>/dev/null || cp -a saved "$TSF_DATA_DIR/wal/x"
    sum 60,1830
    runs 0 tsf-flush
    is ""
    sum 60,1830
}

@test "tsf-flush: a crash before the commit loses nothing: files without a commit do not count" {
    local version=$TSF_WAREHOUSE/logs/_delta_log/00000000000000000001.json
    put 1 50
    cp -a "$(wal)" saved
    name=$(basename "$(wal)")
    runs 0 tsf-flush
    rm "$version" # as if the commit had never been
    rm -r "$TSF_DATA_DIR/wal/$name"
    cp -a saved "$TSF_DATA_DIR/wal/$name"
    sum 50,1275
    runs 0 tsf-flush
    jq -e '.version == 1 and .metrics.rows == 50' <<<"$output"
    sum 50,1275
}

@test "tsf-flush: a WAL older than the table (a backup) neither doubles its rows nor swallows new ones" {
    put 1 5
    cp -a "$(wal)" saved
    name=$(basename "$(wal)")
    put 6 9
    runs 0 tsf-flush
    rm -r "$TSF_DATA_DIR/wal/$name"
    cp -a saved "$TSF_DATA_DIR/wal/$name"
    sum 9,45
    put 10 12
    sum 12,78
    runs 0 tsf-flush
    jq -e '.metrics.rows == 3' <<<"$output"
    sum 12,78
}

@test "tsf-flush: a few damaged records are left out with a warning" {
    local i f
    for i in $(seq 20); do put "$i" "$i"; done
    f=$(ls "$(wal)"/*.wal)
    hit "$f" $(($(stat -c %s "$f") / 2))
    runs 0 q "SELECT count(*) FROM logs WHERE n > 0"
    is 19
    says "damaged"
    runs 0 tsf-flush
    jq -e '.metrics.rows == 19 and .metrics.damaged_records == 1' <<<"$output"
    says "warning: WAL of logs: 1 records"
    answer 19 "SELECT count(*) FROM logs"
}

@test "tsf-flush: records whose frames are gone are warned of, by queries too" {
    local i f
    for i in $(seq 20); do put "$i" "$i"; done
    f=$(ls "$(wal)"/*.wal)
    dd if=/dev/zero of="$f" bs=1 seek=$(($(stat -c %s "$f") / 2)) count=400 conv=notrunc status=none
    runs 0 q "SELECT count(*) FROM logs"
    says "WAL records are damaged"
    [ "$output" -ge 16 ] && [ "$output" -lt 20 ]
    n=$output
    runs 0 tsf-flush
    jq -e --argjson n "$n" '.metrics.rows == $n and .metrics.damaged_records == 20 - $n' <<<"$output"
}

@test "tsf-flush: more than ten damaged records are an error until --salvage" {
    local i f size
    for i in $(seq 20); do put "$i" "$i"; done
    f=$(ls "$(wal)"/*.wal)
    size=$(stat -c %s "$f")
    dd if=/dev/urandom of="$f" bs=1 seek=$((size / 8)) count=$((size * 3 / 4)) conv=notrunc status=none
    runs 1 tsf-flush
    is ""
    says "damaged records"
    says "hint: tsf-flush --salvage"
    runs 1 q "SELECT count(*) FROM logs"
    says "more than 10 damaged"
    runs 0 tsf-flush --salvage
    jq -e '.metrics.rows > 0 and .metrics.rows < 10 and .metrics.rows + .metrics.damaged_records == 20' <<<"$output"
    runs 0 q "SELECT count(*) FROM logs"
    put 21 30
    runs 0 tsf-flush
    jq -e '.metrics.rows == 10' <<<"$output"
}

@test "tsf-flush: a torn end, an append that nobody was told of, is no damage" {
    local f
    put 1 5
    f=$(ls "$(wal)"/*.wal)
    tail -c 100 "$f" | head -c 60 >>"$f"
    sum 5,15
    [ -z "$stderr" ]
    put 7 7
    sum 6,22
    runs 0 tsf-flush
    jq -e '.metrics.rows == 6 and .metrics.damaged_records == 0' <<<"$output"
}

@test "tsf-flush: a writer feature that nobody knows is refused, and the rows stay" {
    local log=$TSF_WAREHOUSE/logs/_delta_log
    put 1 5
    echo '{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":[],"writerFeatures":["fromTheFuture"]}}' >"$log/00000000000000000001.json"
    runs 1 tsf-flush
    says fromTheFuture
    [ ! -e "$log/00000000000000000002.json" ]
    [ -z "$(find "$TSF_WAREHOUSE" -name '*.parquet')" ]
    rm "$log/00000000000000000001.json"
    runs 0 tsf-flush
    sum 5,15
}

@test "tsf-flush: a disk that takes no more is exit 1; the rows stay, no leftovers, and the next run does it" {
    head -c 800000 /dev/urandom | base64 -w 50 |
        awk 'NR <= 20000 { printf "{\"timestamp\":1795176000,\"n\":%d,\"message\":\"%s\"}\n", NR, $0 }' >in.ndjson
    runs 0 tsf-ingest logs in.ndjson
    run bash -c 'trap "" XFSZ; ulimit -f 64; tsf-flush 2>&1'
    [ "$status" = 1 ] || { echo "$status $output"; return 1; }
    [[ $output == *"File too large"* ]] || { echo "$output"; return 1; }
    [ -z "$(find "$TSF_WAREHOUSE" -name '.tmp*' -o -name '*.parquet')" ]
    sum 20000,200010000
    runs 0 tsf-flush
    sum 20000,200010000
}

@test "tsf-flush: a closed or full stdout fails the run, after the commit" {
    put 1 3
    run bash -c 'tsf-flush >/dev/full'
    [ "$status" = 1 ]
    [[ $output == *"No space left"* ]]
    put 4 5
    run bash -c 'set -o pipefail; tsf-flush | true; exit ${PIPESTATUS[0]}'
    [ "$status" = 0 ] || [ "$status" = 1 ]
    sum 5,15
    runs 0 tsf-flush
    is ""
}

@test "tsf-flush: no temporary files and no lock that stays" {
    put 1 100
    runs 0 tsf-flush
    [ -z "$(find "$TSF_WAREHOUSE" "$TSF_DATA_DIR" -name '.tmp*' -o -name '*.tmp')" ]
    [ -z "$(find "$TSF_DATA_DIR/wal" -name '*.wal')" ]
    [ -z "$(find . -type f ! -name put.ndjson)" ]
}

@test "tsf-flush: readers see the same while ingest and flush go on" {
    local n=0 k flusher # not i: run uses that
    ( while [ ! -e stop ]; do tsf-flush >/dev/null 2>>flush.err || echo "exit $?" >>flush.err; done ) &
    flusher=$!
    for k in $(seq 15); do
        put "$((k * 10 - 9))" "$((k * 10))"
        n=$(tsf-query -t -F csv "SELECT count(*) FROM logs")
        [ "$n" = $((k * 10)) ] || { echo "$n rows after $k runs of 10"; touch stop; wait $flusher; return 1; }
    done
    touch stop
    wait $flusher
    [ ! -s flush.err ] || { cat flush.err; return 1; }
    sum 150,11325
}

@test "tsf-flush: wrong usage is exit 2" {
    runs 2 tsf-flush --nonsense
    runs 2 tsf-flush --wait soon
    runs 2 tsf-flush --level
    runs 1 tsf-flush --level 99 nowhere
}
