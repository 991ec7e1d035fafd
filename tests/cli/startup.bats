#!/usr/bin/env bats
# A start costs little more than fork and exec: that is what makes programs as steps affordable.

load helper

setup() {
    tsf_setup
}

# The least of many runs, because a busy machine only adds.
@test "startup: tsf-query 'SELECT 1' stays within 3 ms of an empty program" {
    need tsf-query
    tsf-query "SELECT 1" >first
    "$TOOLS/timeit" -n 40 -w 5 -- /bin/true :: tsf-query "SELECT 1" >times
    cat times
    awk -F'\t' 'NR == 1 { base = $2 } NR == 2 { over = $2 - base }
        END { printf "%.2f ms over an empty program\n", over; exit !(NR == 2 && over < 3.0) }' times
}

@test "startup: --version and --help of every program within 3 ms of an empty program" {
    for p in "$BUILD"/bin/tsf-*; do
        [ -x "$p" ] || skip "no programs"
        "$TOOLS/timeit" -n 20 -w 2 -- /bin/true :: "$p" --version :: "$p" --help >times
        awk -F'\t' -v p="$p" 'NR == 1 { base = $2 } NR > 1 && $2 - base >= 3.0 { print p, $2 - base; bad = 1 } END { exit bad }' times
    done
}
