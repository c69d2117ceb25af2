"""Six simulated hours of everything going wrong; `make bench ARGS="--only endurance"` lives longer.

ENDURANCE_DAYS (default a quarter) is how many days are lived through here.
"""

import os
from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.decide.facts import Doubt
from support.endurance import Endurance, reachable_texts
from support.faulty_world import Mishap

DAYS = float(os.environ.get("ENDURANCE_DAYS", "0.25"))


@pytest.mark.timeout(int(300 + 600 * DAYS))
def test_a_day_of_mishaps_lowers_nothing_by_mistake_and_leaves_nothing_behind(tmp_path):
    endurance = Endurance(
        days=DAYS,
        seed=3,
        mishaps_per_day=240,
        past=timedelta(hours=1),
        memory=tmp_path / "memory",
    )

    days = list(endurance.days())
    endurance.recover()

    assert endurance.wrong == []
    assert sum(day.lowered for day in days) > 0, "it does scale in, when it may"
    assert len(endurance.counts.by_mishap) == len(Mishap), "everything went wrong at least once"
    assert 0 < endurance.counts.remembered < endurance.counts.restarts
    assert endurance.short() == []
    assert endurance.forgettable(), "some policy ended long enough ago to be looked for"
    assert endurance.left_behind() == []


def looked_at(change, *, was=6, is_now=4, leads=True):
    """Return what is complained of when a replica is caught in the act."""
    endurance = Endurance(days=0.01, past=timedelta(hours=1))
    endurance.survivor.live(learn=False)
    endurance.clock.world.advance(timedelta(hours=1))
    target = endurance.permanent[0]
    endurance.cluster.deployments[target].pods = [endurance.clock.now()] * is_now
    endurance.metrics.given[target] = replace(
        endurance.metrics.given[target], value=100.0, doubt=None
    )
    change(endurance, target)
    before = {t: len(d.pods) for t, d in endurance.cluster.deployments.items()} | {target: was}
    endurance.look(before, leads=leads)
    return [complaint.partition(": ")[2] for complaint in endurance.wrong]


def doubted(endurance, target):
    given = endurance.metrics.given
    given[target] = replace(given[target], doubt=Doubt.PARTIAL)


def busy(endurance, target):
    given = endurance.metrics.given
    given[target] = replace(given[target], value=1000.0)


def rolling_out(endurance, target):
    endurance.mishaps.in_force[Mishap.ROLLOUT, target] = endurance.clock.now()


def ungoverned(endurance, target):
    del endurance.cluster.documents[target]


def just_handed_over(endurance, _):
    endurance.hand_over()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param(doubted, "lowered on doubt: partial", id="doubt"),
        pytest.param(busy, "lowered below the 1000.0 that is measured", id="load"),
        pytest.param(rolling_out, "lowered during a rollout", id="rollout"),
        pytest.param(ungoverned, "no policy governs it", id="no policy"),
        pytest.param(just_handed_over, "lowered by a hand-over", id="hand-over"),
    ],
)
def test_the_invariant_sees_what_must_not_be(change, complaint):
    assert looked_at(change) == [complaint]


def test_the_invariant_lets_pass_what_may_be_and_sees_a_standby_write():
    def nothing(endurance, target):
        return

    assert looked_at(nothing) == []
    assert looked_at(nothing, leads=False) == ["a standby wrote"]
    assert looked_at(nothing, is_now=1) == ["out of bounds"]


def test_a_text_is_found_however_deep_it_is_held():
    class Holder:
        def __init__(self, held):
            self.held = held

    assert "temporary-1" in reachable_texts(Holder({"a": [Holder(("temporary-1",))]}))
    assert "temporary-1" in reachable_texts(Holder({"temporary-1": 1}))
