"""How do we talk to the API server: raw JSON in and out, time-outs, one kind of error.

The client's typed models are not used on the watched path: building a `V1Pod` costs a hundred times
what the six fields we read from it are worth.
Everything else of the client is: its configuration, its authentication, its connection pool.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.incluster_config import InClusterConfigLoader

from autoscaler.errors import AutoscalerError, FlagError, why_not
from autoscaler.strict import MALFORMED

Json = dict[str, Any]

# A write must have failed or arrived before another leader can start: the lease runs 15 s, we stop
# writing 10 s after the last renewal, so an answer that takes longer than this is no answer.
REQUEST_TIMEOUT_SECONDS = 4.0
# To connect, and once more for TLS: a write has left within four seconds of asking whether we may.
CONNECT_TIMEOUT_SECONDS = 2.0
TIMEOUTS = (CONNECT_TIMEOUT_SECONDS, REQUEST_TIMEOUT_SECONDS)
# What reading a service account's token anew may raise; the next request reads it again.
NO_CREDENTIALS = (config.ConfigException, OSError)
_LONGEST_EXCERPT = 200
# One connection per watched kind, and a few for writes, events and the lease.
_CONNECTIONS = 32
# Of the pod's service account: `token`, `ca.crt` and `namespace`.
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class Connection:
    """An API server to talk to, and the namespace we live in as far as it is known."""

    client: client.ApiClient
    namespace: str | None

    def close(self) -> None:
        """Give the connections back."""
        self.client.close()


def connect(kubeconfig: Path | None = None) -> Connection:
    """Return a connection by `kubeconfig`, else by the pod's service account, else as kubectl does.

    Raises
    ------
    AutoscalerError
        When none of these says where the API server is.
    """
    settings = client.Configuration()
    try:
        namespace = _configured(settings, kubeconfig)
    except (config.ConfigException, OSError, yaml.YAMLError, *MALFORMED) as error:
        refused = AutoscalerError if kubeconfig is None else FlagError
        raise refused(_no_connection(kubeconfig, error)) from error
    if not settings.host.startswith(("https://", "http://")):
        raise AutoscalerError(f"kubeconfig {kubeconfig}: server {settings.host!r} is no https URL")
    settings.connection_pool_maxsize = _CONNECTIONS
    settings.keep_alive = True  # a NAT that forgot a quiet watch is noticed
    # Once is once: by default a request that cannot connect is sent again three times, so a write
    # could arrive sixteen seconds after we asked whether we may write.
    settings.retries = False
    return Connection(client.ApiClient(settings), namespace)


def _no_connection(kubeconfig: Path | None, error: Exception) -> str:
    """Return on one line why a kubeconfig, or all of them, do not say where the API server is."""
    if kubeconfig is None:
        return (
            "no cluster to talk to: there is no service account here, no --kubeconfig is given, and"
            f" the default one does not do: {' '.join(why_not(error).split())}"
        )
    if not kubeconfig.exists():
        return f"kubeconfig {kubeconfig}: no such file"
    return f"kubeconfig {kubeconfig}: {' '.join(why_not(error).split())}"


def _configured(settings: client.Configuration, kubeconfig: Path | None) -> str | None:
    """Fill `settings`; return the namespace that goes with them."""
    own_namespace = _ACCOUNT / "namespace"
    if kubeconfig is None and own_namespace.exists():
        files = str(_ACCOUNT / "token"), str(_ACCOUNT / "ca.crt")
        InClusterConfigLoader(*files, try_refresh_token=False).load_and_set(settings)
        before_each_request: Any = partial(_read_token, _ACCOUNT / "token")
        settings.refresh_api_key_hook = before_each_request
        return own_namespace.read_text().strip() or None
    file = None if kubeconfig is None else str(kubeconfig)
    config.load_kube_config(config_file=file, client_configuration=settings)
    _, active = config.list_kube_config_contexts(config_file=file)
    namespace = active["context"].get("namespace")
    return str(namespace) if namespace else None


def _read_token(file: Path, settings: client.Configuration) -> None:
    """Take the token as it is now, before each request: the kubelet rotates it every hour.

    The client's own loader reads it once a minute by the wall clock: after that was set back, or
    in the hour that winter time repeats, it would send one that is no longer valid.
    """
    settings.api_key["BearerToken"] = f"bearer {file.read_text().strip()}"


@dataclass(frozen=True, slots=True)
class Request:
    """One request to the API server."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    content_type: str = "application/json"


def list_path(api_version: str, plural: str, namespace: str | None) -> str:
    """Return where a kind is listed, in one namespace or (None) in all."""
    root = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"


def answered(api: client.ApiClient, request: Request) -> Json:
    """Return the parsed answer.

    Raises
    ------
    ApiException
        With the server's status and message; status 0 when there was no answer at all, or a
        page of somebody in front of the server: read as an object it would say that nothing is.
    """
    response = opened(api, request, timeout=TIMEOUTS)
    try:
        body = response.data
    except urllib3.exceptions.HTTPError as error:
        raise ApiException(status=0, reason=str(error)) from error
    parsed = _parsed(body)
    if not 200 <= response.status <= 299:
        reason = response.reason if parsed is None else parsed.get("message", response.reason)
        raise refusal_of(response, reason=reason)
    if parsed is None:
        raise ApiException(status=0, reason=f"HTTP {response.status}, {_not_ours(body)}")
    return parsed


def refusal_of(response: urllib3.BaseHTTPResponse, *, reason: str | None) -> ApiException:
    """Return what a server answered that refused, its headers included."""
    error = ApiException(status=response.status, reason=reason)
    error.headers = response.headers
    return error


def _not_ours(body: bytes) -> str:
    """Return what to say of a body that is no answer of an API server."""
    excerpt = " ".join(body[:_LONGEST_EXCERPT].decode(errors="replace").split())
    return f"not an API server's answer: {excerpt or 'an empty body'}"


def opened(
    api: client.ApiClient, request: Request, *, timeout: tuple[float, float]
) -> urllib3.BaseHTTPResponse:
    """Return the response, its body not yet read; `timeout` is (connect, read), in seconds."""
    try:
        serialized = api.param_serialize(
            request.method,
            request.path,
            query_params=list(request.query),
            header_params={"Accept": "application/json", "Content-Type": request.content_type},
            body=request.body,
            auth_settings=["BearerToken"],
        )
    except NO_CREDENTIALS as error:
        raise ApiException(status=0, reason=f"no credentials: {error}") from error
    try:
        response: urllib3.BaseHTTPResponse = api.call_api(
            *serialized, _request_timeout=timeout
        ).response
    except urllib3.exceptions.HTTPError as error:
        raise ApiException(status=0, reason=str(error)) from error
    return response


def _parsed(body: bytes) -> Json | None:
    """Return a JSON object; None where something in front of the API server answered."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def micro_time(at: datetime) -> str:
    """Return an instant as Leases and Events hold it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
