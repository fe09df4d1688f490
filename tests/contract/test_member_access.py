"""What members can really do, on each kind of cluster: as the holders of the files that the portal hands out."""

import base64
import json
import os
import subprocess
import time
from collections.abc import Callable

import pytest
import yaml

from environments import actions
from environments.actions import access_tokens, memberships
from environments.catalog.files import read
from environments.kube.client import ClusterClient
from environments.lib.errors import PermanentError, ReconcileError
from environments.lib.phases import Phase, Role
from environments.management.commands.import_templates import SEEDS
from environments.models import Cluster, Directory, User
from portal.demo import controlplane
from tests.arranging import settle
from tests.contract.arrange import PATIENCE
from tests.templates import publish

pytestmark = pytest.mark.django_db

PROMISED = 15.0  # seconds after which a removed member is refused; the API server keeps a deleted account for ten


class Holder:
    """Somebody with nothing but a kubeconfig file."""

    credential_kind = "kubeconfig"
    server = certificate_authority = ""

    def __init__(self, text: str) -> None:
        self.credential = text


@pytest.fixture
def cast():
    return {name: User.objects.create(username=name, email=f"{name}@example.com") for name in ("dana", "theo", "vera")}


@pytest.fixture
def environment(cluster_endpoint, cast, admin):
    """Dana's environment, with a developer and a viewer."""
    way = cluster_endpoint.portal
    row = Cluster.objects.create(
        slug="c",
        name="C",
        server=way.server,
        credential=way.credential,
        certificate_authority=way.certificate_authority,
    )
    Directory.objects.create(name="Local", kind=Directory.Kind.LOCAL, is_default=True)
    made = actions.request_environment(
        cast["dana"],
        actions.Draft(
            version=publish(read(SEEDS / "namespace.yaml")),
            name="member access",
            cluster=row,
            parameters={"cpu": "2000m", "memory": "2048Mi"},
            collaborators={"theo@example.com": Role.DEVELOPER, "vera@example.com": Role.VIEWER},
        ),
    )
    assert settle(made).phase == Phase.READY
    yield made
    admin.delete("Namespace", made.namespace)


def holder(environment, person) -> ClusterClient:
    """A client from the file that the portal hands to this member."""
    return ClusterClient(Holder(access_tokens.issue(environment, person, hours=1)))


def deployment(namespace: str) -> dict:
    container = {"name": "web", "image": "registry.example.com/web:1"}
    labels = {"app": "web"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def once_let_in(client: ClusterClient, manifest: dict) -> dict:
    """Create an object as soon as the authorizer has seen the member's new account."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return client.create(manifest)
        except PermanentError as error:
            if error.reason != "Forbidden" or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def forbidden(namespace: str) -> list[dict]:
    """What no member may write: the fences, other bindings, and anything elsewhere."""
    meta = {"name": "mine", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "environment-admin"}
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": meta,
            "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]},
        },
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": {"pods": "999"}}},
        {"apiVersion": "v1", "kind": "LimitRange", "metadata": meta, "spec": {"limits": []}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta, "roleRef": role},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mine"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine", "namespace": "default"}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "mine", "namespace": "allotment"}},
    ]


def test_an_owner_and_a_developer_work_and_reach_nothing_beyond(environment, cast):
    for name in ("dana", "theo"):
        client = holder(environment, cast[name])
        manifest = deployment(environment.namespace)
        manifest["metadata"]["name"] = f"web-{name}"
        once_let_in(client, manifest)
        for wanted in forbidden(environment.namespace):
            with pytest.raises(PermanentError) as refused:
                client.create(wanted)
            assert refused.value.reason == "Forbidden", wanted["kind"]
        for kind, thing in (("NetworkPolicy", "deny-all"), ("ResourceQuota", "environment-quota")):
            with pytest.raises(PermanentError):
                client.delete(kind, thing, environment.namespace)
        with pytest.raises(PermanentError):
            list(client.list_objects("Secret", "allotment"))


def test_a_viewer_only_reads(environment, cast):
    once_let_in(holder(environment, cast["dana"]), deployment(environment.namespace))
    vera = holder(environment, cast["vera"])
    deadline = time.monotonic() + PATIENCE
    seen = None
    while seen is None:
        try:
            seen = vera.get("Deployment", "web", environment.namespace)
        except PermanentError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    with pytest.raises(PermanentError):
        vera.create(deployment(environment.namespace))
    with pytest.raises(PermanentError):
        vera.delete("Deployment", "web", environment.namespace)
    with pytest.raises(PermanentError):
        list(vera.list_objects("Secret", environment.namespace))


def refusal(call: Callable[[], object]) -> str:
    """The reason with which a call is refused, within the promised time."""
    start = time.monotonic()
    while time.monotonic() - start < PROMISED:
        try:
            call()
        except ReconcileError as error:
            return error.reason
        time.sleep(0.05)
    return "never refused"


def test_a_removed_member_is_refused_within_the_promised_time(environment, cast):
    theo = holder(environment, cast["theo"])
    once_let_in(theo, deployment(environment.namespace))
    memberships.remove_member(environment, cast["dana"], "theo@example.com")
    settle(environment)
    reason = refusal(lambda: theo.get("Deployment", "web", environment.namespace))
    assert reason in ("Forbidden", "Unauthorized")


def test_a_revoked_token_is_refused_within_the_promised_time(environment, cast):
    theo = holder(environment, cast["theo"])
    once_let_in(theo, deployment(environment.namespace))
    access_tokens.revoke(environment, cast["theo"])
    assert refusal(theo.version) == "Unauthorized"


def test_the_token_ends_when_it_was_said_to(environment, cast):
    config = yaml.safe_load(access_tokens.issue(environment, cast["dana"], hours=2))
    payload = config["users"][0]["user"]["token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["exp"] - claims["iat"] == 2 * 3600


@pytest.mark.parametrize("cluster_endpoint", [pytest.param("real", marks=pytest.mark.real_cluster)], indirect=True)
def test_the_file_is_one_that_kubectl_takes(environment, cast, tmp_path):
    kubectl = controlplane.assets() / "kubectl"
    if not os.access(kubectl, os.X_OK):
        pytest.skip(f"there is no kubectl beside the control plane in {kubectl.parent}")
    file = tmp_path / "kubeconfig"
    file.write_text(access_tokens.issue(environment, cast["dana"], hours=1))
    manifest = deployment(environment.namespace)
    del manifest["metadata"]["namespace"]  # the file's own is used
    once_let_in(ClusterClient(Holder(file.read_text())), deployment(environment.namespace))

    def run(*arguments: str, given: str = "") -> subprocess.CompletedProcess:
        command = [str(kubectl), f"--kubeconfig={file}", *arguments]
        return subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=30)

    applied = run("apply", "--server-side", "--force-conflicts", "-f", "-", given=json.dumps(manifest))
    assert applied.returncode == 0, applied.stderr
    assert "web" in run("get", "deployments").stdout
    denied = run("delete", "networkpolicy", "deny-all")
    assert denied.returncode != 0
    assert "forbidden" in denied.stderr
