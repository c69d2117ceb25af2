"""A socket proxy that passes everything on, until it is told to misbehave."""

import contextlib
import http.client
import json
import re
import socket
import threading
import time

ANSWERS = {
    "429": b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 9\r\n\r\nslow down",
    "503": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
    "HTML": b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>",
    "empty": b'HTTP/1.1 200 OK\r\nContent-Length: 63\r\n\r\n{"status":"success","data":'
    b'{"resultType":"vector","result":[]}}',
}


class FaultProxy:
    """Stands between a reader and a server; `fault` is what it does to the next connections."""

    def __init__(self, port: int) -> None:
        self.fault = ""
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def misbehave(self, fault: str) -> None:
        """Do this from now on, and break what is open."""
        self.fault = fault
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """Close everything."""
        self.misbehave("stopped")
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while self.fault != "stopped":
            try:
                reader, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(reader, self.fault), daemon=True).start()

    def _serve(self, reader: socket.socket, fault: str) -> None:
        self._open.add(reader)
        with contextlib.suppress(OSError), reader:
            if fault == "reset":
                return
            if fault == "hang":
                reader.recv(1)
                while reader.recv(65536):
                    pass
                return
            if fault in ANSWERS:
                reader.recv(65536)
                reader.sendall(ANSWERS[fault])
                return
            if fault == "warnings":
                self._warn(reader)
                return
            self._relay(reader, fault)
        self._open.discard(reader)

    def _warn(self, reader: socket.socket) -> None:
        """Pass one answer on as Thanos does while a store is silent: a 200 with warnings."""
        request = b""
        while (head := request.partition(b"\r\n\r\n"))[1] == b"" or len(head[2]) < _length(head[0]):
            request += reader.recv(65536)
        method, path, _ = head[0].split(b" ", 2)
        server = http.client.HTTPConnection("127.0.0.1", self._server_port, timeout=10)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        server.request(method.decode(), path.decode(), body=head[2], headers=form)
        answer = json.loads(server.getresponse().read())
        server.close()
        body = json.dumps(answer | {"warnings": ["store 3: no answer"]}).encode()
        lines = (b"HTTP/1.1 200 OK", b"Connection: close", b"Content-Length: %d" % len(body))
        reader.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)

    def _relay(self, reader: socket.socket, fault: str) -> None:
        with socket.create_connection(("127.0.0.1", self._server_port)) as server:
            self._open.add(server)
            back = threading.Thread(target=self._copy, args=(server, reader, fault), daemon=True)
            back.start()
            self._copy(reader, server, "")
            back.join()
            self._open.discard(server)

    @staticmethod
    def _copy(source: socket.socket, sink: socket.socket, fault: str) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                if fault == "cut":
                    sink.sendall(piece[: len(piece) - 20])
                    break
                if fault == "slow":
                    for byte in piece:
                        sink.sendall(bytes([byte]))
                        time.sleep(0.02)
                else:
                    sink.sendall(piece)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def _length(head: bytes) -> int:
    found = re.search(rb"(?i)content-length: (\d+)", head)
    return int(found[1]) if found else 0
