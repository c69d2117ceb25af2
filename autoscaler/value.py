"""Dataclasses of one policy's turn: frozen by the type checker alone, which costs no time.

A frozen dataclass sets every field by a call, which takes six times as long as an assignment, and
a cycle makes seven values for each of ten thousand policies.
So the type checker alone freezes these: it refuses an assignment, the interpreter does not look.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

T = TypeVar("T")

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:

    def value(*, frozen: bool, slots: bool) -> Callable[[type[T]], type[T]]:
        """Make a dataclass that is compared and hashed by its fields, which nobody shall change."""
        return dataclass(frozen=False, unsafe_hash=frozen, slots=slots)


__all__ = ["value"]
