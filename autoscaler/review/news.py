"""What is worth a line: the log and the page's list of changes tell the same of it.

Another number, trust or doubt is told at once, and so is what has not been told since the last of
these.
A load that scatters about a step goes back and forth between routine reasons, cycle by cycle: one
that was told already is told again once it has lasted.
"""

from datetime import datetime, timedelta

from autoscaler.decide.reason import Reason
from autoscaler.review.record import DecisionRecord

# Four cycles: noise seldom says the same that often.
LASTS = timedelta(minutes=1)


class News:
    """What was told of one target."""

    __slots__ = ("_headline", "_other_since", "_reason", "_told")

    def __init__(self) -> None:
        self._headline: tuple[object, ...] = ()
        self._reason: Reason | None = None
        self._told: tuple[Reason, ...] = ()
        """The reasons under this headline, those before `_reason` too."""
        self._other_since: datetime | None = None

    def tells(self, record: DecisionRecord) -> bool:
        """Whether a record says something new, which then is told."""
        reason = record.decision.reason
        if record.rescaled or record.headline != self._headline:
            self._headline, self._told = record.headline, ()
        elif reason is self._reason:
            self._other_since = None
            return False
        elif reason in self._told and not self._lasts(record.at):
            return False
        self.note(record)
        return True

    def note(self, record: DecisionRecord) -> None:
        """Take a record for told, news or not."""
        reason = record.decision.reason
        self._reason, self._other_since = reason, None
        if reason not in self._told:
            self._told = (*self._told, reason)

    def _lasts(self, now: datetime) -> bool:
        """Whether another reason than the one told has held for long; a clock set back begins."""
        since = self._other_since
        if since is None or since > now:
            self._other_since = since = now
        return now - since >= LASTS
