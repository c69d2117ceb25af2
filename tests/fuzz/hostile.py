"""What a hostile hand makes of a good input: edits of text, and wrong values in right places.

A random number generator seeded by hypothesis does the making, not its strategies: these shrink
better and cost ten times as much, and what counts here is how many inputs are tried.
"""

import copy
import os
from collections.abc import Callable
from functools import wraps
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# One input in so many is tried on a developer's machine; all of them where CI is set.
_SHARE = 1 if os.environ.get("CI") else 50
# Hypothesis takes as long for an example as most inputs do; a seed is therefore good for several.
_INPUTS_PER_SEED = 10

NUMBERS = (
    0,
    -1,
    1,
    0.5,
    2**31,
    2**63,
    10**40,
    -(10**40),
    1e308,
    1e-308,
    float("inf"),
    float("nan"),
)
TEXTS = (
    *("", " ", "x", "0", "-1", "1e999", "NaN", "+Inf", "-Inf", "9" * 50, "1_0", "0x10", "١٢", "½"),
    *("true", "null", "~", "\0", "\ud800", "\u202e", "\u2028", "é" * 300, "x" * 5000, "a/b", ".."),
    *("120", "250m", "1.5k", "9Ei", "90s", "1h30m", "366d", "99999999999d", "0.1%", "1%", "50%"),
    *("* * * * *", "0 8 31 2 *", "2026-02-30 10:00", "2026-11-27 08:00", "Europe/Berlin", "UTC"),
    *("{", "{name}", "{0}", "{namespace:>9}", "up # \r) or (up", "$1"),
    *("/etc/passwd", "2026-11-23T08:00:00Z", "2026-11-23T08:00:00", "0001-01-01T00:00:00Z", "auto"),
)  # fmt: skip
KEYS = (
    "",
    "name",
    "namespace",
    "metadata",
    "spec",
    "replicas",
    "value",
    "__class__",
    "\ud800",
    "a.b",
)


def inputs(n: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test on `n` inputs in CI, on fewer elsewhere, each made with the `Random` `chance`.

    In CI the seeds are the same every time: a change is judged by the inputs before it, too.
    """

    def decorated(test: Callable[..., None]) -> Callable[..., None]:
        @wraps(test)
        def several(chance: Random, **fixtures: Any) -> None:
            for _ in range(_INPUTS_PER_SEED):
                test(chance=chance, **fixtures)

        chosen = settings(
            deadline=None,
            max_examples=max(100, n // _SHARE) // _INPUTS_PER_SEED,
            derandomize=_SHARE == 1,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        return chosen(given(chance=st.randoms(use_true_random=True))(several))

    return decorated


def value(chance: Random, *, depth: int = 3) -> Any:
    """Return a value that JSON or YAML may hold."""
    kind = chance.randrange(6 if depth else 4)
    if kind == 0:
        return chance.choice((None, True, False))
    if kind == 1:
        return chance.choice(NUMBERS)
    if kind in {2, 3}:
        return chance.choice(TEXTS)
    members = [value(chance, depth=depth - 1) for _ in range(chance.randrange(4))]
    if kind == 4:
        return members
    return {chance.choice(KEYS): member for member in members}


def mutated(good: Any, chance: Random) -> Any:
    """Return a copy in which one to three places hold something else, or nothing, or it twice."""
    whole = [copy.deepcopy(good)]
    for _ in range(chance.randrange(1, 4)):
        holder, key = _place(whole, chance)
        action = chance.randrange(5)
        if action == 0 and holder is not whole:
            del holder[key]
        elif action == 1 and isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        elif action == 1 and holder is not whole:
            holder[chance.choice(KEYS)] = holder[key]
        else:
            holder[key] = value(chance)
    return whole[0]


def _place(whole: list[Any], chance: Random) -> tuple[Any, Any]:
    """Return a container and a key in it, the deeper the likelier."""
    holder, key = whole, 0
    while True:
        inner = holder[key]
        if not isinstance(inner, dict | list) or not inner or chance.random() < 0.1:
            return holder, key
        holder = inner
        key = (
            chance.choice(list(inner)) if isinstance(inner, dict) else chance.randrange(len(inner))
        )


def edited(text: str, fragments: tuple[str, ...], chance: Random) -> str:
    """Return a text after one to four edits: cut, copied, inserted into, changed."""
    for _ in range(chance.randrange(1, 5)):
        here, there = sorted(chance.choices(range(len(text) + 1), k=2))
        there = min(there, here + 30)
        middle = chance.choice(("", text[here:there] * 2, chance.choice(fragments), noise(chance)))
        text = text[:here] + middle + text[here if chance.random() < 0.5 else there :]
    return text


def noise(chance: Random, longest: int = 12) -> str:
    """Return a few characters from anywhere in Unicode, halves of surrogate pairs included."""
    reach = chance.choice((0x7F, 0xFF, 0xFFFF, 0x10FFFF))
    return "".join(chr(chance.randint(0, reach)) for _ in range(chance.randrange(longest)))
