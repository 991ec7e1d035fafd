#!/usr/bin/env bats
# Rows in: what is taken, what is refused, and that a run is all or nothing.

load helper

ROW='{"timestamp":"2026-11-20T12:00:00Z","message":"m"}'

setup() {
    tsf_setup
    need jq
    runs 0 tsf-query -q -o /dev/null -f "$SCHEMAS/logs.sql"
    echo "$ROW" >row.ndjson
}

wide() { # a table with a column of each kind
    runs 0 tsf-query -q "CREATE TABLE t (date date NOT NULL, timestamp timestamptz NOT NULL, n bigint, i integer,
        sm smallint, d double precision, dec numeric(10,2), b boolean, s text, bin bytea, arr text[], a___b text,
        a___c___d integer, day date) PARTITION BY LIST (date)"
}

dirty() {
    printf '%s\n' "$ROW" '{"timestamp":"never"}' "$ROW" 'not json' '{"message":"no time"}' '[1]'
    printf '{"timestamp":"2026-11-20T12:00:00Z","message":"\xff\xfe"}\n\n%s' '{"timestamp":"2026-11-20T12:00:00Z","message":"cut'
}

wal_files() { find "$TSF_DATA_DIR" -type f -printf '%P %s\n' | sort; }

@test "tsf-ingest: the receipt is one JSON object on one line" {
    runs 0 tsf-ingest logs row.ndjson
    [ "$(wc -l <<<"$output")" = 1 ]
    jq -e --arg t "$TSF_WAREHOUSE/logs" '.tsf == 1 and .op == "ingest" and .table == $t and .rows == 1 and .rejected == 0 and
        .unknown_keys == 0 and .files == 1 and .bytes == 51 and .wal_bytes > 0 and .first_lsn == .last_lsn' <<<"$output"
    [ -z "$stderr" ]
}

@test "tsf-ingest: gzip, zstd, xz, bzip2, tar and zip are recognized by their content, in files and on stdin" {
    local n=0 f
    need gzip xz python3
    gzip -c row.ndjson >a
    xz -c row.ndjson >b
    if command -v zstd; then zstd -qc row.ndjson >c; fi
    if command -v bzip2; then bzip2 -c row.ndjson >d; fi
    tar cf e row.ndjson
    tar czf f row.ndjson
    python3 -c 'import zipfile; z = zipfile.ZipFile("g", "w"); z.write("row.ndjson")'
    for f in a b c d e f g; do
        [ -e $f ] || continue
        runs 0 tsf-ingest logs $f
        jq -e '.rows == 1 and .bytes == 51' <<<"$output"
        runs 0 tsf-ingest logs - <$f
        runs 0 tsf-ingest logs <$f
        n=$((n + 3))
    done
    answer "$n" "SELECT count(*) FROM logs WHERE message = 'm'"
}

@test "tsf-ingest: members of an archive are files; packed ones are unpacked" {
    gzip -k row.ndjson
    tar czf all.tgz row.ndjson row.ndjson.gz
    runs 0 tsf-ingest logs all.tgz
    jq -e '.rows == 2 and .files == 1' <<<"$output"
}

@test "tsf-ingest: a bad row in a member names the archive and the member" {
    echo '{"timestamp":"never"}' >bad.ndjson
    tar cf all.tar row.ndjson bad.ndjson
    runs 1 tsf-ingest logs all.tar
    says "all.tar:bad.ndjson:1: "
    answer 0 "SELECT count(*) FROM logs"
}

@test "tsf-ingest: several files and - are one run" {
    runs 0 tsf-ingest logs row.ndjson - row.ndjson <row.ndjson
    jq -e '.rows == 3 and .files == 3' <<<"$output"
}

@test "tsf-ingest: one bad row in the second file, and nothing is there" {
    dirty >dirty.ndjson
    runs 1 tsf-ingest logs row.ndjson dirty.ndjson
    [ -z "$output" ]
    says 'tsf-ingest: dirty.ndjson:2: column timestamp: "never" is not a time (nothing was ingested)'
    says "hint: "
    answer 0 "SELECT count(*) FROM logs"
    runs 0 tsf-flush
    is ""
}

@test "tsf-ingest: a missing second file, and nothing is there" {
    runs 1 tsf-ingest logs row.ndjson nowhere.ndjson
    says "nowhere.ndjson: No such file"
    answer 0 "SELECT count(*) FROM logs"
}

@test "tsf-ingest: --max-rejects is a limit, -1 is none" {
    dirty >dirty.ndjson
    runs 1 tsf-ingest --max-rejects 5 logs dirty.ndjson
    answer 0 "SELECT count(*) FROM logs"
    runs 0 tsf-ingest --max-rejects 6 logs dirty.ndjson
    jq -e '.rows == 2 and .rejected == 6' <<<"$output"
    runs 0 tsf-ingest --max-rejects -1 logs dirty.ndjson
    answer 4 "SELECT count(*) FROM logs"
}

