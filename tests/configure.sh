#!/bin/sh
# configure.sh: print build/config.mk, the libraries to link.
#
# What a start costs beyond an empty program (fork, exec and wait, 2-core machine, minimum of 600 runs):
#
#   all libraries shared               1,370 us      libsnappy.so with its libstdc++.so    480 us
#   all as archives, PIE                 190 us      libsnappy.a with libstdc++.a           10 us
#   all as archives, not PIE              80 us      libroaring.so                          50 us
#   libcurl                            4,080 us      libarchive                          1,900 us
#
# So what Debian ships as an archive is linked statically, and --gc-sections drops what is not used. libarchive and libcurl
# bring a tree of libraries: the rooms that use them (ingest, store) open "libarchive.so.13" and "libcurl.so.4" with
# dlopen() at first use, and only their headers are needed here.
set -u
CC=${CC:-gcc}
PKG_CONFIG=${PKG_CONFIG:-pkg-config}

archive() { # archive NAME...: the path of each libNAME.a, or -lNAME when there is none
    for name; do
        path=$($CC -print-file-name="lib$name.a")
        case $path in
        /*) printf ' %s' "$(realpath "$path")" ;;
        *) printf ' -l%s' "$name" ;;
        esac
    done
}

echo "# made by tests/configure.sh"
printf 'TSF_CFLAGS := %s\n' "$($PKG_CONFIG --cflags libzstd jansson zlib liblz4 snappy libbrotlidec libxxhash lmdb \
    libpcre2-8 libutf8proc libprotobuf-c 2>/dev/null)"
printf 'TSF_LIBS :='
archive pg_query protobuf-c zstd jansson lz4 brotlidec brotlicommon z lmdb xxhash pcre2-8 utf8proc
# libsnappy is C++; without an archive of its run-time library the shared pair is the only way
case $(archive snappy stdc++) in
*" -l"*) printf ' -lsnappy' ;;
*) archive snappy stdc++ gcc_eh ;;
esac
printf ' -lroaring -lm -ldl\n'
