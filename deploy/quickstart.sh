#!/usr/bin/env bash
# From a clone to a stored event in one command: installs what is missing, builds headrace, starts
# it without Kafka, sends three events over HTTP, prints what was stored, and keeps serving.
#
#   --once           stop after printing; exit 0 only if exactly the sent records are stored
#   --port N         listen on 127.0.0.1:N (default 3000; 0: any free port)
#   --spool-dir DIR  where events are stored (default: a fresh folder with --once, else
#                    $XDG_STATE_HOME/headrace-quickstart or ~/.local/state/headrace-quickstart)
#
# Exits 0 when stopped, 1 when something failed, 2 when it cannot install here (nothing changed).
# Talks to Debian's package mirrors, if packages are missing, and to itself.
set -euo pipefail

started=$EPOCHREALTIME
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=$root/build/release/headrace
once=false port=3000 spool_dir=''
server_pid='' tail_pid='' scratch=''

say() { printf '%s\n' "$*"; }
fail() {
    printf 'quickstart: %s\n' "$*" >&2
    exit 1
}

seconds_since() { # microseconds as an integer, then one decimal
    local us=$((${EPOCHREALTIME/[.,]/} - ${1/[.,]/}))
    printf '%d.%d s' $((us / 1000000)) $((us / 100000 % 10))
}

