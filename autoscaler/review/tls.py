"""Whose certificate the HTTP port shows, if it speaks TLS at all.

Certificates are renewed under a running daemon, so the files are looked at again before use.
"""

import logging
import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

from autoscaler.errors import AutoscalerError
from autoscaler.review.log import log_event

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where certificate chain and private key stand."""

    certificate: Path
    key: Path


class Tls:
    """A TLS context that follows its files; a broken renewal leaves the old certificate in force.

    Raises
    ------
    AutoscalerError
        The files cannot be read, or do not belong together.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._lock = threading.Lock()
        try:
            self._seen = self._written_at()
            self._context = self._loaded()
        except OSError as error:  # ssl.SSLError is one
            raise AutoscalerError(f"{files.certificate}, {files.key}: {error}") from error

    def wrapped(self, connection: socket.socket) -> ssl.SSLSocket:
        """Return the connection, to be encrypted; the handshake waits for the first read."""
        self._follow()
        return self._context.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        )

    def _follow(self) -> None:
        with self._lock:
            try:
                written_at = self._written_at()
                if written_at == self._seen:
                    return
                self._context, self._seen = self._loaded(), written_at
            except OSError as error:  # half-written, or gone for the moment
                log_event(logger, logging.WARNING, "certificate_not_renewed", error=str(error))

    def _loaded(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._files.certificate, self._files.key)
        return context

    def _written_at(self) -> tuple[int, int]:
        return self._files.certificate.stat().st_mtime_ns, self._files.key.stat().st_mtime_ns
