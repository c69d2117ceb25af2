"""What is asked of the API server on behalf of policies that name whatever they like."""

import json
import math
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace

import pytest
from kubernetes.client import ApiClient, Configuration

from autoscaler.cluster import kubernetes_cluster, parsing
from autoscaler.cluster.kubernetes_cluster import KubernetesCluster
from autoscaler.decide.facts import TargetRef
from autoscaler.errors import ScaleConflictError, ScaleRefusedError
from support.loopback import Handler, Loopback


class Discovery(Loopback):
    """Serves no kind at all, and counts who asks."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        discovery = self

        class Answers(Handler):
            def do_GET(self) -> None:
                discovery.asked.append(self.path)
                self.answer(json.dumps({"kind": "APIResourceList", "resources": []}).encode())

        super().__init__(Answers)


@pytest.fixture
def discovery() -> Iterator[Discovery]:
    with Discovery() as made:
        yield made


def named(n: int) -> list[TargetRef]:
    """Return a target of each of `n` kinds that nobody serves."""
    return [TargetRef("shop", "checkout", "Till", f"g{i}.example.com/v1") for i in range(n)]


def test_a_cycle_asks_for_a_few_unknown_kinds_and_the_next_one_for_others(
    discovery: Discovery,
) -> None:
    api = ApiClient(Configuration(host=discovery.url))
    cluster = KubernetesCluster(api)
    cluster.workloads([])  # asks for KEDA
    asked = [_asked_for(cluster, discovery, named(15)) for _ in range(3)]
    cluster.stop()

    assert [len(paths) for paths in asked] == [10, 5, 0]
    assert not asked[0] & asked[1]


def _asked_for(
    cluster: KubernetesCluster, discovery: Discovery, targets: list[TargetRef]
) -> set[str]:
    discovery.asked.clear()
    cluster.workloads(targets)
    return set(discovery.asked)


def test_kinds_that_are_named_no_more_are_forgotten(discovery: Discovery) -> None:
    api = ApiClient(Configuration(host=discovery.url))
    cluster = KubernetesCluster(api)
    for n in range(5):
        cluster.workloads([TargetRef("shop", "checkout", f"Till{n}", "example.com/v1")])
    kept = set(cluster._ask_again_at)
    cluster.stop()

    assert kept == {("example.com/v1", "Till4"), ("keda.sh/v1alpha1", "ScaledObject")}


class SlowListing:
    """A first list of five pages, of which one comes between two looks; or none ever."""

    def __init__(self, *, answers: bool) -> None:
        self.looks, self.answers = 0, answers

    @property
    def listed(self) -> bool:
        self.looks += 1
        return self.looks > 5 and self.answers

    @property
    def heard_at(self) -> float:
        return time.monotonic() if self.answers else -math.inf


@pytest.mark.parametrize("answers", [True, False])
def test_first_lists_are_waited_for_as_long_as_their_pages_come(
    discovery: Discovery, answers: bool
) -> None:
    cluster = KubernetesCluster(ApiClient(Configuration(host=discovery.url)))
    listing = SlowListing(answers=answers)
    cluster._informers = [SimpleNamespace(listing=listing)]  # type: ignore[list-item]

    assert cluster.wait_synced(timedelta(milliseconds=10)) is answers


class OneHpa(Loopback):
    """A Deployment and the HPA on it, which somebody wrote since the watch of HPAs died."""

    def __init__(self, *, found: bool = True) -> None:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}
        self.hpa = {
            "metadata": {"namespace": "shop", "name": "by-hand", "resourceVersion": "7"},
            "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 9},
        }
        stale = {**self.hpa["metadata"], "resourceVersion": "3"}
        self.seen = {**self.hpa, "metadata": stale}
        one = self

        class Answers(Handler):
            def do_GET(self) -> None:
                if "horizontalpodautoscalers?fieldSelector=metadata.name%3Dby-hand" in self.path:
                    answer = {"items": [one.hpa] if found else []}
                else:
                    assert self.path.endswith("/namespaces/shop/deployments/checkout")
                    names = {"namespace": "shop", "name": "checkout", "resourceVersion": "1"}
                    answer = {"metadata": {**names, "uid": "u"}, "spec": {"replicas": 2}}
                self.answer(json.dumps(answer).encode())

            def do_PATCH(self) -> None:
                sent = json.loads(self.body())
                fresh = sent["metadata"]["resourceVersion"] == "7"
                one.hpa["spec"] |= sent["spec"] if fresh else {}
                self.answer(json.dumps({}).encode(), status=200 if fresh else 409)

        super().__init__(Answers)


@pytest.mark.parametrize("found", [True, False], ids=["there", "gone"])
def test_a_conflict_on_an_hpa_whose_watch_is_dead_is_over_once_it_is_read_anew(found: bool) -> None:
    checkout = TargetRef("shop", "checkout")
    with OneHpa(found=found) as server:
        cluster = KubernetesCluster(ApiClient(Configuration(host=server.url)))
        cluster._store.put(parsing.horizontal_pod_autoscaler(server.seen))
        with pytest.raises(ScaleConflictError):
            cluster.patch_min_replicas(checkout, 5)
        fresh = cluster.reread(checkout)
        with nullcontext() if found else pytest.raises(ScaleConflictError):
            cluster.patch_min_replicas(checkout, 5)
        cluster.stop()

    assert (fresh.spec_replicas, fresh.hpa_max_replicas) == (2, 9)
    assert server.hpa["spec"]["minReplicas"] == (5 if found else 2)


def test_the_end_does_not_wait_for_a_watch_that_hangs(
    discovery: Discovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubernetes_cluster, "_STOP_SECONDS", 0.01)
    cluster = KubernetesCluster(ApiClient(Configuration(host=discovery.url)))
    over, ended = threading.Event(), threading.Event()
    hanging = SimpleNamespace(stop=lambda: over.wait(20) and ended.set())
    cluster._informers = [hanging]  # type: ignore[list-item]
    cluster.stop()

    assert not ended.is_set()
    over.set()


def test_who_is_about_to_end_writes_no_more(discovery: Discovery) -> None:
    cluster = KubernetesCluster(ApiClient(Configuration(host=discovery.url)))
    cluster.refuse_writes()

    with pytest.raises(ScaleRefusedError, match="this replica ends"):
        cluster.patch_scale(TargetRef("shop", "checkout"), 3, resource_version="1")
    cluster.stop()
    assert discovery.asked == []


def test_who_does_not_lead_is_refused_each_write_and_asks_nobody(discovery: Discovery) -> None:
    checkout = TargetRef("shop", "checkout")
    api = ApiClient(Configuration(host=discovery.url))
    cluster = KubernetesCluster(api, may_write=lambda target: target != checkout)

    with pytest.raises(ScaleRefusedError, match="not the leader"):
        cluster.patch_scale(checkout, 3, resource_version="1")
    with pytest.raises(ScaleRefusedError, match="not the leader"):
        cluster.patch_min_replicas(checkout, 3)
    cluster.stop()
    assert discovery.asked == []
