"""A page that answers 200 in the API server's place (a login, a proxy): nothing is read from it."""

from collections.abc import Iterator

import pytest
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException

from autoscaler.cluster.api import Request, answered
from autoscaler.cluster.events import EventRecorder, Happening
from autoscaler.cluster.kubernetes_cluster import KubernetesCluster
from autoscaler.cluster.lease import Leadership
from autoscaler.cluster.listing import Listing
from autoscaler.cluster.parsing import policy_source
from autoscaler.cluster.resources import Kinds
from autoscaler.cluster.scale import Scaler
from autoscaler.cluster.shards import Shards
from autoscaler.cluster.watched import Resource
from autoscaler.decide.facts import TargetRef
from autoscaler.errors import ScaleRefusedError, ScaleUnansweredError
from support.election import election
from support.load_series import NOW
from support.loopback import Handler, Loopback

LOGIN = b"<html><title>Sign in</title></html>"
CHECKOUT = TargetRef("shop", "checkout")
ROLLOUT = TargetRef("shop", "checkout", "Rollout", "argoproj.io/v1alpha1")


class Impostor(Loopback):
    """Answers every request with `status` and `body`, in the server's place."""

    def __init__(self) -> None:
        self.status, self.body = 200, LOGIN
        self.content_type = "text/html; charset=utf-8"
        self.asked: list[str] = []
        impostor = self

        class Answers(Handler):
            def _login(self) -> None:
                self.body()
                impostor.asked.append(self.command)
                self.answer(
                    impostor.body, status=impostor.status, content_type=impostor.content_type
                )

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _login

        super().__init__(Answers)
        configuration = Configuration(host=self.url)
        configuration.retries = False
        self.api = ApiClient(configuration)

    def stop(self) -> None:
        self.api.close()
        super().stop()


@pytest.fixture
def impostor() -> Iterator[Impostor]:
    with Impostor() as made:
        yield made


@pytest.mark.parametrize("body", [LOGIN, b"", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_no_answer(impostor: Impostor, body: bytes) -> None:
    impostor.body = body

    with pytest.raises(ApiException, match="not an API server's answer") as raised:
        answered(impostor.api, Request("GET", "/apis"))

    assert raised.value.status == 0
    assert len(raised.value.reason) < 300


@pytest.mark.parametrize("body", [LOGIN, b"{}", b'{"kind": "Status", "status": "Success"}'])
def test_what_is_no_list_is_asked_again_and_deletes_nothing(
    impostor: Impostor, body: bytes
) -> None:
    impostor.body = body
    listing = Listing(impostor.api, Resource("/api/v1/configmaps", policy_source))

    with pytest.raises(ApiException):
        listing._list()

    assert not listing.listed


def test_a_page_is_no_watch(impostor: Impostor) -> None:
    listing = Listing(impostor.api, Resource("/api/v1/configmaps", policy_source))

    with pytest.raises(ApiException):
        listing._watch("7")


def test_a_write_may_have_arrived(impostor: Impostor) -> None:
    scaler = Scaler(impostor.api, Kinds(impostor.api))

    with pytest.raises(ScaleUnansweredError, match="Sign in"):
        scaler.patch_scale(CHECKOUT, 4, resource_version="1")


@pytest.mark.parametrize("body", [LOGIN, b"{}", b'{"metadata": {"name": "checkout"}}'])
def test_a_workload_that_cannot_be_read_after_a_conflict_is_refused(
    impostor: Impostor, body: bytes
) -> None:
    impostor.body = body
    cluster = KubernetesCluster(impostor.api)

    with pytest.raises(ScaleRefusedError, match="shop/checkout"):
        cluster.reread(CHECKOUT)


@pytest.mark.parametrize(
    "body", [LOGIN, b"{}", b'{"resources": null}', b'{"resources": [7, {"name": "x"}]}']
)
def test_a_kind_that_cannot_be_looked_up_is_its_own_affair(impostor: Impostor, body: bytes) -> None:
    impostor.body = body
    kinds = Kinds(impostor.api)

    with pytest.raises(ScaleRefusedError):
        kinds.of(ROLLOUT)

    assert not kinds.served("keda.sh/v1alpha1", "ScaledObject")


@pytest.mark.parametrize("body", [LOGIN, b"{}", b'{"metadata": {}}'])
def test_nobody_leads_by_its_word(impostor: Impostor, body: bytes) -> None:
    impostor.body, impostor.content_type = body, "application/json"
    leadership = Leadership(impostor.api, namespace="system", identity="a")

    assert not election(leadership).try_acquire_or_renew()
    assert not leadership.leads()
    leadership.stop()


@pytest.mark.parametrize("body", [LOGIN, b"{}", b'{"items": [{}]}', b'{"metadata": null}'])
def test_nobody_holds_shards_by_its_word_and_the_next_turn_comes(
    impostor: Impostor, body: bytes
) -> None:
    impostor.body = body
    shards = Shards(impostor.api, namespace="system", identity="a", n_shards=4)

    for _ in range(2):
        shards._tried("leases", shards.turn)

    assert shards.held() == frozenset()
    shards.stop()


@pytest.mark.parametrize("error", [ConfigException("Token file exists but empty."), OSError(5, "")])
def test_a_token_that_cannot_be_read_ends_no_thread(impostor: Impostor, error: Exception) -> None:
    def unreadable(_: object) -> None:
        raise error

    impostor.api.configuration.api_key["BearerToken"] = "bearer of yesterday"
    impostor.api.configuration.refresh_api_key_hook = unreadable
    leadership = Leadership(impostor.api, namespace="system", identity="a")
    shards = Shards(impostor.api, namespace="system", identity="a", n_shards=4)

    with pytest.raises(ApiException, match="no credentials"):
        answered(impostor.api, Request("GET", "/apis"))
    assert not election(leadership).try_acquire_or_renew()
    assert leadership.held_back().startswith("standby: no Lease, get fails: no answer")
    shards._tried("leases", shards.turn)
    leadership.stop()
    shards.stop()


def test_an_event_that_could_not_be_counted_is_posted_anew(impostor: Impostor) -> None:
    recorder = EventRecorder(impostor.api)
    happening = Happening(CHECKOUT, "uid", "SuccessfulRescale", "New size: 4", NOW)
    impostor.body = b"{}"
    recorder._posting(happening)
    recorder._posting(happening)
    impostor.status = 404  # somebody deleted it
    recorder._posting(happening)
    impostor.status = 200
    recorder._posting(happening)

    assert impostor.asked == ["POST", "PATCH", "PATCH", "POST"]
