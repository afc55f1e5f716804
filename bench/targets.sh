#!/usr/bin/env bash
# Measures what headrace costs per event, against the real Kafka broker. See README.md here.
#
#   bash bench/targets.sh [--seconds N] [--rounds N] [--only TEXT] [--binary PATH]
#   bash bench/targets.sh --micro [google-benchmark options]    # parts of the ingestion path alone
#
# Needs two cores and an otherwise quiet machine. Exits 1 if a figure could not be stood behind.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")

need() {
    local missing=()
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
    done
    [[ ${#missing[@]} -eq 0 ]] && return
    echo "installing: ${missing[*]}"
    local as_root=()
    [[ $EUID -eq 0 ]] || as_root=(sudo -n)
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

cd "$root"
mapfile -t packages < <(deploy/packages.sh missing build)
if [[ ${1:-} == --micro ]]; then
    shift
    need "${packages[@]}" libbenchmark-dev
    cmake --preset release -DHEADRACE_BENCH=ON >/dev/null
    cmake --build --preset release --target parse_bench
    exec taskset -c 0 build/release/parse_bench --benchmark_repetitions=3 --benchmark_report_aggregates_only=true \
        --benchmark_display_aggregates_only=true "$@"
fi

if [[ $(nproc) -lt 2 ]]; then
    echo "targets.sh: two cores are needed: one for the server, one for broker and load" >&2
    exit 2
fi
need "${packages[@]}" wrk nginx-light util-linux binutils
tests/e2e/setup.sh
cache=$(cd "${HEADRACE_TEST_CACHE:-tests/.cache}" && pwd)
if [[ " $* " != *" --binary "* ]]; then
    cmake --preset release >/dev/null
    cmake --build --preset release --target headrace
fi
exec taskset -c 1 "$cache/venv/bin/python" "$here/targets/targets.py" --jars "$cache/kafka" "$@"
