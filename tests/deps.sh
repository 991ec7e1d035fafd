#!/bin/sh
# deps.sh list|install LIST...: are the Debian packages of these lists there? (LIST: build; demo and test, which hold it)
#
# list     name what is missing and how to get it; exit 1 when something is
# install  get what is missing through apt-get, with sudo when not root; a clear list when that cannot be
# On a system without dpkg nothing is checked: the compiler will tell.
set -u
mode=$1
shift
want="gcc make pkg-config libc6-dev libstdc++-12-dev libarchive-dev libcurl4-openssl-dev libzstd-dev libjansson-dev libpg-query-dev
    libprotobuf-c-dev zlib1g-dev liblz4-dev libsnappy-dev libbrotli-dev libxxhash-dev libroaring-dev liblmdb-dev
    libpcre2-dev libutf8proc-dev"
for list; do
    case $list in
    build) ;;
    demo) want="$want jq" ;;
    test) want="$want bats libcmocka-dev clang llvm libclang-rt-14-dev jq mandoc shellcheck python3 python3-venv xz-utils zstd" ;;
    *) echo "deps: no list $list" >&2; exit 2 ;;
    esac
done
command -v dpkg-query >/dev/null || exit 0
missing=
for p in $want; do
    case $(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null) in
    installed*) ;;
    *) missing="$missing $p" ;;
    esac
done
[ -n "$missing" ] || exit 0

tell() {
    echo "tsf needs these Debian packages:$missing" >&2
    echo "get them with: apt-get install --no-install-recommends$missing" >&2
    exit 1
}
[ "$mode" = install ] || tell
if [ "$(id -u)" = 0 ]; then
    sudo=
elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    sudo=sudo
else
    echo "deps: neither root nor able to use sudo without a password" >&2
    tell
fi
echo "installing:$missing" >&2
get() { # shellcheck disable=SC2086 # a list of words
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 "$@" >/dev/null </dev/null
}
# The package lists may be absent or stale; only then are they fetched.
# shellcheck disable=SC2086
get install --no-install-recommends $missing 2>/dev/null ||
    { get update && get install --no-install-recommends $missing; } || tell
