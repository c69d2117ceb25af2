"""How many minutes clock changes (DST) move the lag to the same local time of an earlier day.

Load follows local time: on the morning after a change, yesterday's eight o'clock is 23 or 25 hours
ago.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from models.features import N_DAYS
from models.table import Table

IntArray = NDArray[np.intp]


class Zones:
    """In which IANA zone the days and weeks of each row run; a row that was not told has none."""

    def __init__(self, table: Table) -> None:
        self.table = table
        table.column("day_shift", N_DAYS, dtype=np.int16)
        self._names: dict[int, str] = {}

    def tell(self, rows: IntArray, names: Sequence[str]) -> None:
        """Take in the zones of `rows`, by their IANA names; `follow` makes them count."""
        self._names.update(zip(np.asarray(rows).tolist(), names, strict=True))

    def forget(self, rows: IntArray) -> None:
        """Forget the zones of rows that are given back."""
        for row in np.asarray(rows).tolist():
            self._names.pop(row, None)

    def follow(self, rows: IntArray, *, now_seconds: float) -> None:
        """Bring the lags of earlier days up to date; `now_seconds` is unix seconds."""
        for row in np.asarray(rows).tolist():
            zone = self._names.get(row)
            if zone is not None:
                self.table["day_shift"][:, row] = day_shift(zone, int(now_seconds // 900))


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
