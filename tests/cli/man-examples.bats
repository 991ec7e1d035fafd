#!/usr/bin/env bats
# The commands in the EXAMPLES of every page, and in README.md, run and print what is said there ("..." stands for anything).
#
# A page's examples run from top to bottom in one shell, in a directory that has what they speak of: the ready-made tables
# with some rows, app.ndjson.gz, spans.ndjson, dirty.ndjson. Lines behind "$ " are commands ("> " goes on), the lines after
# are their output.

load helper

setup() {
    tsf_setup
    command -v mandoc >/dev/null || skip "no mandoc"
    command -v jq >/dev/null || skip "no jq"
    need tsf-ingest tsf-flush tsf-compact tsf-query tsf-warm tsf-evict tsf-vacuum
}

examples() { # examples PAGE: the literal lines of its EXAMPLES, as a reader sees them; prose becomes empty lines
    if [ "$1" = README.md ]; then
        awk '{ print substr($0, 1, 4) == "    " ? substr($0, 5) : "" }' "$SRC/README.md"
        return
    fi
    mandoc -T ascii -O width=300 "$SRC/man/$1" | col -bx |
        awk '/^[A-Z]/ { on = $0 == "EXAMPLES"; next } on { print substr($0, 1, 11) == "           " ? substr($0, 12) : "" }'
}

world() {
    local i
    for i in 1 2 3 4 5; do
        echo "{\"timestamp\":\"2026-11-20T11:5$i:00Z\",\"service\":\"web\",\"level\":\"error\",\"message\":\"m$i\",\"n\":$i}"
    done >app.ndjson
    gzip app.ndjson
    { zcat app.ndjson.gz; echo 'no json'; echo '{"timestamp":"never"}'; } >dirty.ndjson
    for i in 1 2 3; do
        echo "{\"timestamp\":\"2026-11-20T11:3$i:00Z\",\"id\":\"s$i\",\"name\":\"GET /\",\"duration\":${i}000,\"summary\":[\"s\"]}"
    done >spans.ndjson
    # the tour begins with nothing; so does the page that creates the table
    case $1 in tsf.7 | README.md) rm app.ndjson.gz; return ;; tsf-query.1) ;; *) tsf-query -q -o /dev/null -f "$SCHEMAS/logs.sql" ;; esac
    tsf-query -q -o /dev/null -f "$SCHEMAS/otel_logs_and_spans.sql"
    for i in 1 2; do
        tsf-ingest -q --project "p$i" otel_logs_and_spans spans.ndjson >/dev/null
        [ "$i" = 2 ] || tsf-flush >/dev/null
    done
    [ "$1" = tsf-query.1 ] || tsf-ingest -q logs app.ndjson.gz >/dev/null
}

# matches PATTERN FILE: the file's text is the pattern's, where "..." is anything. Blanks at line ends do not count.
matches() {
    local want got
    want=$(printf '%s' "$1" | sed 's/ *$//; s/[][*?\\]/\\&/g; s/\.\.\./*/g')
    got=$(sed 's/ *$//' "$2")
    # shellcheck disable=SC2053 # a pattern
    [[ $got == $want ]]
}

check_page() {
    local n=0 line command='' want='' open=''
    world "$1"
    export TSF_NOW=2026-11-20T12:30:00Z
    one() { # run what was collected
        [ -n "$command" ] || return 0
        local status=0
        command=${command//\/usr\/local\/share\/tsf\/schemas/$SCHEMAS}
        n=$((n + 1))
        eval "$command" >"$BATS_TEST_TMPDIR/out" 2>&1 || status=$?
        case $want in *"tsf-"*": "*) ;; *) [ "$status" = 0 ] || { printf 'exit %s: %s\n' "$status" "$command"; cat "$BATS_TEST_TMPDIR/out"; return 1; } ;; esac
        matches "$want" "$BATS_TEST_TMPDIR/out" ||
            { printf '$ %s\nwant:\n%s\ngot:\n' "$command" "$want"; cat "$BATS_TEST_TMPDIR/out"; return 1; }
        command='' want=''
    }
    examples "$1" >"$BATS_TEST_TMPDIR/examples"
    while IFS= read -r line; do
        case $line in
        '$ '*) one || return 1; command=${line#'$ '} open=1 ;;
        '> '*) [ -n "$open" ] && command=$command$'\n'${line#'> '} ;;
        '') one || return 1; open='' ;;
        *) [ -z "$open" ] || want=$want${want:+$'\n'}$line ;;
        esac
    done <"$BATS_TEST_TMPDIR/examples"
    one || return 1
    [ "$n" -gt 0 ] || { echo "no commands in $1"; return 1; }
}

@test "examples: tsf(7)" { check_page tsf.7; }
@test "examples: tsf-ingest(1)" { check_page tsf-ingest.1; }
@test "examples: tsf-flush(1)" { check_page tsf-flush.1; }
@test "examples: tsf-compact(1)" { check_page tsf-compact.1; }
@test "examples: tsf-warm(1)" { check_page tsf-warm.1; }
@test "examples: tsf-evict(1)" { check_page tsf-evict.1; }
@test "examples: tsf-query(1)" { check_page tsf-query.1; }
@test "examples: tsf-vacuum(1)" { check_page tsf-vacuum.1; }
@test "examples: tsf-manifest(5)" { check_page tsf-manifest.5; }
@test "examples: tsf-schema(5)" { check_page tsf-schema.5; }
@test "examples: tsf-maintenance(7)" { check_page tsf-maintenance.7; }

@test "examples: README.md" { check_page README.md; }

@test "examples: no page is left out" {
    for m in "$SRC"/man/*.[1-8]; do
        grep -q "check_page $(basename "$m");" "$BATS_TEST_FILENAME" || { echo "$m"; false; }
    done
}
