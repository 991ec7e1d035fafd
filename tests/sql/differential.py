#!/usr/bin/env python3
"""Runs sqllogictest files against a PostgreSQL server, through psql.

differential.py [--write [--loose]] FILE...      PGHOST and the like say where the server is

Checks that what the files expect is what PostgreSQL answers; --write puts its answers in (types, rows, SQLSTATEs). --loose compares
numeric columns by value and not by text, and takes any error for an error. Records
marked "onlyif tsf" are passed over. Each file runs in a schema of its own. Ends with "N passed, N failed, N skipped".
"""
import os
import re
import subprocess
import sys

MARK = "@@record"
SETUP = ["\\set ON_ERROR_STOP off", "\\set QUIET on", "\\pset format unaligned", "\\pset tuples_only on", "\\pset fieldsep '\\t'",
         "\\pset null NULL", "SET client_min_messages = error;", "SET timezone = 'UTC';"]


class Record:
    def __init__(self, head, words, sql, want, line):
        self.head, self.words, self.sql, self.want, self.line = head, words, sql, want, line
        self.skip = False


def load(path):
    """Comments and conditions stay as they are: a record is (lines before, words, sql lines, answer lines)."""
    lines = open(path, encoding="utf-8").read().split("\n")
    records, head, skip, i = [], [], False, 0
    while i < len(lines):
        words = lines[i].split()
        if not words or words[0] not in ("statement", "query"):
            if words and words[0] in ("onlyif", "skipif"):
                skip = skip or (words[1] in ("postgresql", "postgres")) == (words[0] == "skipif")
            if words and words[0] == "halt":
                break
            head.append(lines[i])
            i += 1
            continue
        line, sql, want = i + 1, [], None
        i += 1
        while i < len(lines) and lines[i].strip() and lines[i] != "----":
            sql.append(lines[i])
            i += 1
        if i < len(lines) and lines[i] == "----":
            want, i = [], i + 1
            while i < len(lines) and lines[i].strip():
                want.append(lines[i])
                i += 1
        record = Record(head, words, sql, want, line)
        record.skip = skip
        records.append(record)
        head, skip = [], False
    return records, head + lines[i:]


def ask(records, schema):
    """SQLSTATE, column types and rows of each record."""
    script = SETUP + [f"DROP SCHEMA IF EXISTS {schema} CASCADE;", f"CREATE SCHEMA {schema};", f"SET search_path = {schema};"]
    for n, r in enumerate(records):
        if r.skip:
            continue
        text = "\n".join(r.sql).rstrip().rstrip(";")
        script.append(f"\\echo {MARK} {n} types")
        if r.words[0] == "query":
            script += [text, "\\gdesc"]
        script += [f"\\echo {MARK} {n} rows", text + "\n;", f"\\echo {MARK} {n} state :SQLSTATE"]
    script.append(f"DROP SCHEMA {schema} CASCADE;")
    run = subprocess.run(["psql", "-X", "-q"], input="\n".join(script) + "\n", capture_output=True, text=True, check=False)
    out = {n: {"types": [], "rows": [], "state": "?"} for n in range(len(records))}
    at = None
    for line in run.stdout.split("\n"):
        if line.startswith(MARK + " "):
            words = line.split(" ")
            at = out[int(words[1])][words[2]] if words[2] != "state" else None
            if words[2] == "state":
                out[int(words[1])]["state"] = words[3]
        elif at is not None:
            at.append(line)
    return out


def letters(described, loose):
    inexact = ("double precision", "real") + (("numeric",) if loose else ())
    return "".join("R" if d.split("\t")[-1].split("(")[0] in inexact else "T" for d in described)


def normal(rows):
    return ["\t".join(v if v else "(empty)" for v in row.split("\t")) for row in rows]


def same_cell(a, b):
    if a == b or (a == "t" and b == "true") or (a == "f" and b == "false"):
        return True
    try:
        x, y = float(a), float(b)
    except ValueError:
        return False
    return x == y or abs(x - y) <= 1e-9 * max(abs(x), abs(y))


def same(got, want, sort):
    if sort == "rowsort":
        got, want = sorted(got), sorted(want)
    if len(got) != len(want):
        return False
    for a, b in zip(got, want):
        x, y = a.split("\t"), (b.split("\t") if "\t" in b or "\t" not in a else b.split())
        if len(x) != len(y) or not all(map(same_cell, x, y)):
            return False
    return True


def rewrite(path, records, answers, tail, loose):
    with open(path, "w", encoding="utf-8") as out:
        for n, r in enumerate(records):
            out.writelines(h + "\n" for h in r.head)
            a, words, want = answers[n], r.words, r.want
            if loose and a["state"].startswith("22") and "LIMIT" in r.sql[-1]:
                continue  # which rows of a query with LIMIT are computed is everybody's own business
            if not r.skip:
                sort = [w for w in words[2:] if w in ("rowsort", "valuesort", "nosort")]
                want = None
                if a["state"] != "00000":
                    words = ["statement", "error"] + ([] if loose else [a["state"]])
                elif words[0] == "query":
                    words, want = ["query", letters(a["types"], loose)] + sort, normal(a["rows"])
                    if "rowsort" in sort:
                        want.sort()
                else:
                    words = words if words[1:2] == ["count"] else ["statement", "ok"]
            out.write(" ".join(words) + "\n" + "\n".join(r.sql) + "\n")
            if want is not None:
                out.write("----\n" + "".join(w + "\n" for w in want))
        out.write("\n".join(tail) if tail else "")


def main():
    flags = [a for a in sys.argv[1:] if a.startswith("--")]
    write, loose = "--write" in flags, "--loose" in flags
    passed = failed = skipped = 0
    for path in [a for a in sys.argv[1:] if a not in flags]:
        records, tail = load(path)
        schema = "slt_" + re.sub(r"\W", "_", os.path.basename(path)) + str(os.getpid())
        answers = ask(records, schema)
        if write:
            rewrite(path, records, answers, tail, loose)
            continue
        for n, r in enumerate(records):
            a = answers[n]
            if r.skip:
                skipped += 1
                continue
            kind = r.words[1] if len(r.words) > 1 else ""
            if kind == "error":
                ok = a["state"] not in ("00000", "?") and (len(r.words) < 3 or len(r.words[2]) != 5 or r.words[2] == a["state"])
            elif r.words[0] == "query":
                ok = a["state"] == "00000" and same(normal(a["rows"]), r.want or [], r.words[2] if len(r.words) > 2 else "")
            else:
                ok = a["state"] == "00000"
            passed, failed = passed + ok, failed + (not ok)
            if not ok:
                print(f"FAIL {path}:{r.line} PostgreSQL: {a['state']} {normal(a['rows'])[:5]}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


sys.exit(main())
