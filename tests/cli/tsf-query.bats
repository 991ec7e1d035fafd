#!/usr/bin/env bats
# shellcheck disable=SC2154 # status, output and stderr are set by run
# SQL in, answers out: forms, mistakes, parameters, tenants, and that nothing but the answer is on stdout.

load helper

setup() {
    tsf_setup
    need jq
}

kinds() { # a table with awkward values of each kind
    runs 0 tsf-query -q "CREATE TABLE k (i bigint, s text, d double precision, b boolean, t timestamptz, a text[], j json,
        x bytea, dec numeric(10,2), dt date)"
    cat >k.ndjson <<'END'
{"i":1,"s":"plain","d":1.5,"b":true,"t":"2026-11-20T12:00:00.25Z","a":["x","y z",null,"q\"uo,te"],"j":{"k":[1,null,"é"]},"x":"aGk=","dec":"12.30","dt":"2026-11-20"}
{"i":2}
{"i":3,"s":"","d":"NaN","a":[]}
{"i":4,"s":"comma, \"quote\" | pipe \\ tab\t nl\n cr\r","d":"-Infinity","j":"text"}
{"i":5,"s":"日本 ünï 👍 \u0007"}
{"i":-9223372036854775808,"d":1e300}
END
    runs 0 tsf-ingest k k.ndjson
}

tenants() { # two tenants, three rows each, half of them flushed
    local p
    runs 0 tsf-query -q -f "$SCHEMAS/otel_logs_and_spans.sql"
    for p in p1 p2; do
        for i in 1 2 3; do echo "{\"timestamp\":\"2026-11-2${i}T11:00:00Z\",\"id\":\"$p-$i\",\"name\":\"GET /\",\"summary\":[]}"; done |
            tsf-ingest -q --project $p otel_logs_and_spans - >/dev/null
        [ $p = p2 ] || tsf-flush >/dev/null
    done
}

both() { # both FUNCTION: before and after a flush
    "$1"
    runs 0 tsf-flush
    "$1"
}

