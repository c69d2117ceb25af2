"""The replay as one file to send to a colleague: verdict first, then the evidence.

Self-contained: no script, nothing from another host, and every figure is one of the replay's.
"""

from datetime import UTC, datetime, timedelta
from html import escape
from importlib.resources import files

import numpy as np

from autoscaler.policy.quantity import duration_text, share_text
from autoscaler.review import svg
from autoscaler.review.verdict import (
    FloatArray,
    Replayed,
    Run,
    WorstHour,
    Worth,
    verdict,
    worst_hour,
    worth,
)

# What happened around the worst hour is part of its story.
_AROUND_SECONDS = 1800


def report_html(run: Replayed, *, policy_yaml: str) -> str:
    """Return the whole report.

    Parameters
    ----------
    policy_yaml
        The policy that was replayed, with the risk that was replayed, to paste.
    """
    style = (files("autoscaler.review") / "static" / "report.css").read_text(encoding="utf-8")
    title = f"Replay of {run.trace}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body><main>"
        f"<h1>{escape(title)}</h1>"
        f'<p class="verdict {worth(run).name.lower()}">{escape(verdict(run))}</p>'
        f"<p>{escape(_setting(run))}</p>"
        f"{_comparison(run)}{_frontier(run)}{_whole(run)}{_worst(run)}"
        f"{_to_paste(run, policy_yaml)}{_WORDS}</main></body></html>\n"
    )


def _setting(run: Replayed) -> str:
    known = float(np.isfinite(run.load).mean()) if run.load.size else 0.0
    begin, end = (_moment(float(t)) for t in (run.seconds[0], run.seconds[-1]))
    return (
        f"{run.days:.1f} days of recorded load ({begin} to {end} UTC, {known:.1%} of it known), "
        f"played in ticks of {run.tick_seconds:g} s; a pod needs {run.startup_seconds:g} s to "
        f"become ready; the accepted risk is {share_text(run.risk)}."
    )


def _comparison(run: Replayed) -> str:
    """Return the table of the four controllers."""
    hpa_same_cost = (run.hpa_slow_at_our_cost, None, run.ours.cost, None)
    hpa_same_slow = (run.ours.slow, None, run.hpa_cost_at_our_slow, None)
    rows = (
        ("autoscaler", _numbers(run.ours)),
        ("HPA tuned in hindsight to our cost", hpa_same_cost),
        ("HPA tuned in hindsight to our slow time", hpa_same_slow),
        ("somebody who knew the future", _numbers(run.clairvoyant)),
    )
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        f"<td>{_share(slow)}</td><td>{_per_day(slow)}</td><td>{_share(overload)}</td>"
        f"<td>{cost:.3f}</td><td>{'' if rescales is None else f'{rescales:.1f}'}</td></tr>"
        for name, (slow, overload, cost, rescales) in rows
    )
    gap = ""
    if run.gap_closed is not None:
        closed = "None" if run.gap_closed <= 0 else f"{run.gap_closed:.0%}"
        gap = f" {closed} of that gap is closed."
    return (
        "<h2>Compared</h2><table><thead><tr><th></th><th>slow</th><th>slow per day</th>"
        f"<th>overload</th><th>cost</th><th>rescales/h</th></tr></thead><tbody>{body}</tbody>"
        f"</table><p>Between the tuned HPA and clairvoyance lies what prediction can win.{gap}</p>"
    )


def _numbers(run: Run) -> tuple[float, float | None, float, float | None]:
    return run.slow, run.overload, run.cost, run.rescales_per_hour


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.2%}"


def _per_day(share: float) -> str:
    return duration_text(timedelta(seconds=round(share * 86_400)))


def _frontier(run: Replayed) -> str:
    """Return cost against slow time: the tuned HPAs as a line, the others as points on it."""
    least = min([slow for _, slow in run.frontier] or [1e-4]) / 2
    points = [(cost, max(slow, least)) for cost, slow in run.frontier]
    ours = (run.ours.cost, max(run.ours.slow, least))
    best = (run.clairvoyant.cost, max(run.clairvoyant.slow, least))
    costs, slows = zip(*points, ours, best, strict=True)
    x = svg.x_axis(min(costs) * 0.95, max(costs) * 1.03)
    y = svg.y_axis(min(slows) * 0.8, max(slows) * 1.3, log=True)
    parts = [
        svg.frame(x, y, x_text=lambda v: f"{v:.3g}", y_text=share_text),
        svg.polyline("hpa", [(x.at(cost), y.at(slow)) for cost, slow in points]),
        svg.dot("ours", x.at(ours[0]), y.at(ours[1]), f"autoscaler: slow {run.ours.slow:.3%}"),
        svg.dot("best", x.at(best[0]), y.at(best[1]), f"clairvoyant: {run.clairvoyant.slow:.3%}"),
        svg.label("autoscaler", x=x.at(ours[0]) + 10, y=y.at(ours[1]) - 8, name="ours"),
        svg.label("clairvoyant", x=x.at(best[0]) + 10, y=y.at(best[1]) - 8, name="best"),
        svg.label("cost →", x=svg.WIDTH - svg.RIGHT, y=svg.HEIGHT - 6, anchor="end"),
        svg.label("slow share of time ↑", x=svg.LEFT + 4, y=svg.TOP + 2),
    ]
    return (
        "<h2>Cost against slow time</h2>"
        f"{svg.chart('Slow share of time against cost', *parts)}"
        '<p class="legend"><span class="hpa">HPA, every target, tuned in hindsight</span></p>'
        "<p>Left is cheaper, lower is faster. Below the line is better than any HPA.</p>"
    )


