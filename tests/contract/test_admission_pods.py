"""allotment-pods and allotment-services on a real API server: what no quota counts, for members and controllers."""

import secrets
from collections.abc import Callable

import pytest

from environments.kube import admission, permits
from environments.spec import parse
from tests.contract.arrange import eventually, namespace, real, wait_until_furnished
from tests.contract.somebody import ADMISSION, BASELINE, Somebody, denied, install

pytestmark = pytest.mark.real_cluster

DOMAIN = "pods.example"
GLASS = "platform-emergency"
OPEN = {"key": "example.com/dedicated", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"}
CONTROL_PLANE, MASTER = (
    {"key": f"node-role.kubernetes.io/{name}", "operator": "Exists", "effect": "NoSchedule"}
    for name in ("control-plane", "master")
)
#: What the control plane gives the pods of DaemonSets.
#: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#taints-and-tolerations
OF_DAEMON_SETS = [
    {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": effect}
    for name, effect in (
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
        ("network-unavailable", "NoSchedule"),
    )
]


@pytest.fixture(scope="module")
def plane():
    """A control plane of its own with these policies, and the priority classes of a usual cluster."""
    with real() as endpoint:
        root = Somebody(endpoint, "admin", "system:masters")
        install(endpoint, label_domain=DOMAIN, break_glass=GLASS)
        for name, value in (("urgent", 1000), ("batch", 10), ("idle", -10)):
            body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}}
            assert root("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", body | {"value": value})[0] == 201
        yield endpoint


@pytest.fixture
def furnished(plane) -> Callable[..., str]:
    """Makes a namespace of the portal's with a template's options, and waits until its policies are in force."""
    portal = Somebody(plane, admission.PORTAL, "system:masters")
    made = []

    def make(**options) -> str:
        name = f"pods-{secrets.token_hex(4)}"
        spec = parse({"quota": options.pop("quota", {"pods": "9"}), "admission": options})
        annotations = permits.annotations(spec, "", DOMAIN)
        body = namespace(name, labels=BASELINE | {f"{DOMAIN}/environment": name}, annotations=annotations)
        assert portal("POST", "/api/v1/namespaces", body)[0] == 201
        made.append(name)
        wait_until_furnished(plane.admin_client(), name)
        path = f"/api/v1/namespaces/{name}/services?dryRun=All"
        bad = service(externalIPs=["192.0.2.1"], type="ExternalName", externalName="example.com")
        if not (spec.admission.external_ips or spec.admission.external_names):
            eventually(lambda: denied(member(plane)("POST", path, bad)), "the policies are in force")
        return name

    yield make
    for name in made:
        portal("DELETE", f"/api/v1/namespaces/{name}")


def member(plane, name: str = "dana@example.com") -> Somebody:
    """Somebody with every right: the roles are others' business."""
    return Somebody(plane, name, "system:masters")


def pod(name: str = "web", *, image: str = "registry.example.com/app:1", resources: dict | None = None, **spec) -> dict:
    container = {"name": "main", "image": image} | ({"resources": {"limits": resources}} if resources else {})
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}}
    return body | {"spec": {"containers": [container]} | spec}


def service(**spec) -> dict:
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    return body | {"spec": {"ports": [{"port": 80}]} | spec}


