"""What a flag is and may be; a wrong value is refused by flag and value, before anything is done.

Values come from the command line or from the environment, and are held to the same: a misspelt
`AUTOSCALER_DRY_RUN` must not mean that the daemon acts.
"""

import argparse
import os
import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from autoscaler.errors import TraceError
from autoscaler.policy.quantity import (
    duration_text,
    parsed_duration,
    parsed_quantity,
    parsed_risk,
)
from autoscaler.strict import decimal_of

# More history than this no Prometheus keeps by the minute, and no forecast looks at.
MOST_DAYS = 366
# A pod that takes longer is not started ahead of a load; every promise would be older than that.
LONGEST_STARTUP = timedelta(hours=1)

PROMETHEUS_SCHEMES = ("http", "https", "dns+srv", "consul")

TRACE = "CSV with the header timestamp,value: unix seconds, load"

# Those of `review/attention.py`; a help does not wait for all that this imports.
STATES = (
    "refused, not found, contested, metrics unknown, not routable, capped, pods starting, "
    "forecast stale, forecast demoted, held, paused, forecast warming or calm"
)

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_YES, _NO = {"1", "true", "yes", "on"}, {"", "0", "false", "no", "off"}

_Value = TypeVar("_Value")
# What flags are added to: a command, or one of its groups.
Flags = argparse.ArgumentParser | argparse._ArgumentGroup


class FromEnvironment(str):
    """A value as it stands in an environment variable, which a complaint then names."""

    variable: str

    def __new__(cls, text: str, variable: str) -> "FromEnvironment":
        """Return the text of a variable."""
        value = super().__new__(cls, text)
        value.variable = variable
        return value


def checked(parsed: Callable[[str], _Value]) -> Callable[[str], _Value]:
    """Return a parser whose complaints argparse shows, with the variable a value came from."""

    def of_flag(text: str) -> _Value:
        try:
            return parsed(text)
        except ValueError as error:
            where = f", in {text.variable}" if isinstance(text, FromEnvironment) else ""
            raise argparse.ArgumentTypeError(f"{error}{where}") from error

    return of_flag


class Switch(argparse.Action):
    """A flag without a value; in the environment it is yes or no, and nothing else."""

    def __init__(self, **options: Any) -> None:
        super().__init__(nargs=0, type=checked(yes_or_no), **options)

    def __call__(self, parser: object, namespace: argparse.Namespace, *_: object) -> None:
        """Switch it on."""
        setattr(namespace, self.dest, True)


class Several(argparse.Action):
    """A flag of several values, which may also be given several times."""

    def __call__(
        self, parser: object, namespace: argparse.Namespace, values: Any, *_: object
    ) -> None:
        """Add them to what was given; a default is not."""
        given = getattr(namespace, self.dest)
        setattr(namespace, self.dest, values if given is self.default else [*given, *values])


def flag(command: Flags, name: str, **options: Any) -> None:
    """Add a flag whose default may come from the environment, where it is checked the same."""
    variable = "AUTOSCALER_" + name.lstrip("-").replace("-", "_").upper()
    told = [options.get("help", ""), f"default: {options['default']}" if _tells(options) else ""]
    options["help"] = f"{'; '.join(filter(None, told))} [{variable}]".replace("%", "%%")
    written = os.environ.get(variable)
    if options.get("action") is Switch:
        options["default"] = FromEnvironment(written or "", variable)
    elif written:
        value = FromEnvironment(written, variable)
        options["default"] = [value] if options.get("nargs") == "+" else value
        options.pop("required", None)
    command.add_argument(name, **options)


def _tells(options: dict[str, Any]) -> bool:
    """Whether there is a default that the help does not tell yet."""
    return bool(options.get("default")) and "default" not in options.get("help", "")


