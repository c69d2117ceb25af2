import math
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autoscaler.decide.decision import Proposal, Recommendation
from autoscaler.decide.facts import Doubt, PodFacts, Sample, Trust
from autoscaler.decide.reason import Reason
from autoscaler.decide.state import WorkloadState
from autoscaler.policy.quantity import duration_text, share_text
from autoscaler.policy.schema import Mode
from autoscaler.ports import UNANSWERED
from autoscaler.review.explanation import chain_of_numbers
from autoscaler.review.fields import MESSAGE_LIMIT
from autoscaler.review.rows import column_names, packed, unpacked
from autoscaler.review.sentence import sentence
from decide import worlds
from decide.strategies import SEEDS, grown
from review.records import (
    LONG_AGO,
    NOW,
    UNROUTABLE,
    decided,
    forecast,
    missing,
    policy,
    record,
    signal,
    workload,
)

NO_WAIT = {"scaleDown": {"stabilizationWindowSeconds": 0}}

EXPECTED = (
    "requestRate linkerd, now 1200, may reach 1600 in 2m (risk 1%), which needs 14 at 120 per pod."
)


def recommended(predictive, reactive, detail=""):
    proposal = Proposal("requestRate linkerd", predictive, reactive)
    return Recommendation(
        proposal.replicas, Reason.FORECAST_ABOVE_TARGET, (proposal,), detail=detail
    )


BLIND = signal(sample=Sample(None, doubt=Doubt.ABSENT, detail="no series"), forecast=None)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        pytest.param(
            record(10, 14), f"scaled from 10 to 14 replicas: {EXPECTED}", id="the forecast asks"
        ),
        pytest.param(record(14, 14), f"kept 14 replicas: {EXPECTED}", id="nothing to do"),
        pytest.param(
            record(14, 14, workload=workload(14, routability=replace(UNROUTABLE, passing=None))),
            f"kept 14 replicas: {EXPECTED}",
            id="what Consul does not say is not told",
        ),
        pytest.param(
            record(14, 14, workload=workload(14, routability=UNROUTABLE)),
            f"kept 14 replicas: {EXPECTED[:-1]}; not routable for 1m15s: "
            "6 of 10 ready pods do not pass in Consul.",
            id="ready, but not found by callers",
        ),
        pytest.param(
            record(10, 14, rescaled=False, mode=Mode.FORECAST_ONLY),
            f"would scale from 10 to 14 replicas (ForecastOnly): {EXPECTED}",
            id="forecast only",
        ),
        pytest.param(
            record(10, 14, rescaled=False, not_rescaled_because="dry run"),
            f"would scale from 10 to 14 replicas (dry run): {EXPECTED}",
            id="held back on purpose",
        ),
        pytest.param(
            record(10, 12, (Reason.TOO_MANY_REPLICAS, 14, 12), recommended=14),
            "scaled from 10 to 12 replicas: maxReplicas caps it at 12, fewer than are needed: "
            f"{EXPECTED}",
            id="capped: the deciding rule comes first",
        ),
        pytest.param(
            record(20, 20, (Reason.SCALE_DOWN_STABILIZED, 14, 20, "2m45s left"), recommended=14),
            "kept 20 replicas: the scale-down stabilization window holds 20 (2m45s left), "
            f"more than is needed: {EXPECTED}",
            id="held by the window",
        ),
        pytest.param(
            record(40, 40, (Reason.RESTART_HOLD, 14, 40, "5m left"), recommended=14),
            "kept 40 replicas: the recent past is not known here, so 40 stay (5m left), "
            f"more than is needed: {EXPECTED}",
            id="just started, or the workload is new, or who leads",
        ),
        pytest.param(
            record(
                10,
                12,
                (Reason.SCALE_UP_STABILIZED, 14, 13),
                (Reason.SCALE_UP_LIMIT, 13, 12),
                recommended=14,
            ),
            "scaled from 10 to 12 replicas: the scale-up rate limit allows 12, fewer than are "
            f"needed: {EXPECTED[:-1]}; overruled: the scale-up stabilization window holds 13.",
            id="of two rules the one that stands comes first",
        ),
        pytest.param(
            record(
                19,
                19,
                (Reason.SCALE_DOWN_STABILIZED, 14, 15, "2m45s left"),
                (Reason.CHURN_HOLD, 15, 19, "12 % of the pods"),
                recommended=14,
            ),
            "kept 19 replicas: 19 stay for now, to spare a rescale (12 % of the pods), more than "
            f"is needed: {EXPECTED[:-1]}; overruled: the scale-down stabilization window holds 15 "
            "(2m45s left).",
            id="of two holds as well",
        ),
        pytest.param(
            record(
                10,
                14,
                (Reason.SCALE_UP_LIMIT, 40, 20),
                (Reason.SCHEDULE_FLOOR, 20, 30, "sale"),
                (Reason.TOO_MANY_REPLICAS, 30, 14),
                recommended=40,
                workload=workload(10, routability=UNROUTABLE),
            ),
            "scaled from 10 to 14 replicas: maxReplicas caps it at 14, fewer than are needed: "
            "requestRate linkerd, now 1200, may reach 1600 in 2m (risk 1%), which needs 40 at 120 "
            "per pod; not routable for 1m15s: 6 of 10 ready pods do not pass in Consul; "
            "overruled: the scale-up rate limit allows 20; the schedule asks for at least 30 "
            "(sale).",
            id="all that were overruled, in order",
        ),
        pytest.param(
            record(
                14,
                14,
                (Reason.PODS_NEVER_READY, 14, 16),
                (Reason.TOO_MANY_REPLICAS, 16, 14),
                recommended=14,
            ),
            f"kept 14 replicas: maxReplicas caps it at 14; {EXPECTED[:-1]}; overruled: pods that "
            "never become ready make it 16.",
            id="back at what is needed",
        ),
        pytest.param(
            decided(BLIND, current=14),
            "kept 14 replicas: metrics are unknown, which never lowers: "
            "requestRate linkerd is absent, no series.",
            id="blind",
        ),
        pytest.param(
            record(
                10, 15, trust=Trust.DEMOTED, recommendation=recommended(15, 10, "forecast demoted")
            ),
            "scaled from 10 to 15 replicas: requestRate linkerd, now 1200, may reach 1760 in 2m "
            "(risk 1%), which needs 15 at 120 per pod (forecast demoted).",
            id="demoted: persistence speaks",
        ),
        pytest.param(
            record(10, 21, recommendation=recommended(14, 21), signals=(signal(2500.0),)),
            "scaled from 10 to 21 replicas: "
            "requestRate linkerd is 2500, which needs 21 at 120 per pod.",
            id="the measurement is above the forecast",
        ),
        pytest.param(
            record(10, 14, rescaled=False, not_rescaled_because="403 Forbidden"),
            "wanted 14 replicas but 10 stay, not written (403 Forbidden): " + EXPECTED,
            id="refused by the API server",
        ),
        pytest.param(
            record(10, 14, rescaled=False, not_rescaled_because=f"{UNANSWERED}504 Gateway Timeout"),
            "wanted 14 replicas, and whether that was written is not known yet "
            f"(unanswered: 504 Gateway Timeout): {EXPECTED}",
            id="nobody answered: it may have arrived",
        ),
    ],
)
def test_the_number_comes_first_and_then_the_one_reason(made, expected):
    assert sentence(made.as_dict()) == expected


