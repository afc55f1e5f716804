"""Runs the public SDKs as their users do: in their own process."""
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parent.parent / "sdk"


def node_versions():
    """The posthog-node packages that this node can run: the current one needs node 20."""
    major = subprocess.run(["node", "-p", "process.versions.node.split('.')[0]"], capture_output=True, text=True)
    return ["posthog-node-4"] + (["posthog-node"] if int(major.stdout) >= 20 else [])


def run_node(cache, package, host, token):
    return _run(["node", SCRIPTS / "events.js", package, host, token], cache / "node")


def run_python(host, token, gzip):
    return _run([sys.executable, "-B", SCRIPTS / "events.py", host, token, "1" if gzip else "0"], SCRIPTS)


def _run(command, folder):
    done = subprocess.run([str(c) for c in command], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{command[:3]}: {done.stdout}\n{done.stderr}"
    return done
