"""What an editor can know of a policy: its JSON Schema, for completion and a first check.

It is derived from the sections themselves, and refuses what they accept only where a whole number
or a truth is written as something else (`"5"`, `yes`); what they compare or read more closely
(bounds in order, quantities, schedules) `autoscaler validate` tells.
"""

from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from autoscaler.policy.quantity import duration_text
from autoscaler.policy.schema import WorkloadPolicy


class _AsWritten(GenerateJsonSchema):
    """Defaults stand as one writes them, and no field has a title beside its name."""

    def encode_default(self, default: Any) -> Any:
        """Return a default as it would be written."""
        written = duration_text(default) if isinstance(default, timedelta) else default
        return super().encode_default(written)

    def field_title_should_be_set(self, schema: object) -> bool:
        """Return that none is: `Scaleup` tells nobody more than `scaleUp`."""
        return False


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of one policy."""
    return {
        "$schema": _AsWritten.schema_dialect,
        "$id": "urn:predictive-autoscaler:policy",
        **WorkloadPolicy.model_json_schema(schema_generator=_AsWritten),
    }
