"""What the store makes of events in any order."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from autoscaler.cluster.objects import (
    LONGEST_FOUND_LEAD_TIME,
    Pod,
    PolicySource,
    ReplicaSet,
    Rival,
    Workload,
)
from autoscaler.cluster.parsing import policy_source
from autoscaler.cluster.store import Store
from autoscaler.decide.facts import PodFacts, TargetRef, WorkloadFacts
from support.endurance import reachable_texts

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TARGET = TargetRef("shop", "checkout")
WORKLOAD = Workload("shop", "checkout", TARGET, "d1", "7", 3, 3, 2, False, revision="2")
CURRENT = ReplicaSet("shop", "checkout-new", "rs2", "d1", "2", "new")
OLD = ReplicaSet("shop", "checkout-old", "rs1", "d1", "1", "old")
HPA = Rival("shop", "by-hand", "HorizontalPodAutoscaler", "1", "Deployment", "checkout", "apps")


def pod(name: str, *, owner: str = "rs2", template: str = "new", after: int | None = None) -> Pod:
    """Return a pod that became ready `after` seconds, or is not ready."""
    ready_since = None if after is None else NOW + timedelta(seconds=after)
    facts = PodFacts(name, created_at=NOW, ready=after is not None, template_hash=template)
    return Pod("shop", name, name, owner, facts, ready_since=ready_since)


@pytest.fixture
def store() -> Store:
    store = Store(clock=lambda: NOW)
    for seen in (WORKLOAD, CURRENT, OLD):
        store.put(seen)
    return store


def facts(store: Store) -> WorkloadFacts:
    return store.workloads([TARGET])[TARGET]


def seconds(store: Store) -> list[float]:
    return [lead.total_seconds() for lead in facts(store).lead_times]


def test_pods_that_came_before_their_replica_set_and_deployment_are_theirs() -> None:
    store = Store(clock=lambda: NOW)
    for seen in (pod("a"), pod("b"), CURRENT, WORKLOAD):
        store.put(seen)

    assert [p.name for p in facts(store).pods or ()] == ["a", "b"]
    assert facts(store).template_hash == "new"


def test_facts_are_the_same_object_until_something_of_theirs_changes(store: Store) -> None:
    before = facts(store)
    store.put(pod("elsewhere", owner="other"))
    assert facts(store) is before

    store.put(pod("a"))
    assert facts(store) is not before


def test_the_lead_time_is_that_of_the_first_time_ready(store: Store) -> None:
    store.put(pod("a"))
    store.put(pod("a", after=30))
    store.put(pod("a"))
    store.put(pod("a", after=4000))

    assert seconds(store) == [30]


def test_only_pods_of_the_current_template_count_newest_last(store: Store) -> None:
    store.put(pod("a", after=40))
    store.put(pod("b", after=30))
    store.put(pod("c", owner="rs1", template="old", after=99))

    assert seconds(store) == [30, 40]


def test_pods_that_are_gone_are_remembered(store: Store) -> None:
    store.put(pod("a", after=40))
    store.remove(pod("a", after=40))

    assert seconds(store) == [40]
    assert facts(store).pods == ()


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(pod("a", after=60), [60.0], id="believed"),
        pytest.param(
            pod("a", after=int(LONGEST_FOUND_LEAD_TIME.total_seconds()) + 1), [], id="too long"
        ),
        pytest.param(replace(pod("a", after=60), restarts=1), [], id="it restarted"),
    ],
)
def test_a_pod_that_was_ready_before_we_looked(
    store: Store, found: Pod, expected: list[float]
) -> None:
    store.put(replace(found, found=True))

    assert seconds(store) == expected


def test_a_slow_start_that_was_watched_is_believed(store: Store) -> None:
    store.put(pod("a"))
    store.put(pod("a", after=3600))

    assert seconds(store) == [3600]


def test_a_pod_whose_owner_let_go_is_no_longer_counted(store: Store) -> None:
    store.put(pod("a"))
    store.release("a")

    assert facts(store).pods == ()


def test_the_pods_of_a_replica_set_whose_owner_let_go_are_no_longer_counted(store: Store) -> None:
    store.put(pod("a"))
    store.put(pod("b", owner="rs1"))
    store.release("rs2")

    assert [p.name for p in facts(store).pods or ()] == ["b"]
    assert facts(store).template_hash == ""


@pytest.mark.parametrize("found", [False, True])
def test_a_pod_that_another_replica_set_adopted_is_no_longer_the_first_one_s(
    store: Store, found: bool
) -> None:
    store.put(pod("a"))
    store.put(replace(pod("a", owner="elsewhere"), found=found))
    assert not facts(store).pods

    store.remove(pod("a", owner="elsewhere"))
    assert not store._pods_of


def test_a_pod_that_came_again_under_its_name_while_nobody_watched_is_one_pod(
    store: Store,
) -> None:
    """As a StatefulSet's do: a list after the gap has the new one and tells of no deletion."""
    store.put(pod("web-0", after=30))
    again = replace(pod("web-0"), uid="another", found=True)
    store.put(again)

    assert [p.ready for p in facts(store).pods or ()] == [False]
    assert seconds(store) == [30]
    store.remove(pod("web-0"))  # the end of the first one, told late
    assert len(facts(store).pods or ()) == 1
    store.remove(again)
    assert facts(store).pods == ()


