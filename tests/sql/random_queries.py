#!/usr/bin/env python3
"""random_queries.py SEED COUNT [ROWS]: a sqllogictest file without answers, for differential.py --write to fill in.

One table with NULLs, extremes and text beyond ASCII, and COUNT queries of random expressions over it. With ROWS the table has
that many, which takes it over batches, row groups and threads.
"""
import random
import sys

TYPES = {"i": "int", "b": "bigint", "f": "float8", "n": "numeric(12,3)", "s": "text", "t": "boolean", "z": "timestamptz", "d": "date"}
COLUMNS = [("id", "i"), ("i1", "i"), ("i2", "i"), ("b1", "b"), ("f1", "f"), ("f2", "f"), ("n1", "n"), ("s1", "s"), ("s2", "s"),
           ("t1", "t"), ("z1", "z"), ("d1", "d")]
VALUES = {
    "i": ["0", "1", "-1", "2", "7", "100", "-100", "2147483647", "-2147483648", "42", "3"],
    "b": ["0", "1", "-5", "1000000007", "9223372036854775807", "-9223372036854775808", "65536", "12"],
    "f": ["0", "1.5", "-2.25", "1e10", "'NaN'", "'Infinity'", "'-Infinity'", "0.1", "-0.0", "3", "123456.789"],
    "n": ["0", "1.5", "-2.250", "999999999.999", "-999999999.999", "0.001", "12.345", "7"],
    "s": ["''", "'a'", "'abc'", "'ABC'", "'héllo'", "'漢字'", "'🙂 x'", "' pad '", "'a%b_c'", "'12'", "'foo bar foo'", "'aaaaaaaaaaaaaaaaaaaaaaaaa'", "'It''s'"],
    "t": ["true", "false"],
    "z": ["'2024-01-01 00:00:00+00'", "'2024-02-29 23:59:59.999999+00'", "'1969-12-31 23:59:59.5+00'", "'2024-03-31 01:30:00+00'", "'1900-01-01 00:00:00+00'", "'2030-06-15 12:34:56+00'"],
    "d": ["'2024-01-01'", "'2024-02-29'", "'1970-01-01'", "'1969-12-31'", "'2100-03-01'", "'2023-12-31'"],
}
CAST = {"i": "int", "b": "bigint", "f": "float8", "n": "numeric", "s": "text", "t": "boolean", "z": "timestamptz", "d": "date"}
R = random.Random()


def literal(t):
    if R.random() < 0.06:
        return f"NULL::{CAST[t]}"
    v = R.choice(VALUES[t])
    if t == "n":
        return v if "." in v else v + ".0"
    return v if t in "t" or (t == "i") or (t == "b" and abs(int(v)) > 2**31) else f"{v}::{CAST[t]}" if v[0] != "-" else f"({v})::{CAST[t]}"


def leaf(t):
    names = [c for c, ct in COLUMNS if ct == t]
    return R.choice(names) if R.random() < 0.75 else literal(t)


