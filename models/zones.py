"""When was this local time some days ago: what clock changes move each day's lag by.

Load follows people, and people follow their clocks: on the morning after a change, yesterday's
eight o'clock is 23 or 25 hours ago.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from models.features import N_DAYS


@lru_cache(maxsize=4096)
def day_shift(zone: str, quarter_hour: int) -> NDArray[np.int64]:
    """Return the minutes to add to t - d days so that the local time is that of t, d = 1..7.

    `quarter_hour` counts quarter-hours since the epoch: no zone changes its clock in between.
    """
    info = ZoneInfo(zone)
    now = datetime.fromtimestamp(quarter_hour * 900, tz=UTC)

    def offset(at: datetime) -> float:
        shift = at.astimezone(info).utcoffset()
        return 0.0 if shift is None else shift.total_seconds() / 60.0

    shifts = [offset(now) - offset(now - timedelta(days=d)) for d in range(1, N_DAYS + 1)]
    return np.array(shifts).astype(np.int64)
