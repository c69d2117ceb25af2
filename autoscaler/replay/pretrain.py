"""How the pooled prior is rebuilt: `python -m autoscaler.replay.pretrain FOLDER [OUT.npz]`.

Every recording in the folder is played through the very engine that serves later, beside altered
copies of itself (interpolated, steeper, flatter, noisier): loads to come are not loads that were.
What the engine shows of itself at sampled minutes, and what came, are the examples.
"""

import sys
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoscaler.replay.ticks import METRIC_AGE_SECONDS, TICK_SECONDS, measured_load, ticks_of
from autoscaler.replay.trace import Trace, read_trace
from models.engine import ForecastEngine
from models.features import Inputs, inputs, minute_view
from models.fitting import Examples, Recipe, fitted
from models.horizon import Asked, horizon_of
from models.moment import moment_of
from models.network import Network, saved
from models.pulse import relative

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

# Examples are dense while nearly every recording still plays (11 days), then sparse: a trace of two
# months should not count for six others.
_DENSE_TICKS, _DENSE_EVERY, _SPARSE_EVERY = 63_360, 20, 120
_FIRST_TICK = 8
# Answers a minute apart; within HPA's default window of 300 s less the shortest lead.
_N_ANSWERS, _ANSWER_TICKS, _KEPT_SECONDS = 5, 4, 300.0
# Half of all examples are at leads people have, the others anywhere between.
_LEADS = (30.0, 120.0, 300.0)
_LEAD_RANGE = (15.0, 900.0)
_HOLDS = (15.0, 15.0, 15.0, 60.0, 300.0, 600.0)
_MINUTE = 60.0
_N_MEMBERS = 2


def altered_copies(trace: Trace, rng: np.random.Generator) -> list[FloatArray]:
    """Return the offered load at 15 s ticks: as recorded, and in three alterations."""
    recorded = ticks_of(trace).offered
    scale = float(np.nanmean(recorded)) or 1.0
    bent = scale * (recorded / scale) ** rng.uniform(0.6, 1.5)
    blur = np.exp(rng.normal(0.0, rng.uniform(0.02, 0.2), len(recorded)))
    return [recorded, _interpolated(trace, len(recorded)), bent, recorded * blur]


def _interpolated(trace: Trace, n_ticks: int) -> FloatArray:
    """Return the load as straight lines between rows, gaps kept."""
    place = np.arange(n_ticks) * TICK_SECONDS / trace.step_seconds
    left = np.minimum(place.astype(np.intp), len(trace.load) - 1)
    right = np.minimum(left + 1, len(trace.load) - 1)
    line = trace.load[left] + (trace.load[right] - trace.load[left]) * (place - left)
    return np.where(np.isnan(line), trace.load[left], line)


class _Player:
    """Plays many loads side by side and notes examples at sampled ticks."""

    def __init__(self, loads: list[FloatArray], rng: np.random.Generator) -> None:
        self.loads = loads
        self.rng = rng
        self.n_ticks = max(len(load) for load in loads)
        self.measured = np.full((self.n_ticks, len(loads)), np.nan)
        for i, load in enumerate(loads):
            self.measured[: len(load), i] = measured_load(load)
        self.engine = ForecastEngine(prior=())
        self.rows = self.engine.add(len(loads))
        self.notes: list[_Note] = []

    def play(self) -> None:
        """Run through all ticks."""
        due: dict[int, list[_Note]] = {}
        for tick in range(self.n_ticks):
            at = float(tick * TICK_SECONDS - METRIC_AGE_SECONDS)
            self.engine.observe_now(self.measured[tick], at_seconds=at, rows=self.rows)
            if at % _MINUTE == 0:
                self.engine.append(self.measured[tick], end_seconds=at, rows=self.rows)
            every = _DENSE_EVERY if tick < _DENSE_TICKS else _SPARSE_EVERY
            if tick > _FIRST_TICK and self.rng.random() < 1.0 / every:
                note = self._asked_for(tick)
                for later in note.ticks:
                    due.setdefault(later, []).append(note)
            for note in due.pop(tick, ()):
                self._answer(tick, note)

    def _asked_for(self, tick: int) -> "_Note":
        """Return a note to be answered from this tick on, a minute apart."""
        ticks = [tick + j * _ANSWER_TICKS for j in range(_N_ANSWERS)]
        alive = np.array([len(load) > ticks[-1] + _ANSWER_TICKS for load in self.loads])
        which = np.flatnonzero(alive)
        shortest, longest = np.log(_LEAD_RANGE)
        lead = np.exp(self.rng.uniform(shortest, longest, len(which)))
        usual = self.rng.random(len(which)) < 0.5
        lead = np.where(usual, self.rng.choice(_LEADS, len(which)), lead)
        return _Note(ticks, which, lead, self.rng.choice(_HOLDS, len(which)), [])

    def _answer(self, tick: int, note: "_Note") -> None:
        moment = moment_of(self.engine.memory, self.engine.pulse, self.rows[note.which])
        n = len(note.which)
        now = np.full(n, float(tick * TICK_SECONDS))
        asked = Asked(now, note.lead, note.hold, np.full(n, 0.01), np.zeros(n))
        horizon = horizon_of(moment, asked, step_seconds=self.engine.step_seconds)
        view = minute_view(self.engine.memory, moment)
        note.answers.insert(0, inputs(self.engine.memory, moment, view, horizon))
        if tick == note.ticks[-1]:
            self.notes.append(note)


