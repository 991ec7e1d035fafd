#!/usr/bin/env bats
# What the benchmark trusts: the comparison of answers and the stop watch.

bats_require_minimum_version 1.5.0

setup_file() {
    "$BATS_TEST_DIRNAME/../bench/tools.sh" "$BATS_FILE_TMPDIR/bin"
    export bin=$BATS_FILE_TMPDIR/bin
}

setup() {
    cd "$BATS_TEST_TMPDIR"
}

same() { printf '%b' "$1" >a && printf '%b' "$2" >b && "$bin/csvcmp" "${@:3}" a b; }

@test "csvcmp: the same values in other clothes are equal" {
    same 'x\n2026-11-01T00:00:00Z\n' 'y\n2026-11-01 00:00:00+00\n'
    same 'x\n2026-11-01T00:00:00.120000Z\n' 'x\n2026-11-01 00:00:00.12+00\n'
    same 'x\n0.1\n' 'x\n0.10000000000000001\n'
    same 'x\n"{a,b}"\n' 'x\n"[a, b]"\n'
    same 'x,y\n,"a ""b"""\n' 'x,y\n,a "b"\n'
}

@test "csvcmp: other values, fewer rows or fewer columns are not" {
    run -1 same 'x\n1\n' 'x\n2\n'
    run -1 same 'x\n2026-11-01T00:00:00Z\n' 'x\n2026-11-01 00:00:01+00\n'
    run -1 same 'x\n1\n2\n' 'x\n1\n'
    run -1 same 'x,y\n1,2\n' 'x\n1\n'
    run -1 same 'x\n\n' 'x\n0\n'
    run -1 same 'x\n"[a,b]"\n' 'x\n"[a,c]"\n'
    run -1 same 'x\nabc\n' 'x\nabd\n'
}

@test "csvcmp: a tolerance is a share of the value" {
    same 'x\n100\n' 'x\n104\n' -t 0.05
    run -1 same 'x\n100\n' 'x\n110\n' -t 0.05
}

@test "timeit: commands take turns and failures are counted" {
    run -1 "$bin/timeit" -n 3 -- sh -c 'echo a >>log' :: sh -c 'echo b >>log; exit 3'
    [ "$(tr -d '\n' <log)" = ababab ]
    [ "${#lines[@]}" -eq 2 ]
    [ "$(echo "${lines[0]}" | cut -f6)" = 0 ]
    [ "$(echo "${lines[1]}" | cut -f6)" = 3 ]
}
