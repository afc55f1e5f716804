#!/usr/bin/env bash
# Builds the image of the Dockerfile without a Docker engine and runs the binary from its root:
# one event in, one record out.
#
#   HEADRACE_TEST_CACHE  where the base image's files are kept (default tests/.cache)
#
# Needs root (or passwordless sudo), debootstrap, buildah and podman. Ends with "N passed, N failed,
# N skipped"; status 77 when this machine cannot build images at all, with the reason.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${HEADRACE_TEST_CACHE:-$root/tests/.cache}
if ((EUID != 0)); then
    sudo -n true 2>/dev/null || {
        echo "skipped: building an image without Docker needs root, or sudo without a password"
        echo "0 passed, 0 failed, 1 skipped"
        exit 77
    }
    exec sudo -n HEADRACE_TEST_CACHE="$cache" bash "${BASH_SOURCE[0]}" "$@"
fi
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
suite=trixie
base=$cache/base-$suite.tar
size_limit_mb=60
uid=65532
mkdir -p "$root/build"
work=$(mktemp -d -p "$root/build" image.XXXXXX)
image_root=$work/root
server_pid='' user='' image_env=() passed=0 failed=0

export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
podman=(podman --root "$work/storage" --runroot "$work/run" --storage-driver vfs)
buildah=(buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs)

clean_up() {
    [[ -z $server_pid ]] || kill -KILL "$server_pid" 2>/dev/null || true
    rm -rf --one-file-system -- "$work" || true
}
trap clean_up EXIT

check() { # TEXT COMMAND...
    local text=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok: $text"
    else
        failed=$((failed + 1))
        echo "FAILED: $text"
    fi
}

