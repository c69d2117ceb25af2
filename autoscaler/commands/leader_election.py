"""May this replica write: always, while it is the leader, or for the shards that it holds."""

import argparse
import logging
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial

from autoscaler.cluster.api import Connection
from autoscaler.cluster.lease import Leadership
from autoscaler.cluster.rendezvous import shard_of
from autoscaler.cluster.shards import Shards
from autoscaler.errors import FlagError
from autoscaler.ports import HeldBack, Mandate
from autoscaler.review.log import log_event

logger = logging.getLogger(__name__)

# Two attempts: so long the first cycle waits to be told whether it may write. One that may not is a
# standby's, and whoever leads after it lowers nothing for a window.
FIRST_ANSWER = timedelta(seconds=4)
_LOOK_SECONDS = 0.05


@contextmanager
def leader_election(connection: Connection, arguments: argparse.Namespace) -> Iterator[Mandate]:
    """Compete for the right to write while the block runs; give it up at the end.

    Until `Mandate.compete` it is left to others: who still reads the first lists would stand idle.
    A dry run competes for nothing: it would keep those from acting who may.
    """
    if arguments.dry_run:
        yield Mandate(held_back=lambda: HeldBack.DRY_RUN)
        return
    if not (arguments.leader_elect or arguments.shards):
        yield Mandate()
        return
    namespace = arguments.own_namespace or connection.namespace
    if not namespace:
        raise FlagError("leases need a namespace: give --own-namespace")
    identity = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
    can_act = threading.Event()
    made = partial(_shards, n_shards=arguments.shards) if arguments.shards else _leadership
    candidate, mandate = made(connection, namespace, identity, can_act)
    candidate.start()
    try:
        yield replace(mandate, compete=partial(_compete, candidate, can_act))
    finally:
        candidate.stop()


def _compete(
    candidate: Leadership | Shards, can_act: threading.Event, stop: threading.Event
) -> None:
    """Compete from now on; wait for the first answer, at most `FIRST_ANSWER`, or until `stop`."""
    log_event(logger, logging.INFO, "competing", identity=candidate.identity)
    can_act.set()
    deadline = time.monotonic() + FIRST_ANSWER.total_seconds()
    while not (candidate.settled() or time.monotonic() > deadline or stop.wait(_LOOK_SECONDS)):
        pass


def _leadership(
    connection: Connection, namespace: str, identity: str, can_act: threading.Event
) -> tuple[Leadership, Mandate]:
    leadership = Leadership(
        connection.client, namespace=namespace, identity=identity, can_act=can_act
    )
    mandate = Mandate(
        held_back=leadership.held_back,
        may_write=lambda target: leadership.leads(),
        held_shards=lambda: {0: leadership.term()},
    )
    return leadership, mandate


def _shards(
    connection: Connection,
    namespace: str,
    identity: str,
    can_act: threading.Event,
    *,
    n_shards: int,
) -> tuple[Shards, Mandate]:
    shards = Shards(
        connection.client,
        namespace=namespace,
        identity=identity,
        n_shards=n_shards,
        can_act=can_act,
    )
    mandate = Mandate(
        held_back=shards.held_back,
        may_write=shards.owns,
        held_shards=shards.followed,
        shard_of=partial(shard_of, n_shards=n_shards),
    )
    return shards, mandate
