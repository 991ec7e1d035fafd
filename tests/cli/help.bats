#!/usr/bin/env bats
# What every program answers before it does anything.

load helper

setup() {
    tsf_setup
    shopt -s nullglob
    programs=("$BUILD"/bin/tsf-*)
    [ "${#programs[@]}" -gt 0 ] || skip "no programs"
}

each() { # each FUNCTION: called with the name of each program
    local p
    for p in "${programs[@]}"; do
        p=$(basename "$p")
        "$1" "$p" || { echo "$p"; return 1; }
    done
}

# options PROGRAM ARGUMENT: names of its options with such an argument
options() { "$1" --complete-options | awk -F'\t' -v a="$2" '$2 == a { print $1 }'; }

help_fits() {
    runs 0 "$1" --help || return 1
    [ -z "$stderr" ] || { show; return 1; }
    [ "${#lines[@]}" -le 40 ] || { echo "${#lines[@]} lines"; return 1; }
    local l
    for l in "${lines[@]}"; do [ "${#l}" -le 80 ] || { echo "too wide: $l"; return 1; }; done
    case ${lines[0]} in "usage: $1 "*) ;; *) show; return 1 ;; esac
    local long=$output
    runs 0 "$1" -h || return 1
    is "$long"
}

@test "help: on stdout, exit 0, within 80 columns and 40 lines" {
    each help_fits
}

version_is_one_line() {
    runs 0 "$1" --version || return 1
    [ "${#lines[@]}" = 1 ] && [ -z "$stderr" ] || { show; return 1; }
    [[ $output =~ ^$1\ [0-9]+\.[0-9]+ ]] || { show; return 1; }
}

@test "help: --version is the program's name and a number" {
    each version_is_one_line
}

same_version() { "$1" --version | awk '{ print $2 }'; }

@test "help: all programs have one version" {
    [ "$(each same_version | sort -u | wc -l)" = 1 ]
}

unknown_option() {
    runs 2 "$1" --warehose /tmp || return 1
    is "" || return 1
    says "$1: unknown option --warehose; did you mean --warehouse?" || return 1
    says "usage: $1 " || return 1
    runs 2 "$1" --entirely-unknown-thing || return 1
    says "unknown option --entirely-unknown-thing" || return 1
    case $stderr in *"did you mean"*) show; return 1 ;; esac
    runs 2 "$1" -Z || return 1
    says "unknown option -Z"
}

@test "help: an unknown option is told on stderr, with a suggestion, exit 2" {
    each unknown_option
}

lacks_value() {
    local o
    for o in $("$1" --complete-options | awk -F'\t' '$2 != "" { print $1 }'); do
        runs 2 "$1" "$o" || return 1
        says "$o needs a value" || return 1
    done
    for o in $("$1" --complete-options | awk -F'\t' '$2 == "" && $1 != "--help" && $1 != "--version" { print $1 }'); do
        runs 2 "$1" "$o=x" || return 1
        says "$o takes no value" || return 1
    done
}

@test "help: a missing value, or one too many, is a usage error" {
    each lacks_value
}

bad_values() {
    local o v
    for o in $(options "$1" N); do
        for v in x 1x '' 1.5 -7 99999999999999999999; do runs 2 "$1" "$o" "$v" || return 1; says "$o" || return 1; done
    done
    for o in $(options "$1" SIZE); do
        for v in x 16Q -1 '' 0 9999999999G; do runs 2 "$1" "$o" "$v" || return 1; says "$o" || return 1; done
    done
    for o in $(options "$1" TIME); do
        [ "$1$o" != tsf-compact--window ] || continue # looked at later, below
        for v in x 3fortnights -1h '' 1h1; do runs 2 "$1" "$o" "$v" || return 1; says "$o" || return 1; done
    done
}

@test "help: numbers, sizes and durations that are none are usage errors" {
    each bad_values
}

@test "help: each program says what it lacks" {
    need tsf-ingest tsf-compact tsf-vacuum tsf-query tsf-warm tsf-evict
    runs 2 tsf-ingest
    says "which table?"
    runs 2 tsf-vacuum
    says "which table?"
    runs 2 tsf-compact logs
    says "one of --light, --full and --recompress"
    runs 2 tsf-compact --light --full logs
    says "one of --light, --full and --recompress"
    runs 2 tsf-compact --full
    says "which table?"
    runs 2 tsf-compact --full --window soon logs
    says "--window takes a duration"
    runs 2 tsf-query --format yaml "SELECT 1"
    says 'unknown format "yaml"'
    runs 2 tsf-warm --partition date=2026-11-20
    says "--partition goes with a TABLE"
    runs 2 tsf-evict --partition date=2026-11-20
    says "--partition goes with a TABLE"
}

@test "help: a value may follow after = or a blank, letters may be joined, -- ends options" {
    need tsf-query
    answer 1 "SELECT 1" --threads=1
    answer 1 "SELECT 1" --threads 1
    answer 1 "SELECT 1" -j1
    runs 0 tsf-query -tFcsv -- "SELECT 2"
    is 2
}

@test "help: --help where stdout is full fails" {
    [ -c /dev/full ] || skip "no /dev/full"
    for p in "${programs[@]}"; do
        runs 1 sh -c "exec '$p' --help >/dev/full"
    done
}

letters_are_unique() {
    "$1" --help | grep -oE '^  -[A-Za-z0-9],' | sort | uniq -d >twice
    [ ! -s twice ] || { cat twice; return 1; }
    "$1" --complete-options | cut -f1 | sort | uniq -d >twice
    [ ! -s twice ] || { cat twice; return 1; }
}

@test "help: no option and no letter is there twice" {
    each letters_are_unique
}
