"""HTTP for tests: plain requests, and raw bytes on a socket for odd ones."""
import http.client
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Answer:
    status: int
    headers: dict      # lower-case names
    body: bytes

    def text(self):
        return self.body.decode()


def request(url, method="GET", body=None, headers=None, timeout=15.0, chunked=False):
    """One request on its own connection."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        if chunked:
            body = iter([body[i:i + 4096] for i in range(0, len(body), 4096)])
        connection.request(method, target, body, headers or {}, encode_chunked=chunked)
        response = connection.getresponse()
        content = response.read()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, content)
    finally:
        connection.close()


class Raw:
    """A connection on which the test writes bytes itself."""

    def __init__(self, url, timeout=15.0):
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=timeout)
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """A peer that has answered and closed already is no error here: its answer is what counts."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def _fill(self):
        piece = self.socket.recv(65536)
        self._buffer += piece
        return bool(piece)

    def answer(self, head_only=False):
        """The next response, framed by Content-Length; None when the peer closed first."""
        while b"\r\n\r\n" not in self._buffer:
            try:
                if not self._fill():
                    assert not self._buffer, f"half a response: {self._buffer!r}"
                    return None
            except ConnectionResetError:
                return None
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split()[1])
        headers = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            headers[name.lower()] = value.strip()
        bodyless = head_only or status in (204, 304) or status < 200
        length = 0 if bodyless else int(headers.get("content-length", 0))
        while len(self._buffer) < length:
            assert self._fill(), "the body ends early"
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return Answer(status, headers, body)

    def closed(self, timeout=15.0):
        """True when the peer closes the connection without another byte."""
        self.socket.settimeout(timeout)
        try:
            return not self._buffer and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False


def parse_requests(stream):
    """The requests in a recorded byte stream: list of (method, target, headers, body)."""
    found, at = [], 0
    while at < len(stream):
        end = stream.index(b"\r\n\r\n", at)
        lines = stream[at:end].decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        fields = {name.lower(): value for name, value in headers}
        at = end + 4
        if fields.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while True:
                line = stream.index(b"\r\n", at)
                size = int(stream[at:line].split(b";")[0], 16)
                body += stream[line + 2:line + 2 + size]
                at = line + 2 + size + 2
                if size == 0:
                    break
        else:
            size = int(fields.get("content-length", 0))
            body, at = stream[at:at + size], at + size
        found.append((method, target, headers, body))
    return found