@pytest.mark.parametrize(
    ("step", "told"),
    [
        pytest.param((3, 10), "the scale-down cooldown keeps 10", id="in"),
        pytest.param((14, 10), "the scale-up cooldown keeps 10", id="out"),
        pytest.param((2, 1), "the scale-up cooldown keeps 1", id="one"),
    ],
)
def test_a_cooldown_says_of_which_direction_it_is(step, told):
    made = record(step[1], step[1], (Reason.COOLDOWN_ACTIVE, *step), recommended=step[0])

    assert told in sentence(made.as_dict())


def test_one_replica_is_no_replicas():
    told = sentence(record(1, 1, (Reason.BURST_HOLD, 0, 1), recommended=0).as_dict())

    assert told.startswith("kept 1 replica: a burst began lately, so 1 stays")


def test_a_bound_that_lifts_the_number_caps_nothing():
    above = {"current": 40, "spec": policy(maxReplicas=30, behavior=NO_WAIT)}
    told = sentence(decided(signal(1200.0, quantile=1200.0), **above).as_dict())

    assert told.startswith(
        "scaled from 40 to 30 replicas: maxReplicas is 30, and the first step in ends there, "
        "more than is needed: "
    )


def test_a_load_within_tolerance_is_not_said_to_need_what_is_there():
    demoted = signal(1250.0, forecast=None)
    told = sentence(decided(demoted, current=10).as_dict())

    assert told == (
        "kept 10 replicas: requestRate linkerd is 1250, to which HPA's rules (pod by pod, or its "
        "tolerance) answer 10 (usage ratio 1.04167 at 120 per pod)."
    )


