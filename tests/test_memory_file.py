"""What one process leaves to the next of its decisions."""

import json
import math
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest

from autoscaler import memory_file
from autoscaler.decide.facts import Capacity, CapacitySource, TargetRef
from autoscaler.decide.learned_capacity import CapacityFit
from autoscaler.decide.reason import Reason
from autoscaler.decide.recovery import Memory
from autoscaler.decide.state import Order, ScaleEvent, TimestampedRecommendation, WorkloadState
from autoscaler.errors import MemoryFileError

NOW = datetime(2026, 11, 25, 8, 0, 0, 250_000, tzinfo=UTC)
CHECKOUT, ROLLOUT = TargetRef("shop", "checkout"), TargetRef("a", "b", "Rollout", "argoproj.io/v1")
WHOLE = WorkloadState(
    NOW - timedelta(days=1),
    (TimestampedRecommendation(NOW, 3, assumed=True), TimestampedRecommendation(NOW, 4)),
    (ScaleEvent(NOW, -2), ScaleEvent(NOW, 5)),
    last_scale_up_at=NOW,
    last_scale_down_at=NOW - timedelta(hours=2),
    recovered=True,
    seen_at=NOW,
    holds=((Reason.BURST_HOLD, NOW),),
    idle_since=NOW,
    order=Order(4, "77"),
    reverted_at=(NOW,),
    generation=12,
    surplus=timedelta(seconds=70.5),
    idle_share=0.25,
    busiest=((NOW, 2.5),),
    uid="5f0c",
)
KNOWN = Capacity(80.0, CapacitySource.LEARNED, 80.0, None, 100.5)
FIT = CapacityFit("6b8f", 40.0, 55.5, 0.6, 210.0, 2.1, 0.02, KNOWN, "rate cpu", 3.0)
MEMORIES = {
    CHECKOUT: Memory(WHOLE, timedelta(minutes=5), FIT),
    ROLLOUT: Memory(WorkloadState(NOW), timedelta(hours=1)),
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "memory.decisions"
    memory_file.write(path, MEMORIES)
    return path


def test_what_is_written_is_read_back_whole(path):
    assert memory_file.read(path).memories == MEMORIES


@pytest.mark.parametrize("seconds", [0.0, 240.0, -240.0])
def test_by_how_much_the_clock_was_set_since_it_was_written_is_known(path, monkeypatch, seconds):
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + seconds)

    assert memory_file.read(path).clock.moved_by() == pytest.approx(seconds, abs=0.5)


@pytest.mark.parametrize("boot_id", ["of another machine", ""])
def test_of_another_machine_s_clock_nothing_is_known(path, boot_id):
    document = json.loads(path.read_text())
    document["clock"] = [boot_id, 0.0]
    path.write_text(json.dumps(document))

    assert memory_file.read(path).clock.moved_by() == 0.0


def test_it_lies_beside_what_the_forecasts_learned(tmp_path):
    assert memory_file.beside(tmp_path / "memory") == tmp_path / "memory.decisions"


def changed(**fields):
    def change(document):
        document["workloads"][0][-1] |= fields

    return change


def fitted(**fields):
    return changed(fit=json.loads(json.dumps(asdict(FIT))) | fields)


def without(name):
    def change(document):
        del document["workloads"][0][-1][name]

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(lambda d: d.update(version=8), "is of version 8, not 7", id="later version"),
        pytest.param(lambda d: d.update(clock=["x"]), "is damaged", id="half a clock"),
        pytest.param(lambda d: d.pop("workloads"), "is damaged", id="no workloads"),
        pytest.param(
            lambda d: d["workloads"].append(3), "is damaged", id="a workload without form"
        ),
        pytest.param(lambda d: d["workloads"].append([1, {}]), "is damaged", id="name is no text"),
        pytest.param(without("seen_at"), "is damaged", id="a field is missing"),
        pytest.param(changed(started_at="2026-11-25T08:00:00"), "no time zone", id="local time"),
        pytest.param(changed(started_at=None), "is not text", id="no start"),
        pytest.param(changed(recovered=1), "neither true nor false", id="a number for a flag"),
        pytest.param(changed(generation=-1), "is negative", id="negative count"),
        pytest.param(changed(generation=1.5), "not a whole number", id="a fraction"),
        pytest.param(changed(scale_events=[["x", 1]]), "is damaged", id="no instant"),
        pytest.param(changed(holds=[["Hunch", NOW.isoformat()]]), "is damaged", id="no reason"),
        pytest.param(changed(fit={}), "is damaged", id="nothing of a fit"),
        pytest.param(fitted(weight="40"), "is not a number", id="text for a number"),
        pytest.param(fitted(weight=math.nan), "is not finite", id="not a number"),
        pytest.param(fitted(inherited={"per_pod": 1}), "is damaged", id="half a capacity"),
        pytest.param(changed(order=[1]), "is damaged", id="half an order"),
        pytest.param(changed(reach_seconds=1e300), "is damaged", id="beyond all time"),
    ],
)
def test_a_document_of_another_form_is_refused_whole(path, change, says):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))

    with pytest.raises(MemoryFileError, match=says):
        memory_file.read(path)


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_file_that_is_no_such_document_is_refused(path, text):
    path.write_bytes(text)

    with pytest.raises(MemoryFileError, match="is damaged"):
        memory_file.read(path)


def test_a_file_cut_short_is_refused(path):
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(MemoryFileError, match="is damaged"):
        memory_file.read(path)


def test_no_file_and_no_folder_are_said_so(tmp_path):
    with pytest.raises(MemoryFileError, match="cannot be read"):
        memory_file.read(tmp_path / "absent")
    with pytest.raises(MemoryFileError, match="cannot be written"):
        memory_file.write(tmp_path / "no folder" / "memory", MEMORIES)


def test_what_is_no_number_is_not_written(path):
    broken = Memory(WHOLE, timedelta(minutes=5), replace(FIT, spread=math.nan))

    with pytest.raises(MemoryFileError, match="cannot be written"):
        memory_file.write(path, {CHECKOUT: broken})
    assert memory_file.read(path).memories == MEMORIES


def test_the_old_file_stays_where_the_new_one_cannot_be_written(path):
    path.with_name("memory.decisions.partial").mkdir()

    with pytest.raises(MemoryFileError, match="cannot be written"):
        memory_file.write(path, {})
    assert memory_file.read(path).memories == MEMORIES
