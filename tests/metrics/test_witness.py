"""Ready in Kubernetes against passing in Consul."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.decide.facts import PodPhase, Routability, TargetRef
from autoscaler.decide.lead_time import lead_time_of
from autoscaler.metrics.routability import LONGEST_DELAY
from autoscaler.metrics.witness import ReadinessWitness
from autoscaler.policy.schema import ConsulService
from support.consul_stub import ConsulStub
from support.endurance import reachable_texts
from support.load_series import NOW, TARGET, workload
from support.processes import wait_until

SECOND = timedelta(seconds=1)


@pytest.fixture
def consul() -> Iterator[ConsulStub]:
    consul = ConsulStub()
    yield consul
    consul.stop()


class Watching:
    """A witness that asks when it is told to, and the workload it is asked about."""

    def __init__(self, url: str, **service: str) -> None:
        self.witness = ReadinessWitness(url, timeout=SECOND)
        self.witness._thread = threading.current_thread()  # asked by us alone
        self.witness.follow({TARGET: ConsulService(service="checkout", **service)})
        self.workload = workload()

    def facts(self, seconds: float, *ready: str, ask: bool = True):
        """Return the facts of the workload with these ready pods, some seconds after NOW."""
        if ask:
            self.witness.ask()
        at = NOW + seconds * SECOND
        return self.witness.witnessed(workload(*ready), now=at)[TARGET]

    def seen(self, seconds: float, *ready: str, ask: bool = True) -> Routability:
        return self.facts(seconds, *ready, ask=ask).routability


@pytest.fixture
def watching(consul: ConsulStub) -> Watching:
    return Watching(consul.address)


def test_every_ready_pod_passing_is_routable(consul, watching):
    consul.pass_pods("a", "b")

    assert watching.seen(0, "a", "b") == Routability(2)


def test_instances_without_names_are_counted(consul, watching):
    consul.register(80)
    watching.seen(0, "a", "b")

    assert watching.seen(30, "a", "b") == Routability(
        1, 30 * SECOND, detail="1 of 2 ready pods do not pass"
    )


def test_ready_but_not_passing_alarms_after_a_minute_and_not_before(consul, watching):
    consul.pass_pods("a")
    watching.seen(0, "a", "b")

    seen = [watching.seen(seconds, "a", "b") for seconds in (60, 61)]

    assert [s.alarming for s in seen] == [False, True]
    assert seen[1].detail == "1 of 2 ready pods do not pass, first b"


def test_a_pod_that_has_ended_is_not_waited_for_though_it_still_says_that_it_is_ready(
    consul, watching
):
    consul.pass_pods("a")
    facts = workload("a", "evicted")[TARGET]
    pods = (facts.pods[0], replace(facts.pods[1], phase=PodPhase.FAILED))
    watching.witness.ask()

    for seconds in (0, 90):
        known = {TARGET: replace(facts, pods=pods, ready_replicas=1)}
        told = watching.witness.witnessed(known, now=NOW + seconds * SECOND)

    assert told[TARGET].routability == Routability(1)


def test_a_clock_that_is_set_back_shortens_no_lead_time(consul, watching):
    consul.pass_pods("a")
    watching.seen(0, "a")
    watching.seen(1, "a", "b")
    consul.pass_pods("a", "b")

    assert watching.seen(-3600, "a", "b").delay == timedelta(0)


def test_a_clock_that_is_set_back_keeps_no_alarm_waiting_for_longer_than_a_minute(consul, watching):
    consul.pass_pods("a")
    watching.seen(0, "a", "b")

    seen = [watching.seen(seconds - 3600, "a", "b") for seconds in (0, 61)]

    assert [s.unroutable_for for s in seen] == [timedelta(0), 61 * SECOND]
    assert [s.alarming for s in seen] == [False, True]


def test_it_clears_when_consul_passes_the_pod(consul, watching):
    consul.pass_pods("a")
    watching.seen(0, "a", "b")
    watching.seen(90, "a", "b")
    consul.pass_pods("a", "b")

    assert watching.seen(91, "a", "b") == Routability(2)


def test_pods_of_others_behind_the_same_service_do_not_stand_in(consul, watching):
    consul.pass_pods("x", "y", "z")
    watching.seen(0, "a")

    assert watching.seen(61, "a").alarming


def test_a_namesake_in_another_namespace_does_not_stand_in(consul, watching):
    consul.pass_pods("a", namespace="elsewhere")
    watching.seen(0, "a")

    assert watching.seen(61, "a").alarming


def test_pods_that_come_one_after_the_other_are_each_timed_by_themselves(consul, watching):
    consul.pass_pods("a")
    watching.seen(0, "a")
    for k in range(10):  # each becomes routable 20 s after it was ready, when the next is ready
        watching.seen(20 * k, "a", *(f"p{i}" for i in range(k + 1)))
        consul.pass_pods("a", *(f"p{i}" for i in range(k + 1)))

    seen = watching.seen(200, "a", *(f"p{i}" for i in range(10)))

    assert not seen.alarming
    assert seen.delay == 20 * SECOND


def test_what_a_start_waits_for_its_routes_lengthens_the_measured_lead_time(consul, watching):
    consul.pass_pods("a")
    watching.seen(0, "a")
    watching.seen(10, "a", "b")
    consul.pass_pods("a", "b")
    facts = replace(watching.facts(55, "a", "b"), lead_times=(100 * SECOND,) * 5)

    assert lead_time_of(facts, configured=None) == 145 * SECOND
    assert lead_time_of(facts, configured=90 * SECOND) == 90 * SECOND
    assert lead_time_of(replace(facts, lead_times=()), configured=None) == 165 * SECOND


def test_a_pod_that_waits_for_more_than_a_minute_lengthens_it_while_it_waits(consul, watching):
    consul.pass_pods("a")
    watching.seen(0, "a", "b")

    delays = [watching.seen(seconds, "a", "b").delay for seconds in (60, 75, 7200)]

    assert delays == [0 * SECOND, 75 * SECOND, LONGEST_DELAY]


def test_a_check_that_fails_on_an_old_pod_says_nothing_about_starts(consul, watching):
    consul.pass_pods("a", "b")
    watching.seen(0, "a", "b")
    consul.pass_pods("a")
    watching.seen(15, "a", "b")
    consul.pass_pods("a", "b")

    assert watching.seen(60, "a", "b").delay == 0 * SECOND


def test_what_consul_does_not_say_is_unknown_not_none_passing(watching):
    seen = watching.seen(0, "a", ask=False)

    assert seen == Routability(None, detail="Consul checkout: not asked yet")


def test_an_answer_that_was_filtered_is_an_error_not_none_passing(consul, watching):
    consul.token = "secret"
    watching.seen(0, "a")

    seen = watching.seen(61, "a")

    assert (seen.passing, seen.alarming) == (None, False)
    assert "ACLs hide the service from us" in seen.detail


def test_an_answer_from_before_the_pod_was_ready_says_nothing_about_it(consul, watching):
    consul.pass_pods("a")
    watching.seen(0, "a")
    watching.witness._watch_of[TARGET]._answered_at -= 46

    seen = watching.seen(46, "a", "b", ask=False)

    assert seen == Routability(None, detail="Consul checkout: no answer for 0:00:45")


def test_silence_freezes_what_was_known_and_teaches_nothing(consul, watching):
    consul.pass_pods("a")
    watching.seen(0, "a")
    watching.seen(10, "a", "b")
    before = watching.seen(75, "a", "b")
    consul.status = 500
    during = watching.seen(300, "a", "b", "c")
    consul.status = 200
    consul.pass_pods("a", "b")
    after = watching.seen(400, "a", "b")

    assert before.delay == during.delay == 65 * SECOND
    assert (during.passing, during.alarming) == (None, False)
    assert after == Routability(2)


@pytest.mark.parametrize("body", [b"[7]", b"{}", b"null", b"[{}]", b"<html>", b"[" * 99_999])
def test_an_answer_that_is_malformed_is_unknown(consul, watching, body):
    consul.body = body

    assert watching.seen(0, "a").passing is None


@pytest.mark.parametrize(
    "service",
    [
        {"Meta": {"pod-name": ["a"]}},
        {"Meta": {"pod-name": {}}},
        {"Meta": {"pod-name": 7}},
        {"Meta": {"pod-name": "a", "k8s-namespace": []}},
        {"Meta": ["pod-name"]},
        {"Address": ["10.0.0.2"]},
    ],
)
def test_an_instance_whose_names_are_no_text_is_unknown_and_ends_no_cycle(
    consul, watching, service
):
    entry = {"Service": {"Address": "10.0.0.2", "Port": 80, **service}}
    consul.body = json.dumps([entry, entry]).encode()

    seen = watching.seen(0, "a", "b")

    assert seen.passing is None
    assert "malformed answer" in seen.detail


def test_consul_being_away_is_unknown(consul):
    watching = Watching("127.0.0.1:1")

    seen = watching.seen(0, "a")

    assert seen.passing is None
    assert "cannot be reached" in seen.detail


def test_it_never_asks_with_an_index_and_no_time_to_wait(consul, watching):
    consul.pass_pods("a")
    for seconds in range(3):
        watching.seen(seconds, "a")

    assert [("index" in asked, "wait" in asked) for asked in consul.asked] == [(False, False)] * 3


def test_tag_and_datacenter_are_asked_for(consul):
    Watching(consul.address, tag="v2", datacenter="dc2").seen(0, "a")

    assert (consul.asked[0]["tag"], consul.asked[0]["dc"]) == ("v2", "dc2")


@pytest.fixture
def far_and_near(consul: ConsulStub) -> ReadinessWitness:
    """Return a witness of five services in each of two datacenters, asked when it is told to."""
    witness = ReadinessWitness(consul.address, timeout=SECOND)
    witness._thread = threading.current_thread()
    witness.follow(
        {
            TargetRef("shop", f"{where}-{i}"): ConsulService(service=f"s{i}", datacenter=where)
            for where in ("far", "near")
            for i in range(5)
        }
    )
    return witness


def asked_in_a_round(witness: ReadinessWitness, consul: ConsulStub) -> Counter[str]:
    consul.asked.clear()
    witness.ask(share=SECOND)
    return Counter(question["dc"] for question in consul.asked)


def asked_three_times(consul: ConsulStub, datacenters: set[str]) -> Counter[str]:
    """Return how often each was asked, as soon as these were three times."""
    for _ in range(2000):
        asked = Counter(question["dc"] for question in tuple(consul.asked))
        if all(asked[each] >= 3 for each in datacenters):
            break
        consul.stopped.wait(0.01)
    return asked


def test_a_silent_datacenter_takes_little_of_a_round_and_no_answer_from_the_others(
    consul, far_and_near
):
    consul.silent = {"far"}

    asked = [asked_in_a_round(far_and_near, consul) for _ in range(2)]

    assert asked == [{"near": 5, "far": 1}] * 2
    near = [watch for each, watch in far_and_near._watches.items() if each.datacenter == "near"]
    assert all(watch.instances(within=timedelta(minutes=1)) == [] for watch in near)


def test_many_datacenters_that_fall_silent_at_once_leave_the_others_their_answers(consul):
    gone = [f"gone-{i}" for i in range(17)]
    consul.silent = gone
    witness = ReadinessWitness(consul.address, timeout=SECOND)
    services = {
        TargetRef("shop", f"{where}-{i}"): ConsulService(service=f"s{i}", datacenter=where)
        for where in (*gone, "near")
        for i in range(2)
    }
    witness._take(services)

    assert asked_in_a_round(witness, consul) == {"near": 2} | dict.fromkeys(gone, 1)
    assert asked_in_a_round(witness, consul) == {"near": 2} | dict.fromkeys(gone, 1)


@pytest.mark.parametrize(
    "n_datacenters", [pytest.param(2, id="of two"), pytest.param(17, id="of more than are at once")]
)
def test_a_datacenter_that_is_silent_lengthens_the_rounds_of_no_other(consul, n_datacenters):
    consul.silent, patience = {"dc0"}, timedelta(minutes=1)
    with closing(ReadinessWitness(consul.address, timeout=patience, every=SECOND / 50)) as witness:
        witness.follow(
            {
                TargetRef("shop", f"s{i}"): ConsulService(service="checkout", datacenter=f"dc{i}")
                for i in range(n_datacenters)
            }
        )
        asked = asked_three_times(consul, {f"dc{i}" for i in range(1, n_datacenters)})

    assert min(asked[f"dc{i}"] for i in range(1, n_datacenters)) >= 3
    assert asked["dc0"] == 1


def test_more_silent_datacenters_than_threads_keep_no_other_waiting(consul):
    gone = [f"gone-{i}" for i in range(40)]
    consul.silent = set(gone)
    with closing(ReadinessWitness(consul.address, timeout=SECOND, every=SECOND / 50)) as witness:
        witness.follow(
            {
                TargetRef("shop", where): ConsulService(service="s", datacenter=where)
                for where in (*gone, "near")
            }
        )
        asked_three_times(consul, set(gone[:1]))
        consul.asked.clear()  # by now each of them was asked, and left it unanswered
        asked = asked_three_times(consul, set(gone[:1]))

    assert asked["near"] > 5 * asked["gone-0"]


def test_datacenters_are_asked_side_by_side(consul):
    consul.together = threading.Barrier(9)
    services = {
        TargetRef("shop", f"s{i}"): ConsulService(service="checkout", datacenter=f"dc{i}")
        for i in range(9)
    }
    witness = ReadinessWitness(consul.address, timeout=SECOND)
    witness.ask_once(services)

    assert not any(watch.failed for watch in witness._watches.values())


def test_datacenters_share_one_pace(consul, far_and_near, monkeypatch):
    pauses = []
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)

    far_and_near.ask(share=SECOND, pause=pauses.append)

    assert sorted(pauses) == pytest.approx([0.005 * n for n in range(10)])


def test_of_a_silent_datacenter_one_service_is_asked_and_the_others_say_why_not(consul):
    consul.silent = {"far"}
    witness = ReadinessWitness(consul.address, timeout=SECOND)
    services = {
        TargetRef("shop", name): ConsulService(service=name, datacenter="far")
        for name in ("checkout", "search")
    }
    witness.ask_once(services)

    known = {target: replace(workload("a")[TARGET], target=target) for target in services}
    told = witness.witnessed(known, now=NOW).values()
    assert len(consul.asked) == 1
    assert [each.routability.detail for each in told] == [
        "Consul checkout: timed out",
        "Consul search: not asked, because its datacenter left another question unanswered",
    ]


def test_a_datacenter_that_answers_again_is_asked_about_all_its_services(consul, far_and_near):
    consul.silent = {"far"}
    asked_in_a_round(far_and_near, consul)
    consul.silent = ()

    assert asked_in_a_round(far_and_near, consul) == {"near": 5, "far": 5}


def test_whom_a_round_has_no_time_for_comes_first_in_the_next(consul, far_and_near):
    consul.silent = {"far"}
    for _ in range(3):
        asked_in_a_round(far_and_near, consul)

    silent = [watch for each, watch in far_and_near._watches.items() if each.datacenter == "far"]
    assert sum(watch.failed for watch in silent) == 3


def test_a_service_that_is_refused_leaves_its_datacenter_in_its_turn(consul, far_and_near):
    consul.status = 403
    asked_in_a_round(far_and_near, consul)

    assert asked_in_a_round(far_and_near, consul) == {"near": 5, "far": 5}


def test_a_thousand_services_of_one_datacenter_are_asked_by_one_thread(consul):
    witness = ReadinessWitness(consul.address)
    before = threading.active_count()
    witness.follow(
        {TargetRef("shop", f"s{i}"): ConsulService(service=f"s{i}") for i in range(1000)}
    )
    threads = threading.active_count() - before
    witness.follow({})
    witness.close()

    assert threads <= 3  # with the one that begins its turns, and the stub's, which answers it


def test_who_is_closed_asks_no_more(consul):
    witness, before = ReadinessWitness(consul.address, every=SECOND / 50), threading.enumerate()
    services = [ConsulService(service="s", datacenter=f"dc{i}") for i in range(3)]
    witness.follow({TargetRef("shop", f"s{i}"): each for i, each in enumerate(services)})
    asked_three_times(consul, {"dc0", "dc1", "dc2"})

    witness.close()
    witness._thread.join(20)

    assert not witness._thread.is_alive()
    left = [each for each in threading.enumerate() if each not in before]
    assert not [each for each in left if each.name.startswith("consul_")]


class Mistaken(ReadinessWitness):
    """One of whose turns an error of ours ends."""

    def _ask_datacenter(self, watches, **_):
        raise ValueError("a mistake of ours")


def test_an_error_of_our_own_is_logged_and_ends_no_more_than_its_turn(consul, caplog):
    with closing(Mistaken(consul.address, every=SECOND / 50)) as witness:
        witness.follow({TARGET: ConsulService(service="checkout")})
        wait_until(
            lambda: caplog.text.count("a mistake of ours") >= 2, within=60, what="another turn"
        )
        alive = witness._thread.is_alive()
    witness._thread.join(20)

    assert alive
    assert {r.getMessage() for r in caplog.records} == {"consul_turn_failed"}


def test_what_nobody_names_any_more_is_forgotten(watching, consul):
    consul.pass_pods("a")
    watching.seen(0, "a")
    watching.witness.follow({})

    assert watching.witness.witnessed(workload("a"), now=NOW)[TARGET].routability is None
    assert watching.witness._memories == {}


def test_a_workload_that_is_asked_about_no_more_leaves_nothing_behind(consul, watching):
    consul.pass_pods("a")
    watching.seen(0, "a", "b")

    watching.witness.follow({})

    assert TARGET.name not in reachable_texts(watching.witness)
