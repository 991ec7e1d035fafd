#!/bin/sh
# configure.sh: print build/config.mk, the libraries to link.
#
# Each shared library costs a start some 100 to 300 microseconds of mapping and relocation, so what Debian ships as an
# archive is linked statically (position-independent, as Debian builds them) and the linker drops what is not used.
# Left out on purpose: libarchive and libcurl bring a tree of libraries that costs milliseconds; the rooms that use
# them (ingest, store) open "libarchive.so.13" and "libcurl.so.4" with dlopen() at first use, and only their
# headers are needed here.
set -u
CC=${CC:-gcc}
PKG_CONFIG=${PKG_CONFIG:-pkg-config}

archive() { # archive NAME: the path of libNAME.a, or -lNAME when there is none
    path=$($CC -print-file-name="lib$1.a")
    case $path in
    /*) printf ' %s' "$path" ;;
    *) printf ' -l%s' "$1" ;;
    esac
}

echo "# made by tests/configure.sh"
# shellcheck disable=SC2086
printf 'TSF_CFLAGS := %s\n' "$($PKG_CONFIG --cflags libzstd jansson zlib liblz4 snappy libbrotlidec libxxhash lmdb \
    libpcre2-8 libutf8proc libprotobuf-c 2>/dev/null)"
printf 'TSF_LIBS :='
for name in pg_query protobuf-c zstd jansson lz4 brotlidec brotlicommon z lmdb xxhash pcre2-8 utf8proc; do
    archive $name
done
printf ' -lsnappy -lroaring -lm -ldl\n'
