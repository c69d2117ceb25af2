"""How often a load exceeds the quantile in the first minutes that it is known.

Every recording begins at many random places, as a workload of today does; nothing was ever learnt
of it, and no promise about it scored.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autoscaler.replay.run import Prior
from autoscaler.replay.trace import Trace
from models.engine import ForecastEngine

_N_STARTS = 120
_MINUTES = (1, 5, 10, 20, 40)
# Start-up, and one cycle until the next chance; readings are half a minute old (`engine.predict`).
_LEAD_SECONDS, _HOLD_SECONDS = 120.0, 15.0
# So many minutes after the newest one the window lies.
_AHEAD = 3
_MINUTE = 60.0


def young_table(known_to: Sequence[tuple[Trace, Prior]], *, risks: Sequence[float]) -> list[str]:
    """Return the lines of a table, markdown: exceeded over stated, mean over the recordings."""
    lines = [
        "| minutes known | " + " | ".join(f"{risk:.1%}" for risk in risks) + " |",
        "|---:|" + "---:|" * len(risks),
    ]
    over = np.mean([_exceeded(trace, prior, risks) for trace, prior in known_to], axis=0)
    for minutes, shares in zip(_MINUTES, over, strict=True):
        each = (f"{share / risk:.2f}" for share, risk in zip(shares, risks, strict=True))
        lines.append(f"| {minutes} | " + " | ".join(each) + " |")
    return lines


def _exceeded(trace: Trace, prior: Prior, risks: Sequence[float]) -> NDArray[np.float64]:
    """Return the share of starts whose load was above, shape (len(_MINUTES), n_risks)."""
    minutes = np.repeat(trace.load, round(trace.step_seconds / _MINUTE))
    begins = np.random.default_rng(0).integers(0, len(minutes) - max(_MINUTES) - _AHEAD, _N_STARTS)
    loads = minutes[begins[:, None] + np.arange(max(_MINUTES) + _AHEAD)]
    by_risk = [_above(loads, prior, risk=risk) for risk in risks]
    return np.stack(by_risk, axis=1)[np.array(_MINUTES) - 1]


def _above(loads: NDArray[np.float64], prior: Prior, *, risk: float) -> NDArray[np.float64]:
    """Return the share of loads above their quantile after each minute, `loads` one row a start."""
    engine = ForecastEngine(prior=prior)
    rows = engine.add(len(loads))
    shares = []
    for minute in range(max(_MINUTES)):
        engine.append(loads[:, minute], end_seconds=_MINUTE * (minute + 1), rows=rows)
        answer = engine.predict(
            rows=rows, lead_seconds=_LEAD_SECONDS, hold_seconds=_HOLD_SECONDS, risk=risk
        )
        came = loads[:, minute + _AHEAD]
        shares.append((came > answer.quantile)[answer.known & np.isfinite(came)].mean())
    return np.array(shares)
