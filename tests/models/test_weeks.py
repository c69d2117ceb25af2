"""Whether a week ago tells more than a day ago: what tells a Monday from a Tuesday."""

import numpy as np
import pytest

from models.engine import ForecastEngine
from models.memory import Memory
from models.table import Table
from models.weeks import Weeks, weekly

START = 1_699_833_600.0
DAY = 1440
MINUTE = np.arange(16 * DAY)
OPENED = (MINUTE % DAY >= 540) & (MINUTE % DAY < 1080)
WORKDAY = MINUTE // DAY % 7 < 5
BY_THE_WEEK = np.where(OPENED & WORKDAY, 1000.0, 100.0)


@pytest.fixture(scope="module")
def told():
    """Return how weekly each of several loads is found to be, after 16 days of each."""
    loads = {
        "weekly": BY_THE_WEEK,
        "weekly with gaps": np.where(MINUTE % 7 == 0, np.nan, BY_THE_WEEK),
        "daily": np.where(OPENED, 1000.0, 100.0),
        "constant": np.full(len(MINUTE), 100.0),
        "nothing": np.zeros(len(MINUTE)),
        "a week alone": np.where(MINUTE < 7 * DAY, BY_THE_WEEK, np.nan),
    }
    engine = ForecastEngine(prior=())
    rows = engine.add(len(loads))
    for minute, load in enumerate(np.column_stack(list(loads.values()))):
        engine.append(load, end_seconds=START + 60.0 * minute, rows=rows)
    return dict(zip(loads, weekly(engine.table, rows), strict=True))


@pytest.mark.parametrize("name", ["weekly", "weekly with gaps"])
def test_where_days_off_repeat_by_the_week_a_week_ago_tells_more(told, name):
    assert told[name] > 1.0


@pytest.mark.parametrize("name", ["daily", "constant", "nothing"])
def test_where_every_day_is_like_the_other_neither_tells_more(told, name):
    assert told[name] == pytest.approx(0.0, abs=0.02)


def test_with_a_week_alone_there_is_nothing_to_compare(told):
    assert told["a week alone"] == 0.0


def test_after_a_clock_change_the_same_local_time_is_compared():
    table = Table()
    table.column("day_shift", 7, dtype=np.int16)
    memory = Memory(table, step_seconds=60, n_slots=8 * DAY + 64)
    weeks = Weeks(table, memory)
    rows = table.add(2)
    # The clocks changed within the week: eight o'clock of a week ago is an hour off, in one row.
    table["day_shift"][6, rows[0]] = 60
    index = 30_000
    for at, load in ((index - 7 * DAY, 10.0), (index - 7 * DAY + 60, 50.0), (index - DAY, 50.0)):
        memory.opened(60.0 * at)
        memory.write(at, rows, np.full(2, load))
    memory.opened(60.0 * index)

    weeks.update(index, rows, np.full(2, 50.0), np.full(2, 50.0))

    shifted, not_shifted = weekly(table, rows)
    assert shifted == pytest.approx(0.0, abs=1e-3)
    assert not_shifted < 0
