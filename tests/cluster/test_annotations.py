"""Annotations against a server that answers, refuses or says nothing, over a real socket."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.client import ApiClient, Configuration

from autoscaler.cluster.annotations import AFTER_REFUSAL_SECONDS, APART_SECONDS, Annotator
from autoscaler.cluster.resources import Kinds
from autoscaler.decide.facts import TargetRef
from support.loopback import Handler, Loopback
from support.processes import wait_until

CHECKOUT = TargetRef("shop", "checkout")
CATALOG = TargetRef("shop", "catalog")


class Patched(Loopback):
    """A server that takes patches, keeps them, and answers with one status."""

    def __init__(self) -> None:
        self.status, self.message = 200, "no"
        self.patches: list[tuple[str, Any]] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        patched = self

        class Answers(Handler):
            def do_PATCH(self) -> None:
                body = json.loads(self.body())
                patched.patches.append((self.path.partition("?")[0], body))
                patched.may_answer.wait(10)
                told = json.dumps({"message": patched.message})
                self.answer(told.encode(), status=patched.status)

        super().__init__(Answers)

    def stop(self) -> None:
        self.may_answer.set()
        super().stop()

    def texts(self) -> list[str]:
        return [body["metadata"]["annotations"]["a"] for _, body in self.patches]


class Bench:
    """An annotator with a clock that is moved by hand."""

    def __init__(self, server: Patched) -> None:
        self.now = 1000.0
        self.leads = True
        self.api = ApiClient(Configuration(host=server.url))
        self.annotator = Annotator(
            self.api, Kinds(self.api), may_write=lambda _: self.leads, clock=lambda: self.now
        )

    def close(self) -> None:
        self.annotator.stop()
        self.api.close()


@pytest.fixture
def server() -> Iterator[Patched]:
    with Patched() as patched:
        yield patched


@pytest.fixture
def bench(server: Patched) -> Iterator[Bench]:
    made = Bench(server)
    yield made
    server.may_answer.set()
    made.close()


def wait_for(server: Patched, n: int) -> None:
    wait_until(lambda: len(server.patches) == n, within=30, what=f"{n} patches")


def test_a_deployment_is_annotated_through_its_status(server: Patched, bench: Bench) -> None:
    bench.annotator.annotate(CHECKOUT, {"a": "1"})
    wait_for(server, 1)

    path = "/apis/apps/v1/namespaces/shop/deployments/checkout/status"
    assert server.patches == [(path, {"metadata": {"annotations": {"a": "1"}}})]


def test_the_newest_waits_in_the_place_of_the_older_one(server: Patched, bench: Bench) -> None:
    server.may_answer.clear()
    bench.annotator.annotate(CATALOG, {"a": "first"})
    wait_for(server, 1)  # and its answer is awaited while two more come
    bench.annotator.annotate(CHECKOUT, {"a": "older"})
    bench.annotator.annotate(CHECKOUT, {"a": "newest"})
    server.may_answer.set()
    wait_for(server, 2)

    assert server.texts() == ["first", "newest"]


def test_a_workload_is_not_annotated_again_at_once(server: Patched, bench: Bench) -> None:
    bench.annotator.annotate(CHECKOUT, {"a": "1"})
    wait_for(server, 1)
    bench.annotator.annotate(CHECKOUT, {"a": "too soon"})
    bench.annotator.annotate(CATALOG, {"a": "another's"})
    wait_for(server, 2)
    bench.now += APART_SECONDS
    bench.annotator.annotate(CHECKOUT, {"a": "2"})
    wait_for(server, 3)

    assert server.texts() == ["1", "another's", "2"]


def test_who_does_not_lead_writes_nothing(server: Patched, bench: Bench) -> None:
    bench.leads = False
    bench.annotator.write(CHECKOUT, {"a": "1"})

    assert server.patches == []


@pytest.mark.parametrize("status", [403, 429, 500])
def test_a_refusal_is_said_once_and_nobody_is_asked_for_a_while(
    server: Patched, bench: Bench, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    server.status = status
    bench.annotator.annotate(CHECKOUT, {"a": "1"})
    wait_until(lambda: "annotation_refused" in caplog.text, within=30, what="a refusal")
    bench.annotator.annotate(CATALOG, {"a": "too soon"})
    server.status = 200
    bench.now += AFTER_REFUSAL_SECONDS
    bench.annotator.annotate(CATALOG, {"a": "2"})
    wait_for(server, 2)

    assert server.texts() == ["1", "2"]
    assert [r.fields["error"] for r in caplog.records] == [f"{status} no"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "no"),
        (403, 'admission webhook "policies.example.com" denied the request: no team label'),
        (404, "no"),
        (409, "no"),
        (422, "no"),
    ],
)
def test_a_workload_that_is_gone_or_cannot_be_annotated_stops_nobody_else(
    server: Patched, bench: Bench, status: int, message: str
) -> None:
    server.status, server.message = status, message
    bench.annotator.write(CHECKOUT, {"a": "1"})
    server.status = 200
    bench.annotator.annotate(CATALOG, {"a": "2"})
    wait_for(server, 2)

    assert server.texts() == ["1", "2"]


def test_a_server_that_is_away_is_a_refusal(
    server: Patched, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.annotator._api.configuration.host = "http://127.0.0.1:9"
    bench.annotator.write(CHECKOUT, {"a": "1"})

    assert "annotation_refused" in caplog.text


def test_after_the_stop_nothing_is_taken_in(server: Patched, bench: Bench) -> None:
    bench.annotator.stop()
    bench.annotator.annotate(CHECKOUT, {"a": "1"})

    assert server.patches == []
