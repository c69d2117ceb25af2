import gzip
import re

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
        pytest.param(
            "timestamp,value\n0,1\n60,NaN\n",
            "'NaN' is not a number; for a gap leave",
            id="not a number",
        ),
        pytest.param("timestamp,value\n0,1\n60,inf\n", "'inf' is not a number", id="infinite"),
        pytest.param("timestamp,value\n0,1\n60,-1\n", "line 3: value '-1' is neg", id="negative"),
        pytest.param("timestamp,value\n60,1\n0,1\n", "'0' is before", id="unsorted"),
        pytest.param("timestamp,value\n0,1\n0,1\n", "'0' repeats", id="duplicate"),
        pytest.param("timestamp,value\n0,1\n60,1\n130,1\n", "line 4: timestamp 130", id="uneven"),
        pytest.param(
            "timestamp,value\n0,1\n60\n",
            "line 3: expected timestamp,value, got '60'",
            id="missing field",
        ),
        pytest.param(
            "timestamp,value\n0,1\n60,\n", "line 3: value '' is not a number", id="no value"
        ),
        pytest.param(
            "timestamp,value\n0;1\n", "line 2: expected timestamp,value, got '0;1'", id="semicolons"
        ),
        pytest.param(
            "timestamp,value\n0,1_000\n", "value '1_000' is not a number", id="Python's 1000"
        ),
        pytest.param(
            "timestamp,value\n-60,1\n", "line 2: timestamp '-60' is negative", id="before 1970"
        ),
        pytest.param(
            "timestamp,value\n2026-11-23T08:00:00Z,1\n",
            "line 2: timestamp '2026-11-23T08:00:00Z' is not a number of unix seconds",
            id="a date",
        ),
        pytest.param(
            "timestamp,value\n1763942400000,1\n1763942401000,1\n",
            "line 2: timestamp '1763942400000' is after the year 2200: "
            "unix seconds are wanted, not milliseconds",
            id="milliseconds",
        ),
        pytest.param(
            "timestamp,value\n0,1\n60,1\n120,1\n127,1\n180,1\n240,1\n",
            "line 5: timestamp 127 is off the even grid of 60 s that began at 0",
            id="one stray row",
        ),
        pytest.param(
            "timestamp,value\n0,1\n60.2,1\n119.9,1\n180.1,1\n",
            "line 3: timestamp 60.2 is off the even grid of 60 s that began at 0",
            id="a clock that trembles",
        ),
        pytest.param("timestamp,value\n0,1\n0.5,1\n", "step of 0.5 s", id="too fine"),
        pytest.param("timestamp,value\n0,1\n7200,1\n", "step of 7200 s", id="too coarse"),
        pytest.param("timestamp,value\n0,1\n60,1\n6e9,1\n", "spans", id="absurd gap"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_value(tmp_path, text, words):
    path = write(tmp_path, text)

    with pytest.raises(TraceError) as refused:
        read_trace(path)

    assert words in str(refused.value)
    assert str(path) in str(refused.value)


ROWS = "timestamp,value\n0,1\n60,2\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("t.csv", b"\xef\xbb\xbf" + ROWS.encode(), id="with Excel's byte order mark"),
        pytest.param("t.csv", gzip.compress(ROWS.encode()), id="gzipped under another name"),
        pytest.param("t.csv.gz", ROWS.encode(), id="unpacked and not renamed"),
        pytest.param("t.csv", ROWS.replace("\n", "\r\n").encode(), id="lines of Windows"),
    ],
)
def test_what_a_file_holds_counts_and_not_its_name(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)

    np.testing.assert_array_equal(read_trace(path).load, [1, 2])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(gzip.compress(ROWS.encode())[:-9], "ended before", id="cut archive"),
        pytest.param(ROWS.encode("utf-16"), "not UTF-8 text (byte 0xff at 0)", id="UTF-16"),
        pytest.param(None, "No such file or directory", id="no file"),
    ],
)
def test_a_file_that_cannot_be_read_says_why_in_words(tmp_path, content, words):
    path = tmp_path / "t.csv"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(TraceError, match=re.escape(f"{path}: cannot be read: ")) as refused:
        read_trace(path)

    assert words in str(refused.value)
