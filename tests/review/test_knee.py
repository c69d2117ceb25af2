import numpy as np
import pytest

from autoscaler.review.knee import Played, knee, proposed_bounds


def played(*points):
    return [Played(risk, slow, cost) for risk, slow, cost in points]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        pytest.param(
            [(0.001, 1e-4, 1.6), (0.01, 2e-4, 1.2), (0.1, 1e-2, 1.1)], 0.01, id="a clear knee"
        ),
        pytest.param([(0.001, 0.0, 1.2), (0.01, 0.0, 1.1)], 0.01, id="no slow time: the cheapest"),
        pytest.param([(0.001, 1e-3, 1.1), (0.01, 1e-3, 1.1)], 0.001, id="equals: less risk"),
        pytest.param([(0.01, 1e-3, 1.1)], 0.01, id="one"),
        pytest.param([(0.1, 1e-2, 1.1), (0.001, 1e-4, 1.1)], 0.001, id="slow time alone, unsorted"),
    ],
)
def test_the_knee_is_furthest_below_the_line_between_the_ends(points, expected):
    assert knee(played(*points), least_slow=1e-5).risk == expected


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        pytest.param([0.5] * 99 + [10.2], (2, 21), id="two at least, twice the peak at most"),
        pytest.param([7.1] * 99 + [9.0], (8, 18), id="the quiet hours"),
        pytest.param([0.0] * 3 + [7.1] * 97, (8, 15), id="an outage is no quiet hour"),
        pytest.param([np.nan, 3.0, np.nan], (3, 6), id="gaps are unknown, not zero"),
        pytest.param([np.nan], (2, 2), id="nothing known"),
    ],
)
def test_bounds_come_from_the_load(load, expected):
    assert proposed_bounds(np.array(load)) == expected
