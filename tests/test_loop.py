from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from autoscaler.decide.facts import (
    CapacitySource,
    Doubt,
    PodFacts,
    Routability,
    Sample,
    TargetRef,
    WorkloadFacts,
)
from autoscaler.decide.learned_capacity import CapacityFit
from autoscaler.decide.reason import Reason
from autoscaler.decide.state import WorkloadState
from autoscaler.errors import ScaleConflictError, ScaleRefusedError, ScaleUnansweredError
from autoscaler.forecasting import Forecasts, horizon_of
from autoscaler.loop import Reconciler
from autoscaler.missing_history import STEP
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.roster import compiled

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
TICK, SECOND = timedelta(seconds=15), timedelta(seconds=1)
UNKNOWN = Sample(None, doubt=Doubt.UNREACHABLE)
CHECKOUT, SEARCH = TargetRef("shop", "checkout"), TargetRef("shop", "search")


def policy_for(target, **changes):
    return WorkloadPolicy.model_validate(
        {
            "scaleTargetRef": {"name": target.name},
            "mode": "ForecastAndScale",
            "minReplicas": 2,
            "maxReplicas": 50,
            "metrics": [
                {
                    "type": "RequestRate",
                    "requestRate": {"source": "linkerd", "target": {"averageValue": "100"}},
                }
            ],
            **changes,
        }
    )


LEARNING = policy_for(
    CHECKOUT,
    metrics=[
        {"type": "RequestRate", "requestRate": {"source": "linkerd"}},
        {
            "type": "Resource",
            "resource": {"name": "cpu", "target": {"averageUtilization": 80}},
        },
    ],
)


class FakeCluster:
    """Deployments whose pods are ready at once; refuses or loses races as it is told."""

    def __init__(self, **replicas):
        self.replicas = {TargetRef("shop", name): n for name, n in replicas.items()}
        self.version = 1
        self.errors = []
        self.written = []
        self.events = []
        self.floor = 1
        self.hpa_max = None
        self.hpa_max_lowered_to = None
        """What it is by the time that the next floor is written."""
        self.annotations = {}
        self.refuses_stale = False
        self.lost = []
        """For each next write: whether it arrives, though nobody answers."""
        self.uid = "first"

    def workloads(self, targets):
        return {t: self.facts(t) for t in targets if t in self.replicas}

    def facts(self, target):
        n = self.replicas[target]
        version, annotations = str(self.version), self.annotations
        return WorkloadFacts(
            *(target, n, n, n, version, NOW),
            annotations=annotations,
            hpa_max_replicas=self.hpa_max,
            generation=self.version,
            uid=self.uid,
        )

    def reread(self, target):
        return self.facts(target)

    def patch_scale(self, target, replicas, *, resource_version):
        if self.errors:
            raise self.errors.pop(0)
        if self.refuses_stale and resource_version != str(self.version):
            raise ScaleConflictError(f"{target}: 409")
        arrives = not self.lost or self.lost[0]
        if arrives:
            self.written.append((target.name, replicas, resource_version))
            self.replicas[target] = replicas
            self.version += 1
        if self.lost:
            self.lost.pop()
            raise ScaleUnansweredError(f"{target}: no answer")

    def patch_min_replicas(self, target, min_replicas):
        if self.hpa_max_lowered_to is not None:
            self.hpa_max, self.hpa_max_lowered_to = self.hpa_max_lowered_to, None
        if self.hpa_max is not None and min_replicas > self.hpa_max:
            raise ScaleConflictError(f"{target}: maxReplicas is {self.hpa_max} now")
        changed, self.floor = self.floor != min_replicas, min_replicas
        return changed

    def scaled_by_hpa(self, target, replicas):
        self.replicas[target], self.version = replicas, self.version + 1

    def made_anew(self, target, replicas):
        """Delete an object and create it again, as `kubectl replace --force` does."""
        self.replicas[target], self.version = replicas, self.version + 1
        self.uid = f"{self.version}"

    def record_event(self, target, *, reason, message):
        self.events.append((target.name, reason, message))


class FakeMetrics:
    """One load for everybody, or none."""

    def __init__(self, load):
        self.load = load

    def newest(self, series, *, now, workloads):
        doubt = Doubt.UNREACHABLE if self.load is None else None
        return [Sample(self.load, now - TICK, n_series=1, doubt=doubt) for _ in series]


