#!/usr/bin/env python3
"""Random tables of all types, written by lib/parquet, must read the same in other readers.

Needs pyarrow, duckdb and polars, each skipped when it is not there; PEERS may name a Python that has them.
SEEDS=n runs more tables. Ends with "N passed, N failed, N skipped".
"""
import decimal
import json
import os
import struct
import subprocess
import sys

if os.environ.get("PEERS") and os.environ["PEERS"] != sys.executable:
    os.execv(os.environ["PEERS"], [os.environ["PEERS"], os.path.abspath(__file__)])

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("BUILD", os.path.join(HERE, "..", "..", "build", "release"))
WRITE_RANDOM = os.path.join(BUILD, "tests", "interop", "write_random")
decimal.getcontext().prec = 80
passed = failed = skipped = 0


def load(name):
    try:
        return __import__(name)
    except ImportError:
        return None


pa, duckdb, polars = load("pyarrow"), load("duckdb"), load("polars")
if pa:
    import pyarrow.parquet as pq

SCALE = {"dec9": 2, "dec18": 6, "dec19": 0, "dec38": 10}


def kind_of(column):
    """flat_dec380 -> dec38: the last digit counts columns of a type."""
    return "deep" if column.startswith("deep_") else column.split("_")[1][:-1]


def canonical(kind, v):
    """A Python value in the words of write_random's NDJSON."""
    if v is None:
        return None
    if isinstance(v, (list, tuple)):
        return [canonical(kind, e) for e in v]
    if isinstance(v, dict):
        return [canonical(kind, e) for e in v.values()]
    if kind == "bool":
        return "1" if v else "0"
    if kind in ("float", "double"):
        return "nan" if v != v else struct.pack("<f" if kind == "float" else "<d", v).hex()
    if kind in SCALE:
        return str(int(decimal.Decimal(v).scaleb(SCALE[kind])))
    if kind == "string" or isinstance(v, str):
        return v
    if kind == "binary":
        return bytes(v).hex()
    return str(v)


def normal(kind, v):
    """Expected values: any NaN is as good as another."""
    if isinstance(v, list):
        return [normal(kind, e) for e in v]
    if v is not None and kind in ("float", "double"):
        f = struct.unpack("<f" if kind == "float" else "<d", bytes.fromhex(v))[0]
        return "nan" if f != f else v
    return v


def as_numbers(column, kind):
    """Times as integers, since Python's own cannot hold them all."""
    target = {"date": pa.int32(), "ts": pa.int64(), "ntz": pa.int64()}.get(kind)
    if target is None:
        return column
    t = column.type
    if pa.types.is_list(t) or pa.types.is_large_list(t):
        return column.cast((pa.list_ if pa.types.is_list(t) else pa.large_list)(target))
    return column.cast(target)


def arrow_columns(table):
    return {n: [canonical(kind_of(n), v) for v in as_numbers(table[n], kind_of(n)).to_pylist()] for n in table.column_names}


def read_pyarrow(path):
    return arrow_columns(pq.ParquetFile(path, page_checksum_verification=True).read())


def read_polars(path):
    return arrow_columns(polars.read_parquet(path).to_arrow())


def read_duckdb(path):
    db = duckdb.connect()
    names = [r[0] for r in db.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()]
    exprs = []
    for n in names:
        if n in ("deep_2", "deep_3"):  # maps
            exprs.append(f"map_entries({n})" if n == "deep_2" else f"list_transform({n}, lambda x: map_entries(x))")
            continue
        f = {"ts": "epoch_us({})", "ntz": "epoch_us({})", "date": "({} - DATE '1970-01-01')"}.get(kind_of(n), "{}")
        exprs.append(f"list_transform({n}, lambda x: {f.format('x')})" if n.startswith("list_") else f.format(n))
    rows = db.execute(f"SELECT {', '.join(exprs)} FROM '{path}'").fetchall()
    return {n: [canonical(kind_of(n), r[i]) for r in rows] for i, n in enumerate(names)}


