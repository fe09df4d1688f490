"""allotment-labels on a real API server: only the portal sets its labels on the kinds that it lists."""

import secrets

import pytest

from environments import spec
from environments.kube import admission, manifests
from environments.kube.client import RESOURCES, Question
from environments.kube.kinds import path_of
from environments.spec.extra_checks import KINDS
from tests.contract.arrange import desired, eventually, namespace, real, wait_until_furnished
from tests.contract.gateway import install_gateway
from tests.contract.somebody import BASELINE, Somebody, denied, install

pytestmark = pytest.mark.real_cluster

DOMAIN = "example.org"  # of `desired`
ENVIRONMENT = f"{DOMAIN}/environment"
MERGE = "application/merge-patch+json"
OURS = {manifests.MANAGED_BY_LABEL: manifests.MANAGED_BY}
WORDS = "These labels are the portal's"
POD = {"containers": [{"name": "main", "image": "registry.example.com/app:1"}], "restartPolicy": "Never"}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": POD | {"restartPolicy": "Always"}}
WORKLOAD = {"selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}

GOVERNING = ("ResourceQuota", "LimitRange", "NetworkPolicy", "Role", "RoleBinding")

#: What a member makes of each kind; what is not in `spec` is beside it.
CONTENT = {
    "ResourceQuota": {"spec": {"hard": {"pods": "9"}}},
    "LimitRange": {"spec": {"limits": []}},
    "NetworkPolicy": {"spec": {"podSelector": {}}},
    "RoleBinding": {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [],
    },
    "ServiceAccount": {},
    "Role": {"rules": []},
    "Service": {"spec": {"ports": [{"port": 80}], "selector": {"app": "web"}}},
    "PersistentVolumeClaim": {"spec": CLAIM},
    "Deployment": {"spec": WORKLOAD},
    "StatefulSet": {"spec": WORKLOAD | {"serviceName": "web"}},
    "Job": {"spec": {"template": {"spec": POD}}},
    "CronJob": {"spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": {"spec": POD}}}}},
    "HorizontalPodAutoscaler": {
        "spec": {"maxReplicas": 2, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}
    },
    "PodDisruptionBudget": {"spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}},
    "Ingress": {"spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}},
    "HTTPRoute": {"spec": {"hostnames": ["web.example.com"]}},
}


@pytest.fixture(scope="module")
def plane():
    with real() as endpoint:
        install_gateway(endpoint)
        install(endpoint, label_domain=DOMAIN, break_glass="platform-emergency")
        yield endpoint


@pytest.fixture
def member(plane):
    """Somebody with every right: the roles are others' business."""
    return Somebody(plane, "dana@example.com", "system:masters")


@pytest.fixture
def by_portal(plane):
    return Somebody(plane, admission.PORTAL, "system:masters")


@pytest.fixture
def ours(plane, by_portal):
    """A namespace of the portal's."""
    name = f"labels-{secrets.token_hex(4)}"
    body = namespace(name, labels=OURS | BASELINE | {ENVIRONMENT: name})
    assert by_portal("POST", "/api/v1/namespaces", body)[0] == 201
    wait_until_furnished(plane.admin_client(), name)
    yield name
    by_portal("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def theirs(plane, member):
    """A namespace that the portal has nothing to do with."""
    name = f"labels-{secrets.token_hex(4)}"
    assert member("POST", "/api/v1/namespaces", namespace(name))[0] == 201
    wait_until_furnished(plane.admin_client(), name)
    yield name
    member("DELETE", f"/api/v1/namespaces/{name}")


def made(kind: str, name: str = "web", **labels: str) -> dict:
    resource = RESOURCES[kind]
    version = resource.prefix.removeprefix("/apis/").removeprefix("/api/")
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": labels}} | CONTENT[kind]


def test_every_kind_that_the_portal_lists_is_tried_here():
    listed = {"ResourceQuota", "LimitRange", "NetworkPolicy", "RoleBinding", *KINDS} - {"ConfigMap"}
    assert set(CONTENT) == listed


@pytest.mark.parametrize("kind", CONTENT)
def test_no_object_of_a_member_bears_the_portals_labels(ours, theirs, member, kind):
    forged = ({**OURS}, {ENVIRONMENT: "mine"}, {f"{DOMAIN}/extra": "true"})
    # In the portal's namespaces, other policies say that first of what governs them: tests/contract/test_admission.py.
    for where in (theirs,) if kind in GOVERNING else (ours, theirs):
        path = path_of(kind, where)
        for labels in forged:
            assert denied(member("POST", path, made(kind, **labels)), WORDS), (where, labels)
        status, answer = member("POST", path, made(kind, **{manifests.MANAGED_BY_LABEL: "Helm", "app": "web"}))
        assert status == 201, answer
        for labels in forged:
            answer = member("PATCH", f"{path}/web", {"metadata": {"labels": labels}}, MERGE)
            assert denied(answer, WORDS), (where, labels)
        own = {"metadata": {"labels": {"team": "x", manifests.MANAGED_BY_LABEL: None}}}
        assert member("PATCH", f"{path}/web", own, MERGE)[0] == 200
        assert member("DELETE", f"{path}/web")[0] in (200, 202)


def test_no_namespace_of_others_bears_them(theirs, member):
    assert denied(member("POST", "/api/v1/namespaces", namespace("labels-forged", labels=OURS)), WORDS)
    for subresource in ("", "/status"):
        answer = member("PATCH", f"/api/v1/namespaces/{theirs}{subresource}", {"metadata": {"labels": OURS}}, MERGE)
        assert denied(answer, WORDS), subresource


def test_what_the_portal_labelled_a_member_may_change_but_for_the_labels(ours, member, by_portal):
    path = path_of("Deployment", ours)
    labels = OURS | {ENVIRONMENT: ours, "app": "web"}
    assert by_portal("POST", path, made("Deployment", **labels))[0] == 201
    for change in (
        {"spec": {"replicas": 2}},
        {"metadata": {"labels": {"team": "x"}, "annotations": {"a": "b"}}},
    ):
        assert member("PATCH", f"{path}/web", change, MERGE)[0] == 200
    assert member("PATCH", f"{path}/web/scale", {"spec": {"replicas": 1}}, MERGE)[0] == 200
    for labels in ({ENVIRONMENT: None}, {manifests.MANAGED_BY_LABEL: "Helm"}, {ENVIRONMENT: "another"}):
        assert denied(member("PATCH", f"{path}/web", {"metadata": {"labels": labels}}, MERGE), WORDS), labels
    assert by_portal("PATCH", f"{path}/web", {"metadata": {"labels": {ENVIRONMENT: "another"}}}, MERGE)[0] == 200
    assert member("DELETE", f"{path}/web")[0] == 200


def test_no_controller_makes_what_its_author_could_not(ours, member, plane):
    """A StatefulSet says which labels its claims get."""
    claim = {"metadata": {"name": "data", "labels": OURS}, "spec": CLAIM}
    body = made("StatefulSet")
    body["spec"] = body["spec"] | {"volumeClaimTemplates": [claim]}
    assert member("POST", path_of("StatefulSet", ours), body)[0] == 201

    def refused() -> bool:
        _, found = member("GET", path_of("Event", ours))
        return any(WORDS in each.get("message", "") for each in found["items"])

    eventually(refused, "the controller says why")
    assert member("GET", path_of("PersistentVolumeClaim", ours))[1]["items"] == []


OBJECTS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: registry.example.com/app:1}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""


def test_a_templates_own_deployment_and_service_roll_out(plane, member):
    """Down to the pod and the EndpointSlice, to which a controller copies the labels of the Service."""
    portal, name = plane.client(), f"labels-{secrets.token_hex(4)}"
    wanted = desired(name, spec=spec.parse({"quota": {"pods": "3"}, "manifests": OBJECTS}), bindings=())
    portal.apply(manifests.namespace(wanted))
    portal.apply(manifests.portal_binding(wanted, portal.whoami()))
    question = Question("patch", "deployments", "apps", name)
    eventually(lambda: portal.may_i(question).allowed, "the binding is known")
    wait_until_furnished(plane.admin_client(), name)
    for manifest in manifests.all_manifests(wanted):
        portal.apply(manifest)

    def listed(path: str) -> list[dict]:
        return member("GET", path)[1]["items"]

    pods = eventually(lambda: listed(path_of("Pod", name)), "the Deployment has its pod")
    assert [each["metadata"]["labels"]["app"] for each in pods] == ["web"]
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{name}/endpointslices"
    found = eventually(lambda: listed(slices), "the Service has its EndpointSlice")
    assert found[0]["metadata"]["labels"][ENVIRONMENT] == wanted.environment_id
    status = eventually(lambda: member("GET", path_of("Deployment", name, "web"))[1].get("status"), "it has a status")
    assert status["observedGeneration"] >= 1
    assert portal.delete("Namespace", name)
    eventually(lambda: plane.admin_client().get("Namespace", name) is None, "the namespace is gone")


def test_in_an_emergency_all_is_as_without(plane, ours):
    glass = Somebody(plane, "ada@example.com", "platform-emergency", "system:masters")
    assert glass("POST", f"{path_of('Service', ours)}?dryRun=All", made("Service", **OURS))[0] == 201


def test_the_api_server_finds_nothing_wrong_with_the_expressions(plane):
    admin = plane.admin_client()

    def checked() -> dict | None:
        found = admin.get("ValidatingAdmissionPolicy", "allotment-labels")
        return found if found.get("status", {}).get("observedGeneration") else None

    status = eventually(checked, "the policy is checked")["status"]
    assert status.get("typeChecking", {}).get("expressionWarnings", []) == []
