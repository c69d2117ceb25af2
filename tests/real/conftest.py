"""Real parts for the tests of this folder: a control plane per process, and a Prometheus per test.

Where binaries are missing the tests are skipped with what to install; REQUIRE_REAL=1 makes that a
failure, as continuous integration wants it.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from autoscaler.cluster.api import connect
from support import control_plane, prometheus_server
from support.control_plane import ControlPlane
from support.daemon import RunningDaemon
from support.processes import wait_until
from support.prometheus_server import Exporter, PrometheusServer
from support.workloads import Namespace

_HERE = Path(__file__).parent
_DEPLOY = _HERE.parents[1] / "deploy"
_HOW = (
    "apt-get install etcd-server prometheus openssl, and set KUBEBUILDER_ASSETS to a folder with "
    "etcd, kube-apiserver, kube-controller-manager and kubectl"
)
_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.real)


def _require(missing: list[str]) -> None:
    if missing and os.environ.get("REQUIRE_REAL") == "1":
        pytest.fail(f"missing: {', '.join(missing)}; {_HOW}", pytrace=False)
    if missing:
        pytest.skip(f"missing: {', '.join(missing)}; {_HOW}")


@contextmanager
def _control_planes(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[], ControlPlane]]:
    """Give a maker of control planes that end with the block."""
    _require(control_plane.missing_binaries())
    started: list[ControlPlane] = []

    def make() -> ControlPlane:
        plane = ControlPlane(tmp_path_factory.mktemp("control-plane"))
        started.append(plane)
        plane.start()
        return plane

    try:
        yield make
    finally:
        for plane in started:
            plane.stop()


@pytest.fixture
def new_control_plane(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[], ControlPlane]]:
    """A maker of control planes, for the tests that stop theirs."""
    with _control_planes(tmp_path_factory) as make:
        yield make


@pytest.fixture(scope="package")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The control plane that the tests share; each has a namespace of its own."""
    with _control_planes(tmp_path_factory) as make:
        yield make()


@pytest.fixture(scope="package")
def admin(plane: ControlPlane) -> Iterator[client.ApiClient]:
    """A client that may do everything."""
    connection = connect(plane.admin_kubeconfig)
    yield connection.client
    connection.close()


@pytest.fixture
def namespace(plane: ControlPlane, admin: client.ApiClient) -> Iterator[Namespace]:
    """An empty namespace of the shared control plane."""
    name = f"shop-{next(_numbers)}"
    plane.kubectl("create", "namespace", name)
    yield Namespace(plane, admin, name)
    plane.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="package")
def installed(plane: ControlPlane) -> ControlPlane:
    """The shared control plane after `kubectl apply -k deploy/`."""
    plane.kubectl("apply", "-k", str(_DEPLOY))
    return plane


@pytest.fixture(scope="package")
def service_account(installed: ControlPlane) -> Path:
    """A kubeconfig of the service account that `deploy/` makes, and nothing more."""
    return installed.service_account_kubeconfig("autoscaler-system", "predictive-autoscaler")


@pytest.fixture(scope="package")
def new_prometheus(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[], PrometheusServer]]:
    """A maker of Prometheus servers that wait to be started, each with an exporter of its own."""
    _require(prometheus_server.missing_binaries())
    made: list[PrometheusServer] = []

    def make() -> PrometheusServer:
        exporter = Exporter()
        exporter.start()
        made.append(PrometheusServer(tmp_path_factory.mktemp("prometheus"), exporter))
        return made[-1]

    yield make
    for server in made:
        server.stop()
        server.exporter.stop()


@pytest.fixture(scope="package")
def prometheus_ahead(
    new_prometheus: Callable[[], PrometheusServer],
) -> Callable[[], PrometheusServer]:
    """Hand out servers that scrape already, each started while the test before has its own.

    A Prometheus turns to its targets five seconds after its start, and no flag makes it sooner.
    """
    ahead: list[PrometheusServer] = []

    def take() -> PrometheusServer:
        while len(ahead) < 2:
            ahead.append(new_prometheus())
            ahead[-1].start()
        return ahead.pop(0)

    return take


@pytest.fixture
def prometheus(prometheus_ahead: Callable[[], PrometheusServer]) -> Iterator[PrometheusServer]:
    """A Prometheus without a past that scrapes an exporter, whose page is still empty."""
    server = prometheus_ahead()
    yield server
    server.stop()
    server.exporter.stop()


@pytest.fixture
def start(service_account: Path, tmp_path: Path) -> Iterator[Callable[..., RunningDaemon]]:
    """Start daemons over a test's namespace; each must end by SIGTERM with exit code 0."""
    started: list[RunningDaemon] = []

    def begin(
        prometheus: PrometheusServer, namespace: Namespace, *flags: str, **options: Any
    ) -> RunningDaemon:
        kubeconfig = options.pop("kubeconfig", service_account)
        log = tmp_path / f"daemon-{len(started)}.log"
        scope = ("--namespace", namespace.name)
        daemon = RunningDaemon(kubeconfig, prometheus.url, *scope, *flags, log=log, **options)
        started.append(daemon)
        return daemon

    yield begin
    assert [daemon.stop() for daemon in started] == [0] * len(started)


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Polling of the world outside, the only waiting there is."""
    return wait_until