def test_a_pod_nobody_knows_of_is_let_go_without_a_word(store: Store) -> None:
    store.put(pod("a"))
    store.release("b")
    store.remove(pod("b"))

    assert [p.name for p in facts(store).pods or ()] == ["a"]


def test_an_hpa_is_a_rival_until_it_aims_elsewhere(store: Store) -> None:
    facts(store)
    store.put(HPA)
    assert facts(store).rival == "HorizontalPodAutoscaler shop/by-hand"

    store.put(replace(HPA, target_name="cart"))
    assert facts(store).rival is None


def test_the_status_of_an_hpa_is_no_news_to_its_target(store: Store) -> None:
    store.put(HPA)
    before = facts(store)
    store.put(replace(HPA, resource_version="2"))

    assert facts(store) is before


def test_how_far_the_floor_of_an_hpa_may_go_is_news_to_its_target(store: Store) -> None:
    facts(store)
    store.put(replace(HPA, max_replicas=8))
    assert facts(store).hpa_max_replicas == 8

    store.put(replace(HPA, max_replicas=30))
    assert facts(store).hpa_max_replicas == 30

    store.remove(HPA)
    assert facts(store).hpa_max_replicas is None


def test_the_most_that_a_scaled_object_says_is_no_hpa_s(store: Store) -> None:
    store.put(replace(HPA, kind="ScaledObject", max_replicas=8))

    assert facts(store).hpa_max_replicas is None


def test_keda_is_named_before_the_hpa_it_made(store: Store) -> None:
    store.put(HPA)
    store.put(replace(HPA, kind="ScaledObject", name="so"))

    assert facts(store).rival == "ScaledObject shop/so"


def test_a_replica_set_kept_for_roll_backs_is_forgotten(store: Store) -> None:
    store.put(replace(OLD, active=False))

    assert "rs1" not in reachable_texts(store)


def test_a_workload_that_sleeps_remembers_how_long_its_pods_take(store: Store) -> None:
    """At zero its ReplicaSet is as idle as those that are kept for roll-backs."""
    store.put(pod("a", after=40))
    store.remove(pod("a", after=40))
    store.put(replace(CURRENT, active=False))
    store.put(replace(WORKLOAD, spec_replicas=0, status_replicas=0, ready_replicas=0))

    assert (facts(store).template_hash, seconds(store)) == ("new", [40])


def test_of_a_rollout_s_idle_replica_sets_the_current_one_is_kept() -> None:
    """Its revision is in an annotation of its own; the status names the template's hash."""
    store = Store(clock=lambda: NOW)
    store.put(replace(WORKLOAD, revision="", template_hash="new"))
    for each in (OLD, CURRENT):
        store.put(replace(each, revision="", active=False))

    assert "rs2" in reachable_texts(store)
    assert "rs1" not in reachable_texts(store)


def test_what_the_pods_of_another_template_took_is_nothing_to_a_workload_that_sleeps(
    store: Store,
) -> None:
    store.put(pod("a", after=40))
    store.remove(pod("a", after=40))
    store.put(replace(CURRENT, active=False))
    store.put(replace(WORKLOAD, spec_replicas=0, revision="3"))

    assert seconds(store) == []


