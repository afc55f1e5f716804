#!/usr/bin/env bash
# The Debian packages of headrace: one list for deploy/quickstart.sh, the Dockerfile and tests/run.sh.
#
#   packages.sh build           what a build of the server needs
#   packages.sh unit            what the unit tests need on top
#   packages.sh suites          what the other suites of tests/run.sh need on top
#   packages.sh missing LIST... which packages of these lists are not installed
#
# Prints one name per line. Exits 2 where the names are not known: not Debian 12 or 13.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# os-release sets ID and VERSION_ID; testing has no VERSION_ID.
debian_version() {
    local ID='' VERSION_ID=''
    # shellcheck source=/dev/null
    [[ -r /etc/os-release ]] && . /etc/os-release
    case $ID:$VERSION_ID in
        debian:12 | debian:13) echo "$VERSION_ID" ;;
        *) return 1 ;;
    esac
}

list() {
    case $1 in
        build)
            printf '%s\n' cmake g++ libfmt-dev libhiredis-dev libisal-dev libjemalloc-dev \
                librdkafka-dev libsimdjson-dev libspdlog-dev libssl-dev libtomlplusplus-dev \
                ninja-build pkg-config prometheus-cpp-dev
            # Debian 12's default Boost is 1.74; headrace needs 1.81 or later.
            if [[ $version == 12 ]]; then echo libboost1.81-dev; else echo libboost-dev; fi
            ;;
        unit) echo catch2 ;;
        suites)
            printf '%s\n' buildah ccache clang-19 debootstrap libclang-rt-19-dev podman python3 shellcheck
            sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$here/../tests/packages.txt"
            ;;
        *)
            echo "packages.sh: no list \"$1\"; there are build, unit and suites" >&2
            exit 2
            ;;
    esac
}

installed() {
    local state
    state=$(dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null) || return 1
    grep -qx installed <<<"$state"
}

version=$(debian_version) || {
    echo "packages.sh: package names are known for Debian 12 and 13 only" >&2
    exit 2
}
if [[ ${1:-} == missing ]]; then
    shift
    for name in $(for each in "$@"; do list "$each"; done | sort -u); do
        # Another provider of the same program will do (a newer node brings its own npm).
        case $name in
            npm) command -v npm >/dev/null && continue ;;
            nodejs) command -v node >/dev/null && continue ;;
            default-jre-headless) command -v java >/dev/null && continue ;;
            maven) command -v mvn >/dev/null && continue ;;
        esac
        installed "$name" || echo "$name"
    done
else
    for each in "${@:?which list? build, unit, suites}"; do list "$each"; done | sort -u
fi
