from collections import Counter

from autoscaler.cluster.rendezvous import holder_of, shard_of
from autoscaler.decide.facts import TargetRef

MEMBERS = ("autoscaler-a", "autoscaler-b", "autoscaler-c")


def test_everybody_names_the_same_holder_whatever_the_order():
    holders = [holder_of(shard, MEMBERS) for shard in range(32)]

    assert holders == [holder_of(shard, MEMBERS[::-1]) for shard in range(32)]


def test_without_members_nobody_holds():
    assert holder_of(3, ()) is None


def test_a_member_that_goes_moves_only_its_own_shards():
    before = {shard: holder_of(shard, MEMBERS) for shard in range(64)}
    after = {shard: holder_of(shard, MEMBERS[:2]) for shard in range(64)}

    moved = {shard for shard in before if before[shard] != after[shard]}
    assert moved == {shard for shard, holder in before.items() if holder == MEMBERS[2]}


def test_every_member_gets_a_share():
    shares = Counter(holder_of(shard, MEMBERS) for shard in range(64))

    assert set(shares) == set(MEMBERS)
    assert min(shares.values()) >= 10


def test_workloads_spread_over_all_shards():
    shards = Counter(shard_of(TargetRef("shop", f"service-{i}"), n_shards=16) for i in range(1000))

    assert set(shards) == set(range(16))
    assert max(shards.values()) < 2 * min(shards.values())


def test_the_shard_of_a_workload_never_changes():
    assert shard_of(TargetRef("shop", "checkout"), n_shards=16) == 14
