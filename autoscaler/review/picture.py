"""What does a replay look like: its charts, inside the report and as one SVG file.

Over time: the load, the forecast that stood for that moment, the pods of ours and of an HPA that
were ready, and below the axis the ticks that were slow under either.
And the frontier: cost against slow time, with every HPA as a line.
"""

import textwrap
from datetime import UTC, datetime
from importlib.resources import files

import numpy as np

from autoscaler.policy.quantity import share_text
from autoscaler.review import svg
from autoscaler.review.verdict import (
    CountArray,
    FloatArray,
    Replayed,
    Run,
    slow_ticks,
    summary,
    worst_hour,
)

# What happened around the worst hour is part of its story.
_AROUND_SECONDS = 1800
# Below the numbers of the vertical axis: two rows of marks for slow ticks.
_ROOM, _ROW = 28.0, 9.0
# A line of the heading, in characters and in pixels.
_LINE, _LEADING = 110, 22
_LEGEND_Y = 14.0
# What a point and its name take.
_NAME_WIDTH = 150

Place = tuple[float, float] | None


def style() -> str:
    """Return the style of every chart of a replay."""
    return (files("autoscaler.review") / "static" / "replay.css").read_text(encoding="utf-8")


def picture_svg(run: Replayed) -> str:
    """Return the verdict and the charts as one file that any browser shows."""
    parts = [svg.label(f"Replay of {run.trace}", x=svg.RIGHT, y=28, name="heading")]
    top = 28.0
    for text in textwrap.wrap(summary(run), _LINE):
        top += _LEADING
        parts.append(svg.label(text, x=svg.RIGHT, y=top))
    for title, draw in _CHARTS:
        drawn = draw(run, (0, top + 48))
        if drawn:
            parts += [svg.label(title, x=svg.RIGHT, y=top + 38, name="heading"), drawn]
            top += svg.HEIGHT + 44
    return svg.picture(style(), top + 24, *parts)


def whole_chart(run: Replayed, at: Place = None) -> str:
    """Return the whole recording; of each pixel the highest is shown."""
    return _over_time(run, slice(0, len(run.seconds)), "Load and pods, the whole recording", at)


def worst_chart(run: Replayed, ready: CountArray, at: Place = None) -> str:
    """Return what happened around the hour in which these pods were slow most; empty if never."""
    worst = worst_hour(run, ready)
    if worst is None:
        return ""
    margin = round(_AROUND_SECONDS / run.tick_seconds)
    part = slice(max(0, worst.first - margin), min(len(run.seconds), worst.last + margin))
    return _over_time(run, part, "Load and pods around the worst hour", at)


def frontier_chart(run: Replayed, at: Place = None) -> str:
    """Return cost against slow time: the tuned HPAs as a line, the others as points beside it.

    A logarithm knows no zero: no slow time at all is drawn at half of the least there is.
    """
    slow = [run.ours.slow, run.clairvoyant.slow, *(slow for _, slow in run.frontier)]
    none = min((share for share in slow if share > 0), default=1e-4) / 2
    points = [(cost, slow or none) for cost, slow in run.frontier]
    ours = (run.ours.cost, run.ours.slow or none)
    best = (run.clairvoyant.cost, run.clairvoyant.slow or none)
    costs, slows = zip(*points, ours, best, strict=True)
    x = svg.x_axis(min(costs) * 0.95, max(costs) * 1.03)
    y = svg.y_axis(min(slows) * 0.8, max(slows) * 1.3, log=True)
    parts = [
        svg.frame(x, y, x_text=lambda v: f"{v:.3g}", y_text=share_text),
        svg.polyline("frontier", [(x.at(cost), y.at(slow)) for cost, slow in points]),
        svg.legend([("frontier", "HPA, tuned in hindsight")], x=svg.LEFT, y=_LEGEND_Y),
        svg.dot("ours", x.at(ours[0]), y.at(ours[1]), f"autoscaler: slow {run.ours.slow:.3%}"),
        svg.dot("best", x.at(best[0]), y.at(best[1]), f"clairvoyant: {run.clairvoyant.slow:.3%}"),
        _beside(_point("autoscaler", run.ours), x.at(ours[0]), y.at(ours[1]), name="ours"),
        _beside(_point("clairvoyant", run.clairvoyant), x.at(best[0]), y.at(best[1]), name="best"),
        _axis_name("cost →"),
        svg.label("slow share of time ↑", x=svg.WIDTH - svg.RIGHT, y=_LEGEND_Y, anchor="end"),
    ]  # fmt: skip
    return svg.chart("Slow share of time against cost", *parts, at=at)