class Bench:
    """A reconciler over fakes, its records kept."""

    def __init__(self, cluster, load, policies, *, forecasts=None):
        self.cluster, self.metrics, self.records = cluster, FakeMetrics(load), []
        self.roster = compiled({t: (f"policy of {t.name}", p) for t, p in policies.items()})
        self.forecasts = forecasts or Forecasts()
        self.forecasts.follow(self.roster)
        self.reconciler = Reconciler(
            metrics=self.metrics,
            cluster=cluster,
            forecasts=self.forecasts,
            interval=TICK,
            record=self.records.append,
            held_back=lambda: self.held_back,
        )
        self.held_back = ""
        self.now = NOW

    def run(self, cycles=1, *, moved_by=timedelta(0)):
        for _ in range(cycles):
            summary = self.reconciler.reconcile(self.roster, now=self.now, clock_moved_by=moved_by)
            self.now += TICK
        return summary


def bench(load=1000.0, *, policies=None, **replicas):
    return Bench(FakeCluster(**replicas), load, policies or {CHECKOUT: policy_for(CHECKOUT)})


def test_load_above_what_the_pods_carry_is_scaled_and_told():
    world = bench(1000.0, checkout=4)

    summary = world.run()

    [record] = world.records
    assert (record.rescaled, record.decision.current_replicas) == (True, 4)
    assert world.cluster.written == [("checkout", record.decision.desired_replicas, "1")]
    assert world.cluster.events[0][1] == "SuccessfulRescale"
    assert (summary.governed, summary.rescaled, summary.broken) == (1, 1, 0)


@pytest.mark.parametrize(
    ("moved_by", "lowered"),
    [
        pytest.param(timedelta(0), [True, True], id="four minutes went by"),
        pytest.param(timedelta(minutes=4), [False, True], id="the clock was set by as much"),
    ],
)
def test_a_clock_that_is_set_forward_shortens_no_window(moved_by, lowered):
    world, seen = bench(100.0, checkout=4), []
    world.run(cycles=8)
    world.now += timedelta(minutes=4)
    world.run(moved_by=moved_by)
    for cycles in (4, 20):
        world.run(cycles=cycles)
        seen.append(bool(world.cluster.written))

    assert seen == lowered


def test_a_clock_that_is_set_while_a_workload_is_not_seen_is_told_it_at_its_next_turn():
    world = bench(100.0, checkout=4)
    world.run(cycles=8)
    gone = world.cluster.replicas.pop(CHECKOUT)
    world.now += timedelta(minutes=4)
    world.run(moved_by=timedelta(minutes=4))
    world.cluster.replicas[CHECKOUT] = gone
    back_at = world.now
    world.run(cycles=2)

    assert world.records[-1].state.since(Reason.CLOCK_JUMP_HOLD) == back_at


def test_a_clock_that_was_set_during_a_restart_is_told_in_the_first_cycle():
    world = calm_world()
    world.run()
    after = restarted(world, moved_by=timedelta(minutes=1))
    after.run()

    [record] = after.records
    assert record.state.since(Reason.CLOCK_JUMP_HOLD) == record.at


def test_forecast_only_records_the_same_and_writes_nothing():
    acting = bench(1000.0, checkout=4)
    policies = {CHECKOUT: policy_for(CHECKOUT, mode="ForecastOnly")}
    watching = bench(1000.0, checkout=4, policies=policies)
    acting.run()
    watching.run()

    [did], [would] = acting.records, watching.records
    assert would.decision == did.decision
    assert (would.rescaled, would.not_rescaled_because) == (False, "mode is ForecastOnly")
    assert watching.cluster.written == watching.cluster.events == []


BY_HPA = {CHECKOUT: policy_for(CHECKOUT, actuator="hpa")}


def test_an_hpa_is_given_a_floor_once_and_told_once():
    world = bench(1000.0, checkout=4, policies=BY_HPA)
    world.run(3)

    floor = world.records[0].decision.desired_replicas
    assert (world.cluster.floor, world.cluster.written) == (floor, [])
    assert [record.rescaled for record in world.records] == [True, False, False]
    assert world.cluster.events == [
        ("checkout", "MinReplicasSet", f"Floor of the HPA: {floor}; reason: ScaleUpLimit")
    ]
    did, is_asked = (world.records[n].as_dict()["message"] for n in (0, 1))
    assert did.startswith(f"asked the HPA for at least {floor} replicas, 4 are there: ")
    assert is_asked.startswith(f"the HPA is asked already for at least {floor} replicas, 4 are")


