"""What a value of a document may be that somebody else wrote: exactly that, or it is refused.

Values that are almost right (a number for a flag, a local time) mean something else than they say.
"""

import math
from datetime import datetime
from typing import Any

# What reading a document of another form may raise.
MALFORMED = (
    KeyError,
    TypeError,
    ValueError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
)


def text_of(value: Any) -> str:
    """Return text; raise `TypeError` when it is none."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def instant_of(value: Any) -> datetime:
    """Return an instant in ISO 8601; raise `ValueError` where its time zone is missing."""
    at = datetime.fromisoformat(text_of(value))
    if at.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    return at


def flag_of(value: Any) -> bool:
    """Return true or false; raise `TypeError` when it is neither."""
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def whole_of(value: Any) -> int:
    """Return a whole number; raise `TypeError` when it is none, as true is."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not a whole number")
    return value


def number_of(value: Any) -> float:
    """Return a finite number; raise `TypeError` or `ValueError`."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not a number")
    if not math.isfinite(value):
        raise ValueError(f"{value!r} is not finite")
    return float(value)


def decimal_of(text: str) -> float:
    """Return a number as every language writes it; raise `ValueError`.

    `float` alone would take `1_0`, which may well be a mistyped `1.0`, and digits of any alphabet.
    """
    if "_" in text or not text.isascii():
        raise ValueError(f"{text!r} is not a number")
    return float(text)


def count_of(value: Any) -> int:
    """Return a whole number that is not negative; raise `TypeError` or `ValueError`."""
    if whole_of(value) < 0:
        raise ValueError(f"{value!r} is negative")
    return whole_of(value)
