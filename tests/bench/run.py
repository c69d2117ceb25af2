"""`make bench`: forecasts beside peers, replay scores, speed, memory, endurance; prints markdown.

`--traces FOLDER` names recordings (`timestamp,value` CSVs); without any, synthetic loads stand in.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from bounds_bench import bounds_table
from endurance_bench import DAYS, endurance_table
from forecast_bench import forecast_table
from generalisation_bench import generalisation_tables
from loads import BENCH_CAPACITY, BESIDE_THE_REPOSITORY, traces_in
from replay_bench import replay_tables

_PARTS = ("speed", "forecast", "replay", "generalisation", "bounds", "endurance")


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=Path, default=BESIDE_THE_REPOSITORY)
    parser.add_argument("--only", choices=_PARTS)
    parser.add_argument("--days", type=float, default=DAYS, help="of endurance")
    parser.add_argument("--startups", type=float, nargs="+", default=[120.0])
    parser.add_argument("--risks", type=float, nargs="+", default=[0.01])
    parser.add_argument("--origins", type=int, default=30)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--workers", default="2")
    given = parser.parse_args()
    if given.only in (None, "speed"):
        _show("Speed and memory", _on_its_own("speed_bench.py"))
    traces = traces_in(given.traces)
    if given.only in (None, "forecast"):
        table = forecast_table(traces, n_origins=given.origins, peers=not given.no_peers)
        _show("Pinball loss over persistence's, levels 0.5, 0.9 and 0.99", table)
    if given.only in (None, "replay"):
        lines = replay_tables(
            traces, startups=given.startups, risks=given.risks, workers=given.workers
        )
        _show("Replay", lines)
    if given.only == "bounds":
        lines = bounds_table(traces, capacity=BENCH_CAPACITY)
        _show("What knowing the signal, but not its noise, would close of the gap", lines)
    if given.only == "generalisation":
        lines = generalisation_tables(
            traces, startups=given.startups, risks=given.risks, workers=given.workers
        )
        _show("Replay with priors that have not seen the recording's group", lines)
    if given.only in (None, "endurance"):
        _show("Endurance", [])
        for line in endurance_table(given.days):
            print(line, flush=True)


def _on_its_own(script: str) -> list[str]:
    """Return the lines of a part in a process of its own, on one core as in the image.

    What other parts import is not its memory, and threads that wait for each other count as time.
    """
    command = [sys.executable, Path(__file__).with_name(script)]
    one_core = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=one_core)
    return done.stdout.splitlines()


def _show(title: str, lines: list[str]) -> None:
    print(f"\n### {title}\n", *lines, sep="\n", flush=True)


if __name__ == "__main__":
    main()