def test_a_deployment_created_again_is_not_removed_by_the_end_of_the_first(store: Store) -> None:
    store.put(replace(WORKLOAD, uid="d2", spec_replicas=9))
    store.remove(WORKLOAD)

    assert (facts(store).spec_replicas, facts(store).uid) == (9, "d2")


def test_a_deployment_created_again_while_nobody_watched_leaves_nothing_of_the_first(
    store: Store,
) -> None:
    store.put(pod("a", after=30))
    store.put(replace(WORKLOAD, uid="d2"))
    store.put(replace(CURRENT, uid="rs9", owner_uid="d2"))
    store.remove(pod("a"))

    assert facts(store).template_hash == "new"
    assert reachable_texts(store).isdisjoint({"d1", "rs1", "rs2"})


@pytest.mark.parametrize(
    "order", [("adopted", "again"), ("again", "adopted"), ("adopted", "deleted", "again")]
)
def test_a_replica_set_that_was_left_behind_is_the_next_deployment_s_in_any_order(
    store: Store, order: tuple[str, ...]
) -> None:
    tell: dict[str, Callable[[], None]] = {
        "adopted": lambda: store.put(replace(CURRENT, owner_uid="d2")),
        "again": lambda: store.put(replace(WORKLOAD, uid="d2")),
        "deleted": lambda: store.remove(WORKLOAD),
    }
    store.put(pod("a"))
    for event in order:
        tell[event]()

    assert facts(store).template_hash == "new"
    assert [p.name for p in facts(store).pods or ()] == ["a"]
    assert "d1" not in reachable_texts(store)


def test_a_replica_set_that_is_another_s_by_now_and_idle_leaves_the_first(store: Store) -> None:
    store.put(replace(CURRENT, owner_uid="d2", active=False))

    assert facts(store).template_hash == ""


def test_a_deleted_deployment_is_absent(store: Store) -> None:
    store.remove(WORKLOAD)

    assert store.workloads([TARGET]) == {}


def test_documents_are_in_order_and_the_same_while_nothing_changes(store: Store) -> None:
    store.put(PolicySource("shop", "b", {"y": "1", "x": "2"}))
    store.put(PolicySource("shop", "a", {"z": "3"}))
    documents = store.documents()

    assert [d.text for d in documents] == ["3", "2", "1"]
    assert store.documents() is documents


def test_a_document_is_as_old_as_its_config_map(store: Store) -> None:
    meta = {"namespace": "shop", "name": "a", "creationTimestamp": "2026-11-23T08:00:00Z"}
    store.put(policy_source({"metadata": meta, "data": {"x": "1", "y": "2"}}))

    assert [document.created_at for document in store.documents()] == [NOW, NOW]


def test_a_config_map_is_known_by_its_uid_and_its_documents_by_its_name(store: Store) -> None:
    meta = {"namespace": "shop", "name": "a", "uid": "u-1"}
    store.put(policy_source({"metadata": meta, "data": {"x": "1"}}))

    assert [document.config_map for document in store.documents()] == ["a"]
    assert store.uid(TargetRef("shop", "a", "ConfigMap", "v1")) == "u-1"
    assert store.uid(TargetRef("shop", "b", "ConfigMap", "v1")) == ""
    assert store.uid(TARGET) == WORKLOAD.uid


FOREIGN = [
    pytest.param(replace(pod("a", after=4000), namespace="bank", uid="x"), id="a pod of its name"),
    pytest.param(replace(pod("b", after=600), namespace="bank"), id="a pod of the ReplicaSet"),
    pytest.param(replace(pod("c", owner="d1", after=9), namespace="bank"), id="of the Deployment"),
    pytest.param(
        replace(CURRENT, namespace="bank", uid="rs9", template_hash="forged"), id="a ReplicaSet"
    ),
]


@pytest.mark.parametrize("foreign", FOREIGN)
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_who_names_an_owner_of_another_namespace_has_none(foreign: Pod, first: bool) -> None:
    ours = [WORKLOAD, CURRENT, pod("a", after=30)]
    store = Store(clock=lambda: NOW)
    for seen in [foreign, *ours] if first else [*ours, foreign]:
        store.put(seen)
    there = facts(store)
    store.remove(foreign)

    assert [p.name for p in there.pods or ()] == ["a"]
    assert (there.template_hash, seconds(store)) == ("new", [30])
    assert facts(store) == there
