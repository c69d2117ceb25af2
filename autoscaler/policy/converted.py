"""What the conversions of HPAs and of ScaledObjects share: their result, and how they read."""

from dataclasses import dataclass
from typing import Any

from autoscaler.errors import PolicyError
from autoscaler.policy.complaints import shown

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Converted:
    """A policy's fields, as they would be written, and what its reader has to know."""

    fields: Fields
    notes: tuple[str, ...] = ()


def mapping(holder: Fields, name: str) -> Fields:
    """Return a section; one that is not there is empty.

    Raises
    ------
    PolicyError
        When something else stands in its place.
    """
    found = holder.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise PolicyError(f"{name}: {shown(found)} must be a mapping of fields")
    return found
