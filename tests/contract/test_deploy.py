"""The portal's own manifests, as an API server and its controllers take them."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from portal.demo import controlplane

ROOT = Path(__file__).resolve().parent.parent.parent
OVERLAY = ROOT / "deploy" / "overlays" / "example"
PATIENCE = 120.0  # seconds

pytestmark = pytest.mark.real_cluster


@pytest.fixture
def kubectl(real_endpoint, tmp_path):
    """Runs kubectl as the administrator; what it prints."""
    program = controlplane.assets() / "kubectl"
    found = str(program) if program.exists() else shutil.which("kubectl")
    if found is None:
        pytest.skip("no kubectl, neither beside the control plane nor on the PATH")
    way = real_endpoint.admin
    authority = tmp_path / "ca.pem"
    authority.write_text(way.certificate_authority)

    def run(*arguments):
        command = [
            found,
            f"--server={way.server}",
            f"--token={way.credential}",
            f"--certificate-authority={tmp_path}/ca.pem",
        ]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture
def deployed(kubectl, new_name, tmp_path):
    """The example overlay, applied in a namespace of the test's own; what kubectl said."""
    (tmp_path / "kustomization.yaml").write_text(
        yaml.safe_dump({"namespace": new_name, "resources": [os.path.relpath(OVERLAY, tmp_path)]})
    )
    return kubectl("apply", "-k", str(tmp_path))


@pytest.fixture
def admin(real_endpoint):
    return real_endpoint.admin_client()


def test_every_object_is_taken_without_a_warning(deployed):
    assert "Warning" not in deployed.stderr
    assert deployed.stdout.count("created") == 16


def test_the_restricted_pod_security_standard_lets_every_pod_in(deployed, admin, new_name):
    wanted = {"portal-web": 3, "portal-worker": 2, "portal-beat": 1, "portal-migrate": 1}
    deadline = time.monotonic() + PATIENCE
    while True:
        pods = [pod["metadata"]["name"] for pod in admin.list_objects("Pod", new_name)]
        found = {name: sum(pod.startswith(f"{name}-") for pod in pods) for name in wanted}
        if found == wanted or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert found == wanted


def test_secrets_are_references_and_never_values():
    paths = list((ROOT / "deploy").rglob("*.yaml"))
    assert len(paths) > 5
    for path in paths:
        for document in yaml.safe_load_all(path.read_text()):
            assert (document or {}).get("kind") != "Secret", path
            assert not (document or {}).get("secretGenerator"), path


def test_every_variable_is_a_setting():
    """A name that the portal does not read would be a setting that does nothing."""
    from portal.env import TABLE

    known = {setting.name for setting in TABLE}
    named = set()
    for path in (ROOT / "deploy").rglob("*.yaml"):
        for document in filter(None, yaml.safe_load_all(path.read_text())):
            for generator in document.get("configMapGenerator", []):
                literals = {line.partition("=")[0] for line in generator.get("literals", [])}
                named |= {name for name in literals if "." not in name}  # the others are files
            containers = document.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])
            named |= {variable["name"] for container in containers for variable in container.get("env", [])}
    assert {name.removesuffix("_FILE") if name not in known else name for name in named} <= known
    assert len(named) > 10
