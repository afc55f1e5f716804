#!/usr/bin/env bash
# Builds headrace and runs its tests. Needs Debian 12 or 13, and root or passwordless sudo if
# packages are missing.
#
#   tests/run.sh          everything that CI runs (unit tests: with ASan and UBSan)
#   tests/run.sh --unit   the inner loop: dev build and unit tests
#   tests/run.sh --full   also the long suites
#   tests/run.sh NAME...  only these suites (names as in the table at the end)
#
# All suites run, whatever fails before; the table at the end says which. Logs: build/test-logs/.
# HEADRACE_TEST_CACHE: where downloads are kept (default tests/.cache).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
logs=$root/build/test-logs
cache=${HEADRACE_TEST_CACHE:-$root/tests/.cache}
export HEADRACE_TEST_CACHE=$cache DEBIAN_FRONTEND=noninteractive
full=false
only=()
names=() verdicts=() times=() notes=()

install_packages() {
    local missing apt=(apt-get)
    missing=$(bash deploy/packages.sh missing "$@")
    [[ -n $missing ]] || return 0
    echo "Installing: ${missing//$'\n'/ }"
    ((EUID == 0)) || apt=(sudo -n env DEBIAN_FRONTEND=noninteractive apt-get)
    # shellcheck disable=SC2086 # one word per package
    if ! { "${apt[@]}" -q update && "${apt[@]}" -q -y --no-install-recommends install $missing; } </dev/null >"$logs/packages.log" 2>&1; then
        tail -n 30 "$logs/packages.log" >&2
        echo "run.sh: the packages could not be installed, see above" >&2
        exit 2
    fi
}

wanted() {
    ((${#only[@]} == 0)) && return 0
    local name
    for name in "${only[@]}"; do [[ $name == "$1" ]] && return 0; done
    return 1
}

# suite NAME COMMAND...: runs it, keeps its log. Status 0 passed, 77 skipped, else failed. The note in
# the table is the suite's last line of the form "N passed, N failed, N skipped", if it has one.
suite() {
    local name=$1 log=$logs/$1.log began=$SECONDS status verdict=passed
    shift
    wanted "$name" || return 0
    echo "== $name"
    # Not "... || status=$?": that would switch off -e inside of the suite.
    set +e
    (set -e; "$@") </dev/null >"$log" 2>&1
    status=$?
    set -e
    case $status in
        0) ;;
        77) verdict=skipped ;;
        *) verdict=failed ;;
    esac
    names+=("$name") verdicts+=("$verdict") times+=($((SECONDS - began)))
    notes+=("$(note_of "$log")")
    [[ $verdict != failed ]] || { tail -n 40 "$log"; echo "-- $name failed (status $status), whole log: $log"; }
    [[ $verdict != skipped ]] || tail -n 2 "$log"
}

# ctest says "100% tests passed, 0 tests failed out of 4", pytest "12 passed, 1 skipped in 3.00s".
note_of() { grep -Eo '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped|[0-9]+% tests passed.*|[0-9]+ (passed|failed).* in [0-9.]+s.*' "$1" | tail -n 1 | tr -d '=' || true; }

build() { # PRESET TARGET...
    local preset=$1
    shift
    cmake --preset "$preset"
    cmake --build --preset "$preset" --target "$@"
}

unit() { # PRESET
    build "$1" unit_tests
    ctest --test-dir "build/$1" -L unit --output-on-failure --no-tests=error -j2
}

replay_corpus() {
    build asan ingest_fuzz_replay
    ctest --test-dir build/asan -L fuzz --output-on-failure --no-tests=error
}

differential() { # with sanitizers: the damaged inputs are worth the more
    local filters=$root/build/asan/tests status=0
    build asan decode_filter json_filter
    mkdir -p "$cache"
    python3 tests/differential/decode_differential.py --filter "$filters/decode_filter" --cache "$cache" --no-skip || status=1
    python3 tests/differential/json_differential.py "$filters/json_filter" --seconds "$1" || status=1
    return "$status"
}

fuzz() { # SECONDS
    cmake -S . -B build/fuzz -G Ninja -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_C_COMPILER=clang-19 \
        -DCMAKE_BUILD_TYPE=RelWithDebInfo -DHEADRACE_FUZZ=ON
    cmake --build build/fuzz --target ingest_fuzz
    mkdir -p build/fuzz/found
    # New inputs go to the first folder; the corpus in the tree stays as it is.
    (cd build/fuzz && ./ingest_fuzz -max_total_time="$1" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        found "$root/tests/fuzz/corpus")
    echo "1 passed, 0 failed, 0 skipped"
}

examples() {
    local file good=0 bad=0
    build release headrace
    build/release/headrace init >"$logs/init.toml"
    for file in config/examples/*.toml "$logs/init.toml"; do
        if env -i PATH="$PATH" build/release/headrace check --offline --strict --config "$file"; then
            good=$((good + 1))
        else
            echo "FAILED: check --offline --config $file" && bad=$((bad + 1))
        fi
    done
    echo "$good passed, $bad failed, 0 skipped"
    ((bad == 0))
}

scripts() {
    local -a files
    mapfile -t files < <(find deploy tests .ci bench -name '*.sh' -not -path '*/.cache/*' -not -path '*/node_modules/*'; echo .ci/run)
    shellcheck "${files[@]}"
    echo "${#files[@]} passed, 0 failed, 0 skipped"
}

e2e() {
    build release headrace
    HEADRACE_BIN=$root/build/release/headrace bash tests/e2e/run.sh
}

quickstart() {
    env -u HEADRACE_TEST_CACHE bash deploy/quickstart.sh --once --port 0
    echo "1 passed, 0 failed, 0 skipped"
}

summary() {
    local i good=0 bad=0 left=0
    echo
    printf '%-14s %-8s %8s   %s\n' suite result seconds details
    for i in "${!names[@]}"; do
        printf '%-14s %-8s %8s   %s\n' "${names[i]}" "${verdicts[i]}" "${times[i]}" "${notes[i]}"
        case ${verdicts[i]} in
            passed) good=$((good + 1)) ;;
            failed) bad=$((bad + 1)) ;;
            skipped) left=$((left + 1)) ;;
        esac
    done
    echo "all together: $SECONDS s"
    echo "$good passed, $bad failed, $left skipped"
    ((bad == 0 && good > 0))
}

main() {
    local inner=false
    while (($#)); do
        case $1 in
            --unit) inner=true ;;
            --full) full=true ;;
            -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" && exit 0 ;;
            -*) echo "run.sh: unknown argument $1" >&2 && exit 2 ;;
            *) only+=("$1") ;;
        esac
        shift
    done
    mkdir -p "$logs"
    if $inner; then
        install_packages build unit
        suite unit unit dev
        summary
        return
    fi
    install_packages build unit suites
    suite scripts scripts
    suite examples examples
    suite quickstart quickstart
    suite e2e e2e
    suite unit unit asan
    suite differential differential 30
    suite corpus replay_corpus
    suite tsan unit tsan
    suite fuzz fuzz 60
    suite image bash tests/image/build_image.sh
    if $full; then
        suite diff-long differential 600
        suite fuzz-long fuzz 1200
    fi
    summary
}

main "$@"
