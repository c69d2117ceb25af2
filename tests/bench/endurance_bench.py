"""Does it run for years: a fortnight of mishaps, its memory by day, and whether anything was wrong.

The exit is loud: something lowered by mistake, or left behind, is no table but an error.
"""

import logging
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from support.endurance import Day, Endurance

DAYS = 14.0
# The past that a restarted replica reads: enough to forecast from; reading is not what is measured.
_PAST = timedelta(hours=3)


def endurance_table(days: float = DAYS) -> Iterator[str]:
    """Yield the lines of the table as the days go by, markdown."""
    logging.disable(logging.CRITICAL)  # every mishap is a line
    with tempfile.TemporaryDirectory() as folder:
        yield from _lived(Endurance(days=days, seed=1, past=_PAST, memory=Path(folder) / "memory"))


def _lived(endurance: Endurance) -> Iterator[str]:
    """Yield the table of one life."""
    yield "| day | cycles | raised | lowered | mishaps | restarts | policies | CPU s | MiB |"
    yield "|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for day in endurance.days():
        yield _row(day)
    endurance.recover()
    logging.disable(logging.NOTSET)
    wrong = [*endurance.wrong, *endurance.short(), *endurance.left_behind()]
    if wrong:
        raise AssertionError("\n".join(wrong))
    forgotten, counts = len(endurance.forgettable()), endurance.counts
    yield (
        f"\nNothing lowered by mistake; nothing left of {forgotten} policies that ended; "
        f"{counts.remembered} of {counts.restarts} restarts found a memory they could use."
    )


def _row(day: Day) -> str:
    return (
        f"| {day.number:g} | {day.cycles} | {day.raised} | {day.lowered} | {day.mishaps} "
        f"| {day.restarts} | {day.policies} | {day.cpu_seconds:.0f} | {day.resident_mib:.1f} |"
    )
