"""Charts as SVG text, for a file that has to show itself without scripts or other files."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

WIDTH, HEIGHT = 900, 300
LEFT, RIGHT, TOP, BOTTOM = 60, 16, 16, 42
# A path with more points than pixels shows no more.
_MOST_POINTS = 900


@dataclass(frozen=True, slots=True)
class Axis:
    """Values to pixels, linear or logarithmic, with the places of the ticks."""

    low: float
    high: float
    pixels: tuple[float, float]
    log: bool = False

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        scale: Callable[[float], float] = math.log if self.log else float
        share = (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))
        return self.pixels[0] + share * (self.pixels[1] - self.pixels[0])

    def ticks(self, n: int = 5) -> list[float]:
        """Return about `n` round values."""
        if self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            return [10.0**power for power in range(first, last + 1)]
        raw = (self.high - self.low) / n
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(m * power for m in (1, 2, 5, 10) if raw <= m * power)
        first_tick = math.ceil(self.low / step)
        return [k * step for k in range(first_tick, math.floor(self.high / step + 1e-9) + 1)]


def time_ticks(low: float, high: float, n: int = 8) -> list[float]:
    """Return about `n` round moments (unix seconds, UTC)."""
    step = next((s for s in _TIME_STEPS if (high - low) / s <= n), 28 * 86_400)
    first = math.ceil(low / step) * step
    return [float(t) for t in range(int(first), int(high) + 1, step)]


_TIME_STEPS = (
    *(15, 60, 300, 600, 900, 1800, 3600, 2 * 3600, 3 * 3600, 6 * 3600, 12 * 3600),
    *(86_400, 2 * 86_400, 7 * 86_400, 14 * 86_400),
)


def x_axis(low: float, high: float) -> Axis:
    """Return the horizontal axis of a chart."""
    return Axis(low, high if high > low else low + 1, (LEFT, WIDTH - RIGHT))


def y_axis(low: float, high: float, *, log: bool = False) -> Axis:
    """Return the vertical axis of a chart."""
    return Axis(low, high if high > low else low + 1, (HEIGHT - BOTTOM, TOP), log)


def chart(title: str, *parts: str) -> str:
    """Return a chart; its title is what a screen reader says."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )


def frame(
    x: Axis,
    y: Axis,
    *,
    x_text: Callable[[float], str],
    y_text: Callable[[float], str],
    x_ticks: Sequence[float] | None = None,
) -> str:
    """Return grid lines and the numbers at both axes."""
    across = f'class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}"'
    rows = [
        f'<line {across} y1="{y.at(v):.1f}" y2="{y.at(v):.1f}"/>'
        f'<text x="{LEFT - 8}" y="{y.at(v) + 4:.1f}" text-anchor="end">{escape(y_text(v))}</text>'
        for v in y.ticks()
    ]
    columns = [
        f'<text x="{x.at(v):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">'
        f"{escape(x_text(v))}</text>"
        for v in (x.ticks(8) if x_ticks is None else x_ticks)
    ]
    return "".join(rows + columns)


def label(text: str, *, x: float, y: float, anchor: str = "start", name: str = "") -> str:
    """Return a piece of text."""
    return (
        f'<text class="{name}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def polyline(name: str, points: Sequence[tuple[float, float]]) -> str:
    """Return a line through pixel points."""
    d = "L".join(f"{px:.1f},{py:.1f}" for px, py in points)
    return f'<path class="{name}" d="M{d}"/>' if points else ""


def dot(name: str, px: float, py: float, title: str) -> str:
    """Return a point that says what it is when hovered."""
    told = escape(title)
    return (
        f'<circle class="{name}" cx="{px:.1f}" cy="{py:.1f}" r="6"><title>{told}</title></circle>'
    )


def series(name: str, t: FloatArray, values: FloatArray, x: Axis, y: Axis) -> str:
    """Return a line over time, thinned to its highest value per pixel, with a gap where unknown."""
    t, values = thinned(t, values)
    pieces, pen = [], "M"
    for at, value in zip(t.tolist(), values.tolist(), strict=True):
        if math.isnan(value):
            pen = "M"
            continue
        pieces.append(f"{pen}{x.at(at):.1f},{y.at(value):.1f}")
        pen = "L"
    return f'<path class="{name}" d="{"".join(pieces)}"/>'


def thinned(t: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return at most `_MOST_POINTS` points: the highest known value of each bucket."""
    size = -(-len(t) // _MOST_POINTS)
    if size <= 1:
        return t, values
    n = -(-len(t) // size)
    padded = np.full(n * size, np.nan)
    padded[: len(values)] = values
    buckets = padded.reshape(n, size)
    known = np.isfinite(buckets)
    highest = np.where(known, buckets, -np.inf).max(axis=1)
    return t[::size], np.where(known.any(axis=1), highest, np.nan)
