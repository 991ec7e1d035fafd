#!/bin/sh
# peers.sh [DIR]: print a Python that has the other readers (duckdb, pyarrow, polars, deltalake), for PEERS.
#
# $PEERS wins; then a virtual environment in DIR (build/peers/python), made from PyPI when it can be reached. Where it
# cannot, nothing is printed, a word is said on stderr, and the tests that need it skip.
set -u
dir=${1:-build/peers/python}
[ -z "${PEERS:-}" ] || { echo "$PEERS"; exit 0; }
dir=$(mkdir -p "$dir" && cd "$dir" && pwd) || exit 1
if [ ! -f "$dir/.complete" ]; then
    python3 -m venv "$dir" 2>/dev/null &&
        timeout 300 "$dir/bin/python" -m pip install --quiet --disable-pip-version-check --retries 1 \
            duckdb pyarrow polars deltalake >&2 &&
        touch "$dir/.complete"
fi
if [ -f "$dir/.complete" ]; then
    echo "$dir/bin/python"
else
    echo "peers: PyPI is out of reach, so tests beside other readers are skipped" >&2
fi
