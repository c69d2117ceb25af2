"""Which shards are ours, and until when: replicas turned by hand, by a clock that is moved.

Real API servers and real daemons are in `tests/real/test_shards_real.py`.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from autoscaler.cluster.lease import LEASE_NAME, RENEW_DEADLINE
from autoscaler.cluster.rendezvous import shard_of
from autoscaler.cluster.seen_leases import SeenLease
from autoscaler.cluster.shards import SHARD_PREFIX, Shards
from autoscaler.decide.facts import TargetRef
from support.lease_server import LeaseServer
from support.processes import wait_until

N_SHARDS = 4
ALL = frozenset(range(N_SHARDS))
TEN = RENEW_DEADLINE.total_seconds()
TARGETS = {
    shard_of(t, n_shards=N_SHARDS): t for t in (TargetRef("shop", f"s{i}") for i in range(50))
}


class Replicas:
    """Replicas of one namespace, by one clock that is moved."""

    def __init__(self, server: LeaseServer) -> None:
        self.server = server
        self.now = 1000.0
        self.made: list[Shards] = []

    def replica(self, identity: str, *, n_shards: int = N_SHARDS) -> Shards:
        made = Shards(
            self.server.client(),
            namespace="system",
            identity=identity,
            n_shards=n_shards,
            clock=lambda: self.now,
        )
        self.made.append(made)
        return made

    def turns(self, *turning: Shards, until: float) -> None:
        """Let replicas turn every two seconds, in order; no shard ever has two holders."""
        while self.now < until:
            for one in turning:
                one._tried("leases", one.turn)
                held = Counter((each.count, n) for each in self.made for n in each.held())
                assert max(held.values(), default=1) == 1, held
            self.now += 2.0

    def refuse(self, *names: str) -> None:
        """Refuse to write these Leases, and no others."""

        def before(method: str, name: str) -> None:
            refused = name in names and method in {"POST", "PUT"}
            self.server.refused = {method: 500} if refused else {}

        self.server.before = before


def shard(number: int) -> str:
    return f"{SHARD_PREFIX}{number:03d}"


@pytest.fixture
def server() -> Iterator[LeaseServer]:
    with LeaseServer() as server:
        yield server


@pytest.fixture
def replicas(server: LeaseServer) -> Replicas:
    return Replicas(server)


def test_a_lease_lives_for_fifteen_seconds_from_when_its_version_was_seen_first() -> None:
    held, given_up = (SeenLease(holder, "7", 1000.0, 990.0) for holder in ("a", ""))

    assert [held.alive(1000.0 + age) for age in (0.0, 14.5, 15.0)] == [True, True, False]
    assert not given_up.alive(1000.0)


def test_shards_are_ours_for_ten_seconds_from_before_they_were_written(replicas: Replicas) -> None:
    one = replicas.replica("a")
    one.turn()
    began = replicas.now

    replicas.now = began + TEN - 0.5
    assert (one.held(), one.held_back()) == (ALL, "")
    assert all(one.owns(target) for target in TARGETS.values())
    replicas.now = began + TEN
    assert (one.held(), one.followed().keys()) == (frozenset(), ALL)
    assert one.held_back() == "standby: the common Lease is not renewed"
    assert not any(one.owns(target) for target in TARGETS.values())


def test_a_write_that_takes_long_is_believed_for_as_much_less(replicas: Replicas) -> None:
    one, began = replicas.replica("a"), replicas.now

    def slow(method: str, name: str) -> None:
        replicas.now += 3.0 if (method, name) == ("POST", shard(3)) else 0.0

    replicas.server.before = slow
    one.turn()
    one._counted_until = began + 60  # not the common Lease, the shard's own is asked about

    replicas.now = began + TEN - 0.5
    assert one.held() == ALL
    replicas.now = began + TEN
    assert one.held() == frozenset()


def test_the_common_lease_is_believed_from_before_it_was_written(replicas: Replicas) -> None:
    one, began = replicas.replica("a"), replicas.now

    def slow(method: str, name: str) -> None:
        replicas.now += 3.0 if (method, name) == ("POST", LEASE_NAME) else 0.0

    replicas.server.before = slow
    one.turn()

    replicas.now = began + TEN - 0.5
    assert one.held() == ALL
    replicas.now = began + TEN
    assert one.held() == frozenset()
    assert not any(one.owns(target) for target in TARGETS.values())


def test_a_shard_that_cannot_be_renewed_is_ours_no_more_while_others_are(
    replicas: Replicas,
) -> None:
    one, began = replicas.replica("a"), replicas.now
    one.turn()
    replicas.refuse(shard(0))
    replicas.turns(one, until=began + TEN - 1)
    replicas.now = began + TEN - 0.5
    assert one.held() == ALL
    replicas.now = began + TEN

    assert one.held() == ALL - {0}
    assert [n for n, target in sorted(TARGETS.items()) if one.owns(target)] == [1, 2, 3]


def test_what_was_never_ours_is_not_written(replicas: Replicas) -> None:
    one, peer = replicas.replica("a"), replicas.replica("c")
    replicas.turns(one, peer, until=replicas.now + 8)

    owned = [{n for n, t in TARGETS.items() if each.owns(t)} for each in (one, peer)]
    assert owned == [set(one.held()), set(peer.held())]
    assert one.held() | peer.held() == ALL
    assert not one.held() & peer.held()


def test_who_cannot_show_that_it_lives_still_holds_what_nobody_else_does(
    replicas: Replicas,
) -> None:
    one = replicas.replica("a")
    replicas.refuse(one._mine)
    replicas.turns(one, until=replicas.now + 20)

    assert one.held() == ALL


def test_who_gives_a_shard_up_stops_writing_before(replicas: Replicas) -> None:
    one, peer = replicas.replica("a"), replicas.replica("c")
    one.turn()
    peer.turn()
    assert one.held() == ALL
    replicas.now += 2.0
    one.turn()

    held = {n for n in ALL if replicas.server.holder(shard(n)) == "a"}
    assert one.held() == held == {0, 1}


def test_who_joins_gains_its_shards_and_nobody_else_s_change_hands(replicas: Replicas) -> None:
    one, peer, third = (replicas.replica(each) for each in ("a", "c", "d"))
    replicas.turns(one, peer, until=replicas.now + 8)
    before = [one.held(), peer.held()]

    replicas.turns(one, peer, third, until=replicas.now + 8)

    gained = third.held()
    assert gained
    assert [one.held(), peer.held()] == [each - gained for each in before]


def test_the_shards_of_who_died_are_gained_when_its_leases_are_over(replicas: Replicas) -> None:
    one, peer = replicas.replica("a"), replicas.replica("c")
    replicas.turns(one, peer, until=replicas.now + 8)
    lost, died = one.held(), replicas.now

    replicas.turns(peer, until=died + TEN - 2)
    assert not peer.held() & lost
    replicas.turns(peer, until=died + 18)
    assert (one.held(), peer.held()) == (frozenset(), ALL)


def test_two_that_hold_each_other_s_shards_swap_them(replicas: Replicas) -> None:
    one, peer = replicas.replica("a"), replicas.replica("c")
    for each, numbers in ((one, (2, 3)), (peer, (0, 1))):
        for number in numbers:
            each._hold(number, shard(number))

    replicas.turns(one, peer, until=replicas.now + 8)

    assert [one.held(), peer.held()] == [{0, 1}, {2, 3}]


def test_a_shard_that_somebody_else_took_is_lost_at_the_next_turn_and_taken_back_when_it_is_over(
    replicas: Replicas,
) -> None:
    one = replicas.replica("a")
    replicas.turns(one, until=replicas.now + 4)
    taken = replicas.now
    lease = replicas.server.leases[shard(2)]
    replicas.server.keep({**lease, "spec": {**lease["spec"], "holderIdentity": "stranger"}})

    replicas.turns(one, until=taken + 14)
    assert one.held() == one.followed().keys() == ALL - {2}
    replicas.turns(one, until=taken + 20)
    assert one.held() == ALL


def test_who_leaves_gives_up_its_own_shards_alone(replicas: Replicas) -> None:
    one, peer = replicas.replica("a"), replicas.replica("c")
    replicas.turns(one, peer, until=replicas.now + 8)
    one._look()  # what it knows of the peer's is of now, so that no conflict protects it

    one.stop()

    assert [replicas.server.holder(shard(n)) for n in sorted(ALL)] == ["", "", "c", "c"]
    assert peer._mine in replicas.server.leases
    peer.turn()
    assert peer.held() == ALL


def test_a_peers_renewal_of_the_common_lease_counts_from_before_it_was_seen(
    replicas: Replicas,
) -> None:
    one, peer = replicas.replica("a"), replicas.replica("c")
    replicas.turns(one, peer, until=1006)
    one._look()  # at 1006
    replicas.now = 1008.0
    peer._write(LEASE_NAME, peer._seen[LEASE_NAME], holder=peer.count)
    one.turn()
    assert one.held()

    replicas.now = 1006.0 + TEN - 0.5
    assert one.held()
    replicas.now = 1006.0 + TEN
    assert not one.held()


def test_who_joins_counts_on_no_renewal_of_the_common_lease_that_it_did_not_see(
    replicas: Replicas,
) -> None:
    replicas.replica("a").turn()
    replicas.now += 1.0
    two = replicas.replica("b")
    replicas.refuse(LEASE_NAME)
    two.turn()

    assert two.held_back() == "standby: the common Lease is not renewed"


def test_the_common_lease_is_renewed_by_one_of_all_and_not_at_every_turn(
    replicas: Replicas,
) -> None:
    one, peer = replicas.replica("a"), replicas.replica("c")
    replicas.turns(one, peer, until=1010)
    replicas.server.asked.clear()
    replicas.turns(one, peer, until=1050)

    assert 10 <= replicas.server.asked["PUT", LEASE_NAME] < 20  # of forty turns
    assert replicas.server.asked["PUT", one._mine] == 10
    assert replicas.server.asked["PUT", shard(0)] == 10
    assert (one.held(), peer.held()) == ({0, 1}, {2, 3})


def test_shards_begin_at_once_where_a_leader_gave_its_lease_up(replicas: Replicas) -> None:
    one = replicas.replica("a")
    replicas.server.put(LEASE_NAME, holderIdentity="a leader")
    replicas.turns(one, until=1004)
    assert one.held_back() == "waiting: replicas of another count act (a leader)"

    replicas.server.put(LEASE_NAME)
    one.turn()
    assert (one.held(), one.held_back()) == (ALL, "")


def test_the_leases_of_the_dead_are_buried_and_no_others(replicas: Replicas) -> None:
    one, dead, other = (
        replicas.replica("a"),
        replicas.replica("b"),
        replicas.replica("c", n_shards=9),
    )
    replicas.server.put("somebody-elses", holderIdentity="x")
    replicas.turns(one, dead, other, until=1004)
    replicas.now = 1600.0
    one.turn()
    before = set(replicas.server.leases)
    assert {dead._mine, other._mine} < before
    replicas.now = 1604.0
    one.turn()

    assert replicas.server.leases.keys() == before - {dead._mine, other._mine}
    assert one._mine in replicas.server.leases


def test_nothing_is_said_of_waiting_while_nobody_is_waited_for(
    replicas: Replicas, caplog: pytest.LogCaptureFixture
) -> None:
    one = replicas.replica("a")
    for _ in range(3):
        one.turn()
        replicas.now += 301.0

    assert [r.msg for r in caplog.records] == []


def test_that_a_wait_is_over_is_said(replicas: Replicas, caplog: pytest.LogCaptureFixture) -> None:
    one = replicas.replica("a")
    replicas.server.put(LEASE_NAME, holderIdentity="a leader")
    replicas.turns(one, until=1004)
    replicas.turns(one, until=1030)

    assert [r.msg for r in caplog.records] == ["shards_wait", "shards_wait_no_more"]


def test_a_shard_that_was_lost_for_a_moment_comes_back_in_another_term(replicas: Replicas) -> None:
    one, other = replicas.replica("a"), replicas.replica("b")
    replicas.turns(one, until=replicas.now + 20.0)
    before = one.followed()
    other.turn()
    replicas.turns(one, other, until=replicas.now + 8.0)
    lost = ALL - one.followed().keys()
    other.stop()
    replicas.turns(one, until=replicas.now + 4.0)

    after = one.followed()
    assert before.keys() == after.keys() == ALL
    assert {shard for shard in ALL if before[shard] != after[shard]} == lost != frozenset()


@pytest.mark.parametrize("first", ["cut off", "peer"])
def test_a_leader_that_came_and_went_while_a_replica_was_cut_off_ends_its_term(
    replicas: Replicas, first: str
) -> None:
    cut_off, peer = replicas.replica("a"), replicas.replica("c")
    replicas.turns(cut_off, peer, until=1008)
    before = cut_off.followed()
    replicas.now = 1040.0
    replicas.server.put(LEASE_NAME, holderIdentity="a leader")
    replicas.server.put(LEASE_NAME)
    replicas.turns(*((cut_off, peer) if first == "cut off" else (peer, cut_off)), until=1050)

    after = cut_off.followed()
    assert before.keys() == after.keys() == cut_off.held() != frozenset()
    assert all(before[shard] != after[shard] for shard in after)


def test_an_outage_in_which_nobody_else_acted_ends_no_term(replicas: Replicas) -> None:
    one = replicas.replica("a")
    replicas.turns(one, until=1008)
    before = one.followed()
    replicas.now = 1100.0
    replicas.turns(one, until=1108)

    assert (one.held(), one.followed()) == (ALL, before)


def test_a_turn_that_failed_is_followed_by_the_next(
    server: LeaseServer, replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autoscaler.cluster.shards.RETRY_PERIOD", timedelta(milliseconds=50))
    one = replicas.replica("a")
    server.refused = {"GET": 500}
    one.start()
    wait_until(lambda: server.asked["GET", ""] > 0, within=10, what="a turn")
    server.refused = {}

    wait_until(one.held, within=10, what="shards")
    one.stop()


def test_who_leaves_in_the_middle_of_a_turn_leaves_nothing_taken(
    server: LeaseServer, replicas: Replicas
) -> None:
    one = replicas.replica("a")
    taking, leaves = threading.Event(), threading.Event()

    def slow(method: str, name: str) -> None:
        if (method, name) == ("POST", shard(1)):
            taking.set()
            leaves.wait(5)

    server.before = slow
    one.start()
    taking.wait(10)
    leaving = threading.Thread(target=one.stop)
    leaving.start()
    wait_until(one._stopped.is_set, within=10, what="leaving")
    leaves.set()
    leaving.join()

    assert not one._thread.is_alive()
    assert one.held() == frozenset()
    assert [server.holder(shard(n)) for n in ALL] == [""] * N_SHARDS
    assert not server.asked["POST", shard(2)]
    assert one._mine not in server.leases
