import logging
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.events import EVENT_JOB_MISSED, JobEvent

from autoscaler import jobs
from autoscaler.clocks import WallClock
from autoscaler.decide.facts import Doubt, Sample
from autoscaler.errors import MetricUnavailableError
from autoscaler.jobs import Every, HistoryJob, run_once, serve
from models.engine import ForecastEngine
from support.demo_bench import TICK, Bench, document


def without_history():
    """A bench whose source refuses to tell the past, and how often it was asked."""
    bench, asked = Bench(document()), []

    def refuse(*_, **__):
        asked.append(1)
        raise MetricUnavailableError("http://prometheus: 503 Service Unavailable")

    bench.metrics.history = refuse
    bench.daemon.refresh_policies()
    return bench, asked


def told_to_stop():
    stop = threading.Event()
    stop.set()
    return stop


def test_how_far_the_backfill_is_is_told_after_each_batch(caplog):
    caplog.set_level(logging.INFO, logger="autoscaler")
    bench = Bench(document())
    bench.daemon.refresh_policies()
    HistoryJob(bench.daemon, threading.Event()).run()

    [told] = [r.fields for r in caplog.records if r.msg == "history_progress"]

    assert told == {"still_wanted": 0}


def test_a_source_without_history_is_told_and_tried_again(caplog):
    bench, _ = without_history()
    HistoryJob(bench.daemon, threading.Event()).run()
    del bench.metrics.history  # now it answers

    assert "history_unavailable" in caplog.text
    assert bench.daemon.read_history()


def test_the_jobs_run_until_they_are_told_to_stop_and_finish_the_cycle():
    (bench, _), stop = without_history(), threading.Event()
    governed = []

    bench.daemon._reconciler._record = lambda record: stop.set()
    bench.daemon._cycle_ended = lambda summary, took: governed.append(summary.governed)
    serve(bench.daemon, interval=TICK, stop=stop)

    assert governed == [1]


def test_a_last_cycle_that_waits_for_a_silent_source_is_cut_short(monkeypatch):
    monkeypatch.setattr(jobs, "LAST_CYCLE", timedelta(milliseconds=10))
    (bench, _), stop, cut, waited = without_history(), threading.Event(), threading.Event(), []
    daemon = bench.daemon
    daemon._world = replace(daemon._world, cut_short=cut.set)

    def silent(series, *, now, workloads):
        stop.set()
        waited.append(cut.wait(20))
        return [Sample(None, doubt=Doubt.UNREACHABLE) for _ in series]

    bench.metrics.newest = silent
    serve(daemon, interval=TICK, stop=stop)

    assert waited == [True]


def test_one_cycle_knows_the_past():
    bench = Bench(document())
    run_once(bench.daemon, stop=threading.Event())

    [record] = bench.records
    assert record.signals[0].forecast.median == pytest.approx(1000.0, rel=0.02)


def test_who_is_told_to_stop_while_the_past_is_read_decides_nothing_either(caplog):
    (bench, _), stop = without_history(), threading.Event()

    def cut(*_, **__):
        stop.set()
        raise MetricUnavailableError("cut")

    bench.metrics.history = cut
    run_once(bench.daemon, stop=stop)

    assert bench.records == []
    assert "history_unavailable" not in caplog.text


def test_a_source_that_failed_is_left_alone_for_a_while():
    bench, asked = without_history()
    job = HistoryJob(bench.daemon, threading.Event())
    job.run()
    job.run()

    assert asked == [1]


def test_a_source_is_left_alone_as_well_after_an_error_of_our_own():
    bench, asked = without_history()

    def broken(*_, **__):
        asked.append(1)
        raise ValueError("a mistake of ours")

    bench.metrics.history = broken
    job = HistoryJob(bench.daemon, threading.Event())
    with pytest.raises(ValueError, match="of ours"):
        job.run()
    job.run()

    assert asked == [1]


