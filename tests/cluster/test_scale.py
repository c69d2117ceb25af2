"""What the answer to a write means, and what follows from none."""

import json
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from kubernetes.client import ApiClient, Configuration

from autoscaler.cluster.kubernetes_cluster import KubernetesCluster
from autoscaler.cluster.objects import HPA, Rival
from autoscaler.cluster.resources import Kinds
from autoscaler.cluster.scale import Scaler, refusal
from autoscaler.decide.facts import TargetRef
from autoscaler.errors import ScaleConflictError, ScaleRefusedError, ScaleUnansweredError
from support.endurance import reachable_texts
from support.loopback import Handler, Loopback


@pytest.mark.parametrize(
    ("status", "means"),
    [
        (409, ScaleConflictError),
        (403, ScaleRefusedError),
        (404, ScaleRefusedError),
        (422, ScaleRefusedError),
        (429, ScaleRefusedError),
        (0, ScaleUnansweredError),
        (None, ScaleUnansweredError),
        (500, ScaleUnansweredError),
        (504, ScaleUnansweredError),
    ],
)
def test_what_a_status_means(status: int | None, means: type[ScaleRefusedError]) -> None:
    assert refusal(status) is means


CHECKOUT, CART = TargetRef("shop", "checkout"), TargetRef("shop", "cart")
CYCLE_SECONDS = 15.0


class Hanging(Loopback):
    """An API server whose writes of `checkout` take `seconds` and end with `status`."""

    def __init__(self) -> None:
        self.now, self.seconds, self.status = 0.0, 4.0, 504
        self.said = b"{}"
        self.asked: list[tuple[str, float]] = []
        hanging = self

        class Writes(Handler):
            def do_PATCH(self) -> None:
                name = self.path.split("/")[-2]
                self.body()
                hanging.asked.append((name, hanging.now // CYCLE_SECONDS))
                slow = name == "checkout"
                hanging.now += hanging.seconds if slow else 0.0
                self.answer(hanging.said, status=hanging.status if slow else 200)

        super().__init__(Writes)

    def cycles(self, *numbers: int) -> list[str]:
        """Write both targets once in each cycle; return what was said of the first."""
        api = ApiClient(Configuration(host=self.url))
        scaler, said = Scaler(api, Kinds(api), clock=lambda: self.now), []
        for number in numbers:
            self.now = max(self.now, number * CYCLE_SECONDS)
            try:
                scaler.patch_scale(CHECKOUT, 4, resource_version="1")
            except ScaleRefusedError as error:
                said.append(str(error))
            scaler.patch_scale(CART, 4, resource_version="1")
        api.close()
        return said

    def asked_of(self, name: str) -> list[float]:
        return [cycle for asked, cycle in self.asked if asked == name]


@pytest.fixture
def server() -> Iterator[Hanging]:
    with Hanging() as hanging:
        yield hanging


def test_a_target_whose_writes_hang_is_left_alone_for_longer_each_time(server: Hanging) -> None:
    said = server.cycles(*range(30))

    assert server.asked_of("checkout") == [0, 1, 6, 24]
    assert server.asked_of("cart") == list(range(30))
    assert set(said[2:6]) == {
        "shop/checkout: 2 writes in a row got no answer, so that none is sent for 64 s"
    }


@pytest.mark.parametrize(
    ("seconds", "status"),
    [
        pytest.param(4.0, 403, id="a refusal, however slow"),
        pytest.param(4.0, 200, id="an answer, however slow"),
        pytest.param(0.01, 500, id="no answer, but soon"),
    ],
)
def test_whoever_keeps_nobody_waiting_is_asked_in_every_cycle(
    server: Hanging, seconds: float, status: int
) -> None:
    server.seconds, server.status = seconds, status
    server.cycles(*range(30))

    assert server.asked_of("checkout") == list(range(30))


@pytest.mark.parametrize(
    ("made_of_it", "refused"),
    [
        pytest.param(4, False, id="as it was written"),
        pytest.param(2, True, id="set back"),
        pytest.param(3, True, id="capped"),
    ],
)
def test_a_number_that_an_admission_webhook_changes_was_not_written(
    server: Hanging, made_of_it: int, refused: bool
) -> None:
    server.status, server.said = 200, json.dumps({"spec": {"replicas": made_of_it}}).encode()
    api = ApiClient(Configuration(host=server.url))
    told = f"replicas is {made_of_it} after 4 was written: an admission webhook changes it"

    with pytest.raises(ScaleRefusedError, match=told) if refused else nullcontext():
        Scaler(api, Kinds(api)).patch_scale(CHECKOUT, 4, resource_version="1")
    api.close()


def test_a_workload_that_is_no_target_any_more_is_forgotten(server: Hanging) -> None:
    cluster = KubernetesCluster(ApiClient(Configuration(host=server.url)))
    with pytest.raises(ScaleUnansweredError):
        cluster.patch_scale(CHECKOUT, 4, resource_version="1")
    assert CHECKOUT.name in reachable_texts(cluster)

    cluster.workloads([CART])
    cluster.stop()

    assert CHECKOUT.name not in reachable_texts(cluster)


def test_a_floor_above_what_its_hpa_takes_by_now_is_decided_again_and_never_cut(
    server: Hanging,
) -> None:
    cluster = KubernetesCluster(ApiClient(Configuration(host=server.url)))
    claim = ("Deployment", CHECKOUT.name, "apps")
    cluster._store.put(Rival("shop", "by-hand", HPA, "1", *claim, max_replicas=8))

    with pytest.raises(ScaleConflictError, match="HorizontalPodAutoscaler shop/by-hand is 8 now"):
        cluster.patch_min_replicas(CHECKOUT, 9)
    cluster.stop()

    assert server.asked == []
