"""Who leads, and until when: the election turned by hand, by clocks that are moved.

Real API servers and real daemons are in `tests/real/test_lease_real.py`.
"""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from kubernetes.leaderelection.leaderelection import LeaderElection
from kubernetes.leaderelection.leaderelectionrecord import LeaderElectionRecord

from autoscaler import clocks
from autoscaler.cluster import lease
from autoscaler.cluster.api import REQUEST_TIMEOUT_SECONDS
from autoscaler.cluster.lease import LEASE_DURATION, LEASE_NAME, RENEW_DEADLINE, Leadership
from support.election import election
from support.lease_server import LeaseServer
from support.processes import wait_until


class Clock:
    """Both clocks that a candidate reads, to be moved together or apart."""

    def __init__(self) -> None:
        self.awake, self.wall = 1000.0, 1_795_000_000.0

    def advance(self, seconds: float) -> None:
        self.awake += seconds
        self.wall += seconds


class Candidate:
    """One candidate for the lead, turned by hand."""

    def __init__(self, server: LeaseServer, identity: str) -> None:
        self.leadership = Leadership(server.client(), namespace="system", identity=identity)
        self.election: LeaderElection = election(self.leadership)
        self.turn: Callable[[], bool] = self.election.try_acquire_or_renew

    def leads(self) -> bool:
        return self.leadership.leads()


@pytest.fixture
def server() -> Iterator[LeaseServer]:
    with LeaseServer() as server:
        yield server


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (lease, clocks):
        monkeypatch.setattr(module, "awake_seconds", lambda: clock.awake)
    monkeypatch.setattr(time, "time", lambda: clock.wall)
    return clock


@pytest.fixture
def alpha(server: LeaseServer, clock: Clock) -> Candidate:
    return Candidate(server, "alpha")


@pytest.fixture
def beta(server: LeaseServer, clock: Clock) -> Candidate:
    return Candidate(server, "beta")


def test_a_write_has_left_before_anybody_else_may_start() -> None:
    last_write = RENEW_DEADLINE.total_seconds() + REQUEST_TIMEOUT_SECONDS

    assert last_write < LEASE_DURATION.total_seconds()


def test_a_leader_believes_it_for_ten_seconds_from_before_its_request(
    server: LeaseServer, clock: Clock, alpha: Candidate
) -> None:
    server.before = lambda method, name: clock.advance(3.0) if method == "POST" else None

    assert alpha.turn()
    clock.advance(6.5)
    assert alpha.leads()
    clock.advance(0.5)
    assert not alpha.leads()


def test_a_lead_that_was_lost_for_a_moment_is_another_term(
    clock: Clock, alpha: Candidate, beta: Candidate
) -> None:
    terms = [alpha.leadership.term()]
    for candidate, seconds in ((alpha, 2.0), (alpha, 2.0), (beta, 16.0), (beta, 2.0)):
        candidate.turn()
        terms.append(alpha.leadership.term())
        clock.advance(seconds)
    beta.leadership.stop()
    alpha.turn()

    assert (terms, alpha.leadership.term()) == ([0, 1, 1, 1, 1], 2)


def test_a_standby_waits_fifteen_seconds_from_when_it_saw_the_last_renewal(
    clock: Clock, alpha: Candidate, beta: Candidate
) -> None:
    assert alpha.turn()
    assert not beta.turn()

    clock.advance(14.5)
    assert not beta.turn()
    clock.advance(0.5)
    assert beta.turn()
    assert (alpha.leads(), beta.leads()) == (False, True)


def test_a_renewal_that_lost_a_race_is_none(
    server: LeaseServer, clock: Clock, alpha: Candidate
) -> None:
    alpha.turn()
    server.before = lambda method, name: server.put(name) if method == "PUT" else None
    clock.advance(5.0)

    assert not alpha.turn()
    assert alpha.leads()
    clock.advance(5.0)
    assert not alpha.leads()


