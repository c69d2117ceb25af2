import logging
import os
import threading
import time
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from autoscaler import memory_file
from autoscaler.commands.run import Reporting
from autoscaler.daemon import LEARN_SLICES, Daemon, World
from autoscaler.decide.reason import Reason
from autoscaler.metrics.witness import ReadinessWitness
from autoscaler.ports import Mandate, PolicyDocument
from autoscaler.replay.demo_world import DemoCluster, DemoMetrics
from autoscaler.review.exposition import policy_families
from autoscaler.review.latest import GONE_AFTER
from support.consul_stub import ConsulStub
from support.demo_bench import CHECKOUT, NOW, TICK, Bench, document
from support.faulty_world import SkewedClock


def test_a_policy_takes_effect_at_the_next_cycle():
    bench = Bench()
    bench.cycle()
    bench.edit(document())

    bench.cycle()

    assert len(bench.deployment.pods) == 8  # twice as many: the default rate limit


def test_an_edit_takes_effect_at_the_next_cycle():
    bench = Bench(document())
    bench.cycle(2)
    bench.edit(document(least=25))

    bench.cycle()

    assert len(bench.deployment.pods) == 25  # a floor knows no rate limit


def test_whoever_comes_under_a_policy_or_is_released_from_one_is_named_in_the_log(caplog):
    bench = Bench(document())
    with caplog.at_level(logging.INFO):
        bench.cycle(2)
        bench.edit(document(least=3))
        bench.cycle(2)
        bench.edit()
        bench.cycle(2)

    told = [r.fields for r in caplog.records if r.getMessage() == "policies_changed"]
    name, none = str(CHECKOUT), ""
    assert told == [
        {"in_force": 1, "added": name, "changed": none, "removed": none},
        {"in_force": 1, "added": none, "changed": name, "removed": none},
        {"in_force": 0, "added": none, "changed": none, "removed": name},
    ]
    assert not bench.daemon.governs(CHECKOUT)


def test_a_broken_edit_keeps_the_last_good_policy_and_says_so_once(caplog):
    bench = Bench(document())
    bench.cycle(2)
    before = len(bench.deployment.pods)
    bench.edit(document(least="few"))

    with caplog.at_level(logging.ERROR):
        bench.cycle(5)

    assert len(bench.deployment.pods) == before
    assert bench.records[-1].decision.current_replicas == before
    bench.edit(document(least="few"), PolicyDocument("a neighbour", "{}", "shop"))
    with caplog.at_level(logging.ERROR):
        bench.cycle()
    complaints = [r.fields["error"] for r in caplog.records if r.getMessage() == "policy_refused"]
    assert len(complaints) == 2
    assert "minReplicas" in complaints[0]
    assert "few" in complaints[0]
    assert complaints[0].endswith("; the last good version stays in force")
    assert complaints[1].startswith("a neighbour")


def test_a_bound_that_cannot_hold_is_told_once_and_the_policy_acts(caplog):
    sale = "{name: sale, start: '0 0 * * *', end: '59 23 * * *', minReplicas: 90}"
    plain = document(most=20)
    bench = Bench(replace(plain, text=f"{plain.text}schedule: [{sale}]\n"))

    with caplog.at_level(logging.WARNING):
        bench.cycle(5)

    told = [r.fields["warning"] for r in caplog.records if r.getMessage() == "policy_warning"]
    assert told == [
        "ConfigMap shop/autoscaler key checkout: "
        "schedule[0].minReplicas: 90 is above maxReplicas 20, which caps it"
    ]
    assert len(bench.deployment.pods) == 20
    assert [limit.reason for limit in bench.records[0].decision.chain][-2:] == [
        Reason.SCHEDULE_FLOOR,
        Reason.TOO_MANY_REPLICAS,
    ]


def test_the_last_policy_that_is_removed_leaves_metrics_and_page_too():
    bench, reporting = Bench(document()), Reporting(TICK)
    bench.daemon._reconciler._record = reporting.record
    bench.daemon._cycle_ended = reporting.cycle_ended
    bench.cycle()
    before = [record.target for record in reporting.latest.all()]
    bench.edit()
    bench.cycle(int(2 * GONE_AFTER / TICK))

    assert before == [CHECKOUT]
    assert reporting.latest.all() == []


def test_a_policy_that_fails_in_the_loop_is_counted_for_prometheus():
    bench, reporting = Bench(document()), Reporting(TICK)
    bench.daemon._reconciler._record = reporting.record
    bench.daemon._cycle_ended = reporting.cycle_ended
    bench.cycle()

    def fails(record):
        raise RuntimeError("a bug of ours")

    bench.daemon._reconciler._record = fails
    bench.cycle(2)

    told = b"".join(reporting.telemetry.registry.exposition()).decode()
    assert "autoscaler_policy_failures_total 2.0\n" in told


