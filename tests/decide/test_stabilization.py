"""Stabilization windows, cooldowns and the memory they read."""

from datetime import timedelta
from random import Random

import pytest

from autoscaler.decide.cooldown import scale_in_cooldown_left, scale_out_cooldown_left
from autoscaler.decide.hpa_steps import downscale_stabilized_replicas
from autoscaler.decide.reason import Reason
from autoscaler.decide.stabilization import last_asked, stabilized_replicas
from autoscaler.decide.state import TimestampedRecommendation, WorkloadState, telling
from autoscaler.policy.schema import Cooldown
from decide.worlds import NOW, ago


def history(*age_and_replicas):
    return [TimestampedRecommendation(ago(age), replicas) for age, replicas in age_and_replicas]


@pytest.mark.parametrize(
    ("current", "wanted", "past", "windows", "expected"),
    [
        pytest.param(5, 3, [], (0, 300), 3, id="no history lets it fall"),
        pytest.param(5, 3, [(299, 4)], (0, 300), 4, id="the highest of the window is the floor"),
        pytest.param(5, 3, [(300, 4)], (0, 300), 3, id="exactly a window old is outside"),
        pytest.param(5, 3, [(10, 9)], (0, 300), 5, id="history never raises above current"),
        pytest.param(5, 8, [(10, 6)], (60, 300), 6, id="the lowest of the up window is the cap"),
        pytest.param(5, 8, [(60, 6)], (60, 300), 8, id="exactly an up window old is outside"),
        pytest.param(5, 8, [(10, 2)], (60, 300), 5, id="an up window never lowers"),
        pytest.param(5, 8, [(10, 2)], (0, 300), 8, id="an up window of zero holds no history"),
        pytest.param(5, 5, [(10, 2), (20, 9)], (60, 300), 5, id="wanted as is stays"),
        pytest.param(5, 3, [(250, 4), (10, 2)], (0, 300), 4, id="order means nothing"),
    ],
)
def test_current_is_clamped_between_both_windows(current, wanted, past, windows, expected):
    up, down = (timedelta(seconds=seconds) for seconds in windows)

    assert (
        stabilized_replicas(
            wanted,
            current_replicas=current,
            history=history(*past),
            up_window=up,
            down_window=down,
            now=NOW,
        )
        == expected
    )


@pytest.mark.parametrize(
    ("replicas", "at_least", "age"),
    [
        pytest.param(6, True, 135, id="the last of the higher ones"),
        pytest.param(7, True, 200, id="those below do not hold it"),
        pytest.param(4, False, 15, id="the last of the lower ones"),
    ],
)
def test_a_window_holds_until_the_last_that_asked_for_it_leaves(replicas, at_least, age):
    past = history((250, 9), (200, 7), (135, 6), (15, 4))

    assert last_asked(replicas, history=past, at_least=at_least) == ago(age)


@pytest.mark.parametrize(
    ("past", "expected"),
    [
        pytest.param([], 3, id="no history"),
        pytest.param([(300, 7)], 7, id="exactly the window old is inside"),
        pytest.param([(301, 7)], 3, id="older is not"),
        pytest.param([(10, 2)], 3, id="lower does not matter"),
    ],
)
def test_without_behavior_only_the_way_down_is_stabilized(past, expected):
    assert downscale_stabilized_replicas(3, history=history(*past), now=NOW) == expected


def test_a_forgetful_memory_answers_every_window_like_a_whole_one():
    random, whole, kept = Random(7), [], ()
    keep, windows = timedelta(seconds=600), [timedelta(seconds=s) for s in (0, 15, 300, 600)]
    for tick in range(2000):
        now, replicas = NOW + timedelta(seconds=15 * tick), random.randint(0, 30)
        for up in windows:
            for down in windows:
                facts = {"current_replicas": 15, "up_window": up, "down_window": down, "now": now}
                assert stabilized_replicas(replicas, history=kept, **facts) == stabilized_replicas(
                    replicas, history=whole[-41:], **facts
                )
        newest = TimestampedRecommendation(now, replicas)
        whole.append(newest)
        kept = (*telling(kept, replicas, now - keep), newest)

    assert len(kept) < 15


def test_a_number_that_stays_is_remembered_once():
    earlier = (TimestampedRecommendation(NOW - timedelta(seconds=15), 4),)

    assert telling(earlier, 4, NOW - timedelta(minutes=5)) == ()


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


def test_a_burst_overrides_the_scale_out_cooldown_and_nothing_the_scale_in_one():
    state = WorkloadState(
        ago(9999),
        last_scale_up_at=NOW,
        last_scale_down_at=NOW,
        doubts=tuple((doubt, NOW) for doubt in Reason),
    )
    both = Cooldown(scale_up=timedelta(minutes=5), scale_down=timedelta(minutes=5))

    assert scale_out_cooldown_left(both, state=state, now=NOW) == timedelta(0)
    assert scale_in_cooldown_left(both, state=state, now=NOW) == timedelta(minutes=5)
