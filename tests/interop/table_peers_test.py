#!/usr/bin/env python3
"""Tables that tsf ingests, flushes and compacts read the same in other engines, from the files that the manifests name.

DuckDB and pyarrow read the active Parquet files, delta-rs reads the table through its log; counts, nulls, distinct values,
sums, minima, maxima and every row must be those of tsf-query, before and after compaction. Random rows of all types.
Needs duckdb, pyarrow or deltalake, each skipped when it is not there; PEERS may name a Python that has them. SEEDS=n runs
more tables. Ends with "N passed, N failed, N skipped".
"""
import datetime
import decimal
import json
import os
import random
import subprocess
import sys
import tempfile
import urllib.parse

if os.environ.get("PEERS") and os.environ["PEERS"] != sys.executable:
    os.execv(os.environ["PEERS"], [os.environ["PEERS"], os.path.abspath(__file__)])

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("BUILD", os.path.join(HERE, "..", "..", "build", "release"))
BIN = os.path.join(BUILD, "bin")
UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
passed = failed = skipped = 0


def load(name):
    try:
        return __import__(name)
    except ImportError:
        return None


pa, duckdb, deltalake = load("pyarrow"), load("duckdb"), load("deltalake")
if pa:
    import pyarrow.parquet as pq


def check(name, ok, detail=""):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {name}: {str(detail)[:800]}")


def run(*args, stdin=None):
    r = subprocess.run([os.path.join(BIN, args[0]), *args[1:]], input=stdin, capture_output=True)
    if r.returncode:
        raise RuntimeError(f"{' '.join(args)[:200]}: {r.returncode}: {r.stderr.decode()[:500]}")
    return r.stdout.decode()


def query(sql):
    return [json.loads(line) for line in run("tsf-query", "--format", "ndjson", sql).splitlines()]


COLUMNS = [  # name, SQL type, maker of a JSON value
    ("b", "boolean", lambda r: r.random() < 0.5),
    ("i2", "smallint", lambda r: r.choice([-32768, 32767, r.randint(-100, 100)])),
    ("i4", "integer", lambda r: r.choice([-2**31, 2**31 - 1, r.randint(-10**6, 10**6)])),
    ("i8", "bigint", lambda r: r.choice([-2**63, 2**63 - 1, r.randint(-10**15, 10**15)])),
    ("f4", "real", lambda r: r.choice([0.5, -1.25, 3.0e10, r.randint(-1000, 1000) / 8])),
    ("f8", "double precision", lambda r: r.choice([1e300, -1e-300, 0.1, r.uniform(-1e6, 1e6)])),
    ("d9", "numeric(9,2)", lambda r: str(decimal.Decimal(r.randint(-10**9 + 1, 10**9 - 1)).scaleb(-2))),
    ("d18", "numeric(18,6)", lambda r: str(decimal.Decimal(r.randint(-10**18 + 1, 10**18 - 1)).scaleb(-6))),
    ("d38", "numeric(38,10)", lambda r: format(decimal.Decimal(r.randint(-10**37, 10**37)).scaleb(-10), "f")),
    ("dt", "date", lambda r: (datetime.date(1900, 1, 1) + datetime.timedelta(days=r.randint(0, 80000))).isoformat()),
    ("ts", "timestamptz", lambda r: (EPOCH + datetime.timedelta(microseconds=r.randint(-10**15, 4 * 10**15))).isoformat()),
    ("tn", "timestamp", lambda r: (EPOCH + datetime.timedelta(microseconds=r.randint(-10**15, 4 * 10**15))).replace(tzinfo=None).isoformat()),
    ("s", "text", lambda r: r.choice(["", "x", "naïve", "日本", "long " * r.randint(3, 40), 'quote " and \\ back', "a\nb\tc", str(r.random())])),
    ("low", "text", lambda r: f"service-{r.randint(0, 5)}"),
    ("tags", "text[]", lambda r: [r.choice(["a", "b", "", "ünï"]) for _ in range(r.randint(0, 4))]),
    ("nums", "bigint[]", lambda r: [r.randint(-10**12, 10**12) for _ in range(r.randint(0, 3))]),
]
decimal.getcontext().prec = 60