def expr(t, d):
    """An expression of type t, of depth d at most."""
    if d <= 0 or R.random() < 0.15:
        return leaf(t)
    e = lambda u: expr(u, d - 1)
    k = R.random()
    if k < 0.08:
        return f"CASE WHEN {e('t')} THEN {e(t)} ELSE {e(t)} END"
    if k < 0.13:
        return f"COALESCE({e(t)}, {e(t)})"
    if k < 0.17:
        return f"NULLIF({e(t)}, {e(t)})"
    if k < 0.20:
        return f"{R.choice(['GREATEST', 'LEAST'])}({e(t)}, {e(t)})"
    if k < 0.22:
        return f"CASE {e('i')} WHEN {literal('i')} THEN {e(t)} WHEN {literal('i')} THEN {e(t)} END"
    if t == "t":
        u = R.choice("iibffnsszdt")
        return R.choice([
            lambda: f"({e(u)} {R.choice(['=', '<>', '<', '<=', '>', '>='])} {e(u)})",
            lambda: f"({e(u)} {R.choice(['=', '<>', '<', '<=', '>', '>='])} {literal(u)})",
            lambda: f"({e('t')} {R.choice(['AND', 'OR'])} {e('t')})",
            lambda: f"({e('t')} {R.choice(['AND', 'OR'])} {e('t')})",
            lambda: f"(NOT {e('t')})",
            lambda: f"({e(u)} IS {R.choice(['', 'NOT '])}NULL)",
            lambda: f"({e(u)} IS {R.choice(['', 'NOT '])}DISTINCT FROM {e(u)})",
            lambda: f"({e(u)} {R.choice(['', 'NOT '])}IN ({literal(u)}, {literal(u)}, {literal(u)}))",
            lambda: f"({e(u)} {R.choice(['', 'NOT '])}BETWEEN {e(u)} AND {e(u)})",
            lambda: f"({e('s')} {R.choice(['', 'NOT '])}{R.choice(['LIKE', 'ILIKE'])} {R.choice(PATTERNS)})",
            lambda: f"({e('s')} {R.choice(['~', '~*', '!~'])} {R.choice(REGEX)})",
            lambda: f"({e('t')} IS {R.choice(['', 'NOT '])}{R.choice(['TRUE', 'FALSE', 'UNKNOWN'])})",
            lambda: f"({e('i')} {R.choice(['=', '<', '>'])} {e(R.choice('bfn'))})",
        ])()
    if t == "i":
        return R.choice([
            lambda: f"({e('i')} {R.choice('+-*')} {R.choice(['1', '2', '10', e('i')])})",
            lambda: f"({e('i')} {R.choice('/%')} {R.choice(['3', '7', '-2', e('i')])})",
            lambda: f"length({e('s')})", lambda: f"abs({e('i')})", lambda: f"(- {e('i')})", lambda: f"sign({e('f')})::int",
            lambda: f"strpos({e('s')}, {R.choice(VALUES['s'])})", lambda: f"({e('d')} - {e('d')})", lambda: f"{e('t')}::int",
            lambda: f"mod({e('i')}, 5)", lambda: f"({e('i')} {R.choice(['&', '|', '#'])} {e('i')})",
            lambda: f"extract({R.choice(['year', 'month', 'day', 'dow', 'doy', 'hour', 'week', 'quarter'])} FROM {e('z')})::int",
            lambda: f"octet_length({e('s')})", lambda: f"ascii({e('s')})",
        ])()
    if t == "b":
        return R.choice([
            lambda: f"({e('b')} {R.choice('+-*')} {R.choice(['1', '3', e('i')])})", lambda: f"({e('b')} {R.choice('/%')} {R.choice(['3', '-7', e('i')])})",
            lambda: f"{e('i')}::bigint", lambda: f"abs({e('b')})", lambda: f"({e('i')}::bigint * {e('i')})",
        ])()
    if t == "f":
        return R.choice([
            lambda: f"({e('f')} {R.choice('+-*/')} {e('f')})", lambda: f"({e('f')} {R.choice('+-*/')} {e('i')})", lambda: f"{e('i')}::float8", lambda: f"{e('b')}::float8",
            lambda: f"{R.choice(['abs', 'ceil', 'floor', 'round', 'trunc', 'sign', 'cbrt', 'atan'])}({e('f')})", lambda: f"sqrt(abs({e('f')}))",
            lambda: f"(- {e('f')})", lambda: f"{e('n')}::float8", lambda: f"power({e('f')}, 2)",
        ])()
    if t == "n":
        return R.choice([
            lambda: f"({e('n')} {R.choice('+-')} {e('n')})", lambda: f"(n1 * {R.choice(['2', '1.5', '-0.25'])})", lambda: f"round({e('n')}, {R.choice('0123')})",
            lambda: f"{R.choice(['abs', 'ceil', 'floor', 'trunc'])}({e('n')})", lambda: f"(- {e('n')})", lambda: f"{e('i')}::numeric", lambda: f"(n1 + {e('i')})",
        ])()
    if t == "s":
        return R.choice([
            lambda: f"{R.choice(['lower', 'upper', 'trim', 'ltrim', 'rtrim', 'reverse', 'md5', 'initcap'])}({e('s')})", lambda: f"({e('s')} || {e('s')})",
            lambda: f"substr({e('s')}, {R.choice(['1', '2', '0', '-1', '3'])}, {R.choice('01234')})", lambda: f"left({e('s')}, {R.choice(['2', '-1', '0'])})",
            lambda: f"right({e('s')}, {R.choice(['2', '-1', '0'])})", lambda: f"replace({e('s')}, {R.choice(VALUES['s'])}, {R.choice(VALUES['s'])})",
            lambda: f"concat({e('s')}, {e(R.choice('sibt'))}, '|')", lambda: f"split_part({e('s')}, {R.choice([chr(39) + ' ' + chr(39), chr(39) + 'a' + chr(39)])}, {R.choice(['1', '2', '-1'])})",
            lambda: f"lpad({e('s')}, {R.choice('0258')}, {R.choice(VALUES['s'])})", lambda: f"rpad({e('s')}, {R.choice('0258')}, {R.choice(VALUES['s'])})",
            lambda: f"{e(R.choice('ibtd'))}::text", lambda: f"repeat({e('s')}, {R.choice(['0', '2', '-1'])})", lambda: f"regexp_replace({e('s')}, {R.choice(REGEX)}, '<\\&>'{R.choice(['', ', ' + chr(39) + 'g' + chr(39)])})",
            lambda: f"translate({e('s')}, 'abo', 'xy')",
        ])()
    if t == "z":
        return R.choice([
            lambda: f"date_trunc('{R.choice(['second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year'])}', {e('z')})",
            lambda: f"({e('z')} {R.choice('+-')} INTERVAL '{R.choice(['1 day', '1 month', '90 minutes', '1 year 2 months', '3.5 seconds', '-1 month 1 day'])}')",
            lambda: f"({e('d')}::timestamp AT TIME ZONE '{R.choice(['UTC', 'Europe/Berlin', 'America/New_York'])}')", lambda: f"{e('d')}::timestamptz",
            lambda: f"date_bin('{R.choice(['15 minutes', '1 hour', '7 days'])}', {e('z')}, '2000-01-01 00:00+00')",
        ])()
    return R.choice([lambda: f"({e('d')} {R.choice('+-')} {R.choice(['1', '30', 'id'])})", lambda: f"{e('z')}::date", lambda: f"date_trunc('month', {e('d')})::date"])()


