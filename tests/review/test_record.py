import json
import math
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from autoscaler.decide.decision import Limit, Proposal, Recommendation
from autoscaler.decide.facts import Doubt, Sample, Trust
from autoscaler.decide.reason import Reason
from autoscaler.decide.state import ScaleEvent, WorkloadState
from autoscaler.review.fields import (
    ASLEEP,
    DECISION,
    SCHEMA_VERSION,
    SIGNAL_TEXT_LIMIT,
    decision_schema,
)
from autoscaler.review.log import decision_line
from autoscaler.review.sentence import sentence
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

VALIDATOR = Draft202012Validator(decision_schema())
# containerd and CRI-O split longer lines.
CONTAINER_LINE_LIMIT = 16 * 1024


def test_the_schema_is_itself_valid_and_says_its_version():
    Draft202012Validator.check_schema(decision_schema())

    assert decision_schema()["properties"]["schema"]["const"] == SCHEMA_VERSION
    assert all("description" in d for d in decision_schema()["$defs"].values() if "properties" in d)


def test_a_record_tells_the_limits_that_were_in_force():
    state = WorkloadState(LONG_AGO, scale_events=(ScaleEvent(NOW, 6),))

    line = decided(current=16, state=state).as_dict()

    assert line["bounds"] == {
        "min_replicas": 2,
        "max_replicas": 60,
        "scale_down_limit": 0,
        "scale_up_limit": 20,
        "scale_in_paused": False,
        "scale_out_paused": False,
    }


def test_a_pause_of_one_direction_is_told_even_while_nothing_moves():
    line = decided(current=14, annotations={"autoscaler/paused-scale-in": "true"}).as_dict()

    assert (line["bounds"]["scale_in_paused"], line["bounds"]["scale_out_paused"]) == (True, False)


def test_an_infinite_ratio_is_unknown_because_json_has_no_infinity():
    proposal = Proposal("requestRate linkerd", None, 4, math.inf)
    made = record(recommendation=Recommendation(4, Reason.WOKEN_FROM_ZERO, (proposal,)))

    assert made.as_dict()["signals"][0]["usage_ratio"] is None


@pytest.mark.parametrize("trust", list(Trust))
def test_the_trust_of_the_only_forecast_is_that_of_the_policy(trust):
    made = record(trust=trust)

    assert made.as_dict()["trust"] == made.trust == trust


def test_outside_text_is_bounded_on_one_line_and_without_credentials():
    answer = (
        "GET http://admin:hunter2@prometheus/api: 500\nAuthorization: Bearer abc.def " + "x" * 999
    )
    line = decided(signal(sample=Sample(None, detail=answer), forecast=None)).as_dict()

    detail = line["signals"][0]["detail"]

    assert len(detail) == SIGNAL_TEXT_LIMIT
    assert "\n" not in detail
    assert "hunter2" not in json.dumps(line)
    assert "abc.def" not in json.dumps(line)
    VALIDATOR.validate(line)


def test_the_longest_record_fits_a_line_of_a_container_runtime():
    noisy = signal(metric="m" * 999, sample=Sample(1e300, NOW, doubt=None, detail="d" * 999))
    limits = tuple(Limit(reason, 99_999, 99_998, "d" * 999) for reason in list(Reason)[:12])
    made = record(signals=(noisy,) * 16, recommendation=Recommendation(None, Reason.PAUSED))
    made = record(
        signals=(noisy,) * 16,
        recommendation=Recommendation(None, Reason.PAUSED, detail="d" * 999),
        decision=type(made.decision)(1, 2, Reason.PAUSED, limits),
    )

    assert len(json.dumps(made.as_dict(), separators=(",", ":"))) < CONTAINER_LINE_LIMIT


cycles = st.builds(
    lambda value, quantile, current, since, high, paused: decided(
        signal(value, quantile=quantile),
        current=current,
        spec=policy(maxReplicas=high, paused=paused),
        state=WorkloadState(LONG_AGO, last_scale_down_at=NOW - since, last_scale_up_at=NOW),
    ),
    st.none() | st.floats(0, 1e6),
    st.floats(0, 1e6),
    st.integers(0, 200),
    st.timedeltas(NOW - NOW, NOW - LONG_AGO),
    st.integers(2, 300),
    st.booleans(),
)


@settings(max_examples=200, deadline=None)
@given(cycles)
def test_a_round_trip_through_json_and_text_loses_nothing(made):
    line = made.as_dict()

    back = DECISION.validate_json(json.dumps(line, allow_nan=False))

    VALIDATOR.validate(json.loads(json.dumps(line)))
    assert back == line
    assert sentence(back) == line["message"]
    assert decision_line(back) == decision_line(line)


@settings(max_examples=200, deadline=None)
@given(cycles)
def test_the_chain_leads_from_the_recommendation_to_the_decision_without_a_gap(made):
    line = made.as_dict()
    asked = line["recommendation"]["replicas"]
    number = line["current_replicas"] if asked is None else asked

    for limit in line["chain"]:
        assert limit["from"] == number
        number = limit["to"]

    assert number == line["desired_replicas"]
    assert asked == max(
        (n for s in line["signals"] for n in proposals(s) if n is not None), default=None
    )


def proposals(line):
    return line["predictive_replicas"], line["reactive_replicas"]


@settings(max_examples=100, deadline=None)
@given(cycles)
def test_the_proposals_follow_from_the_loads_and_the_capacity_in_the_record(made):
    one = made.as_dict()["signals"][0]
    per_pod = one["capacity"]["per_pod"]

    needs = one["forecast"]["quantile"] / per_pod

    assert one["predictive_replicas"] == pytest.approx(math.ceil(needs), rel=1e-5, abs=1)
    if one["value"] is not None:
        assert one["reactive_replicas"] == pytest.approx(one["value"] / per_pod, rel=1e-5, abs=1)


