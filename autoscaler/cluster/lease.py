"""Who may write: leader election by Lease, the client's own, made safe to stop and to pause.

The client's `LeaderElection` decides who leads; what it does not do is added here:

- every request has a time-out, and a broken connection is a failed attempt instead of the end of
  the thread;
- a Lease that was lost is competed for again, and one that is left is given up at once;
- a replica that still reads its first lists looks who leads, and leaves the Lease to others;
- when the wall clock is set, the election begins anew: by that clock a standby would lead at once,
  or not for hours;
- `leads` is true only while the Lease was not seen in other hands, and until ten seconds after the
  *beginning* of the last renewal that succeeded, by a clock that goes on while the process is
  stopped or the machine sleeps. Nobody else starts before fifteen seconds after that renewal, and a
  write leaves within four.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import urllib3
from kubernetes.client import ApiClient, CoordinationV1Api
from kubernetes.client.exceptions import ApiException
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

from autoscaler.clocks import WallClock, awake_seconds
from autoscaler.cluster.api import NO_CREDENTIALS, TIMEOUTS
from autoscaler.ports import HeldBack
from autoscaler.strict import MALFORMED

logger = logging.getLogger(__name__)

# client-go's and the HPA controller's own numbers.
LEASE_DURATION = timedelta(seconds=15)
RENEW_DEADLINE = timedelta(seconds=10)
RETRY_PERIOD = timedelta(seconds=2)
LEASE_NAME = "predictive-autoscaler"

# There is none yet; somebody else wrote first.
_USUAL = frozenset({404, 409})

# The client's election logs every renewal; we log what changes.
logging.getLogger("leaderelection").setLevel(logging.WARNING)


class _LeftError(Exception):
    """Ends the election's thread: `stop` was called."""


class _ClockSetError(Exception):
    """Ends one election: since when it has seen a Lease unchanged, it tells by the wall clock."""


class Leadership:
    """One candidate for one Lease, which it leaves to others until `can_act` is set."""

    def __init__(
        self,
        api: ApiClient,
        *,
        namespace: str,
        identity: str,
        can_act: threading.Event | None = None,
    ) -> None:
        self.identity = identity
        self._can_act = can_act or set_event()
        self._lock = _Lock(api, namespace=namespace, identity=identity, can_act=self._can_act)
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def leads(self) -> bool:
        """Whether we may write now."""
        return awake_seconds() < self._lock.leads_until

    def held_back(self) -> str:
        """Return why we may not write, empty when we lead."""
        if self.leads():
            return ""
        if failure := self._lock.failure():
            return f"{HeldBack.STANDBY}: no Lease, {failure}"
        return f"{HeldBack.STANDBY}: {self._lock.holder or 'nobody'} leads"

    def term(self) -> int:
        """Return the number of our term: between two of them another replica may have led."""
        return self._lock.term

    def settled(self) -> bool:
        """Whether we lead, somebody else does, or nobody can tell."""
        return self.leads() or self._lock.holder != "" or bool(self._lock.failure())

    def start(self) -> None:
        """Begin to look who leads, and to compete once we can act."""
        self._thread.start()

    def stop(self) -> None:
        """Stop writing and give the lease up, so that a standby starts at once.

        The thread, which sleeps or waits for an answer, ends by itself and writes no more.
        """
        self._lock.leave()
        self._can_act.set()  # the thread may wait for it
        _say("left_the_election", self.identity)

    def _run(self) -> None:
        settings = electionconfig.Config(
            self._lock,
            lease_duration=int(LEASE_DURATION.total_seconds()),
            renew_deadline=int(RENEW_DEADLINE.total_seconds()),
            retry_period=int(RETRY_PERIOD.total_seconds()),
            onstarted_leading=lambda: _say("leading", self.identity),
            onstopped_leading=self._say_lost,
        )
        # Most can act by then, and need not wait for the next attempt.
        self._can_act.wait(RETRY_PERIOD.total_seconds())
        with suppress(_LeftError):
            while True:
                with suppress(_ClockSetError):
                    leaderelection.LeaderElection(settings).run()

    def _say_lost(self) -> None:
        taken = self._lock.holder not in {"", self.identity}
        late = f"{self._lock.holder} holds it" if taken else "it was not renewed in time"
        because = self._lock.failure() or late
        fields = {"identity": self.identity, "because": because}
        logger.warning("lost_the_lease", extra={"fields": fields})


