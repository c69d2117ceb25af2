from datetime import UTC, datetime

import pytest

from autoscaler.decide.facts import (
    Capacity,
    CapacitySource,
    Sample,
    Signal,
    TargetRef,
    WorkloadFacts,
)
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.roster import compiled
from autoscaler.saturation import Saturation

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
CHECKOUT, SEARCH = TargetRef("shop", "checkout"), TargetRef("shop", "search")
RATE = {"type": "RequestRate", "requestRate": {"source": "linkerd"}}


def roster_of(*targets, n_metrics=1):
    policy = {"maxReplicas": 10, "metrics": [RATE] * n_metrics}
    return compiled(
        {
            target: (
                "test",
                WorkloadPolicy.model_validate(policy | {"scaleTargetRef": {"name": target.name}}),
            )
            for target in targets
        }
    )


def workload(target, ready):
    return WorkloadFacts(target, ready, ready, ready, "1", NOW)


def signal(value, *, per_pod=85.0, saturated_at=None):
    capacity = per_pod and Capacity(per_pod, CapacitySource.POLICY, saturated_at=saturated_at)
    return Signal("rate", Sample(value, NOW, n_series=1), capacity or None)


@pytest.mark.parametrize(
    ("given", "ready", "capped"),
    [
        pytest.param(signal(170.0), 2, False, id="at the knee"),
        pytest.param(signal(190.0), 2, True, id="at 95 % of the physical limit, knee / 0.85"),
        pytest.param(signal(189.0), 2, False, id="just below"),
        pytest.param(signal(300.0), 2, True, id="beyond it"),
        pytest.param(signal(100.0, saturated_at=50.0), 2, True, id="at a learned limit"),
        pytest.param(signal(None), 2, False, id="unknown load"),
        pytest.param(signal(300.0, per_pod=None), 2, False, id="unknown capacity"),
        pytest.param(signal(300.0), 0, False, id="no pods: nothing is served"),
    ],
)
def test_pods_that_serve_all_they_can_cap_the_load(given, ready, capped):
    roster = roster_of(SEARCH, CHECKOUT)
    saturation = Saturation()
    governed = next(g for g in roster.governed if g.target == CHECKOUT)
    saturation.note(governed, [given], workload(CHECKOUT, ready))

    assert saturation.series(roster) == ([governed.series_slice.start] if capped else [])


def test_of_several_metrics_only_those_that_the_policy_still_has_are_told():
    two, one = roster_of(SEARCH, CHECKOUT, n_metrics=2), roster_of(SEARCH, CHECKOUT)
    saturation = Saturation()
    governed = next(g for g in two.governed if g.target == CHECKOUT)
    saturation.note(governed, [signal(10.0), signal(300.0)], workload(CHECKOUT, 2))

    assert saturation.series(two) == [governed.series_slice.start + 1]
    assert saturation.series(one) == []


def test_relief_and_departure_are_seen():
    roster = roster_of(CHECKOUT, SEARCH)
    saturation = Saturation()
    for governed in roster.governed:
        saturation.note(governed, [signal(1000.0)], workload(governed.target, 2))
    saturation.note(roster.governed[0], [signal(10.0)], workload(roster.governed[0].target, 2))
    assert saturation.series(roster) == [roster.governed[1].series_slice.start]

    saturation.retain({roster.governed[0].target})

    assert saturation.series(roster) == []
