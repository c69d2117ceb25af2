"""Ten thousand workloads: how many questions, and whose number is whose."""

import json
from datetime import timedelta

from autoscaler.metrics.answers import Table
from autoscaler.metrics.plan import planned
from autoscaler.metrics.sample_quality import Circumstances
from autoscaler.metrics.samples import Reading
from support.load_series import NOW, TARGET, request_rate
from support.prometheus_stub import row, success

N = 10_000


def series():
    kind = type(TARGET)
    targets = [kind(f"ns-{i % 300}", f"app-{i}") for i in range(N)]
    return [request_rate(target=target, source="linkerd") for target in targets]


def answer(members, loads) -> bytes:
    parts = {"at": NOW.timestamp() - 5, "series": 6, "emitters": 4, "before": 4}
    rows = [
        row(value, autoscaler_part=f"0:{part}", namespace=m.namespace, deployment=m.name)
        for m in members
        for part, value in {"load": loads[m], **parts}.items()
    ]
    return success(rows).body


def test_ten_thousand_workloads_are_two_questions(stub, reader_of):
    reader_of(stub.url).newest(series(), now=NOW, workloads={})

    assert len(stub.asked) == 2


def test_ten_thousand_queries_of_users_are_twenty_questions(stub, reader_of):
    kind = type(TARGET)
    own = [
        request_rate(
            target=kind("shop", f"app-{i}"),
            query=f'sum(rate(http_requests_total{{namespace="shop",deployment="app-{i}"}}[2m]))',
        )
        for i in range(N)
    ]

    reader_of(stub.url, timeout=timedelta(seconds=60)).newest(own, now=NOW, workloads={})

    assert len(stub.asked) <= 20


def test_each_of_ten_thousand_workloads_gets_its_own_number():
    [group] = planned(series()).groups
    loads = {member.target: 1000.0 + member.index for member in group.members}
    body = answer([member.target for member in group.members], loads)

    table = Table(group.counters).read(json.loads(body)["data"]["result"])
    reading = Reading(group, table, Circumstances(NOW, {}), jobs=frozenset())
    samples = {member.target: reading.sample(member) for member in group.members}

    assert all(sample.trusted for sample in samples.values())
    assert {target: sample.value for target, sample in samples.items()} == loads