def test_an_edit_that_is_refused_is_told_to_prometheus_until_it_is_mended():
    bench, reporting = Bench(document()), Reporting(TICK)
    reporting.latest.policy_problems = bench.daemon.policy_problems
    told = []
    for least in (2, "few", 3):
        bench.edit(document(least=least))
        bench.cycle()
        text = b"".join(reporting.telemetry.registry.exposition()).decode()
        told += [line for line in text.splitlines() if line.startswith("autoscaler_policy_prob")]

    assert told == [f"autoscaler_policy_problems {n}" for n in ("0.0", "1.0", "0.0")]


def test_history_is_read_before_the_first_cycle_and_steers_it():
    bench = Bench(document())
    bench.daemon.read_all_history()

    bench.cycle()

    [record] = bench.records
    assert record.signals[0].forecast.median == pytest.approx(1000.0, rel=0.02)


def test_a_second_batch_of_history_waits_until_the_first_is_taken_in():
    bench = Bench(document())
    bench.daemon.refresh_policies()

    assert bench.daemon.read_history()
    assert not bench.daemon.read_history()


def test_learning_goes_through_all_slices_and_begins_again():
    bench = Bench(document())
    bench.cycle()

    asked = []
    bench.daemon._forecasts.learn = lambda now, part, parts: asked.append((part, parts))
    for _ in range(LEARN_SLICES + 1):
        bench.daemon.learn()

    assert asked == [*((part, LEARN_SLICES) for part in range(LEARN_SLICES)), (0, LEARN_SLICES)]


@pytest.fixture
def consul():
    consul = ConsulStub()
    yield consul
    consul.stop()


class Witnessed(Bench):
    """The same over sockets to a Consul that is asked when the test says so, once a cycle."""

    def __init__(self, consul):
        self.witness = ReadinessWitness(consul.address, timeout=timedelta(seconds=1))
        self.witness._thread = threading.current_thread()
        named = document(most=20)
        self.named = replace(named, text=f"{named.text}consul: {{service: checkout}}\n")
        super().__init__(self.named, witness=self.witness)
        self.deployment.pods[:] = [NOW - timedelta(hours=1)] * 10

    def cycle(self, n=1):
        for _ in range(n):
            self.witness.ask()
            super().cycle()
        return self.records[-1]


def test_ready_but_not_routable_for_a_minute_is_in_the_record_and_the_lead_time(consul):
    bench = Witnessed(consul)
    consul.register(*range(7))
    bench.cycle()  # the policy is read, Consul not asked yet

    records = [bench.cycle() for _ in range(6)]

    assert [r.unroutable for r in records] == [False] * 5 + [True]
    assert "; not routable for 1m15s: " in records[-1].as_dict()["message"]
    leads = [r.signals[0].forecast.lead_time.total_seconds() for r in records]
    assert leads == [120.0] * 5 + [195.0]
    assert "autoscaler_unroutable_seconds{" in "".join(policy_families(records[-1:]))


@pytest.mark.parametrize("fault", ["filtered", "down", "malformed"])
def test_a_consul_that_fails_changes_nothing_but_the_record(consul, fault):
    bench, plain = Witnessed(consul), Bench(document(most=20))
    plain.deployment.pods[:] = [NOW - timedelta(hours=1)] * 10
    consul.register(*range(10))
    consul.token = "secret" if fault == "filtered" else None
    consul.status = 500 if fault == "down" else 200
    consul.body = b"<html>" if fault == "malformed" else None

    bench.cycle(40)
    plain.cycle(40)

    assert [r.decision for r in bench.records] == [r.decision for r in plain.records]
    assert {r.workload.routability.passing for r in bench.records} == {None}
    assert not any(r.unroutable for r in bench.records)
    assert bench.records[-1].as_dict()["routability"]["detail"].startswith("Consul checkout: ")


def test_a_policy_that_no_longer_names_a_service_is_no_longer_witnessed(consul):
    bench = Witnessed(consul)
    bench.cycle(2)
    bench.edit(document(most=20))

    assert bench.cycle().workload.routability is None


def test_what_was_learned_is_left_to_the_next_process(tmp_path):
    memory = tmp_path / "memory"
    before = Bench(document())
    before.daemon.read_all_history()
    before.cycle()
    before.daemon.save_memory(memory)
    saved_at(memory, NOW)
    after = Bench(document())

    after.daemon.remember(memory)
    after.daemon.refresh_policies()

    assert not after.daemon.read_history()
    after.cycle()
    assert after.records[-1].signals[0].forecast is not None


class CountingCluster(DemoCluster):
    """Counts the writes of `spec`, as the API server does."""

    def reread(self, target):
        return replace(super().reread(target), generation=self._existing(target).version)


