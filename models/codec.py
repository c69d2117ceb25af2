"""Loads as 16-bit logarithms, so that eight days of minutes of ten thousand series fit in memory.

Code 0 is unknown, code 1 is zero; the others are geometrically spaced by 0.15 %, far finer than any
load is measured, from 2^-70 to 2^71 of whatever unit the load has.
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
CodeArray = NDArray[np.uint16]
IntArray = NDArray[np.intp]

# 65,534 codes over 141 octaves: 465 per octave.
_PER_OCTAVE = 465.0
_LOWEST_OCTAVE = -70.0
_FIRST = 2
MOST_LOAD = 2.0**70
"""Larger loads are taken for this: no quantity of requests or cores comes near."""

_CODES = np.arange(1 << 16, dtype=np.float64)
_LOADS = np.exp2((_CODES - _FIRST) / _PER_OCTAVE + _LOWEST_OCTAVE).astype(np.float32)
_LOADS[0], _LOADS[1] = np.nan, 0.0


def known_loads(rows: IntArray, values: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the rows whose values are loads, and the loads, bounded."""
    values = np.asarray(values, dtype=np.float64)
    known = np.isfinite(values) & (values >= 0)
    return rows[known], np.minimum(values[known], MOST_LOAD)


def encoded(load: FloatArray) -> CodeArray:
    """Return codes of loads >= 0; NaN is unknown."""
    with np.errstate(divide="ignore", invalid="ignore"):
        code = np.rint((np.log2(load) - _LOWEST_OCTAVE) * _PER_OCTAVE) + _FIRST
    code = np.where(load > 0, np.clip(code, _FIRST, (1 << 16) - 1), 1.0)
    return np.where(np.isnan(load), 0.0, code).astype(np.uint16)


def decoded(codes: CodeArray) -> NDArray[np.float32]:
    """Return the loads of codes, NaN where unknown."""
    return _LOADS[codes]
