#!/usr/bin/env python3
"""Tables written by lib/delta and by delta-rs, in turns and at once, must be the same table to both.

Needs deltalake and pyarrow; skips with a word when they are not there. PEERS may name a Python that has them.
Ends with "N passed, N failed, N skipped".
"""
import decimal
import glob
import json
import os
import subprocess
import sys
import tempfile
from urllib.parse import unquote

if os.environ.get("PEERS") and os.environ["PEERS"] != sys.executable:
    os.execv(os.environ["PEERS"], [os.environ["PEERS"], os.path.abspath(__file__)])

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("BUILD", os.path.join(HERE, "..", "..", "build", "release"))
TOOL = os.path.join(BUILD, "tests", "interop", "delta_tool")

try:
    import deltalake
    import pyarrow as pa
except ImportError as e:
    print(f"SKIP delta_peers: {e}")
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(0)

passed = failed = 0


def check(name, good, why=""):
    global passed, failed
    print(("ok" if good else "FAIL"), "delta_peers/" + name, "" if good else why)
    passed, failed = passed + bool(good), failed + (not good)


def tool(*args):
    return subprocess.run([TOOL, *map(str, args)], check=True, capture_output=True, text=True).stdout


def ours(table, *version):
    head, *files = map(json.loads, tool("files", table, *version).splitlines())
    return head, files


def theirs(table, version=None):
    return deltalake.DeltaTable(table, version=version)


def their_rows(dt):
    return pa.table(dt.to_pyarrow_table() if hasattr(dt, "to_pyarrow_table") else dt.to_pandas())


def same(name, table, version=None):
    """Both see the same version, files, partition values and rows."""
    head, files = ours(table, *([] if version is None else [version]))
    dt = theirs(table, version)
    got = {os.path.relpath(unquote(u.removeprefix("file://")), os.path.abspath(table)) for u in dt.file_uris()}
    want = {unquote(f["path"]) for f in files}
    check(name + ": version", dt.version() == head["version"], f"{dt.version()} {head}")
    check(name + ": files", {unquote(g) for g in got} == want, f"{sorted(got)[:3]} {sorted(want)[:3]}")
    rows = their_rows(dt)
    if all(f["rows"] >= 0 for f in files):
        check(name + ": rows", rows.num_rows == sum(f["rows"] for f in files), f"{rows.num_rows}")
    by_partition = {}
    for p, d, x in zip(*(rows.column(c).to_pylist() for c in ("p", "d", "x"))):
        by_partition.setdefault((p, str(d)), []).append(x)
    for key, xs in by_partition.items():
        mine = [f for f in files if (f["p"], f["d"]) == key]
        if not mine:
            check(name + f": partition {key}", False, f"{[(f['p'], f['d']) for f in files][:5]}")
        elif all(f["min"] >= 0 for f in mine):
            check(name + f": bounds {key}", min(xs) == min(f["min"] for f in mine) and max(xs) == max(f["max"] for f in mine))


def their_batch(first, n):
    return pa.table({
        "p": pa.array(["x=1%", None] * (n // 2), pa.string()),
        "d": pa.array([20777] * n, pa.int32()).cast(pa.date32()),
        "x": pa.array(range(first, first + n), pa.int64()),
        "s": pa.array(["of delta-rs %d" % i for i in range(n)], pa.string()),
        "ts": pa.array([1790000000000000 + i for i in range(n)], pa.timestamp("us", "UTC")),
        "f": pa.array([float(i) for i in range(n)], pa.float64()),
        "amount": pa.array([decimal.Decimal(i) for i in range(n)], pa.decimal128(20, 4)),
        "tags": pa.array([["t"]] * n, pa.list_(pa.string())),
    })


def main():
    with tempfile.TemporaryDirectory() as tmp:
        table = os.path.join(tmp, "table")
        tool("create", table)
        same("created", table)
        tool("append", table, 0, 9)
        same("appended", table)
        tool("compact", table)
        tool("append", table, 9, 3)
        same("past the checkpoint", table)
        check("checkpoint is written", os.path.exists(glob.glob(table + "/_delta_log/*10.checkpoint.parquet")[0]))
        same("time travel", table, 4)

        # the checkpoint alone, without the commits that it covers
        for v in range(10):
            os.remove(f"{table}/_delta_log/{v:020}.json")
        same("from the checkpoint", table)
        dt = theirs(table)
        check("schema", str(dt.schema().to_json()).count('"name"') == 8)
        check("metadata", dt.metadata().partition_columns == ["p", "d"] and dt.metadata().name == "peers")
        check("domain of values", set(their_rows(dt).column("p").to_pylist()) == {"a/b c", "x=1%", "\u00e9t\u00e9 \"q\"", None})

        # their turn
        deltalake.write_deltalake(table, their_batch(5000, 20), mode="append")
        same("after their append", table)
        theirs(table).delete("x = 5003")
        same("after their delete", table)
        theirs(table).optimize.compact()
        same("after their compaction", table)
        theirs(table).create_checkpoint()
        head, _ = ours(table)
        check("their checkpoint is used", head["checkpoint"] == head["version"], str(head))
        same("from their checkpoint", table)
        tool("append", table, 100, 2)
        same("after our append", table)

        # both at once
        before = ours(table)[0]["version"]
        procs = [subprocess.Popen([TOOL, "append", table, str(1000 + 100 * i), "15"]) for i in range(2)]
        for i in range(10):
            deltalake.write_deltalake(table, their_batch(9000 + 20 * i, 20), mode="append")
        check("writers end well", all(p.wait() == 0 for p in procs))
        check("no commit is lost", ours(table)[0]["version"] == before + 40, f"{before} {ours(table)[0]}")
        same("after the race", table)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
