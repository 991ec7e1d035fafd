#!/usr/bin/env bats
# make install and uninstall: everything in its place, and nothing left.

load helper

setup() {
    tsf_setup
}

make_() { make --no-print-directory -s -C "$SRC" DESTDIR="$PWD/root" PREFIX=/usr "$@"; }

@test "install: programs, manuals and schemas are in their places, and uninstall leaves nothing" {
    make_ install
    for src in "$SRC"/cmd/tsf-*.c; do
        [ -f "$src" ] || continue
        p=$(basename "$src" .c)
        [ -x "root/usr/bin/$p" ]
        "root/usr/bin/$p" --version | grep -q "^$p"
    done
    for page in "$SRC"/man/*.[1-8]; do
        [ ! -f "$page" ] || [ -f "root/usr/share/man/man${page##*.}/$(basename "$page")" ]
    done
    for schema in "$SRC"/lib/table/schemas/*.sql; do
        [ ! -f "$schema" ] || [ -f "root/usr/share/tsf/schemas/$(basename "$schema")" ]
    done
    make_ uninstall
    left=$(find root -type f)
    [ -z "$left" ] || { echo "$left"; false; }
}

@test "install: the programs need no library beyond libc, libm and libroaring" {
    for p in "$BUILD"/bin/tsf-*; do
        [ -x "$p" ] || continue
        others=$(ldd "$p" | grep -vE 'linux-vdso|ld-linux|libc\.so|libm\.so|libroaring\.so|not a dynamic' || true)
        [ -z "$others" ] || { echo "$p: $others"; false; }
    done
}