def test_who_is_told_to_stop_before_the_first_past_is_read_begins_no_cycle():
    (bench, _), stop, slow, cycles = without_history(), threading.Event(), threading.Event(), []

    def history(*_, **__):
        stop.set()
        slow.wait(timeout=30)
        raise MetricUnavailableError("too late")

    bench.metrics.history = history
    bench.daemon._reconciler._record = cycles.append
    serve(bench.daemon, interval=TICK, stop=stop)
    slow.set()

    assert cycles == []


def test_a_question_that_is_cut_at_the_end_is_no_fault_of_the_source(caplog):
    bench, asked = without_history()
    HistoryJob(bench.daemon, told_to_stop()).run()

    assert asked
    assert "history_unavailable" not in caplog.text


def test_a_past_that_takes_long_keeps_neither_the_first_cycle_nor_the_end_waiting(monkeypatch):
    monkeypatch.setattr(jobs, "FIRST_PAST", timedelta(0))
    bench, stop, slow, read = Bench(document()), threading.Event(), threading.Event(), []

    def history(*_, **__):
        slow.wait(timeout=30)
        read.append(1)
        raise MetricUnavailableError("too late")

    bench.metrics.history = history
    bench.daemon._reconciler._record = lambda _: stop.set()
    serve(bench.daemon, interval=TICK, stop=stop)
    read_by_then = list(read)
    slow.set()

    assert read_by_then == []


def test_where_most_pasts_are_known_the_first_cycle_waits_for_none(monkeypatch):
    monkeypatch.setattr(jobs, "FIRST_PAST", timedelta(hours=1))
    bench, stop, waited_for = Bench(document()), threading.Event(), []
    bench.daemon.read_all_history()
    text = document().text
    one_more = "".join(text.splitlines(keepends=True)[-2:]).replace("linkerd", "traefik")
    bench.edit(replace(document(), text=text + one_more))

    def silent(*_, **__):
        waited_for.append(not stop.wait(timeout=30))
        raise MetricUnavailableError("too late")

    bench.metrics.history = silent
    bench.daemon._reconciler._record = lambda _: stop.set()
    serve(bench.daemon, interval=TICK, stop=stop)

    assert True not in waited_for


def test_a_past_is_learned_beside_the_cycles_and_only_taken_over_by_them(monkeypatch):
    bench = Bench(document())
    bench.daemon.refresh_policies()
    bench.daemon.read_history()
    monkeypatch.setattr(ForecastEngine, "backfill", None)
    bench.cycle()

    [record] = bench.records
    assert record.signals[0].forecast.median == pytest.approx(1000.0, rel=0.02)


def test_no_past_is_read_twice_while_the_cycle_takes_it_over(monkeypatch):
    bench, read = Bench(document()), []
    bench.daemon.refresh_policies()
    bench.daemon.read_history()
    accept = bench.daemon._forecasts.accept_history
    monkeypatch.setattr(
        bench.daemon._forecasts,
        "accept_history",
        lambda *a: read.append(bench.daemon.read_history()) or accept(*a),
    )
    bench.daemon.accept_history()

    assert (read, bench.daemon.read_history()) == ([False], False)


def test_a_past_that_is_learned_half_when_we_end_is_read_by_the_next():
    bench = Bench(document())
    bench.daemon.refresh_policies()
    HistoryJob(bench.daemon, threading.Event()).run()
    before = bench.daemon.n_without_history
    bench = Bench(document())
    bench.daemon.refresh_policies()
    HistoryJob(bench.daemon, told_to_stop()).run()
    bench.daemon.accept_history()

    assert (before, bench.daemon.n_without_history) == (0, 1)


class Heard(logging.Handler):
    """Sets an event once something was logged."""

    def __init__(self, message):
        super().__init__()
        self.message, self.event, self.fields = message, threading.Event(), {}

    def emit(self, record):
        if record.getMessage() == self.message:
            self.fields = record.fields
            self.event.set()


def test_a_cycle_that_comes_due_while_one_runs_is_skipped_and_told():
    (bench, _), stop, skipped = without_history(), threading.Event(), Heard("cycle_skipped")
    logging.getLogger("autoscaler").addHandler(skipped)

    def record(_):
        skipped.event.wait(timeout=30)
        stop.set()

    bench.daemon._reconciler._record = record
    serve(bench.daemon, interval=timedelta(milliseconds=50), stop=stop)
    logging.getLogger("autoscaler").removeHandler(skipped)

    assert skipped.event.is_set()
    assert skipped.fields["because"] == "the one before has not ended yet"


