"""How fast and how large: ten thousand series on one core, as the daemon drives them."""

import importlib.util
import json
import resource
import subprocess
import sys
import time

import numpy as np

from models.engine import ForecastEngine

_N_SERIES = 10_000
# The ring is filled by its arrays' size, not by their values: an hour of minutes is enough to time.
_MINUTES = 60
_CYCLES = 5
START = 1_700_000_040.0
# The Predictive HPA's way: per evaluation, a Python process that fits statsmodels' Holt-Winters.
_PHPA_WAY = """
import json, sys
import statsmodels.api as sm
given = json.load(sys.stdin)
model = sm.tsa.ExponentialSmoothing(
    given["series"], trend="add", seasonal="add", seasonal_periods=given["season"]
)
print(model.fit().forecast(1)[0])
"""
_PHPA_EVALUATIONS = 5


def speed_table() -> list[str]:
    """Return the lines of the table, markdown."""
    engine = ForecastEngine()
    rows = engine.add(_N_SERIES)
    rng = np.random.default_rng(0)
    level = rng.gamma(2.0, 50.0, _N_SERIES)
    append = []
    for minute in range(_MINUTES):
        load = level * rng.gamma(50, 1 / 50, _N_SERIES)
        began = time.process_time()
        engine.append(load, end_seconds=START + 60.0 * minute, rows=rows)
        append.append(time.process_time() - began)
    now = START + 60.0 * (_MINUTES - 1) + 30.0
    cycles = []
    for cycle in range(_CYCLES):
        engine.append(level, end_seconds=START + 60.0 * (_MINUTES + cycle), rows=rows)
        began = time.process_time()
        engine.predict(rows=rows, now_seconds=now, lead_seconds=120.0, hold_seconds=15.0, risk=0.01)
        cycles.append(time.process_time() - began)
    engine.table["ring"][:] = 1000  # touch every page: fourteen days were seen
    began = time.process_time()
    engine.learn(rows, now_seconds=now)
    learn = time.process_time() - began
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    state = sum(engine.table[name].nbytes for name in engine.table) / 2**20
    per_answer = float(np.median(cycles)) / _N_SERIES
    return [
        "| 10,000 series, one core | |",
        "|---|---:|",
        f"| predict, per cycle | {np.median(cycles):.3f} s |",
        *_beside_phpa(per_answer),
        f"| append and score promises, per minute | {np.median(append):.3f} s |",
        f"| learn, all series, per hour (with the hour's appends) |"
        f" {learn + 60 * np.median(append):.1f} s |",
        f"| state | {state:.0f} MiB |",
        f"| resident, whole process at its peak | {resident:.0f} MiB |",
    ]


def _beside_phpa(per_answer: float) -> list[str]:
    """Return what one evaluation costs the way the Predictive HPA does it, in the same run."""
    if importlib.util.find_spec("statsmodels") is None:
        return ["| one evaluation, PHPA's way | statsmodels is not installed |"]
    day = [10.0 + 5.0 * np.sin(2 * np.pi * i / 24) + i % 3 for i in range(24 * 6)]
    given = json.dumps({"series": day, "season": 24}).encode()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(_PHPA_EVALUATIONS):
        subprocess.run(
            [sys.executable, "-c", _PHPA_WAY], input=given, check=True, capture_output=True
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    theirs = spent / _PHPA_EVALUATIONS
    return [
        f"| one evaluation, ours | {1e6 * per_answer:.0f} µs |",
        f"| one evaluation, PHPA's way (a process, statsmodels) | {theirs:.2f} s |",
        f"| theirs over ours | {theirs / per_answer:,.0f} |",
    ]


if __name__ == "__main__":
    print(*speed_table(), sep="\n")
