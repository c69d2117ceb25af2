"""What an Event says."""

import logging

import pytest

from autoscaler.cluster.events import LONGEST_NOTE, EventRecorder, Happening, event_body
from autoscaler.decide.facts import TargetRef
from support.lease_server import LeaseServer
from support.load_series import NOW


def test_an_event_on_a_config_map_warns_and_says_that_it_was_read() -> None:
    target = TargetRef("shop", "policies", "ConfigMap", "v1")
    happening = Happening(target, "uid", "PolicyRefused", "no YAML", NOW, warning=True)

    body = event_body(happening, name="policies.1", instance="here")

    assert (body["type"], body["reason"], body["action"]) == (
        "Warning",
        "PolicyRefused",
        "ReadPolicy",
    )
    assert body["regarding"] == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "namespace": "shop",
        "name": "policies",
        "uid": "uid",
    }


def test_a_note_is_cut_where_the_server_would_refuse_it_which_counts_bytes() -> None:
    target = TargetRef("shop", "checkout")
    happening = Happening(target, "uid", "SuccessfulRescale", "a" + "負荷" * 300, NOW)

    note = event_body(happening, name="checkout.1", instance="here")["note"]

    assert len(note.encode()) == LONGEST_NOTE
    assert happening.message.startswith(note)


def test_of_events_that_are_lost_in_a_row_the_first_is_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger="autoscaler.cluster.events")
    with LeaseServer() as server:
        recorder = EventRecorder(server.client())
        for n, refused in enumerate([403, 403, None, 403]):
            server.refused = {} if refused is None else {"POST": refused}
            target = TargetRef("shop", f"checkout-{n}")
            recorder._posting(Happening(target, "uid", "SuccessfulRescale", f"{n}", NOW))

    told = [(r.levelname, r.fields["target"]) for r in caplog.records]
    assert told == [
        ("WARNING", "shop/checkout-0"),
        ("DEBUG", "shop/checkout-1"),
        ("WARNING", "shop/checkout-3"),
    ]
