"""Two daemons, one lease: who writes `scale` is read from the audit log of a real API server.

KILLS (default 1) is how often the leader is killed at a random moment; the long run uses 20.
PAUSE_SECONDS (default 0: as short as the hand-over allows) is how long a leader is stopped at
least; the long run uses 60.
Both print how long after the lease's end the other one wrote.
"""

import itertools
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kubernetes import client

from autoscaler.cluster.api import connect
from autoscaler.cluster.lease import LEASE_DURATION, LEASE_NAME, Leadership
from support.accounts import ROLES, account_with
from support.control_plane import ControlPlane, ScaleWrite
from support.daemon import Record, RunningDaemon
from support.election import election
from support.processes import wait_until
from support.prometheus_server import PrometheusServer
from support.workloads import Namespace, deployment, policy_map, rate_policy

KILLS = int(os.environ.get("KILLS", "1"))
PAUSE_SECONDS = float(os.environ.get("PAUSE_SECONDS", "0"))
# The lease is over 15 s after its last renewal, which is at most 2 s before the end; a standby asks
# every 2 s, decides every second and scales when it has read the load.
TAKE_OVER = timedelta(seconds=2) + LEASE_DURATION + timedelta(seconds=10)
# What is promised, counted from the end of the lease.
AFTER_THE_LEASE = timedelta(seconds=15)
Start = Callable[[str], RunningDaemon]


@pytest.fixture
def start_replica(
    plane: ControlPlane, prometheus: PrometheusServer, namespace: Namespace, tmp_path: Path
) -> Iterator[Start]:
    """Start replicas that compete; each is a service account, so that the audit log tells them."""
    started: list[RunningDaemon] = []
    numbers = itertools.count()
    plane.apply(LEASE_ROLE, "-n", namespace.name)

    def begin(name: str) -> RunningDaemon:
        kubeconfig = replica_account(plane, namespace.name, name)
        daemon = RunningDaemon(
            kubeconfig,
            prometheus.url,
            *("--namespace", namespace.name, "--own-namespace", namespace.name, "--leader-elect"),
            log=tmp_path / f"{name}-{next(numbers)}.log",
        )
        started.append(daemon)
        return daemon

    yield begin
    for daemon in started:
        daemon.process.send(signal.SIGCONT) if daemon.process.running else None
        daemon.stop()


LEASE_ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: lease}
rules:
  - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create, get, update]}
