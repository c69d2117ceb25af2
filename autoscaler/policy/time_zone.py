"""Which day is it where the load comes from: IANA time zones, checked once at the edge."""

import difflib
from functools import cache
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, Field

# Files beside the zones that are none: this machine's own zone, and copies of all zones, of which
# those below `right` count leap seconds.
_NO_ZONES = ("localtime", "posix/", "posixrules", "right/")


def known_time_zone(name: str) -> str:
    """Return the name of an existing IANA zone; raise `ValueError` with the likeliest one."""
    if not _exists(name):
        alike = _alike(name)
        guess = f"; did you mean {alike[0]}?" if alike else " such as Europe/Berlin"
        raise ValueError(f"{name!r} is not an IANA time zone{guess}")
    return name


def _exists(name: str) -> bool:
    if name.startswith(_NO_ZONES):
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder's name is an OSError
        return False
    return True


@cache
def _places() -> tuple[str, ...]:
    """Return the zones that are places, read once: a folder of six hundred files.

    An abbreviation says nothing: EST, which CEST looks like, is another continent's.
    """
    return tuple(zone for zone in available_timezones() if "/" in zone)


def _alike(name: str) -> list[str]:
    """Return the likeliest zone, if any, among those that begin alike or contain the name.

    To compare with all of them takes ten milliseconds, and a policy may be wrong a hundred times.
    """
    written = name.lower()
    begins = written[:2]
    near = [z for z in _places() if z.lower().startswith(begins) or written in z.lower()]
    return difflib.get_close_matches(name, near, n=1)


TimeZone = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(known_time_zone)]
