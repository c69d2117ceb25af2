from datetime import UTC, datetime

import numpy as np
import pytest

from models.table import Table
from models.zones import Zones, day_shift


@pytest.mark.parametrize(
    ("zone", "now", "shift"),
    [
        pytest.param("UTC", datetime(2026, 3, 30, 8, tzinfo=UTC), [0] * 7, id="no clock change"),
        pytest.param(
            "Europe/Berlin",
            datetime(2026, 3, 30, 6, tzinfo=UTC),
            [0, 60, 60, 60, 60, 60, 60],
            id="clock went forward yesterday",
        ),
        pytest.param(
            "America/New_York",
            datetime(2026, 11, 1, 13, tzinfo=UTC),
            [-60] * 7,
            id="clock went back this morning",
        ),
        pytest.param(
            "Asia/Kolkata", datetime(2026, 7, 1, tzinfo=UTC), [0] * 7, id="half an hour off, fixed"
        ),
    ],
)
def test_days_are_counted_by_the_local_clock(zone, now, shift):
    got = day_shift(zone, int(now.timestamp() // 900))

    assert got.tolist() == shift


def test_a_row_that_is_given_back_leaves_its_zone_behind():
    table = Table()
    zones, rows = Zones(table), table.add(2)
    zones.tell(rows, ["Europe/Berlin", "Europe/Berlin"])
    zones.forget(rows[1:])
    zones.follow(rows, now_seconds=datetime(2026, 3, 30, 6, tzinfo=UTC).timestamp())

    np.testing.assert_array_equal(table["day_shift"].T, [[0, *[60] * 6], [0] * 7])
