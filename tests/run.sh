#!/bin/sh
# run.sh [-j N] KIND:PATH...: run test cases, N at a time, and total them.
#
# Each case runs in an empty directory of its own, removed afterwards, with TMPDIR there and neither TSF_* nor AWS_* from
# outside. It sees BUILD (build/<variant>), SRC (top of the tree), CONFORMANCE, and the programs on PATH.
#
#   unit          a cmocka program                       fuzz     a libFuzzer program, for FUZZ_SECONDS
#   cli           a bats file                            replay   a fuzz target with a plain main, over its corpus
#   sql           a sqllogictest file                    conformance  the runner, over $CONFORMANCE
#   interop, fault  a script or program
#
# unit and cli speak TAP. Of the others the last line must be "N passed, N failed, N skipped"; "FAIL ..." and
# "SKIP ..." lines name cases. Dying by a signal or without that line is one failure. TEST_TIMEOUT (600) ends a
# case. Output of failed cases is shown, all output stays in build/<variant>/log.
set -u
SRC=$(cd "$(dirname "$0")/.." && pwd)
self=$SRC/tests/run.sh

count() { # count LOG: of TAP, "passed failed skipped"
    awk '/^ok .*# *[Ss][Kk][Ii][Pp]/ { s++; next } /^ok / { p++ } /^not ok .*# *[Ss][Kk][Ii][Pp]/ { s++; next }
        /^not ok / { f++ } END { print p + 0, f + 0, s + 0 }' "$1"
}

totals() { # totals LOG: of the last line that is a summary, "passed failed skipped"
    sed -n 's/^\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed, \([0-9][0-9]*\) skipped.*/\1 \2 \3/p' "$1" | tail -n 1
}

run_case() { # one case: prints "kind passed failed skipped name", its log apart
    kind=${1%%:*} path=${1#*:}
    case $path in /*) ;; *) path=$SRC/$path ;; esac
    name=$(basename "$path")
    id=${path#"$BUILD/"} id=${id#"$SRC/"} id=${id#tests/} id=${id#"$kind/"}
    log=$BUILD/log/$(printf '%s' "$kind-$id" | tr -c 'A-Za-z0-9_.-' '_').log
    limit=${TEST_TIMEOUT:-600}
    dir=$(mktemp -d "${TMPDIR:-/tmp}/tsf-$kind.XXXXXX") || exit 1
    trap 'chmod -R u+rwX "$dir" 2>/dev/null; rm -rf "$dir"' EXIT
    trap 'exit 130' INT TERM
    for v in $(env | sed -n 's/^\(\(TSF\|AWS\)_[A-Z0-9_]*\)=.*/\1/p'); do unset "$v"; done
    unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
    export TMPDIR="$dir" SRC BUILD LC_ALL=C.UTF-8 TZ=UTC
    export PATH="$BUILD/bin:$PATH"
    export ASAN_OPTIONS="abort_on_error=0:detect_stack_use_after_return=1:allocator_may_return_null=1"
    export UBSAN_OPTIONS="print_stacktrace=1" TSAN_OPTIONS="halt_on_error=1"
    corpus=$SRC/tests/fuzz/corpus/${name#fuzz_}
    set --
    case $kind in
    unit) export CMOCKA_MESSAGE_OUTPUT=TAP; set -- "$path" ;;
    cli) set -- bats --tap "$path" ;;
    sql) set -- "$(find "$BUILD/tests/sql" -maxdepth 1 -type f -perm -u+x | head -n 1)" "$path" ;;
    conformance)
        set -- "$path" "$CONFORMANCE"
        [ -d "$CONFORMANCE" ] || set -- printf '%s\n' "SKIP no corpora at $CONFORMANCE" "0 passed, 0 failed, 1 skipped"
        ;;
    replay) set -- "$path" "$corpus" ;;
    fuzz)
        grown=$BUILD/corpus/$name
        mkdir -p "$grown" "$BUILD/found"
        limit=$((${FUZZ_SECONDS:-60} + 300))
        set -- "$path" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=25 -rss_limit_mb=2048 -print_final_stats=1 \
            -artifact_prefix="$BUILD/found/$name-" "$grown"
        [ ! -d "$corpus" ] || set -- "$@" "$corpus"
        ;;
    *) set -- "$path" ;;
    esac
    (cd "$dir" && exec timeout -k 10 "$limit" "$@") >"$log" 2>&1 </dev/null
    rc=$?
    case $kind in
    unit | cli) res=$(count "$log") ;;
    fuzz) [ $rc = 0 ] && res="1 0 0" || res="0 1 0" ;;
    *) res=$(totals "$log") ;;
    esac
    [ -n "$res" ] || { res="0 1 0"; echo "FAIL $name: no summary line, exit $rc" >>"$log"; }
    # shellcheck disable=SC2086
    set -- $res
    if [ $rc = 124 ]; then
        echo "FAIL $name: still running after $limit s" >>"$log"
    elif [ $rc -ge 128 ]; then
        echo "FAIL $name: died by signal $((rc - 128))" >>"$log"
        set -- "$1" $(($2 + 1)) "$3"
    fi
    if [ $rc != 0 ] && [ "$2" = 0 ]; then
        echo "FAIL $name: exit $rc" >>"$log"
        set -- "$1" 1 "$3"
    fi
    if [ "$1$2$3" = 000 ]; then set -- 0 1 0; echo "FAIL $name: ran no test" >>"$log"; fi
    echo "$kind $1 $2 $3 $log"
}

if [ "${1:-}" = --one ]; then
    run_case "$2"
    exit
fi
jobs=2
[ "${1:-}" = -j ] && { jobs=$2; shift 2; }
mkdir -p "$BUILD/log" || exit 1
export BUILD
results=$BUILD/log/results.$$
trap 'rm -f "$results"' EXIT
trap 'exit 130' INT TERM
if [ $# -gt 0 ]; then
    printf '%s\n' "$@" | xargs -P "$jobs" -n 1 sh "$self" --one >"$results"
else
    : >"$results"
fi
awk '$3 > 0 { print $5 }' "$results" | while read -r log; do
    echo "---- $(basename "$log" .log)"
    if [ "$(wc -l <"$log")" -gt 400 ]; then
        grep -nE '^(not ok|FAIL)' "$log" | head -n 60
        tail -n 40 "$log"
    else
        grep -vE '^ok |^1\.\.' "$log"
    fi
done
awk '$4 > 0 { print $5 }' "$results" | while read -r log; do
    grep -hE '^(not )?ok .*# *[Ss][Kk][Ii][Pp]|^SKIP' "$log" | sed "s|^|  |; 6s|.*|  more skipped ones are in ${log#"$SRC/"}|" | head -n 6
done
for kind in unit cli sql conformance interop fault replay fuzz; do
    awk -v k=$kind '$1 == k { n++; p += $2; f += $3; s += $4 }
        END { if (n) printf "%s: %d passed, %d failed, %d skipped\n", k, p, f, s }' "$results"
done
awk '{ p += $2; f += $3; s += $4 } END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 }' "$results"