PATTERNS = ["'a%'", "'%a%'", "'%b_c'", "'_'", "'%'", "''", "'%foo%'", "'a\\%b%'", "'H%'", "'%É%'", "'_é%'", "'%o%o%'", "'漢_'", "'abc'"]
REGEX = ["'a'", "'^a'", "'[a-c]+'", "'o{2}'", "'(foo|bar)'", "'\\d'", "'^$'", "'.é'", "'x$'", "'a*'", "'\\s'", "'b.*f'"]


def aggregate():
    f = f" FILTER (WHERE {expr('t', 1)})" if R.random() < 0.25 else ""
    d = "DISTINCT " if R.random() < 0.25 else ""
    k = R.choice(["count(*)", "count", "sum", "avg", "minmax", "minmax", "bool", "pct", "stddev"])
    if k == "count(*)":
        return "count(*)" + f
    if k == "count":
        return f"count({d}{expr(R.choice('ifnstzd'), 1)}){f}"
    if k == "minmax":
        return f"{R.choice(['min', 'max'])}({d}{expr(R.choice('ibfnszd'), 1)}){f}"
    if k == "bool":
        return f"{R.choice(['bool_and', 'bool_or'])}({expr('t', 1)}){f}"
    if k == "pct":
        return f"{R.choice(['percentile_cont', 'percentile_disc'])}({R.choice(['0', '0.5', '0.9', '1'])}) WITHIN GROUP (ORDER BY {R.choice(['i1::float8', 'id::float8', 'n1::float8'])}){f}"
    if k == "stddev":
        return f"{R.choice(['stddev', 'var_pop'])}(id::float8){f}"
    return f"{k}({d}{R.choice(['i1', 'i2', 'b1', 'n1', 'id', expr('i', 1), expr('n', 1)])}){f}"


