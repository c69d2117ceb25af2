"""May this replica write: always, while it is the leader, or for the shards that it holds."""

import argparse
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from autoscaler.cluster.api import Connection
from autoscaler.cluster.lease import Leadership
from autoscaler.cluster.rendezvous import shard_of
from autoscaler.cluster.shards import Shards
from autoscaler.daemon import Mandate
from autoscaler.errors import FlagError
from autoscaler.ports import HeldBack


@contextmanager
def leader_election(connection: Connection, arguments: argparse.Namespace) -> Iterator[Mandate]:
    """Compete for the right to write while the block runs; give it up at the end.

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
    candidate: Shards | Leadership
    if arguments.shards:
        candidate, mandate = _shards(connection, namespace, identity, arguments.shards)
    else:
        candidate, mandate = _leadership(connection, namespace, identity)
    candidate.start()
    try:
        yield mandate
    finally:
        candidate.stop()


def _leadership(
    connection: Connection, namespace: str, identity: str
) -> tuple[Leadership, Mandate]:
    leadership = Leadership(connection.client, namespace=namespace, identity=identity)
    mandate = Mandate(
        held_back=leadership.held_back,
        may_write=lambda target: leadership.leads(),
        held_shards=lambda: {0: leadership.term()},
    )
    return leadership, mandate


def _shards(
    connection: Connection, namespace: str, identity: str, n_shards: int
) -> tuple[Shards, Mandate]:
    shards = Shards(connection.client, namespace=namespace, identity=identity, n_shards=n_shards)
    mandate = Mandate(
        held_back=shards.held_back,
        may_write=shards.owns,
        held_shards=shards.followed,
        shard_of=partial(shard_of, n_shards=n_shards),
    )
    return shards, mandate
