"""Which policies were demoted, held, capped or contested, and for how long each."""

from collections.abc import Sequence
from typing import Any

from autoscaler.policy.quantity import seconds_text
from autoscaler.review.answer import Answer, times
from autoscaler.review.episodes import Episode


def which_policies(found: Sequence[Episode], state: str, *, n_policies: int) -> Answer:
    """Answer from the spans in which the state held, of `n_policies` that the log speaks of."""
    by_name: dict[str, list[Episode]] = {}
    for episode in found:
        by_name.setdefault(episode.who, []).append(episode)
    ranked = sorted(by_name.items(), key=lambda item: (-_total(item[1]), item[0]))
    width = max([32, *(len(name) for name, _ in ranked)])
    return Answer(
        _told(ranked, state, times(n_policies, "policy", "policies")),
        tuple(_row(name, own, width=width) for name, own in ranked),
        {"policies": [_policy_data(name, own) for name, own in ranked]},
    )


def _told(ranked: Sequence[tuple[str, list[Episode]]], state: str, policies: str) -> str:
    if not ranked:
        return f"None of {policies} was {state}."
    (name, own), still = ranked[0], sum(_ongoing(own) for _, own in ranked)
    were = "was" if len(ranked) == 1 else "were"
    return (
        f"{len(ranked)} of {policies} {were} {state}, {still} still at the end of the log; "
        f"the longest was {name}, for {seconds_text(_total(own))} in {times(len(own), 'span')}."
    )


def _row(name: str, own: Sequence[Episode], *, width: int) -> str:
    still = ", still" if _ongoing(own) else ""
    return f"{name:<{width}} {seconds_text(_total(own)):>12}  {times(len(own), 'span')}{still}"


def _policy_data(name: str, own: Sequence[Episode]) -> dict[str, Any]:
    return {
        "policy": name,
        "seconds": _total(own),
        "ongoing": _ongoing(own),
        "spans": [
            {
                "start": episode.start.isoformat(),
                "end": episode.end.isoformat(),
                "reasons": sorted(episode.reasons),
            }
            for episode in sorted(own, key=lambda e: e.start)
        ],
    }


def _total(own: Sequence[Episode]) -> float:
    return sum(episode.duration.total_seconds() for episode in own)


def _ongoing(own: Sequence[Episode]) -> bool:
    return any(episode.ongoing for episode in own)
