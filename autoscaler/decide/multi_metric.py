"""Which of several metrics wins: the one that asks for most, unless an unknown one forbids less.

HPA since 1.21: a metric in error does not block scaling out, it does block scaling in.
"""

from collections.abc import Sequence


def largest_proposal(proposals: Sequence[int | None], *, current_replicas: int) -> int | None:
    """Return the largest proposal; None = no decision, the workload keeps what it has.

    Parameters
    ----------
    proposals
        One per metric; None = that metric is in error.
    """
    known = [replicas for replicas in proposals if replicas is not None]
    if not known:
        return None
    largest = max(known)
    in_error = len(known) < len(proposals)
    return None if in_error and largest < current_replicas else largest
