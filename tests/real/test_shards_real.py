"""Three replicas share a thousand policies; replicas die and come, no policy has two deciders."""

import random
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from autoscaler.cluster.api import connect
from autoscaler.cluster.lease import LEASE_NAME, RENEW_DEADLINE, Leadership
from autoscaler.cluster.shards import SHARD_PREFIX, Shards
from autoscaler.decide.facts import TargetRef
from support.control_plane import ControlPlane
from support.daemon import RunningDaemon
from support.election import election
from support.processes import wait_until
from support.workloads import Namespace, deployment, policy_map, rate_policy

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


class Counting:
    """Candidates that count shards differently, in one namespace, by one clock that is moved."""

    def __init__(self, api: client.ApiClient, namespace: str) -> None:
        self._api, self._namespace = api, namespace
        self.now = 1000.0
        self.all: list[Shards] = []

    def replica(self, n_shards: int) -> Shards:
        self.all.append(
            Shards(
                self._api,
                namespace=self._namespace,
                identity=f"replica-{len(self.all)}",
                n_shards=n_shards,
                clock=lambda: self.now,
            )
        )
        return self.all[-1]

    def turns(self, *turning: Shards, seconds: float = 0.0) -> None:
        """Let replicas turn every two seconds, in order, and never two counts act at once."""
        for _ in range(1 + int(seconds / 2)):
            for one in turning:
                one.turn()
                assert len({each.n_shards for each in self.all if each.held()}) <= 1
            self.now += 2.0

    def acting(self) -> list[int]:
        """Return how many shards each replica acts on now."""
        return [len(one.held()) for one in self.all]


@pytest.fixture
def counting(admin: client.ApiClient, namespace: Namespace) -> Counting:
    """An empty namespace to count shards in."""
    return Counting(admin, namespace.name)


def test_in_a_rolling_update_only_one_count_of_shards_acts(
    counting: Counting, caplog: pytest.LogCaptureFixture
) -> None:
    old, other = counting.replica(4), counting.replica(4)
    counting.turns(old, other, seconds=4)
    assert sum(counting.acting()) == 4
    new, another = counting.replica(6), counting.replica(6)
    counting.turns(old, new, other, seconds=20)

    assert sum(counting.acting()[:2]) == 4
    assert counting.acting()[2:] == [0, 0]
    waiting = "waiting: replicas of another count act (4 shards)"
    assert [each.held_back() for each in (old, other, new)] == ["", "", waiting]
    old.stop()
    counting.turns(new, other, another, seconds=20)
    assert counting.acting() == [0, 4, 0, 0]
    other.stop()
    counting.turns(new, another, seconds=12)
    assert counting.acting() == [0] * 4, "the old count's Lease is not over yet"
    counting.turns(new, another, seconds=8)
    assert sum(counting.acting()) == 6
    assert new.held_back() == ""
    waits = [r.fields for r in caplog.records if r.msg == "shards_wait"]
    assert [(each["counts"], each["holder"]) for each in waits] == [("6 shards", "4 shards")] * 2


def test_who_waits_for_a_replica_that_stays_says_so_again(
    counting: Counting, caplog: pytest.LogCaptureFixture
) -> None:
    forgotten, new = counting.replica(2), counting.replica(3)
    for _ in range(3):
        counting.turns(forgotten, new, seconds=4)
        counting.now += 4.0
    told = len([r for r in caplog.records if r.msg == "shards_wait"])
    new._told_at -= 300.0
    counting.turns(forgotten, new)

    assert told == 1
    assert len([r for r in caplog.records if r.msg == "shards_wait"]) == 2


def test_two_counts_that_start_together_do_not_both_act(counting: Counting) -> None:
    one, other = counting.replica(4), counting.replica(6)
    for candidate in (one, other):
        candidate._renew_membership()
        candidate._look()
    # Neither saw that the other will act: the Lease can be made only once.
    assert [each._counted(counting.now) for each in (one, other)] == [True, False]

    counting.turns(one, other, seconds=40)

    assert counting.acting() == [4, 0]


def test_a_replica_that_was_cut_off_stops_before_another_count_begins(counting: Counting) -> None:
    cut_off, other = counting.replica(4), counting.replica(6)
    counting.turns(cut_off, other, seconds=4)

    counting.turns(other, seconds=8)
    assert counting.acting() == [0, 0]
    counting.turns(other, seconds=8)
    assert counting.acting() == [0, 6]
    counting.turns(cut_off, other)
    assert counting.acting() == [0, 6]


def test_a_shard_is_not_acted_on_beyond_the_common_lease(counting: Counting) -> None:
    """A turn may take long: the last shards are renewed when the common Lease is nearly over."""
    one = counting.replica(4)
    counting.turns(one, seconds=2)
    target = TargetRef("shop", "checkout")
    assert one.owns(target)

    one._believed_until = dict.fromkeys(range(4), counting.now + 60)
    counting.now += RENEW_DEADLINE.total_seconds()

    assert one.held() == frozenset()
    assert not one.owns(target)
    assert one.held_back() == "standby: the common Lease is not renewed"


