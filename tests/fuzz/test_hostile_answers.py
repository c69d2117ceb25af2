"""Whatever Prometheus or a proxy before it answers, nonsense is never a trusted number."""

import json
import math
import re
from collections.abc import Sequence
from datetime import timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from autoscaler.decide.facts import Sample
from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.connection import Answer, Outcome, Question
from autoscaler.metrics.prometheus import PrometheusMetrics, PrometheusSettings
from autoscaler.metrics.transport import _envelope, _skew
from fuzz.hostile import edited, inputs, mutated
from support.load_series import NOW, cpu, request_rate, workload
from support.prometheus_stub import row, success

T = NOW.timestamp()
POD = "checkout-7d4b9c5f6-bcdfg"
WHO = {"namespace": "shop", "deployment": "checkout"}
PARTS = {"load": 120, "at": T - 10, "series": 6, "emitters": 3, "before": 3}
LINKERD = [
    *(row(value, at=T, autoscaler_part=f"0:{part}", **WHO) for part, value in PARTS.items()),
    row(1, at=T, autoscaler_part="0:jobs", job="linkerd-proxy"),
]
CORES = [
    row(0.4, at=T, autoscaler_part="0:load", namespace="shop", pod=POD, container="app"),
    row(T - 10, at=T, autoscaler_part="0:at", namespace="shop"),
    row(1, at=T, autoscaler_part="0:before", namespace="shop"),
]
OWN = [
    row(120, at=T, autoscaler_part="0:load"),
    row(T - 10, at=T, autoscaler_part="0:at0"),
    row(6, at=T, autoscaler_part="0:series0"),
    row(6, at=T, autoscaler_part="0:before0"),
]
KINDS = {
    "named source": (request_rate(source="linkerd"), LINKERD),
    "pods": (cpu(), CORES),
    "own query": (request_rate(query="sum(rate(x[2m]))"), OWN),
}
# How Prometheus writes a number that is one.
NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
FRAGMENTS = ("NaN", "+Inf", "-1", "null", "[]", "{}", '"', ",", ":", "1e999", "\\ud800", "[" * 2000)


class Canned:
    """What stands between reader and socket, with one answer to every question but `up`."""

    def __init__(self, body: bytes) -> None:
        self._text = body.decode(errors="replace")

    def patience(self) -> float:
        return math.inf

    def ask(self, questions: Sequence[Question], **_: float) -> list[Outcome]:
        return [self._answer(question) for question in questions]

    def _answer(self, question: Question) -> Outcome:
        if "up == 0" in question.promql:
            return Answer([])
        response = SimpleNamespace(status_code=200)
        try:
            envelope = _envelope(response, self._text, place="http://p", read=question.read)
        except MetricUnavailableError as error:
            return error
        return Answer(envelope["data"]["result"])


@pytest.fixture(scope="module")
def reader():
    found = PrometheusMetrics(PrometheusSettings("http://127.0.0.1:1"))
    found.close()
    return found


def sample_of(reader: PrometheusMetrics, kind: str, body: bytes) -> Sample:
    reader._connection = Canned(body)
    [sample] = reader.newest([KINDS[kind][0]], now=NOW, workloads=workload(POD))
    return sample


def loads(body: bytes) -> list[Any]:
    """Return what the rows of the load have for a value, wherever they are."""
    rows = json.loads(body)["data"]["result"]
    part = "autoscaler_part"
    return [row["value"][1] for row in rows if row["metric"].get(part, "0:load") == "0:load"]


def assert_no_trusted_nonsense(sample: Sample, body: bytes) -> None:
    """A trusted number is finite, fresh, and the sum of what Prometheus wrote as numbers."""
    if sample.value is not None:
        assert 0 <= sample.value < math.inf
        assert NOW - sample.sampled_at <= timedelta(minutes=2)
    if sample.trusted:
        assert all(NUMBER.fullmatch(written) for written in loads(body))
        assert sum(map(float, loads(body))) >= 0
        assert sample.n_series >= 0


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_spoilt_below_is_trusted(reader, kind):
    assert sample_of(reader, kind, success(KINDS[kind][1]).body).trusted


@pytest.mark.parametrize("kind", KINDS)
@inputs(8_000)
def test_spoilt_rows_are_unknown_or_numbers(reader, kind, chance: Random):
    answer = {"status": "success", "data": {"result": mutated(KINDS[kind][1], chance)}}
    body = json.dumps(answer).encode()

    assert_no_trusted_nonsense(sample_of(reader, kind, body), body)


@pytest.mark.parametrize("kind", KINDS)
@inputs(3_000)
def test_spoilt_text_is_unknown_or_numbers(reader, kind, chance: Random):
    text = edited(success(KINDS[kind][1]).body.decode(), FRAGMENTS, chance)
    body = text.encode("utf-8", "surrogatepass")

    assert_no_trusted_nonsense(sample_of(reader, kind, body), body)


@inputs(8_000)
def test_a_spoilt_date_is_none_or_one_on_the_calendar(chance: Random):
    fragments = ("+9999", "-0000", "9" * 30, ":", ",", "(", "GMT", "0", "1e9", "\u0661")
    date = edited("Fri, 27 Nov 2026 08:00:00 GMT", fragments, chance)

    skew_seconds = _skew(SimpleNamespace(headers={"Date": date}), between=(T, T + 1))

    assert abs(timedelta(seconds=skew_seconds)) < timedelta(days=366 * 10_000)