def filter_duckdb(path, names, expected):
    """Statistics and bloom filters must never hide a row: counts of some values, and of what lies above them."""
    db = duckdb.connect()
    db.execute("SET TimeZone='UTC'")
    for i, n in enumerate(names):
        kind = kind_of(n)
        if not n.startswith("flat_") or kind not in ("byte", "short", "int", "long", "string", "date"):
            continue
        column = [r[i] for r in expected if r[i] is not None]
        key = (lambda v: v.encode()) if kind == "string" else int
        for v in column[:: max(1, len(column) // 3)]:
            lit = f"$${v}$$" if kind == "string" else f"DATE '1970-01-01' + {v}::INT" if kind == "date" else v
            if "$$" in v:
                continue
            got = db.execute(f"SELECT count(*) FILTER ({n} = ({lit})), (SELECT count(*) FROM '{path}' WHERE {n} = ({lit})), "
                             f"(SELECT count(*) FROM '{path}' WHERE {n} > ({lit})) FROM '{path}'").fetchone()
            same, above = sum(c == v for c in column), sum(key(c) > key(v) for c in column)
            if got != (same, same, above):
                raise AssertionError(f"filter {n} on {v!r}: {got}, not {(same, same, above)}")


def statistics_pyarrow(path, names, expected):
    """Row group bounds hold every value, and nulls are counted."""
    meta = pq.ParquetFile(path).metadata
    row = 0
    flat = [(i, n) for i, n in enumerate(names) if n.startswith("flat_")]
    leaf = {meta.schema.column(i).path.split(".")[0]: i for i in range(meta.num_columns)}
    for g in range(meta.num_row_groups):
        group = meta.row_group(g)
        rows = expected[row:row + group.num_rows]
        row += group.num_rows
        for i, n in flat:
            st = group.column(leaf[n]).statistics
            nulls = sum(r[i] is None for r in rows)
            if st.null_count != nulls:
                raise AssertionError(f"{n}: {st.null_count} nulls in statistics, not {nulls}")
            values = [r[i] for r in rows if r[i] is not None]
            kind = kind_of(n)
            if not st.has_min_max or not values or kind not in ("byte", "short", "int", "long", "string"):
                continue
            key = (lambda v: v.encode()) if kind == "string" else int
            lo, hi = min(map(key, values)), max(map(key, values))
            smin, smax = (key(st.min), key(st.max)) if kind == "string" else (st.min, st.max)
            if smin > lo or smax < hi or (kind != "string" and (smin, smax) != (lo, hi)):
                raise AssertionError(f"{n}: range {smin!r}..{smax!r} for {lo!r}..{hi!r}")


def compare(got, names, expected):
    for i, n in enumerate(names):
        want = [normal(kind_of(n), r[i]) for r in expected]
        if got[n] == want:
            continue
        for row, (a, b) in enumerate(zip(got[n], want)):
            if a != b:
                raise AssertionError(f"{n} row {row}: {a!r}, not {b!r}")
        raise AssertionError(f"{n}: {len(got[n])} rows, not {len(want)}")


def case(name, args, skip=()):
    global passed, failed, skipped
    path, lines = os.path.abspath("t.parquet"), os.path.abspath("t.ndjson")
    subprocess.run([WRITE_RANDOM, *args, path, lines], check=True)
    with open(lines, encoding="utf-8") as f:
        expected = [json.loads(line) for line in f]
    readers = {"pyarrow": (pa, read_pyarrow), "duckdb": (duckdb, read_duckdb), "polars": (polars if pa else None, read_polars)}
    names = None
    if duckdb:
        names = [r[0] for r in duckdb.connect().execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()]
    elif pa:
        names = pq.ParquetFile(path).schema_arrow.names
    for reader, (module, read) in readers.items():
        if module is None or reader in skip:
            skipped += 1
            if module is None and name == "default 1":
                print(f"SKIP {reader} is not installed")
            continue
        try:
            compare(read(path), names, expected)
            if reader == "duckdb" and ("bloom=1" in args or name.startswith("default")):
                filter_duckdb(path, names, expected)
            elif reader == "pyarrow":
                statistics_pyarrow(path, names, expected)
            passed += 1
        except Exception as e:  # a reader's own complaint is a failure as well
            failed += 1
            print(f"FAIL {reader}: {name} ({' '.join(args)}): {type(e).__name__}: {str(e)[:300]}")


def main():
    if not (pa or duckdb):
        print("SKIP neither pyarrow nor duckdb is installed (PEERS=python that has them)")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    for seed in range(1, 1 + int(os.environ.get("SEEDS", "1"))):
        s = f"seed={seed}"
        case(f"default {seed}", [s, "rows=3000"])
        case(f"no rows {seed}", [s, "rows=0"])
        case(f"one row {seed}", [s, "rows=1"])
        case(f"no nulls {seed}", [s, "rows=2000", "nulls=0"])
        case(f"v2 pages {seed}", [s, "rows=3000", "v2=1", "page_rows=700"])
        case(f"small pages and groups {seed}", [s, "rows=5000", "page_rows=100", "group_rows=1300", "bloom=1"])
        case(f"threads {seed}", [s, "rows=7000", "batch=2500", "threads=3", "bloom=1", "nested=0", "page_rows=2000"])
        for i, encoding in enumerate((0, 3, 5, 6, 7, 8, 9)):
            case(f"encoding {encoding}", [s, "rows=1000", "page_rows=400", f"encoding={encoding}", f"v2={(i + seed) % 2}"])
        for i, codec in enumerate((0, 1, 2, 6, 7)):
            case(f"codec {codec}", [s, "rows=1000", "page_rows=400", f"codec={codec}", f"v2={(i + seed) % 2}"])
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
