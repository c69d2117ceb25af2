"""Pods that ended within the window of a rate: who remembers them, and for how long."""

from datetime import timedelta

import pytest

from autoscaler.metrics.ended_pods import EndedPods
from support.load_series import NOW, TARGET, cpu, workload
from support.prometheus_stub import row, success

WINDOW = timedelta(minutes=5)
A, B, C = (f"checkout-7d4b9c5f6-bcdf{letter}" for letter in "ghj")


def remembered(*cycles: tuple[int, tuple[str, ...] | None]) -> set[str]:
    """Return who has ended after cycles: seconds, and the pods then; None = no such workload."""
    ended = EndedPods(window=WINDOW)
    for seconds, pods in cycles:
        facts = {} if pods is None else workload(*pods)
        ended.note(facts, now=NOW + timedelta(seconds=seconds))
    return set(ended.of(TARGET))


@pytest.mark.parametrize(
    ("cycles", "gone"),
    [
        pytest.param([(0, (A, B))], set(), id="nobody has ended"),
        pytest.param([(0, (A, B)), (15, (B, C))], {A}, id="one was replaced"),
        pytest.param([(0, (A, B)), (15, (B,)), (30, ())], {A, B}, id="one after the other"),
        pytest.param([(0, (A, B)), (15, (B,)), (314, (B,))], {A}, id="within the window"),
        pytest.param([(0, (A, B)), (15, (B,)), (315, (B,))], set(), id="a window ago"),
        pytest.param([(0, (A, B)), (15, (B,)), (30, (A, B))], set(), id="its name is back"),
        pytest.param([(0, (A,)), (15, None), (30, (B,))], set(), id="the workload was deleted"),
        pytest.param([(0, (A,)), (15, (B,)), (-3600, (B,))], set(), id="the clock was set back"),
    ],
)
def test_a_pod_that_is_gone_is_remembered_for_a_window(cycles, gone):
    assert remembered(*cycles) == gone


@pytest.mark.parametrize(("resource", "total"), [("cpu", 0.9), ("memory", 0.5)])
def test_what_a_pod_that_is_gone_used_counts_where_it_is_a_rate(stub, reader_of, resource, total):
    rows = [
        row(value, autoscaler_part="0:load", namespace="shop", pod=pod, container=container)
        for pod, container, value in ((A, "app", 0.4), (A, "proxy", 7), (B, "app", 0.5))
    ]
    parts = {"at": NOW.timestamp(), "before": 1}
    rows += [row(n, autoscaler_part=f"0:{part}", namespace="shop") for part, n in parts.items()]
    stub.reply = lambda asked: success([] if "up == 0" in asked.promql else rows)
    reader = reader_of(stub.url)

    for pods in ((A, B), (B,)):
        [sample] = reader.newest([cpu(resource=resource)], now=NOW, workloads=workload(*pods))

    assert (sample.value, sample.by_pod) == (total, {B: 0.5})
    assert sample.trusted
