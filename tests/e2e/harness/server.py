"""The server under test as a child process."""
import json
import os
import re
import subprocess
from pathlib import Path

from . import http, metrics
from .process import Process
from .records import Record
from .waiting import wait_until

READY = re.compile(r"headrace ready: (http://\S+) \(admin (http://\S+)\)$")
SANITIZER = re.compile(r"AddressSanitizer|ThreadSanitizer|LeakSanitizer|runtime error:")


def binary():
    return Path(os.environ.get("HEADRACE_BIN", Path(__file__).parents[3] / "build/dev/headrace"))


def environment(settings):
    """A clean environment: only what a process needs, and the given settings."""
    kept = {k: os.environ[k] for k in ("PATH", "HOME", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "TSAN_OPTIONS",
                                       "UBSAN_OPTIONS") if k in os.environ}
    return kept | {k: str(v) for k, v in settings.items()}


def run(*arguments, settings=None, timeout=60):
    """A subcommand to its end: the completed process with text output."""
    return subprocess.run([binary(), *map(str, arguments)], env=environment(settings or {}),
                          capture_output=True, text=True, timeout=timeout)


class Headrace:
    """`settings` are environment variables. The process listens on ports of its own choice unless
    `listen` says otherwise."""

    def __init__(self, spool: Path, settings=None, arguments=(), listen="127.0.0.1:0"):
        self.spool, self.settings = Path(spool), dict(settings or {})
        self.arguments, self.listen = list(arguments), listen
        self.process = None
        self.url = self.admin = None

    def start(self, ready_timeout=30.0):
        self.process = Process(
            [binary(), "serve", "--listen", self.listen, "--admin-listen", "127.0.0.1:0",
             "--spool-dir", self.spool, *self.arguments], environment(self.settings))

        def ready():
            for line in self.process.stdout_lines:
                match = READY.match(line)
                if match:
                    return match
            assert self.process.running(), \
                f"ended with {self.process.wait()} before it was ready:\n{self.process.output()}"
            return None
        match = wait_until(ready, lambda: "the ready line:\n" + self.process.output(), ready_timeout)
        self.url, self.admin = match[1], match[2]
        return self

    @property
    def port(self):
        return int(self.url.rsplit(":", 1)[1])

    def stop(self, timeout=20.0):
        """SIGTERM; the exit code."""
        return self.process.terminate(timeout)

    def post(self, path, body, headers=None, **more):
        return http.request(self.url + path, "POST", body, headers, **more)

    def capture(self, payload, path="/e/", headers=None):
        """Posts JSON and insists on a 200."""
        answer = self.post(path, json.dumps(payload).encode(), {"Content-Type": "application/json"} | (headers or {}))
        assert answer.status == 200, (answer.status, answer.body[:500], self.process.output()[-2000:])
        assert json.loads(answer.body)["status"] in ("Ok", 1), answer.body
        return answer

    def metrics(self):
        return metrics.scrape(self.admin)

    def log(self):
        return self.process.output()

    def stored(self, log=None):
        """What `spool cat --json` prints, as records. Works beside the running server."""
        arguments = ["spool", "cat", "--dir", self.spool, "--json"] + (["--log", log] if log else [])
        done = run(*arguments)
        assert done.returncode == 0, (done.returncode, done.stderr, done.stdout[-500:])
        return [Record.from_spool(line) for line in done.stdout.splitlines()]