def _point(name: str, run: Run) -> str:
    """Return the name of a point, which says where its place is not its slow time."""
    return name if run.slow else f"{name}, never slow"


def _beside(text: str, px: float, py: float, *, name: str) -> str:
    """Return the name of a point: on its right, or on its left where that ends the chart."""
    if px + _NAME_WIDTH <= svg.WIDTH:
        return svg.label(text, x=px + 10, y=py - 8, name=name)
    return svg.label(text, x=px - 10, y=py - 8, anchor="end", name=name)


def _over_time(run: Replayed, part: slice, title: str, at: Place) -> str:
    """Return load, forecast, and pods of both over a part of the recording."""
    t = run.seconds[part]
    lines = {
        "hpa": run.hpa_ready[part].astype(np.float64),
        "ready": run.ready[part].astype(np.float64),
        "desired": run.desired[part].astype(np.float64),
        "load": run.load[part],
    }
    band = _come_true(run, run.median)[part], _come_true(run, run.quantile)[part]
    most = max(_highest(values) for values in (*lines.values(), band[1]))
    x, y = _time_axis(t), svg.y_axis(0.0, most * 1.05, room_below=_ROOM)
    drawn = [svg.series(name, t, values, x, y) for name, values in lines.items()]
    return svg.chart(
        title,
        _frame(t, x, y),
        svg.area("band", t, band, x, y),
        *drawn,
        _slow_marks(run, part, x),
        svg.label("pods", x=svg.LEFT - 8, y=_LEGEND_Y, anchor="end"),
        _axis_name(f"from {utc(float(t[0])):%Y-%m-%d %H:%M} UTC →"),
        svg.legend(_lines(run), x=svg.LEFT, y=_LEGEND_Y),
        at=at,
    )


def _lines(run: Replayed) -> list[tuple[str, str]]:
    """Return what each line over time is."""
    return [
        ("load", "load"),
        ("band", f"forecast to risk {share_text(run.risk)}"),
        ("ready", "our ready pods"),
        ("desired", "desired"),
        ("hpa", f"ready pods of {run.hpa_name}"),
    ]


def _axis_name(text: str) -> str:
    return svg.label(text, x=svg.WIDTH - svg.RIGHT, y=svg.HEIGHT - 6, anchor="end")


def _time_axis(t: FloatArray) -> svg.Axis:
    return svg.x_axis(float(t[0]), float(t[-1]))


def _frame(t: FloatArray, x: svg.Axis, y: svg.Axis) -> str:
    ticks = svg.time_ticks(float(t[0]), float(t[-1]))
    form = svg.time_form(ticks)
    return svg.frame(
        x, y, x_text=lambda v: format(utc(v), form), y_text=lambda v: f"{v:g}", x_ticks=ticks
    )


def _slow_marks(run: Replayed, part: slice, x: svg.Axis) -> str:
    """Return two rows of marks below the axis: when we were slow, and when the HPA was."""
    top = svg.HEIGHT - svg.BOTTOM - _ROOM + 6
    rows = (("slow", "slow: ours", run.ready), ("hpa-slow", "the HPA", run.hpa_ready))
    drawn = []
    for row, (name, text, ready) in enumerate(rows):
        slow = run.seconds[part][slow_ticks(run, ready)[part]]
        place = top + row * (_ROW + 3)
        drawn.append(svg.marks(name, slow, x, top=place, height=_ROW))
        drawn.append(svg.label(text, x=svg.LEFT - 8, y=place + _ROW, anchor="end", name="small"))
    return "".join(drawn)


def _come_true(run: Replayed, forecast: FloatArray) -> FloatArray:
    """Return at each tick the forecast that was about it, made one start-up earlier."""
    late = min(round(run.startup_seconds / run.tick_seconds), len(forecast))
    return np.concatenate([np.full(late, np.nan), forecast[: len(forecast) - late]])


def _highest(values: FloatArray) -> float:
    return float(np.nanmax(values)) if np.isfinite(values).any() else 1.0


def utc(seconds: float) -> datetime:
    """Return the moment of unix seconds."""
    return datetime.fromtimestamp(seconds, tz=UTC)


_CHARTS = (
    ("The whole recording", whole_chart),
    ("Around our worst hour", lambda run, at: worst_chart(run, run.ready, at)),
    ("Around the HPA's worst hour", lambda run, at: worst_chart(run, run.hpa_ready, at)),
    ("Cost against slow time", frontier_chart),
)
