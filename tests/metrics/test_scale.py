"""Ten thousand workloads: how many questions, and what their answers cost to read."""

import json
import time

from autoscaler.metrics.answers import Table
from autoscaler.metrics.plan import planned
from autoscaler.metrics.truth import Circumstances, Reading
from support.load_series import NOW, TARGET, request_rate
from support.prometheus_stub import row, success

N = 10_000


def series():
    kind = type(TARGET)
    targets = [kind(f"ns-{i % 300}", f"app-{i}") for i in range(N)]
    return [request_rate(target=target, source="linkerd") for target in targets]


def answer(members) -> bytes:
    parts = {"load": 12.34567, "at": NOW.timestamp() - 5, "series": 6, "emitters": 4, "before": 4}
    rows = [
        row(value, autoscaler_part=f"0:{part}", namespace=m.namespace, deployment=m.name)
        for m in members
        for part, value in parts.items()
    ]
    return success(rows).body


def test_ten_thousand_workloads_are_two_questions(stub, reader_of):
    reader_of(stub.url).newest(series(), now=NOW, workloads={})

    assert len(stub.asked) == 2


def test_reading_ten_thousand_workloads_takes_half_a_second_of_one_core():
    [group] = planned(series()).groups
    body = answer([member.target for member in group.members])

    def read() -> list:
        table = Table(group.counters).read(json.loads(body)["data"]["result"])
        reading = Reading(group, table, Circumstances(NOW, {}), jobs=frozenset())
        return [reading.sample(member) for member in group.members]

    costs = []
    for _ in range(3):
        began = time.process_time()
        samples = read()
        costs.append(time.process_time() - began)

    assert all(sample.trusted for sample in samples)
    assert min(costs) < 0.5
