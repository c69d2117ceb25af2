"""Replays as plain values, for what is told of them."""

from dataclasses import replace

import numpy as np

from autoscaler.review.verdict import Replayed, Run
from review.records import NOW

TICK = 15.0
YAML = "scaleTargetRef:\n  name: checkout\n"


def replayed(*, slow=0.08, cost=0.89, load=None, ready=None, **changes):
    n = 4 * 240
    load = np.full(n, 5.0) if load is None else load
    ready = np.full(len(load), 6) if ready is None else ready
    run = Replayed(
        trace="shop.csv",
        startup_seconds=120.0,
        risk=0.01,
        tick_seconds=TICK,
        seconds=NOW.timestamp() + TICK * np.arange(len(load)),
        load=load,
        desired=ready,
        ready=ready,
        ours=Run(0.001, 0.0002, 1.2, 2.5),
        clairvoyant=Run(0.0, 0.0, 1.05, 4.0),
        frontier=((1.1, 0.05), (1.3, 0.01), (1.6, 0.001)),
        hpa_slow_at_our_cost=0.0125,
        hpa_cost_at_our_slow=1.6,
        slow_at_equal_cost=slow,
        cost_at_equal_slow=cost,
        gap_closed=0.55,
        median=load,
        quantile=load * 1.1,
        hpa_name="HPA at CPU 52%",
        hpa_ready=ready - 1,
    )
    return replace(run, **changes)


def burst():
    """Return four hours at 5 pods with ten minutes at 12, and pods that follow two minutes late."""
    load = np.full(960, 5.0)
    load[600:640] = 12.0
    ready = np.full(960, 6)
    ready[608:660] = 12
    return replayed(load=load, ready=ready)
