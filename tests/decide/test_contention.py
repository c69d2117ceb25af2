"""Backing off from somebody who insists on another number."""

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.decide.contention import back_off_left, reversed_order, with_reversal
from autoscaler.decide.decision import Limit
from autoscaler.decide.reason import Reason
from autoscaler.decide.state import Order
from decide.worlds import HIGH, NOW, ago, decided, outcome, quiet, workload


@pytest.mark.parametrize(
    ("spec", "version", "expected"),
    [
        pytest.param(15, "78", False, id="our count stands, and its pods still start"),
        pytest.param(10, "78", True, id="another count, a later version"),
        pytest.param(10, "1000", True, id="another count, a version with another digit"),
        pytest.param(10, "77", False, id="the watch still shows what was before"),
        pytest.param(10, "9", False, id="it shows what was before that, or a backup was restored"),
        pytest.param(10, "v2", True, id="a version that is no number"),
    ],
)
def test_an_order_is_reversed_by_a_later_write(spec, version, expected):
    state = quiet(order=Order(15, "77"))
    facts = workload(spec, resource_version=version, status_replicas=12, ready_replicas=11)

    assert reversed_order(facts, state) is expected
    assert not reversed_order(facts, quiet())


def test_where_a_backup_counts_versions_otherwise_another_one_is_later():
    state = quiet(order=Order(15, "v1"))

    assert reversed_order(workload(10, resource_version="78"), state)
    assert not reversed_order(workload(10, resource_version="v1"), state)


@pytest.mark.parametrize(
    ("ages", "minutes_left"),
    [
        pytest.param((), 0, id="never"),
        pytest.param((0,), 0, id="once is nothing"),
        pytest.param((180, 0), 5, id="twice: five minutes"),
        pytest.param((180, 60), 4, id="of which one is over"),
        pytest.param((600, 300, 0), 10, id="three times: ten"),
        pytest.param((3000, 2400, 1800, 900, 0), 40, id="five times: forty"),
        pytest.param((6000, 5000, 4000, 3000, 2000, 0), 60, id="never longer than an hour"),
        pytest.param((90_000, 0), 0, id="a day apart is no fight"),
        pytest.param((90_000, 180, 0), 5, id="before a day of peace nothing counts"),
        pytest.param((1800, 0), 5, id="half an hour apart is one"),
        pytest.param((1801, 0), 0, id="more is two changes of mind"),
        pytest.param((3900, 2100, 0), 10, id="a back-off between them is no peace"),
        pytest.param((3901, 2101, 0), 0, id="but longer than that is"),
    ],
)
def test_the_back_off_doubles(ages, minutes_left):
    left = back_off_left(tuple(ago(age) for age in ages), now=NOW)

    assert max(left, timedelta(0)) == timedelta(minutes=minutes_left)


def test_only_the_last_reversals_are_remembered():
    reverted = ()
    for _ in range(20):
        reverted = with_reversal(reverted, now=NOW)

    assert len(reverted) == 6


def test_a_count_that_is_overwritten_twice_is_left_alone_for_a_while():
    contested = replace(quiet(0), order=Order(15, "1"), reverted_at=(ago(400),))
    facts = workload(
        10,
        status_replicas=9,
        ready_replicas=8,
        resource_version="3",
        replicas_manager="argocd-controller",
    )
    first = outcome(HIGH, facts=facts, state=contested)

    assert first.decision.chain == (
        Limit(Reason.REPLICAS_CONTESTED, 15, 10, "overwritten by argocd-controller, 5m left"),
    )
    later = outcome(HIGH, facts=facts, state=first.state_if_held, now=NOW + timedelta(minutes=5))
    assert later.decision.desired_replicas == 15


def test_who_overwrites_a_count_may_be_unknown():
    contested = quiet(0, reverted_at=(ago(400), NOW))

    assert decided(HIGH, state=contested).chain == (
        Limit(
            Reason.REPLICAS_CONTESTED,
            15,
            10,
            "overwritten by an unknown field manager, 5m left",
        ),
    )


def test_one_change_by_another_hand_is_just_a_new_start():
    state = replace(quiet(0), order=Order(12, "1"))

    assert (
        decided(HIGH, facts=workload(10, resource_version="2"), state=state).desired_replicas == 15
    )


def test_a_watch_that_is_late_is_no_contention():
    state = replace(quiet(0), order=Order(15, "1"), reverted_at=(ago(60),))

    late = outcome(HIGH, state=state).state_if_held
    assert (late.reverted_at, late.order) == ((ago(60),), Order(15, "1"))


def test_an_order_that_is_overwritten_is_so_once():
    state = replace(quiet(0), order=Order(15, "1"))
    undone = outcome(HIGH, facts=workload(10, resource_version="2"), state=state).state_if_held

    assert (undone.reverted_at, undone.order) == ((NOW,), None)


def test_what_was_given_to_an_hpa_contradicts_nobody_later():
    state = replace(quiet(0), order=Order(15, "1"), reverted_at=(ago(400),))
    by_hpa = outcome(HIGH, facts=workload(10, resource_version="3"), state=state, actuator="hpa")

    assert by_hpa.state_if_held.order is None
    assert by_hpa.state_if_held.reverted_at == (ago(400),)
