"""Charts as SVG text, for a file that has to show itself without scripts or other files."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

WIDTH, HEIGHT = 900, 300
LEFT, RIGHT, TOP, BOTTOM = 72, 24, 28, 42
# Of the small sans-serif that labels are set in; a legend needs to know about how wide it is.
_PIXELS_PER_CHARACTER = 7.2
# With fewer powers of ten a logarithmic axis has numbers between them, too.
_FEWEST_TICKS = 2
_DAY = 86_400
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
            powers = self._multiples((1,))
            return powers if len(powers) > _FEWEST_TICKS else self._multiples((1, 2, 5))
        raw = (self.high - self.low) / n
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(m * power for m in (1, 2, 5, 10) if raw <= m * power)
        first_tick = math.ceil(self.low / step)
        return [k * step for k in range(first_tick, math.floor(self.high / step + 1e-9) + 1)]

    def _multiples(self, factors: Sequence[int]) -> list[float]:
        """Return the powers of ten, times each factor, that lie on the axis."""
        powers = range(math.floor(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
        values = (factor * 10.0**power for power in powers for factor in factors)
        return [value for value in values if self.low <= value <= self.high]


def time_ticks(low: float, high: float) -> list[float]:
    """Return at most about eight round moments (unix seconds, UTC)."""
    step = next((s for s in _TIME_STEPS if (high - low) / s <= _MOST_TICKS), 28 * 86_400)
    first = math.ceil(low / step) * step
    return [float(t) for t in range(int(first), int(high) + 1, step)]


_MOST_TICKS = 8
_TIME_STEPS = (
    *(15, 60, 300, 600, 900, 1800, 3600, 2 * 3600, 3 * 3600, 6 * 3600, 12 * 3600),
    *(86_400, 2 * 86_400, 7 * 86_400, 14 * 86_400),
)


def time_form(ticks: Sequence[float]) -> str:
    """Return how moments so far apart are written so that no two are alike."""
    if len(ticks) > 1 and ticks[1] - ticks[0] >= _DAY:
        return "%m-%d"
    return "%m-%d %H:%M" if ticks and ticks[-1] - ticks[0] >= _DAY else "%H:%M"


def x_axis(low: float, high: float) -> Axis:
    """Return the horizontal axis of a chart."""
    return Axis(low, high if high > low else low + 1, (LEFT, WIDTH - RIGHT))


def y_axis(low: float, high: float, *, log: bool = False, room_below: float = 0.0) -> Axis:
    """Return the vertical axis of a chart; `room_below` pixels above the numbers stay free."""
    return Axis(low, high if high > low else low + 1, (HEIGHT - BOTTOM - room_below, TOP), log)


def chart(title: str, *parts: str, at: tuple[float, float] | None = None) -> str:
    """Return a chart; its title is what a screen reader says.

    `at` places it inside another SVG, by its upper left corner.
    """
    place = "" if at is None else f' x="{at[0]:g}" y="{at[1]:g}" width="{WIDTH}" height="{HEIGHT}"'
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}"{place} role="img" aria-label="{escape(title)}">'
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


def legend(lines: Sequence[tuple[str, str]], *, x: float, y: float) -> str:
    """Return a sample of each line, by its class, with what it is."""
    parts = []
    for name, text in lines:
        shape = f"M{x:.0f},{y - 9:g}h22v9h-22Z" if name == "band" else f"M{x:.0f},{y - 4:g}h22"
        parts += [f'<path class="{name}" d="{shape}"/>', label(text, x=x + 27, y=y)]
        x += 42 + _PIXELS_PER_CHARACTER * len(text)
    return "".join(parts)


def picture(style: str, height: float, *parts: str) -> str:
    """Return a whole SVG file with its own style and background."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:g}" '
        f'viewBox="0 0 {WIDTH} {height:g}"><style>{style}</style>'
        f'<rect class="paper" width="100%" height="100%"/>{"".join(parts)}</svg>\n'
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


def area(name: str, t: FloatArray, between: tuple[FloatArray, FloatArray], x: Axis, y: Axis) -> str:
    """Return the area between two lines over time, in pieces where either is unknown."""
    lower, upper = (thinned(t, values)[1] for values in between)
    at, known = thinned(t, between[0])[0], np.isfinite(lower) & np.isfinite(upper)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
    pieces = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        here = slice(start, end)
        there = _points(at[here], upper[here], x, y)
        back = _points(at[here], lower[here], x, y)[::-1]
        pieces.append(f"M{'L'.join(there + back)}Z")
    return f'<path class="{name}" d="{"".join(pieces)}"/>'


def _points(t: FloatArray, values: FloatArray, x: Axis, y: Axis) -> list[str]:
    pairs = zip(t.tolist(), values.tolist(), strict=True)
    return [f"{x.at(at):.1f},{y.at(value):.1f}" for at, value in pairs]


def marks(name: str, t: FloatArray, x: Axis, *, top: float, height: float) -> str:
    """Return one short vertical line per moment, at most one per pixel."""
    pixels = sorted({round(x.at(at)) for at in t.tolist()})
    lines = "".join(f"M{px},{top:g}v{height:g}" for px in pixels)
    return f'<path class="{name}" d="{lines}"/>' if lines else ""


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