def test_pods_that_start_beside_a_trusted_forecast_are_no_matter_of_tolerance():
    cpu = {"resource": {"name": "cpu", "target": {"averageValue": "500m"}}}
    pods = tuple(
        PodFacts(name, since, ready=name == "old", started_at=since)
        for name, since in (("old", LONG_AGO), ("new", NOW - timedelta(seconds=30)))
    )
    burning = signal(
        sample=Sample(3.9, NOW, 2, by_pod={"old": 0.9, "new": 3.0}), quantile=0.4, per_pod=0.5
    )
    spec = policy(minReplicas=1, metrics=[{"type": "Resource", **cpu}])
    told = sentence(decided(burning, current=4, ready=1, pods=pods, spec=spec).as_dict())

    assert "is 3.9, to which HPA's rules (pod by pod, or its tolerance) answer 2 (" in told


def test_a_forecast_that_carries_on_blind_is_told_by_what_it_asks_for():
    carried = signal(
        sample=Sample(None, doubt=Doubt.ABSENT), forecast=forecast(1600.0, trust=Trust.STALE)
    )
    made = decided(carried, current=10)

    assert "may reach 1600 in 2m (risk 1%), which needs 14 at 120" in sentence(made.as_dict())
    assert unpacked(packed(made))[column_names(len(packed(made))).index("level.0")] == 1600.0
    assert any(row.split()[:4] == ["forecast", "1280", "to", "1600"] for row in why(made))


def why(made):
    return chain_of_numbers(made.as_dict())


@pytest.mark.parametrize(
    ("current", "told"),
    [
        pytest.param(10, "requestRate linkerd is 1680, which needs 14", id="as measured"),
        pytest.param(14, "requestRate linkerd, now 1680, may reach 1680 in 2m", id="both say so"),
    ],
)
def test_of_two_that_agree_the_sentence_tells_the_one_of_the_reason(current, told):
    assert told in sentence(decided(signal(1680.0, quantile=1680.0), current=current).as_dict())


def test_who_forbids_lowering_is_named_also_where_another_metric_leads():
    spec = policy(metrics=2 * [policy().metrics[0].model_dump(by_alias=True, exclude_none=True)])
    silent = replace(BLIND, metric="requestRate istio")
    told = sentence(decided(signal(quantile=800.0), silent, current=20, spec=spec).as_dict())

    assert told == (
        "kept 20 replicas: metrics are unknown, which never lowers, so 20 stay, more than is "
        "needed: requestRate linkerd is 1200, which needs 10 at 120 per pod; "
        "requestRate istio is absent, no series."
    )


@pytest.mark.parametrize(
    ("doubt", "told"),
    [
        (Doubt.STALE, "linkerd is stale, why."),
        (Doubt.UNREACHABLE, "linkerd has its source unreachable, why."),
        (Doubt.REFUSED, "linkerd has its query refused, why."),
        (Doubt.CLOCK_SKEW, "linkerd is of a clock that differs, why."),
        (Doubt.FOREIGN, "linkerd is another cluster's series, why."),
    ],
)
def test_every_doubt_is_told_of_the_metric_it_is_about(doubt, told):
    doubted = signal(sample=Sample(None, doubt=doubt, detail="why"), forecast=None)

    assert sentence(decided(doubted).as_dict()).endswith(told)


def test_of_a_target_that_is_not_there_no_number_is_kept():
    assert sentence(missing().as_dict()) == "has nothing to scale: the target does not exist."


def test_who_sleeps_says_so_instead_of_doubting_what_fell_silent():
    told = sentence(decided(BLIND, current=0, spec=policy(minReplicas=0)).as_dict())

    assert told == (
        "kept 0 replicas: asleep, and requestRate linkerd is silent, as is to be expected "
        "without pods."
    )


def test_who_sleeps_while_prometheus_does_not_answer_is_told_that():
    away = signal(sample=Sample(None, doubt=Doubt.UNREACHABLE, detail="timed out"), forecast=None)
    told = sentence(decided(away, current=0, spec=policy(minReplicas=0)).as_dict())

    assert told == (
        "kept 0 replicas: metrics are unknown, which never lowers: "
        "requestRate linkerd has its source unreachable, timed out."
    )


