#!/usr/bin/env bats
# The generator of the benchmark and the demo: its rows must not change from run to run.

bats_require_minimum_version 1.5.0

setup_file() {
    "$BATS_TEST_DIRNAME/../bench/tools.sh" "$BATS_FILE_TMPDIR/bin"
    export gen=$BATS_FILE_TMPDIR/bin/gen_spans
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    command -v jq >/dev/null || skip "no jq"
}

@test "gen_spans: the same options give the same bytes" {
    "$gen" --rows 5000 --seed 7 >a
    "$gen" --rows 5K --seed 7 --start 2026-11-01 --days 30 --tenants 4 >b
    cmp a b
    [ "$(wc -l <a)" -eq 5000 ]
}

@test "gen_spans: the bytes are the same on every machine" {
    run -0 sh -c "'$gen' --rows 20000 | sha256sum"
    [ "$output" = "157bcd28a2e231cca3d2cb63585b34284b7d5f8c68232326c2bc9b14a6074b5b  -" ] || { echo "$output"; false; }
}

@test "gen_spans: another seed gives other rows" {
    "$gen" --rows 100 --seed 1 >a
    "$gen" --rows 100 --seed 2 >b
    run ! cmp -s a b
}

@test "gen_spans: each line is a JSON object with the columns of the table" {
    "$gen" --rows 3000 >a
    jq -ce 'select((.timestamp | test("^2026-11-[0-3][0-9]T[0-9:]{8}[.][0-9]{6}Z$")) and (.summary | type == "array")
        and (.attributes | type == "object") and (.id | length == 36) and (.context___trace_id | length == 32)
        and (.project_id | test("^p[1-4]$")) and (.message_size_bytes > 400))' a >b
    [ "$(wc -l <b)" -eq 3000 ]
    # nothing that the table does not have
    sed -n 's/^    \([a-z_]*\) .*/\1/p' "$BATS_TEST_DIRNAME/../bench/spans.sql" | sort >columns
    [ "$(wc -l <columns)" -eq 25 ]
    jq -r 'keys[]' a | sort -u >keys
    [ -z "$(comm -13 columns keys)" ]
    [ "$(comm -23 columns keys)" = date ]
}

@test "gen_spans: nested rows say the same as flat ones" {
    "$gen" --rows 500 >flat
    "$gen" --rows 500 --nested >nested
    # unfold the nested groups into a___b; what has no column stays in attributes; sizes are of the text, so they differ
    jq -Sc 'del(.message_size_bytes)' flat >a
    jq -Sc 'def unfold(p): to_entries | map(if (.value | type) == "object" then .key as $k | (.value | unfold(p + "___" + $k)) else
                [{key: (p + "___" + .key), value}] end) | add // [];
            . as $r | (.attributes | with_entries(select(.value | type != "object"))) as $free
            | (.attributes | with_entries(select(.value | type == "object")) | unfold("attributes") | from_entries) as $cols
            | ($r.context | unfold("context") | from_entries) as $ctx | ($r.resource | unfold("resource") | from_entries) as $res
            | $r | del(.context, .resource, .message_size_bytes) | .attributes = $free | . + $cols + $ctx + $res' nested >b
    diff a b
}

@test "gen_spans: every parent is a row of the same trace, and no child outlives it" {
    "$gen" --rows 4000 --days 1 >a
    jq -se '[group_by(.context___trace_id)[] | (map({(.context___span_id): .}) | add) as $spans
             | .[] | select(.parent_id != null) | . as $row | $spans[.parent_id]
             | select(. == null or .start_time > $row.start_time or ($row.end_time != null and .end_time < $row.end_time))]
            | length == 0' a
    jq -se 'map(.id) | unique | length == 4000' a
}

@test "gen_spans: rows come nearly in order of time, or in any order" {
    "$gen" --rows 4000 --days 1 >a
    jq -r .timestamp a >times
    head -n 400 times | sort | tail -n 1 >early
    tail -n 400 times | sort | head -n 1 >late
    [ "$(cat early)" \< "$(cat late)" ]
    "$gen" --rows 4000 --days 1 --order random >b
    jq -r .timestamp b >times
    head -n 400 times | sort | tail -n 1 >early
    tail -n 400 times | sort | head -n 1 >late
    [ "$(cat early)" \> "$(cat late)" ]
}

@test "gen_spans: files hold equal shares and the same rows" {
    "$gen" --rows 1003 --out-prefix part --files 4
    [ "$(wc -l <part-0000.ndjson)" -eq 251 ]
    [ "$(wc -l <part-0003.ndjson)" -eq 250 ]
    "$gen" --rows 1003 | cmp - <(cat part-000?.ndjson)
    "$gen" --rows 2 --out-prefix few --files 3
    [ -f few-0002.ndjson ] && [ ! -s few-0002.ndjson ]
}

@test "gen_spans: a wrong option is a usage error" {
    run -2 "$gen" --rows many
    run -2 "$gen" --order backwards
    run -2 "$gen" --files 3
    run -2 "$gen" --start yesterday
    run -0 "$gen" --help
}