@pytest.mark.parametrize(
    "known", [pytest.param(True, id="known"), pytest.param(False, id="lowered meanwhile")]
)
def test_a_floor_that_the_hpa_s_own_maximum_caps_is_told_as_it_is_written(known):
    world = bench(1000.0, checkout=4, policies=BY_HPA)
    setattr(world.cluster, "hpa_max" if known else "hpa_max_lowered_to", 6)
    world.run()

    [record] = world.records
    assert world.cluster.floor == record.decision.desired_replicas == 6
    assert world.cluster.events == [
        ("checkout", "MinReplicasSet", "Floor of the HPA: 6; reason: HpaMaxReplicas")
    ]
    line = record.as_dict()
    assert (line["rescaled"], line["reason"], line["bounds"]["max_replicas"]) == (
        True,
        "HpaMaxReplicas",
        6,
    )
    assert line["message"].startswith("asked the HPA for at least 6 replicas, 4 are there: ")
    assert "the HPA's own maxReplicas caps it at 6, fewer than are needed: " in line["message"]


def test_an_hpa_that_goes_its_own_way_above_the_floor_is_no_contention():
    world = bench(1000.0, checkout=4, policies=BY_HPA)
    for replicas in (9, 25, 14, 30, 16):
        world.run()
        world.cluster.scaled_by_hpa(CHECKOUT, replicas)
    world.metrics.load = 3000.0
    world.run(8)

    assert Reason.REPLICAS_CONTESTED not in {r.decision.reason for r in world.records}
    assert world.cluster.floor >= 30


def test_a_workload_made_anew_as_often_as_one_likes_contradicts_nobody():
    world = bench(1000.0, checkout=4)
    for _ in range(4):
        world.run(8)
        assert world.cluster.replicas[CHECKOUT] >= 10
        world.cluster.made_anew(CHECKOUT, 4)

    assert Reason.REPLICAS_CONTESTED not in {r.decision.reason for r in world.records}


def test_a_write_that_nobody_answered_is_not_looked_for_in_the_next_object_of_that_name():
    world = bench(1000.0, checkout=4)
    world.cluster.lost = [False]
    world.run()
    world.cluster.made_anew(CHECKOUT, world.records[-1].decision.desired_replicas)
    world.run()

    assert world.records[-1].state.scale_events == ()


def test_what_the_first_of_two_objects_was_lowered_by_is_no_cooldown_of_the_second():
    world = calm_world()
    while world.cluster.replicas[CHECKOUT] == 12:
        world.run()
    world.cluster.made_anew(CHECKOUT, 12)
    world.run()

    [record] = world.records[-1:]
    assert record.decision.reason is Reason.RESTART_HOLD
    assert record.state.last_scale_down_at is None


def test_a_pause_leaves_the_floor_of_an_hpa_alone_too():
    world = bench(1000.0, checkout=4, policies=BY_HPA)
    world.cluster.annotations = {"autoscaler/paused": "true"}
    world.run()

    assert world.records[0].decision.reason is Reason.PAUSED
    assert world.cluster.floor == 1


def test_a_lost_race_is_decided_again_on_what_the_other_wrote():
    world = bench(1000.0, checkout=4)
    world.cluster.errors = [ScaleConflictError("shop/checkout: 409 Conflict")]
    world.cluster.reread = lambda target: replace(
        world.cluster.facts(target), spec_replicas=8, status_replicas=8, resource_version="77"
    )

    world.run()

    [record] = world.records
    assert record.decision.current_replicas == 8
    assert world.cluster.written[0][2] == "77"


def test_a_race_lost_twice_is_left_to_the_other():
    world = bench(1000.0, checkout=4)
    world.cluster.errors = [ScaleConflictError("409"), ScaleConflictError("409 again")]

    world.run()

    [record] = world.records
    assert not record.rescaled
    assert record.not_rescaled_because == "ReplicasContested: 409 again"
    assert world.cluster.written == []


def test_a_forbidden_patch_holds_and_the_neighbour_goes_on():
    world = bench(
        1000.0,
        checkout=4,
        search=4,
        policies={CHECKOUT: policy_for(CHECKOUT), SEARCH: policy_for(SEARCH)},
    )
    world.cluster.errors = [ScaleRefusedError("shop/checkout: 403 Forbidden")]

    world.run()

    refused, scaled = world.records
    assert refused.not_rescaled_because == "shop/checkout: 403 Forbidden"
    assert scaled.rescaled
    assert [name for name, *_ in world.cluster.written] == ["search"]


