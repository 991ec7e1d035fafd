#!/usr/bin/env bash
# Readers beside ingests, flushes and compactions that run over one another: every answer is a whole prefix of the runs, and
# never an older one than the answer before. CONCURRENT_RUNS (100) ingests choose the length.
set -u -o pipefail

runs=${CONCURRENT_RUNS:-100}
work=$(mktemp -d "${TMPDIR:-/tmp}/tsf-concurrent.XXXXXX")
export TSF_DATA_DIR=$work/data TSF_WAREHOUSE=$work/tables
trap 'rm -rf "$work"' EXIT

tsf-query "CREATE TABLE t (date date NOT NULL, timestamp timestamptz NOT NULL, project_id text, n bigint NOT NULL)
           PARTITION BY LIST (project_id, date) WITH (tsf.sort_order = 'timestamp DESC, n')" > /dev/null || exit 1
make_rows() { # first n
    awk -v first="$1" -v n="$2" 'BEGIN { for (i = first; i < first + n; i++)
        printf "{\"timestamp\":\"2026-11-%02dT%02d:%02d:00Z\",\"project_id\":\"p%d\",\"n\":%d}\n", 10 + i % 3, i % 24, i % 60, i % 2, i }'
}
# 75 is another writer's right of way
maintain() {
    while [ ! -e "$work/done" ]; do
        "$@" > /dev/null 2> "$work/err.$BASHPID" || [ $? -eq 75 ] || echo "$*: $(head -c 300 "$work/err.$BASHPID")" >> "$work/bad"
    done
}
reader() {
    local got count distinct sum max last=0
    while [ ! -e "$work/done" ]; do
        got=$(tsf-query -t -F csv "SELECT count(*), count(DISTINCT n), coalesce(sum(n), 0), coalesce(max(n), 0) FROM t" 2>&1)
        IFS=, read -r count distinct sum max <<< "$got"
        if [ "$count" = "$distinct" ] && [ "$count" = "$max" ] && [ "$sum" = $((max * (max + 1) / 2)) ] && [ "$count" -ge "$last" ]; then
            echo >> "$work/good"
        else
            echo "after $last rows: $got" >> "$work/bad"
        fi
        last=$max
    done
}
: > "$work/bad"
: > "$work/good"
maintain tsf-flush t &
maintain tsf-compact --light --window all t &
maintain tsf-compact --full --window all t &
maintain tsf-compact --full --window all --memory-limit 1M t &
reader &
reader &
next=1
for ((i = 0; i < runs; i++)); do
    n=$((i % 20 == 7 ? 20000 : i * 37 % 200 + 1))
    make_rows $next $n | tsf-ingest t > /dev/null || echo "ingest of $n rows failed" >> "$work/bad"
    next=$((next + n))
done
touch "$work/done"
wait
[ "$(tsf-query -t -F csv "SELECT count(*), count(DISTINCT n) FROM t")" = "$((next - 1)),$((next - 1))" ] || echo "rows at the end" >> "$work/bad"
failed=$(wc -l < "$work/bad")
[ "$failed" -eq 0 ] || sed 's/^/FAIL concurrent: /' "$work/bad"
echo "$(wc -l < "$work/good") passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