@pytest.mark.parametrize("holder", ["beta", ""])
def test_who_sees_its_lease_in_other_hands_leads_no_more_or_in_another_term(
    server: LeaseServer, alpha: Candidate, holder: str
) -> None:
    alpha.turn()
    at = "2026-11-23T09:00:00.000000Z"
    spec = {"leaseDurationSeconds": 15, "acquireTime": at, "renewTime": at}
    server.put(LEASE_NAME, holderIdentity=holder, **spec)
    alpha.turn()

    assert (alpha.leads(), alpha.leadership.term()) == ((False, 1) if holder else (True, 2))


@pytest.mark.parametrize("seconds", [2.0, -2.0])
def test_a_clock_that_is_set_ends_one_election(
    clock: Clock, alpha: Candidate, seconds: float
) -> None:
    alpha.turn()
    clock.wall += seconds

    with pytest.raises(lease._ClockSetError):
        alpha.turn()
    assert alpha.turn()


def test_a_clock_that_is_slewed_ends_none(clock: Clock, alpha: Candidate) -> None:
    for _ in range(3):
        clock.wall += 0.5
        assert alpha.turn()


def test_who_left_neither_reads_nor_writes_the_lease(server: LeaseServer, alpha: Candidate) -> None:
    alpha.turn()
    alpha.leadership.stop()
    server.asked.clear()
    late = LeaderElectionRecord("alpha", "15", "2026-11-23 09:00:00", "2026-11-23 09:00:00")
    lock = alpha.leadership._lock

    for renewal in (
        alpha.turn,
        lambda: lock.create(LEASE_NAME, "system", late),
        lambda: lock.update(LEASE_NAME, "system", late),
    ):
        with pytest.raises(lease._LeftError):
            renewal()

    assert (server.holder(LEASE_NAME), sum(server.asked.values())) == ("", 0)


def test_who_leaves_leads_no_more_though_nobody_takes_the_lease_back(
    server: LeaseServer, alpha: Candidate, caplog: pytest.LogCaptureFixture
) -> None:
    alpha.turn()
    server.refused["PUT"] = 500

    alpha.leadership.stop()

    assert not alpha.leads()
    assert [r.msg for r in caplog.records] == ["lease_unavailable", "lease_not_released"]


def test_who_leaves_gives_up_its_own_lease_alone(
    server: LeaseServer, alpha: Candidate, beta: Candidate
) -> None:
    for candidate in (beta, alpha):
        candidate.turn()

    alpha.leadership.stop()
    assert server.holder(LEASE_NAME) == "beta"
    beta.leadership.stop()
    assert server.holder(LEASE_NAME) == ""


def test_who_leaves_asks_for_a_lease_only_where_it_may_be_its_own_and_somebody_answers(
    server: LeaseServer, alpha: Candidate, beta: Candidate
) -> None:
    alpha.turn()
    beta.turn()
    server.refused["GET"] = 500
    alpha.turn()
    server.asked.clear()
    for candidate in (alpha, beta):
        candidate.leadership.stop()

    assert server.asked.total() == 0


def test_a_renewal_under_way_lets_nobody_lead_who_leaves(
    server: LeaseServer, alpha: Candidate
) -> None:
    alpha.turn()
    leaving, renewed, renewing = threading.Event(), threading.Event(), threading.Event()

    def slow(method: str, name: str) -> None:
        if method == "PUT" and not renewing.is_set():
            renewing.set()
            leaving.wait(0.5)  # nobody reads the Lease meanwhile: leaving waits
        elif method == "GET" and renewing.is_set():
            leaving.set()
            renewed.wait(5)

    server.before = slow
    renewal = threading.Thread(target=lambda: (alpha.turn(), renewed.set()))
    renewal.start()
    renewing.wait(5)
    alpha.leadership.stop()
    renewal.join()

    assert (alpha.leads(), server.holder(LEASE_NAME)) == (False, "")