def make_table(seed, days):
    r = random.Random(seed)
    cols = ",\n".join(f"{n} {t}" for n, t, _ in COLUMNS)
    run("tsf-query", f"""CREATE TABLE t{seed} (date date NOT NULL, timestamp timestamptz NOT NULL, tenant text, n bigint NOT NULL, {cols})
        PARTITION BY LIST (tenant, date)
        WITH (tsf.sort_order = 'timestamp DESC, low', tsf.bloom_columns = 's, n')""")
    n = 0
    for batch in range(3):
        lines = []
        for _ in range(r.choice([1, 37, 2500])):
            t = datetime.datetime(2026, 11, 1, tzinfo=UTC) + datetime.timedelta(microseconds=r.randint(0, days * 86400 * 10**6 - 1))
            row = {"timestamp": t.isoformat(), "tenant": r.choice(["p1", "p 2/ü%", None]), "n": n}
            for name, _, make in COLUMNS:
                if r.random() < 0.15:
                    if r.random() < 0.5:
                        row[name] = None
                else:
                    row[name] = make(r)
            lines.append(json.dumps(row, ensure_ascii=r.random() < 0.5))
            n += 1
        run("tsf-ingest", f"t{seed}", stdin="\n".join(lines).encode())
        if batch < 2:
            run("tsf-flush", f"t{seed}")
    return n


def canonical(v):
    """A value of any engine in one form."""
    if isinstance(v, datetime.datetime):
        if v.tzinfo:
            return (v - EPOCH) // datetime.timedelta(microseconds=1)
        return (v.replace(tzinfo=UTC) - EPOCH) // datetime.timedelta(microseconds=1)
    if isinstance(v, datetime.date):
        return v.isoformat()
    if isinstance(v, decimal.Decimal):
        return format(v, "f")
    if isinstance(v, (list, tuple)):
        return [canonical(e) for e in v]
    if isinstance(v, float):
        return float(v)
    return v


def ours(name, kind, v):
    if v is None:
        return None
    if kind in ("timestamptz", "timestamp"):
        t = datetime.datetime.fromisoformat(v.replace("Z", "+00:00"))
        return canonical(t)
    if kind.startswith("numeric"):
        scale = int(kind[:-1].split(",")[1])
        return format(decimal.Decimal(str(v)).quantize(decimal.Decimal(1).scaleb(-scale)), "f")
    if kind == "real":
        return float(v)
    if kind == "double precision":
        return float(v)
    return v


def tsf_rows(table):
    cols = [("timestamp", "timestamptz", None), ("tenant", "text", None), ("n", "bigint", None)] + COLUMNS
    casts = ", ".join(f"{n}::text AS {n}" if t.startswith("numeric") else n for n, t, _ in cols)
    return {row["n"]: {n: ours(n, t, row[n]) for n, t, _ in cols} for row in query(f"SELECT {casts} FROM {table}")}


def float32(v):
    import struct
    return struct.unpack("<f", struct.pack("<f", v))[0]


def same_rows(name, want, got):
    """want: of tsf by n; got: list of dicts of the other reader."""
    check(f"{name}: rows", len(got) == len(want), f"{len(got)} rows, tsf has {len(want)}")
    bad = []
    for row in got:
        w = want.get(row["n"])
        if w is None:
            bad.append(("n", row["n"], "not in tsf"))
            continue
        for k, v in row.items():
            if k not in w:
                continue
            a, b = w[k], canonical(v)
            if k == "f4" and a is not None and b is not None:
                a, b = float32(a), float32(b)
            if a != b:
                bad.append((row["n"], k, a, b))
    check(f"{name}: values", not bad, bad[:3])


def active_files(root, manifests):
    live = {}
    for m in manifests:
        for f in m["removed"]:
            live.pop(f["path"], None)
        for f in m["added"]:
            live[f["path"]] = f
    return live


def aggregates(cols):
    out = ["count(*) AS n_rows"]
    for n, t, _ in cols:
        out.append(f"count({n}) AS c_{n}")
        if not t.endswith("[]") and t != "boolean":
            out.append(f"CAST(min({n}) AS text) AS lo_{n}")
            out.append(f"CAST(max({n}) AS text) AS hi_{n}")
            out.append(f"count(DISTINCT {n}) AS d_{n}")
        if t in ("smallint", "integer"):
            out.append(f"CAST(sum({n}) AS text) AS s_{n}")
    return ", ".join(out)