def test_a_refused_patch_is_no_rescale_and_begins_no_cooldown():
    policies = {CHECKOUT: policy_for(CHECKOUT, cooldown={"scaleUp": "1h"})}
    world = bench(1000.0, checkout=4, policies=policies)
    world.cluster.errors = [ScaleRefusedError("shop/checkout: 403 Forbidden")]

    world.run(2)

    assert [record.rescaled for record in world.records] == [False, True]


def first_scale_in(*, arrives):
    """A world whose first scale-in nobody answers, a cycle after it, at ever less load."""
    world = calm_world()
    world.cluster.lost = [arrives]
    while not world.records[-1].not_rescaled_because:
        world.run()
    world.metrics.load = 250.0
    world.run()
    return world


def test_a_write_that_nobody_answered_is_not_said_to_be_unwritten():
    world = bench(1000.0, checkout=4)
    world.cluster.lost = [True]
    world.run()

    told = world.records[-1].as_dict()["message"]
    assert told.startswith("wanted 8 replicas, and whether that was written is not known yet (")


def test_a_rescale_that_was_written_again_after_no_answer_counts_once():
    world = bench(1000.0, checkout=4)
    world.cluster.lost = [False]
    world.run(3)

    assert [record.rescaled for record in world.records] == [False, True, True]
    assert [event.change for event in world.records[-1].state.scale_events] == [4]


def test_an_unanswered_scale_in_that_arrived_begins_its_cooldown():
    world = first_scale_in(arrives=True)
    lowered = world.cluster.replicas[CHECKOUT]
    world.run(4 * 4)

    assert world.cluster.replicas[CHECKOUT] == lowered < 12
    state = world.records[-1].state
    assert (state.last_scale_down_at, state.reverted_at) == (state.scale_events[-1].at, ())


def test_an_unanswered_scale_in_that_did_not_arrive_is_tried_again_at_once():
    world = first_scale_in(arrives=False)

    assert world.records[-1].rescaled
    assert world.records[-1].state.scale_events == world.records[-2].state.scale_events


def test_a_write_that_arrived_unseen_shows_in_the_conflict_of_the_next():
    world = bench(1000.0, checkout=4)
    world.cluster.lost, world.cluster.refuses_stale = [True], True
    seen = world.cluster.facts(CHECKOUT)
    world.cluster.workloads = lambda targets: dict.fromkeys(targets, seen)

    world.run(2)
    after = world.records[-1].state

    assert [event.change for event in after.scale_events] == [4]
    assert (after.order.replicas, after.reverted_at) == (8, ())


def test_a_standby_of_long_standing_decides_as_the_leader_does():
    world = bench(300.0, checkout=12)
    world.held_back = "standby: another replica leads"

    world.run(4 * 9)

    assert world.records[-1].decision.reason is not Reason.RESTART_HOLD
    assert world.records[-1].decision.rescale


def test_a_policy_that_breaks_its_own_turn_does_not_stop_its_neighbour(caplog):
    world = bench(
        1000.0,
        checkout=4,
        search=4,
        policies={CHECKOUT: policy_for(CHECKOUT), SEARCH: policy_for(SEARCH)},
    )
    world.cluster.errors = [RuntimeError("a bug of ours")]

    summary = world.run()

    assert (summary.governed, summary.broken) == (2, 1)
    assert [r.target for r in world.records] == [SEARCH]
    assert "a bug of ours" in caplog.text


def test_a_target_that_does_not_exist_is_told_and_nothing_is_written():
    world = bench(1000.0, search=4)

    world.run()

    [record] = world.records
    assert record.decision.reason is Reason.TARGET_NOT_FOUND
    assert world.cluster.written == []


def test_a_standby_decides_and_writes_nothing():
    world = bench(1000.0, checkout=4)
    world.held_back = "standby: another replica leads"

    world.run()

    [record] = world.records
    assert record.decision.rescale
    assert record.not_rescaled_because == "standby: another replica leads"
    assert world.cluster.written == []


def test_who_takes_over_lowers_nothing_for_a_window():
    world = bench(100.0, checkout=12)
    world.held_back = "standby: another replica leads"
    world.run(40)
    world.held_back = ""

    world.run(20)
    assert world.cluster.written == []

    world.run(20)
    assert world.cluster.replicas[CHECKOUT] < 12