class _Lock:
    """The client's lock, remembering until when what it wrote protects us."""

    def __init__(
        self, api: ApiClient, *, namespace: str, identity: str, can_act: threading.Event
    ) -> None:
        self.name = LEASE_NAME
        self._can_act = can_act
        self.namespace = namespace
        self.identity = identity
        self.leads_until = 0.0
        self.term = 0
        """How often the lead was taken, or taken up again after it could not be renewed in time."""
        self.holder = ""
        """Who held the lease when it was last read."""
        self._renewed_at: object = None
        lease: Any = LeaseLock(self.name, namespace, identity)
        self._requests = _TimedLeases(CoordinationV1Api(api))
        lease.api_instance = self._requests
        self._lease = lease
        self._left = False
        self._tried = False
        """Whether we ever tried to take it."""
        self._wall_clock = WallClock()
        # Leaving writes from another thread than renewing does.
        self._writing = threading.RLock()

    def get(self, name: str, namespace: str) -> Any:
        """Read the lease, unless we left; by a clock that was set nobody's time is over."""
        if self._left:
            raise _LeftError
        if self._wall_clock.moved_by():
            raise _ClockSetError
        found, read = self._lease.get(name, namespace)
        self.holder = str(read.holder_identity or "") if found else ""
        if found and self.holder != self.identity:
            self.leads_until = 0.0  # whoever gave it to another meant it at once
        renewed_at = read.renew_time if found else None
        if self.holder not in {"", self.identity} and renewed_at != self._renewed_at:
            self._requests.failures.clear()  # somebody can write it, and leads
        self._renewed_at = renewed_at
        return found, read

    def failure(self) -> str:
        """Return what keeps us from reading or writing the lease, empty when nothing does."""
        return next(iter(list(self._requests.failures.values())), "")

    def create(self, name: str, namespace: str, election_record: LeaderElectionRecord) -> bool:
        """Create the lease as its holder."""
        return self._held(lambda: self._lease.create(name, namespace, election_record))

    def update(self, name: str, namespace: str, updated_record: LeaderElectionRecord) -> bool:
        """Take or renew the lease; the version that was read makes it a compare-and-swap."""
        return self._held(lambda: self._lease.update(name, namespace, updated_record))

    def leave(self) -> None:
        """Hold it no longer; clear the holder if that is us.

        Where nobody answers it ends by itself, and who never tried to write it holds nothing.
        """
        with self._writing:
            self._left = True
            self.leads_until = 0.0
            if not self._tried or self.failure():
                return
            found, _ = self._lease.get(self.name, self.namespace)
            lease = self._lease.lease_reference
            if not found or lease.spec.holder_identity != self.identity:
                return
            lease.spec.holder_identity = ""
            try:
                self._lease.api_instance.replace_namespaced_lease(
                    name=self.name, namespace=self.namespace, body=lease
                )
            except ApiException as error:
                logger.warning("lease_not_released", extra={"fields": {"error": str(error.reason)}})

    def _held(self, write: Callable[[], bool]) -> bool:
        with self._writing:
            if self._left:
                raise _LeftError
            if not self._can_act.is_set():
                return False
            began, self._tried = awake_seconds(), True
            if not write():
                return False
            self.term += began >= self.leads_until
            self.leads_until = began + RENEW_DEADLINE.total_seconds()
            return True


class _TimedLeases:
    """The three calls the client's lock makes, each with a time-out and one kind of error.

    The client's election says nothing of what fails; without a permission it waits for ever.
    """

    def __init__(self, leases: CoordinationV1Api) -> None:
        self._leases = leases
        self.failures: dict[str, str] = {}
        """Why each call fails that does, by its verb."""

    def read_namespaced_lease(self, name: str, namespace: str) -> Any:
        return self._tried("get", self._leases.read_namespaced_lease, name, namespace)

    def create_namespaced_lease(self, namespace: str, body: Any) -> Any:
        return self._tried("create", self._leases.create_namespaced_lease, namespace, body)

    def replace_namespaced_lease(self, *, name: str, namespace: str, body: Any) -> Any:
        return self._tried("update", self._leases.replace_namespaced_lease, name, namespace, body)

    def _tried(self, verb: str, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call; note why it fails, and say so when that is news."""
        try:
            lease = _timed(call, *arguments)
        except ApiException as error:
            if error.status in _USUAL:
                self.failures.pop(verb, None)
                raise
            failure = f"{verb} fails: {error.status or 'no answer'} {error.reason}"
            if verb not in self.failures:
                logger.warning("lease_unavailable", extra={"fields": {"error": failure}})
            self.failures[verb] = failure
            raise
        self.failures.pop(verb, None)
        return lease


def set_event() -> threading.Event:
    """Return an event that is set from the start."""
    event = threading.Event()
    event.set()
    return event


def _timed(call: Callable[..., Any], *arguments: Any) -> Any:
    """Return the Lease; a page that answers in its place would be taken for one nobody holds."""
    try:
        lease = call(*arguments, _request_timeout=TIMEOUTS)
    except (urllib3.exceptions.HTTPError, *NO_CREDENTIALS, *MALFORMED) as error:
        raise ApiException(status=0, reason=str(error)) from error
    if getattr(lease.metadata, "resource_version", None) is None:
        raise ApiException(status=0, reason="not an API server's answer")
    return lease


def _say(event: str, identity: str) -> None:
    logger.info(event, extra={"fields": {"identity": identity}})
