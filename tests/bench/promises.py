"""Were the promises kept: how often the load was above its quantile, over all and on worst days."""

import numpy as np

from autoscaler.replay.run import ReplayResult
from autoscaler.replay.ticks import TICK_SECONDS

_DAY_TICKS = 86_400 // TICK_SECONDS
# On less than half a day a share of one in three hundred is not yet a share.
_LEAST_TICKS = _DAY_TICKS // 2


def shares_above(result: ReplayResult) -> tuple[float, float]:
    """Return the share of windows above their quantile, over the whole and on the worst day."""
    lead = round(result.startup_seconds / TICK_SECONDS)
    load = result.load_in_pods
    n = len(load) - lead - 1
    peak = np.maximum(load[lead : lead + n], load[lead + 1 : lead + 1 + n])
    quantile = result.quantile[:n]
    known = np.isfinite(peak) & np.isfinite(quantile)
    above = (peak > quantile * 1.001) & known
    days = [
        above[day].sum() / known[day].sum()
        for start in range(0, n, _DAY_TICKS)
        if known[day := slice(start, start + _DAY_TICKS)].sum() >= _LEAST_TICKS
    ]
    return float(above.sum() / max(known.sum(), 1)), float(max(days, default=np.nan))
