"""Does somebody else keep setting the floor of an HPA that we set: notice it, name them, back off.

What `decide.contention` is to `spec.replicas` this is to `minReplicas`, which no decision reads: an
HPA in Git is set back at every sync, and would be written again in every cycle.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from autoscaler.cluster.objects import Rival
from autoscaler.cluster.scale import FIELD_MANAGER
from autoscaler.decide.contention import back_off_left, with_reversal
from autoscaler.decide.facts import TargetRef, is_later
from autoscaler.decide.state import Order
from autoscaler.errors import ScaleRefusedError
from autoscaler.policy.quantity import duration_text

_ZERO = timedelta(0)


def _awake() -> datetime:
    """Return an instant that goes on evenly, whatever is done to the wall clock."""
    return datetime.fromtimestamp(0, tz=UTC) + timedelta(seconds=time.monotonic())


class Floors:
    """The floors that we set last, and when they were overwritten."""

    def __init__(self, *, clock: Callable[[], datetime] = _awake) -> None:
        self._clock = clock
        self._orders: dict[TargetRef, Order] = {}
        self._reverted_at: dict[TargetRef, tuple[datetime, ...]] = {}

    def check(self, target: TargetRef, hpa: Rival) -> None:
        """Raise `ScaleRefusedError` while the floor of an HPA is left to whoever overwrites it."""
        now, reverted_at = self._clock(), self._reverted_at.get(target, ())
        order = self._orders.get(target)
        if (
            order is not None
            and hpa.min_replicas != order.replicas
            and hpa.floor_manager != FIELD_MANAGER  # another replica of ours led meanwhile
            and is_later(hpa.resource_version, order.over_version)
        ):
            del self._orders[target]
            reverted_at = self._reverted_at[target] = with_reversal(reverted_at, now=now)
        if back_off_left(reverted_at, now=now) > _ZERO:
            # The same words until it is over: what is told anew at every cycle would be news.
            rest = duration_text(back_off_left(reverted_at, now=reverted_at[-1]))
            raise ScaleRefusedError(
                f"{target}: minReplicas of {hpa} is overwritten by "
                f"{hpa.floor_manager or 'an unknown field manager'}, so it is left alone for {rest}"
            )

    def wrote(self, target: TargetRef, min_replicas: int, *, over_version: str) -> None:
        """Note what was written, and over which version of the HPA."""
        self._orders[target] = Order(min_replicas, over_version)

    def retain(self, targets: Sequence[TargetRef]) -> None:
        """Forget the floors of others than `targets`."""
        if self._orders or self._reverted_at:
            known = set(targets)
            self._orders = {t: o for t, o in self._orders.items() if t in known}
            self._reverted_at = {t: at for t, at in self._reverted_at.items() if t in known}
