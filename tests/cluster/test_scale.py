"""What the answer to a write means."""

import pytest

from autoscaler.cluster.scale import refusal
from autoscaler.errors import ScaleConflictError, ScaleRefusedError, ScaleUnansweredError


@pytest.mark.parametrize(
    ("status", "means"),
    [
        (409, ScaleConflictError),
        (403, ScaleRefusedError),
        (404, ScaleRefusedError),
        (422, ScaleRefusedError),
        (429, ScaleRefusedError),
        (0, ScaleUnansweredError),
        (None, ScaleUnansweredError),
        (500, ScaleUnansweredError),
        (504, ScaleUnansweredError),
    ],
)
def test_what_a_status_means(status: int | None, means: type[ScaleRefusedError]) -> None:
    assert refusal(status) is means
