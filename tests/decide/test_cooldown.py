"""No second rescale in a direction until its cooldown is over."""

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.decide.cooldown import scale_in_cooldown_left, scale_out_cooldown_left
from autoscaler.decide.decision import Limit
from autoscaler.decide.reason import Reason
from autoscaler.decide.state import WorkloadState
from autoscaler.policy.schema import Cooldown
from decide.worlds import HIGH, LOW, NOW, ago, decided, quiet, signal


@pytest.mark.parametrize(
    ("last", "left"),
    [
        pytest.param(None, 0, id="never rescaled"),
        pytest.param(299, 1, id="one second left"),
        pytest.param(300, 0, id="just over"),
        pytest.param(9000, 0, id="long over"),
    ],
)
def test_a_cooldown_says_how_long_it_still_lasts(last, left):
    at = None if last is None else ago(last)
    state = WorkloadState(ago(9999), last_scale_up_at=at, last_scale_down_at=at)
    both = Cooldown(scale_up=timedelta(minutes=5), scale_down=timedelta(minutes=5))

    assert scale_in_cooldown_left(both, state=state, now=NOW) == timedelta(seconds=left)
    assert scale_out_cooldown_left(both, state=state, now=NOW) == timedelta(seconds=left)


def test_without_a_cooldown_nothing_waits_also_after_a_clock_was_set_back():
    ahead = WorkloadState(ago(9999), last_scale_up_at=ago(-60), last_scale_down_at=ago(-60))
    none = Cooldown(scale_up=timedelta(0), scale_down=timedelta(0))

    assert scale_in_cooldown_left(none, state=ahead, now=NOW) == timedelta(0)
    assert scale_out_cooldown_left(none, state=ahead, now=NOW) == timedelta(0)


def test_a_burst_overrides_the_scale_out_cooldown_and_nothing_the_scale_in_one():
    state = WorkloadState(
        ago(9999),
        last_scale_up_at=NOW,
        last_scale_down_at=NOW,
        holds=tuple((hold, NOW) for hold in Reason),
    )
    both = Cooldown(scale_up=timedelta(minutes=5), scale_down=timedelta(minutes=5))

    assert scale_out_cooldown_left(both, state=state, now=NOW) == timedelta(0)
    assert scale_in_cooldown_left(both, state=state, now=NOW) == timedelta(minutes=5)


def test_a_burst_grows_through_the_scale_out_cooldown_and_nothing_shrinks_through_the_other():
    cooldown = {"cooldown": {"scaleUp": "5m", "scaleDown": "5m"}}
    busy = quiet(0, last_scale_up_at=ago(10), last_scale_down_at=ago(10))
    bursting = signal(900, 900, burst=True)

    assert decided(HIGH, state=busy, **cooldown).reason is Reason.COOLDOWN_ACTIVE
    assert decided(bursting, spec=8, state=busy, **cooldown).desired_replicas == 9
    assert decided(LOW, state=busy, **cooldown).desired_replicas == 10


def test_each_direction_has_its_own_cooldown():
    cooldown = {"cooldown": {"scaleUp": "5m", "scaleDown": "5m"}}
    grown, shrunk = quiet(0, last_scale_up_at=ago(10)), quiet(0, last_scale_down_at=ago(10))

    assert decided(HIGH, state=grown, **cooldown).reason is Reason.COOLDOWN_ACTIVE
    assert decided(HIGH, state=shrunk, **cooldown).desired_replicas == 15
    assert decided(LOW, state=grown, **cooldown).desired_replicas == 3


def test_a_burst_that_outlasts_its_hold_does_not_shrink_through_the_cooldown_either():
    bursting, state = (
        signal(300, 300, burst=True),
        quiet(0, holds=((Reason.BURST_HOLD, ago(901)),)),
    )

    assert decided(bursting, state=state).desired_replicas == 3
    cooling = replace(state, last_scale_down_at=ago(10))
    assert decided(bursting, state=cooling).reason is Reason.COOLDOWN_ACTIVE


def test_the_time_left_is_in_the_record():
    decision = decided(LOW, state=quiet(0, last_scale_down_at=ago(100)))

    assert decision.chain == (Limit(Reason.COOLDOWN_ACTIVE, 3, 10, "3m20s left"),)
