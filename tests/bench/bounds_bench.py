"""What could anybody close of the gap who knew the signal to come, but not the noise in it.

The clairvoyant knows every minute. Next to it, for every recording, somebody who knows in advance
the mean of the eleven minutes around each instant and how far minutes scatter about it, and pays
the same start-up: it keeps mean + k scatters, with the k that costs least at a given slow share.
No forecast made two minutes ahead knows five minutes after that; what even this one cannot close is
noise, not want of a model.
"""

from collections.abc import Sequence

import numpy as np

from autoscaler.replay.clairvoyant import clairvoyant_replicas
from autoscaler.replay.frontier import hpa_frontier
from autoscaler.replay.sweep import geometric_mean
from autoscaler.replay.ticks import TICK_SECONDS, ticks_of
from autoscaler.replay.trace import Trace
from autoscaler.replay.world import needed_replicas

_SLOW_SHARES = (0.001, 0.003, 0.01)
# Minutes around an instant.
_OF_THE_MEAN, _OF_THE_SCATTER = 11, 61
_HEADROOMS = np.arange(-0.5, 8.0, 0.25)


def bounds_table(
    traces: Sequence[Trace], *, capacity: float, startup_seconds: float = 120.0
) -> list[str]:
    """Return the table, markdown: share of the gap to the clairvoyant that this one closes."""
    heads = " | ".join(f"at {share:.1%} slow" for share in _SLOW_SHARES)
    lines = [f"| recording | {heads} |", "|---|" + "---:|" * len(_SLOW_SHARES)]
    closed = []
    for trace in traces:
        ratios = _ratios(trace, capacity, startup_seconds)
        closed.append(ratios)
        cells = " | ".join(f"{(1 - c) / max(1 - o, 1e-3):.0%}" for c, o in ratios)
        lines.append(f"| {trace.name.split('.')[0]} | {cells} |")
    means = [
        (geometric_mean(of[i][0] for of in closed), geometric_mean(of[i][1] for of in closed))
        for i in range(len(_SLOW_SHARES))
    ]
    return [*lines, f"| all | {' | '.join(f'{(1 - c) / (1 - o):.0%}' for c, o in means)} |"]


def _ratios(trace: Trace, capacity: float, startup: float) -> list[tuple[float, float]]:
    """Return costs over the HPA frontier's, the knower's and the clairvoyant's, per slow share."""
    ticks = ticks_of(trace)
    load = ticks.offered / capacity
    known = np.isfinite(load)
    first = max(int(needed_replicas(load[known][:1])[0]), 1)
    frontier = hpa_frontier(load, ticks.measured / capacity, startup_seconds=startup, first=first)
    bound = needed_replicas(load[known]).sum()
    best = clairvoyant_replicas(load, startup_seconds=startup)[known].sum() / bound
    slow, cost = _curve(load, known, round(startup / TICK_SECONDS), bound, frontier.least_slow)
    order = np.argsort(slow)
    out = []
    for share in _SLOW_SHARES:
        at = np.interp(np.log(share), np.log(slow[order]), np.log(cost[order]))
        theirs = frontier.cost_at(share)
        out.append((float(np.exp(at)) / theirs, best / theirs))
    return out


def _curve(
    load: np.ndarray, known: np.ndarray, span: int, bound: float, least: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return slow share and cost per head-room."""
    mean, scatter = known_signal(load, steps_per_minute=60 // TICK_SECONDS)
    slow, cost = [], []
    for headroom in _HEADROOMS:
        ready = np.maximum(needed_replicas(mean + headroom * scatter), 1)
        ordered = np.concatenate([ready, np.ones(span, dtype=np.int64)])
        paid = np.lib.stride_tricks.sliding_window_view(ordered, span + 1).max(axis=1)
        slow.append(max(np.mean(load[known] > ready[known] + 1e-9), least))
        cost.append(paid[known].sum() / bound)
    return np.array(slow), np.array(cost)


def known_signal(load: np.ndarray, *, steps_per_minute: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what this one knows of every step: the mean around it, and the scatter about that."""
    mean = _centred(load, _OF_THE_MEAN * steps_per_minute)
    squares = _centred((load - mean) ** 2, _OF_THE_SCATTER * steps_per_minute)
    return mean, np.sqrt(np.maximum(squares, 0.0))


def _centred(values: np.ndarray, n_steps: int) -> np.ndarray:
    """Return the mean of the steps around each, of those that are known."""
    known = np.isfinite(values)
    ones = np.ones(n_steps)
    total = np.convolve(np.where(known, values, 0.0), ones, "same")
    return total / np.maximum(np.convolve(known.astype(float), ones, "same"), 1.0)
