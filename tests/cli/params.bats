#!/usr/bin/env bats
# -p: parameters are literals without a type and never become SQL text.

load helper

setup() {
    tsf_setup
    need tsf-query
}

ask() { tsf-query --no-header --format csv "$@"; }

@test "params: by position and by name" {
    [ "$(ask -p 5 'SELECT $1 + 1')" = 6 ]
    [ "$(ask -p 5 -p a 'SELECT $1::int + 1, $2, $1')" = 6,a,5 ]
    [ "$(ask -p n=7 -p who=ann 'SELECT :n * 2, :who, $2')" = 14,ann,ann ]
    [ "$(ask -p 2 'SELECT k FROM (VALUES (1), (2), (3)) v(k) WHERE k >= $1 ORDER BY k LIMIT $1' | tr '\n' ' ')" = "2 3 " ]
}

@test "params: casts and quoted text beside them stay as they are" {
    [ "$(ask -p d=2024-01-01 "SELECT :d::date + 1, DATE '2024-01-01' = :d")" = 2024-01-02,t ]
    [ "$(ask -p like=a% "SELECT 'abc' LIKE :like, ':like', '::like'")" = t,:like,::like ]
    [ "$(ask -p x= "SELECT :x = '', :x IS NULL")" = t,f ]
}

@test "params: a value is never SQL" {
    [ "$(ask -p "who=x'; DROP TABLE t; --" "SELECT :who")" = "x'; DROP TABLE t; --" ]
    [ "$(ask -p "1 OR true" "SELECT \$1 = 'a'")" = f ]
}

@test "params: what is missing or of another type is an error" {
    run ask 'SELECT $1'
    [ "$status" -eq 1 ] && [[ $output == *42P02* ]]
    run ask -p 1 'SELECT $2'
    [ "$status" -eq 1 ] && [[ $output == *42P02* ]]
    run ask -p n=abc 'SELECT 1 + :n'
    [ "$status" -eq 1 ] && [[ $output == *22P02* ]]
}
