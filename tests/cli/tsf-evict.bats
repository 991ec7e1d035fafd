#!/usr/bin/env bats
# Evicting: only the cache, only what is not live, and manifests pass through.

load helper

setup() {
    tsf_setup
    need jq
    runs 0 tsf-query -q "CREATE TABLE logs (date date NOT NULL, timestamp timestamptz NOT NULL, n bigint) PARTITION BY LIST (date)"
    for n in 1 2; do
        echo "{\"timestamp\":\"2026-11-20T12:00:00Z\",\"n\":$n}" | tsf-ingest -q logs - >/dev/null
        tsf-flush
    done >journal
}

same() { answer '2,3' "SELECT count(*), sum(n) FROM logs WHERE n > 0"; }

@test "tsf-evict: what a compaction removed goes, what it made stays" {
    tsf-compact --full --window all logs >compacted
    runs 0 tsf-evict <compacted
    jq -e '.op == "compact" and .evict.files == 2 and .evict.evicted >= 2 and .evict.bytes > 0 and .evict.foreign == 0' <<<"$output"
    diff <(jq -S 'del(.evict)' <<<"$output") <(jq -S . compacted)
    runs 0 tsf-evict <compacted
    jq -e '.evict.evicted == 0 and .evict.bytes == 0' <<<"$output"
    runs 0 tsf-warm <compacted
    jq -e '.warm.hits == 1' <<<"$output"
    same
}

@test "tsf-evict: a file that is live keeps its entries" {
    jq -c '.removed = .added | .added = []' journal >in
    runs 0 tsf-evict <in
    jq -se 'all(.evict.foreign == 1 and .evict.evicted == 0)' <<<"$output"
    runs 0 tsf-warm logs
    jq -e '.warm.hits == 2' <<<"$output"
    same
}

@test "tsf-evict: a table, a partition; --dry-run changes nothing" {
    runs 0 tsf-evict --dry-run logs
    runs 0 tsf-warm logs
    jq -e '.warm.hits == 2' <<<"$output"
    runs 0 tsf-evict --partition date=1999-01-01 logs
    runs 0 tsf-warm logs
    jq -e '.warm.hits == 2' <<<"$output"
    runs 0 tsf-evict --partition date=2026-11-20 logs
    jq -e '.op == "evict" and .table == "logs" and .evict.hits == 2' <<<"$output"
    runs 0 tsf-evict logs
    same
    runs 1 tsf-evict nowhere
    runs 2 tsf-evict --partition date=2026-11-20 </dev/null
}

@test "tsf-evict: a line that is no manifest, or leaves the table, stops it with the line's number" {
    local bad
    for bad in 'not json' '[]' '{}' '{"tsf":9,"op":"x","table":"logs"}' \
        '{"tsf":1,"op":"x","table":"logs","removed":[{"path":"../x"}]}' '{"tsf":1,"op":"x","table":"logs","removed":[{"path":"/x"}]}' \
        '{"tsf":1,"op":"x","table":"logs","removed":7}'; do
        { head -1 journal; echo "$bad"; } >in
        runs 1 tsf-evict <in
        [ "$(wc -l <<<"$output")" = 1 ]
        says "standard input line 2: "
    done
    same
}

@test "tsf-evict: no cache, no work, no mistake" {
    rm -r "$TSF_DATA_DIR/cache"
    runs 0 tsf-evict logs
    TSF_CACHE=off runs 0 tsf-evict logs
    runs 0 tsf-evict <journal
    [ "$(wc -l <<<"$output")" = 2 ]
    same
}

@test "tsf-evict: never touches the table" {
    find "$TSF_WAREHOUSE" -type f | sort | xargs cksum >before
    runs 0 tsf-evict logs
    jq -c '.removed = .added' journal >in
    runs 0 tsf-evict <in
    find "$TSF_WAREHOUSE" -type f | sort | xargs cksum | diff before -
}
