"""One policy as it was written, before anybody asked whether it makes sense."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """One policy as it was written, and where it stands (a file, or ConfigMap and key).

    `namespace` is the ConfigMap's own; None for a file, which may name any namespace.
    """

    source: str
    text: str
    namespace: str | None = None
    created_at: datetime | None = None
    """When its ConfigMap was created; None = not known, as of a file."""
    config_map: str | None = None
    """The name of its ConfigMap; None for a file."""