@pytest.mark.parametrize(("cycles", "expected"), [(1, 12), (4 * 10, 14)])
def test_who_takes_over_does_not_renew_what_a_period_allows(cycles, expected):
    slowly = {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 600}]}
    policies = {CHECKOUT: policy_for(CHECKOUT, behavior={"scaleUp": slowly})}
    world, pods = bench(5000.0, checkout=10, policies=policies), []
    pods += [PodFacts(f"old-{i}", NOW - timedelta(days=1)) for i in range(10)]
    world.cluster.facts = lambda target: replace(
        FakeCluster.facts(world.cluster, target), pods=tuple(pods)
    )
    world.held_back = "standby: another replica leads"
    world.run()
    world.cluster.scaled_by_hpa(CHECKOUT, 12)
    pods += [PodFacts(f"new-{i}", world.now) for i in range(2)]
    world.run(cycles)
    world.held_back = ""

    world.run()
    assert world.cluster.replicas[CHECKOUT] == expected


def restarted(world, *, remembering=True, moved_by=timedelta(0)):
    """Another process over the same cluster, after the usual absence."""
    after = Bench(world.cluster, world.metrics.load, {CHECKOUT: policy_for(CHECKOUT)})
    after.now = world.now + 30 * SECOND
    if remembering:
        memories = world.reconciler.memories(world.roster)
        after.reconciler.recall(memories, clock_moved_by=moved_by)
    return after


def governs(world, *targets):
    """Leave these policies in force and no others, from the next cycle on."""
    world.roster = compiled({target: ("test", policy_for(target)) for target in targets})
    world.forecasts.follow(world.roster)


def calm_world():
    """A world long after its start, in which scale-in waits for the load to fall."""
    world = bench(1000.0, checkout=12)
    world.run(4 * 7)
    world.metrics.load = 300.0
    return world


def test_a_restart_that_remembers_scales_in_when_its_predecessor_would_have():
    world = calm_world()
    world.run(4 * 3)
    before = world.cluster.replicas[CHECKOUT]
    after = restarted(world)

    after.run(4 * 3)

    assert world.cluster.replicas[CHECKOUT] < before
    assert Reason.RESTART_HOLD not in {record.decision.reason for record in after.records}


def test_a_restart_right_after_its_predecessor_s_own_write_remembers_too():
    world = calm_world()
    while not world.records[-1].rescaled:
        world.run()
    after = restarted(world)
    after.run()

    assert after.records[0].state.recovered


@pytest.mark.parametrize(
    "meanwhile",
    [
        pytest.param(lambda world: {"remembering": False}, id="nothing was left"),
        pytest.param(
            lambda world: world.cluster.scaled_by_hpa(CHECKOUT, 13) or {}, id="somebody wrote"
        ),
    ],
)
def test_a_restart_that_cannot_know_holds_for_a_window(meanwhile):
    world = calm_world()
    world.run(4 * 4)
    after = restarted(world, **meanwhile(world))
    before = world.cluster.replicas[CHECKOUT]

    after.run(4 * 5)

    assert world.cluster.replicas[CHECKOUT] >= before
    assert after.records[-1].decision.reason is Reason.RESTART_HOLD


def test_a_standby_leaves_no_state_for_it_does_not_know_the_leader_s_rescales():
    world = calm_world()
    world.held_back = "standby: another replica leads"
    world.run(4)
    after = restarted(world)
    after.run()

    assert world.reconciler.memories(world.roster)[CHECKOUT].state == WorkloadState(
        NOW, uid="first"
    )
    assert after.records[0].decision.reason is Reason.RESTART_HOLD


@pytest.mark.parametrize("held_back", ["", "standby: another replica leads", "dry run"])
def test_what_a_pod_carries_is_known_after_a_restart_that_remembers(held_back):
    policies = {CHECKOUT: LEARNING}
    world, after = (bench(400.0, checkout=4, policies=policies) for _ in range(2))
    world.held_back = held_back
    of = " ".join(world.roster.series_keys)
    fit = CapacityFit("", 40.0, 50.0, 0.5, 100.0, 1.0, 0.01, learned_of=of)
    world.run()
    world.reconciler._capacities.recall({CHECKOUT: fit})
    after.reconciler.recall(world.reconciler.memories(world.roster))
    after.cluster.facts = lambda target: replace(
        FakeCluster.facts(after.cluster, target), requests={("app", "cpu"): 1.0}
    )
    after.run()

    assert after.records[0].signals[0].capacity.source is CapacitySource.LEARNED


