import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.decide.facts import Sample, TargetRef, Trust
from autoscaler.review import history as module
from autoscaler.review.history import FEWEST_ROWS, History, room_for
from autoscaler.review.rows import column_names, packed, row_size, unpacked
from review.records import CHECKOUT, NOW, decided, forecast, missing, record, signal

TICK = timedelta(seconds=15)


def kept(n, *, every=TICK, value=lambda k: 100.0 + k, target=CHECKOUT, history=None):
    history = history or History()
    for k in range(n):
        one = replace(signal(), sample=Sample(value(k), NOW, n_series=1))
        history.keep(record(at=NOW + k * every, target=target, signals=(one,)))
    return history


def test_a_row_tells_the_very_numbers_of_the_record():
    made = decided(signal(1234.5678, quantile=2345.678949), ready=9)
    line = made.as_dict()
    one = line["signals"][0]

    row = dict(zip(column_names(row_size(1)), unpacked(packed(made)), strict=True))

    assert row == {
        "time": int(NOW.timestamp()),
        "current": line["current_replicas"],
        "ready": line["ready_replicas"],
        "desired": line["desired_replicas"],
        "recommended": line["recommendation"]["replicas"],
        "reason": line["reason"],
        "trust": line["trust"],
        "value.0": one["value"],
        "median.0": one["forecast"]["median"],
        "level.0": one["forecast"]["quantile"],
        "lead_time_seconds.0": one["forecast"]["lead_time_seconds"],
        "per_pod.0": one["capacity"]["per_pod"],
        "reactive.0": one["reactive_replicas"],
    }


@settings(max_examples=300, deadline=None)
@given(st.floats(1e-30, 1e30))
def test_four_bytes_hold_the_six_digits_of_the_record(load):
    made = decided(signal(load, quantile=load))

    row = unpacked(packed(made))

    assert row[7] == made.as_dict()["signals"][0]["value"]


@pytest.mark.parametrize(
    ("trust", "level"), [(Trust.TRUSTED, 1600.0), (Trust.DEMOTED, 1760.0), (Trust.WARMING, 1760.0)]
)
def test_a_row_keeps_the_level_that_sizes(trust, level):
    one = signal(forecast=forecast(1600.0, trust=trust))
    row = dict(zip(column_names(row_size(1)), unpacked(packed(decided(one))), strict=True))

    assert row["level.0"] == level


def test_what_is_unknown_is_none_in_a_row_too():
    blind = decided(signal(sample=Sample(None), forecast=None, capacity=None))

    row = dict(zip(column_names(row_size(1)), unpacked(packed(blind)), strict=True))

    assert {name for name, value in row.items() if value is None} == {
        "recommended", "value.0", "median.0", "level.0", "lead_time_seconds.0", "per_pod.0",
        "reactive.0",
    }  # fmt: skip


def test_a_target_that_is_gone_is_told_from_one_without_pods_in_a_row_too():
    assert unpacked(packed(missing()))[1:5] == (None, None, None, None)
    assert unpacked(packed(record(0, 0)))[1:5] == (0, 0, 0, 0)


def test_a_monstrous_metric_does_not_stop_the_cycle():
    assert unpacked(packed(decided(signal(1e300, quantile=1e308))))[7] == pytest.approx(3.4e38)


def test_rows_come_oldest_first_and_only_those_after_what_is_known():
    history = kept(5)

    columns = history.columns(CHECKOUT, after=int(NOW.timestamp()) + 15)

    assert columns["value.0"] == [102.0, 103.0, 104.0]
    assert columns["time"] == sorted(columns["time"])


def test_what_lies_in_the_future_of_a_clock_that_was_set_back_is_forgotten():
    history = kept(2000)
    hours = [[int(t) for t in history.columns(CHECKOUT)["time"]]]
    for k in range(3):
        history.keep(record(at=NOW + timedelta(minutes=30) + k * TICK))
        hours.append(history.columns(CHECKOUT)["time"])
    begin = int(NOW.timestamp()) + 1800

    assert hours[0] == sorted(set(hours[0]))
    assert hours[1] == [*(t for t in hours[0] if t < begin), begin]
    assert hours[3] == [*hours[1], begin + 15, begin + 30]


def test_after_a_clock_was_set_back_the_peak_of_a_slot_is_none_that_is_still_to_come():
    history = kept(2, every=timedelta(seconds=45), value=lambda k: 5000.0)
    kept(module.MOST_RECENT_ROWS + 60, history=history)

    columns = history.columns(CHECKOUT)

    assert columns["time"] == sorted(set(columns["time"]))
    assert 5000.0 not in columns["value.0"]


