"""What would somebody who knows the future have paid: the bound no forecast can beat.

It pays the same start-up: at each tick it keeps what the highest load until `startup` later needs.
"""

import numpy as np
from numpy.typing import NDArray

from autoscaler.replay.ticks import TICK_SECONDS
from autoscaler.replay.world import needed_replicas


def clairvoyant_replicas(
    load_in_pods: NDArray[np.float64], *, startup_seconds: float
) -> NDArray[np.int64]:
    """Return max of ceil(load) over [t, t + startup] at each tick, at least one."""
    span = round(startup_seconds / TICK_SECONDS) + 1
    needed = np.concatenate([needed_replicas(load_in_pods), np.zeros(span - 1, dtype=np.int64)])
    windows = np.lib.stride_tricks.sliding_window_view(needed, span)
    return np.asarray(np.maximum(windows.max(axis=1), 1))
