"""How a replay is told: decisions as CSV, figures as a table, JSON or CSV."""

import csv
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from autoscaler.commands.report import replayed
from autoscaler.errors import TraceError, why_not
from autoscaler.policy.quantity import share_text
from autoscaler.replay.elasticity import elasticity
from autoscaler.replay.run import ReplayResult
from autoscaler.replay.sweep import summaries
from autoscaler.replay.world import Outcome
from autoscaler.review.verdict import FloatArray, cost_text, has_load, summary

WORDS = """\
slow: time above what ready pods carry; overload: above their limit
cost: pod time over the least that carries the load, ready at once"""
_CAPTION = """slow x, cost x: ours over the tuned HPA's at equal cost, at equal slow time
gap: how much of the way from there to clairvoyance; means are geometric"""


def print_results(results: Sequence[ReplayResult], *, output: str) -> None:
    """Print one result in full, several as a row each and their geometric means."""
    if output == "json":
        dicts = [as_dict(result) for result in results]
        print(json.dumps(dicts[0] if len(dicts) == 1 else dicts, allow_nan=False))
    elif output == "csv":
        rows = [_flat(result) for result in results]
        writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    elif len(results) == 1:
        Console().print(as_table(results[0]))
    else:
        Console().print(as_rows(results))


def _flat(result: ReplayResult) -> dict[str, object]:
    """Return one result as one row of figures."""
    scores = result.scores
    return {
        "trace": result.trace,
        "startup_seconds": result.startup_seconds,
        "risk": result.risk,
        **_outcome_dict(result.ours, result.load_in_pods),
        "slow_at_equal_cost": None if scores is None else scores.slow_at_equal_cost,
        "cost_at_equal_slow": None if scores is None else scores.cost_at_equal_slow,
        "gap_closed": None if scores is None else scores.gap_closed,
        **_elasticity_dict(result),
    }


def as_rows(results: Sequence[ReplayResult]) -> Table:
    """Return a row per replay, and per start-up and risk the geometric means."""
    table = Table(box=SIMPLE_HEAD, caption_justify="left", caption=_CAPTION)
    table.add_column("trace", no_wrap=True)
    for heading in ("start", "risk", "slow", "cost", "slow x", "cost x", "gap"):
        table.add_column(heading, justify="right")
    for result in results:
        scores = result.scores
        figures = (
            ("", "", "")
            if scores is None
            else _figures(scores.slow_at_equal_cost, scores.cost_at_equal_slow, scores.gap_closed)
        )
        table.add_row(
            result.trace,
            f"{result.startup_seconds:g}s",
            share_text(result.risk),
            f"{result.ours.slow:.2%}",
            cost_text(result.ours.cost, result.load_in_pods),
            *figures,
        )
    table.add_section()
    for mean in summaries(results):
        figures = _figures(mean.slow_at_equal_cost, mean.cost_at_equal_slow, mean.gap_closed)
        name = f"mean of {mean.n_traces}"
        table.add_row(name, f"{mean.startup_seconds:g}s", share_text(mean.risk), "", "", *figures)
    return table


def _figures(slow: float, cost: float, gap: float | None) -> tuple[str, str, str]:
    return f"{slow:.3f}", f"{cost:.3f}", "" if gap is None else f"{gap:.0%}"


def write_decisions(path: Path, result: ReplayResult) -> None:
    """Write `timestamp,replicas`, one row per 15 s tick."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(("timestamp", "replicas"))
            rows.writerows(zip(_stamps(result), result.replicas.tolist(), strict=True))
    except OSError as error:
        raise TraceError(f"{path}: cannot be written: {why_not(error)}") from error


def _stamps(result: ReplayResult) -> list[int | float]:
    return [int(at) if at.is_integer() else at for at in result.seconds.tolist()]


def as_dict(result: ReplayResult) -> dict[str, Any]:
    """Return the comparison as plain values; shares and ratios, not percentages."""
    scores, load = result.scores, result.load_in_pods
    return {
        "trace": result.trace,
        "startup_seconds": result.startup_seconds,
        "risk": result.risk,
        "ticks": len(result.replicas),
        "ours": _outcome_dict(result.ours, load),
        "elasticity": _elasticity_dict(result),
        "clairvoyant": _outcome_dict(result.clairvoyant, load),
        "hpa_frontier": None
        if result.frontier is None
        else [
            {"cost": cost if has_load(load) else None, "slow": slow}
            for cost, slow in zip(
                result.frontier.cost.tolist(), result.frontier.slow.tolist(), strict=True
            )
        ],
        "slow_at_equal_cost": None if scores is None else scores.slow_at_equal_cost,
        "cost_at_equal_slow": None if scores is None else scores.cost_at_equal_slow,
        "gap_closed": None if scores is None else scores.gap_closed,
    }


def _outcome_dict(outcome: Outcome, load: FloatArray) -> dict[str, float | None]:
    """Return a run as figures; of no load there is no cost."""
    return {
        "slow": outcome.slow,
        "overload": outcome.overload,
        "cost": outcome.cost if has_load(load) else None,
        "rescales_per_hour": outcome.rescales_per_hour,
    }


def _elasticity_dict(result: ReplayResult) -> dict[str, float]:
    """Return the SPEC cloud group's figures of our run."""
    startup = result.startup_seconds
    return asdict(elasticity(result.load_in_pods, result.replicas, startup_seconds=startup))


def as_table(result: ReplayResult) -> Table:
    """Return the comparison for a person: ours, the tuned HPA both ways, the clairvoyant."""
    table = Table(
        title=f"{result.trace}, start-up {result.startup_seconds:g} s",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("controller")
    for heading in ("slow", "overload", "cost", "rescales/h"):
        table.add_column(heading, justify="right")
    load = result.load_in_pods
    ours = outcome_cells(result.ours, load)
    table.add_row(f"autoscaler, risk {share_text(result.risk)}", *ours)
    if result.frontier is not None:
        for name, slow, cost in replayed(result).tuned_hpas:
            table.add_row(name, f"{slow:.2%}", "", cost_text(cost, load))
    table.add_row("clairvoyant", *outcome_cells(result.clairvoyant, load))
    table.caption = _told(result)
    return table


def _told(result: ReplayResult) -> str:
    """Return the verdict, and how much of what can be won was won."""
    scores = result.scores
    if scores is None:
        return ""
    gap = scores.gap_closed
    closed = (
        ""
        if gap is None or not math.isfinite(gap)
        else f"\nFrom the tuned HPA to clairvoyance: {max(gap, 0.0):.0%} of the gap closed."
    )
    return f"{summary(replayed(result))}{closed}\n{WORDS}"


def outcome_cells(outcome: Outcome, load: FloatArray) -> tuple[str, str, str, str]:
    """Return slow, overload, cost and rescales per hour as table cells."""
    return (
        f"{outcome.slow:.2%}",
        f"{outcome.overload:.2%}",
        cost_text(outcome.cost, load),
        f"{outcome.rescales_per_hour:.1f}",
    )
