"""The source of an informer against a server that misbehaves, over a real socket."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException

from autoscaler.cluster import listing as listing_module
from autoscaler.cluster.informers import Informer
from autoscaler.cluster.listing import GONE, Items, Listing, WatchStream
from autoscaler.cluster.objects import Pod
from autoscaler.cluster.parsing import policy_source
from autoscaler.cluster.store import Store
from autoscaler.cluster.watched import Resource
from autoscaler.decide.facts import PodFacts
from support.loopback import Handler, Loopback
from support.processes import wait_until

SILENCE = b"headers, and then nothing"
Answer = tuple[int, dict[str, Any] | bytes]


class Scripted(Loopback):
    """A server that gives prepared answers in turn, and keeps what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.asked: list[dict[str, list[str]]] = []
        self._answers = list(answers)
        self.headers: dict[str, str] = {}
        self.over = threading.Event()
        scripted = self

        class Answers(Handler):
            def do_GET(self) -> None:
                scripted.asked.append(parse_qs(urlsplit(self.path).query))
                status, body = scripted._answers.pop(0)
                if body == SILENCE:
                    self.send_response(status)
                    self.end_headers()
                    scripted.over.wait(30)
                    return
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.answer(content, status=status, headers=scripted.headers)

        super().__init__(Answers)

    def stop(self) -> None:
        """End, whoever is still being kept waiting."""
        self.over.set()
        super().stop()


@pytest.fixture
def serve() -> Iterator[Any]:
    """Make a listing of ConfigMaps from prepared answers."""
    with ExitStack() as open_ones:

        def make(*answers: Answer) -> tuple[Scripted, Listing]:
            server = open_ones.enter_context(Scripted(*answers))
            settings = Configuration(host=server.url)
            settings.retries = False  # as `connect` has it
            api = open_ones.enter_context(ApiClient(settings))
            resource = Resource("/api/v1/configmaps", policy_source, "autoscaler/policies=true")
            return server, Listing(api, resource)

        yield make


def config_map(name: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": name, "uid": name}, "data": {"a": "b"}}


def page(*names: str, token: str = "", version: str = "7") -> Answer:
    metadata = {"resourceVersion": version, "continue": token}
    return 200, {"metadata": metadata, "items": [config_map(name) for name in names]}


def test_pages_are_put_together_and_trimmed(serve: Any) -> None:
    server, listing = serve(page("a", "b", token="next"), page("c"))

    listed = listing()

    assert isinstance(listed, Items)
    assert [source.name for source in listed.items] == ["a", "b", "c"]
    assert listed.metadata.resource_version == "7"
    assert [asked.get("continue") for asked in server.asked] == [None, ["next"]]


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param((403, {"message": "forbidden"}), id="forbidden"),
        pytest.param((500, b"<html>proxy</html>"), id="a proxy's page"),
        pytest.param((429, b""), id="too many requests"),
        pytest.param((410, {"message": "continue expired"}), id="continuation expired"),
    ],
)
def test_a_list_that_fails_is_tried_again_from_the_start(serve: Any, failure: Answer) -> None:
    server, listing = serve(page("a", token="next"), failure, page("a"), page("never asked"))

    listed = listing()

    assert [source.name for source in listed.items] == ["a"]
    assert "continue" not in server.asked[-1]


def test_each_page_of_a_list_is_heard_and_a_refusal_is_not(serve: Any) -> None:
    _, listing = serve((403, {"message": "forbidden"}), page("a", token="next"), page("b"))
    began = listing.heard_at
    with pytest.raises(ApiException):
        listing._list()
    assert listing.heard_at == began

    listing()
    assert listing.heard_at > began


def test_a_watch_asks_for_bookmarks_from_where_the_list_ended(serve: Any) -> None:
    server, listing = serve((200, b'{"type":"ADDED"}\n'))

    stream = listing(watch=True, resource_version="7")
    lines = b"".join(stream.stream(amt=None, decode_content=False))
    stream.close()

    assert isinstance(stream, WatchStream)
    assert lines == b'{"type":"ADDED"}\n'
    assert server.asked[0]["resourceVersion"] == ["7"]
    assert server.asked[0]["allowWatchBookmarks"] == ["true"]
    assert server.asked[0]["labelSelector"] == ["autoscaler/policies=true"]
    assert listing.listed


def test_a_version_that_is_gone_is_told_to_the_informer(serve: Any) -> None:
    _, listing = serve((GONE, {"message": "too old"}))

    with pytest.raises(ApiException) as raised:
        listing(watch=True, resource_version="7")

    assert raised.value.status == GONE