@dataclass(slots=True)
class _Note:
    """One sample of every load still playing: what is asked, and the answers, newest first."""

    ticks: list[int]
    which: IntArray
    lead: FloatArray
    hold: FloatArray
    answers: list[Inputs]


def _examples(note: _Note, loads: list[FloatArray]) -> tuple[IntArray, Examples]:
    """Return which loads, and the examples of a note."""
    newest = note.answers[0]
    peak = np.array(
        [
            _peak(loads[i], note.ticks[-1], lead, hold)
            for i, lead, hold in zip(
                note.which.tolist(), note.lead.tolist(), note.hold.tolist(), strict=True
            )
        ]
    )
    shift = [a.anchor + np.log(a.level / newest.level) - newest.anchor for a in note.answers]
    kept = np.clip((_KEPT_SECONDS - note.lead) / _MINUTE, 0, _N_ANSWERS - 1)
    return note.which, Examples(
        features=np.stack([a.features for a in note.answers], axis=1),
        scale=np.stack([a.scale for a in note.answers], axis=1).astype(np.float32),
        shift=np.stack(shift, axis=1).astype(np.float32),
        growth=(relative(peak, newest.level) - newest.anchor).astype(np.float32),
        weight=(np.exp(newest.anchor) * newest.scale).astype(np.float32),
        n_kept=kept.round().astype(np.intp),
    )


def _peak(load: FloatArray, tick: int, lead: float, hold: float) -> float:
    """Return the highest load of the window, NaN where any of it is unknown or not recorded."""
    first, last = (round(tick + seconds / TICK_SECONDS) for seconds in (lead, lead + hold))
    return float(load[first : last + 1].max()) if last < len(load) else float("nan")


def examples_by_load(loads: list[FloatArray], *, seed: int) -> list[Examples]:
    """Return the examples of each load, weighted so that every load counts alike."""
    player = _Player(loads, np.random.default_rng(seed))
    player.play()
    noted = [_examples(note, loads) for note in player.notes]
    which = np.concatenate([w for w, _ in noted])
    together = concatenated([examples for _, examples in noted])
    usable = np.isfinite(together.growth)
    return [
        _evenly(together.take(np.flatnonzero(usable & (which == i)))) for i in range(len(loads))
    ]


def concatenated(examples: list[Examples]) -> Examples:
    """Return all examples as one."""
    return Examples(
        *(np.concatenate([getattr(e, f.name) for e in examples]) for f in fields(Examples))
    )


def _evenly(examples: Examples) -> Examples:
    """Bound single weights, and bring a load's weights to the same sum as any other's."""
    weight = np.minimum(examples.weight, 10.0 * examples.weight.mean())
    share = _DENSE_TICKS / _DENSE_EVERY / max(len(weight), 1)
    return replace(examples, weight=(weight / weight.mean() * share).astype(np.float32))


def pooled(examples: list[Examples], recipe: Recipe | None = None) -> tuple[Network, ...]:
    """Return members fitted to all examples, from different beginnings."""
    together, recipe = concatenated(examples), recipe or Recipe()
    return tuple(fitted(together, replace(recipe, seed=seed)) for seed in range(_N_MEMBERS))


def main(arguments: list[str]) -> None:
    """Rebuild the prior from a folder of recordings."""
    rng = np.random.default_rng(0)
    traces = [read_trace(path) for path in sorted(Path(arguments[0]).glob("*.csv*"))]
    loads = [load for trace in traces for load in altered_copies(trace, rng)]
    members = pooled(examples_by_load(loads, seed=1))
    out = arguments[1] if len(arguments) > 1 else "models/pretrained/prior.npz"
    np.savez_compressed(out, allow_pickle=False, **saved(members))
    print(f"{out}: {len(traces)} recordings, {len(members)} members")


if __name__ == "__main__":
    main(sys.argv[1:])