def _whole(run: Replayed) -> str:
    chart = _over_time(run, slice(0, len(run.seconds)), "Load and ready pods, the whole recording")
    return f"<h2>The whole recording</h2>{chart}{_LEGEND}"


def _over_time(run: Replayed, part: slice, title: str) -> str:
    """Return load, ready and desired pods over a part of the recording."""
    t = run.seconds[part]
    lines = {
        "ready": run.ready[part].astype(np.float64),
        "desired": run.desired[part].astype(np.float64),
        "load": run.load[part],
    }
    x = svg.x_axis(float(t[0]), float(t[-1]))
    y = svg.y_axis(0.0, max(_highest(values) for values in lines.values()) * 1.05)
    days = t[-1] - t[0] > 2 * 86_400
    frame = svg.frame(
        x,
        y,
        x_text=lambda v: f"{_utc(v):%m-%d}" if days else f"{_utc(v):%H:%M}",
        y_text=lambda v: f"{v:g}",
        x_ticks=svg.time_ticks(float(t[0]), float(t[-1])),
    )
    drawn = [svg.series(name, t, values, x, y) for name, values in lines.items()]
    return svg.chart(title, frame, *drawn, svg.label("pods", x=svg.LEFT + 4, y=svg.TOP + 2))


def _highest(values: FloatArray) -> float:
    return float(np.nanmax(values)) if np.isfinite(values).any() else 1.0


def _worst(run: Replayed) -> str:
    """Return the worst hour: what happened, and what could have been known."""
    worst = worst_hour(run)
    if worst is None:
        return "<h2>The worst hour</h2><p>There was none: no tick was slow.</p>"
    margin = round(_AROUND_SECONDS / run.tick_seconds)
    part = slice(max(0, worst.first - margin), min(len(run.seconds), worst.last + margin))
    chart = _over_time(run, part, "Load and ready pods around the worst hour")
    return f"<h2>The worst hour</h2><p>{escape(_worst_told(run, worst))}</p>{chart}{_LEGEND}"


def _worst_told(run: Replayed, worst: WorstHour) -> str:
    begin = _moment(float(run.seconds[worst.first]))
    slow = duration_text(timedelta(seconds=round(worst.slow_seconds)))
    startup = duration_text(timedelta(seconds=round(run.startup_seconds)))
    return (
        f"In the hour from {begin} UTC the load was above what the ready pods carry for {slow}. "
        f"At its worst it needed {worst.peak_load:.1f} pods and {worst.ready_at_peak} were ready; "
        f"{startup} earlier, when a pod ordered then would have been in time, it needed "
        f"{worst.load_before:.1f}."
    )


def _to_paste(run: Replayed, policy_yaml: str) -> str:
    if worth(run) is Worth.PLAIN_HPA:
        return (
            "<h2>What to do</h2><p>Keep a plain HPA on this workload. If you want to watch the "
            "forecast all the same, this policy only records what it would do:</p>"
            f"<pre>{escape(policy_yaml)}</pre>"
        )
    return (
        "<h2>The policy to paste</h2><p>It begins by recording only; set "
        "<code>mode: ForecastAndScale</code> once you have seen it decide.</p>"
        f"<pre>{escape(policy_yaml)}</pre>"
    )


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)


def _moment(seconds: float) -> str:
    return f"{_utc(seconds):%Y-%m-%d %H:%M}"


_LEGEND = (
    '<p class="legend"><span class="load">load</span><span class="ready">ready</span>'
    '<span class="desired">desired</span></p>'
)
_WORDS = (
    "<h2>The words</h2><dl>"
    "<dt>slow</dt><dd>The load is above what the ready pods carry at the policy's target.</dd>"
    "<dt>overload</dt><dd>It is above their physical limit, the target divided by 0.85: requests "
    "are late or shed.</dd>"
    "<dt>cost</dt><dd>Pod time over the least that could have carried the load with pods that "
    "start in no time.</dd>"
    "<dt>HPA tuned in hindsight</dt><dd>The best of many targets, by CPU and by request rate, "
    "chosen after having seen the recording; yours was chosen before.</dd>"
    "<dt>clairvoyant</dt><dd>It knows the future and pays the same start-up time.</dd></dl>"
    "<p>A replay assumes that the load does not depend on us and that every pod starts in the "
    "same time. Past performance promises nothing about a day unlike any before.</p>"
)
