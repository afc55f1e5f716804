"""A TCP relay that keeps a copy of what clients send, byte by byte."""
import socket
import threading

from .http import parse_requests


class Tee:
    """Listens on a free port and relays each connection to `port`; requests() is what was sent."""

    def __init__(self, port):
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._streams, self._lock = [], threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()

    def requests(self):
        with self._lock:
            return [r for stream in self._streams for r in parse_requests(bytes(stream))]

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            stream = bytearray()
            with self._lock:
                self._streams.append(stream)
            threading.Thread(target=self._relay, args=(client, server, stream), daemon=True).start()
            threading.Thread(target=self._relay, args=(server, client, None), daemon=True).start()

    def _relay(self, source, sink, copy):
        try:
            while piece := source.recv(65536):
                if copy is not None:
                    with self._lock:
                        copy += piece
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, sink):
                end.close()
