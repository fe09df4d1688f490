"""The cluster of a run: a real control plane whose API server can be killed and frozen, or the simulated cluster."""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

from environments.kube.client import ClusterClient
from portal.demo import controlplane
from portal.demo.controlplane import ControlPlane, Endpoint
from portal.demo.simulated import SimulatedCluster
from tests.services import wait_until


class RealCluster:
    """etcd, kube-apiserver, kube-controller-manager."""

    kind = "etcd, kube-apiserver and kube-controller-manager"
    can_restart = True

    def __init__(self, folder: Path) -> None:
        self._plane = ControlPlane(folder)
        self._plane.start()
        self._plane.apply_rbac()
        self.url, self.ca_pem = self._plane.url, self._plane.ca_pem
        self.portal_token = self._plane.portal_token(seconds=6 * 3600)

    def admin(self) -> ClusterClient:
        """Nobody of the portal, and past its proxy."""
        return self._plane.admin()

    def freeze(self) -> None:
        os.killpg(self._server[1].pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.killpg(self._server[1].pid, signal.SIGCONT)

    def kill(self) -> None:
        os.killpg(self._server[1].pid, signal.SIGKILL)
        self._server[1].wait(20)

    def start(self) -> None:
        """With the flags that it had."""
        index = self._plane._processes.index(self._server)
        name, old = self._server
        log = (self._plane.folder / f"{name}.log").open("ab")
        new = subprocess.Popen(old.args, stdout=log, stderr=log, cwd=self._plane.folder, start_new_session=True)
        self._plane._processes[index] = (name, new)
        self._plane._watch()
        wait_until(lambda: self._plane._answers("/readyz"), "the API server")

    def close(self) -> None:
        self._plane.stop()
        shutil.rmtree(self._plane.folder, ignore_errors=True)

    @property
    def _server(self) -> tuple[str, Any]:
        return next(pair for pair in self._plane._processes if pair[0] == "kube-apiserver")


class SimulatedPlace:
    """The simulated cluster in this process: it can answer wrongly, but not be killed."""

    kind = "the simulated cluster"
    can_restart = False
    ca_pem = ""

    def __init__(self) -> None:
        self._cluster = SimulatedCluster(termination_delay=0.3)
        self._cluster.__enter__()
        self.url, self.portal_token = self._cluster.url, self._cluster.portal_token

    def admin(self) -> ClusterClient:
        return ClusterClient(Endpoint(self.url, self._cluster.admin_token))

    def freeze(self) -> None: ...

    def thaw(self) -> None: ...

    def kill(self) -> None: ...

    def start(self) -> None: ...

    def close(self) -> None:
        self._cluster.__exit__(None, None, None)


def cluster(folder: Path, *, simulated: bool) -> RealCluster | SimulatedPlace:
    """The real control plane where its binaries are."""
    return SimulatedPlace() if simulated or controlplane.available() else RealCluster(folder)