def query():
    where = f" WHERE {expr('t', 2)}" if R.random() < 0.55 else ""
    k = R.random()
    if k < 0.45:
        cols = ", ".join(expr(R.choice("iibffnssstzd"), 3) for _ in range(R.randint(1, 3)))
        limit = f" LIMIT {R.randint(0, 9)}" + (f" OFFSET {R.randint(0, 9)}" if R.random() < 0.5 else "") if R.random() < 0.25 else ""
        return f"SELECT id, {cols} FROM r{where} ORDER BY id{limit}"
    if k < 0.55:
        t = R.choice("ibfnstzd")
        key = expr(t, 1)
        order = R.choice(["", " DESC", " NULLS FIRST", " DESC NULLS LAST"])
        return f"SELECT id, {key} AS k FROM r{where} ORDER BY k{order}, id{R.choice(['', ' DESC'])} LIMIT {R.randint(1, 20)}"
    if k < 0.63:
        return f"SELECT DISTINCT {expr(R.choice('ifnstzd'), 1)} AS k, {expr(R.choice('ist'), 1)} FROM r{where} ORDER BY 1, 2"
    if k < 0.75:
        return f"SELECT {', '.join(aggregate() for _ in range(R.randint(1, 3)))} FROM r{where}"
    if k < 0.80:
        return f"SELECT count(*) FROM (SELECT {expr(R.choice('is'), 1)} AS x, id FROM r{where}) q WHERE x IS NOT NULL AND id > {R.randint(0, 30)}"
    keys = [expr(R.choice("istdzf"), 1) for _ in range(R.randint(1, 2))]
    having = f" HAVING count(*) > {R.randint(1, 3)}" if R.random() < 0.3 else ""
    aggs = ", ".join(aggregate() for _ in range(R.randint(1, 3)))
    ords = ", ".join(str(i + 1) for i in range(len(keys)))
    return f"SELECT {', '.join(keys)}, {aggs} FROM r{where} GROUP BY {ords}{having} ORDER BY {ords}"


def many_rows(rows):
    """The values by arithmetic on the row's number, the same everywhere; a part per INSERT."""
    cols = ["n"]
    for c, t in COLUMNS[1:]:
        k, pick = R.choice([7, 101, 1009, 7919]), VALUES[t] + ["NULL"]
        if c == "i2":
            cols.append("(n * 7919) % 10007")
        elif c == "b1":
            cols.append("n::bigint * 1000003 % 1000000007")
        elif c == "s2":
            cols.append("'key ' || (n * 31) % 2003")
        elif c == "z1":
            cols.append("TIMESTAMPTZ '2024-01-01 00:00+00' + n * INTERVAL '37 seconds'")
        else:
            whens = " ".join(f"WHEN {i} THEN ({v})::{CAST[t]}" for i, v in enumerate(pick))
            cols.append(f"CASE (n * {k} / 13) % {len(pick)} {whens} END")
    step = rows // 4
    for lo in range(1, rows + 1, step):
        print(f"statement ok\nINSERT INTO r SELECT {', '.join(cols)} FROM generate_series({lo}, {min(lo + step - 1, rows)}) AS q(n)\n")


def few(q):
    """Answers of a size to compare."""
    return q if "LIMIT" in q or "GROUP BY" not in q and "ORDER BY" not in q else q + f" LIMIT {R.randint(1, 200)}"


def main():
    R.seed(int(sys.argv[1]))
    rows = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    print("statement ok\nCREATE TABLE r (" + ", ".join(f"{c} {TYPES[t]}" for c, t in COLUMNS) + ")\n")
    n = 0
    for _ in range(0 if rows else 4):
        some = []
        for _ in range(12):
            n += 1
            row = [str(n)] + ["NULL" if R.random() < 0.15 else R.choice(VALUES[t]) for c, t in COLUMNS[1:]]
            some.append("(" + ", ".join(row) + ")")
        print("statement ok\nINSERT INTO r VALUES " + ", ".join(some) + "\n")
    if rows:
        many_rows(rows)
    for _ in range(int(sys.argv[2])):
        print("query\n" + (few(query()) if rows else query()) + "\n")


main()