def choice(command: Flags, name: str, *choices: str, **options: Any) -> None:
    """Add a flag that is one of a few words, the first of them by default."""
    chosen = {"default": choices[0], "metavar": "{" + ",".join(choices) + "}", **options}
    flag(command, name, type=one_of(*choices), **chosen)


def yes_or_no(text: str) -> bool:
    """Return whether a variable switches something on."""
    if text.lower() not in _YES | _NO:
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() in _YES


def one_of(*choices: str) -> Callable[[str], str]:
    """Return the parser of a word that has to be one of a few."""

    def chosen(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is not one of {', '.join(choices)}")
        return text

    return checked(chosen)


def _span(text: str) -> timedelta:
    value = parsed_duration(text)
    if not value:
        raise ValueError(f"{text!r} is not above 0s")
    return value


def _startup(text: str) -> timedelta:
    value = parsed_duration(text)
    if value > LONGEST_STARTUP:
        raise ValueError(f"{text!r} is above {duration_text(LONGEST_STARTUP)}")
    return value


def _positive(text: str) -> float:
    try:
        number = decimal_of(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ValueError(f"{text!r} is not a number above 0")
    return number


def _days(text: str) -> float:
    number = _positive(text)
    if number > MOST_DAYS:
        raise ValueError(f"{text!r} is more than {MOST_DAYS} days")
    return number


def whole(text: str, low: int, high: int, what: str) -> int:
    """Return a whole number between two."""
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise ValueError(f"{text!r} is not {what} from {low} to {high}")
    return int(text)


def _workers(text: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,3}|dask://\S+", text):
        raise ValueError(f"{text!r} is neither a number above 0 nor dask://HOST:PORT")
    return text


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    for name, equals, _ in pairs:
        if not equals or not _LABEL_NAME.fullmatch(name.strip()):
            raise ValueError(f"{text!r} is not NAME=VALUE,...")
    return tuple((name.strip(), value) for name, _, value in pairs)


def url_of(*schemes: str) -> Callable[[str], str]:
    """Return the parser of one or several URLs, with commas between, of these schemes."""

    def parsed(text: str) -> str:
        for url in text.split(","):
            problem = _url_problem(url.strip(), schemes)
            if problem:
                raise ValueError(f"{text!r} {problem}")
        return text

    return checked(parsed)


def _url_problem(url: str, schemes: tuple[str, ...]) -> str:
    """Return what is wrong with a URL, nothing when it is well formed."""
    wanted = ", ".join(f"{scheme}://" for scheme in schemes)
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is none
    except ValueError as error:
        return f"is no URL: {error}"
    if parts.scheme not in schemes:
        return f"begins with none of {wanted}"
    if not (parts.netloc or parts.path.strip("/")) or any(map(str.isspace, url)):
        return "names no server"
    return ""


days = checked(_days)
pairs = checked(_pairs)
positive = checked(_positive)
quantity = checked(parsed_quantity)
risk = checked(parsed_risk)
risks = checked(lambda text: tuple(parsed_risk(part) for part in text.split(",")))
span = checked(_span)
startup = checked(_startup)
startups = checked(lambda text: tuple(_startup(part) for part in text.split(",")))
workers = checked(_workers)
port = checked(lambda text: whole(text, 0, 65_535, "a port"))
n_shards = checked(lambda text: whole(text, 0, 256, "a count"))
limit = checked(lambda text: whole(text, 1, 500, "a number"))
seed = checked(lambda text: whole(text, 0, 2**63, "a number"))


def checked_output(path: Path, *, inputs: Iterable[str]) -> Path:
    """Return where a result will go; raise `TraceError` where it cannot, before it is made."""
    if path.exists() and any(Path(file).exists() and path.samefile(file) for file in inputs):
        raise TraceError(f"{path}: is what is played, and would be overwritten")
    if path.is_dir():
        raise TraceError(f"{path}: cannot be written: it is a folder")
    if not path.parent.is_dir():
        raise TraceError(f"{path}: cannot be written: there is no folder {path.parent}")
    return path
