#!/usr/bin/env bats
# Deleting what nothing refers to: old enough, not live, ours.

load helper

setup() {
    tsf_setup
    need jq
    runs 0 tsf-query -q "CREATE TABLE logs (date date NOT NULL, timestamp timestamptz NOT NULL, n bigint) PARTITION BY LIST (date)"
    for n in 1 2; do
        echo "{\"timestamp\":\"2026-11-20T12:00:00Z\",\"n\":$n}" | tsf-ingest -q logs - >/dev/null
        tsf-flush >/dev/null
    done
    tsf-compact --full --window all logs >compacted
}

parquets() { find "$TSF_WAREHOUSE" -name '*.parquet' | wc -l; }

same() { answer '2,3' "SELECT count(*), sum(n) FROM logs WHERE n > 0"; }

@test "tsf-vacuum: less than 24h needs --force, and nothing is deleted" {
    for args in "--retention 0" "--retention 23h" "--retention 0 --dry-run"; do
        # shellcheck disable=SC2086 # words
        runs 1 tsf-vacuum $args logs
        is ""
        says "a retention below 24h needs --force"
    done
    [ "$(parquets)" = 3 ]
}

@test "tsf-vacuum: what was removed within the retention stays" {
    runs 0 tsf-vacuum logs
    jq -e '.op == "vacuum" and .removed == [] and .metrics.files == 0' <<<"$output"
    runs 0 tsf-vacuum --retention 24h logs
    jq -e '.removed == []' <<<"$output"
    [ "$(parquets)" = 3 ]
}

@test "tsf-vacuum: --dry-run tells what the run then does" {
    runs 0 tsf-vacuum --retention 0 --force --dry-run logs
    jq -e '.metrics.dry_run and .metrics.files == 2' <<<"$output"
    jq -r '.removed[].path' <<<"$output" | sort >told
    [ "$(parquets)" = 3 ]
    runs 0 tsf-vacuum --retention 0 --force logs
    jq -r '.removed[].path' <<<"$output" | sort | diff told -
    diff told <(jq -r '.removed[].path' compacted | sort)
    jq -e '.metrics.dry_run == false and .metrics.bytes > 0' <<<"$output"
    [ "$(parquets)" = 1 ]
    same
    runs 0 tsf-vacuum --retention 0 --force logs
    jq -e '.removed == [] and .metrics.files == 0' <<<"$output"
    same
}

@test "tsf-vacuum: with the clock a week on, the default retention lets go" {
    find "$TSF_WAREHOUSE/logs" -name '*.parquet' -exec touch -d '2026-11-01' {} +
    TSF_NOW=2027-11-30T00:00:00Z runs 0 tsf-vacuum logs
    jq -e '.metrics.files == 2' <<<"$output"
    same
}

@test "tsf-vacuum: unflushed rows, hidden files and files of others stay; orphans go" {
    local dir=$TSF_WAREHOUSE/logs/date=2026-11-20
    echo '{"timestamp":"2026-11-20T12:00:00Z","n":5}' | tsf-ingest -q logs - >/dev/null
    cp "$(find "$dir" -name '*.parquet' | head -1)" "$dir/part-orphan.parquet"
    mkdir "$TSF_WAREHOUSE/logs/_hidden" "$TSF_WAREHOUSE/logs/.dot"
    echo x | tee "$dir/README.txt" "$TSF_WAREHOUSE/logs/_hidden/a.parquet" "$TSF_WAREHOUSE/logs/.dot/a.parquet" >"$dir/_meta.parquet"
    runs 0 tsf-vacuum --retention 0 --force logs
    [ ! -e "$dir/part-orphan.parquet" ]
    [ -e "$dir/README.txt" ] && [ -e "$dir/_meta.parquet" ]
    [ -e "$TSF_WAREHOUSE/logs/_hidden/a.parquet" ] && [ -e "$TSF_WAREHOUSE/logs/.dot/a.parquet" ]
    answer '3,8' "SELECT count(*), sum(n) FROM logs"
}

@test "tsf-vacuum: leftovers of killed writers go" {
    local dir=$TSF_WAREHOUSE/logs/date=2026-11-20
    : >"$dir/.tmp-0b5f4a3e-1111-4222-8333-444455556666"
    runs 0 tsf-vacuum --retention 0 --force logs
    jq -e '.metrics.temporaries == 1' <<<"$output"
    [ -z "$(find "$TSF_WAREHOUSE" -name '.tmp*')" ]
    same
}

@test "tsf-vacuum: a link in the table leads to nothing" {
    mkdir away
    echo keep >away/part-keep.parquet
    ln -s "$PWD/away" "$TSF_WAREHOUSE/logs/date=1999-01-01"
    runs 0 tsf-vacuum --retention 0 --force logs
    [ "$(cat away/part-keep.parquet)" = keep ]
    same
    runs 0 tsf-query -q "DROP TABLE logs"
    [ "$(cat away/part-keep.parquet)" = keep ]
}

@test "tsf-vacuum: several tables; a missing one is exit 1" {
    runs 0 tsf-query -q "CREATE TABLE other (n int)"
    runs 0 tsf-vacuum logs other
    [ "$(wc -l <<<"$output")" = 2 ]
    runs 1 tsf-vacuum nowhere
    says nowhere
    runs 2 tsf-vacuum
    runs 2 tsf-vacuum --retention soon logs
    runs 2 tsf-vacuum --retention -1h logs
}
