"""Who keeps setting the floor of an HPA that we set is named, and left alone."""

from contextlib import nullcontext
from datetime import timedelta

import pytest
from kubernetes.client import ApiClient, Configuration

from autoscaler.cluster.floors import Floors
from autoscaler.cluster.kubernetes_cluster import KubernetesCluster
from autoscaler.cluster.objects import HPA, Rival
from autoscaler.decide.facts import TargetRef
from autoscaler.errors import ScaleRefusedError
from support.load_series import NOW
from support.loopback import Handler, Loopback

CHECKOUT = TargetRef("shop", "checkout")


def hpa(floor: int, version: str, *, manager: str = "argocd-controller") -> Rival:
    claim = ("Deployment", CHECKOUT.name, "apps")
    return Rival("shop", "by-hand", HPA, version, *claim, floor, 40, floor_manager=manager)


def ours(floor: int, version: str) -> Rival:
    return hpa(floor, version, manager="predictive-autoscaler")


@pytest.mark.parametrize(
    ("seen", "contested"),
    [
        pytest.param([], False, id="nobody"),
        pytest.param([hpa(2, "8")], False, id="once is their good right"),
        pytest.param([hpa(2, "8"), hpa(2, "10")], True, id="twice is a fight"),
        pytest.param([hpa(2, "7"), hpa(2, "7")], False, id="a watch that is late"),
        pytest.param([hpa(6, "8"), hpa(6, "10")], False, id="somebody else's other fields"),
        pytest.param([ours(9, "8"), ours(4, "10")], False, id="other replicas of ours"),
    ],
)
def test_a_floor_that_is_overwritten_again_and_again_is_left_alone(
    seen: list[Rival], contested: bool
) -> None:
    floors = Floors(clock=lambda: NOW)
    floors.wrote(CHECKOUT, 6, over_version="7")
    for each in seen[:-1]:
        floors.check(CHECKOUT, each)
        floors.wrote(CHECKOUT, 6, over_version=each.resource_version)

    told = "HorizontalPodAutoscaler shop/by-hand is overwritten by argocd-controller, .* for 5m"
    with pytest.raises(ScaleRefusedError, match=told) if contested else nullcontext():
        floors.check(CHECKOUT, seen[-1] if seen else hpa(2, "1"))


def test_after_the_back_off_it_is_set_again_and_one_that_is_governed_no_more_is_forgotten() -> None:
    now = NOW
    floors = Floors(clock=lambda: now)
    for version in ("8", "10"):
        floors.wrote(CHECKOUT, 6, over_version="7")
        with nullcontext() if version == "8" else pytest.raises(ScaleRefusedError):
            floors.check(CHECKOUT, hpa(2, version))
    with pytest.raises(ScaleRefusedError):
        floors.check(CHECKOUT, hpa(2, "10"))

    now += timedelta(minutes=5)
    floors.check(CHECKOUT, hpa(2, "10"))
    now -= timedelta(minutes=5)
    floors.retain([])
    floors.check(CHECKOUT, hpa(2, "10"))


def test_an_hpa_in_git_is_not_written_every_fifteen_seconds() -> None:
    written: list[str] = []

    class Writes(Handler):
        def do_PATCH(self) -> None:
            written.append(self.body().decode())
            self.answer(b"{}")

    with Loopback(Writes) as server:
        cluster = KubernetesCluster(ApiClient(Configuration(host=server.url)))
        for version in range(1, 20, 2):
            cluster._store.put(hpa(2, str(version)))
            with nullcontext() if version <= 3 else pytest.raises(ScaleRefusedError):
                cluster.patch_min_replicas(CHECKOUT, 6)
        cluster.stop()

    assert len(written) == 2
