"""What of each workload's decisions and learned capacity outlives a restart: a JSON file.

It lies beside the file of the forecasts (`--memory-file`), and is of use without it.
Text, so that anybody can read why a restart did or did not hold; a file that is not whole, or not
of this version, is refused whole.
Whether it is recent and complete enough to go on from is judged in `decide/recovery.py`.
A reading of the clock goes with it: instants that were written by another clock would mislead.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from autoscaler.clocks import ClockReading
from autoscaler.decide.facts import Capacity, CapacitySource, TargetRef
from autoscaler.decide.learned_capacity import CapacityFit
from autoscaler.decide.reason import Reason
from autoscaler.decide.recovery import Memory
from autoscaler.decide.state import (
    Order,
    ScaleEvent,
    TimestampedRecommendation,
    WorkloadState,
)
from autoscaler.errors import MemoryFileError
from autoscaler.strict import MALFORMED, count_of, flag_of, instant_of, number_of, text_of, whole_of

VERSION = 7
Json = Mapping[str, Any]
_SUMS = ("weight", "load", "cores", "load_variance", "covariance", "spread", "odd")


class Left(NamedTuple):
    """What was left: the memory of each workload, and the clock it was written by."""

    memories: dict[TargetRef, Memory]
    clock: ClockReading


def beside(memory: Path) -> Path:
    """Return where decisions are remembered, given where forecasts are."""
    return memory.with_name(f"{memory.name}.decisions")


def write(path: Path, memories: Mapping[TargetRef, Memory]) -> None:
    """Write all memories; the old file stays until the new one is complete.

    Raises
    ------
    MemoryFileError
        The file cannot be written.
    """
    workloads = [[*target, _written(memory)] for target, memory in memories.items()]
    partial = path.with_name(f"{path.name}.partial")
    try:
        document = {"version": VERSION, "clock": ClockReading.now(), "workloads": workloads}
        text = json.dumps(document, allow_nan=False)
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, ValueError) as error:  # or a number that is none, which nobody could read
        raise MemoryFileError(f"{path}: cannot be written: {error}") from error


def read(path: Path) -> Left:
    """Return what a file holds.

    Raises
    ------
    MemoryFileError
        There is none, it is not whole, or it is of another version.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        version = document["version"]
        if version != VERSION:
            raise MemoryFileError(f"{path}: is of version {version}, not {VERSION}")
        rows = [(TargetRef(*map(text_of, names)), raw) for *names, raw in document["workloads"]]
        boot_id, seconds_ahead = document["clock"]
        clock = ClockReading(text_of(boot_id), number_of(seconds_ahead))
        return Left({target: _read(raw) for target, raw in rows}, clock)
    except OSError as error:
        raise MemoryFileError(f"{path}: cannot be read: {error}") from error
    except MALFORMED as error:
        raise MemoryFileError(f"{path}: is damaged: {error!r}") from error


def _written(memory: Memory) -> dict[str, Any]:
    state = memory.state
    return {
        "reach_seconds": memory.reach.total_seconds(),
        "started_at": state.started_at.isoformat(),
        "recovered": state.recovered,
        "seen_at": _instant(state.seen_at),
        "generation": state.generation,
        "recommendations": [
            [r.at.isoformat(), r.replicas, r.assumed] for r in state.recommendations
        ],
        "scale_events": [[e.at.isoformat(), e.change] for e in state.scale_events],
        "last_scale_up_at": _instant(state.last_scale_up_at),
        "last_scale_down_at": _instant(state.last_scale_down_at),
        "holds": [[str(reason), at.isoformat()] for reason, at in state.holds],
        "idle_since": _instant(state.idle_since),
        "order": None if state.order is None else [state.order.replicas, state.order.over_version],
        "reverted_at": [at.isoformat() for at in state.reverted_at],
        "surplus_seconds": state.surplus.total_seconds(),
        "idle_share": state.idle_share,
        "busiest": [[at.isoformat(), pods] for at, pods in state.busiest],
        "uid": state.uid,
        "fit": None if memory.fit is None else asdict(memory.fit),
    }


def _read(raw: Json) -> Memory:
    order, generation = raw["order"], raw["generation"]
    state = WorkloadState(
        started_at=instant_of(raw["started_at"]),
        recommendations=tuple(
            TimestampedRecommendation(instant_of(at), count_of(n), flag_of(assumed))
            for at, n, assumed in raw["recommendations"]
        ),
        scale_events=tuple(
            ScaleEvent(instant_of(at), whole_of(n)) for at, n in raw["scale_events"]
        ),
        last_scale_up_at=_maybe_at(raw["last_scale_up_at"]),
        last_scale_down_at=_maybe_at(raw["last_scale_down_at"]),
        recovered=flag_of(raw["recovered"]),
        seen_at=_maybe_at(raw["seen_at"]),
        holds=tuple((Reason(reason), instant_of(at)) for reason, at in raw["holds"]),
        idle_since=_maybe_at(raw["idle_since"]),
        order=None if order is None else _order(*order),
        reverted_at=tuple(map(instant_of, raw["reverted_at"])),
        generation=None if generation is None else count_of(generation),
        surplus=timedelta(seconds=number_of(raw["surplus_seconds"])),
        idle_share=number_of(raw["idle_share"]),
        busiest=tuple((instant_of(at), number_of(pods)) for at, pods in raw["busiest"]),
        uid=text_of(raw["uid"]),
    )
    fit = None if raw["fit"] is None else _fit(raw["fit"])
    return Memory(state, timedelta(seconds=count_of(round(raw["reach_seconds"]))), fit)


def _fit(raw: Json) -> CapacityFit:
    sums = {name: number_of(raw[name]) for name in _SUMS}
    inherited = None if raw["inherited"] is None else _capacity(raw["inherited"])
    return CapacityFit(
        text_of(raw["template_hash"]),
        **sums,
        inherited=inherited,
        learned_of=text_of(raw["learned_of"]),
    )


def _capacity(raw: Json) -> Capacity:
    bounds = {name: raw[name] for name in ("low", "high", "saturated_at")}
    return Capacity(
        number_of(raw["per_pod"]),
        CapacitySource(raw["source"]),
        **{name: None if bound is None else number_of(bound) for name, bound in bounds.items()},
    )


def _order(replicas: Any, over_version: Any) -> Order:
    return Order(count_of(replicas), text_of(over_version))


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _maybe_at(value: Any) -> datetime | None:
    return None if value is None else instant_of(value)
