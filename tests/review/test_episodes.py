from datetime import timedelta

import pytest

from autoscaler.decide.facts import Doubt, Sample, Trust
from autoscaler.decide.reason import Reason
from autoscaler.review.episodes import STATES, Episode, Moment, episodes, moment
from autoscaler.review.time_in_state import which_policies
from review.records import NOW, decided, forecast, policy, record, signal

REASONS = frozenset({Reason.COOLDOWN_ACTIVE})


def after(minutes):
    return NOW + timedelta(minutes=minutes)


def moments(*pairs, who="shop/checkout"):
    return [Moment(after(m), who, holds, REASONS if holds else frozenset()) for m, holds in pairs]


def span(start, end, *, ongoing=False, who="shop/checkout"):
    return Episode(who, after(start), after(end), ongoing, REASONS)


@pytest.mark.parametrize(
    ("seen", "start", "end", "expected"),
    [
        pytest.param([(0, True), (5, False)], None, None, [span(0, 5)], id="one span"),
        pytest.param(
            [(0, True), (3, True), (5, False)], None, None, [span(0, 5)], id="other lines within"
        ),
        pytest.param([(0, False), (5, False)], None, None, [], id="never"),
        pytest.param([(0, False), (5, True)], None, 9, [span(5, 9, ongoing=True)], id="still"),
        pytest.param([(0, True), (9, False)], 4, None, [span(4, 9)], id="cut at the start"),
        pytest.param([(0, True), (4, False)], 4, None, [], id="over when the time asked begins"),
        pytest.param(
            [(0, True), (2, False), (9, True)], 5, 9, [span(9, 9, ongoing=True)], id="gone"
        ),
        pytest.param([(9, False), (0, True)], None, None, [span(0, 9)], id="out of order"),
        pytest.param([(0, True), (20, False)], None, 9, [span(0, 9, ongoing=True)], id="cut short"),
        pytest.param([], None, None, [], id="an empty log"),
    ],
)
def test_lines_become_spans(seen, start, end, expected):
    start, end = (None if m is None else after(m) for m in (start, end))

    assert episodes(moments(*seen), start=start, end=end) == expected


def test_the_log_ends_for_all_when_its_last_line_was_written():
    seen = [*moments((0, True)), *moments((30, False), who="shop/search")]

    assert episodes(seen) == [span(0, 30, ongoing=True)]


@pytest.mark.parametrize(
    ("state", "made"),
    [
        ("demoted", record(trust=Trust.DEMOTED)),
        ("demoted", record(trust=Trust.STALE)),
        ("held", record(10, 10, (Reason.SCALE_DOWN_STABILIZED, 8, 10))),
        ("capped", record(10, 12, (Reason.TOO_MANY_REPLICAS, 14, 12))),
        ("capped", record(10, 12, (Reason.HPA_MAX_REPLICAS, 14, 12))),
        ("contested", record(10, 10, (Reason.REPLICAS_CONTESTED, 14, 10))),
        ("refused", record(10, 14, rescaled=False, not_rescaled_because="403 Forbidden")),
        ("paused", record(10, 10, (Reason.PAUSED, 14, 10))),
    ],
)
def test_each_state_is_told_from_a_line_and_not_from_a_calm_one(state, made):
    assert moment(made.as_dict(), state).holds
    assert not moment(record().as_dict(), state).holds
    assert set(STATES) >= {state}


@pytest.mark.parametrize(
    ("doubt", "states"),
    [(Doubt.ABSENT, set()), (Doubt.UNREACHABLE, {"unknown", "demoted", "held"})],
)
def test_who_sleeps_in_silence_is_in_no_state_and_who_is_not_answered_is(doubt, states):
    stale = forecast(40.0, trust=Trust.STALE, age=timedelta(hours=5))
    silent = signal(sample=Sample(None, doubt=doubt), forecast=stale)
    line = decided(silent, current=0, spec=policy(minReplicas=0)).as_dict()

    assert {state for state in STATES if moment(line, state).holds} == states


def test_a_capacity_that_is_not_known_makes_no_metric_unknown():
    line = decided(signal(capacity=None)).as_dict()

    assert not moment(line, "unknown").holds
    assert moment(line, "held").holds


def test_the_answer_names_the_longest_and_those_that_are_still():
    found = [span(0, 20), span(30, 40, ongoing=True), span(0, 5, who="shop/search")]

    answer = which_policies(found, "held", n_policies=7)

    assert answer.sentence == (
        "2 of 7 policies were held, 1 still at the end of the log; "
        "the longest was shop/checkout, for 30m in 2 spans."
    )
    assert [one["seconds"] for one in answer.data["policies"]] == [1800.0, 300.0]


def test_none_is_an_answer_too():
    answer = which_policies([], "capped", n_policies=1)

    assert answer.sentence == "None of 1 policy was capped."
