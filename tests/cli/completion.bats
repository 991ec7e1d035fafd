#!/usr/bin/env bats
# Completion in bash: options from the programs, tables from the warehouse. zsh and fish: at least the syntax, when they are here.

load helper

setup() {
    tsf_setup
    need tsf-query tsf-ingest tsf-compact
    mkdir -p "$TSF_WAREHOUSE"/{logs,spans,other}/ "$TSF_WAREHOUSE"/{logs,spans}/_delta_log
    # shellcheck source=/dev/null
    source "$SRC/completions/tsf.bash"
}

# completes WORD...: what the last word may become, one on a line, sorted. Words are split at "=" as bash does.
completes() {
    local w
    COMP_WORDS=()
    for w; do
        case $w in
        --*=?*) COMP_WORDS+=("${w%%=*}" "=" "${w#*=}") ;;
        --*=) COMP_WORDS+=("${w%%=*}" "=") ;;
        *) COMP_WORDS+=("$w") ;;
        esac
    done
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMPREPLY=()
    _tsf
    output=$(printf '%s\n' "${COMPREPLY[@]}" | sort)
}

@test "completion: tables are the folders with a Delta log" {
    completes tsf-flush ''
    is $'logs\nspans'
    completes tsf-compact --full sp
    is spans
    completes tsf-vacuum --retention 48h l
    is logs
    completes tsf-ingest -f ndjson lo
    is logs
    completes tsf-warm zzz
    is ""
}

@test "completion: a warehouse on the command line, and the defaults" {
    mkdir -p elsewhere/metrics/_delta_log
    completes tsf-flush --warehouse elsewhere ''
    is metrics
    completes tsf-flush --warehouse=elsewhere ''
    is metrics
    unset TSF_WAREHOUSE
    mkdir -p "$TSF_DATA_DIR/tables/mine/_delta_log"
    completes tsf-flush ''
    is mine
    unset TSF_DATA_DIR
    mkdir -p home/.local/share/tsf/tables/home/_delta_log
    HOME=$PWD/home XDG_DATA_HOME='' completes tsf-flush ''
    is home
}

@test "completion: options are those of the program" {
    local p
    for p in tsf-ingest tsf-flush tsf-compact tsf-warm tsf-evict tsf-query tsf-vacuum; do
        completes "$p" --
        is "$("$p" --complete-options | cut -f1 | sort)"
    done
    completes tsf-compact --min
    is --min-files
    completes tsf-query --no-
    is $'--no-cache\n--no-header'
}

@test "completion: values of options" {
    completes tsf-query --format ''
    is $'csv\njson\nmarkdown\nndjson\ntable\ntsv'
    completes tsf-query -F nd
    is ndjson
    completes tsf-query --format=c
    is csv
    completes tsf-query --format=
    is $'csv\njson\nmarkdown\nndjson\ntable\ntsv'
    completes tsf-ingest --format ''
    is $'auto\nndjson'
    completes tsf-compact --window a
    is all
    completes tsf-compact --level ''
    is ""
}

@test "completion: files where files belong" {
    mkdir folder
    touch app.ndjson 'two words.sql'
    completes tsf-ingest logs ap
    is app.ndjson
    completes tsf-ingest logs -q fo
    is folder
    completes tsf-query -f two
    is 'two words.sql'
    completes tsf-query -o ap
    is app.ndjson
    completes tsf-ingest --warehouse fo
    is folder
}

@test "completion: every program has it" {
    for p in "$BUILD"/bin/tsf-*; do
        complete -p "$(basename "$p")"
        grep -qw "$(basename "$p")" "$SRC/completions/_tsf"
        grep -qw "$(basename "$p")" "$SRC/completions/tsf.fish"
    done
}

@test "completion: formats are the ones that tsf-query knows" {
    local formats
    formats=$(tsf-query --complete-options | awk -F'\t' '$1 == "--format" { print $3 }')
    [ -n "$formats" ]
    for f in tsf.bash _tsf tsf.fish; do
        grep -q "$formats" "$SRC/completions/$f" || { echo "$f: not \"$formats\""; false; }
    done
}

@test "completion: zsh reads its file" {
    command -v zsh >/dev/null || skip "no zsh"
    runs 0 zsh -n "$SRC/completions/_tsf"
}

@test "completion: fish reads its file" {
    command -v fish >/dev/null || skip "no fish"
    runs 0 fish -n "$SRC/completions/tsf.fish"
}
