"""A real Kubernetes control plane on loopback: etcd, kube-apiserver and kube-controller-manager, no nodes.

`KUBEBUILDER_ASSETS` names the folder of the binaries (the convention of controller-runtime's envtest). The controller
manager gives quotas their status and namespaces their default ServiceAccount, and completes their deletion.
Source: https://book.kubebuilder.io/reference/envtest
"""

import atexit
import base64
import contextlib
import http.client
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml
from cryptography.hazmat.primitives.asymmetric import ec

from environments.kube.client import ClusterClient
from environments.kube.rbac import ACCOUNT, ACCOUNT_NAMESPACE, documents
from portal.demo import certificates
from portal.demo.ports import free_port

DEFAULT_ASSETS = "/usr/local/kubebuilder/bin"
BINARIES = ("etcd", "kube-apiserver", "kube-controller-manager")
MANAGER_QPS = 500  # the default of 20 is for shared API servers; tests create a thousand namespaces at once
DEADLINE = 60  # seconds until the API server must be ready; it usually needs four
_STOPPING = 10  # seconds for a process to end before it is killed


class ControlPlaneError(RuntimeError):
    """The control plane did not start. The message holds the end of the failed process's log."""


@dataclass
class Endpoint:
    """A `Connection` by token, as `ClusterClient` takes it."""

    server: str
    credential: str
    certificate_authority: str = ""
    credential_kind: str = "token"


def assets() -> Path:
    """The folder in which the control plane's binaries are expected."""
    return Path(os.environ.get("KUBEBUILDER_ASSETS") or DEFAULT_ASSETS)


def available() -> str:
    """Return why a control plane cannot start; empty if it can."""
    missing = [name for name in BINARIES if not os.access(assets() / name, os.X_OK)]
    if missing:
        return f"{', '.join(missing)} not found in {assets()} (set KUBEBUILDER_ASSETS)"
    return ""


