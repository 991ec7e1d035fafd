#!/usr/bin/env bats
# --project: no SQL reaches another tenant's rows, before the flush or after it.

load helper

setup() {
    tsf_setup
    need tsf-query tsf-flush
    tsf-query -q -o /dev/null "
        CREATE TABLE t (project_id text, d date, k int, v text) PARTITION BY LIST (project_id, d);
        INSERT INTO t VALUES ('p1', '2024-01-01', 1, 'mine'), ('p2', '2024-01-01', 2, 'theirs'), (NULL, '2024-01-01', 3, 'nobody'),
                             ('p1', '2024-01-02', 4, NULL), ('P1', '2024-01-02', 5, 'case');
        CREATE TABLE plain (k int)"
}

ask() { tsf-query --no-header --format csv --project p1 "$@"; }

check() {
    [ "$(ask "SELECT k FROM t ORDER BY k" | tr '\n' ' ')" = "1 4 " ]
    [ "$(ask "SELECT count(*), count(v), max(k) FROM t")" = "2,1,4" ]
    [ "$(ask "SELECT k FROM t WHERE project_id = 'p2' OR true ORDER BY k" | tr '\n' ' ')" = "1 4 " ]
    [ "$(ask "SELECT count(*) FROM t WHERE project_id = 'p2'")" = 0 ]
    [ "$(ask "SELECT count(*) FROM t WHERE project_id IS NULL")" = 0 ]
    [ "$(ask "SELECT (SELECT max(k) FROM t), count(*) FROM (SELECT * FROM t) q")" = "4,2" ]
    [ "$(ask "WITH t AS (SELECT * FROM t) SELECT sum(k) FROM t")" = 5 ]
    [ "$(ask "SELECT DISTINCT project_id FROM t")" = p1 ]
    [ "$(ask "SELECT min(project_id), max(project_id) FROM t")" = p1,p1 ]
    [ "$(ask "SELECT k FROM t x WHERE k IN (SELECT k FROM t) ORDER BY k DESC LIMIT 1")" = 4 ]
}

@test "tenant: the binding holds over the WAL and over files" {
    check
    tsf-flush >manifest
    check
}

@test "tenant: rows of another tenant are not taken in, rows of none become the tenant's" {
    ask "INSERT INTO t (d, k) VALUES ('2024-01-03', 6)"
    [ "$(ask "SELECT project_id FROM t WHERE k = 6")" = p1 ]
    run ask "INSERT INTO t VALUES ('p2', '2024-01-03', 7, NULL)"
    [ "$status" -ne 0 ] || [ "$(tsf-query --no-header --format csv "SELECT count(*) FROM t WHERE k = 7 AND project_id = 'p2'")" = 0 ]
}

@test "tenant: no table is created or dropped" {
    run ask "DROP TABLE t"
    [ "$status" -eq 1 ]
    run ask "CREATE TABLE other (a int)"
    [ "$status" -eq 1 ]
    [ "$(ask "SELECT count(*) FROM t")" = 2 ]
}

@test "tenant: a table without a tenant column is refused" {
    run ask "SELECT * FROM plain"
    [ "$status" -eq 1 ]
}

@test "tenant: an empty environment variable binds nothing, a set one does" {
    [ "$(TSF_PROJECT='' tsf-query --no-header --format csv "SELECT count(*) FROM t")" = 5 ]
    [ "$(TSF_PROJECT=p2 tsf-query --no-header --format csv "SELECT count(*) FROM t")" = 1 ]
}