def test_who_knows_rows_that_are_still_to_come_is_told_all_rows_anew():
    history = kept(20)
    known = history.columns(CHECKOUT)["time"][-1]
    history.keep(record(at=NOW + 5 * TICK))

    assert history.columns(CHECKOUT, after=known) == history.columns(CHECKOUT)


def test_of_the_older_past_the_peak_of_each_slot_remains():
    room = room_for(1)
    history = kept(room.recent_rows + 400, value=lambda k: 900.0 if k == 42 else 100.0)

    columns = history.columns(CHECKOUT)

    assert 900.0 in columns["value.0"]
    assert columns["time"][0] < int(NOW.timestamp()) + 120
    assert len(columns["time"]) < room.recent_rows + 400
    assert columns["time"] == sorted(set(columns["time"]))


def test_every_change_is_kept_whole_up_to_a_bound():
    history = History()
    for k in range(700):
        history.keep(record(10, 10 + k % 2, at=NOW + k * TICK))

    changes = history.changes(CHECKOUT)

    assert len(changes) == room_for(1).changes
    assert changes[-1] == record(10, 11, at=NOW + 699 * TICK).as_dict()


def test_an_unchanged_cycle_is_no_change():
    assert len(kept(10).changes(CHECKOUT)) == 1


def test_a_policy_that_changes_at_every_cycle_does_not_pile_up_lines():
    history = History()
    for k in range(2000):
        history.keep(record(10, 10 + k % 2, at=NOW + k * TICK))

    assert len(history._waiting) <= module._MOST_WAITING + 1


def test_lines_of_who_is_no_longer_governed_do_not_wait():
    history = kept(1)
    history.retain(())

    assert not history._waiting


def test_the_attention_is_dated_from_its_beginning():
    history = History()
    for k, trust in enumerate([Trust.TRUSTED, Trust.DEMOTED, Trust.DEMOTED]):
        history.keep(record(trust=trust, at=NOW + k * TICK))

    assert history.since(CHECKOUT) == NOW + TICK


def test_a_policy_with_other_metrics_begins_a_new_past():
    history = kept(3)
    history.keep(record(at=NOW + 3 * TICK, signals=(signal(), signal())))

    assert len(history.columns(CHECKOUT)["value.1"]) == 1


def test_what_is_no_longer_governed_is_forgotten():
    history = kept(3)
    history.retain(set())

    assert (history.columns(CHECKOUT), history.changes(CHECKOUT)) == ({}, [])


@pytest.mark.parametrize("n", [1, 64, 1_000, 10_000, 20_000, 100_000])
def test_the_room_of_all_policies_together_stays_in_the_budget(n):
    room = room_for(n)
    rows = n * (room.recent_rows + room.older_rows) * row_size(1)

    assert rows <= module.ROW_BUDGET_BYTES or room.recent_rows == FEWEST_ROWS
    assert room.recent_rows >= FEWEST_ROWS
    assert room.older_rows * room.older_step_seconds >= 0.99 * 86_400


def test_the_past_of_an_old_policy_shrinks_when_many_join_it():
    history = kept(500)
    for k in range(1100):
        history.keep(record(target=TargetRef("shop", f"w{k}")))
    history.keep(record(at=NOW + 500 * TICK))

    assert len(history.columns(CHECKOUT)["time"]) <= sum(
        (room_for(1101).recent_rows, room_for(1101).older_rows)
    )
    assert history.columns(CHECKOUT)["time"][-1] == int((NOW + 500 * TICK).timestamp())


def test_with_many_policies_a_row_a_minute_is_kept_and_every_change_and_the_newest():
    history = History()
    for k in range(1100):
        history.keep(record(target=TargetRef("shop", f"w{k}")))
    for k in range(1, 41):
        history.keep(
            record(10, 14 if k == 21 else 10, at=NOW + k * TICK, target=TargetRef("shop", "w9"))
        )

    seconds = [t - NOW.timestamp() for t in history.columns(TargetRef("shop", "w9"))["time"]]

    assert {315.0, 330.0, 600.0} <= set(seconds)
    assert 11 <= len(seconds) <= 15


def test_a_full_ring_takes_what_it_was_granted_and_no_more():
    history = kept(3000)
    past = history._pasts[CHECKOUT]
    granted = (past.room.recent_rows + past.room.older_rows) * past.row_size

    taken = sys.getsizeof(past.recent._data) + sys.getsizeof(past.older._data)

    assert taken < 1.2 * granted