def test_who_remembered_and_then_takes_over_holds_all_the_same():
    world = calm_world()
    world.run(4 * 4)
    after = restarted(world)
    after.held_back = "standby: another replica leads"
    after.run()
    after.held_back = ""

    after.run()

    assert after.records[-1].decision.reason is Reason.RESTART_HOLD


def test_a_lead_that_goes_back_and_forth_is_no_contention():
    world = bench(1000.0, checkout=4)
    for load, theirs in ((1000.0, 15), (2500.0, 30), (4000.0, 45)):
        world.metrics.load, world.held_back = load, ""
        world.run(4)
        world.held_back = "standby: another replica leads"
        world.cluster.scaled_by_hpa(CHECKOUT, theirs)
        world.run(2)

    assert len(world.cluster.written) >= 3
    assert Reason.REPLICAS_CONTESTED not in {r.decision.reason for r in world.records}


def test_a_write_that_nobody_answered_before_the_lead_was_lost_is_reversed_by_nobody():
    world = bench(1000.0, checkout=4)
    world.cluster.lost = [True]
    world.run()
    world.held_back = "standby: another replica leads"
    world.run(2)
    world.cluster.scaled_by_hpa(CHECKOUT, 15)
    world.run(2)

    assert world.records[-1].state.reverted_at == ()


def test_a_memory_of_a_workload_that_has_no_turn_is_kept_for_half_an_hour():
    world = calm_world()
    after = restarted(world)
    governs(after)
    after.run(4 * 29)
    kept = after.reconciler._states.recalled
    after.run(4)

    assert (kept, after.reconciler._states.recalled) == ({CHECKOUT}, set())


def test_lost_metrics_never_lower():
    world = bench(1000.0, checkout=12)
    world.run(4 * 60)
    before = world.cluster.replicas[CHECKOUT]
    world.metrics.load = None

    world.run(4 * 60 * 6)

    assert world.cluster.replicas[CHECKOUT] >= before
    assert world.records[-1].signals[0].sample.doubt is Doubt.UNREACHABLE


def test_metrics_that_come_back_steer_again():
    world = bench(None, checkout=12)
    world.run(40)
    world.metrics.load = 3000.0

    world.run(4)

    assert world.cluster.replicas[CHECKOUT] >= 30


def test_load_that_goes_is_followed_down_after_the_stabilization_window():
    world = bench(1000.0, checkout=12)
    world.run(40)
    world.metrics.load = 500.0

    world.run(4 * 60)

    assert 5 <= world.cluster.replicas[CHECKOUT] < 10


def test_a_policy_that_left_leaves_no_memory_after_half_an_hour():
    world = bench(1000.0, checkout=4, policies={CHECKOUT: LEARNING})
    world.run()
    governs(world)
    world.run()
    assert world.reconciler._capacities._fits.keys() == {CHECKOUT}
    world.run(4 * 31)

    assert world.reconciler._states._states == world.reconciler._capacities._fits == {}
    assert world.reconciler._states.recalled == set()


def test_a_policy_that_is_gone_for_a_cycle_goes_on_as_if_it_had_not_been():
    world = calm_world()
    world.run(4 * 3)
    before = len(world.records)
    governs(world)
    world.run()
    governs(world, CHECKOUT)
    world.run(4 * 3)

    since = {record.decision.reason for record in world.records[before:]}
    assert Reason.RESTART_HOLD not in since
    assert world.cluster.replicas[CHECKOUT] < 12


@pytest.mark.parametrize("change", ["a quarter of an hour goes by", "somebody scales", "made anew"])
def test_a_policy_that_comes_back_to_another_world_lowers_nothing_at_first(change):
    world = calm_world()
    governs(world)
    world.run(4 * 15 if change == "a quarter of an hour goes by" else 1)
    if change == "somebody scales":
        world.cluster.scaled_by_hpa(CHECKOUT, 14)
    world.cluster.uid = "second" if change == "made anew" else "first"
    before = world.cluster.replicas[CHECKOUT]
    governs(world, CHECKOUT)
    world.run(4 * 4)

    assert world.cluster.replicas[CHECKOUT] == before
    assert world.records[-1].decision.reason is Reason.RESTART_HOLD


