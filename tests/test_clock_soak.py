"""Five simulated hours under a clock that is set forth and back at random."""

import logging

import pytest

from autoscaler.decide.holds import CORRECTION, FORWARD_JUMP
from support.clock_soak import ClockSoak
from support.endurance import resident_mib


@pytest.mark.timeout(300)
def test_under_a_clock_that_is_set_forth_and_back_nothing_is_lowered_by_mistake(caplog):
    soak = ClockSoak(days=0.2, seed=3)
    resident = resident_mib()
    [day] = soak.days()
    soak.recover()

    assert soak.wrong == []
    assert min(soak.jumps) < -CORRECTION
    assert max(soak.jumps) > FORWARD_JUMP
    assert (day.raised > 0, day.lowered > 0) == (True, True), "the load goes on"
    assert [r.msg for r in caplog.records if r.levelno >= logging.ERROR] == []
    assert soak.short() == []
    assert resident_mib() - resident < 64
