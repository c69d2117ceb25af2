"""Promises are scored, and trust is taken and given back by what they were worth."""

from types import SimpleNamespace

import numpy as np
import pytest

from models.calibration import Calibration, Reactive
from models.memory import Memory
from models.network import LEVELS
from models.pulse import relative
from models.table import Table
from models.trust import Trust

ROWS = np.array([0])
# Twice a load of 150 where the usual one is 100, of which a tenth is added before and after.
TWICE = np.exp(0.7) * (150.0 + 10.0) - 10.0


def fresh(**columns):
    """Return the calibration of one row, with some of its columns set."""
    table = Table()
    table.column("n_steps", fill=1440)
    calibration = Calibration(table, Memory(table, step_seconds=60, n_slots=100))
    table.add(1)
    for name, number in columns.items():
        table[name][0] = number
    return calibration


def trust(calibration, *, n_steps=5000, age_seconds=30.0):
    row = SimpleNamespace(rows=ROWS, n_steps=np.array([n_steps]))
    return calibration.trust(row, np.array([age_seconds]))[0]


@pytest.mark.parametrize(
    ("before", "skill", "n_scored", "after"),
    [
        pytest.param(False, -0.04, 240, True, id="clearly worse than persistence"),
        pytest.param(False, -0.02, 240, False, id="a little worse is not enough"),
        pytest.param(False, -9.0, 239, False, id="nor are so few promises"),
        pytest.param(True, 0.01, 999, True, id="who lost trust must be better to have it again"),
        pytest.param(True, 0.03, 999, False, id="and then has it"),
    ],
)
def test_who_does_not_beat_persistence_is_demoted(before, skill, n_scored, after):
    calibration = fresh(demoted=before, n_scored=n_scored, reactive_loss=1.0, loss=1.0 - skill)
    calibration._demote(ROWS)

    assert trust(calibration) == (Trust.DEMOTED if after else Trust.TRUSTED)


def scored(n, *, quantile, reactive):
    """Return the calibration after so many promises of one step about a load of 100."""
    calibration = fresh()
    table = calibration.table
    for index in range(n):
        slot = index % 64
        calibration.memory.opened(60.0 * index)
        calibration.memory.write(index, ROWS, np.array([100.0]))
        for name, number in (("first", index), ("last", index), ("risk", 0.01), ("scale", 0.1)):
            table[f"due_{name}"][slot, 0] = number
        table["due_quantile"][slot, 0] = quantile
        table["due_reactive"][slot, 0] = reactive
        calibration.settle(index, ROWS)
    return calibration


@pytest.mark.parametrize(
    ("quantile", "reactive", "expected"),
    [
        pytest.param(300.0, 120.0, Trust.DEMOTED, id="too many pods for nothing"),
        pytest.param(95.0, 120.0, Trust.DEMOTED, id="exceeded each time"),
        pytest.param(110.0, 120.0, Trust.TRUSTED, id="nearer than persistence"),
    ],
)
def test_what_promises_were_worth_is_what_trust_follows(quantile, reactive, expected):
    too_early = scored(239, quantile=quantile, reactive=reactive)
    in_time = scored(240, quantile=quantile, reactive=reactive)

    assert (trust(too_early), trust(in_time)) == (Trust.TRUSTED, expected)


@pytest.mark.parametrize(
    ("demoted", "seen", "expected"),
    [
        pytest.param(False, {"n_steps": 0}, Trust.WARMING, id="not a minute of it"),
        pytest.param(False, {"n_steps": 1}, Trust.TRUSTED, id="one is enough"),
        pytest.param(True, {"n_steps": 0}, Trust.WARMING, id="which is said first"),
        pytest.param(False, {"age_seconds": 300.0}, Trust.TRUSTED, id="five minutes are no outage"),
        pytest.param(False, {"age_seconds": 301.0}, Trust.STALE, id="more are"),
        pytest.param(True, {"age_seconds": 301.0}, Trust.STALE, id="for whomever"),
    ],
)
def test_trust_needs_a_past_and_fresh_readings(demoted, seen, expected):
    assert trust(fresh(demoted=demoted), **seen) == expected


@pytest.mark.parametrize(
    ("net", "most"),
    [
        pytest.param(100.0, TWICE, id="nor by experts who expect a thousand times as much"),
        pytest.param(400.0, 400.0, id="unless the network says so"),
    ],
)
def test_nobody_is_sized_for_more_than_twice_the_highest_load_of_a_day(net, most):
    calibration = fresh(n_scored=1000.0, steady=1e5, trend=np.log(1e5), reach=50.0)
    level = np.array([100.0])
    persistence = Reactive(level, level, np.array([0.1]), relative(np.array([150.0]), level))
    levels = np.full((1, len(LEVELS)), net)

    promise = calibration.promise(ROWS, levels, persistence, risk=np.array([0.01]))
    assert promise.quantile[0] == pytest.approx(most, rel=0.02)
    assert promise.reactive[0] == pytest.approx(TWICE, rel=0.02)