read_arguments() {
    while (($#)); do
        case $1 in
            --once) once=true ;;
            --port=*) port=${1#*=} ;;
            --spool-dir=*) spool_dir=${1#*=} ;;
            --port | --spool-dir)
                (($# > 1)) || fail "$1 needs a value"
                if [[ $1 == --port ]]; then port=$2; else spool_dir=$2; fi
                shift
                ;;
            -h | --help)
                sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
                exit 0
                ;;
            *) fail "unknown argument \"$1\"; there are --once, --port N and --spool-dir DIR" ;;
        esac
        shift
    done
    if [[ ! $port =~ ^[0-9]{1,5}$ ]] || ((10#$port > 65535)); then
        fail "--port wants a number from 0 to 65535, not \"$port\""
    fi
    port=$((10#$port))
    [[ -z $spool_dir ]] || spool_dir=$(realpath -m -- "$spool_dir")
}

# The way out where this script must not or cannot install: nothing was changed so far.
cannot_install() {
    say "quickstart: $1"
    say "Nothing was changed. With Docker or Podman, in $root:"
    say
    say "  docker build -t headrace ."
    say "  docker run --rm -p 3000:3000 -v headrace:/var/lib/headrace headrace"
    say
    say "and in a second shell: curl -H 'content-type: application/json' -d '{\"api_key\":\"phc_test\",\"event\":\"hello\",\"distinct_id\":\"me\"}' http://127.0.0.1:3000/i/v0/e/"
    exit 2
}

install_missing() {
    local missing apt=(apt-get)
    missing=$(bash "$root/deploy/packages.sh" missing build 2>/dev/null) ||
        cannot_install "this is not Debian 12 or 13, so the packages are not known."
    [[ -n $missing ]] || {
        say "All packages are installed."
        return
    }
    say "Missing packages: ${missing//$'\n'/ }"
    if [[ $missing == *libboost1.81-dev* ]] && dpkg-query -W -f '${db:Status-Status}' libboost1.74-dev 2>/dev/null | grep -qx installed; then
        cannot_install "libboost1.74-dev is installed, and Debian does not allow libboost1.81-dev beside it. Remove it (apt-get remove libboost1.74-dev) and try again."
    fi
    command -v apt-get >/dev/null || cannot_install "there is no apt-get to install them with."
    if ((EUID != 0)); then
        sudo -n true 2>/dev/null || cannot_install "installing them needs root, or sudo without a password."
        apt=(sudo -n env DEBIAN_FRONTEND=noninteractive apt-get)
    fi
    export DEBIAN_FRONTEND=noninteractive
    local log=$scratch/install.log
    say "Installing them with apt-get (nothing is removed) ..."
    # shellcheck disable=SC2086 # one word per package
    if ! { "${apt[@]}" -q update && "${apt[@]}" -q -y --no-remove --no-install-recommends install $missing; } \
        </dev/null >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        fail "apt-get failed, see above"
    fi
}

build() {
    local log=$root/build/quickstart-build.log
    if [[ -x $bin ]]; then
        say "Building what changed ..."
    else
        say "Building (some minutes the first time; log: $log) ..."
    fi
    cd "$root"
    if ! { cmake --preset release && cmake --build --preset release --target headrace; } </dev/null >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        fail "the build failed, see above or $log"
    fi
    cd - >/dev/null
}

stop() {
    local status=0
    [[ -z $tail_pid ]] || kill "$tail_pid" 2>/dev/null || true
    tail_pid=''
    [[ -n $server_pid ]] || return 0
    kill -TERM "$server_pid" 2>/dev/null || true
    wait "$server_pid" || status=$?
    server_pid=''
    return "$status"
}

clean_up() {
    stop || true
    [[ -z $scratch ]] || rm -rf -- "$scratch"
}

start() {
    local line='' deadline=$((SECONDS + 20)) out=$scratch/stdout
    : >"$out"
    # Its own environment: a KAFKA_HOSTS of this shell must not decide where the events go.
    env -i PATH="$PATH" HOME="${HOME:-/}" "$bin" serve --listen "127.0.0.1:$port" \
        --admin-listen 127.0.0.1:0 --spool-dir "$spool_dir" </dev/null >"$out" 2>"$scratch/log" &
    server_pid=$!
    until line=$(grep -m1 '^headrace ready: ' "$out"); do
        if ! kill -0 "$server_pid" 2>/dev/null || ((SECONDS > deadline)); then
            cat "$scratch/log" >&2
            fail "headrace did not start, see above"
        fi
        sleep 0.05
    done
    say "$line"
    url=${line#headrace ready: } admin=${line##*admin } admin=${admin%)}
    url=${url%% *}
}

send() { # PATH BODY CURL_OPTION...: one request; its answer must be 200
    local path=$1 body=$2 answer
    shift 2
    answer=$(curl -sS --noproxy '*' --max-time 10 -X POST "$@" -H 'Content-Type: application/json' \
        --data-binary "@$body" -w ' %{http_code}' "$url$path") || fail "curl could not send to $url$path"
    say "POST $path -> $answer"
    [[ $answer == *' 200' ]] || fail "expected status 200"
}

new_uuid() { cat /proc/sys/kernel/random/uuid; }

send_events() {
    local user a b c
    a=$(new_uuid) b=$(new_uuid) c=$(new_uuid) user=quickstart-$(new_uuid)
    sent=$(printf '%s\n' "$a $user" "$b $user" "$c $user" | sort)
    cat >"$scratch/event.json" <<JSON
{"api_key":"phc_quickstart","event":"hello headrace","distinct_id":"$user","uuid":"$a","properties":{"source":"quickstart"}}
JSON
    gzip -c >"$scratch/batch.json.gz" <<JSON
{"api_key":"phc_quickstart","batch":[
{"event":"signed up","distinct_id":"$user","uuid":"$b","properties":{"plan":"free","\$set":{"name":"Ada"}}},
{"event":"\$pageview","distinct_id":"$user","uuid":"$c","properties":{"\$current_url":"http://localhost/"}}]}
JSON
    say
    say "One event, then a batch of two, compressed with gzip:"
    send /i/v0/e/ "$scratch/event.json"
    send /batch/ "$scratch/batch.json.gz" -H 'Content-Encoding: gzip'
}

# Each record has its uuid and distinct_id as Kafka headers, outside of the escaped value.
ids_of() { # FILE: one "uuid distinct_id" per record
    paste -d ' ' <(header_of uuid "$1") <(header_of distinct_id "$1") | sort
}

header_of() { sed 's/.*"headers":{\([^}]*\)}.*/,\1,/; s/.*,"'"$1"'":"\([^"]*\)".*/\1/' "$2"; }

stored_records() { env -i PATH="$PATH" HOME="${HOME:-/}" "$bin" spool cat --dir "$spool_dir" --json; }

# A folder that is used again holds earlier events too: only --once judges the whole store.
check_records() {
    local found
    stored_records >"$scratch/all.json" || fail "the store could not be read"
    if $once; then
        cp "$scratch/all.json" "$scratch/ours.json"
    else
        grep -F -e "${sent##* }" "$scratch/all.json" >"$scratch/ours.json" || true
    fi
    found=$(ids_of "$scratch/ours.json")
    [[ $found == "$sent" && $(wc -l <"$scratch/ours.json") -eq 3 ]] || {
        printf 'sent:\n%s\nstored:\n%s\n' "$sent" "$found" >&2
        fail "the stored records are not the three that were sent"
    }
}

print_sdk_lines() {
    cat <<TEXT

Point an SDK at it (any project token works, PostHog's look like phc_...):

  posthog-js      posthog.init('phc_test', { api_host: '$url' })
  posthog-node    new PostHog('phc_test', { host: '$url' })
  posthog-python  Posthog('phc_test', host='$url')

Kafka instead of the local store: KAFKA_HOSTS=broker:9092 $bin
Metrics and health: $admin/metrics, $admin/healthz/ready
TEXT
}

main() {
    read_arguments "$@"
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    scratch=$(mktemp -d)
    install_missing
    mkdir -p "$root/build"
    build
    # Not under /tmp: that is often memory, and headrace stores nothing durable in memory.
    if [[ -z $spool_dir ]] && $once; then
        rm -rf -- "$scratch"
        scratch=$(mktemp -d "$root/build/quickstart.XXXXXX")
        spool_dir=$scratch/store
    fi
    spool_dir=${spool_dir:-${XDG_STATE_HOME:-${HOME:-/var/tmp}/.local/state}/headrace-quickstart}
    say "Events are stored in $spool_dir"
    start
    send_events
    check_records
    say
    say "Stored ($bin spool cat --dir $spool_dir --json):"
    cat "$scratch/ours.json"
    print_sdk_lines
    say
    if $once; then
        stop || fail "headrace did not stop cleanly"
        check_records
        say "All three events are stored, and headrace stopped cleanly. Time: $(seconds_since "$started")."
        return
    fi
    say "Time: $(seconds_since "$started"). Serving on $url until Ctrl-C; new events appear below."
    follow
}

# New records below the text, until the server is told to stop.
follow() {
    env -i PATH="$PATH" HOME="${HOME:-/}" "$bin" spool tail -f --dir "$spool_dir" &
    tail_pid=$!
    trap 'say; say "Stopping."; stop; exit $?' INT TERM
    wait "$server_pid" || fail "headrace stopped: $(tail -n 3 "$scratch/log")"
}

main "$@"