#: What no template permits by itself, and what permits it.
BAD_PODS = {
    "critical": (pod(priorityClassName="system-cluster-critical"), "priority class", "priority_classes"),
    "node critical": (pod(priorityClassName="system-node-critical"), "priority class", "priority_classes"),
    "urgent": (pod(priorityClassName="urgent"), "priority class urgent", "priority_classes"),
    "node": (pod(nodeName="control-plane-1"), "nodeName", "control_plane_nodes"),
    "every taint": (pod(tolerations=[{"operator": "Exists"}]), "every taint", "control_plane_nodes"),
    "every taint of an effect": (
        pod(tolerations=[OPEN, {"operator": "Exists", "effect": "NoSchedule"}]),
        "every taint",
        "control_plane_nodes",
    ),
    "control plane": (pod(tolerations=[CONTROL_PLANE]), "control plane", "control_plane_nodes"),
    "master": (pod(tolerations=[OPEN, MASTER]), "control plane", "control_plane_nodes"),
    "gpu": (pod(resources={"nvidia.com/gpu": "8"}), "extended resources", "extended_resources"),
    "slice": (pod(resources={"nvidia.com/mig-1g.5gb": "1"}), "extended resources", "extended_resources"),
    "shared": (pod(resources={"nvidia.com/gpu.shared": "1"}), "extended resources", "extended_resources"),
    "another vendor": (pod(resources={"amd.com/gpu": "1"}), "extended resources", "extended_resources"),
    "gpu at the start": (
        pod(initContainers=[{"name": "a", "image": "a", "resources": {"limits": {"amd.com/gpu": "1"}}}]),
        "extended resources",
        "extended_resources",
    ),
}
PERMIT = {
    "priority_classes": ["urgent", "system-cluster-critical", "system-node-critical"],
    "control_plane_nodes": True,
    "extended_resources": ["nvidia.com/gpu", "nvidia.com/mig-1g.5gb", "nvidia.com/gpu.shared", "amd.com/gpu"],
}


def test_a_plain_template_permits_none_of_it(plane, furnished):
    path, someone = f"/api/v1/namespaces/{furnished()}/pods", member(plane)
    for what, (body, words, _) in BAD_PODS.items():
        answer = someone("POST", path, body)
        assert denied(answer, words), (what, answer)
    for what, body in {
        "plain": pod(),
        "idle": pod(priorityClassName="idle"),
        "dedicated": pod(tolerations=[OPEN]),
        "as of a DaemonSet": pod(tolerations=OF_DAEMON_SETS),
        "cpu": pod(resources={"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"}),
        "from anywhere": pod(image="nginx"),
    }.items():
        status, answer = someone("POST", f"{path}?dryRun=All", body)
        assert status == 201, (what, answer)


def test_each_option_of_the_template_permits_its_own_and_nothing_else(plane, furnished):
    for option, value in PERMIT.items():
        path, someone = f"/api/v1/namespaces/{furnished(**{option: value})}/pods?dryRun=All", member(plane)
        for what, (body, words, permitted_by) in BAD_PODS.items():
            answer = someone("POST", path, body)
            if permitted_by == option:
                assert not denied(answer), (option, what, answer)
            else:
                assert denied(answer, words), (option, what, answer)


def test_a_quota_that_names_a_gpu_permits_this_gpu(plane, furnished):
    name = furnished(quota={"pods": "9", "requests.nvidia.com/gpu": "0"})
    path, someone = f"/api/v1/namespaces/{name}/pods?dryRun=All", member(plane)
    assert not denied(someone("POST", path, pod(resources={"nvidia.com/gpu": "1"})))
    assert denied(someone("POST", path, pod(resources={"nvidia.com/mig-1g.5gb": "1"})), "extended resources")


@pytest.mark.parametrize(
    ("image", "is_allowed"),
    [
        ("registry.example.com/team/app:1", True),
        ("registry.example.com/team/deep/app@sha256:" + "0" * 64, True),
        ("docker.io/library/nginx:1", True),
        ("nginx", True),
        ("nginx:1@sha256:" + "0" * 64, True),
        ("nginx-evil", False),
        ("evil/nginx", False),
        ("registry.example.com/team-evil/app:1", False),
        ("registry.example.com/other/app:1", False),
        ("registry.example.com:5000/team/app:1", False),
        ("registry.example.com.evil.example/team/app:1", False),
        ("evil.example/registry.example.com/team/app:1", False),
        ("localhost/registry.example.com/team/app", False),
    ],
)
def test_images_come_from_the_registries_that_the_template_lists(plane, from_registries, image, is_allowed):
    someone = member(plane)
    path = f"/api/v1/namespaces/{from_registries}/pods?dryRun=All"
    other = {"name": "other", "image": image}
    good = "registry.example.com/team/app:1"
    for body in (pod(image=image), pod(image=good, initContainers=[other])):
        answer = someone("POST", path, body)
        assert (answer[0] == 201) if is_allowed else denied(answer, "only from registry.example.com/team"), answer