@test "tsf-ingest: --reject-file tells file, line, offset, reason and the row" {
    dirty >dirty.ndjson
    runs 0 tsf-ingest --max-rejects -1 --reject-file bad.ndjson logs row.ndjson dirty.ndjson
    jq -e . bad.ndjson >/dev/null
    run jq -rc '[.file, .line, .reason, .raw] | join("|")' bad.ndjson
    is 'dirty.ndjson|2|column timestamp: "never" is not a time|{"timestamp":"never"}
dirty.ndjson|4|not a JSON object|not json
dirty.ndjson|5|column timestamp: no value, and it is NOT NULL|{"message":"no time"}
dirty.ndjson|6|an array; rows are JSON objects, one per line|[1]
dirty.ndjson|7|column message: invalid UTF-8|{"timestamp":"2026-11-20T12:00:00Z","message":"��"}
dirty.ndjson|9|column message: the string has no end|{"timestamp":"2026-11-20T12:00:00Z","message":"cut'
    # each offset lies in its line
    jq -r '"\(.offset) \(.raw)"' bad.ndjson | head -4 | while read -r at raw; do
        start=$(grep -aobF -- "$raw" dirty.ndjson | head -1 | cut -d: -f1)
        [ "$at" -ge "$start" ] && [ "$at" -le "$((start + ${#raw}))" ] || { echo "$raw: offset $at, row at $start"; return 1; }
    done
}

@test "tsf-ingest: the reject file is written when the run fails, too" {
    dirty >dirty.ndjson
    runs 1 tsf-ingest -r bad.ndjson logs dirty.ndjson
    jq -se 'length >= 1 and .[0].line == 2' bad.ndjson
}

@test "tsf-ingest: a reject file that cannot be made fails before anything is ingested" {
    runs 1 tsf-ingest -r nowhere/bad.ndjson logs row.ndjson
    says "nowhere/bad.ndjson: "
    answer 0 "SELECT count(*) FROM logs"
}

@test "tsf-ingest: numbers, booleans and times in strings; epochs in s, ms, us and ns" {
    wide
    cat >in.ndjson <<'END'
{"n":1,"timestamp":1795176000}
{"n":2,"timestamp":1795176000123}
{"n":3,"timestamp":1795176000123456}
{"n":4,"timestamp":1795176000123456789}
{"n":5,"timestamp":"1795176000.25"}
{"n":6,"timestamp":"2026-11-20T14:00:00.5+02:00"}
{"n":"7","timestamp":"2026-11-20 12:00:00","i":"-3","sm":"7","d":"1.5e3","dec":"12.345","b":"true","s":5,"bin":"aGVsbG8=","arr":["x","y"],"day":"2026-11-20"}
END
    runs 0 tsf-ingest t in.ndjson
    answer '1,2026-11-20 12:00:00+00,2026-11-20
2,2026-11-20 12:00:00.123+00,2026-11-20
3,2026-11-20 12:00:00.123456+00,2026-11-20
4,2026-11-20 12:00:00.123456+00,2026-11-20
5,2026-11-20 12:00:00.25+00,2026-11-20
6,2026-11-20 12:00:00.5+00,2026-11-20
7,2026-11-20 12:00:00+00,2026-11-20' "SELECT n, timestamp, date FROM t ORDER BY n"
    answer '-3,7,1500,12.35,t,5,\x68656c6c6f,"{x,y}",2026-11-20' "SELECT i, sm, d, dec, b, s, bin, arr, day FROM t WHERE n = 7"
}

@test "tsf-ingest: values that do not fit are bad rows that name the column" {
    local v
    wide
    for v in '"n":"12x"' '"n":9223372036854775808' '"i":2147483648' '"sm":40000' '"dec":123456789.5' '"b":"maybe"' '"n":1.5' \
        '"day":"2026-02-30"' '"timestamp":"2026-13-01T00:00:00Z"' '"i":{"x":1}'; do
        echo "{\"timestamp\":1795176000,$v}" >in.ndjson
        runs 1 tsf-ingest t in.ndjson
        says "in.ndjson:1: column "
    done
    answer 0 "SELECT count(*) FROM t"
}

@test "tsf-ingest: nested objects and dotted keys reach a___b columns" {
    wide
    cat >in.ndjson <<'END'
{"timestamp":1795176000,"n":1,"a":{"b":"nested","c":{"d":4}}}
{"timestamp":1795176000,"n":2,"a.b":"dotted","a.c":{"d":"5"}}
{"timestamp":1795176000,"n":3,"a___b":"flat","a___c___d":6}
{"timestamp":1795176000,"n":4,"a":null}
END
    runs 0 tsf-ingest t in.ndjson
    answer 'nested,4
dotted,5
flat,6
,' "SELECT a___b, a___c___d FROM t ORDER BY n"
}

@test "tsf-ingest: unknown keys go to attributes, or are counted where there is none" {
    echo '{"timestamp":1795176000,"message":"m","code":404,"who":{"x":[1,"é"]}}' >in.ndjson
    runs 0 tsf-ingest logs in.ndjson
    jq -e '.unknown_keys == 0' <<<"$output"
    runs 0 q "SELECT attributes FROM logs" --format ndjson
    jq -e '.attributes == {"code": 404, "who": {"x": [1, "é"]}}' <<<"$output"
    wide
    runs 0 tsf-ingest t in.ndjson
    jq -e '.unknown_keys == 3' <<<"$output"
}

@test "tsf-ingest: a missing table is exit 1 with a way out, and leaves nothing behind" {
    runs 1 tsf-ingest nowhere row.ndjson
    says "table nowhere does not exist"
    says "hint: create it first"
    [ ! -e "$TSF_WAREHOUSE/nowhere" ]
    [ -z "$(find "$TSF_DATA_DIR/wal" -mindepth 1 2>/dev/null)" ]
    runs 1 tsf-ingest .. row.ndjson
    runs 1 tsf-ingest "" row.ndjson
}

@test "tsf-ingest: by name, by path and through a link, a table has one WAL" {
    ln -s "$TSF_WAREHOUSE" link
    runs 0 tsf-ingest logs row.ndjson
    runs 0 tsf-ingest "$TSF_WAREHOUSE/logs" row.ndjson
    runs 0 tsf-ingest "$TSF_WAREHOUSE//./logs/" row.ndjson
    runs 0 tsf-ingest "$TSF_WAREHOUSE/../warehouse/logs" row.ndjson
    runs 0 tsf-ingest ../warehouse/logs row.ndjson
    runs 0 tsf-ingest link/logs row.ndjson
    runs 0 tsf-ingest --warehouse link logs row.ndjson
    runs 0 tsf-ingest --warehouse "$BATS_TEST_TMPDIR" "file://$TSF_WAREHOUSE/logs" row.ndjson
    answer 8 "SELECT count(*) FROM logs"
    [ "$(find "$TSF_DATA_DIR/wal" -mindepth 1 -maxdepth 1 | wc -l)" = 1 ]
    runs 0 tsf-flush
    jq -e '.metrics.rows == 8' <<<"$output"
}

@test "tsf-ingest: --project fills the tenant, and refuses rows of another" {
    runs 0 tsf-query -q -o /dev/null -f "$SCHEMAS/otel_logs_and_spans.sql"
    echo '{"timestamp":1795176000,"id":"a","summary":[]}' >in.ndjson
    runs 0 tsf-ingest --project p1 otel_logs_and_spans in.ndjson
    TSF_PROJECT=p2 runs 0 tsf-ingest otel_logs_and_spans in.ndjson
    answer 'p1
p2' "SELECT project_id FROM otel_logs_and_spans ORDER BY 1"
    echo '{"timestamp":1795176000,"id":"b","summary":[],"project_id":"p2"}' >in.ndjson
    runs 1 tsf-ingest --project p1 otel_logs_and_spans in.ndjson
    says project_id
    runs 1 tsf-ingest --project p1 logs row.ndjson
    says "no tenant column"
}

@test "tsf-ingest: a row over --max-row-bytes is bad, and the rows around it are not" {
    { echo "$ROW"; printf '{"timestamp":1795176000,"message":"%0100000d"}\n' 0; echo "$ROW"; } >in.ndjson
    runs 0 tsf-ingest --max-row-bytes 10K --max-rejects 1 -r bad.ndjson logs in.ndjson
    jq -e '.rows == 2 and .rejected == 1' <<<"$output"
    jq -e '.line == 2 and (.raw | length) > 60000 and (.reason | contains("limit"))' bad.ndjson
    runs 0 tsf-ingest logs in.ndjson
    answer 100000 "SELECT max(length(message)) FROM logs"
}

@test "tsf-ingest: empty input is no rows; blank lines, CRLF and a byte order mark are nothing special" {
    runs 0 tsf-ingest logs /dev/null
    jq -e '.rows == 0 and .files == 1' <<<"$output"
    printf '\xef\xbb\xbf%s\r\n\r\n\n  \n%s' "$ROW" "$ROW" >in.ndjson
    runs 0 tsf-ingest logs in.ndjson
    answer 2 "SELECT count(*) FROM logs WHERE message = 'm'"
}

@test "tsf-ingest: cut and garbage archives are errors" {
    seq 1000 | sed 's/.*/{"timestamp":1795176000,"message":"&"}/' | gzip >whole.gz
    head -c 2000 whole.gz >cut.gz
    runs 1 tsf-ingest logs cut.gz
    says "cut.gz: "
    { head -c 1000 whole.gz; head -c 1000 /dev/zero; tail -c +2001 whole.gz; } >broken.gz
    runs 1 tsf-ingest logs broken.gz
    says "broken.gz:"
    head -c 4096 "$BUILD/bin/tsf-ingest" >elf
    runs 1 tsf-ingest logs elf
    says "elf"
    runs 1 tsf-ingest logs .
    says "is a directory"
    answer 0 "SELECT count(*) FROM logs"
}

@test "tsf-ingest: SIGTERM and SIGKILL in the middle leave nothing to see" {
    local sig pid want
    for sig in TERM KILL; do
        mkfifo pipe
        tsf-ingest -q logs - <pipe >receipt 2>said &
        pid=$!
        exec 9>pipe
        seq 20000 | sed 's/.*/{"timestamp":1795176000,"message":"&"}/' >&9
        kill -$sig $pid
        want=0
        wait $pid || want=$?
        exec 9>&-
        rm pipe
        [ "$want" = "$([ $sig = TERM ] && echo 143 || echo 137)" ] || { echo "exit $want"; cat said; return 1; }
        [ ! -s receipt ]
        answer 0 "SELECT count(*) FROM logs"
    done
    runs 0 tsf-ingest logs row.ndjson
    answer 1 "SELECT count(*) FROM logs"
    runs 0 tsf-flush
    jq -e '.metrics.rows == 1' <<<"$output"
}

@test "tsf-ingest: a full stdout fails the run and says so; the rows stay" {
    run bash -c 'tsf-ingest logs row.ndjson >/dev/full'
    [ "$status" = 1 ]
    [[ $output == *"standard output: No space left on device"* ]]
    answer 1 "SELECT count(*) FROM logs"
}

@test "tsf-ingest: a disk that takes no more bytes is exit 1, and nothing of the run shows" {
    seq 30000 | sed 's/.*/{"timestamp":1795176000,"message":"message number &"}/' >in.ndjson
    runs 0 tsf-ingest -q logs row.ndjson
    run bash -c 'trap "" XFSZ; ulimit -f 64; tsf-ingest logs in.ndjson 2>&1'
    [ "$status" = 1 ] || { echo "$output"; return 1; }
    [[ $output == *"File too large"* ]] || { echo "$output"; return 1; }
    answer 1 "SELECT count(*) FROM logs"
    runs 0 tsf-ingest -q logs in.ndjson
    answer 30001 "SELECT count(*) FROM logs"
}

@test "tsf-ingest: several at once lose nothing and mix nothing" {
    local i pids=()
    for i in 1 2 3 4; do
        seq 2000 | sed "s/.*/{\"timestamp\":1795176000,\"service\":\"s$i\",\"message\":\"&\"}/" >in$i
        tsf-ingest -q logs in$i >receipt$i &
        pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i"; done
    answer 's1,2000,2001000
s2,2000,2001000
s3,2000,2001000
s4,2000,2001000' "SELECT service, count(*), sum(message::bigint) FROM logs GROUP BY 1 ORDER BY 1"
}

@test "tsf-ingest: what it writes is its owner's only" {
    umask 022
    runs 0 tsf-ingest logs row.ndjson
    runs 0 tsf-flush
    [ -z "$(find "$TSF_DATA_DIR" -type d ! -perm 700 -o -type f ! -perm 600)" ] || { find "$TSF_DATA_DIR" -printf '%m %p\n'; return 1; }
}

@test "tsf-ingest: wrong usage is exit 2 with the usage line" {
    local args
    for args in "" "--max-rejects x logs" "--max-row-bytes 10x logs" "--nonsense logs" "--reject-file"; do
        # shellcheck disable=SC2086 # words
        runs 2 tsf-ingest $args
        says "usage: tsf-ingest [options] TABLE [FILE ...]"
        [ -z "$output" ]
    done
}

@test "tsf-ingest: an input that is also the reject file is refused and stays as it is" {
    echo "$ROW" >in.ndjson
    runs 1 tsf-ingest -r in.ndjson logs in.ndjson
    says "both an input and the reject file"
    [ "$(cat in.ndjson)" = "$ROW" ]
    runs 1 tsf-ingest -r in.ndjson logs <in.ndjson
    [ "$(cat in.ndjson)" = "$ROW" ]
}
