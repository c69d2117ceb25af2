import gzip

import numpy as np
import pytest

from autoscaler.errors import TraceError
from autoscaler.replay.trace import read_trace


def write(tmp_path, text, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def test_missing_rows_are_gaps_and_never_zero(tmp_path):
    path = write(tmp_path, "timestamp,value\n0,1\n60,2\n180,4\n", "t.csv.gz")

    trace = read_trace(path)

    assert (trace.start_seconds, trace.step_seconds, trace.end_seconds) == (0, 60, 240)
    np.testing.assert_array_equal(trace.load, [1, 2, np.nan, 4])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "line 1: the header", id="empty file"),
        pytest.param("time,load\n0,1\n", "got 'time,load'", id="another header"),
        pytest.param("timestamp,value\n0,1\n", "at least 2 rows", id="one row"),
        pytest.param("timestamp,value\n0,1\n60,x\n", "line 3: value 'x' is not a", id="a word"),
        pytest.param("timestamp,value\n0,1\n60,NaN\n", "'NaN' is not a finite", id="not a number"),
        pytest.param("timestamp,value\n0,1\n60,inf\n", "'inf' is not a finite", id="infinite"),
        pytest.param("timestamp,value\n0,1\n60,-1\n", "line 3: value '-1' is neg", id="negative"),
        pytest.param("timestamp,value\n60,1\n0,1\n", "'0' is before", id="unsorted"),
        pytest.param("timestamp,value\n0,1\n0,1\n", "'0' repeats", id="duplicate"),
        pytest.param("timestamp,value\n0,1\n60,1\n130,1\n", "line 4: timestamp 130", id="uneven"),
        pytest.param("timestamp,value\n0,1\n60\n", "line 3: expected", id="missing field"),
        pytest.param("timestamp,value\n0,1\n0.5,1\n", "step of 0.5 s", id="too fine"),
        pytest.param("timestamp,value\n0,1\n60,1\n6e12,1\n", "spans", id="absurd gap"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_value(tmp_path, text, words):
    path = write(tmp_path, text)

    with pytest.raises(TraceError) as refused:
        read_trace(path)

    assert words in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_broken_archive_is_a_trace_error(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(b"no gzip at all")

    with pytest.raises(TraceError):
        read_trace(path)
