"""What is listed and watched: where it is, and what is kept of each object.

An object that cannot be read is left out and told once; it must not end a list.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from autoscaler.cluster.api import Json
from autoscaler.cluster.objects import Seen
from autoscaler.strict import MALFORMED

logger = logging.getLogger(__name__)

_LONGEST_ERROR = 300
# Warnings of unreadable objects that are remembered, so as not to be repeated.
_MOST_TOLD = 1000


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of object: where it is, and what is kept of each (None: nothing)."""

    path: str
    trimmed: Callable[[Json], Seen | None]
    label_selector: str | None = None
    _told: set[tuple[str, str]] = field(default_factory=set, init=False, repr=False, compare=False)

    def kept(self, raw: Json) -> Seen | None:
        """Return what is kept of an object; one that cannot be read is left out, never fatal.

        A custom resource is only as good as its schema, and one of them must not end the list.
        """
        try:
            return self.trimmed(raw)
        except MALFORMED as error:
            self._tell(raw, repr(error)[:_LONGEST_ERROR])
            return None

    def _tell(self, raw: Json, error: str) -> None:
        """Warn of what is wrong with an object, once: its status may change all the time."""
        meta = raw.get("metadata") if isinstance(raw, dict) else None
        where = ("namespace", "name")
        named = "/".join(str(meta.get(w)) for w in where) if isinstance(meta, dict) else str(meta)
        named = named[:_LONGEST_ERROR]
        if (named, error) in self._told:
            return
        if len(self._told) >= _MOST_TOLD:
            self._told.clear()
        self._told.add((named, error))
        fields = {"resource": self.path, "object": named, "error": error}
        logger.warning("object_unreadable", extra={"fields": fields})
