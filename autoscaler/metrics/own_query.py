"""What is known about a query that a user wrote: whether it is whole, and what it reads.

A query is put in parentheses beside other people's, so it must not close what it did not open.
And a number is only believed when a series stands behind it: `sum(rate(x[2m])) or vector(0)`
answers 0 when `x` is gone, so the selectors are found and asked for on their own.

This is a lexer, not a parser: Prometheus says what is wrong with a query, better than we could.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n\r]*(?=\r?\n|\Z))
      | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
      | (?P<number>[0-9][0-9a-zA-Z_.]*(?:(?<=[eE])[-+][0-9]+)?|\.[0-9]+)
      | (?P<word>[a-zA-Z_:][a-zA-Z0-9_:]*)
      | (?P<open>[(\[{])
      | (?P<close>[)\]}])
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_CLOSES = {")": "(", "]": "[", "}": "{"}
# A quote outside a string token opens a string that never ends. A `#` outside a comment begins one
# that for Prometheus ends at a carriage return, and for others at the end of the line.
_NEVER_ALONE = {'"', "'", "`", "#"}
_LABEL_LISTS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_WORDS = _LABEL_LISTS | {"and", "or", "unless", "offset", "bool", "atan2", "inf", "nan"}
_AGGREGATIONS = {
    *("sum", "avg", "count", "min", "max", "group", "stddev", "stdvar"),
    *("topk", "bottomk", "count_values", "quantile", "limitk", "limit_ratio"),
}
_DURATION = re.compile(r"(?:[0-9]+(?:ms|s|m|h|d|w|y))+")
_PART_OF_DURATION = re.compile(r"([0-9]+)(ms|s|m|h|d|w|y)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_LONGEST_SECONDS = 1e9  # an instant so long ago has a date
# More selectors than this in one query is somebody's dashboard, not a load.
_MOST_SELECTORS = 8


@dataclass(frozen=True, slots=True)
class FoundSelector:
    """A selector without offset and `@`, and the window it is read over, if it is."""

    text: str
    window: str | None = None


@dataclass(frozen=True, slots=True)
class OwnQuery:
    """A query and the selectors in it; `whole` says whether it may be joined with others.

    It may where each string and bracket that it opens is closed, so that it ends where it should.
    """

    text: str
    whole: bool
    selectors: tuple[FoundSelector, ...]
    scalar: bool = False

    @property
    def expression(self) -> str:
        """The query as one row, for its rows are added up; a comment at its end ends with the line.

        One that selects every series there is would otherwise be answered by all of them.
        """
        return f"vector({self.text}\n)" if self.scalar else f"sum({self.text}\n)"

    @property
    def windows(self) -> frozenset[timedelta]:
        """The windows that its selectors are read over."""
        return frozenset(_span(found.window) for found in self.selectors if found.window)


@lru_cache(maxsize=1024)
def _span(window: str) -> timedelta:
    """Return a duration of PromQL; thirty years for all that are longer."""
    parts = _PART_OF_DURATION.findall(window)
    seconds = sum(int(amount[:20]) * _SECONDS[unit] for amount, unit in parts)
    return timedelta(seconds=min(seconds, _LONGEST_SECONDS))


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def examined(text: str) -> OwnQuery:
    """Return what can be said about a query without asking Prometheus."""
    tokens = list(_tokens(text))
    if not _whole(tokens):
        return OwnQuery(text, False, ())
    selectors = tuple(dict.fromkeys(_selectors(tokens)))[:_MOST_SELECTORS]
    return OwnQuery(text, True, selectors)


def _tokens(text: str) -> Iterator[_Token]:
    """Yield the tokens up to one that makes the query no whole one.

    What follows it could make a search for its end at each of ten thousand characters.
    """
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "other"
        if kind != "space":
            yield _Token(kind, match.group())
        if match.group() in _NEVER_ALONE:
            return


def _whole(tokens: list[_Token]) -> bool:
    """Whether every string ends and every bracket closes what was opened."""
    opened: list[str] = []
    for token in tokens:
        if token.text in _NEVER_ALONE:
            return False
        if token.kind == "open":
            opened.append(token.text)
        elif token.kind == "close" and (not opened or opened.pop() != _CLOSES[token.text]):
            return False
    return bool(tokens) and not opened


def _selectors(tokens: list[_Token]) -> Iterator[FoundSelector]:
    """Yield each selector and its window."""
    at = 0
    while at < len(tokens):
        token, following = tokens[at], _text(tokens, at + 1)
        if token.kind == "word" and token.text in _LABEL_LISTS and following == "(":
            at = _end_of(tokens, at + 1)
        elif token.text == "[":
            at = _end_of(tokens, at)
        elif token.text == "{" or (token.kind == "word" and _is_metric(token.text, following)):
            end = at + 1
            if "{" in {token.text, following}:
                end = _end_of(tokens, at if token.text == "{" else at + 1)
            text = "".join(each.text for each in tokens[at:end])
            yield FoundSelector(text, _window(tokens, end))
            at = end
        else:
            at += 1


def _window(tokens: list[_Token], at: int) -> str | None:
    """Return the range that follows a selector; None for a subquery and where there is none."""
    if _text(tokens, at) != "[" or _text(tokens, at + 2) != "]":
        return None
    window = _text(tokens, at + 1)
    return window if _DURATION.fullmatch(window) else None


def _is_metric(word: str, following: str) -> bool:
    if following == "(" or word.lower() in _WORDS:
        return False
    return not (word.lower() in _AGGREGATIONS and following in {"by", "without"})


def _text(tokens: list[_Token], at: int) -> str:
    return tokens[at].text if at < len(tokens) else ""


def _end_of(tokens: list[_Token], at: int) -> int:
    """Return the position after the bracket that closes the one at `at`."""
    depth = 0
    for position in range(at, len(tokens)):
        depth += (tokens[position].kind == "open") - (tokens[position].kind == "close")
        if depth == 0:
            return position + 1
    return len(tokens)
