"""A real control plane: etcd, kube-apiserver with RBAC, kube-controller-manager; no kubelet.

The binaries are found through KUBEBUILDER_ASSETS alone, as controller-runtime's envtest does it.
Pods stay Pending until a test marks them Ready, which gives it control over start-up time.
"""

import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from support.processes import Process, free_port, wait_until

BINARIES = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
_ADMIN_TOKEN = "admin-of-the-tests"
# Five seconds of CPU, which a busy machine gives late.
_READY_SECONDS = 180.0
# Every write of `scale`, with who, when and what came of it.
_AUDITED = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {
            "level": "Request",
            "verbs": ["patch", "update"],
            "resources": [{"group": "apps", "resources": ["deployments/scale"]}],
        },
        {"level": "None"},
    ],
}


def missing_binaries() -> list[str]:
    """Return what a real control plane lacks here."""
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    if not folder:
        return ["KUBEBUILDER_ASSETS is not set"]
    missing = [str(Path(folder) / n) for n in BINARIES if not (Path(folder) / n).exists()]
    return missing + ([] if shutil.which("openssl") else ["openssl"])


class ScaleWrite(NamedTuple):
    """Somebody wrote `spec.replicas` through `scale`."""

    at: datetime
    user: str
    name: str
    replicas: int


class ControlPlane:
    """One control plane, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._assets = Path(os.environ["KUBEBUILDER_ASSETS"])
        self._etcd_port, self._peer_port, self.port = free_port(), free_port(), free_port()
        self._processes: dict[str, Process] = {}

    @property
    def url(self) -> str:
        """Where the API server answers."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def admin_kubeconfig(self) -> Path:
        """A kubeconfig that may do everything."""
        return self.folder / "admin.kubeconfig"

    def start(self) -> None:
        """Start everything and wait until the API server is ready."""
        self._write_keys()
        (self.folder / "tokens.csv").write_text(f'{_ADMIN_TOKEN},admin,0,"system:masters"\n')
        (self.folder / "audit.yaml").write_text(yaml.safe_dump(_AUDITED))
        self._start_etcd()
        self.start_api_server()
        self.write_kubeconfig(self.admin_kubeconfig, token=_ADMIN_TOKEN)
        self._start_controller_manager()

    def stop(self) -> None:
        """Stop everything, clients of others first."""
        for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
            if name in self._processes:
                self._processes.pop(name).stop(signal.SIGKILL)

    def stop_api_server(self) -> None:
        """Stop the API server only, as a crash does."""
        self._processes.pop("kube-apiserver").stop(signal.SIGKILL)

    def start_api_server(self) -> None:
        """Start the API server (again, on the same port) and wait until it is ready."""
        self._run(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            f"--cert-dir={self.folder}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            *(("--insecure-port=0",) if self._version("kube-apiserver") < (1, 24) else ()),
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            f"--service-account-key-file={self.folder / 'sa.pub'}",
            f"--service-account-signing-key-file={self.folder / 'sa.key'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
            "--allow-privileged=true",
            f"--audit-policy-file={self.folder / 'audit.yaml'}",
            f"--audit-log-path={self.folder / 'audit.log'}",
        )
        wait_until(self._is_ready, within=_READY_SECONDS, what=self._said("kube-apiserver"))

    def compact_etcd(self) -> None:
        """Forget every version but the newest: watches from older ones get 410 Gone."""
        endpoint = f"http://127.0.0.1:{self._etcd_port}/v3/kv"
        head = _posted(f"{endpoint}/range", {"key": "AA=="})["header"]["revision"]
        _posted(f"{endpoint}/compaction", {"revision": head, "physical": True})

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl as administrator and return its output."""
        done = subprocess.run(
            [self._assets / "kubectl", f"--kubeconfig={self.admin_kubeconfig}", *arguments],
            input=stdin,
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def apply(self, text: str, *flags: str) -> None:
        """Create or change objects of the tests' own.

        For kubectl to validate them as well it fetches all that the server says of itself, each
        time, which is three quarters of the work; what `deploy/` ships is applied with `kubectl`.
        """
        self.kubectl("apply", "--validate=false", *flags, "-f", "-", stdin=text)

    def ensure_namespace(self, name: str) -> None:
        """Create a namespace unless it is there."""
        document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        self.apply(yaml.safe_dump(document))

    def can_i(self, account: str, verb: str, resource: str, *, namespace: str) -> str:
        """Return what RBAC answers this account: yes or no."""
        name, _, subresource = resource.partition("/")
        name, _, group = name.partition(".")
        attributes = {
            "verb": verb,
            "resource": name,
            "group": group,
            "subresource": subresource,
            "namespace": namespace,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": account, "resourceAttributes": attributes},
        }
        command = ("create", "--validate=false", "-o", "json", "-f", "-")
        output = self.kubectl(*command, stdin=yaml.safe_dump(review))
        return "yes" if json.loads(output)["status"]["allowed"] else "no"

    def get(self, kind: str, name: str, namespace: str) -> dict[str, Any]:
        """Return an object as it is now."""
        output = self.kubectl("get", kind, name, "-n", namespace, "-o", "json")
        parsed: dict[str, Any] = json.loads(output)
        return parsed

    def scale_writes(self, namespace: str) -> list[ScaleWrite]:
        """Return every write of `scale` in a namespace that the server accepted, in order."""
        log = self.folder / "audit.log"
        entries = map(json.loads, log.read_text().splitlines()) if log.exists() else ()
        return [
            ScaleWrite(
                at=datetime.fromisoformat(entry["requestReceivedTimestamp"]),
                user=entry["user"]["username"].rpartition(":")[2],
                name=entry["objectRef"]["name"],
                replicas=entry["requestObject"]["spec"]["replicas"],
            )
            for entry in entries
            if entry["objectRef"]["namespace"] == namespace
            and entry["responseStatus"]["code"] == 200
        ]

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """Return a kubeconfig that may do exactly what RBAC grants this service account."""
        token = self.kubectl("create", "token", name, "-n", namespace, "--duration=2h").strip()
        file = self.folder / f"{namespace}-{name}.kubeconfig"
        self.write_kubeconfig(file, token=token, namespace=namespace)
        return file

    def write_kubeconfig(self, file: Path, *, token: str, namespace: str = "default") -> None:
        """Write a kubeconfig for a bearer of `token`."""
        server = {"server": self.url, "certificate-authority": str(self.folder / "apiserver.crt")}
        context = {"cluster": "test", "user": "test", "namespace": namespace}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": server}],
            "users": [{"name": "test", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": context}],
            "current-context": "test",
        }
        file.write_text(yaml.safe_dump(document))

    def _write_keys(self) -> None:
        key, public = self.folder / "sa.key", self.folder / "sa.pub"
        for command in (
            ["openssl", "genrsa", "-out", str(key), "2048"],
            ["openssl", "rsa", "-in", str(key), "-pubout", "-out", str(public)],
        ):
            subprocess.run(command, check=True, capture_output=True)

    def _start_etcd(self) -> None:
        client = f"http://127.0.0.1:{self._etcd_port}"
        self._run(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls=http://127.0.0.1:{self._peer_port}",
            "--unsafe-no-fsync",
        )

    def _start_controller_manager(self) -> None:
        self._run(
            "kube-controller-manager",
            f"--kubeconfig={self.admin_kubeconfig}",
            f"--service-account-private-key-file={self.folder / 'sa.key'}",
            "--controllers=*,-ttl",
            "--leader-elect=false",
            "--horizontal-pod-autoscaler-sync-period=1s",
            "--concurrent-deployment-syncs=10",
            *(("--port=0",) if self._version("kube-controller-manager") < (1, 24) else ()),
            "--secure-port=0",
        )

    def _run(self, name: str, *flags: str) -> None:
        log = self.folder / f"{name}.log"
        self._processes[name] = Process([self._assets / name, *flags], log=log)

    def _said(self, name: str) -> str:
        return f"{name} ready; its log is {self.folder / name}.log"

    def _is_ready(self) -> bool:
        server = self._processes["kube-apiserver"]
        if not server.running:
            raise AssertionError(f"kube-apiserver ended:\n{server.tail()}")
        request = urllib.request.Request(
            f"{self.url}/readyz", headers={"Authorization": f"Bearer {_ADMIN_TOKEN}"}
        )
        try:
            trust = ssl.create_default_context(cafile=str(self.folder / "apiserver.crt"))
            with urllib.request.urlopen(request, context=trust, timeout=2) as response:
                return bool(response.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def _version(self, name: str) -> tuple[int, int]:
        command = [str(self._assets / name), "--version"]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        match = re.search(r"v(\d+)\.(\d+)", text)
        return (int(match[1]), int(match[2])) if match else (1, 99)


def _posted(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(url, data=json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=10) as response:
        parsed: dict[str, Any] = json.load(response)
        return parsed
