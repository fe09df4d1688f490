"""A real control plane starts, keeps its state, and leaves nothing behind."""

import os
import subprocess
import sys

import pytest

from portal.demo import controlplane
from portal.demo.controlplane import ControlPlane, ControlPlaneError
from tests.contract.arrange import eventually, namespace


def test_what_is_missing_is_said_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    reason = f"etcd, kube-apiserver, kube-controller-manager not found in {tmp_path} (set KUBEBUILDER_ASSETS)"
    assert controlplane.available() == reason
    with pytest.raises(ControlPlaneError, match="not found"):
        ControlPlane().start()


def test_a_process_that_ends_at_once_is_an_error_with_its_last_words(tmp_path, monkeypatch):
    for name in controlplane.BINARIES:
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho it went wrong >&2\nexit 1\n")
        program.chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    plane = ControlPlane()
    with pytest.raises(ControlPlaneError, match="it went wrong"):
        plane.start()
    assert not plane.folder.exists()


@pytest.mark.real_cluster
@pytest.mark.skipif(bool(controlplane.available()), reason=controlplane.available() or "-")
def test_a_control_plane_with_a_folder_continues_where_it_stopped_and_leaves_no_process(tmp_path):
    with ControlPlane(tmp_path) as plane:
        plane.admin().apply(namespace("home"))
        pids = plane.pids
    assert len(pids) == 3
    assert not [pid for pid in pids if _is_alive(pid)]
    with ControlPlane(tmp_path) as plane:
        assert plane.admin().get("Namespace", "home")


@pytest.mark.real_cluster
@pytest.mark.skipif(bool(controlplane.available()), reason=controlplane.available() or "-")
def test_nothing_is_left_running_when_the_process_that_started_it_is_killed(tmp_path):
    program = (
        "import pathlib, time\n"
        "from portal.demo.controlplane import ControlPlane\n"
        f"with ControlPlane(pathlib.Path({str(tmp_path)!r})) as plane:\n"
        "    print(*plane.pids, flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        pids = [int(pid) for pid in process.stdout.readline().split()]
        process.kill()
    assert len(pids) == 3
    eventually(lambda: not [pid for pid in pids if _is_alive(pid)], "the processes have ended")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
