"""A stub of Prometheus and a reader of it, per test."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from autoscaler.metrics.prometheus import PrometheusMetrics, PrometheusSettings
from support.prometheus_stub import PrometheusStub


@pytest.fixture
def stub() -> Iterator[PrometheusStub]:
    """A server that answers with nothing until told otherwise."""
    stub = PrometheusStub()
    yield stub
    stub.stop()


@pytest.fixture
def reader_of() -> Iterator[Callable[..., PrometheusMetrics]]:
    """A maker of readers, closed when the test ends."""
    made: list[PrometheusMetrics] = []

    def make(url: str, **settings: object) -> PrometheusMetrics:
        chosen = {"timeout": timedelta(seconds=3), "history_timeout": timedelta(seconds=5)}
        made.append(PrometheusMetrics(PrometheusSettings(url, **{**chosen, **settings})))
        return made[-1]

    yield make
    for reader in made:
        reader.close()
