#!/usr/bin/env bash
# Installs what the end-to-end suite needs into one cache folder (default tests/.cache, or
# HEADRACE_TEST_CACHE): a Python venv, node_modules, Kafka's jars. Silent and quick when present.
# System packages are not installed here; they are listed in tests/packages.txt.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${HEADRACE_TEST_CACHE:-$here/../.cache}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)

for tool in python3 node npm mvn java openssl curl redis-server; do
    command -v "$tool" >/dev/null || {
        echo "e2e setup: '$tool' is missing. Install the packages of tests/packages.txt." >&2
        exit 2
    }
done

# step NAME FINGERPRINT COMMAND...: runs the command unless it succeeded before for this input.
step() {
    local name=$1 stamp="$cache/.stamp-$1" print=$2 log="$cache/setup-$1.log"
    shift 2
    [[ -f $stamp && $(<"$stamp") == "$print" ]] && return
    rm -f "$stamp"
    echo "e2e setup: $name ..."
    if ! "$@" >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        echo "e2e setup: $name failed, the whole log is in $log" >&2
        exit 1
    fi
    echo "$print" >"$stamp"
}

install_venv() {
    rm -rf "$cache/venv"
    python3 -m venv "$cache/venv"
    "$cache/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
        -r "$here/requirements.txt"
}

install_node() {
    mkdir -p "$cache/node"
    cp "$here/package.json" "$here/package-lock.json" "$cache/node/"
    (cd "$cache/node" && npm ci --no-audit --no-fund --loglevel=error)
}

install_kafka() {
    rm -rf "$cache/kafka"
    mvn -q -B -f "$here/kafka/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
        "-DoutputDirectory=$cache/kafka"
}

step venv "$(cat "$here/requirements.txt" <(python3 --version) | sha256sum)" install_venv
step node "$(cat "$here/package-lock.json" <(node --version) | sha256sum)" install_node
step kafka "$(sha256sum <"$here/kafka/pom.xml")" install_kafka
