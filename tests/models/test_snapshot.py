from dataclasses import replace

import numpy as np
import pytest

from models.engine import ForecastEngine
from models.snapshot import SnapshotError

END = 1_700_000_040.0


def engine_with_past():
    engine = ForecastEngine()
    rows = engine.add(2)
    minute = np.arange(90)
    y = np.vstack([100 + 10 * np.sin(minute / 9), 5 + minute * 0.1])
    engine.backfill(rows, y, end_seconds=END)
    return engine, rows


def answer(engine, rows):
    return engine.predict(rows=rows, lead_seconds=120.0, hold_seconds=15.0, risk=0.01)


def test_an_engine_restored_answers_as_before(tmp_path):
    engine, rows = engine_with_past()
    engine.save(tmp_path / "state", rows_by_key={"a": int(rows[0]), "b": int(rows[1])})
    restored = ForecastEngine()

    keys = restored.load(tmp_path / "state")

    assert keys == {"a": int(rows[0]), "b": int(rows[1])}
    np.testing.assert_array_equal(answer(restored, rows).quantile, answer(engine, rows).quantile)


def test_a_damaged_snapshot_is_refused(tmp_path):
    engine, rows = engine_with_past()
    engine.save(tmp_path / "state", rows_by_key={"a": int(rows[0])})
    data = bytearray((tmp_path / "state").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "state").write_bytes(bytes(data))

    with pytest.raises(SnapshotError, match="checksum differs"):
        ForecastEngine().load(tmp_path / "state")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(None, "cannot be read", id="absent"),
        pytest.param(b"", "is not a snapshot", id="empty"),
        pytest.param(b"something else entirely", "is not a snapshot", id="another file"),
    ],
)
def test_what_is_no_snapshot_is_refused(tmp_path, content, words):
    if content is not None:
        (tmp_path / "state").write_bytes(content)

    with pytest.raises(SnapshotError, match=words):
        ForecastEngine().load(tmp_path / "state")


def test_a_snapshot_of_another_grid_is_refused(tmp_path):
    engine, rows = engine_with_past()
    engine.save(tmp_path / "state", rows_by_key={"a": int(rows[0])})

    with pytest.raises(SnapshotError, match="belongs to step 60 s"):
        ForecastEngine(step_seconds=30).load(tmp_path / "state")


def test_what_was_learned_of_another_prior_is_refused(tmp_path):
    engine, rows = engine_with_past()
    engine.save(tmp_path / "state", rows_by_key={"a": int(rows[0])})
    first, *others = engine.prior
    newer = replace(first, mean=first.mean + np.float32(0.1))

    with pytest.raises(SnapshotError, match="prior"):
        ForecastEngine(prior=(newer, *others)).load(tmp_path / "state")
