from datetime import timedelta

import pytest

from autoscaler.decide.facts import TargetRef
from autoscaler.review.latest import GONE_AFTER, LatestRecords
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
    [("", SEARCH), ("Deployment", SEARCH), ("Rollout", ROLLOUT), ("Job", None)],
)
def test_a_person_finds_a_workload_without_its_api_version(latest, kind, expected):
    found = latest.find("shop", "search", kind=kind)

    assert (found and found.target) == expected


def test_who_is_no_longer_governed_is_gone_after_a_while(latest):
    for k in range(int(2 * GONE_AFTER / TICK) + 1):
        latest.keep(record(at=NOW + (k + 1) * TICK))

    assert [r.target for r in latest.all()] == [CHECKOUT]
    assert latest.history.changes(SEARCH) == []


def test_the_last_that_was_governed_is_gone_after_a_while_though_no_record_comes(latest):
    for k in range(int(2 * GONE_AFTER / TICK) + 1):
        latest.forget_gone(NOW + (k + 1) * TICK)

    assert latest.all() == []


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
