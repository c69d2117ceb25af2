"""Which day is it where the load comes from: IANA time zones, checked once at the edge."""

import difflib
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, Field


def known_time_zone(name: str) -> str:
    """Return the name of an existing IANA zone; raise `ValueError` with the likeliest one."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder's name is an OSError
        # An abbreviation says nothing: EST, which CEST looks like, is another continent's.
        places = [zone for zone in available_timezones() if "/" in zone]
        alike = difflib.get_close_matches(name, places, n=1)
        guess = f"; did you mean {alike[0]}?" if alike else " such as Europe/Berlin"
        raise ValueError(f"{name!r} is not an IANA time zone{guess}") from None
    return name


TimeZone = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(known_time_zone)]
