"""Every permission that `deploy/` grants is needed: each one removed breaks something, visibly.

What KEDA's permission is for is shown in `test_custom_kinds_real.py`, the annotation's in
`test_annotation_real.py`.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from autoscaler.cluster.api import Connection, connect
from autoscaler.cluster.kubernetes_cluster import KubernetesCluster
from autoscaler.cluster.lease import Leadership
from autoscaler.decide.facts import TargetRef
from autoscaler.errors import ScaleRefusedError
from support.accounts import DEPLOY, Rule, account_with
from support.control_plane import ControlPlane
from support.workloads import Namespace, deployment

Eventually = Callable[..., None]


def rules_in(file: Path) -> list[Rule]:
    documents = yaml.safe_load_all(file.read_text())
    return next(d["rules"] for d in documents if "rules" in d)


GRANTED = [
    *rules_in(DEPLOY / "rbac" / "read" / "role.yaml"),
    *rules_in(DEPLOY / "rbac" / "scale" / "role.yaml"),
    *rules_in(DEPLOY / "rbac" / "lease" / "role.yaml"),
]
PERMISSIONS = [
    pytest.param(resource, verb, id=f"{verb} {resource}")
    for rule in GRANTED
    for resource in rule["resources"]
    for verb in rule["verbs"]
    if resource != "scaledobjects"
]

WATCHED = [permission for permission in PERMISSIONS if permission.values[1] in ("list", "watch")]
REFUSED_LEASE = {
    "create": "Failed to create",
    "get": "Error retrieving",
    "update": "Failed to update",
}


def without(resource: str, verb: str) -> list[Rule]:
    """Return what is granted, less one verb on one resource."""
    return [
        rule | {"verbs": [v for v in rule["verbs"] if v != verb]}
        if resource in rule["resources"]
        else rule
        for rule in GRANTED
        if not (resource in rule["resources"] and rule["verbs"] == [verb])
    ]


@pytest.fixture
def connected(
    plane: ControlPlane, namespace: Namespace
) -> Iterator[Callable[[list[Rule]], Connection]]:
    """Connect as an account that is granted exactly some rules."""
    made: list[Connection] = []

    def make(rules: list[Rule]) -> Connection:
        connection = connect(account_with(plane, namespace.name, rules=rules))
        made.append(connection)
        return connection

    yield make
    for connection in made:
        connection.close()


def said(caplog: pytest.LogCaptureFixture, event: str, part: str) -> bool:
    """Return whether an event was logged whose fields mention 403 and `part`."""
    fields = [str(r.__dict__.get("fields")) for r in caplog.records if r.msg == event]
    return any("403" in text and part in text for text in fields)


@pytest.mark.parametrize(
    ("resource", "verb"), [p for p in PERMISSIONS if p.values[1] in ("list", "watch")]
)
def test_without_it_the_watch_says_what_it_may_not_see(
    connected: Callable[[list[Rule]], Connection],
    namespace: Namespace,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
    resource: str,
    verb: str,
) -> None:
    cluster = KubernetesCluster(connected(without(resource, verb)).client, namespace=namespace.name)
    with caplog.at_level(logging.WARNING, logger="autoscaler.cluster"):
        cluster.start()
        eventually(lambda: said(caplog, "watch_failed", f"/{resource}'"), within=20, what="said")
    cluster.stop()


def test_without_get_a_conflict_cannot_be_decided_again(
    connected: Callable[[list[Rule]], Connection], namespace: Namespace
) -> None:
    namespace.apply(deployment("checkout"))
    cluster = KubernetesCluster(connected(without("deployments", "get")).client)

    with pytest.raises(ScaleRefusedError, match=r'403 .*cannot get resource "deployments"'):
        cluster.reread(TargetRef(namespace.name, "checkout"))


def test_without_patch_nothing_is_scaled(
    connected: Callable[[list[Rule]], Connection], namespace: Namespace
) -> None:
    namespace.apply(deployment("checkout"))
    cluster = KubernetesCluster(connected(without("deployments/scale", "patch")).client)

    with pytest.raises(ScaleRefusedError, match=r'403 .*cannot patch resource "deployments/scale"'):
        cluster.patch_scale(TargetRef(namespace.name, "checkout"), 3, resource_version="1")


@pytest.mark.parametrize("verb", ["create", "patch"])
def test_without_it_events_are_lost_or_not_counted(
    connected: Callable[[list[Rule]], Connection],
    namespace: Namespace,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
    verb: str,
) -> None:
    cluster = KubernetesCluster(connected(without("events", verb)).client, namespace=namespace.name)
    cluster.start()
    target = TargetRef(namespace.name, "checkout")
    with caplog.at_level(logging.WARNING, logger="autoscaler.cluster"):
        for _ in range(2):
            cluster.record_event(target, reason="SuccessfulRescale", message="New size: 4")
        eventually(lambda: said(caplog, "event_lost", f"cannot {verb}"), within=30, what="said")
    cluster.stop()


@pytest.mark.parametrize("verb", ["create", "get", "update"])
def test_without_it_nobody_leads(
    connected: Callable[[list[Rule]], Connection],
    namespace: Namespace,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
    verb: str,
) -> None:
    api = connected(without("leases", verb)).client
    leadership = Leadership(api, namespace=namespace.name, identity="a")
    with caplog.at_level(logging.INFO, logger="leaderelection"):
        leadership.start()
        # A new lease is created at once; whether it can be renewed shows two seconds later.
        refused = {
            "create": "Failed to create",
            "get": "Error retrieving",
            "update": "Failed to update",
        }
        eventually(lambda: refused[verb] in caplog.text, within=30, what="refused")
    assert verb == "update" or not leadership.leads()
    leadership.stop()


def test_with_all_of_them_everything_works(
    connected: Callable[[list[Rule]], Connection],
    namespace: Namespace,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
) -> None:
    namespace.apply(deployment("checkout"))
    target = TargetRef(namespace.name, "checkout")
    api = connected(GRANTED).client
    leadership = Leadership(api, namespace=namespace.name, identity="a")
    leadership.start()
    cluster = KubernetesCluster(
        api, namespace=namespace.name, may_write=lambda _: leadership.leads()
    )
    cluster.start()
    eventually(leadership.leads, within=30, what="leading")
    assert cluster.wait_synced(timedelta(seconds=20))
    # Until its controller is done it writes the Deployment as well: a conflict, and rightly.
    eventually(
        lambda: cluster.workloads([target])[target].status_replicas == 1, within=20, what="a pod"
    )

    cluster.patch_scale(target, 3, resource_version=cluster.reread(target).resource_version)
    cluster.record_event(target, reason="SuccessfulRescale", message="New size: 3")

    eventually(lambda: bool(namespace.events("SuccessfulRescale")), within=30, what="the Event")
    assert namespace.replicas("checkout") == 3
    leadership.stop()
    cluster.stop()
    assert not [
        r
        for r in caplog.records
        if r.name.startswith("autoscaler.cluster") and r.levelno >= logging.WARNING
    ]
