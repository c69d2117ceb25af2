"""Pinball loss and coverage at 2, 5, 10 and 30 minutes, ours beside peers, on every recording.

Every method sees the same past and answers the same question at the same origins: quantiles of the
mean load of the minute that begins `lead` later. Peers get up to three days of past; the step is
five minutes for those with seasons, as a season of 1,440 minutes is beyond them.
"""

import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np
from bounds_bench import known_signal

from autoscaler.replay.ticks import ticks_of
from autoscaler.replay.trace import Trace
from models.boosted import BoostedTrees
from models.contract import Window
from models.persistence import Persistence, newest_known
from models.pooled import Pooled
from models.seasonal_naive import SeasonalNaive

LEADS = (120.0, 300.0, 600.0, 1800.0)
LEVELS = np.array([0.5, 0.9, 0.99])
_MINUTE, _HOUR, _DAY = 60, 60, 1440
_PEER_DAYS = 3
_PEER_STEP = 5
_CONTRACT = {
    "persistence": Persistence,
    "seasonal naive": SeasonalNaive,
    "boosted trees on lags (scikit-learn)": BoostedTrees,
}
Answer = Callable[[np.ndarray, float], np.ndarray]


def minutes_of(trace: Trace) -> np.ndarray:
    """Return the recording at one-minute steps."""
    offered = ticks_of(trace).offered
    return offered[: len(offered) // 4 * 4].reshape(-1, 4).mean(axis=1)


class _Bench:
    """Losses and times of every method over all origins of one recording."""

    def __init__(self, y: np.ndarray, origins: Sequence[int]) -> None:
        self.y, self.origins = y, origins
        self.loss: dict[str, dict[float, list[np.ndarray]]] = {}
        self.covered: dict[str, dict[float, list[np.ndarray]]] = {}
        self.seconds: dict[str, float] = {}

    def run(self, name: str, answers: Callable[[int], dict[float, np.ndarray]]) -> None:
        """Ask one method at all origins."""
        began = time.process_time()
        given = [answers(origin) for origin in self.origins]
        self.seconds[name] = (time.process_time() - began) / len(self.origins)
        for origin, by_lead in zip(self.origins, given, strict=True):
            for lead, quantiles in by_lead.items():
                came = self.y[origin + int(lead // _MINUTE)]
                if np.isfinite(came):
                    error = came - quantiles
                    loss = np.maximum(LEVELS * error, (LEVELS - 1.0) * error)
                    self.loss.setdefault(name, {}).setdefault(lead, []).append(loss)
                    inside = came <= quantiles * 1.001
                    self.covered.setdefault(name, {}).setdefault(lead, []).append(inside)


def bench_one(trace: Trace, *, n_origins: int, peers: bool) -> _Bench:
    """Run every method on one recording, at origins after its first third."""
    y = minutes_of(trace)
    last = len(y) - int(max(LEADS) // _MINUTE) - 1
    spots = np.linspace(max(len(y) // 3, _DAY), last, n_origins).astype(int)
    origins = [int(o) for o in spots if np.isfinite(y[o - 10 : o]).all()]
    bench = _Bench(y, origins)
    bench.run("ours", _ours(y))
    for name, make in _CONTRACT.items():
        bench.run(name, lambda origin, make=make: _contract(make(), y, origin))
    bench.run("the last value at every level", lambda origin: _last_value(y, origin))
    bench.run("who knows the mean of the 11 minutes around", _knowing(y))
    if peers:
        for name, method in _peers().items():
            bench.run(name, lambda origin, method=method: _peer(method, y, origin))
    return bench


def _last_value(y: np.ndarray, origin: int) -> dict[float, np.ndarray]:
    """Return what persistence is without any spread: the newest load, whatever the chance."""
    newest = newest_known(y[None, :origin])[0]
    return {lead: np.full(len(LEVELS), newest) for lead in LEADS}


def _knowing(y: np.ndarray) -> Callable[[int], dict[float, np.ndarray]]:
    """Know the signal to come but not the noise in it, and how noise is distributed: a bound."""
    mean, scatter = known_signal(y, steps_per_minute=1)
    noise = np.nanquantile((y - mean) / np.maximum(scatter, 1e-12), LEVELS)

    def answers(origin: int) -> dict[float, np.ndarray]:
        then = {lead: origin + int(lead // _MINUTE) for lead in LEADS}
        return {k: np.maximum(mean[at] + noise * scatter[at], 0.0) for k, at in then.items()}

    return answers


def _window(lead: float) -> Window:
    return Window(lead_seconds=lead, hold_seconds=float(_MINUTE))


def _ours(y: np.ndarray) -> Callable[[int], dict[float, np.ndarray]]:
    """Play the past once; each origin only adds what came since, as the daemon does."""
    state: dict[str, Pooled] = {}

    def answers(origin: int) -> dict[float, np.ndarray]:
        past, end = y[None, :origin], float(origin * _MINUTE)
        model = state.get("model")
        if model is None:
            model = Pooled().fit(past, step_seconds=_MINUTE, end_seconds=end)
            state["model"] = model
        return {
            lead: model.predict(past, end_seconds=end, window=_window(lead), levels=LEVELS)[0]
            for lead in LEADS
        }

    return answers


def _contract(model: object, y: np.ndarray, origin: int) -> dict[float, np.ndarray]:
    past, end = y[None, max(0, origin - 14 * _DAY) : origin], float(origin * _MINUTE)
    fitted = model.fit(past, step_seconds=_MINUTE, end_seconds=end)
    return {
        lead: fitted.predict(past, end_seconds=end, window=_window(lead), levels=LEVELS)[0]
        for lead in LEADS
    }


def _peer(
    method: Callable[[np.ndarray, int], np.ndarray], y: np.ndarray, origin: int
) -> dict[float, np.ndarray]:
    """Ask a peer for quantiles per five-minute step; what fails falls back to the newest load."""
    past = y[max(0, origin - _PEER_DAYS * _DAY) : origin]
    past = past[len(past) % _PEER_STEP :].reshape(-1, _PEER_STEP)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        means = np.nanmean(past, axis=1)
        means = np.where(np.isfinite(means), means, np.nanmean(means))
        n_steps = int(max(LEADS) // _MINUTE) // _PEER_STEP + 1
        try:
            table = np.asarray(method(means, n_steps), dtype=float)
        except (ValueError, ArithmeticError, RuntimeError, np.linalg.LinAlgError):
            table = np.full((n_steps, len(LEVELS)), np.nan)
    newest = newest_known(y[None, :origin])[0]
    table = np.where(np.isfinite(table), np.maximum(table, 0.0), newest)
    return {lead: table[int(lead // _MINUTE) // _PEER_STEP] for lead in LEADS}


def _peers() -> dict[str, Callable[[np.ndarray, int], np.ndarray]]:
    from scipy.stats import norm  # noqa: PLC0415 - peers are of the bench only
    from statsforecast.models import MSTL, AutoETS, AutoTheta  # noqa: PLC0415
    from statsmodels.tsa.holtwinters import ExponentialSmoothing  # noqa: PLC0415

    season = _DAY // _PEER_STEP
    z = norm.ppf(LEVELS)

    def holt_winters(y: np.ndarray, h: int) -> np.ndarray:
        seasonal = "add" if len(y) >= 2 * season else None
        model = ExponentialSmoothing(y, trend="add", seasonal=seasonal, seasonal_periods=season)
        fitted = model.fit()
        spread = np.std(fitted.resid) * np.sqrt(np.arange(1, h + 1))
        return fitted.forecast(h)[:, None] + spread[:, None] * z

    def from_statsforecast(make: Callable[[], object]) -> Callable[[np.ndarray, int], np.ndarray]:
        def method(y: np.ndarray, h: int) -> np.ndarray:
            answer = make().forecast(y=y, h=h, level=[80, 98])
            return np.column_stack([answer["mean"], answer["hi-80"], answer["hi-98"]])

        return method

    return {
        "Holt-Winters (statsmodels)": holt_winters,
        "AutoETS": from_statsforecast(lambda: AutoETS(season_length=1)),
        "AutoTheta": from_statsforecast(lambda: AutoTheta(season_length=1)),
        "MSTL": from_statsforecast(lambda: MSTL(season_length=[season])),
    }


def forecast_table(traces: Sequence[Trace], *, n_origins: int, peers: bool) -> list[str]:
    """Return the table: loss over persistence's (geometric mean over recordings), and coverage."""
    benches = [bench_one(t, n_origins=n_origins, peers=peers) for t in traces]
    names = list(benches[0].loss)
    heads = " | ".join(f"{lead / 60:.0f} min" for lead in LEADS)
    lines = [
        f"| method | {heads} | above q99 at 5 min | ms per series |",
        "|---|" + "---:|" * (len(LEADS) + 2),
    ]
    for name in names:
        cells = [f"{_relative_loss(benches, name, lead):.3f}" for lead in LEADS]
        above = 1.0 - np.mean([np.mean(np.array(b.covered[name][300.0])[:, 2]) for b in benches])
        ms = 1000 * np.mean([b.seconds[name] for b in benches])
        lines.append(f"| {name} | {' | '.join(cells)} | {above:.2%} | {ms:.2f} |")
    return lines


def _relative_loss(benches: list[_Bench], name: str, lead: float) -> float:
    logs = []
    for bench in benches:
        ours = np.mean(bench.loss[name][lead])
        theirs = np.mean(bench.loss["persistence"][lead])
        if ours > 0 and theirs > 0:
            logs.append(np.log(ours / theirs))
    return float(np.exp(np.mean(logs)))
