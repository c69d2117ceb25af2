"""Which shard is a workload's, and which member should hold a shard: hashes, no state.

Rendezvous hashing: everybody who sees the same members names the same holder, and a member that
comes or goes moves only its own shards.

References
----------
Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998.
"""

from collections.abc import Collection
from hashlib import blake2b

from autoscaler.decide.facts import TargetRef


def shard_of(target: TargetRef, *, n_shards: int) -> int:
    """Return the shard of a workload, the same in every process and version."""
    return _hash(f"{target.api_version}/{target.kind}/{target}") % n_shards


def holder_of(shard: int, members: Collection[str]) -> str | None:
    """Return which member should hold the shard; None when there is no member."""
    return max(members, key=lambda member: (_hash(f"{shard}/{member}"), member), default=None)


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
