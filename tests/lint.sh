#!/bin/sh
# lint.sh: what a compiler does not see. Each check prints "ok" or "FAIL" and what is wrong; the totals come last.
# `make lint` runs it, after building the objects whose exported names it reads. CC, CLANG, TSF_CFLAGS as in the Makefile.
set -u
cd "$(dirname "$0")/.." || exit 2
ROOMS="base column parquet store cache delta wal table ingest query maintain"
CC=${CC:-gcc}
CLANG=${CLANG:-clang}
FLAGS="-std=gnu17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Ilib -Icmd ${TSF_CFLAGS:-}"
JOBS=$(nproc 2>/dev/null || echo 2)
passed=0 failed=0
out=$(mktemp) || exit 2
trap 'rm -f "$out"' EXIT

verdict() { # verdict NAME: $out holds the complaints; none is a pass
    if [ -s "$out" ]; then
        echo "FAIL $1"
        sed 's/^/    /' "$out"
        failed=$((failed + 1))
    else
        echo "ok   $1"
        passed=$((passed + 1))
    fi
}

files() { # files PATTERN...: tracked or new files, never ignored ones
    git ls-files -co --exclude-standard -- "$@" 2>/dev/null | sort -u | while read -r f; do [ ! -f "$f" ] || echo "$f"; done
}

isa_flags() { # isa_flags FILE: as the Makefile compiles it
    case $1 in
    *_avx512.c) echo "-mavx2 -mbmi -mbmi2 -mlzcnt -mpopcnt -mfma -mf16c -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512cd -mavx512vbmi" ;;
    *_avx2.c) echo "-mavx2 -mbmi -mbmi2 -mlzcnt -mpopcnt -mfma -mf16c" ;;
    esac
}

# ---- rooms include only rooms below -----------------------------------------------------------------
for f in $(files 'lib/*.c' 'lib/*.h'); do
    room=${f#lib/} room=${room%%/*}
    awk -v f="$f" -v room="$room" -v rooms="$ROOMS" '
        BEGIN { n = split(rooms, r, " "); for (i = 1; i <= n; i++) floor[r[i]] = i
            if (!(room in floor)) print f ": lib/" room " is no room" }
        /^[ \t]*#[ \t]*include[ \t]*"/ { split($0, q, "\""); split(q[2], p, "/"); t = p[1]
            if (q[2] !~ /\//) print f ":" FNR ": \"" q[2] "\" is named without its room"
            else if (!(t in floor)) print f ":" FNR ": includes \"" q[2] "\", which is not of lib/"
            else if (floor[t] > floor[room]) print f ":" FNR ": climbs from " room " to " t
            else if (t != room && q[2] ~ /_internal\.h$/) print f ":" FNR ": includes a private header of " t }' "$f"
done >"$out"
verdict "includes never climb"

# ---- exported names begin with their room -----------------------------------------------------------
for f in $(files 'lib/*.c'); do
    room=${f#lib/} room=${room%%/*}
    base=${f##*/}
    case $base in "$room"_* | "$room".c) ;; *) echo "$f: the file's name does not begin with ${room}_" ;; esac
    o=build/release/${f%.c}.o
    [ -f "$o" ] || continue
    case $room in base | column) prefix="(tsf|$room)_" ;; *) prefix="${room}_" ;; esac
    nm -g --defined-only "$o" | awk -v p="^$prefix" -v f="$f" '$3 !~ p && $3 != "" { print f ": exports " $3 }'
done >"$out"
verdict "exported names begin with their room"

# ---- headers compile alone ----------------------------------------------------------------------------
# shellcheck disable=SC2086
files 'lib/*.h' 'cmd/*.h' | xargs -r -P "$JOBS" -I{} \
    sh -c 'echo "#include \"$0\"" | '"$CC $FLAGS"' -I. -Wall -Wextra -Werror -fsyntax-only -x c - >/dev/null 2>&1 || echo "$0: does not compile alone"' {} >"$out"
verdict "headers compile alone"