def test_who_gets_no_answer_writes_nothing_and_keeps_what_it_decides(counting: Counting) -> None:
    one = counting.replica(4)
    counting.turns(one, seconds=4)
    counting.now += 60.0
    assert (one.held(), one.followed().keys()) == (frozenset(), frozenset(range(4)))

    counting.turns(one)
    assert one.held() == frozenset(range(4))


def test_what_a_peer_took_meanwhile_is_decided_here_no_more(counting: Counting) -> None:
    cut_off, peer = counting.replica(4), counting.replica(4)
    counting.turns(cut_off, peer, seconds=8)
    mine = cut_off.followed().keys()
    counting.turns(peer, seconds=20)
    assert mine < peer.held() == frozenset(range(4))
    assert cut_off.followed().keys() == mine

    counting.turns(cut_off)
    assert cut_off.followed() == {}


def test_what_another_count_took_meanwhile_is_decided_here_no_more(counting: Counting) -> None:
    cut_off, other = counting.replica(4), counting.replica(6)
    counting.turns(cut_off, other, seconds=4)
    counting.turns(other, seconds=20)
    counting.turns(cut_off)

    assert cut_off.followed() == {}


def test_an_outage_of_the_api_server_costs_no_forecast(
    new_control_plane: Callable[[], ControlPlane], tmp_path: Path
) -> None:
    plane = new_control_plane()
    connection = connect(plane.admin_kubeconfig)
    namespace = Namespace(plane, connection.client, "default")
    namespace.apply(deployment("shop", replicas=2))
    namespace.apply(policy_map("autoscaling", {"shop.yaml": rate_policy("shop")}))
    flags = ("--own-namespace", "default", "--shards", "2")
    log = tmp_path / "daemon.log"
    nobody = "http://127.0.0.1:9"
    daemon = RunningDaemon(plane.admin_kubeconfig, nobody, *flags, log=log)
    try:
        daemon.wait_cycles("shop", 3)
        plane.stop_api_server()
        time.sleep(RENEW_DEADLINE.total_seconds() + 5)
        decided = daemon.wait_cycles("shop", 2, within=20)
    finally:
        connection.close()
        daemon.stop()

    assert {record["current_replicas"] for record in decided} == {2}


@pytest.mark.parametrize("name", ["member", "common", "shard"])
def test_a_renewal_that_arrived_without_an_answer_is_made_up_for(
    counting: Counting, admin: client.ApiClient, namespace: Namespace, name: str
) -> None:
    one = counting.replica(4)
    counting.turns(one, seconds=4)
    leases = client.CoordinationV1Api(admin)
    which = {"member": one._mine, "common": LEASE_NAME, "shard": f"{SHARD_PREFIX}000"}[name]
    counting.now += 2.0
    lease = leases.read_namespaced_lease(which, namespace.name)
    lease.metadata.annotations = {"written": "by a request whose answer was lost"}
    leases.replace_namespaced_lease(which, namespace.name, lease)
    for _ in range(10):
        one._tried("leases", one.turn)
        counting.now += 2.0

    assert one.held() == frozenset(range(4))


@pytest.mark.parametrize(("status", "n_asked"), [(0, 1), (409, 4)])
def test_who_leaves_while_nobody_answers_asks_once(
    counting: Counting, status: int, n_asked: int
) -> None:
    one, asked = counting.replica(4), list[str]()
    counting.turns(one, seconds=4)

    def release(name: str) -> None:
        asked.append(name)
        raise ApiException(status=status, reason="timed out")

    one._release = release
    one.stop()

    assert len(asked) == n_asked


def test_a_leader_and_shards_do_not_act_side_by_side(
    counting: Counting, admin: client.ApiClient, namespace: Namespace
) -> None:
    leadership = Leadership(admin, namespace=namespace.name, identity="a leader")
    candidate = election(leadership)
    assert candidate.try_acquire_or_renew()
    sharing = counting.replica(4)
    counting.turns(sharing, seconds=4)
    assert counting.acting() == [0]

    leadership.stop()  # gives the Lease up
    counting.turns(sharing, seconds=2)
    assert counting.acting() == [4]

    late = Leadership(admin, namespace=namespace.name, identity="a late leader")
    assert not election(late).try_acquire_or_renew()
    assert not late.leads()


def test_without_its_permission_on_the_common_lease_nobody_acts(
    counting: Counting, admin: client.ApiClient, namespace: Namespace
) -> None:
    one = counting.replica(4)
    counting.turns(one)
    lease = client.CoordinationV1Api(admin).read_namespaced_lease(LEASE_NAME, namespace.name)
    one._write = _refuse_for(LEASE_NAME, one._write)
    counting.turns(one, seconds=20)

    assert lease.spec.holder_identity == "4 shards"
    assert counting.acting() == [0]


def _refuse_for(refused: str, write: Callable[..., None]) -> Callable[..., None]:
    def wrote(name: str, *arguments: Any, **options: Any) -> None:
        if name == refused:
            raise ApiException(status=403, reason="Forbidden")
        write(name, *arguments, **options)

    return wrote


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
