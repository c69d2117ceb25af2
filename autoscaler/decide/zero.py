"""May the last pod go: scale to zero after an idle time, woken by forecast or by a request.

Only with `minReplicas: 0`, only when every metric is known, reads nothing, and the forecast
expects nothing; the wake-up needs no rule of its own, any load needs one pod.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from autoscaler.decide.facts import Signal, Trust
from autoscaler.decide.measured import known_load

# As long as the longest default hold: whoever came a moment ago may come again.
IDLE_BEFORE_ZERO = timedelta(minutes=10)
# Of one pod's capacity: a quantile is never quite zero, and a tenth of a pod is not worth a pod.
_EXPECTED_NOTHING = 0.1


def idle(signals: Sequence[Signal], *, now: datetime) -> bool:
    """Whether nothing is asked of the workload now and nothing is expected."""
    return all(_is_idle(signal, now) for signal in signals)


def _is_idle(signal: Signal, now: datetime) -> bool:
    if signal.sample.doubt is not None or known_load(signal.sample, now=now) != 0.0:
        return False
    forecast, capacity = signal.forecast, signal.capacity
    if forecast is None or capacity is None or forecast.trust is not Trust.TRUSTED:
        return True
    return forecast.quantile <= _EXPECTED_NOTHING * capacity.per_pod
