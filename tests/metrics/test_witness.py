"""Ready in Kubernetes against passing in Consul."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from autoscaler.metrics.consul import ConsulWatch, consul_of
from autoscaler.metrics.witness import ReadinessWitness, Routability
from support.consul_stub import ConsulStub
from support.load_series import NOW, TARGET, workload


@pytest.fixture
def consul() -> Iterator[ConsulStub]:
    consul = ConsulStub()
    yield consul
    consul.stop()


@pytest.fixture
def watch(consul: ConsulStub) -> ConsulWatch:
    return ConsulWatch(consul_of(f"consul://{consul.address}/checkout"))


def test_as_many_passing_as_ready_is_routable(consul, watch):
    consul.register(80, 81)
    watch.step()

    seen = ReadinessWitness({TARGET: watch}).observed(workload("a", "b"), now=NOW)

    assert seen == {TARGET: Routability(2, 2)}


def test_ready_but_not_passing_alarms_after_a_minute_and_not_before(consul, watch):
    consul.register(80)
    watch.step()
    witness = ReadinessWitness({TARGET: watch})
    witness.observed(workload("a", "b"), now=NOW)

    at = [NOW + timedelta(seconds=seconds) for seconds in (60, 61)]
    alarms = [witness.observed(workload("a", "b"), now=now)[TARGET].alarming(now) for now in at]

    assert alarms == [False, True]


def test_it_clears_when_consul_passes_the_pod(consul, watch):
    consul.register(80)
    watch.step()
    witness = ReadinessWitness({TARGET: watch})
    witness.observed(workload("a", "b"), now=NOW)
    consul.register(80, 81)
    watch.step(wait=timedelta(0))

    assert witness.observed(workload("a", "b"), now=NOW)[TARGET].since is None


def test_what_consul_does_not_say_is_unknown_not_zero(watch):
    [seen] = ReadinessWitness({TARGET: watch}).observed(workload("a"), now=NOW).values()

    assert (seen.passing, seen.since) == (None, None)
    assert "not asked yet" in seen.detail
