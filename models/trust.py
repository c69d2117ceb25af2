"""Whether a series' forecast steers: `Warming`, `Trusted`, `Demoted`, `Stale`, as array codes."""

from enum import IntEnum


class Trust(IntEnum):
    """The code of a trust state; the order is part of the interface."""

    WARMING = 0
    TRUSTED = 1
    DEMOTED = 2
    STALE = 3
