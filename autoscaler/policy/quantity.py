"""How much and how long: Kubernetes quantities, durations and shares, parsed once at the edge.

References
----------
Kubernetes API reference, "Quantity"; Go `time.ParseDuration` (the forms users know from YAML).
"""

import math
import re
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from autoscaler.strict import decimal_of

_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]{1,15}(?:\.[0-9]{0,12})?|\.[0-9]{1,12}))"
    r"(?:([eE][+-]?[0-9]{1,2})|([numkMGTPE]|[KMGTPE]i))?"
)
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h|d|w)")
_SUFFIX = {
    **{
        "n": 1e-9,
        "u": 1e-6,
        "m": 1e-3,
        "k": 1e3,
        "M": 1e6,
        "G": 1e9,
        "T": 1e12,
        "P": 1e15,
        "E": 1e18,
    },
    **{f"{unit}i": 1024.0**power for power, unit in enumerate("KMGTPE", start=1)},
}
# A larger Deployment than this is a typing error; HPA itself takes any int32.
MOST_REPLICAS = 100_000
# Below 0.05 % no fortnight of history can calibrate a quantile; above the median it is no caution.
LEAST_RISK, MOST_RISK = 0.0005, 0.5
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
# From here on four digits are whole ones.
_WHOLE_FROM = 999.95


def parsed_quantity(value: Any) -> float:
    """Return a Kubernetes quantity ("120", "250m", "1.5k", "2Gi") as a finite float."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{_written(value)} is not a quantity such as 120, 250m or 1.5k")
    if isinstance(value, int | float):
        number = float(value)
    else:
        match = _QUANTITY.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"{value!r} is not a quantity such as 120, 250m or 1.5k")
        number = float(match[1] + (match[2] or "")) * _SUFFIX.get(match[3] or "", 1.0)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not a finite quantity")
    return number


def _written(value: Any) -> str:
    """Return a value in the words of YAML, where Python's differ."""
    return str(value).lower() if isinstance(value, bool) else repr(value)


def parsed_duration(value: Any) -> timedelta:
    """Return a duration ("90s", "5m", "1h30m", or seconds), never negative."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{_written(value)} is not a duration such as 90s, 5m or 1h30m")
    if isinstance(value, int | float):
        return _bounded_duration(float(value), value)
    text = value.strip()
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{value!r} is not a duration such as 90s, 5m or 1h30m")
    return _bounded_duration(
        sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts), value
    )


def _bounded_duration(seconds: float, written: object) -> timedelta:
    if not 0 <= seconds <= 366 * 86400.0:
        raise ValueError(f"{written!r} is not between 0s and 366d")
    return timedelta(seconds=seconds)


def parsed_share(value: Any) -> float:
    """Return a share ("1%", "0.3 %" or 0.01) as a float between 0 and 1."""
    try:
        text = str(value).strip()
        share = decimal_of(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise ValueError(f"{_written(value)} is not a share such as 1% or 0.01") from None
    if not 0 <= share <= 1:
        guess = f"; did you mean {text}%?" if 1 < share <= 100 and "%" not in text else ""
        raise ValueError(f"{value!r} is not between 0% and 100%{guess}")
    return share


def parsed_tolerance(value: Any) -> float:
    """Return a share, also as the quantity that the API server prints in an HPA: `100m` is 10%."""
    thousandths = isinstance(value, str) and value.strip().endswith("m")
    return parsed_share(parsed_quantity(value) if thousandths else value)


def parsed_risk(value: Any) -> float:
    """Return an accepted chance of being short; what no past can calibrate is refused."""
    share = parsed_share(value)
    if not LEAST_RISK <= share <= MOST_RISK:
        low, high = share_text(LEAST_RISK), share_text(MOST_RISK)
        raise ValueError(f"{value!r} is not between {low} and {high}")
    return share


def duration_text(duration: timedelta) -> str:
    """Return the shortest exact text of a duration: `1h30m`, `90s` -> `1m30s`, `0s`."""
    text, rest = "", duration
    for unit in ("d", "h", "m"):
        whole, rest = divmod(rest, timedelta(seconds=_UNIT_SECONDS[unit]))
        text += f"{whole}{unit}" if whole else ""
    if rest or not text:
        text += f"{rest.total_seconds():.6f}".rstrip("0").rstrip(".") + "s"
    return text


def seconds_text(seconds: float) -> str:
    """Return a span of time as a duration to the second: 89.7 -> `1m30s`."""
    return _whole_seconds_text(round(seconds))


@lru_cache(maxsize=1024)  # of all that wait most wait for the same few instants
def _whole_seconds_text(seconds: int) -> str:
    return duration_text(timedelta(seconds=seconds))


def share_text(share: float) -> str:
    """Return a share as a percentage: 0.003 -> `0.3%`."""
    return f"{share * 100:.6g}%"


def load_text(load: float) -> str:
    """Return a load as one reads it: four digits, and every whole one up to six: `726.5`, `12346`.

    From a million on it is told in millions (`M`) and so on, as a quantity: bytes are that many.
    The record and its sentence keep six digits, for whoever reckons with them.
    """
    for suffix in "TGM":
        if round(abs(load)) >= _SUFFIX[suffix]:
            return f"{load / _SUFFIX[suffix]:.4g}{suffix}"
    return f"{load:.4g}" if abs(load) < _WHOLE_FROM else f"{round(load):.6g}"


def _written_share(share: float) -> str | float:
    """Return a share as a percentage, or as a number where that would round it."""
    text = share_text(share)
    return text if parsed_share(text) == share else share


def _written_quantity(amount: float) -> str | float:
    """Return a quantity as text, or as a number where the text would not read back as itself."""
    text = f"{amount:.15g}"
    return text if _QUANTITY.fullmatch(text) and parsed_quantity(text) == amount else amount


def _written_as(parsed: Callable[[Any], Any]) -> BeforeValidator:
    """Return the parser of a field that is a text with a unit, or a plain number."""
    return BeforeValidator(parsed, json_schema_input_type=str | float)


Quantity = Annotated[float, _written_as(parsed_quantity), PlainSerializer(_written_quantity)]
Duration = Annotated[timedelta, _written_as(parsed_duration), PlainSerializer(duration_text)]
Risk = Annotated[float, _written_as(parsed_risk), PlainSerializer(_written_share)]
Tolerance = Annotated[float, _written_as(parsed_tolerance), PlainSerializer(_written_share)]


def refused_look_alike(value: Any) -> Any:
    """Refuse `true` and `1_0` where a number is wanted; Python would read them as 1 and 10."""
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        raise ValueError(f"{_written(value)} is not a whole number")
    return value


WholeNumber = Annotated[int, BeforeValidator(refused_look_alike)]