# ---- banned calls ---------------------------------------------------------------------------------------
# As git's banned.h, plus what the library must leave to cmd/ (talk, exit) and to lib/base (rename).
# shellcheck disable=SC2046
perl -0777 -e '
    my $never = qr/\b(strcpy|strcat|strncpy|strncat|strtok|strtok_r|sprintf|vsprintf|gets|gmtime|localtime|ctime|ctime_r|asctime|asctime_r|mktemp|tmpnam|alloca|system|popen)\s*\(/;
    my $lib = qr/\b(printf|vprintf|puts|putchar|perror|exit|_exit|quick_exit|err|errx|warn|warnx)\s*\(|\b(stderr|stdout)\b/;
    my $rename = qr/\b(rename|renameat|renameat2)\s*\(/;
    for my $f (@ARGV) {
        open(my $h, "<", $f) or next; my $s = <$h>;
        $s =~ s{/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\x27(?:\\.|[^\x27\\\n])*\x27}{my $m = $&; my $n = () = $m =~ /\n/g; "\n" x $n}gse;
        my $i = 0;
        for my $line (split /\n/, $s, -1) {
            $i++;
            print "$f:$i: $1() is banned\n" if $line =~ $never;
            print "$f:$i: the library neither talks nor exits: $&\n" if $f =~ m{^lib/} and $line =~ $lib;
            print "$f:$i: $1() belongs in lib/base\n" if $f !~ m{^lib/base/} and $line =~ $rename;
        }
    }' $(files 'lib/*.c' 'lib/*.h' 'cmd/*.c' 'cmd/*.h') >"$out"
verdict "no banned calls"

# ---- a second compiler ------------------------------------------------------------------------------------
EXTRA="-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef
    -Wassign-enum -Wenum-conversion -Wfloat-conversion -Wformat-type-confusion -Wloop-analysis -Wpointer-arith
    -Wunreachable-code-aggressive -Wmissing-variable-declarations -Wno-unused-parameter
    -Wno-missing-field-initializers -Werror -ferror-limit=5"
if command -v "$CLANG" >/dev/null; then
    for f in $(files 'lib/*.c' 'cmd/*.c' 'tests/*.c'); do
        case $f in *_avx2.c | *_avx512.c) [ "$(uname -m)" = x86_64 ] || continue ;; esac
        # shellcheck disable=SC2086
        echo $FLAGS $EXTRA "$(isa_flags "$f")" -fsyntax-only "$f"
    done | xargs -r -P "$JOBS" -L 1 "$CLANG" 2>&1 | grep -E '(error|warning):' | sort -u >"$out"
    verdict "clang agrees"
fi

# ---- scripts and man pages ----------------------------------------------------------------------------------
if command -v shellcheck >/dev/null; then
    # shellcheck disable=SC2046
    set -- $(files 'tests/*.sh' 'tests/*.bash' 'tests/*.bats' '.ci/*' 'completions/*.bash')
    # in bats a failing command ends the test, and a run in a subshell is the usual case
    [ $# = 0 ] || printf '%s\n' "$@" | xargs -P "$JOBS" -n 4 shellcheck -S warning -e SC2164,SC2238,SC2030,SC2031 -f gcc >"$out" 2>&1
    verdict "shellcheck"
fi
if command -v mandoc >/dev/null; then
    : >"$out"
    # shellcheck disable=SC2046
    set -- $(files 'man/*.[1-8]')
    # a page of ours that is not installed is no fault of the page that names it
    [ $# = 0 ] || mandoc -T lint -W warning "$@" >"$out" 2>&1
    for f in $(files 'cmd/tsf-*.c'); do
        p=${f##*/} p=${p%.c}
        [ -f "man/$p.1" ] || echo "$p has no man page" >>"$out"
    done
    verdict "man pages"
fi

# ---- lists that would drift -----------------------------------------------------------------------------------
{
    for room in $ROOMS; do
        [ -d "lib/$room" ] || continue
        head=lib/$room/$room.h
        [ -f "$head" ] || { echo "lib/$room has no $room.h"; continue; }
        listed=$(awk '/^ \*\//{exit} /\/\*/{c=1} c' "$head" | grep -oE '^ \* +[a-z0-9_]+[*]?\.c( |$)' | sed 's/^ \* *//')
        for f in $(files "lib/$room/*.c"); do # a line may speak of a family, as room_thing_*.c
            for name in $listed ""; do
                # shellcheck disable=SC2254 # a pattern
                case ${f##*/} in $name) break ;; esac
            done
            [ -n "$name" ] || echo "$head: no line for ${f##*/}"
        done
        for name in $listed; do
            # shellcheck disable=SC2086 # a pattern
            ls lib/$room/$name >/dev/null 2>&1 || echo "$head: $name is not there"
        done
        grep -qE "^\| \`?$room\`? " README.md || echo "README.md: no line for room $room"
    done
    for d in lib/*/; do
        d=${d#lib/} d=${d%/}
        case " $ROOMS " in *" $d "*) ;; *) echo "lib/$d is no room" ;; esac
    done
    for f in $(files 'cmd/tsf-*.c'); do
        p=${f##*/} p=${p%.c}
        grep -q "$p" README.md || echo "README.md: no word on $p"
    done
    for t in $(grep -oE '\bmake [a-z][a-z-]*' README.md man/* 2>/dev/null | sed 's/.*make //' | sort -u); do
        grep -qE "^$t:" Makefile || echo "README.md or a man page says make $t, the Makefile has none"
    done
} >"$out"
verdict "README and room headers list what is there"

{
    for f in .editorconfig .clang-format .gitignore README.md .ci/run; do [ -f $f ] || echo "$f is missing"; done
    for f in *; do
        case $f in Makefile | cmd | lib | man | completions | tests | README.md | build) ;; *) echo "$f does not belong at the top" ;; esac
    done
    # shellcheck disable=SC2046
    grep -nE '[[:space:]]$' $(files '*.c' '*.h' '*.sh' '*.bats' '*.bash' '*.md' '*.sql' Makefile) /dev/null | cut -c1-100 | sed 's/$/ <- blank at the end/'
    # shellcheck disable=SC2046
    grep -nP '^ *\t' $(files '*.c' '*.h') /dev/null | cut -c1-100 | sed 's/$/ <- tab/'
} >"$out"
verdict "files and folders"

echo "lint: $passed passed, $failed failed"
[ $failed = 0 ]
