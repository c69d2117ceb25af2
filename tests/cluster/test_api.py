"""One request is one request, over a real socket."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from kubernetes.client.exceptions import ApiException

from autoscaler.cluster import api
from autoscaler.cluster.api import (
    REQUEST_TIMEOUT_SECONDS,
    Connection,
    Request,
    answered,
    connect,
)
from autoscaler.errors import AutoscalerError
from support.loopback import Handler, Loopback, certified


class HangsUp:
    """A server that closes every connection without a word, and counts them."""

    def __init__(self) -> None:
        self.n_connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.n_connections += 1
            connection.recv(1)
            connection.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[HangsUp]:
    made = HangsUp()
    yield made
    made.close()


def connected(folder: Path, port: int, *, scheme: str = "http") -> Connection:
    document = {
        "clusters": [{"name": "c", "cluster": {"server": f"{scheme}://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(document))
    return connect(file)


class Account:
    """The service account of a pod, and the API server that asks for its token."""

    def __init__(self, folder: Path, environment: pytest.MonkeyPatch) -> None:
        self.folder, self.heard = folder, []
        (folder / "namespace").write_text("autoscaler-system")
        environment.setattr(api, "_ACCOUNT", folder)
        environment.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        self._environment = environment

    def rotate(self, token: str) -> None:
        """Give the account another token."""
        (self.folder / "token").write_text(token)

    def certify(self, server: Loopback) -> None:
        """Give the server a certificate of another authority, which the account trusts."""
        certificate, server._server.tls = certified(self.folder, "ca")

        assert certificate == self.folder / "ca.crt"

    def serve(self) -> Loopback:
        """Return a server that notes the tokens it is sent."""
        heard = self.heard

        class Answers(Handler):
            def do_GET(self) -> None:
                heard.append(self.headers["Authorization"])
                self.answer(b"{}")

        server = Loopback(Answers)
        self.certify(server)
        self._environment.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
        return server


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    return Account(tmp_path, monkeypatch)


def test_a_token_that_was_rotated_is_used_at_once(account: Account) -> None:
    account.rotate("first")
    with account.serve():
        connection = connect()
        for token in ("first", "second"):
            account.rotate(token)
            answered(connection.client, Request("GET", "/apis"))
        connection.close()

    assert account.heard == ["bearer first", "bearer second"]
    assert connection.namespace == "autoscaler-system"


def test_an_authority_that_was_replaced_is_trusted_at_the_next_connection(account: Account) -> None:
    account.rotate("first")
    with account.serve() as server:
        connection = connect()
        answered(connection.client, Request("GET", "/apis"))
        account.certify(server)
        answered(connection.client, Request("GET", "/apis"))
        connection.close()

    assert account.heard == ["bearer first"] * 2


def test_a_token_that_is_gone_for_a_moment_is_no_answer(account: Account) -> None:
    account.rotate("first")
    with account.serve():
        connection = connect()
        (account.folder / "token").unlink()
        with pytest.raises(ApiException, match="no credentials"):
            answered(connection.client, Request("GET", "/apis"))
        account.rotate("second")
        answered(connection.client, Request("GET", "/apis"))
        connection.close()

    assert account.heard == ["bearer second"]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "POST"])
def test_a_request_that_fails_is_not_sent_again(
    tmp_path: Path, server: HangsUp, method: str
) -> None:
    connection = connected(tmp_path, server.port)

    with pytest.raises(ApiException) as failed:
        answered(connection.client, Request(method, "/apis", body={} if method != "GET" else None))

    connection.close()
    assert failed.value.status == 0
    assert server.n_connections == 1


def test_a_server_that_is_away_is_asked_once(tmp_path: Path) -> None:
    connection = connected(tmp_path, 9)

    with pytest.raises(ApiException) as failed:
        answered(connection.client, Request("PATCH", "/apis", body={}))

    connection.close()
    assert failed.value.status == 0
    assert "Max retries" not in str(failed.value.reason)


def kubeconfig(folder: Path, content: bytes | None) -> Path:
    file = folder / "kubeconfig"
    if content is not None:
        file.write_bytes(content)
    return file


def test_a_write_whose_handshake_hangs_has_left_within_its_time_or_never_leaves(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        api = connected(tmp_path, silent.getsockname()[1], scheme="https").client
        began = time.monotonic()
        with pytest.raises(ApiException):
            answered(api, Request("PATCH", "/scale", body={}))
        took = time.monotonic() - began

    assert took < REQUEST_TIMEOUT_SECONDS


NO_SCHEME = b"""
clusters: [{name: c, cluster: {server: "10.0.0.1:6443"}}]
users: [{name: u, user: {}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
"""


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(None, "no such file", id="none"),
        pytest.param(b"", "file is empty", id="empty"),
        pytest.param(b"not: [yaml", "line 1, column 6 expected ',' or ']'", id="not YAML"),
        pytest.param(b"\xe4\xff", "not UTF-8 text (byte 0xe4 at 0)", id="binary"),
        pytest.param(b"apiVersion: v1", "Expected key current-context", id="no context"),
        pytest.param(b"- a", "kubeconfig", id="a list"),
        pytest.param(NO_SCHEME, "server '10.0.0.1:6443' is no https URL", id="no scheme"),
    ],
)
def test_a_kubeconfig_that_does_not_do_is_named_on_one_line(tmp_path, content, complaint):
    file = kubeconfig(tmp_path, content)

    with pytest.raises(AutoscalerError) as refused:
        connect(file)

    told = str(refused.value)
    assert told.startswith(f"kubeconfig {file}: ")
    assert complaint in told
    assert "\n" not in told
