# helper.bash: what the bats files share. Begin each file with
#
#   load helper
#   setup() { tsf_setup; }
#
# Each test then runs in its own empty directory, with a data directory and a warehouse of its own, no TSF_* or AWS_*
# from outside, and the built programs first on PATH.
# shellcheck shell=bash disable=SC2154 # status, output and stderr are set by run

bats_require_minimum_version 1.5.0

: "${SRC:=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)}"
: "${BUILD:=$SRC/build/release}"
export SRC BUILD

tsf_setup() {
    local v
    for v in $(compgen -e | grep -E '^(TSF|AWS)_'); do unset "$v"; done
    mkdir -p "$BATS_TEST_TMPDIR/work"
    cd "$BATS_TEST_TMPDIR/work" || return 1
    export PATH=$BUILD/bin:$PATH TZ=UTC LC_ALL=C.UTF-8
    export TSF_DATA_DIR=$BATS_TEST_TMPDIR/data TSF_WAREHOUSE=$BATS_TEST_TMPDIR/warehouse
    export SCHEMAS=$SRC/lib/table/schemas TOOLS=$BUILD/tests/bench
}

# has_program NAME...: skip the test where a program is not built or installed.
need() {
    local p
    for p; do command -v "$p" >/dev/null || skip "no $p"; done
}

# q SQL [OPTION...]: the answer of a query as CSV without a header, on stdout; fails when the query fails.
q() {
    local sql=$1
    shift
    tsf-query --format csv --no-header "$@" "$sql"
}

# runs STATUS COMMAND...: run, with stdout in $output and stderr in $stderr; on another status show both and fail.
# Dying by a signal never passes.
runs() {
    local want=$1
    shift
    run --separate-stderr "$@"
    [ "$status" -eq "$want" ] && [ "$status" -lt 128 ] && return 0
    show "$@"
    echo "exit $status, want $want"
    return 1
}

# show [WORD...]: what the last run said.
show() {
    echo "\$ $*"
    printf '%s\n' "$output" | sed 's/^/  out: /'

    printf '%s\n' "$stderr" | sed 's/^/  err: /'
}

# is WANT: the last output is this. has PART, says PART: stdout, stderr contain this.
is() { [ "$output" = "$1" ] || { show; echo "want: $1"; return 1; }; }
has() { case $output in *"$1"*) ;; *) show; echo "stdout lacks: $1"; return 1 ;; esac; }
says() { case $stderr in *"$1"*) ;; *) show; echo "stderr lacks: $1"; return 1 ;; esac; }

# answer WANT SQL [OPTION...]: a query's CSV is this (lines joined by newlines).
answer() {
    local want=$1
    shift
    runs 0 q "$@"
    is "$want"
}