def test_a_candidate_competes_until_it_is_stopped(
    server: LeaseServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="autoscaler")
    leadership = Leadership(server.client(), namespace="system", identity="alpha")
    leadership.start()
    wait_until(leadership.leads, within=10, what="leading")
    written = server.leases[LEASE_NAME]["spec"]["leaseDurationSeconds"]
    leadership.stop()

    assert written == LEASE_DURATION.total_seconds()
    assert not leadership.leads()
    wait_until(lambda: not leadership._thread.is_alive(), within=10, what="the thread's end")
    assert server.holder(LEASE_NAME) == ""
    assert [r.msg for r in caplog.records] == ["leading", "left_the_election"]


def test_who_cannot_act_yet_takes_no_lease_but_knows_for_how_long_it_has_not_changed(
    server: LeaseServer, clock: Clock, alpha: Candidate
) -> None:
    can_act = threading.Event()
    late = Leadership(server.client(), namespace="system", identity="late", can_act=can_act)
    turn = election(late).try_acquire_or_renew
    assert not turn()
    assert server.leases == {}
    alpha.turn()

    for seconds in (0.0, 15.0):
        clock.advance(seconds)
        assert not turn()
    can_act.set()
    assert turn()


def test_a_lease_without_a_holder_is_led_by_nobody(server: LeaseServer, alpha: Candidate) -> None:
    server.put(LEASE_NAME, holderIdentity="beta")
    alpha.leadership._lock.get(LEASE_NAME, "system")
    assert alpha.leadership.held_back() == "standby: beta leads"

    server.put(LEASE_NAME)
    alpha.leadership._lock.get(LEASE_NAME, "system")
    assert alpha.leadership.held_back() == "standby: nobody leads"


def test_a_lease_that_was_deleted_is_held_by_nobody(server: LeaseServer, alpha: Candidate) -> None:
    server.put(LEASE_NAME, holderIdentity="beta")
    for _ in range(2):
        alpha.leadership._lock.get(LEASE_NAME, "system")
        server.leases.clear()

    assert alpha.leadership.held_back() == "standby: nobody leads"


def failures(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was said of requests that fail."""
    return [r.fields["error"] for r in caplog.records if r.msg == "lease_unavailable"]


def test_what_keeps_a_dead_leaders_lease_from_being_taken_is_told_once(
    server: LeaseServer,
    clock: Clock,
    alpha: Candidate,
    beta: Candidate,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for candidate in (beta, alpha):
        candidate.turn()
    server.refused["PUT"] = 403
    clock.advance(15.0)
    for _ in range(3):
        assert not alpha.turn()
        clock.advance(2.0)

    assert failures(caplog) == ["update fails: 403 Forbidden"]
    assert alpha.leadership.held_back() == "standby: no Lease, update fails: 403 Forbidden"


def test_a_failure_that_is_over_is_told_no_more_and_the_next_one_is_news(
    server: LeaseServer, clock: Clock, alpha: Candidate, caplog: pytest.LogCaptureFixture
) -> None:
    for status in (None, 403, None, 403):
        server.refused = {} if status is None else {"GET": status}
        assert alpha.turn() == (status is None)
        clock.advance(2.0)

    assert failures(caplog) == ["get fails: 403 Forbidden"] * 2


@pytest.mark.parametrize("status", [404, 409])
def test_a_lease_that_is_not_there_or_written_by_another_is_no_failure(
    server: LeaseServer, alpha: Candidate, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    for refused in (403, status):
        server.refused = {"GET": refused}
        alpha.leadership._lock.get(LEASE_NAME, "system")

    assert failures(caplog) == ["get fails: 403 Forbidden"]
    assert alpha.leadership.held_back() == "standby: nobody leads"


def test_a_server_that_hangs_is_no_answer(
    server: LeaseServer, alpha: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "TIMEOUTS", (0.2, 0.2))
    over = threading.Event()
    server.before = lambda method, name: over.wait()

    assert not alpha.turn()
    over.set()
    assert alpha.leadership.held_back().startswith("standby: no Lease, get fails: no answer")