"""


def replica_account(plane: ControlPlane, namespace: str, name: str) -> Path:
    """Return a kubeconfig of one replica, with the RBAC of `deploy/`."""
    file = plane.folder / f"{namespace}-{name}.kubeconfig"
    if file.exists():
        return file
    plane.kubectl("create", "serviceaccount", name, "-n", namespace)
    subject = f"--serviceaccount={namespace}:{name}"
    for role in (*(f"--clusterrole={r}" for r in ROLES), "--role=lease"):
        binding = f"{name}-{role.rpartition('=')[2]}"
        plane.kubectl("create", "rolebinding", binding, role, subject, "-n", namespace)
    return plane.service_account_kubeconfig(namespace, name)


@pytest.fixture
def climbing(installed: ControlPlane, prometheus: PrometheusServer, namespace: Namespace) -> None:
    """A load that grows three times as fast as replicas may: every second has a write."""
    began = time.monotonic()
    prometheus.exporter.set(
        "load", lambda: 1000 + 300 * (time.monotonic() - began), {"app": "shop"}
    )
    namespace.apply(deployment("shop", replicas=2))
    one_by_one = {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 1}]}
    document = rate_policy("shop", maxReplicas=100_000, behavior={"scaleUp": one_by_one})
    namespace.apply(policy_map("autoscaling", {"shop.yaml": document}))


def terms(writes: list[ScaleWrite]) -> list[str]:
    """Return who wrote, each run of one writer once."""
    return [user for user, _ in itertools.groupby(write.user for write in writes)]


def wait_for_writer(plane: ControlPlane, namespace: str, user: str, *, within: float) -> None:
    n_before = len(plane.scale_writes(namespace))
    wait_until(
        lambda: any(w.user == user for w in plane.scale_writes(namespace)[n_before:]),
        within=within,
        what=f"{user} writes",
    )


def lease_end(plane: ControlPlane, namespace: str) -> datetime:
    """Return when the lease ends that was renewed last."""
    renewed_at = plane.get("lease", LEASE_NAME, namespace)["spec"]["renewTime"]
    return datetime.fromisoformat(renewed_at).astimezone(UTC) + LEASE_DURATION


def first_write(plane: ControlPlane, namespace: str, user: str, *, after: int) -> ScaleWrite:
    """Return the first write of one replica beyond the first `after` of all."""
    return next(w for w in plane.scale_writes(namespace)[after:] if w.user == user)


def handed_over(
    plane: ControlPlane, namespace: str, ending: RunningDaemon, *, how: int, to: str
) -> timedelta:
    """End a leader by a signal; return how long after its lease the other one wrote."""
    n_before = len(plane.scale_writes(namespace))
    ending.process.send(how)
    ends_at = lease_end(plane, namespace)
    wait_for_writer(plane, namespace, to, within=TAKE_OVER.total_seconds())
    return first_write(plane, namespace, to, after=n_before).at - ends_at


def unexplained(writes: list[ScaleWrite], records: list[Record]) -> list[ScaleWrite]:
    """Return the writes that no decision record accounts for."""
    decided = {r["desired_replicas"] for r in records if r["rescaled"]}
    return [write for write in writes if write.replicas not in decided]


@pytest.mark.timeout(120 * (KILLS + 1))
def test_a_killed_leader_is_followed_and_never_two_write_in_one_term(
    start_replica: Start, climbing: None, plane: ControlPlane, namespace: Namespace
) -> None:
    running = {"alpha": start_replica("alpha")}
    wait_for_writer(plane, namespace.name, "alpha", within=120)
    running["beta"] = start_replica("beta")
    chance, leader, standby = random.Random(7), "alpha", "beta"
    waited, records = list[timedelta](), list[Record]()
    for _ in range(KILLS):
        running[standby].wait_cycles("shop", 2, within=120)
        time.sleep(chance.uniform(0.0, 3.0))  # anywhere in a cycle, and in a renewal
        killed = running[leader]
        waited.append(handed_over(plane, namespace.name, killed, how=signal.SIGKILL, to=standby))
        records += killed.records("shop")
        running[leader] = start_replica(leader)
        leader, standby = standby, leader

    writes = plane.scale_writes(namespace.name)
    orders = [write.replicas for write in writes]
    records += running[leader].wait_cycles("shop", 1) and running[leader].records("shop")
    print(f"{KILLS} kills, {len(writes)} writes, after the lease: {seconds(waited)}")
    assert max(waited) <= AFTER_THE_LEASE
    assert terms(writes) == [("alpha", "beta")[k % 2] for k in range(KILLS + 1)]
    assert orders == sorted(orders), "nothing was lowered by a hand-over"
    assert len(unexplained(writes, records)) <= KILLS, "at most the write under way when killed"


def seconds(spans: list[timedelta]) -> str:
    """Return least, middle and longest of some spans."""
    ordered = sorted(span.total_seconds() for span in spans)
    return f"{ordered[0]:.1f} / {ordered[len(ordered) // 2]:.1f} / {ordered[-1]:.1f} s"


def test_a_leader_that_slept_does_not_write_when_it_wakes(
    start_replica: Start, climbing: None, plane: ControlPlane, namespace: Namespace
) -> None:
    alpha = start_replica("alpha")
    wait_for_writer(plane, namespace.name, "alpha", within=120)
    start_replica("beta").wait_cycles("shop", 2)
    stopped_at = time.monotonic()
    waited = handed_over(plane, namespace.name, alpha, how=signal.SIGSTOP, to="beta")
    time.sleep(max(0.0, stopped_at + PAUSE_SECONDS - time.monotonic()))

    alpha.process.send(signal.SIGCONT)
    asleep = time.monotonic() - stopped_at
    awake = alpha.wait_cycles("shop", 5)

    print(f"stopped for {asleep:.0f} s, after the lease: {seconds([waited])}")
    assert waited <= AFTER_THE_LEASE
    assert terms(plane.scale_writes(namespace.name)) == ["alpha", "beta"]
    assert not any(record["rescaled"] for record in awake)


def test_a_leader_that_leaves_hands_over_at_once(
    start_replica: Start, climbing: None, plane: ControlPlane, namespace: Namespace
) -> None:
    alpha = start_replica("alpha")
    wait_for_writer(plane, namespace.name, "alpha", within=120)
    start_replica("beta").wait_cycles("shop", 2)

    assert alpha.stop() == 0
    wait_for_writer(plane, namespace.name, "beta", within=14)

    assert terms(plane.scale_writes(namespace.name)) == ["alpha", "beta"]


def test_a_standby_names_who_leads(admin: client.ApiClient, namespace: Namespace) -> None:
    one, other = (
        Leadership(admin, namespace=namespace.name, identity=who) for who in ("alpha", "beta")
    )
    assert other.held_back() == "standby: nobody leads"
    for candidate in (one, other):
        election(candidate).try_acquire_or_renew()

    assert (one.held_back(), other.held_back()) == ("", "standby: alpha leads")


@pytest.mark.parametrize("missing", ["get", "create", "update"])
def test_without_a_permission_on_the_lease_it_is_told_why_nobody_leads(
    plane: ControlPlane, namespace: Namespace, caplog: pytest.LogCaptureFixture, missing: str
) -> None:
    verbs = [verb for verb in ("get", "create", "update") if verb != missing]
    rule = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": verbs}
    connection = connect(account_with(plane, namespace.name, rules=[rule]))
    if missing == "update":
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
        namespace.apply(lease | {"metadata": {"name": LEASE_NAME}, "spec": {}})
    leadership = Leadership(connection.client, namespace=namespace.name, identity="alpha")
    candidate = election(leadership)
    for _ in range(3):
        assert not candidate.try_acquire_or_renew()
    connection.close()

    assert leadership.held_back() == f"standby: no Lease, {missing} fails: 403 Forbidden"
    assert [r.msg for r in caplog.records] == ["lease_unavailable"]


def test_once_somebody_leads_an_earlier_failure_is_no_longer_the_reason(
    plane: ControlPlane, admin: client.ApiClient, namespace: Namespace
) -> None:
    rule = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get"]}
    connection = connect(account_with(plane, namespace.name, rules=[rule]))
    helpless = Leadership(connection.client, namespace=namespace.name, identity="alpha")
    other = Leadership(admin, namespace=namespace.name, identity="beta")
    candidate = election(helpless)
    said = []
    for peer in (None, election(other)):
        if peer is not None:
            peer.try_acquire_or_renew()
        candidate.try_acquire_or_renew()
        said.append(helpless.held_back())
    connection.close()

    assert said == ["standby: no Lease, create fails: 403 Forbidden", "standby: beta leads"]


@pytest.mark.parametrize("seconds", [60.0, -3600.0])
def test_a_clock_that_is_set_lets_nobody_lead_too_early_nor_too_late(
    plane: ControlPlane, namespace: Namespace, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    duration = timedelta(seconds=6)  # the rule is of any
    monkeypatch.setattr("autoscaler.cluster.lease.LEASE_DURATION", duration)
    monkeypatch.setattr("autoscaler.cluster.lease.RENEW_DEADLINE", timedelta(seconds=4))
    monkeypatch.setattr("autoscaler.cluster.lease.RETRY_PERIOD", timedelta(seconds=1))
    connection = connect(plane.admin_kubeconfig)
    alpha, beta = (
        Leadership(connection.client, namespace=namespace.name, identity=who)
        for who in ("alpha", "beta")
    )
    assert election(alpha).try_acquire_or_renew()
    renewed_at = time.monotonic()
    beta.start()
    wait_until(lambda: beta.held_back() == "standby: alpha leads", within=30, what="seen")
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + seconds)
    wait_until(beta.leads, within=60, what="beta leads")
    waited = time.monotonic() - renewed_at
    beta.stop()
    connection.close()

    assert waited >= duration.total_seconds() - 1
    assert not alpha.leads()


def test_who_cannot_renew_stops_leading_before_anybody_else_may_start(
    new_control_plane: Callable[[], ControlPlane], caplog: pytest.LogCaptureFixture
) -> None:
    plane = new_control_plane()
    connection = connect(plane.admin_kubeconfig)
    leadership = Leadership(connection.client, namespace="default", identity="alpha")
    leadership.start()
    wait_until(leadership.leads, within=30, what="leading")

    plane.stop_api_server()
    stopped_at = time.monotonic()
    wait_until(lambda: not leadership.leads(), within=15, what="no longer leading")
    assert time.monotonic() - stopped_at < 14  # a lease ends after 15

    plane.start_api_server()
    wait_until(leadership.leads, within=30, what="leading again")
    leadership.stop()
    connection.close()
    assert not leadership.leads()
    [lost] = [r.fields["because"] for r in caplog.records if r.msg == "lost_the_lease"]
    assert "fails: no answer" in lost