@pytest.fixture(scope="module")
def from_registries(plane):
    portal = Somebody(plane, admission.PORTAL, "system:masters")
    name, listed = f"pods-{secrets.token_hex(4)}", ["registry.example.com/team", "docker.io/library/nginx"]
    spec = parse({"quota": {"pods": "9"}, "admission": {"image_registries": listed}})
    annotations = permits.annotations(spec, "", DOMAIN)
    labels = BASELINE | {f"{DOMAIN}/environment": name}
    assert portal("POST", "/api/v1/namespaces", namespace(name, labels=labels, annotations=annotations))[0] == 201
    wait_until_furnished(plane.admin_client(), name)
    path = f"/api/v1/namespaces/{name}/pods?dryRun=All"
    eventually(lambda: denied(member(plane)("POST", path, pod(image="evil/x"))), "the policies are in force")
    return name


def test_a_running_pod_gets_no_other_image_and_no_debugger_from_elsewhere(plane, from_registries):
    someone, pods = member(plane), f"/api/v1/namespaces/{from_registries}/pods"
    assert someone("POST", pods, pod("running", image="registry.example.com/team/app:1"))[0] == 201
    merge = "application/strategic-merge-patch+json"
    change = {"spec": {"containers": [{"name": "main", "image": "evil/app:1"}]}}
    assert denied(someone("PATCH", f"{pods}/running", change, merge))
    debugger = {"spec": {"ephemeralContainers": [{"name": "debug", "image": "evil/debug"}]}}
    assert denied(someone("PATCH", f"{pods}/running/ephemeralcontainers", debugger, merge))
    debugger["spec"]["ephemeralContainers"][0]["image"] = "nginx"
    assert someone("PATCH", f"{pods}/running/ephemeralcontainers", debugger, merge)[0] == 200
    tolerate = {"spec": {"tolerations": [*OF_DAEMON_SETS[:2], {"operator": "Exists"}]}}
    assert denied(someone("PATCH", f"{pods}/running", tolerate, merge), "every taint")


def test_what_leaves_the_spec_as_it_is_passes_even_for_a_pod_from_before(plane, furnished):
    """Controllers label pods, adopt them and take their finalizers away."""
    name = furnished()
    glass = Somebody(plane, "ada@example.com", GLASS, "system:masters")
    pods, someone = f"/api/v1/namespaces/{name}/pods", member(plane)
    assert glass("POST", pods, pod("older", priorityClassName="urgent", tolerations=[CONTROL_PLANE]))[0] == 201
    label = {"metadata": {"labels": {"a": "b"}, "finalizers": ["example.com/x"]}}
    assert someone("PATCH", f"{pods}/older", label, "application/merge-patch+json")[0] == 200
    status = {"status": {"message": "Hello"}}
    assert someone("PATCH", f"{pods}/older/status", status, "application/merge-patch+json")[0] == 200
    free = {"metadata": {"finalizers": []}}
    assert someone("PATCH", f"{pods}/older", free, "application/merge-patch+json")[0] == 200
    assert someone("DELETE", f"{pods}/older")[0] == 200


@pytest.mark.parametrize(
    "controller",
    [
        "system:serviceaccount:kube-system:replicaset-controller",
        "system:serviceaccount:kube-system:daemon-set-controller",
        "system:kube-controller-manager",
        admission.PORTAL,
    ],
)
def test_controllers_are_bound_too(plane, furnished, controller):
    path, someone = f"/api/v1/namespaces/{furnished()}/pods?dryRun=All", Somebody(plane, controller, "system:masters")
    for what, (body, words, _) in BAD_PODS.items():
        assert denied(someone("POST", path, body), words), what
    assert someone("POST", path, pod(tolerations=OF_DAEMON_SETS))[0] == 201


