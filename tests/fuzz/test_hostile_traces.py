"""A file that somebody hands to `replay` is a recorded load, or refused by name."""

import gzip
from pathlib import Path
from random import Random

import numpy as np
import pytest

from autoscaler.errors import TraceError
from autoscaler.replay.trace import Trace, read_trace
from fuzz.hostile import TEXTS, edited, inputs, noise

GOOD = "timestamp,value\n" + "".join(f"{60 * k},{k % 7}.5\n" for k in range(12) if k != 5)
ARCHIVE = gzip.compress(GOOD.encode(), mtime=0)
FRAGMENTS = (
    *("\n", ",", '"', "'", "\r", ";", "\t", "#", "nan", "inf", "-0", "1e308", "-1e308", "1e-320"),
    *("6e12,1\n", "60,1\n", "timestamp,value\n", "1_000", "0.5", "9" * 400, *TEXTS),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("traces")


def read(path: Path, body: bytes) -> Trace | None:
    """Return the recording; a refusal has to say which file."""
    path.write_bytes(body)
    complaint = ""
    try:
        return read_trace(path)
    except TraceError as error:
        complaint = str(error)
    assert complaint.startswith(str(path))
    return None


def assert_sound(trace: Trace | None) -> None:
    """A recording is on a grid of whole seconds; what is there is finite and not negative."""
    if trace is None:
        return
    known = trace.load[~np.isnan(trace.load)]
    assert known.size >= 2
    assert np.isfinite(known).all()
    assert (known >= 0).all()
    assert 1 <= trace.step_seconds <= 3600
    assert np.isfinite(trace.start_seconds)


def test_what_is_spoilt_below_is_good(folder):
    assert read(folder / "good.csv", GOOD.encode()) is not None
    assert read(folder / "good.csv.gz", ARCHIVE) is not None


@inputs(6_000)
def test_edited_text_is_a_recording_or_refused(folder, chance: Random):
    text = edited(GOOD, FRAGMENTS, chance)

    assert_sound(read(folder / "t.csv", text.encode("utf-8", "surrogatepass")))


@inputs(3_000)
def test_text_of_no_kind_is_refused(folder, chance: Random):
    body = noise(chance, longest=200).encode("utf-8", "surrogatepass")

    assert read(folder / "t.csv", body) is None


@inputs(3_000)
def test_a_spoilt_archive_is_a_recording_or_refused(folder, chance: Random):
    body = bytearray(ARCHIVE)
    for _ in range(chance.randrange(1, 4)):
        body[chance.randrange(len(body))] = chance.randrange(256)

    assert_sound(read(folder / "t.csv.gz", bytes(body[: chance.randrange(len(body) + 1) or None])))


@inputs(3_000)
def test_an_archive_of_edited_text_is_a_recording_or_refused(folder, chance: Random):
    text = edited(GOOD, FRAGMENTS, chance).encode("utf-8", "surrogatepass")

    assert_sound(read(folder / "t.csv.gz", gzip.compress(text, 1) + chance.randbytes(3)))