def test_what_consul_says_is_in_the_record_and_null_where_it_is_not_asked():
    line = record(workload=workload(10, routability=UNROUTABLE)).as_dict()

    VALIDATOR.validate(line)
    assert record().as_dict()["routability"] is None
    assert line["routability"] == {
        "passing": 4,
        "unroutable_seconds": 75,
        "delay_seconds": 75,
        "alarming": True,
        "detail": "6 of 10 ready pods do not pass",
    }


def test_becoming_unroutable_is_news():
    before, after = record(), record(workload=workload(10, routability=UNROUTABLE))

    assert before.headline != after.headline


def refused(query, detail):
    metrics = [{"type": "RequestRate", "requestRate": {"query": query}}]
    sample = Sample(None, doubt=Doubt.REFUSED, detail=detail)
    doubtful = signal(sample=sample, forecast=None)
    return decided(doubtful, spec=policy(metrics=metrics))


def test_another_wrong_query_is_news_and_other_words_for_the_same_are_not():
    first = refused("sum(a", "1:6: parse error")

    assert "query refused, 1:6: parse error" in first.as_dict()["message"]
    assert first.headline == refused("sum(a", "said in other words").headline
    assert first.headline != refused("sumo(a)", "unknown function").headline


def test_a_target_that_is_gone_has_a_record_all_the_same():
    line = missing().as_dict()

    VALIDATOR.validate(line)
    assert {name for name, value in line.items() if value is None} == {
        *("current_replicas", "ready_replicas", "routability", "bounds", "desired_replicas")
    }


def test_a_target_that_is_gone_is_told_from_one_that_was_scaled_to_zero():
    assert "   ? -> ?   " in decision_line(missing().as_dict())
    assert "   0 -> 0   " in decision_line(record(0, 0).as_dict())


@pytest.mark.parametrize(
    ("each", "told"),
    [
        pytest.param([Trust.DEMOTED, Trust.STALE], Trust.STALE, id="stale before demoted"),
        pytest.param([Trust.WARMING, Trust.DEMOTED], Trust.DEMOTED, id="demoted before warming"),
        pytest.param([Trust.TRUSTED, Trust.WARMING], Trust.WARMING, id="one that is warming"),
        pytest.param([Trust.TRUSTED, Trust.TRUSTED], Trust.TRUSTED, id="all trusted"),
    ],
)
def test_of_several_forecasts_the_least_trusted_is_told(each, told):
    signals = tuple(signal(forecast=forecast(trust=trust)) for trust in each)

    assert record(signals=signals).trust is told


@pytest.mark.parametrize(
    ("doubt", "current", "told"),
    [
        pytest.param(Doubt.ABSENT, 0, ASLEEP, id="no pods, no load to know"),
        pytest.param(Doubt.ABSENT, 1, Trust.STALE, id="a pod serves, and should be heard of"),
        pytest.param(Doubt.NOT_SCRAPED, 0, Trust.STALE, id="requests may arrive unseen"),
        pytest.param(Doubt.UNREACHABLE, 0, Trust.STALE, id="nobody answers"),
    ],
)
def test_who_sleeps_in_silence_has_no_stale_forecast(doubt, current, told):
    stale = forecast(40.0, trust=Trust.STALE, age=timedelta(hours=5))
    silent = signal(sample=Sample(None, doubt=doubt), forecast=stale)

    made = decided(silent, current=current, spec=policy(minReplicas=0))

    VALIDATOR.validate(made.as_dict())
    assert (made.trust, made.as_dict()["trust"]) == (told, told)


def test_who_sleeps_and_is_heard_of_is_trusted_as_its_forecast_is():
    heard = signal(sample=Sample(0.0, NOW, 1), forecast=forecast(0.0))

    assert decided(heard, current=0, spec=policy(minReplicas=0)).trust is Trust.TRUSTED


def test_a_workload_that_is_woken_by_one_pod_stays_within_the_limits_told():
    percent = {"policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}
    spec = policy(minReplicas=0, behavior={"scaleUp": percent})
    line = decided(signal(60.0, quantile=60.0), current=0, spec=spec).as_dict()

    assert (line["desired_replicas"], line["bounds"]["scale_up_limit"]) == (1, 1)


def test_news_is_any_change_of_number_trust_or_doubt():
    quiet = record(10, 10, at=NOW)

    assert quiet.headline == record(10, 10, at=LONG_AGO, workload=workload(10, ready=3)).headline
    assert quiet.headline == record(10, 10, (Reason.COOLDOWN_ACTIVE, 8, 10)).headline
    assert quiet.headline != record(10, 10, (Reason.ROLLOUT_HOLD, 8, 10)).headline
    assert quiet.headline != record(10, 10, trust=Trust.DEMOTED).headline


@pytest.mark.parametrize(
    ("before", "after", "news"),
    [
        pytest.param("standby: a leads", "standby: b leads", False, id="who leads instead"),
        pytest.param("standby: a leads", "waiting: 4 shards act", True, id="another role"),
        pytest.param("standby: a leads", "", True, id="we lead"),
        pytest.param("no answer", "403 Forbidden", True, id="another refusal"),
    ],
)
def test_why_nothing_is_written_is_news_of_a_policy_where_it_is_about_it(before, after, news):
    one, other = (record(10, 14, not_rescaled_because=told) for told in (before, after))

    assert (one.headline != other.headline) is news
