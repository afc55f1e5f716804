"""A child process with collected output, ended only through its own pid."""
import os
import signal
import socket
import subprocess
import threading


def free_ports(count):
    """Ports that were free a moment ago (for servers that cannot be given port 0)."""
    sockets = []
    for _ in range(count):
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        sockets.append(s)
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Process:
    def __init__(self, command, env=None, cwd=None):
        self.command = [str(part) for part in command]
        self.stdout_lines, self.stderr_lines = [], []
        self._child = subprocess.Popen(
            self.command, env=env, cwd=cwd, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        self._readers = [
            threading.Thread(target=self._read, args=(self._child.stdout, self.stdout_lines), daemon=True),
            threading.Thread(target=self._read, args=(self._child.stderr, self.stderr_lines), daemon=True)]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream, lines):
        for line in stream:
            lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))

    @property
    def pid(self):
        return self._child.pid

    def running(self):
        return self._child.poll() is None

    def signal(self, number):
        os.kill(self._child.pid, number)

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def wait(self, timeout=20.0):
        """Exit code; -N when ended by signal N. The output is complete afterwards."""
        try:
            code = self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"pid {self.pid} still runs after {timeout} s: {self.command}\n{self.output()}")
        for reader in self._readers:
            reader.join(5)
        return code

    def terminate(self, timeout=20.0):
        if self.running():
            self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self):
        if self.running():
            self.signal(signal.SIGKILL)
        return self.wait()

    def output(self):
        return "\n".join(self.stdout_lines + self.stderr_lines)
