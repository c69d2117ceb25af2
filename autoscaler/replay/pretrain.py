"""How the pooled prior is rebuilt: `python -m autoscaler.replay.pretrain FOLDER [OUT.npz]`.

Every recording in the folder is played through the very engine that serves later, beside altered
copies of itself and mixtures with the others (`alterations.py`).
What the engine shows of itself at sampled minutes, and what came, are the examples.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoscaler.replay.alterations import altered_copies
from autoscaler.replay.ticks import METRIC_AGE_SECONDS, TICK_SECONDS, measured_load
from autoscaler.replay.trace import read_trace
from models.engine import ForecastEngine
from models.features import inputs, minute_view
from models.fitting import Examples, Recipe, fitted
from models.horizon import Asked, horizon_of
from models.moment import moment_of
from models.network import Network, saved
from models.pulse import relative

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

# Examples per played copy: a few per hour of a fortnight, as many for a trace of two months.
_N_EXAMPLES = 4000
# Half of all examples are at leads people have, the others anywhere between.
_LEADS = (30.0, 120.0, 300.0)
_LEAD_RANGE = (15.0, 900.0)
_HOLDS = (15.0, 15.0, 15.0, 60.0, 300.0, 600.0)
_MINUTE = 60.0
_N_MEMBERS = 3


class _Player:
    """Plays many loads side by side and notes examples at sampled ticks."""

    def __init__(self, loads: list[FloatArray], rng: np.random.Generator) -> None:
        self.loads = loads
        self.rng = rng
        self.n_ticks = max(len(load) for load in loads)
        self.measured = np.full((self.n_ticks, len(loads)), np.nan)
        self.wanted = np.zeros((self.n_ticks, len(loads)), dtype=np.bool_)
        for i, load in enumerate(loads):
            self.measured[: len(load), i] = measured_load(load)
            picked = rng.choice(len(load), min(_N_EXAMPLES, len(load) // 4), replace=False)
            self.wanted[picked, i] = np.isfinite(self.measured[picked, i])
        self.engine = ForecastEngine(prior=())
        self.rows = self.engine.add(len(loads))
        self.notes: list[tuple[NDArray[np.generic], ...]] = []

    def play(self) -> None:
        """Run through all ticks."""
        for tick in range(self.n_ticks):
            now = float(tick * TICK_SECONDS)
            at = now - METRIC_AGE_SECONDS
            self.engine.observe_now(self.measured[tick], at_seconds=at, rows=self.rows)
            if at % _MINUTE == 0:
                self.engine.append(self.measured[tick], end_seconds=at, rows=self.rows)
            which = np.flatnonzero(self.wanted[tick])
            if which.size and at > _MINUTE:
                self._note(tick, which)

    def _note(self, tick: int, which: IntArray) -> None:
        shortest, longest = np.log(_LEAD_RANGE)
        lead = np.exp(self.rng.uniform(shortest, longest, len(which)))
        usual = self.rng.random(len(which)) < 0.5
        lead = np.where(usual, self.rng.choice(_LEADS, len(which)), lead)
        hold = self.rng.choice(_HOLDS, len(which))
        moment = moment_of(self.engine.memory, self.engine.pulse, self.rows[which])
        now = np.full(len(which), float(tick * TICK_SECONDS))
        asked = Asked(now, lead, hold, np.full(len(which), 0.01))
        horizon = horizon_of(moment, asked, step_seconds=self.engine.step_seconds)
        view = minute_view(self.engine.memory, moment)
        given = inputs(self.engine.memory, moment, view, horizon)
        peak = np.array(
            [_peak(self.loads[i], tick, lead[j], hold[j]) for j, i in enumerate(which.tolist())]
        )
        growth = relative(peak, given.level) - given.anchor
        weight = np.exp(given.anchor) * given.scale
        self.notes.append((which, given.features, given.scale, growth, weight))


def _peak(load: FloatArray, tick: int, lead: float, hold: float) -> float:
    """Return the highest load of the window, NaN where any of it is unknown or not recorded."""
    first, last = (round(tick + seconds / TICK_SECONDS) for seconds in (lead, lead + hold))
    return float(load[first : last + 1].max()) if last < len(load) else float("nan")


def examples_by_load(loads: list[FloatArray], *, seed: int) -> list[Examples]:
    """Return the examples of each load, weighted so that every load counts alike."""
    player = _Player(loads, np.random.default_rng(seed))
    player.play()
    which, features, scale, growth, weight = (
        np.concatenate([note[k] for note in player.notes]) for k in range(5)
    )
    usable = np.isfinite(growth)
    return [
        _evenly(Examples(features[of], scale[of], growth[of], weight[of]))
        for of in (usable & (which == i) for i in range(len(loads)))
    ]


def _evenly(examples: Examples) -> Examples:
    """Bound single weights, and bring a load's mean weight to one."""
    weight = np.minimum(examples.weight, 10.0 * examples.weight.mean())
    return Examples(
        examples.features.astype(np.float32),
        examples.scale.astype(np.float32),
        examples.growth.astype(np.float32),
        (weight / weight.mean()).astype(np.float32),
    )


def pooled(examples: list[Examples], *, n_members: int = _N_MEMBERS) -> tuple[Network, ...]:
    """Return members fitted to all examples, from different beginnings."""
    together = Examples(
        *(
            np.concatenate([getattr(e, name) for e in examples])
            for name in ("features", "scale", "growth", "weight")
        )
    )
    return tuple(fitted(together, Recipe(seed=seed)) for seed in range(n_members))


def main(arguments: list[str]) -> None:
    """Rebuild the prior from a folder of recordings."""
    rng = np.random.default_rng(0)
    traces = [read_trace(path) for path in sorted(Path(arguments[0]).glob("*.csv*"))]
    loads = [load for trace in traces for load in altered_copies(trace, rng, mates=traces)]
    members = pooled(examples_by_load(loads, seed=1))
    out = arguments[1] if len(arguments) > 1 else "models/pretrained/prior.npz"
    np.savez_compressed(out, allow_pickle=False, **saved(members))
    print(f"{out}: {len(traces)} recordings, {len(members)} members")


if __name__ == "__main__":
    main(sys.argv[1:])
