#!/usr/bin/env bash
# The end-to-end suite: installs what it needs, then runs pytest. Arguments go to pytest.
#   HEADRACE_BIN         the server binary (default build/dev/headrace)
#   HEADRACE_TEST_CACHE  where dependencies and run folders live (default tests/.cache)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
HEADRACE_BIN=$(realpath -m "${HEADRACE_BIN:-$root/build/dev/headrace}")
export HEADRACE_BIN
export HEADRACE_TEST_CACHE=${HEADRACE_TEST_CACHE:-$root/tests/.cache}
if [[ ! -x $HEADRACE_BIN ]]; then
    echo "e2e: no server binary at $HEADRACE_BIN. Build it: cmake --preset dev && cmake --build --preset dev" >&2
    exit 2
fi
bash "$here/setup.sh"
HEADRACE_TEST_CACHE=$(cd "$HEADRACE_TEST_CACHE" && pwd)
cd "$here"
exec "$HEADRACE_TEST_CACHE/venv/bin/python" -B -m pytest "$@"