csv_form() {
    runs 0 tsf-query -F csv "SELECT * FROM k ORDER BY i"
    [ "$output" = 'i,s,d,b,t,a,j,x,dec,dt
-9223372036854775808,,1e+300,,,,,,,
1,plain,1.5,t,2026-11-20 12:00:00.25+00,"{x,""y z"",NULL,""q\""uo,te""}","{""k"":[1,null,""é""]}",\x6869,12.30,2026-11-20
2,,,,,,,,,
3,"",NaN,,,{},,,,
4,"comma, ""quote"" | pipe \ tab'$'\t'' nl
 cr'$'\r''",-Infinity,,,,"""text""",,,
5,日本 ünï 👍 '$'\a'',,,,,,,,' ] || { show; return 1; }
}

@test "tsf-query: csv quotes what needs it, NULL is nothing and empty text is \"\"" {
    kinds
    both csv_form
    runs 0 tsf-query -F csv -t --null NULL "SELECT i, s FROM k WHERE i IN (2, 3) ORDER BY 1"
    is '2,NULL
3,""'
}

@test "tsf-query: csv is read back by another reader" {
    need python3
    kinds
    tsf-query -F csv "SELECT i, s FROM k ORDER BY i" >k.csv
    python3 - <<'END'
import csv
rows = list(csv.reader(open("k.csv", newline="", encoding="utf-8")))
assert rows[0] == ["i", "s"] and len(rows) == 7, rows
assert rows[5] == ["4", 'comma, "quote" | pipe \\ tab\t nl\n cr\r'], rows[5]
END
}

json_form() {
    tsf-query -F json "SELECT * FROM k ORDER BY i" >k.json
    jq -e 'length == 6 and .[1].t == "2026-11-20T12:00:00.25Z" and .[1].a == ["x", "y z", null, "q\"uo,te"] and .[1].b == true and
        .[1].j == {"k": [1, null, "é"]} and .[1].dec == 12.3 and .[2].s == null and .[3].s == "" and .[3].d == "NaN" and .[3].a == [] and
        .[4].s == "comma, \"quote\" | pipe \\ tab\t nl\n cr\r" and .[4].d == "-Infinity" and .[4].j == "text" and
        .[5].s == "日本 ünï 👍 \u0007" and (.[0] | has("dt"))' k.json
    grep -q -- '"i":-9223372036854775808' k.json
    tsf-query -F ndjson "SELECT * FROM k ORDER BY i" >k.nd
    [ "$(wc -l <k.nd)" = 6 ]
    diff <(jq -cS '.[]' k.json) <(jq -cS . k.nd)
}

@test "tsf-query: json and ndjson are valid, with NULLs, arrays, embedded JSON and NaN" {
    kinds
    both json_form
}

@test "tsf-query: tsv and markdown escape what would break their lines" {
    kinds
    runs 0 tsf-query -F tsv -t "SELECT s FROM k WHERE i = 4"
    is 'comma, "quote" | pipe \\ tab\t nl\n cr\r'
    runs 0 tsf-query -F markdown "SELECT i, s FROM k WHERE i = 4"
    [ "$(wc -l <<<"$output")" = 3 ]
    has 'pipe'
    has '\|'
    has '|---:|---|'
}

@test "tsf-query: a table is aligned by what one sees, and control characters are shown" {
    runs 0 tsf-query "SELECT * FROM (VALUES (1, 'ünï'), (-20, NULL), (300, '日本' || chr(7))) v(n, text)"
    is "  n  |   text
-----+----------
   1 | ünï
 -20 | ${none-}
 300 | 日本\\x07
(3 rows)"
    runs 0 tsf-query -t "SELECT 1"
    is ' 1'
}

@test "tsf-query: no rows in every form" {
    runs 0 tsf-query "SELECT 1 AS a, 'x' AS b WHERE false"
    is ' a | b
---+---
(0 rows)'
    runs 0 tsf-query -F csv "SELECT 1 AS a, 'x' AS b WHERE false"
    is 'a,b'
    runs 0 tsf-query -F json "SELECT 1 AS a WHERE false"
    is '[]'
    runs 0 tsf-query -F ndjson "SELECT 1 AS a WHERE false"
    is ''
    runs 0 tsf-query -F markdown "SELECT 1 AS a WHERE false"
    is '| a |
|---:|'
    runs 2 tsf-query -F xml "SELECT 1"
}

@test "tsf-query: a mistake is shown with its line, a caret, the SQLSTATE and exit 1" {
    runs 1 tsf-query 'SELECT 1 AS "ü",
  nope
FROM (VALUES (1)) v(a)'
    is ""
    [ "$stderr" = 'LINE 2:   nope
          ^
tsf-query: error 42703: column "nope" does not exist' ] || { show; return 1; }
    runs 1 tsf-query "SELECT 'é', 1 FORM x"
    says "             ^"
}

@test "tsf-query: SQLSTATEs are PostgreSQL's" {
    local code sql
    while IFS='|' read -r code sql; do
        runs 1 tsf-query "$sql"
        says "tsf-query: error $code: "
        is ""
    done <<'END'
42601|SELEC 1
42601|SELECT (1
42P01|SELECT * FROM nowhere
42703|SELECT nope
42883|SELECT nofunc(1)
42883|SELECT 1 || 2
22012|SELECT 1 / 0
22P02|SELECT 'abc'::int
22P02|SELECT 'maybe'::boolean
22003|SELECT 9223372036854775807 + 1
22003|SELECT 40000::smallint
22007|SELECT 'yesterdayish'::timestamptz
42803|SELECT a, count(*) FROM (VALUES (1)) v(a)
42P02|SELECT $1
0A000|UPDATE t SET a = 1
END
}

@test "tsf-query: statements run in order and stop at the first error" {
    runs 1 tsf-query -F csv "SELECT 1 AS a; SELECT 1 / 0; SELECT 3"
    is 'a
1'
    says 22012
    runs 0 tsf-query "" ";;" "-- nothing"
    is ""
}

@test "tsf-query: -f several files, then operands; - and nothing are stdin" {
    echo "SELECT 1 AS a;" >1.sql
    printf '%s\n' "-- two; of 'them" "SELECT 2 AS b; /* ; */ SELECT ';' AS c" >2.sql
    runs 0 tsf-query -F csv -t -f 1.sql -f 2.sql "SELECT 4"
    is '1
2
;
4'
    runs 0 tsf-query -F csv -t -f - <1.sql
    is 1
    runs 0 tsf-query -F csv -t <1.sql
    is 1
    runs 1 tsf-query -f nowhere.sql
    says "nowhere.sql: No such file"
    printf 'SELECT 1\0' >nul.sql
    runs 1 tsf-query -f nul.sql
}

@test "tsf-query: what is not UTF-8 is refused before it gets anywhere" {
    runs 1 tsf-query -F json $'SELECT \'\xff\xfe\' AS a'
    says "error 22021"
    is ""
    runs 1 tsf-query -p $'\xc3' 'SELECT $1'
    says "parameter 1 is not UTF-8"
    runs 0 tsf-query -F csv -t $'SELECT \'\xc3\xbc\''
    is ü
}

@test "tsf-query: parameters by place and by name are values, never SQL" {
    # shellcheck disable=SC2016 # $1 is for SQL
    runs 0 q 'SELECT $1::int + $2::int, :b::int' -p 5 -p b=7
    is 12,7
    runs 0 q "SELECT :a, ':a', 'x'::text -- :a" -p "a=it's; DROP TABLE k; --"
    is "it's; DROP TABLE k; --,:a,x"
    kinds
    runs 0 q "SELECT count(*) FROM k WHERE s = :who" -p "who=x' OR '1'='1"
    is 0
    runs 0 q "SELECT count(*) FROM k WHERE i = :n AND s LIKE :like" -p n=1 -p 'like=pl%'
    is 1
    runs 1 q "SELECT count(*) FROM k WHERE i = :n" -p "n=1 OR true"
    says 22P02
}

@test "tsf-query: a tenant sees its rows, whatever the SQL says" {
    local sql t=otel_logs_and_spans
    tenants
    answer 6 "SELECT count(*) FROM $t"
    cd "$TSF_WAREHOUSE" # names of more than 63 bytes are cut, as in PostgreSQL
    export TSF_PROJECT=p1
    for sql in "SELECT count(*) FROM $t" "SELECT count(*) FROM $t WHERE project_id = 'p2' OR true" \
        "SELECT count(*) FROM $t WHERE project_id IN ('p1', 'p2')" "SELECT count(*) FROM (SELECT * FROM $t) x" \
        "WITH c AS (SELECT * FROM $t) SELECT count(*) FROM c" "SELECT (SELECT count(*) FROM $t)" \
        "SELECT count(*) FROM $t WHERE id IN (SELECT id FROM $t)" "SELECT count(*) FROM \"./$t\"" \
        "SELECT count(DISTINCT id) FROM $t" "SELECT count(*) FROM $t WHERE NOT false -- ' OR 1=1"; do
        answer 3 "$sql"
    done
    answer p1,p1,p1-3 "SELECT min(project_id), max(project_id), max(id) FROM $t"
    answer 0 "SELECT count(*) FROM $t WHERE project_id = 'p2'"
    runs 0 q "SELECT id FROM $t ORDER BY timestamp DESC LIMIT 4"
    is 'p1-3
p1-2
p1-1'
    TSF_PROJECT='' runs 0 q "SELECT count(*) FROM $t" --project "p1' OR '1'='1"
    is 0
    runs 0 q "SELECT count(*), max(project_id) FROM $t" --project p2
    is 3,p2
}

@test "tsf-query: a tenant writes its rows only, and makes and drops nothing" {
    local t=otel_logs_and_spans sql
    tenants
    export TSF_PROJECT=p1
    for sql in "INSERT INTO $t (timestamp, id, summary, project_id) VALUES ('2026-11-20', 'x', ARRAY['s'], 'p2')" \
        "DROP TABLE $t" "CREATE TABLE zz (i int)" "SELECT * FROM tsf.tables" "SELECT * FROM tsf.files('$t')"; do
        runs 1 q "$sql"
        says "error 42501"
    done
    runs 0 q "INSERT INTO $t (timestamp, id, summary) VALUES ('2026-11-20', 'y', ARRAY['s'])"
    answer 4,p1 "SELECT count(*), max(project_id) FROM $t"
    unset TSF_PROJECT
    answer 'p1,4
p2,3' "SELECT project_id, count(*) FROM $t GROUP BY 1 ORDER BY 1"
    runs 0 tsf-query -q "CREATE TABLE plain (i int)"
    runs 1 q "SELECT * FROM plain" --project p1
    says 42501
}

@test "tsf-query: an empty --project is wrong usage, not everybody" {
    tenants
    runs 2 q "SELECT count(*) FROM otel_logs_and_spans" --project ""
    is ""
    runs 2 tsf-ingest --project "" otel_logs_and_spans /dev/null
}

@test "tsf-query: -o gives the whole answer or leaves the file as it was" {
    echo old >out
    runs 0 tsf-query -F csv -t -o out "SELECT 1; SELECT 2"
    is ""
    [ "$(cat out)" = '1
2' ]
    runs 1 tsf-query -F csv -t -o out "SELECT 3; SELECT 1 / 0"
    [ "$(cat out)" = '1
2' ]
    [ "$(ls -A)" = out ]
    runs 1 tsf-query -o /proc/nowhere/out "SELECT 1"
    runs 0 tsf-query -F csv -t -o /dev/null "SELECT 1"
    [ -c /dev/null ]
    run bash -c 'tsf-query -F csv -t -o /dev/stdout "SELECT 5" | cat'
    is 5
}

@test "tsf-query: a full or closed stdout is exit 1" {
    run bash -c 'tsf-query "SELECT 1" >/dev/full'
    [ "$status" = 1 ]
    [[ $output == *"standard output: No space left on device"* ]]
    run bash -c 'tsf-query -F csv "SELECT i FROM generate_series(1, 3000000) AS g(i)" | head -2; echo "${PIPESTATUS[0]}"'
    is 'i
1
1'
}

@test "tsf-query: EXPLAIN ANALYZE shows what was read and what was not" {
    local day
    runs 0 tsf-query -q "CREATE TABLE logs (date date NOT NULL, timestamp timestamptz NOT NULL, n bigint, message text)
        PARTITION BY LIST (date)"
    for day in 18 19 20; do
        seq ${day}001 ${day}999 | sed "s/.*/{\"timestamp\":\"2026-11-${day}T12:00:00Z\",\"n\":&,\"message\":\"m &\"}/" | tsf-ingest -q logs - >/dev/null
        tsf-flush >/dev/null
    done
    runs 0 tsf-query "EXPLAIN SELECT message FROM logs WHERE n = 20500"
    has "Scan logs"
    has "Filter: (n = 20500)"
    has "(filter)"
    runs 0 tsf-query "EXPLAIN ANALYZE SELECT message FROM logs WHERE n = 20500"
    has "Files: 1 read, 2 pruned"
    has "Row groups: 1 read, 0 pruned"
    has "Pages: "
    has "Bytes read: "
    runs 0 tsf-query --explain "SELECT count(message) FROM logs WHERE date = '2026-11-19' AND message LIKE '%5%'"
    has "Files: 1 read, 2 pruned"
    echo '{"timestamp":"2026-11-20T12:00:00Z","n":1,"message":"new"}' | tsf-ingest -q logs - >/dev/null
    runs 0 tsf-query --explain "SELECT message FROM logs WHERE n < 100"
    has "unflushed rows: 1"
}

@test "tsf-query: too little memory is a clear error" {
    runs 1 tsf-query --memory-limit 8M "SELECT count(*) FROM (SELECT i FROM generate_series(1, 3000000) AS g(i) ORDER BY i DESC) x"
    says "error 53200"
    says "hint: "
}

@test "tsf-query: a file that lost bytes is an error that names it, never a crash" {
    local f size at
    runs 0 tsf-query -q "CREATE TABLE t (n bigint, s text)"
    seq 3000 | sed 's/.*/{"n":&,"s":"text &"}/' | tsf-ingest -q t - >/dev/null
    runs 0 tsf-flush
    f=$TSF_WAREHOUSE/t/$(jq -r '.added[0].path' <<<"$output")
    runs 0 tsf-evict t
    cp "$f" whole
    size=$(stat -c %s "$f")
    for at in 0 4 $((size / 3)) $((size / 2)) $((size - 200)) $((size - 6)); do
        cp whole "$f"
        dd if=/dev/urandom of="$f" bs=1 seek="$at" count=60 conv=notrunc status=none
        truncate -s "$size" "$f"
        run --separate-stderr q "SELECT count(*), sum(n), max(s), min(length(s)) FROM t WHERE s LIKE 'text%'" --no-cache
        [ "$status" = 0 ] || [ "$status" = 1 ] || { echo "$at: exit $status"; show; return 1; }
        [ "$status" = 0 ] || says "$(basename "$f")"
        [ "$status" = 1 ] || is '3000,4501500,text 999,6'
    done
    rm "$f"
    runs 1 q "SELECT sum(n) FROM t"
    says "$(basename "$f")"
}

@test "tsf-query: SIGTERM ends a long query, exit 143" {
    local pid rc=0
    tsf-query -F csv "SELECT count(*) FROM (SELECT sqrt(i) AS r FROM generate_series(1, 2000000000) AS g(i)) x WHERE r > 1" >out 2>err &
    pid=$!
    until [ -e "/proc/$pid/comm" ] && [ "$(cat "/proc/$pid/comm")" = tsf-query ] && grep -q 'SigCgt:.*[4-7c-f]...$' "/proc/$pid/status"; do :; done
    kill -TERM $pid
    wait $pid || rc=$?
    [ $rc = 143 ] || { echo "exit $rc"; cat err; return 1; }
    [ ! -s out ]
}