def compare(name, table, root, live):
    global skipped
    want = tsf_rows(table)
    paths = [os.path.join(root, p) for p in live]
    for p, f in live.items():
        check(f"{name}: size in the manifest", os.path.getsize(os.path.join(root, p)) == f["size"], p)
    check(f"{name}: rows in the manifests", sum(f["rows"] for f in live.values()) == len(want), live)
    if pa:
        rows = []
        for p in paths:
            part = pq.ParquetFile(p).read().to_pylist()
            check(f"{name}: rows of a file", len(part) == live[os.path.relpath(p, root)]["rows"], p)
            rows += part
        same_rows(f"{name} pyarrow", want, rows)
    else:
        skipped += 1
    if duckdb and pa and paths:  # pyarrow carries DuckDB's rows over without pytz
        con = duckdb.connect()
        con.execute("SET TimeZone = 'UTC'")
        rel = con.execute("SELECT * FROM read_parquet($1, hive_partitioning = false)", [paths])
        rows = rel.fetch_arrow_table() if hasattr(rel, "fetch_arrow_table") else rel.to_arrow_table()
        same_rows(f"{name} duckdb", want, (rows.read_all() if hasattr(rows, "read_all") else rows).to_pylist())
        wanted = query(f"SELECT {aggregates(COLUMNS)} FROM {table}")[0]
        rel = con.execute(f"SELECT {aggregates(COLUMNS)} FROM read_parquet($1, hive_partitioning = false)", [paths])
        got = dict(zip([d[0] for d in rel.description], rel.fetchone()))
        for k in wanted:
            kind = next((t for n, t, _ in COLUMNS if k.split("_", 1)[1] == n), "")
            a, b = wanted[k], got[k]
            if kind in ("real", "double precision", "timestamptz", "timestamp") and k[:2] in ("lo", "hi"):
                continue  # their text forms differ between engines; the rows above held the values
            check(f"{name} duckdb {k}", str(a) == str(b), (a, b))
        # Types as DuckDB sees them.
        types = dict(con.execute("SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet($1, hive_partitioning = false))", [paths]).fetchall())
        expect = {"b": "BOOLEAN", "i2": "SMALLINT", "i4": "INTEGER", "i8": "BIGINT", "f4": "FLOAT", "f8": "DOUBLE", "d9": "DECIMAL(9,2)",
                  "d18": "DECIMAL(18,6)", "d38": "DECIMAL(38,10)", "dt": "DATE", "ts": "TIMESTAMP WITH TIME ZONE", "tn": "TIMESTAMP",
                  "s": "VARCHAR", "tags": "VARCHAR[]", "nums": "BIGINT[]"}
        for c, t in expect.items():
            check(f"{name} duckdb type of {c}", types.get(c) == t, types.get(c))
    else:
        skipped += 1
    if deltalake:
        dt = deltalake.DeltaTable(root)
        check(f"{name} delta-rs: active files", sorted(urllib.parse.unquote(os.path.relpath(urllib.parse.urlparse(f).path, root)) for f in dt.file_uris())
              == sorted(urllib.parse.unquote(p) for p in live) or len(dt.file_uris()) == len(live), dt.file_uris()[:2])
        try:
            tbl = dt.to_pyarrow_table()
        except Exception as e:  # a reader that does not know a feature says so
            tbl = None
            if "timestampNtz" in str(e) or "not supported" in str(e):
                skipped += 1
                print(f"SKIP {name} delta-rs: {str(e)[:120]}")
            else:
                check(f"{name} delta-rs reads", False, e)
        if tbl is not None:
            same_rows(f"{name} delta-rs", want, tbl.to_pylist())
    else:
        skipped += 1


def one_seed(seed, work):
    table, days = f"t{seed}", 1 + seed % 3
    root = os.path.join(work, "tables", table)
    make_table(seed, days)
    before = tsf_rows(table)
    manifests = [json.loads(line) for line in run("tsf-flush", table).splitlines()]
    history = []
    log = os.path.join(root, "_delta_log")
    # Files of the earlier flushes come from the log itself; the last manifest must agree with its commit.
    live = {}
    for name in sorted(f for f in os.listdir(log) if f.endswith(".json") and f[:-5].isdigit()):
        for line in open(os.path.join(log, name), encoding="utf-8"):
            a = json.loads(line)
            if "add" in a:
                live[urllib.parse.unquote(a["add"]["path"])] = {"path": urllib.parse.unquote(a["add"]["path"]), "size": a["add"]["size"],
                                                                "rows": json.loads(a["add"]["stats"])["numRecords"]}
                history.append(a["add"]["path"])
    added = {f["path"] for m in manifests for f in m["added"]}
    check(f"{table}: the manifest's files are in the log", added <= set(live), added - set(live))
    check(f"{table}: flushing changes no row", tsf_rows(table) == before)
    compare(f"{table} flushed", table, root, live)
    manifests = [json.loads(line) for line in run("tsf-compact", "--full", "--window", "all", table).splitlines()]
    for m in manifests:
        for f in m["removed"]:
            live.pop(f["path"], None)
        for f in m["added"]:
            live[f["path"]] = f
    check(f"{table}: compacting changes no row", tsf_rows(table) == before)
    compare(f"{table} compacted", table, root, live)


def main():
    global skipped
    if not (pa or duckdb or deltalake):
        print("SKIP no other reader is installed (duckdb, pyarrow, deltalake)")
        print("0 passed, 0 failed, 1 skipped")
        return
    with tempfile.TemporaryDirectory() as work:
        os.environ["TSF_DATA_DIR"] = os.path.join(work, "data")
        os.environ["TSF_WAREHOUSE"] = os.path.join(work, "tables")
        for seed in range(int(os.environ.get("SEEDS", "4"))):
            try:
                one_seed(seed, work)
            except RuntimeError as e:
                check(f"t{seed}", False, e)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