install_tools() {
    local missing=() tool
    for tool in debootstrap buildah podman; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    ((${#missing[@]} == 0)) || { apt-get -q update && apt-get -q -y --no-install-recommends install "${missing[@]}"; }
    # podman and buildah refuse to work without a policy for image signatures.
    [[ -s /etc/containers/policy.json ]] || {
        mkdir -p /etc/containers
        echo '{"default": [{"type": "insecureAcceptAnything"}]}' >/etc/containers/policy.json
    }
}

first_mirror() {
    { sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources
        sed -n 's/^deb \(\[[^]]*\] *\)\{0,1\}\([^ ]*\).*/\2/p' /etc/apt/sources.list; } 2>/dev/null | grep -m1 /debian
}

# What debian:trixie-slim is elsewhere: a minimal Debian 13, here with the machine's own package mirror.
make_base() {
    [[ -s $base ]] && return 0
    local dir=$work/base
    debootstrap --variant=minbase "$suite" "$dir" "$(first_mirror)" >"$work/debootstrap.log" 2>&1 </dev/null || {
        tail -n 20 "$work/debootstrap.log"
        return 1
    }
    # Proxies and the like; not the hooks of the machine's own packages.
    grep -l '^Acquire' /etc/apt/apt.conf /etc/apt/apt.conf.d/* 2>/dev/null | xargs -r cp -t "$dir/etc/apt/apt.conf.d/" || true
    # The slim images have neither documentation nor the lists and archives of apt.
    rm -rf "$dir"/var/cache/apt/archives/*.deb "$dir"/var/lib/apt/lists/* "$dir"/usr/share/{doc,man,info,locale}/*
    mkdir -p "$dir/etc/dpkg/dpkg.cfg.d"
    printf 'path-exclude /usr/share/%s/*\n' doc man info locale >"$dir/etc/dpkg/dpkg.cfg.d/slim"
    tar -C "$dir" -c . >"$base.part"
    mv "$base.part" "$base"
    rm -rf -- "$dir"
}

build_image() {
    "${podman[@]}" import --quiet "$base" docker.io/library/debian:trixie-slim &&
        "${buildah[@]}" bud --pull-never --format docker --layers=false --build-arg "JOBS=$(nproc)" -t headrace "$root" </dev/null
}

# In the image's own root, read-only but for the store, as the image's user. The server's stdout and
# stderr go to $work/out and $work/err.
in_image() { # STORE_DIR COMMAND...
    local store=$1
    shift
    # shellcheck disable=SC2016 # expanded by the inner shell
    exec unshare --mount bash -c '
        set -e
        mount --bind "$1" "$1"
        mount -t proc proc "$1/proc"
        mount --rbind /dev "$1/dev"
        mount --bind "$2" "$1/var/lib/headrace"
        mount -o remount,bind,ro "$1"
        user=$3
        root=$1
        shift 3
        exec chroot --userspec="$user" "$root" /usr/bin/env -i "$@"' \
        _ "$image_root" "$store" "$user" "${image_env[@]}" "$@"
}

megabytes() { echo $((($1 + 999999) / 1000000)); }

start_server() { # STORE_DIR
    local deadline=$((SECONDS + 20)) line
    : >"$work/out"
    (in_image "$1" headrace serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0) </dev/null >"$work/out" 2>"$work/err" &
    server_pid=$!
    until line=$(grep -m1 '^headrace ready: ' "$work/out"); do
        if ! kill -0 "$server_pid" 2>/dev/null || ((SECONDS > deadline)); then
            cat "$work/out" "$work/err"
            return 1
        fi
        sleep 0.05
    done
    line=${line#headrace ready: }
    url=${line%% *} admin=${line##*admin } admin=${admin%)}
}

stop_server() {
    local status=0
    kill -TERM "$server_pid"
    wait "$server_pid" || status=$?
    server_pid=''
    [[ $status == 0 ]]
}

one_event() {
    local id answer store=$work/store url='' admin=''
    id=$(cat /proc/sys/kernel/random/uuid)
    install -d -o "$uid" -g "$uid" -m 0700 "$store"
    check "starts as uid $uid on a read-only root" start_server "$store"
    [[ -n $url ]] || return 0
    answer=$(curl -sS --noproxy '*' --max-time 10 -w ' %{http_code}' -H 'Content-Type: application/json' "$url/i/v0/e/" \
        -d '{"api_key":"phc_image","event":"hello","distinct_id":"image","uuid":"'"$id"'"}') || true
    check "answers 200 ($answer)" test "${answer##* }" = 200
    check "headrace health says ready" is_healthy "$store"
    check "stores exactly the one record" one_record "$store" "$id"
    check "stops cleanly on SIGTERM" stop_server
}

is_healthy() { (in_image "$1" headrace health --url "$admin/healthz/ready") >"$work/health"; }

one_record() {
    (in_image "$1" headrace spool cat --dir /var/lib/headrace --json) >"$work/records" || return 1
    [[ $(wc -l <"$work/records") == 1 ]] && grep -qF "\"uuid\":\"$2\"" "$work/records"
}

wrong_owner() {
    local store=$work/foreign status=0
    install -d -o root -g root -m 0755 "$store"
    (in_image "$store" timeout 20 headrace serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0) \
        </dev/null >"$work/out" 2>"$work/err" || status=$?
    check "a store of another owner stops the start (status $status)" test "$status" -ne 0 -a "$status" -ne 124
    cat "$work/err"
    check "the message names the uid" grep -q "$uid" "$work/err"
    check "the message has the chown line" grep -Eq "chown .*$uid.* /var/lib/headrace" "$work/err"
}

main() {
    local began=$SECONDS base_bytes image_bytes added container
    install_tools
    make_base || {
        echo "skipped: debootstrap could not make a Debian 13 base"
        echo "0 passed, 0 failed, 1 skipped"
        exit 77
    }
    echo "base ready after $((SECONDS - began)) s"
    build_image || {
        echo "FAILED: the image was not built, see above"
        echo "0 passed, 1 failed, 0 skipped"
        exit 1
    }
    echo "image built after $((SECONDS - began)) s"
    passed=$((passed + 1))
    container=$("${buildah[@]}" from --pull-never localhost/headrace)
    image_root=$("${buildah[@]}" mount "$container")
    base_bytes=$(tar -tvf "$base" | awk '$1 ~ /^-/ {n += $3} END {printf "%d", n}')
    image_bytes=$(find "$image_root" -xdev -type f -printf '%i %s\n' | sort -u | awk '{n += $2} END {printf "%d", n}')
    added=$(megabytes $((image_bytes - base_bytes)))
    mapfile -t image_env < <("${buildah[@]}" inspect --format '{{range .OCIv1.Config.Env}}{{println .}}{{end}}' "$container" | sed '/^$/d')
    user=$("${buildah[@]}" inspect --format '{{.OCIv1.Config.User}}' "$container")
    check "runs as uid $uid (user: $user)" test "$user" = "$uid:$uid"
    check "has a health check" grep -q headrace <("${buildah[@]}" inspect --format '{{.Docker.Config.Healthcheck.Test}}' "$container")
    check "adds $added MB to the base, at most $size_limit_mb (binary: $(megabytes "$(stat -c %s "$image_root/usr/local/bin/headrace")") MB)" \
        test "$added" -le "$size_limit_mb"
    one_event
    wrong_owner
    echo "$passed passed, $failed failed, 0 skipped"
    ((failed == 0))
}

main "$@"