def test_a_bound_under_unknown_metrics_is_told_with_them():
    told = sentence(decided(BLIND, current=70).as_dict())

    assert told == (
        "scaled from 70 to 60 replicas: maxReplicas caps it at 60; metrics are unknown: "
        "requestRate linkerd is absent, no series."
    )


@pytest.mark.parametrize(
    ("current", "value", "capacity", "told"),
    [
        pytest.param(3, 0.0, 120.0, "needs 0 at 120 per pod; the last pod stays until", id="last"),
        pytest.param(0, 900.0, None, "is 900; any load at all wakes the first pod", id="woken"),
    ],
)
def test_around_zero_the_load_is_not_said_to_need_the_pod(current, value, capacity, told):
    asked = signal(value, forecast=None)
    asked = asked if capacity else replace(asked, capacity=None)
    made = decided(asked, current=current, spec=policy(minReplicas=0))

    assert made.recommendation.replicas == 1
    assert told in sentence(made.as_dict())


@settings(deadline=None, max_examples=300)
@given(SEEDS)
@example(2353)  # no pod yet, and a load a little above a whole number of pods
def test_what_is_needed_is_the_recommendation_and_can_be_reckoned_again(seed):
    line = of_world(grown(seed)).as_dict()
    found = re.search(
        r"(?:may reach|is) ([\d.e+-]+)(?: in \S+ \(risk \S+\)| \([a-z ]+\))?, "
        r"which needs (\d+) at ([\d.e+-]+) per pod(?!, with)(; (?!overruled))?",
        line["message"],
    )
    if found is None:
        return

    load, needed, per_pod = float(found[1]), int(found[2]), float(found[3])
    assert needed == math.ceil(load / per_pod - 1e-9)
    assert needed == line["recommendation"]["replicas"] or found[4]


def of_world(world):
    """Return the record of one cycle of a random world."""
    outcome = world.outcome()
    return record(
        at=worlds.NOW,
        workload=world.facts,
        signals=world.signals,
        recommendation=outcome.recommendation,
        decision=outcome.decision,
        spec=world.policy,
        state=outcome.state_if_held,
    )


def test_every_reason_has_a_sentence_that_ends_in_one_stop_and_is_bounded():
    for reason in Reason:
        told = sentence(record(10, 12, (reason, 14, 12, "x" * 900)).as_dict())

        assert told.endswith(".")
        assert len(told) <= MESSAGE_LIMIT + 1


def test_a_lead_time_is_told_to_the_second():
    measured = signal(forecast=forecast(lead_time=timedelta(seconds=9.69407)))

    assert (
        "may reach 1600 in 10s (risk 1%)"
        in record(14, 14, signals=(measured,)).as_dict()["message"]
    )


def test_a_pod_that_nobody_measures_is_named_as_what_forbids_lowering():
    asked = Proposal("requestRate linkerd", 14, 14, doubt=Reason.METRICS_PARTIAL_HOLD)
    partial = Recommendation(14, Reason.METRICS_PARTIAL_HOLD, (asked,), may_lower=False)

    assert record(14, 14, recommendation=partial).as_dict()["message"] == (
        f"kept 14 replicas: {EXPECTED[:-1]}; not every pod is measured, which never lowers."
    )


@settings(deadline=None)
@given(
    value=st.just(0.0) | st.floats(0.01, 1e7),
    quantile=st.just(0.0) | st.floats(0.01, 1e7),
    current=st.integers(1, 200),
    last=st.integers(0, 600),
)
def test_every_figure_of_the_sentence_is_a_field_of_the_record(value, quantile, current, last):
    started = WorkloadState(LONG_AGO, last_scale_down_at=NOW)
    line = decided(signal(value, quantile=quantile), current=current, state=started).as_dict()

    figures = set(re.findall(r"(?<![\w.])\d[\d.e+]*\w*%?", line["message"].rstrip(".")))

    assert figures <= set(printed_figures(line))


def printed_figures(fields):
    """Yield every number of a record in each form in which a sentence may print it."""
    if isinstance(fields, dict):
        for key, value in fields.items():
            if key.endswith("_seconds") and value is not None:
                yield duration_text(timedelta(seconds=value))
            if key == "detail":
                yield from re.findall(r"\d[\w.]*", value)
            yield from printed_figures(value)
    elif isinstance(fields, list):
        for value in fields:
            yield from printed_figures(value)
    elif isinstance(fields, int | float):
        yield from (f"{fields:.6g}", str(fields), share_text(float(fields)))