def counting(load_now, *, deployment=None, clock=None):
    """A daemon whose load is 1000 requests/s until `NOW`, and `load_now` since."""
    bench = Bench(document())
    bench.clock, bench.deployment = clock or bench.clock, deployment or bench.deployment
    bench.cluster = CountingCluster({CHECKOUT: bench.deployment}, [document()], bench.clock)
    load = np.full(16 * 5760, 1000.0)
    load[15 * 5760 :] = load_now
    metrics = DemoMetrics({CHECKOUT: load}, start=NOW - timedelta(days=15))
    world = World(metrics, bench.cluster, bench.clock)
    bench.daemon = Daemon(world, interval=TICK, record=bench.records.append)
    return bench


def a_minute_after_the_end(memory):
    """Return the bench of a process whose load has fallen; the one before it left its memory."""
    before = counting(1000.0)
    before.cycle(4 * 7)
    before.daemon.save_memory(memory)
    before.clock.advance(timedelta(minutes=1))
    return counting(200.0, deployment=before.deployment, clock=before.clock)


@pytest.mark.parametrize("remembers", [True, False])
def test_a_restart_lowers_at_once_only_where_decisions_were_left(tmp_path, remembers):
    memory = tmp_path / "memory"
    after = a_minute_after_the_end(memory)
    if remembers:
        after.daemon.remember(memory)

    after.cycle(4 * 4)

    assert {record.state.recovered for record in after.records} == {remembers}
    held = Reason.RESTART_HOLD in {record.decision.reason for record in after.records}
    assert held is not remembers


def test_a_clock_that_is_set_while_no_process_runs_is_told_and_holds(tmp_path, monkeypatch, caplog):
    memory = tmp_path / "memory"
    after = a_minute_after_the_end(memory)
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + 50.0)
    after.daemon.remember(memory)
    after.cycle(1)

    warnings = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert warnings == ["clock_set"]
    assert after.records[-1].state.since(Reason.CLOCK_JUMP_HOLD) is not None


def test_who_is_told_to_stop_before_the_first_cycle_leaves_what_was_left_to_it(tmp_path):
    memory = tmp_path / "memory"
    before = counting(1000.0)
    before.cycle(4 * 7)
    before.daemon.save_memory(memory)
    saved_at(memory, NOW)
    left = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    stopped = counting(1000.0, deployment=before.deployment, clock=before.clock)
    stopped.daemon.remember(memory)
    stopped.daemon.refresh_policies()
    stopped.daemon.save_memory(memory)

    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == left
    assert memory.stat().st_mtime == NOW.timestamp()


@pytest.mark.parametrize(("place", "level"), [("absent", "INFO"), ("no folder/x", "WARNING")])
def test_that_there_is_no_memory_yet_is_a_warning_where_none_can_be_left(
    tmp_path, caplog, place, level
):
    caplog.set_level(logging.INFO)
    Bench(document()).daemon.remember(tmp_path / place)

    assert [(r.getMessage(), r.levelname) for r in caplog.records] == [("no_memory", level)]


def test_without_a_usable_memory_the_past_is_read_and_why_is_told(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    bench = Bench(document())

    for unusable in (tmp_path / "memory", memory_file.beside(tmp_path / "memory")):
        unusable.write_text("{")
    bench.daemon.remember(tmp_path / "memory")
    bench.cycle()
    bench.daemon.save_memory(tmp_path / "no folder" / "memory")

    assert bench.daemon.read_history()
    told = ["memory_not_used"] * 2 + ["memory_not_saved"] * 2  # of forecasts, and of decisions
    assert [r.message for r in caplog.records] == told


def saved_at(path, instant):
    os.utime(path, (instant.timestamp(), instant.timestamp()))


@pytest.mark.parametrize(
    ("term", "held"),
    [
        pytest.param(1, False, id="the same term"),
        pytest.param(2, True, id="another replica led between two cycles"),
    ],
)
def test_nothing_is_lowered_for_a_window_after_a_shard_was_lost_and_came_back(term, held):
    bench, terms = Bench(document()), {0: 1}
    bench.daemon._mandate = Mandate(held_shards=lambda: dict(terms))
    bench.cycle(25)  # beyond the hold after our own start
    bench.deployment.scale_to(20, now=bench.clock.now())
    terms[0] = term
    bench.cycle()

    assert (bench.records[-1].decision.reason is Reason.RESTART_HOLD) is held
    assert bool(bench.records[-1].state.reverted_at) is not held


class SetWhileRead(DemoCluster):
    """A cluster during each of whose answers the daemon's clock is set forward."""

    def policies(self):
        self.skewed.skew += timedelta(minutes=4)
        return super().policies()


def test_a_clock_that_is_set_while_policies_are_read_holds_scale_in_by_its_new_time():
    bench = Bench()
    clock, records = SkewedClock(bench.clock), []
    cluster = SetWhileRead({CHECKOUT: bench.deployment}, (document(),), bench.clock)
    cluster.skewed = clock
    world = World(bench.metrics, cluster, clock, clock_moved_by=clock.watched())

    daemon = Daemon(world, interval=TICK, record=records.append)
    daemon.cycle()
    daemon.cycle()

    [_, record] = records
    assert record.state.since(Reason.CLOCK_JUMP_HOLD) == clock.now()