def test_a_cycle_that_could_not_begin_in_time_is_not_said_to_have_followed_a_long_one(caplog):
    jobs._tell_skipped(JobEvent(EVENT_JOB_MISSED, "reconcile", "default"))
    jobs._tell_skipped(JobEvent(EVENT_JOB_MISSED, "learn", "default"))

    [told] = [record.fields["because"] for record in caplog.records]
    assert told.startswith("it could not begin within half of --interval: ")


@pytest.fixture
def wall(monkeypatch):
    """A wall clock, as the scheduler and we read it, that a test may set by `ahead`."""

    class Wall(datetime):
        ahead = timedelta(0)

        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + cls.ahead

    seconds = time.time
    monkeypatch.setattr(time, "time", lambda: seconds() + Wall.ahead.total_seconds())
    for place in ("apscheduler.schedulers.base", "apscheduler.executors.base", "autoscaler.jobs"):
        monkeypatch.setattr(f"{place}.datetime", Wall)
    return Wall


def test_cycles_go_on_when_the_wall_clock_is_set_back_by_an_hour(wall, caplog):
    (bench, _), stop, cycles = without_history(), threading.Event(), []

    def record(_):
        cycles.append(1)
        wall.ahead = -timedelta(hours=1)
        if len(cycles) > 2:
            stop.set()

    bench.daemon._reconciler._record = record
    too_late = threading.Timer(20.0, stop.set)
    too_late.start()
    serve(bench.daemon, interval=timedelta(milliseconds=50), stop=stop)
    too_late.cancel()

    assert len(cycles) > 2
    assert "clock_set" in caplog.text


def test_a_wall_clock_that_is_set_forward_is_told(wall, monkeypatch):
    stop, clock, told = threading.Event(), WallClock(), []

    def tell(*event, **fields):
        told.append(fields)
        stop.set()

    wall.ahead = timedelta(minutes=4)
    monkeypatch.setattr(jobs, "CLOCK_LOOK", timedelta(milliseconds=1))
    monkeypatch.setattr(jobs, "log_event", tell)
    jobs._wait_for(stop, (), clock)

    assert told == [{"seconds": 240}]


def test_a_wall_clock_set_forward_by_a_week_makes_no_time_for_each_run_that_was_missed(
    wall, monkeypatch
):
    (bench, _), stop, cycles, made = without_history(), threading.Event(), [], []

    class Counted(Every):
        def get_next_fire_time(self, *args):
            made.append(1)
            return super().get_next_fire_time(*args)

    def record(_):
        cycles.append(1)
        wall.ahead = timedelta(weeks=1)
        if len(cycles) > 2:
            stop.set()

    monkeypatch.setattr(jobs, "Every", Counted)
    bench.daemon._reconciler._record = record
    serve(bench.daemon, interval=timedelta(milliseconds=50), stop=stop)

    assert len(cycles) > 2
    assert 0 < len(made) < 1000


@pytest.mark.parametrize(
    ("late", "last"),
    [
        pytest.param(timedelta(0), 0, id="on time"),
        pytest.param(timedelta(seconds=0.9), 0, id="late"),
        pytest.param(timedelta(seconds=1), 1, id="one missed"),
        pytest.param(timedelta(seconds=2.5), 2, id="two missed"),
        pytest.param(timedelta(days=20_000), 1_728_000_000, id="from 1970 to now"),
    ],
)
def test_of_the_runs_that_were_missed_the_last_is_made_up_for(late, last):
    """As the scheduler asks, which runs the last of what has come due."""
    begin = datetime(1970, 1, 1, tzinfo=UTC)
    due, trigger = [begin], Every(seconds=1, timezone=UTC)
    while (after := trigger.get_next_fire_time(due[-1], begin + late)) <= begin + late:
        due.append(after)

    assert due[-1] == begin + timedelta(seconds=last)
    assert after == due[-1] + timedelta(seconds=1)
    assert len(due) <= 2
