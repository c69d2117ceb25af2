"""Where the load has been going: the last hour in a few numbers, for one row among many."""

from collections.abc import Iterable
from math import isnan
from typing import TypedDict

from autoscaler.review.rows import load_and_carried

TREND_SECONDS = 3600
# A point per minute is one for every two pixels.
_SLOT_SECONDS = 60
# Nobody reads a number off a picture of 34 pixels.
_DIGITS = 4


class Trend(TypedDict):
    """Columns, oldest first: unix seconds, load, what the ready pods carry; None is *unknown*."""

    time: list[int]
    load: list[float | None]
    carried: list[float | None]


def outline(rows: Iterable[bytes], k: int) -> Trend:
    """Return of each minute the row with the highest load of the k-th signal, and the newest."""
    highest: dict[int, tuple[int, float, float]] = {}
    newest = None
    for row in rows:
        at, load, _ = newest = load_and_carried(row, k)
        best = highest.get(at // _SLOT_SECONDS)
        if best is None or isnan(best[1]) or load >= best[1]:
            highest[at // _SLOT_SECONDS] = newest
    points = list(highest.values())
    if newest is not None and points[-1] is not newest:
        points.append(newest)
    return {
        "time": [at for at, _, _ in points],
        "load": [_rounded(load) for _, load, _ in points],
        "carried": [_rounded(carried) for _, _, carried in points],
    }


def _rounded(load: float) -> float | None:
    return None if isnan(load) else float(f"{load:.{_DIGITS}g}")
