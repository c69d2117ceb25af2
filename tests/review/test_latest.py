from datetime import timedelta

import pytest

from autoscaler.decide.facts import TargetRef
from autoscaler.review.latest import GONE_AFTER, SILENT_AFTER, LatestRecords
from review.records import CHECKOUT, NOW, record

SEARCH, ROLLOUT = TargetRef("shop", "search"), TargetRef("shop", "search", "Rollout", "argo/v1")
TICK = timedelta(seconds=15)


@pytest.fixture
def latest():
    latest = LatestRecords()
    for target in (CHECKOUT, SEARCH, ROLLOUT):
        latest.keep(record(target=target))
    return latest


def test_the_newest_record_replaces_the_one_before(latest):
    newer = record(10, 14, at=NOW + TICK)
    latest.keep(newer)

    assert latest.of(CHECKOUT) is newer
    assert [r.target for r in latest.all()] == [CHECKOUT, SEARCH, ROLLOUT]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("", [SEARCH, ROLLOUT]), ("Deployment", [SEARCH]), ("Rollout", [ROLLOUT]), ("Job", [])],
)
def test_a_person_finds_a_workload_without_its_api_version(latest, kind, expected):
    found = latest.named("shop", "search", kind=kind)

    assert [record.target for record in found] == expected


def test_whose_policy_was_taken_away_is_listed_no_more_but_can_be_looked_up(latest):
    latest.governs = lambda target: target != SEARCH

    assert [r.target for r in latest.all()] == [CHECKOUT, ROLLOUT]
    assert latest.of(SEARCH) is not None


def test_who_is_no_longer_governed_is_gone_after_a_while(latest):
    for k in range(int(2 * GONE_AFTER / TICK) + 1):
        latest.keep(record(at=NOW + (k + 1) * TICK))

    assert [r.target for r in latest.all()] == [CHECKOUT]
    assert latest.history.changes(SEARCH) == []


def test_the_last_that_was_governed_is_gone_after_a_while_though_no_record_comes(latest):
    for k in range(int(2 * GONE_AFTER / TICK) + 1):
        latest.note_cycle(NOW + (k + 1) * TICK)

    assert latest.all() == []


def test_who_is_no_longer_governed_is_gone_as_soon_after_the_clock_was_set_back(latest):
    for k in range(int(2 * GONE_AFTER / TICK) + 1):
        latest.keep(record(at=NOW - timedelta(hours=1) + k * TICK))

    assert [r.target for r in latest.all()] == [CHECKOUT]


def test_who_is_still_governed_stays(latest):
    for k in range(200):
        for target in (CHECKOUT, SEARCH, ROLLOUT):
            latest.keep(record(at=NOW + (k + 1) * TICK, target=target))

    assert len(latest.all()) == 3


def test_a_long_pause_of_the_daemon_forgets_nobody_who_returns(latest):
    later = NOW + timedelta(hours=3)
    for target in (CHECKOUT, SEARCH, ROLLOUT):
        latest.keep(record(at=later, target=target))

    assert len(latest.all()) == 3


class Seconds:
    """A clock that nobody sets, moved on by hand."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(
    ("waited", "told"),
    [
        (59, ""),
        (60, "no new decision for 1m"),
        (119, "no new decision for 1m"),
        (7 * 3600 + 90, "no new decision for 7h1m"),
    ],
)
@pytest.mark.parametrize("heard", ["a record", "a cycle without policies", "nothing yet"])
def test_who_hears_no_decision_for_a_minute_is_not_live(heard, waited, told):
    seconds = Seconds()
    latest = LatestRecords(clock=seconds)
    if heard != "nothing yet":
        seconds.now += 5000
        latest.keep(record()) if heard == "a record" else latest.note_cycle(NOW)
    seconds.now += waited

    assert latest.silence() == told


def test_longer_intervals_are_waited_for_longer():
    seconds = Seconds()
    latest = LatestRecords(silent_after=4 * SILENT_AFTER, clock=seconds)
    seconds.now += 239

    assert latest.silence() == ""


@pytest.mark.parametrize(
    ("behind", "told"), [(0, ""), (59, ""), (60, "no new decision for 1m"), (-300, "")]
)
def test_one_that_is_not_decided_while_others_are_is_told_alone(behind, told):
    latest = LatestRecords(clock=Seconds())
    latest.note_cycle(NOW)

    assert latest.silence() == ""
    assert latest.silence(NOW - timedelta(seconds=behind)) == told


def test_the_times_of_decisions_may_be_simulated():
    seconds = Seconds()
    latest = LatestRecords(clock=seconds)
    for k in range(4):
        latest.keep(record(at=NOW + k * timedelta(hours=9)))
        seconds.now += 1

    assert latest.silence() == ""


def test_what_has_ended_says_why_at_once():
    latest = LatestRecords(clock=Seconds())
    latest.keep(record())
    latest.ended = "the demo's days are over"

    assert latest.silence() == latest.silence(NOW) == "the demo's days are over"