def test_a_watch_that_hears_not_even_a_bookmark_lists_anew(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A server that was restored from a backup is silent about versions that it has yet to reach.
    monkeypatch.setattr(listing_module, "_SILENCE_SECONDS", 0.1)
    server, listing = serve((200, SILENCE))
    stream = listing(watch=True, resource_version="700")
    heard = list(stream.stream(amt=None, decode_content=False))

    with pytest.raises(ApiException) as raised:
        listing(watch=True, resource_version="700")
    assert heard == []
    assert raised.value.status == GONE
    assert len(server.asked) == 1


class Unhurried(threading.Event):
    """An event that nobody waits for, and how long somebody would have."""

    def __init__(self, *, meanwhile: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._meanwhile = meanwhile

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        self._meanwhile()
        return self.is_set()


def test_a_watch_that_is_refused_again_and_again_lists_anew(serve: Any) -> None:
    refusal = (504, {"message": "Too large resource version"})
    server, listing = serve(*[refusal] * 20)
    listing._stopping = Unhurried()

    with pytest.raises(ApiException) as raised:
        listing(watch=True, resource_version="700")
    assert raised.value.status == GONE
    assert len(server.asked) == 5


def test_a_watch_that_is_ended_by_an_error_again_and_again_lists_anew(
    serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    status = {"code": 500, "reason": "InternalError", "message": "unable to transform key"}
    ended = json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"
    server, listing = serve(*[(200, ended)] * 20)
    listing._stopping = Unhurried()

    with pytest.raises(ApiException) as raised:  # noqa: PT012 - as the informer, again and again
        while True:
            list(listing(watch=True, resource_version="7").stream(amt=None, decode_content=False))
    assert raised.value.status == GONE
    assert len(server.asked) == 5
    [told] = [r.fields["error"] for r in caplog.records if r.levelname == "WARNING"]
    assert "unable to transform key" in told


def test_one_error_in_the_middle_of_a_watch_is_followed_by_the_next_watch(serve: Any) -> None:
    bad, good = b'{"type":"ERROR","object":{}}\n', b'{"type":"BOOKMARK","object":{}}\n'
    server, listing = serve(*[(200, bad), (200, good)] * 6)
    listing._stopping = Unhurried()
    for _ in range(12):
        list(listing(watch=True, resource_version="7").stream(amt=None, decode_content=False))

    assert all("watch" in asked for asked in server.asked)


def test_a_server_that_is_busy_is_asked_for_no_list_instead_of_a_watch(serve: Any) -> None:
    busy = (429, {"message": "too many requests, please try again later"})
    server, listing = serve(*[busy] * 19, (200, b""))
    listing._stopping = Unhurried()

    listing(watch=True, resource_version="7").close()

    assert len(server.asked) == 20
    assert all("watch" in asked for asked in server.asked)


def test_a_watch_that_is_told_for_minutes_that_the_server_is_busy_lists_anew(serve: Any) -> None:
    server, listing = serve(*[(429, {"message": "busy"})] * 30)
    listing._stopping = unhurried = Unhurried()

    with pytest.raises(ApiException) as raised:
        listing(watch=True, resource_version="7")
    assert raised.value.status == GONE
    assert len(server.asked) == 20
    pauses = [wait for wait in unhurried.waits if wait > 1.0]
    assert 180.0 < sum(pauses) < 600.0
    assert min(pauses[-10:]) >= 15.0


def test_a_server_that_is_busy_for_lists_too_is_asked_for_them_as_rarely(serve: Any) -> None:
    busy = (429, {"message": "busy"})
    server, listing = serve(*[busy] * 25, page("a"))
    listing._stopping = unhurried = Unhurried()
    with pytest.raises(ApiException):
        listing(watch=True, resource_version="7")
    before = len(unhurried.waits)

    listed = listing()

    assert [source.name for source in listed.items] == ["a"]
    assert ["watch" in asked for asked in server.asked] == [True] * 20 + [False] * 6
    assert min(unhurried.waits[before:]) >= 15.0


def test_what_changed_while_every_watch_was_told_to_wait_is_seen_by_a_list(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing_module, "_FIRST_PAUSE_SECONDS", 0.0)
    busy = (429, {"message": "busy"})
    again = (page("a", "d", version="20"), (200, SILENCE))
    server, listing = serve(page("a", "b"), *[busy] * 20, *again)
    store = Store()
    informer = Informer(listing._api, listing._resource, store)
    monkeypatch.setattr(informer.listing, "_pause_if_hasty", lambda: None)
    informer.start()

    wait_until(lambda: len(server.asked) == 23, within=30, what="a watch from the new list on")
    server.over.set()
    informer.stop()

    versions = [asked.get("resourceVersion") for asked in server.asked]
    assert versions == [None, *[["7"]] * 20, None, ["20"]]
    sources = [document.source for document in store.documents()]
    assert sources == [f"ConfigMap shop/{name} key a" for name in ("a", "d")]


@pytest.mark.parametrize(
    ("said", "least"),
    [
        pytest.param("7", 7.0, id="seconds"),
        pytest.param("3600", 30.0, id="no longer than anybody is waited for"),
        pytest.param("Fri, 27 Nov 2026 10:00:00 GMT", 0.0, id="a date, as no API server says it"),
        pytest.param("-1", 0.0, id="nonsense"),
    ],
)
@pytest.mark.parametrize("watch", [False, True], ids=["list", "watch"])
def test_who_says_when_to_come_again_is_left_alone_until_then(
    serve: Any, said: str, least: float, watch: bool
) -> None:
    server, listing = serve((429, {"message": "busy"}), page("a"))
    server.headers = {"Retry-After": said}
    listing._stopping = Unhurried()

    listing(watch=watch, resource_version="7")

    assert least <= max(listing._stopping.waits) <= max(least, 1.0)


def test_a_watch_that_goes_on_failing_is_told_again_every_ten_minutes(
    serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    _, listing = serve(*[(403, {"message": "forbidden"})] * 41, page("a"))
    listing._stopping = Unhurried()
    listing()

    told = [(r.levelname, r.__dict__["fields"]["failures"]) for r in caplog.records]
    assert told == [("WARNING", 1), ("WARNING", 21), ("WARNING", 41)]


@pytest.mark.parametrize(
    ("status", "out_of_sight"),
    [
        pytest.param(403, True, id="a permission is gone"),
        pytest.param(404, False, id="the kind is gone: KEDA was removed"),
    ],
)
def test_a_kind_is_out_of_sight_from_a_failure_until_it_is_watched_again(
    serve: Any, status: int, out_of_sight: bool
) -> None:
    _, listing = serve(page("a"), (status, {}), (200, b""))
    seen: list[bool] = []
    listing._stopping = Unhurried(meanwhile=lambda: seen.append(listing.out_of_sight))
    listing()
    stream = listing(watch=True, resource_version="7")
    seen.append(listing.out_of_sight)
    stream.close()

    before, after_a_refusal, *_, watched_again = seen
    assert [before, after_a_refusal, watched_again] == [False, out_of_sight, False]


@pytest.mark.parametrize("n_failures", [10, 1100, 100_000])
def test_an_outage_of_hours_is_waited_for_as_one_of_minutes(serve: Any, n_failures: int) -> None:
    _, listing = serve((500, {}), page("a"))
    listing._stopping = unhurried = Unhurried()
    listing._failures = n_failures
    listing()

    assert 15.0 <= max(unhurried.waits) <= 30.0
    assert listing._failures == 0


def test_a_version_that_is_gone_in_the_middle_of_a_watch_is_listed_anew(serve: Any) -> None:
    def event(kind: str, body: dict[str, Any]) -> bytes:
        return json.dumps({"type": kind, "object": body}).encode() + b"\n"

    gone = event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "old"})
    came = config_map("c")
    came["metadata"]["resourceVersion"] = "8"
    server, listing = serve(
        page("a", "b"),
        (200, event("ADDED", came) + gone),
        (200, gone),
        page("a", "d", version="20"),
        (200, SILENCE),
    )
    store = Store()
    informer = Informer(listing._api, listing._resource, store)
    informer.start()

    wait_until(lambda: len(server.asked) == 5, within=30, what="a watch from the new list on")
    server.over.set()
    informer.stop()

    assert [asked.get("resourceVersion") for asked in server.asked] == [
        *(None, ["7"], ["8"]),
        *(None, ["20"]),
    ]
    sources = [document.source for document in store.documents()]
    assert sources == [f"ConfigMap shop/{name} key a" for name in ("a", "d")]


class Kept(Store):
    """A store that also tells what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.pods: list[Pod] = []

    def put(self, seen: Any) -> None:
        self.pods.append(seen)


def a_pod(raw: dict[str, Any]) -> Pod:
    name = raw["metadata"]["name"]
    return Pod("shop", name, name, "checkout", PodFacts(name, datetime(2026, 11, 27, tzinfo=UTC)))


def test_a_pod_that_a_list_brought_was_there_before_and_one_of_the_watch_came(serve: Any) -> None:
    came = json.dumps({"type": "ADDED", "object": config_map("b")}).encode() + b"\n"
    server, listing = serve(page("a"), (200, came), (200, SILENCE))
    store = Kept()
    pods = Resource(listing._resource.path, a_pod)
    informer = Informer(listing._api, pods, store)
    informer.start()

    wait_until(lambda: len(store.pods) == 2, within=30, what="both pods")
    server.over.set()
    informer.stop()

    assert [(pod.name, pod.found) for pod in store.pods] == [("a", True), ("b", False)]


def test_after_stop_nothing_is_asked(serve: Any) -> None:
    server, listing = serve(page("a"))
    listing.stop()

    with pytest.raises(ApiException, match="stopped"):
        listing(watch=True, resource_version="7")

    assert listing() == Items([], listing().metadata)
    assert server.asked == []


def test_who_is_told_to_stop_in_the_middle_of_a_list_asks_for_no_more_pages(serve: Any) -> None:
    server, listing = serve(page("a", token="next"), page("b"))

    def stopped(_: Any) -> None:
        listing.stop()

    listing._resource = Resource("/api/v1/configmaps", stopped)

    assert listing().items == []
    assert len(server.asked) == 1
