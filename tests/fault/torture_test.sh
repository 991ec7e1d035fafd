#!/usr/bin/env bash
# kill -9 at random moments of ingest, flush, compact, vacuum, warm, evict and query, alone and two at a time, with an audit
# after every kill: each acknowledged row is there once, whether anything recovered yet or not; a run whose acknowledgement
# was killed is there whole or not at all, and once it was seen it stays.
#
# TORTURE_KILLS (200) and TORTURE_SEED (from the clock, printed) choose length and course.
set -u -o pipefail

kills=${TORTURE_KILLS:-200}
RANDOM=${TORTURE_SEED:-$(($(date +%s) % 32768))}
seed=${TORTURE_SEED:-$RANDOM}
RANDOM=$seed
work=$(mktemp -d "${TMPDIR:-/tmp}/tsf-torture.XXXXXX")
export TSF_DATA_DIR=$work/data TSF_WAREHOUSE=$work/tables
passed=0 failed=0 killed=0
trap 'rm -rf "$work"' EXIT

finish() {
    [ "$failed" -eq 0 ] || echo "seed $seed (TORTURE_SEED=$seed runs this course again)"
    echo "$killed processes killed"
    echo "$passed passed, $failed failed, 0 skipped"
    [ "$failed" -eq 0 ]
    exit
}
fail() {
    echo "FAIL torture: $*"
    failed=$((failed + 1))
    finish
}

sum() { tsf-query -t -F csv "SELECT count(*), count(DISTINCT n), coalesce(sum(n), 0) FROM t"; }

tsf-query "CREATE TABLE t (date date NOT NULL, timestamp timestamptz NOT NULL, project_id text, n bigint NOT NULL, pad text)
           PARTITION BY LIST (project_id, date) WITH (tsf.sort_order = 'timestamp DESC, n')" > /dev/null || fail "create table"

next=1 rows=0 total=0
# rows from $1 on, $2 of them, over three days and two tenants
make_rows() {
    awk -v first="$1" -v n="$2" 'BEGIN { for (i = first; i < first + n; i++)
        printf "{\"timestamp\":\"2026-11-%02dT%02d:%02d:%02dZ\",\"project_id\":\"p%d\",\"n\":%d,\"pad\":\"row %d of the torture test\"}\n",
               10 + i % 3, i % 24, i % 60, (i * 7) % 60, i % 2, i, i }'
}
# Random moment in milliseconds, as timeout takes it. Programs take some 2 to 60 ms here.
moment() { printf '0.%03d' $((RANDOM % 40 + 1)); }
# Run a command and kill it at a random moment; its status in $status (137: killed).
strike() {
    { timeout -s KILL "$(moment)" "$@" > "$work/out" 2> "$work/err"; } 2> /dev/null # the shell's word on the kill
    status=$?
    if [ "$status" -eq 137 ]; then
        killed=$((killed + 1))
    elif [ "$status" -ne 0 ] && [ "$status" -ne 75 ]; then
        fail "$* ended with $status: $(head -c 500 "$work/err")"
    fi
}
acknowledge() { # first n
    rows=$((rows + $2))
    total=$((total + $2 * $1 + $2 * ($2 - 1) / 2))
}
# After a killed ingest: all of its rows or none.
settle() { # first n
    local seen
    seen=$(tsf-query -t -F csv "SELECT count(*) FROM t WHERE n >= $1 AND n < $(($1 + $2))") || fail "query after a killed ingest"
    if [ "$seen" -eq "$2" ]; then
        acknowledge "$1" "$2"
    elif [ "$seen" -ne 0 ]; then
        fail "a killed run of $2 rows left $seen of them"
    fi
}
ingest() {
    local n=$((RANDOM % 4 == 0 ? 20000 : RANDOM % 50 + 1)) first=$next
    next=$((next + n))
    make_rows "$first" "$n" > "$work/rows.ndjson"
    strike tsf-ingest t "$work/rows.ndjson"
    if [ "$status" -eq 0 ]; then
        acknowledge "$first" "$n"
    else
        settle "$first" "$n"
    fi
}
maintain() {
    case $((RANDOM % 8)) in
    0 | 1 | 2) strike tsf-flush t ;;
    3) strike tsf-compact --light --window all t ;;
    4) strike tsf-compact --full --window all t ;;
    5) strike tsf-vacuum -q --retention 0 --force t ;;
    6) strike tsf-warm t ;;
    7) strike tsf-evict t ;;
    esac
}
# A maintenance step that is killed while an ingest runs to its end beside it, or the other way round.
both() {
    local n=$((RANDOM % 3000 + 1)) first=$next pid
    next=$((next + n))
    make_rows "$first" "$n" > "$work/beside.ndjson"
    tsf-ingest t "$work/beside.ndjson" > "$work/beside.out" 2> "$work/beside.err" &
    pid=$!
    case $((RANDOM % 3)) in
    0) strike tsf-compact --full --window all t ;;
    *) strike tsf-flush t ;;
    esac
    wait "$pid" || fail "ingest beside a killed maintenance: $(head -c 500 "$work/beside.err")"
    acknowledge "$first" "$n"
}
audit() {
    local want="$rows,$rows,$total" got
    got=$(sum 2> "$work/err") || fail "audit query: $(head -c 500 "$work/err")"
    [ "$got" = "$want" ] || fail "after $killed kills: count, distinct, sum are $got, want $want"
    passed=$((passed + 1))
}

audit
rounds=0
while [ "$killed" -lt "$kills" ] && [ "$rounds" -lt $((kills * 5)) ]; do
    rounds=$((rounds + 1))
    case $((RANDOM % 10)) in
    0 | 1 | 2 | 3) ingest ;;
    4) both ;;
    5) strike tsf-query "SELECT project_id, count(*), max(n) FROM t GROUP BY 1 ORDER BY 1" ;;
    *) maintain ;;
    esac
    audit
done
# All of it undisturbed, and still the same rows.
for step in "tsf-flush t" "tsf-compact --full --window all t" "tsf-vacuum -q --retention 0 --force t" "tsf-warm t"; do
    $step > "$work/out" 2> "$work/err" || fail "$step: $(head -c 500 "$work/err")"
    audit
done
left=$(find "$work" -name '.tmp-*' | wc -l)
[ "$left" -eq 0 ] || echo "note: $left temporaries of killed processes are left outside of what vacuum looks at"
finish
