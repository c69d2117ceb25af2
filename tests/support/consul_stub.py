"""Something that follows Consul's documented HTTP and DNS protocols over real sockets."""

import contextlib
import json
import socket
import struct
import threading
import urllib.parse
from collections.abc import Collection, Mapping
from typing import Any

import dns.message
import dns.rrset

from support.loopback import Handler, Loopback


class ConsulStub(Loopback):
    """Holds instances of one service; blocking queries wait until they change."""

    def __init__(self) -> None:
        self.index = 7
        self.instances: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self.status = 200
        self.token: str | None = None
        self.body: bytes | None = None
        self.asked: list[Mapping[str, str]] = []
        self.silent: Collection[str] = ()
        """The datacenters whose questions are left without an answer."""
        self.together: threading.Barrier | None = None
        """Where set, nobody is answered before so many ask at the same time."""
        self.changed = threading.Condition()
        self.stopped = threading.Event()
        stub = self

        class Answers(Handler):
            def do_GET(self) -> None:
                stub.tell(self)

        super().__init__(Answers)
        self.start()

    def register(self, *ports: int, node: str = "10.0.0.1") -> None:
        """Let exactly these instances pass, and wake whoever waits."""
        with self.changed:
            self.instances = [
                {
                    "Node": {"Node": "n1", "Address": node},
                    "Service": {"ID": f"p-{port}", "Address": "", "Port": port, "Meta": {}},
                }
                for port in ports
            ]
            self.index += 1
            self.changed.notify_all()

    def pass_pods(self, *names: str, namespace: str = "shop") -> None:
        """Let exactly these pods pass, registered as consul-k8s does."""
        with self.changed:
            self.instances = [
                {
                    "Node": {"Node": "k8s", "Address": "10.0.0.1"},
                    "Service": {
                        "ID": f"{name}-checkout",
                        "Address": "10.0.0.2",
                        "Port": 8080,
                        "Meta": {"pod-name": name, "k8s-namespace": namespace},
                    },
                }
                for name in names
            ]
            self.index += 1
            self.changed.notify_all()

    def stop(self) -> None:
        """Answer no more."""
        self.stopped.set()
        super().stop()

    def tell(self, handler: Handler) -> None:
        """Answer one request; one with an index waits for a change, at most a second."""
        parameters = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(handler.path).query))
        self.asked.append(parameters)
        if parameters.get("dc") in self.silent:
            self.stopped.wait()
            return
        if self.together is not None:
            self.together.wait()
        with self.changed:
            if parameters.get("index") == str(self.index):
                self.changed.wait(1.0)  # of whatever was asked for; zero would be five minutes
            allowed = self.token is None or handler.headers.get("X-Consul-Token") == self.token
            body = self.body or json.dumps(self.instances if allowed else []).encode()
            headers = {"X-Consul-Index": str(self.index), **self.headers}
        if not allowed:
            headers["X-Consul-Results-Filtered-By-ACLs"] = "true"
        handler.answer(body, status=self.status, headers=headers)


class DnsStub:
    """Answers SRV questions: whole over TCP, cut to one record over UDP, as Consul does."""

    def __init__(self, *records: str, addresses: Mapping[str, str] | None = None) -> None:
        self.records = list(records)
        self.addresses = dict(addresses or {})
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._threads = [
            threading.Thread(target=serve, daemon=True)
            for serve in (self._serve_tcp, self._serve_udp)
        ]
        for thread in self._threads:
            thread.start()

    def _reply(self, question: bytes, *, most: int) -> bytes:
        query = dns.message.from_wire(question)
        reply = dns.message.make_response(query)
        name = query.question[0].name
        if self.records:
            reply.answer.append(dns.rrset.from_text(name, 0, "IN", "SRV", *self.records[:most]))
        for host, address in self.addresses.items():
            kind = "AAAA" if ":" in address else "A"
            reply.additional.append(dns.rrset.from_text(host, 0, "IN", kind, address))
        return reply.to_wire()

    def _serve_tcp(self) -> None:
        while True:
            try:
                reader, _ = self._tcp.accept()
            except OSError:
                return  # stopped
            with reader:
                size = struct.unpack("!H", reader.recv(2))[0]
                reply = self._reply(reader.recv(size), most=99)
                reader.sendall(struct.pack("!H", len(reply)) + reply)

    def _serve_udp(self) -> None:
        while True:
            try:
                question, sender = self._udp.recvfrom(4096)
                if not question:
                    return  # stopped
                self._udp.sendto(self._reply(question, most=1), sender)
            except OSError:
                return

    def stop(self) -> None:
        """Answer no more."""
        for each in (self._tcp, self._udp):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._tcp.close()
        self._udp.close()
