"""Which ready pods that are silent does nobody scrape: an idle one is silent as well."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from autoscaler.decide.facts import Doubt, Sample


def jobs_of(rows: Iterable[Any]) -> dict[str, set[str]]:
    """Return which jobs scrape each pod."""
    found: dict[str, set[str]] = {}
    for row in rows:
        labels = row["metric"]
        found.setdefault(labels.get("pod", ""), set()).add(labels.get("job", ""))
    return found


def missed(
    pods: Sequence[str], jobs: Collection[str], scraped_by: Mapping[str, set[str]]
) -> list[str]:
    """Return which silent pods none of a source's jobs scrapes: one may lack the proxy that counts.

    `scraped_by` is which jobs scrape each pod.
    Where it scrapes none of them here (the series came by federation) any job says they are seen.
    """
    seen = [pod for pod in pods if not scraped_by.get(pod, set()).isdisjoint(jobs)]
    return [pod for pod in pods if pod not in (seen or scraped_by)]


def unscraped(sample: Sample, pods: Sequence[str]) -> Sample:
    """Return a sample from which some pods are missing."""
    if not pods:
        return sample
    detail = f"{len(pods)} ready pods are not scraped, first {pods[0]}"
    return replace(sample, doubt=Doubt.PARTIAL, detail=detail)