class ControlPlane:
    """Starts and stops one control plane. Usable as a context manager."""

    def __init__(self, data: Path | None = None, *, flags: Iterable[str] = (), manager_qps: int = MANAGER_QPS) -> None:
        """`data`: a folder that keeps everything for the next start; without it a temporary one, removed at the end.

        `flags`: more of them for the API server. `manager_qps`: requests a second that the controllers may make.
        """
        self._flags, self._manager_qps = tuple(flags), manager_qps
        self._temporary = data is None
        self.folder = data or Path(tempfile.gettempdir()) / f"allotment-control-plane-{secrets.token_hex(4)}"
        self.admin_token = secrets.token_hex(16)
        self.ca_pem = ""
        self.url = ""
        self._processes: list[tuple[str, subprocess.Popen[bytes]]] = []
        self._watchdog: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the three processes; returns when the API server is ready. Raises ControlPlaneError."""
        if reason := available():
            raise ControlPlaneError(reason)
        atexit.register(self.stop)
        self.folder.mkdir(0o700, parents=True, exist_ok=True)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the processes, the API server's clients first, and remove a temporary folder. May be called twice."""
        atexit.unregister(self.stop)
        self._unwatch()
        while self._processes:
            _end(self._processes.pop()[1])
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pids(self) -> list[int]:
        """The ids of the running processes."""
        return [process.pid for _, process in self._processes]

    def admin(self) -> ClusterClient:
        """A client in `system:masters`, for setting up a test or a demo, never for the portal."""
        return ClusterClient(self.endpoint(self.admin_token))

    def endpoint(self, token: str) -> Endpoint:
        """How to reach the API server with a token."""
        return Endpoint(self.url, token, self.ca_pem)

    def apply_rbac(self) -> None:
        """Apply `deploy/rbac`: the environment roles, and the portal's own account."""
        # As kubectl: what bears the portal's own field manager, the portal takes for what it wrote.
        admin = ClusterClient(self.endpoint(self.admin_token), field_manager="kubectl")
        for manifest in documents():
            admin.apply(manifest)

    def portal_token(self, seconds: int = 3600) -> str:
        """A token for the portal's least-privileged ServiceAccount. Needs `apply_rbac` first."""
        return self.admin().create_token(ACCOUNT, ACCOUNT_NAMESPACE, seconds=seconds).text

    def _start(self) -> None:
        etcd_port, peer_port, api_port = free_port(), free_port(), free_port()
        self.url = f"https://127.0.0.1:{api_port}"
        manager_token = secrets.token_hex(16)
        self._write_credentials(manager_token)
        self._run("etcd", _etcd_flags(self.folder, etcd_port, peer_port))
        self._run("kube-apiserver", [*_apiserver_flags(self.folder, etcd_port, api_port), *self._flags])
        self._watch()
        deadline = time.monotonic() + DEADLINE
        self._wait_for("/readyz", deadline)
        # Start it last: it exits if the API server takes longer than ten seconds.
        self._run("kube-controller-manager", _manager_flags(self.folder, self._manager_qps))
        self._watch()
        # The controllers work once they have created the objects that every namespace gets.
        self._wait_for("/api/v1/namespaces/default/serviceaccounts/default", deadline)

    def _write_credentials(self, manager_token: str) -> None:
        self.ca_pem = _write_certificates(self.folder)
        tokens = (
            f'{self.admin_token},admin,admin,"system:masters"\n'
            f"{manager_token},system:kube-controller-manager,system:kube-controller-manager\n"
        )
        certificates.write_secret(self.folder / "tokens.csv", tokens)
        certificates.write_secret(self.folder / "manager.kubeconfig", _kubeconfig(self.url, self.ca_pem, manager_token))

    def _run(self, name: str, flags: Iterable[str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603
                [str(assets() / name), *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C reaches only this process, which then ends the group
            )
        self._processes.append((name, process))

    def _watch(self) -> None:
        """Start a shell that ends the processes if this one is killed: its standard input ends then.

        It uses SIGKILL, because an API server that gets SIGTERM waits for an etcd that has already ended.
        """
        self._unwatch()
        groups = [f"-{pid}" for pid in self.pids]
        command = ["/bin/sh", "-c", 'read line; kill -KILL "$@"', "watchdog", *groups]
        self._watchdog = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603

    def _unwatch(self) -> None:
        if self._watchdog:
            self._watchdog.kill()
            self._watchdog.communicate()
            self._watchdog = None

    def _wait_for(self, path: str, deadline: float) -> None:
        while not self._answers(path):
            for name, process in self._processes:
                if process.poll() is not None:
                    raise ControlPlaneError(f"{name} ended:\n{self._tail(name)}")
            if time.monotonic() > deadline:
                raise ControlPlaneError(f"{path} is not there in {DEADLINE} s:\n{self._tail('kube-apiserver')}")
            time.sleep(0.05)

    def _answers(self, path: str) -> bool:
        context = ssl.create_default_context(cadata=self.ca_pem)
        connection = http.client.HTTPSConnection(self.url.removeprefix("https://"), timeout=2, context=context)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.admin_token}"})
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _tail(self, name: str) -> str:
        lines = (self.folder / f"{name}.log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:])


def _etcd_flags(folder: Path, port: int, peer_port: int) -> list[str]:
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
    return [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",  # a demo can lose its data in a power cut, but must not wait for the disk
        "--log-level=warn",
    ]


def _apiserver_flags(folder: Path, etcd_port: int, port: int) -> list[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",  # no pod needs to find the API server
        f"--secure-port={port}",
        f"--tls-cert-file={folder / 'server.crt'}",
        f"--tls-private-key-file={folder / 'server.key'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'accounts.key'}",
        f"--service-account-signing-key-file={folder / 'accounts.key'}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--profiling=false",
        "--allow-privileged=true",  # as every cluster does; Pod Security says who may
    ]


def _manager_flags(folder: Path, qps: int) -> list[str]:
    kubeconfig = folder / "manager.kubeconfig"
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--root-ca-file={folder / 'ca.crt'}",
        f"--service-account-private-key-file={folder / 'accounts.key'}",
        "--use-service-account-credentials=true",  # every controller as its own account, as in a cluster
        "--leader-elect=false",
        "--secure-port=0",
        f"--kube-api-qps={qps}",
        f"--kube-api-burst={max(30, 2 * qps)}",  # the default is 30
        "--controllers=namespace-controller,resourcequota-controller,serviceaccount-controller,"
        "serviceaccount-token-controller,root-ca-certificate-publisher-controller,garbage-collector-controller,"
        "persistentvolumeclaim-protection-controller,deployment-controller,replicaset-controller,statefulset-controller,job-controller,"
        "endpointslice-controller,clusterrole-aggregation-controller,validatingadmissionpolicy-status-controller",
    ]


def _kubeconfig(url: str, ca_pem: str, token: str) -> str:
    ca_data = base64.b64encode(ca_pem.encode()).decode()
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "local",
            "clusters": [{"name": "local", "cluster": {"server": url, "certificate-authority-data": ca_data}}],
            "contexts": [{"name": "local", "context": {"cluster": "local", "user": "local"}}],
            "users": [{"name": "local", "user": {"token": token}}],
        }
    )


def _write_certificates(folder: Path) -> str:
    """Write ca.crt, server.crt, server.key and accounts.key (kept if there); the CA as PEM."""
    ca_pem = certificates.issue(folder, "kube-apiserver")
    if not (folder / "accounts.key").exists():  # so that older tokens stay valid
        key = certificates.as_pem(ec.generate_private_key(ec.SECP256R1()))
        certificates.write_secret(folder / "accounts.key", key)
    return ca_pem


def _end(process: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM to the process's group, and SIGKILL if that is not enough."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOPPING)
