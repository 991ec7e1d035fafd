# bash completion for the tsf programs.             -*- shell-script -*-
#
# Options come from the program itself (--complete-options), tables from the warehouse.
# shellcheck shell=bash

# Names of tables that begin with $1: folders of the warehouse with a Delta log.
_tsf_tables() {
    local warehouse=$2 d name
    [ -n "$warehouse" ] || warehouse=${TSF_WAREHOUSE:-${TSF_DATA_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/tsf}/tables}
    for d in "$warehouse"/*/; do
        [ -d "$d/_delta_log" ] || continue
        name=${d%/} name=${name##*/}
        if [[ $name == "$1"* ]]; then COMPREPLY+=("$name"); fi
    done
}

# Words of $2.. that begin with $1.
_tsf_words() {
    local cur=$1 word
    shift
    for word; do
        if [[ $word == "$cur"* ]]; then COMPREPLY+=("$word"); fi
    done
}

_tsf_files() {
    local IFS=$'\n' f
    for f in $(compgen "$2" -- "$1" || true); do COMPREPLY+=("$f"); done
    compopt -o filenames 2>/dev/null || true
}

# The value of option $3 of program $1, which begins with $2.
_tsf_value() {
    case $1:$3 in
    tsf-query:--format | tsf-query:-F) _tsf_words "$2" table csv tsv json ndjson markdown ;;
    tsf-ingest:--format | tsf-ingest:-f) _tsf_words "$2" auto ndjson ;;
    tsf-compact:--window) _tsf_words "$2" 24h 48h 7d all ;;
    *:--cold-after | *:--retention | *:--since) _tsf_words "$2" 24h 48h 7d 14d 30d ;;
    *:--warehouse | *:--data-dir) _tsf_files "$2" -d ;;
    *:--file | tsf-query:-f | *:--reject-file | tsf-ingest:-r | *:--output | tsf-query:-o) _tsf_files "$2" -f ;;
    esac
}

_tsf() {
    local program=${COMP_WORDS[0]##*/} cur=${COMP_WORDS[COMP_CWORD]} prev='' i name arg takes=' ' operands=0 warehouse=''
    local -a options=()
    COMPREPLY=()
    while IFS= read -r i; do
        name=${i%%$'\t'*} arg=${i#*$'\t'} arg=${arg%%$'\t'*}
        options+=("$name")
        [ -z "$arg" ] || takes+="$name "
    done < <("${COMP_WORDS[0]}" --complete-options 2>/dev/null)
    case $program in
    tsf-query) takes+='-f -F -o -p -j ' ;;
    tsf-ingest) takes+='-f -r -j ' ;;
    *) takes+='-j ' ;;
    esac

    # bash splits words at "=": "--format", "=", "cs"
    prev=${COMP_WORDS[COMP_CWORD - 1]}
    if [ "$cur" = "=" ]; then
        cur=''
    elif [ "$prev" = "=" ] && [ "$COMP_CWORD" -gt 2 ]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if [[ $takes == *" $prev "* ]]; then
        _tsf_value "$program" "$cur" "$prev"
        return
    fi
    if [[ $cur == -* ]]; then
        _tsf_words "$cur" "${options[@]}"
        return
    fi

    # operands before this word, and what --warehouse says
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --warehouse)
            if [ "${COMP_WORDS[i + 1]-}" = "=" ]; then i=$((i + 1)); fi
            i=$((i + 1)) warehouse=${COMP_WORDS[i]}
            ;;
        -*) if [[ $takes == *" ${COMP_WORDS[i]} "* ]]; then
            if [ "${COMP_WORDS[i + 1]-}" = "=" ]; then i=$((i + 1)); fi
            i=$((i + 1))
        fi ;;
        *) operands=$((operands + 1)) ;;
        esac
    done
    case $program in
    tsf-query) ;;
    tsf-ingest) if [ "$operands" = 0 ]; then _tsf_tables "$cur" "$warehouse"; else _tsf_files "$cur" -f; fi ;;
    *) _tsf_tables "$cur" "$warehouse" ;;
    esac
}

complete -F _tsf tsf-ingest tsf-flush tsf-compact tsf-warm tsf-evict tsf-query tsf-vacuum