@pytest.mark.parametrize(
    ("forecast", "sample", "lead_seconds"),
    [
        pytest.param({}, Sample(9.0, NOW), 120.0, id="nothing measured: the default"),
        pytest.param({"leadTime": "90s"}, Sample(9.0, NOW), 90.0, id="configured"),
        pytest.param({"leadTime": "1s"}, UNKNOWN, 45.0, id="never below a cycle and an age"),
        pytest.param({"leadTime": "1s"}, Sample(9.0, NOW - TICK), 30.0, id="the age measured"),
    ],
)
def test_the_lead_time_asked_of_the_forecast(forecast, sample, lead_seconds):
    roster = compiled({CHECKOUT: ("test", policy_for(CHECKOUT, forecast=forecast))})
    workloads = FakeCluster(checkout=2).workloads([CHECKOUT])

    got = horizon_of(roster, workloads, [sample], interval=TICK, now=NOW)

    assert got.lead_seconds.tolist() == [lead_seconds]
    assert got.risk.tolist() == [0.01]


class ToldForecasts(Forecasts):
    """Remembers whose load it was told to be capped, cycle by cycle."""

    def __init__(self):
        super().__init__()
        self.capped = []

    def observe(self, samples, *, now, capped=()):
        self.capped.append(list(capped))
        super().observe(samples, now=now, capped=capped)


def test_what_saturated_pods_serve_is_told_to_be_a_lower_bound_a_cycle_later():
    policies = {t: policy_for(t, mode="ForecastOnly") for t in (CHECKOUT, SEARCH)}
    cluster = FakeCluster(checkout=40, search=4)
    world = Bench(cluster, 470.0, policies, forecasts=ToldForecasts())
    world.run(2)

    assert world.forecasts.capped == [[], [1]]


def test_a_slower_loop_asks_further_ahead():
    roster = compiled({CHECKOUT: ("test", policy_for(CHECKOUT, forecast={"leadTime": "1s"}))})
    got = horizon_of(roster, {}, [UNKNOWN], interval=4 * TICK, now=NOW)

    assert (got.lead_seconds.tolist(), got.hold_seconds.tolist()) == ([90.0], [120.0])


class FakeWitness:
    """Says that pods are routable a minute after they are ready, and that one is not yet."""

    said = Routability(3, 75 * SECOND, 60 * SECOND, "1 of 4 ready pods do not pass")

    def witnessed(self, workloads, *, now):
        return {t: replace(facts, routability=self.said) for t, facts in workloads.items()}


def test_what_the_witness_says_is_recorded_and_lengthens_the_lead_time():
    world = bench(1000.0, checkout=4)
    world.reconciler._witness = FakeWitness()

    world.run()

    [record] = world.records
    assert record.workload.routability == FakeWitness.said
    assert record.signals[0].forecast.lead_time == 180 * SECOND
    assert record.decision.desired_replicas == 8  # what it would be without a witness


def test_a_lost_race_keeps_what_the_witness_said():
    world = bench(1000.0, checkout=4)
    world.reconciler._witness = FakeWitness()
    world.cluster.errors = [ScaleConflictError("409")]

    world.run()

    assert world.records[0].workload.routability == FakeWitness.said


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_jumps_lowers_nothing_and_says_so_and_then_all_goes_on(hours):
    world = bench(1000.0, checkout=4)
    world.run(40)
    high = world.cluster.replicas[CHECKOUT]
    world.metrics.load = 200.0
    world.now += timedelta(hours=hours)
    world.run(8)
    held = world.records[-1].decision
    world.run(60)

    assert (held.desired_replicas, held.reason) == (high, Reason.CLOCK_JUMP_HOLD)
    assert world.records[-1].signals[0].forecast.age <= STEP
    assert world.cluster.replicas[CHECKOUT] < high


@pytest.mark.parametrize("minutes", [2, 6])
def test_who_gives_a_workload_its_pods_back_keeps_them_for_a_window(minutes):
    world = bench(1900.0, checkout=20)
    world.run(24)
    world.cluster.replicas[CHECKOUT] = 0
    world.metrics.load = 0.0
    world.run(4 * minutes)
    world.cluster.replicas[CHECKOUT] = 20
    back_at = len(world.records)
    world.run(20)
    held = {record.decision.desired_replicas for record in world.records[back_at:]}
    world.run(100)

    assert held == {20}
    assert world.cluster.replicas[CHECKOUT] < 20
