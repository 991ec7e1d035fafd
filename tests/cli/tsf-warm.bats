#!/usr/bin/env bats
# Warming: manifests pass through, the cache fills, and answers never change.

load helper

setup() {
    tsf_setup
    need jq
    runs 0 tsf-query -q "CREATE TABLE logs (date date NOT NULL, timestamp timestamptz NOT NULL, n bigint, message text)
        PARTITION BY LIST (date)"
    for day in 19 20; do
        seq 100 | sed "s/.*/{\"timestamp\":\"2026-11-${day}T12:00:00Z\",\"n\":&,\"message\":\"m\"}/" | tsf-ingest -q logs - >/dev/null
        tsf-flush
    done >journal
}

same() { answer '200,10100,2026-11-20' "SELECT count(*), sum(n), max(date) FROM logs WHERE n > 0"; }

@test "tsf-warm: each manifest passes on with what was done, other keys stay" {
    jq -c '. + {"note": {"x": [1, null, "é"]}}' journal >in
    runs 0 tsf-evict logs
    runs 0 tsf-warm <in
    [ -z "$stderr" ]
    [ "$(jq -c .warm <<<"$output")" = '{"files":1,"hits":0,"bytes":'"$(jq -s '.[0].added[0].footer[1]' journal)"',"failed":0,"foreign":0}
{"files":1,"hits":0,"bytes":'"$(jq -s '.[1].added[0].footer[1]' journal)"',"failed":0,"foreign":0}' ]
    diff <(jq -cS 'del(.warm)' <<<"$output") <(jq -cS . in)
    # the second time they are there
    runs 0 tsf-warm <in
    [ "$(jq -c '[.warm.hits, .warm.bytes]' <<<"$output")" = '[1,0]
[1,0]' ]
    same
}

@test "tsf-warm: behind tsf-flush and tsf-compact | tsf-evict" {
    set -o pipefail
    echo '{"timestamp":"2026-11-20T13:00:00Z","n":0,"message":"m"}' | tsf-ingest -q logs - >/dev/null
    tsf-flush | tsf-warm >out
    jq -e '.op == "flush" and .warm.files == 1 and .warm.hits == 1' out
    tsf-compact --full --window all logs | tsf-evict | tsf-warm >out
    jq -e '.op == "compact" and .evict.files == 2 and .warm.files == 1 and .warm.failed == 0' out
    same
}

@test "tsf-warm: no manifests, nothing said; blank lines and receipts are no mistake" {
    runs 0 tsf-warm </dev/null
    is ""
    runs 0 tsf-warm < <(printf '\n\n')
    is ""
    echo '{"timestamp":"2026-11-20T13:00:00Z","n":0}' | tsf-ingest -q logs - >receipt
    runs 0 tsf-warm <receipt
    jq -e '.op == "ingest" and .rows == 1 and .warm.files == 0' <<<"$output"
}

@test "tsf-warm: a line that is no manifest stops it with the line's number; lines before it were done" {
    local bad
    for bad in 'not json' '[]' '{}' '{"tsf":"1"}' '{"tsf":1}' '{"tsf":1,"op":"flush"}' '{"tsf":2,"op":"flush","table":"logs"}' \
        '{"tsf":1,"op":"flush","table":"logs","added":{}}' '{"tsf":1,"op":"flush","table":"logs","added":[{"size":1}]}' \
        '{"tsf":1,"op":"flush","table":"logs","added":[{"path":7}]}' '{"tsf":1,"op":"flush","table":7}'; do
        { head -1 journal; echo; echo "$bad"; tail -1 journal; } >in
        runs 1 tsf-warm <in
        [ "$(wc -l <<<"$output")" = 1 ] || { echo "$bad: $output"; return 1; }
        says "standard input line 3: "
    done
}

@test "tsf-warm: paths that leave the table are refused" {
    local path
    for path in /etc/passwd ../other/part-1.parquet a/../../b ./x a//b "" . ..; do
        jq -c --arg p "$path" '.added[0].path = $p' journal | head -1 >in
        runs 1 tsf-warm <in
        is ""
        says "line 1"
        says "not within the table"
    done
}

@test "tsf-warm: files that are not live are counted as foreign" {
    jq -c '.added[0].path = "date=2026-11-20/part-nowhere.parquet"' journal | head -1 >in
    runs 0 tsf-warm <in
    jq -e '.warm.foreign == 1 and .warm.files == 0' <<<"$output"
    runs 1 tsf-warm --strict <in
}

@test "tsf-warm: a missing or broken file is counted, --strict makes it exit 1" {
    file=$TSF_WAREHOUSE/logs/$(jq -r '.added[0].path' journal | head -1)
    runs 0 tsf-evict logs
    mv "$file" away
    runs 0 tsf-warm <journal
    [ "$(jq -c .warm.failed <<<"$output")" = '1
0' ]
    says warning
    runs 1 tsf-warm --strict logs
    head -c 100 away >"$file"
    runs 0 tsf-evict logs
    runs 0 tsf-warm logs
    jq -e '.warm.failed == 1' <<<"$output"
    runs 1 q "SELECT sum(n) FROM logs"
    mv away "$file"
    same
}

@test "tsf-warm: a table, a partition, a time" {
    runs 0 tsf-evict logs
    runs 0 tsf-warm --partition date=2026-11-20 logs
    jq -e '.op == "warm" and .table == "logs" and .warm.files == 1 and .warm.hits == 0' <<<"$output"
    runs 0 tsf-warm logs
    jq -e '.warm.files == 2 and .warm.hits == 1' <<<"$output"
    TSF_NOW=2026-11-21T12:00:00Z runs 0 tsf-warm --since 1d logs
    jq -e '.warm.files == 1 and .warm.hits == 1' <<<"$output"
    runs 1 tsf-warm --partition nope=1 logs
    runs 1 tsf-warm nowhere
    runs 2 tsf-warm --partition date=2026-11-20 </dev/null
}

@test "tsf-warm: --dry-run counts and changes nothing" {
    runs 0 tsf-evict logs
    runs 0 tsf-warm --dry-run logs
    jq -e '.warm.files == 2' <<<"$output"
    runs 0 tsf-warm logs
    jq -e '.warm.hits == 0' <<<"$output"
}

@test "tsf-warm: without a cache, with a deleted, an unwritable or a garbage one: answers are the same" {
    local f
    runs 0 tsf-warm logs
    same
    runs 0 q "SELECT count(*), sum(n), max(date) FROM logs WHERE n > 0" --no-cache
    is '200,10100,2026-11-20'
    TSF_CACHE=off same
    rm -r "$TSF_DATA_DIR/cache"
    same
    runs 0 tsf-warm logs
    find "$TSF_DATA_DIR/cache" -name data.mdb >list
    [ -s list ]
    while read -r f; do head -c 20000 /dev/urandom >"$f"; done <list
    same
    runs 0 tsf-warm logs
    while read -r f; do : >"$f"; done <list
    same
    rm -r "$TSF_DATA_DIR/cache"
    echo "a file in the way" >"$TSF_DATA_DIR/cache"
    same
    runs 0 tsf-warm logs
    rm "$TSF_DATA_DIR/cache"
    ln -s /nowhere/at/all "$TSF_DATA_DIR/cache"
    same
}

@test "tsf-warm: bytes that rot inside the cache do not reach an answer" {
    local f size at
    runs 0 tsf-warm logs
    same
    f=$(find "$TSF_DATA_DIR/cache" -name data.mdb)
    cp "$f" whole
    size=$(stat -c %s "$f")
    for at in 1 2 3 4 5 6 7; do
        cp whole "$f"
        printf 'rotten' | dd of="$f" bs=1 seek=$((size * at / 8 + at * 31)) conv=notrunc status=none
        same
        runs 0 tsf-warm logs
    done
    cp whole "$f"
    dd if=/dev/urandom of="$f" bs=1 seek=$((size / 2)) count=$((size / 2)) conv=notrunc status=none
    same
    truncate -s $((size / 2)) "$f"
    same
}

@test "tsf-warm: a table that is dropped and made again has nothing of the old in the cache" {
    runs 0 tsf-warm logs
    same
    runs 0 tsf-query -q "DROP TABLE logs; CREATE TABLE logs (n bigint)"
    answer 0 "SELECT count(*) FROM logs"
    runs 0 tsf-query -q "INSERT INTO logs VALUES (7)"
    runs 0 tsf-flush
    answer 7 "SELECT n FROM logs"
    rm -r "$TSF_WAREHOUSE/logs"
    runs 1 q "SELECT n FROM logs"
    says 42P01
}

@test "tsf-warm: a closed or full stdout is a failure" {
    run bash -c 'tsf-warm <journal >/dev/full'
    [ "$status" = 1 ]
    [[ $output == *"No space left"* ]]
    run bash -c 'yes "$(head -1 journal)" | head -20000 | tsf-warm | head -1 >first; echo "${PIPESTATUS[2]}"'
    is 1
    [ "$(wc -l <first)" = 1 ]
}
