"""A server with a certificate of a private authority, as inside a cluster."""

from pathlib import Path

from support.loopback import Handler, Loopback, certified

_EMPTY = b'{"status":"success","data":{"resultType":"vector","result":[]}}'


class _Nothing(Handler):
    def do_POST(self) -> None:
        self.body()
        self.answer(_EMPTY)


class TlsServer(Loopback):
    """Answers every query with nothing, over TLS."""

    def __init__(self, folder: Path) -> None:
        self.ca_file, tls = certified(folder, "ca")
        super().__init__(_Nothing, tls=tls)
