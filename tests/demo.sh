#!/bin/sh
# The main job on a local table, from a compressed file to answers. Run by `make demo`, which sets BIN and BUILD.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
BUILD=${BUILD:-$here/build/release}
BIN=${BIN:-$BUILD/bin}
PATH=$BIN:$PATH
export PATH
unset TSF_PROJECT TSF_NOW 2>/dev/null || true
work=$(mktemp -d "${TMPDIR:-/tmp}/tsf-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
export TSF_DATA_DIR="$work/data" TSF_WAREHOUSE="$work/tables"
cd "$work"
ln -s "$here/lib/table/schemas" schemas # share/tsf/schemas once installed
rows=${DEMO_ROWS:-200000}
bold='' plain=''
if [ -t 1 ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi

say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
note() { printf '%s\n' "$*"; }
# Show a command as one would type it, then run it.
run() {
    printf '%s$ %s%s\n' "$bold" "$*" "$plain"
    sh -c "$*"
}

say "== 1. Tables =="
note "A table is SQL; tsf installs three ready-made ones. A table is a folder with a Delta log, nothing more."
run "tsf-query -f schemas/logs.sql -f schemas/otel_logs_and_spans.sql"

say "== 2. Logs of this machine =="
# dpkg.log: "2026-11-20 10:11:12 status installed libzstd-dev:amd64 1.5.4". One awk makes NDJSON of it.
dpkg_log=/var/log/dpkg.log
if [ ! -s "$dpkg_log" ]; then
    note "(This machine has no $dpkg_log; two lines stand in for it.)"
    dpkg_log=$work/dpkg.log
    printf '%s\n' '2026-11-20 10:11:12 install zstd:amd64 <none> 1.5.4' '2026-11-20 10:11:13 status installed zstd:amd64 1.5.4' > "$dpkg_log"
fi
awk -v host="$(uname -n)" '{ t = $1 "T" $2 "Z"; $1 = $2 = ""; sub(/^ +/, ""); split($0, w, " ")
    gsub(/\\/, "\\\\"); gsub(/"/, "\\\"")
    printf "{\"timestamp\":\"%s\",\"level\":\"info\",\"host\":\"%s\",\"service\":\"dpkg\",\"message\":\"%s\",\"action\":\"%s\"}\n", t, host, $0, w[1] }' \
    "$dpkg_log" | gzip > "$work/dpkg.ndjson.gz"
note "The package manager's log, turned into NDJSON and compressed. tsf-ingest reads it as it is; when it exits 0 the rows"
note "are on disk. The key \"action\" has no column, so it is kept in the JSON column attributes."
run "tsf-ingest logs dpkg.ndjson.gz"
note ""
note "Nothing is flushed yet, and yet the rows are there: readers see the WAL and the files as one table."
run "tsf-query \"SELECT attributes->>'action' AS action, count(*) FROM logs GROUP BY 1 ORDER BY 2 DESC LIMIT 5\""

say "== 3. A day of spans for several tenants =="
note "$rows generated OpenTelemetry spans, always the same."
gen=$BUILD/tests/bench/gen_spans
[ -x "$gen" ] || { echo "demo: $gen is not built; make demo builds it" >&2; exit 1; }
"$gen" --rows "$rows" --start 2026-11-20T00:00:00Z --days 1 --tenants 4 | gzip -1 > "$work/spans.ndjson.gz"
run "zcat spans.ndjson.gz | tsf-ingest otel_logs_and_spans"
q="SELECT project_id, count(*), approx_percentile(0.95, percentile_agg(duration)) / 1e6 AS p95_ms, max(timestamp) FROM otel_logs_and_spans GROUP BY 1 ORDER BY 1"
run "tsf-query --timing \"$q\""

say "== 4. Flush: from the WAL to Parquet, exactly once =="
note "Each manifest is one Delta commit: which files it added, with their rows, and whether the cache has their footers."
run "tsf-flush | tsf-warm | cut -c1-400"
note ""
note "The same question, now answered from files:"
run "tsf-query --timing \"$q\""
note "A second flush finds nothing to do and says nothing:"
run "tsf-flush"

say "== 5. More data, more files, then compaction =="
for part in 1 2 3 4; do
    "$gen" --rows 5000 --seed "$part" --start 2026-11-20T00:00:00Z --days 1 --tenants 4 |
        tsf-ingest -q otel_logs_and_spans > /dev/null
    tsf-flush > /dev/null
done
note "Four more small flushes left five files in each partition:"
run "tsf-query \"SELECT split_part(path, '/', 1) AS tenant, count(*) AS files, sum(rows) AS rows FROM tsf.files('otel_logs_and_spans') GROUP BY 1 ORDER BY 1\""
note "Compaction merges them in sort order. What it removed is evicted from the cache, what it added is warm:"
run "tsf-compact --full --window all otel_logs_and_spans | tsf-evict | tsf-warm | cut -c1-300"
run "tsf-query \"SELECT split_part(path, '/', 1) AS tenant, count(*) AS files, sum(rows) AS rows FROM tsf.files('otel_logs_and_spans') GROUP BY 1 ORDER BY 1\""
note "A second run sees that nothing has changed since, and rewrites nothing:"
run "tsf-compact --full --window all otel_logs_and_spans"

say "== 6. Dashboards =="
run "tsf-query --timing \"SELECT time_bucket('3 hours', timestamp) AS t, count(*) AS spans, count(*) FILTER (WHERE status_code = 'ERROR') AS errors, percentile_cont(0.99) WITHIN GROUP (ORDER BY duration) / 1e6 AS p99_ms FROM otel_logs_and_spans GROUP BY 1 ORDER BY 1\""
run "tsf-query --timing --project \"\$(tsf-query -t -F csv 'SELECT min(project_id) FROM otel_logs_and_spans')\" \"SELECT resource___service___name AS service, count(*), round(avg(duration) / 1e6, 2) AS avg_ms FROM otel_logs_and_spans WHERE timestamp >= '2026-11-20 10:00' AND timestamp < '2026-11-20 12:00' GROUP BY 1 ORDER BY 2 DESC LIMIT 5\""
note "What was read for it, and what was not:"
run "tsf-query \"EXPLAIN ANALYZE SELECT count(*) FROM otel_logs_and_spans WHERE timestamp >= '2026-11-20 10:00' AND timestamp < '2026-11-20 10:30' AND status_code = 'ERROR'\""

say "== 7. Vacuum =="
note "The files that compaction replaced are kept for readers of older versions. What a vacuum would delete if nobody was"
note "there (a retention below 24h needs --force):"
run "tsf-vacuum --dry-run --retention 0 --force otel_logs_and_spans | cut -c1-250"
run "tsf-vacuum --retention 0 --force -q otel_logs_and_spans | grep -o '\"metrics\":.*'"
run "tsf-query \"SELECT count(*) FROM otel_logs_and_spans\""

say "Done."
note "The tables were plain Delta Lake: DuckDB, Spark, Polars or delta-rs read the same folders."
