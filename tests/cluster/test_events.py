"""What an Event says."""

from autoscaler.cluster.events import LONGEST_NOTE, Happening, event_body
from autoscaler.decide.facts import TargetRef
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
