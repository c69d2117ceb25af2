"""Three replicas share a thousand policies; replicas die and come, no policy has two deciders."""

import random
import signal
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from kubernetes import client

from autoscaler.cluster.api import connect
from autoscaler.cluster.shards import SHARD_PREFIX, Shards
from support.control_plane import ControlPlane
from support.daemon import RunningDaemon
from support.processes import wait_until
from support.workloads import Namespace, policy_map, rate_policy

N_POLICIES, N_SHARDS = 1000, 12
# Two cycles of the default interval.
LONGEST_GAP_SECONDS = 30.0

Decisions = dict[str, list[tuple[datetime, int]]]


@pytest.fixture
def shards_of(plane: ControlPlane, namespace: Namespace) -> Iterator[list[Shards]]:
    """Three candidates for the shards of one namespace, turned by hand."""
    connections = [connect(plane.admin_kubeconfig) for _ in range(3)]
    yield [
        Shards(one.client, namespace=namespace.name, identity=f"replica-{i}", n_shards=N_SHARDS)
        for i, one in enumerate(connections)
    ]
    for connection in connections:
        connection.close()


def holders(candidates: list[Shards]) -> list[set[int]]:
    return [set(one.held()) for one in candidates]


def test_every_shard_has_one_holder_as_soon_as_all_know_each_other(shards_of: list[Shards]) -> None:
    for _ in range(3):
        for one in shards_of:
            one.turn()

    held = holders(shards_of)
    assert sum(map(len, held)) == N_SHARDS
    assert set.union(*held) == set(range(N_SHARDS))
    assert all(held)


def test_who_leaves_gives_its_shards_up_at_once(shards_of: list[Shards]) -> None:
    first, second, _ = shards_of
    for one in (first, second, first, second):
        one.turn()
    first.stop()
    second.turn()

    assert first.held() == frozenset()
    assert second.held() == frozenset(range(N_SHARDS))


def test_a_lease_that_somebody_else_took_is_not_believed(
    shards_of: list[Shards], admin: client.ApiClient, namespace: Namespace
) -> None:
    first = shards_of[0]
    first.turn()
    leases = client.CoordinationV1Api(admin)
    name = f"{SHARD_PREFIX}000"
    lease = leases.read_namespaced_lease(name, namespace.name)
    lease.spec.holder_identity = "an intruder"
    leases.replace_namespaced_lease(name, namespace.name, lease)
    first._written_at.clear()  # its next renewal is due
    first.turn()

    taken = leases.read_namespaced_lease(name, namespace.name)
    assert taken.spec.holder_identity == "an intruder"


class Replicas:
    """Daemons over one set of policies, killed and added."""

    def __init__(self, plane: ControlPlane, namespace: Namespace, folder: Path) -> None:
        self._plane, self._namespace, self._folder = plane, namespace, folder
        self.started: list[RunningDaemon] = []
        self.alive: list[RunningDaemon] = []

    def add(self) -> None:
        daemon = RunningDaemon(
            self._plane.admin_kubeconfig,
            "http://127.0.0.1:9",  # nobody listens: unknown load, which is decided upon as well
            *("--namespace", self._namespace.name, "--own-namespace", self._namespace.name),
            *("--shards", str(N_SHARDS)),
            log=self._folder / f"replica-{len(self.started)}.log",
            interval="4s",
        )
        self.started.append(daemon)
        self.alive.append(daemon)

    def kill(self) -> None:
        victim = self.alive.pop(random.Random(len(self.started)).randrange(len(self.alive)))
        victim.process.stop(signal.SIGKILL)

    def stop(self) -> None:
        for daemon in self.alive:
            daemon.stop()

    def decisions(self) -> Decisions:
        """Return when each policy was decided, and by which replica, in order of time."""
        by_policy: Decisions = defaultdict(list)
        for replica, daemon in enumerate(self.started):
            for line in daemon.lines():
                if "desired_replicas" in line:
                    at = datetime.fromisoformat(line["time"])
                    by_policy[line["target"]["name"]].append((at, replica))
        return {name: sorted(decided) for name, decided in by_policy.items()}

    def wait_all_decided_anew(self, *, within: float) -> None:
        """Wait until every policy was decided once more by somebody who lives."""
        before = {name: decided[-1] for name, decided in self.decisions().items()}

        def decided_anew() -> bool:
            latest = {name: decided[-1] for name, decided in self.decisions().items()}
            return len(latest) == N_POLICIES and all(
                latest[name] != before.get(name) for name in latest
            )

        wait_until(decided_anew, within=within, what="every policy decided", every=2.0)


def apply_policies(namespace: Namespace) -> None:
    for part in range(10):
        names = [f"service-{part:02d}-{i:02d}" for i in range(N_POLICIES // 10)]
        namespace.apply(policy_map(f"part-{part}", {n: rate_policy(n) for n in names}))


@pytest.mark.timeout(600)
def test_a_thousand_policies_are_decided_all_the_time_and_by_one_replica_each(
    plane: ControlPlane, namespace: Namespace, tmp_path: Path
) -> None:
    apply_policies(namespace)
    replicas = Replicas(plane, namespace, tmp_path)
    try:
        for _ in range(3):
            replicas.add()
        replicas.wait_all_decided_anew(within=90)
        replicas.kill()
        replicas.wait_all_decided_anew(within=90)
        replicas.add()
        replicas.wait_all_decided_anew(within=90)
    finally:
        replicas.stop()

    decisions = replicas.decisions()
    assert len(decisions) == N_POLICIES
    gaps = [b[0] - a[0] for decided in decisions.values() for a, b in pairwise(decided)]
    assert max(gap.total_seconds() for gap in gaps) <= LONGEST_GAP_SECONDS
    assert not [name for name, decided in decisions.items() if _two_at_once(decided)]


def _two_at_once(decided: list[tuple[datetime, int]]) -> bool:
    """Whether a replica decided between two decisions of another, within a lease."""
    triples = zip(decided, decided[1:], decided[2:], strict=False)
    return any(
        before[1] == after[1] != between[1] and (after[0] - before[0]).total_seconds() < 15
        for before, between, after in triples
    )
