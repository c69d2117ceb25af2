"""How is PromQL built from what users wrote, so that no value can break or widen a query.

Every label value passes through `quoted`, every alternative of a regex through `escaped_regex`;
metric and label names are checked, not escaped, because the language has no way to escape them.

References
----------
Prometheus documentation, "Querying basics" (string literals follow Go's escaping rules);
Go `regexp.QuoteMeta`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from autoscaler.errors import MetricUnavailableError

_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,255}\Z")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,127}\Z")
# What Go reads as escape or as the end of a double-quoted string.
_ESCAPES = {"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
_REGEX_SPECIAL = set(r"\.+*?()|[]{}^$")

Operator = Literal["=", "!=", "=~", "!~"]


def quoted(value: str) -> str:
    """Return a value as a PromQL string literal; what is not text becomes U+FFFD."""
    text = value.encode("utf-8", errors="replace").decode("utf-8")
    escaped = "".join(_ESCAPES.get(c) or (c if c.isprintable() else _hex(c)) for c in text)
    return f'"{escaped}"'


def _hex(character: str) -> str:
    """Return a control or invisible character as Go's escape."""
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def escaped_regex(value: str) -> str:
    """Return a regex that matches exactly `value`, as Go's `regexp.QuoteMeta` does."""
    return "".join(f"\\{c}" if c in _REGEX_SPECIAL else c for c in value)


def any_of(values: Iterable[str]) -> str:
    """Return a regex that matches exactly the given values."""
    return "|".join(escaped_regex(value) for value in sorted(set(values)))


def label_name(name: str) -> str:
    """Return a label name; raise `MetricUnavailableError` when it is none."""
    if not _LABEL_NAME.match(name):
        raise MetricUnavailableError(f"{name[:80]!r} is not a label name")
    return name


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label."""

    label: str
    operator: Operator
    value: str

    def __str__(self) -> str:
        return f"{label_name(self.label)}{self.operator}{quoted(self.value)}"


def selector(metric: str, matchers: Sequence[Matcher]) -> str:
    """Return an instant vector selector."""
    if not _METRIC_NAME.match(metric):
        raise MetricUnavailableError(f"{metric[:80]!r} is not a metric name")
    conditions = ",".join(str(matcher) for matcher in matchers)
    return f"{metric}{{{conditions}}}" if conditions else metric


def by(labels: Iterable[str]) -> str:
    """Return a grouping clause over distinct labels, in the order given."""
    return f"by ({', '.join(dict.fromkeys(label_name(label) for label in labels))})"


def duration(span: timedelta) -> str:
    """Return a duration in whole seconds, never under one."""
    return f"{max(1, round(span.total_seconds()))}s"


def labelled(expression: str, label: str, value: str) -> str:
    """Return the expression with one more label on every series."""
    return f'label_replace({expression}, "{label_name(label)}", {quoted(_literal(value))}, "", "")'


def _literal(replacement: str) -> str:
    """Return a replacement in which `$1` means two characters, not a group."""
    return replacement.replace("$", "$$")
