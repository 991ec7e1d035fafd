#!/usr/bin/env bats
# The manual and --help say the same: usage lines, and every option with its letter and its argument.

load helper

setup() {
    tsf_setup
    command -v mandoc >/dev/null || skip "no mandoc"
    shopt -s nullglob
    programs=("$BUILD"/bin/tsf-*)
    [ "${#programs[@]}" -gt 0 ] || skip "no programs"
}

page() { mandoc -T ascii -O width=200 "$SRC/man/$1" | col -bx; }
section() { awk -v s="$1" '/^[A-Z]/ { on = $0 == s; next } /^   [A-Z]/ { on = 0 } on'; }

@test "man: every program has a page, and every page of section 1 a program" {
    for p in "${programs[@]}"; do
        [ -f "$SRC/man/$(basename "$p").1" ] || { echo "no page for $p"; false; }
    done
    for m in "$SRC"/man/*.1; do
        [ -x "$BUILD/bin/$(basename "$m" .1)" ] || { echo "no program for $m"; false; }
    done
}

@test "man: SYNOPSIS is --help's usage" {
    for p in "${programs[@]}"; do
        p=$(basename "$p")
        "$p" --help | awk 'NF == 0 { exit } { sub(/^usage: */, ""); sub(/^ */, ""); print }' >help
        page "$p.1" | section SYNOPSIS | sed 's/^ *//; /^$/d' >man
        diff -u help man || { echo "$p"; false; }
    done
}

@test "man: options are --help's, with the same letters and arguments" {
    for p in "${programs[@]}"; do
        p=$(basename "$p")
        # letters are in --help only
        "$p" --help | sed -nE 's/^  (-[A-Za-z0-9]), (--[a-z-]+).*/\2 \1/p' >letters
        "$p" --complete-options | awk -F'\t' 'NR == FNR { split($0, w, " "); letter[w[1]] = w[2] ", "; next }
            { print letter[$1] $1 ($2 == "" ? "" : " " $2) }' letters - | sort >help
        page "$p.1" | section OPTIONS | sed -nE 's/^ {5}((-[A-Za-z0-9], )?--[a-z-]+( [^ ]+)?)( .*)?$/\1/p' | sort >man
        diff -u help man || { echo "$p"; false; }
    done
}

@test "man: pages that a page names are there" {
    for m in "$SRC"/man/*.[1-8]; do
        grep -oE '^\.Xr tsf[a-z-]* [0-9]' "$m" | while read -r _ name section; do
            [ -f "$SRC/man/$name.$section" ] || { echo "$m names $name($section)"; exit 1; }
        done
    done
}

@test "man: mandoc has nothing to say" {
    runs 0 mandoc -T lint -W warning "$SRC"/man/*.[1-8]
    is ""
}
