"""What of a good policy cannot hold as written: said to its author, and no reason to refuse it.

A refused policy would leave a workload without any; a bound that another one overrules is a
smaller evil, as long as somebody is told.
"""

from collections.abc import Iterator

from autoscaler.policy.schema import WorkloadPolicy


def warnings_of(policy: WorkloadPolicy) -> Iterator[str]:
    """Yield one line per bound of the schedule that another bound always overrules."""
    low, high = policy.min_replicas, policy.max_replicas
    for number, entry in enumerate(policy.schedule):
        where = f"schedule[{number}]"
        floor, ceiling = entry.min_replicas, entry.max_replicas
        if floor is not None and floor > high:
            yield f"{where}.minReplicas: {floor} is above maxReplicas {high}, which caps it"
        if ceiling is not None and ceiling < low:
            yield f"{where}.maxReplicas: {ceiling} is below minReplicas {low}, which wins"
