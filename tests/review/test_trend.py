from datetime import timedelta

from autoscaler.decide.facts import Doubt, Sample, TargetRef
from autoscaler.review.history import History
from review.records import CHECKOUT, NOW, record, signal

NOTHING = {"time": [], "load": [], "carried": []}


def kept(loads, *, every):
    """Return the history of one workload with nine ready pods of 120 each."""
    history = History()
    for k, load in enumerate(loads):
        doubt = Doubt.ABSENT if load is None else None
        one = signal(sample=Sample(load, NOW, doubt=doubt), forecast=None)
        history.keep(record(9, 9, at=NOW + k * every, signals=(one,)))
    return history


def test_the_last_hour_is_told_and_no_more_of_it():
    trend = kept(range(100, 109), every=timedelta(minutes=10)).last_hour(CHECKOUT, 0)

    assert trend["load"] == [103.0, 104.0, 105.0, 106.0, 107.0, 108.0]
    assert trend["carried"] == [1080.0] * 6
    assert trend["time"][-1] == int((NOW + timedelta(minutes=80)).timestamp())


def test_of_each_minute_the_highest_known_load_is_told_and_the_newest_row_as_it_is():
    loads = [1.0, 4.0, None, 2.0, None, None, None, None, None, 3.0, 5.23456, None]
    trend = kept(loads, every=timedelta(seconds=15)).last_hour(CHECKOUT, 0)

    assert trend["load"] == [4.0, None, 5.235, None]


def test_where_there_is_nothing_to_tell_the_outline_is_empty():
    history = kept([1.0], every=timedelta(seconds=15))

    assert history.last_hour(TargetRef("shop", "nobody"), 0) == NOTHING
    assert history.last_hour(CHECKOUT, 1) == NOTHING
    assert history.last_hour(CHECKOUT, 4) == NOTHING