def test_a_deployment_gets_no_pod_that_its_author_could_not_make(plane, furnished):
    name, someone = furnished(), member(plane)
    spec = pod(tolerations=[CONTROL_PLANE])
    template = {"metadata": {"labels": {"app": "web"}}, "spec": spec["spec"]}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    body["spec"] = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    deployments = f"/apis/apps/v1/namespaces/{name}/deployments"
    assert someone("POST", deployments, body)[0] == 201

    def failure() -> list[str]:
        conditions = someone("GET", f"{deployments}/web")[1].get("status", {}).get("conditions", [])
        return [each["message"] for each in conditions if each["type"] == "ReplicaFailure"]

    assert "Pods cannot tolerate every taint" in eventually(failure, "the controller says why")[0]
    assert someone("GET", f"/api/v1/namespaces/{name}/pods")[1]["items"] == []


def test_services_lead_nowhere_else(plane, furnished):
    path, someone = f"/api/v1/namespaces/{furnished()}/services", member(plane)
    assert denied(someone("POST", path, service(externalIPs=["192.0.2.1"])), "externalIPs")
    outside = service(type="ExternalName", externalName="metadata.example.com")
    assert denied(someone("POST", path, outside), "ExternalName")
    assert someone("POST", path, service())[0] == 201
    patch = {"spec": {"externalIPs": ["192.0.2.1"]}}
    assert denied(someone("PATCH", f"{path}/web", patch, "application/merge-patch+json"), "externalIPs")
    assert someone("PATCH", f"{path}/web", {"spec": {"type": "LoadBalancer"}}, "application/merge-patch+json")[0] == 200


def test_services_may_where_the_template_says_so(plane, furnished):
    someone = member(plane)
    path = f"/api/v1/namespaces/{furnished(external_ips=True)}/services?dryRun=All"
    assert someone("POST", path, service(externalIPs=["192.0.2.1"]))[0] == 201
    outside = service(type="ExternalName", externalName="db.example.com")
    eventually(lambda: denied(someone("POST", path, outside), "ExternalName"), "the policies are in force")
    path = f"/api/v1/namespaces/{furnished(external_names=True)}/services?dryRun=All"
    assert someone("POST", path, outside)[0] == 201


def test_no_member_permits_it_themselves(plane, furnished):
    name, someone = furnished(), member(plane)
    for key in permits.annotations(parse({"quota": {"pods": "1"}, "admission": PERMIT}), "", DOMAIN):
        patch = {"metadata": {"annotations": {key: "true"}}}
        answer = someone("PATCH", f"/api/v1/namespaces/{name}", patch, "application/merge-patch+json")
        assert denied(answer, "These annotations of the namespace are the portal's"), key


def test_in_an_emergency_and_in_other_namespaces_all_is_as_without(plane, furnished):
    name, glass = furnished(), Somebody(plane, "ada@example.com", GLASS, "system:masters")
    for where, someone in ((name, glass), ("default", member(plane))):
        wait_until_furnished(plane.admin_client(), where)
        for what, (body, _, _) in BAD_PODS.items():
            assert not denied(someone("POST", f"/api/v1/namespaces/{where}/pods?dryRun=All", body)), (where, what)
        body = service(externalIPs=["192.0.2.1"])
        assert someone("POST", f"/api/v1/namespaces/{where}/services?dryRun=All", body)[0] == 201


def test_the_api_server_finds_nothing_wrong_with_the_expressions(plane):
    root = member(plane)
    for name in ("allotment-pods", "allotment-services"):

        def checked(name=name) -> dict | None:
            found = root("GET", f"{ADMISSION}/validatingadmissionpolicies/{name}")[1]
            return found if found.get("status", {}).get("observedGeneration") else None

        found = eventually(checked, f"{name} is checked")
        assert found["status"].get("typeChecking", {}).get("expressionWarnings", []) == []
