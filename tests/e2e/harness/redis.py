"""A real redis-server without persistence."""
import socket

from .process import Process, free_ports
from .waiting import wait_until


class Redis:
    def __init__(self, folder, password=None):
        folder.mkdir(parents=True)
        self.port = free_ports(1)[0]
        self.password = password
        self._process = Process(["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--save", "",
                                 "--appendonly", "no", "--dir", folder,
                                 *(["--requirepass", password] if password else [])])
        wait_until(self._answers, lambda: "redis-server:\n" + self._process.output(), 20)

    @property
    def url(self):
        return f"redis://{':' + self.password + '@' if self.password else ''}127.0.0.1:{self.port}/"

    def stop(self):
        self._process.resume()
        self._process.terminate()

    def _answers(self):
        assert self._process.running(), self._process.output()
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as s:
                s.sendall(b"PING\r\n")
                return s.recv(64)[:1] in (b"+", b"-")
        except OSError:
            return False
