"""What a template would make, tried in the workbench: what the cluster refuses stands at the place where it is written.

Clusters of their own: what this module installs refuses things that other tests of this folder make.
"""

import time

import pytest

from environments import spec as template_spec
from environments.actions import publishing
from environments.catalog import templates as template_actions
from environments.catalog.files import read
from environments.catalog.forms import SpecForms
from environments.kube import admission, manifests
from environments.kube.client import ClusterClient
from environments.lib.errors import PermanentError
from environments.management.commands.import_templates import SEEDS
from environments.models import Cluster, ClusterVerdict, PublishCheck, Template, TemplateVersion
from environments.reconcile import workbench
from environments.reconcile.workbench import Workbench
from tests.contract.arrange import ClusterEndpoint, eventually, namespace, quota

DOMAIN = "example.org"
NAME = "allotment-workbench"
REAL = pytest.param("real", marks=pytest.mark.real_cluster)
LIMITS = {"default": {"cpu": "100m", "memory": "64Mi"}, "default_request": {"cpu": "50m", "memory": "32Mi"}}


@pytest.fixture(scope="module", params=["simulated", REAL])
def cluster_endpoint(request) -> ClusterEndpoint:
    return request.getfixturevalue(f"own_{request.param}")


@pytest.fixture
def bench(portal) -> Workbench:
    return Workbench(portal, NAME, DOMAIN)


def content(**data) -> template_spec.TemplateSpec:
    return template_spec.parse({"quota": {"pods": "10", "services": "5"}} | data)


def tried(bench: Workbench, spec: template_spec.TemplateSpec) -> list[tuple]:
    """Everything that is refused of all samples: the place and the sentence."""
    assert not spec.objections(), "the portal's own rules take it"
    found: list[tuple] = []
    for sample in workbench.samples(spec):
        tries = 0
        while (attempt := workbench.attempt(bench, spec, sample, tries)).wait:
            time.sleep(attempt.wait)
            tries += 1
        found += [each for each in attempt.refusals if each not in found]
    return found


def places(bench: Workbench, spec: template_spec.TemplateSpec) -> list[tuple]:
    return [place for place, _ in tried(bench, spec)]


def document(kind: str, api_version: str, body: str, name: str = "web") -> str:
    return f"apiVersion: {api_version}\nkind: {kind}\nmetadata:\n  name: {name}\n{body}"


SERVICE = document("Service", "v1", "spec:\n  selector: {app: web}\n  ports:\n    - {port: 80}\n")


def deny(
    endpoint: ClusterEndpoint, admin: ClusterClient, kind: str, plural: str, expression: str, applies, group=""
) -> str:
    """A policy of the cluster's own, in force: `expression` is what must hold, `applies` the same turned round."""
    name, said = f"house-rule-{plural}", f"The house takes no such {plural}."
    if endpoint.denials is not None:
        endpoint.denials.add(name, kind, said, applies)
        return name
    api = "admissionregistration.k8s.io/v1"
    rule = {"apiGroups": [group], "apiVersions": ["*"], "resources": [plural], "operations": ["CREATE", "UPDATE"]}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": expression, "message": said}],
    }
    admin.apply({"apiVersion": api, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": spec})
    binding = {"policyName": name, "validationActions": ["Deny"]}
    kind_ = "ValidatingAdmissionPolicyBinding"
    admin.apply({"apiVersion": api, "kind": kind_, "metadata": {"name": name}, "spec": binding})
    return name


def lift(endpoint: ClusterEndpoint, admin: ClusterClient, name: str, probe: dict) -> None:
    """Take the policy away again, and wait until what it refuses is taken: other tests of this module follow."""
    if endpoint.denials is not None:
        endpoint.denials.clear()
        return
    for kind in ("ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy"):
        admin.delete(kind, name)
    eventually(lambda: not is_refused(admin, probe), "the policy is not in force any more")


def is_refused(admin: ClusterClient, manifest: dict) -> bool:
    try:
        admin.apply(manifest, dry_run=True)
    except PermanentError:
        return True
    return False


def in_force(admin: ClusterClient, manifest: dict) -> None:
    eventually(lambda: is_refused(admin, manifest), "the policy is in force")


def test_what_the_cluster_takes_is_taken_in_every_size(bench):
    sizes = [{"name": "small", "quota": {"requests.cpu": "1"}}, {"name": "large", "quota": {"requests.cpu": "4"}}]
    parameter = {"name": "replicas", "type": "integer", "default": "1", "choices": ["1", "2"]}
    workload = document(
        "Deployment",
        "apps/v1",
        "spec:\n  replicas: ${replicas}\n  selector: {matchLabels: {app: web}}\n  template:\n"
        "    metadata: {labels: {app: web}}\n    spec:\n      containers:\n"
        "        - {name: web, image: registry.example.com/web}\n",
    )
    role = document(
        "Role", "rbac.authorization.k8s.io/v1", "rules:\n  - {apiGroups: [''], resources: [pods], verbs: [get]}\n"
    )
    spec = content(
        sizes=sizes,
        parameters=[parameter],
        limits=LIMITS,
        manifests="---\n".join((SERVICE, workload, role)),
        automount_token=False,
        network={"egress": [{"cidr": "10.0.0.0/8"}], "ingress": [{"label": "team", "value": "payments"}]},
    )
    assert [(each.size, each.words) for each in workbench.samples(spec)] == [
        ("small", ""),
        ("large", ""),
        ("small", "Replicas: 2"),
    ]
    assert tried(bench, spec) == []


def test_nothing_of_it_stays_but_the_workbench_and_nothing_can_run_there(bench, admin):
    assert places(bench, content(manifests=SERVICE)) == []
    workbench.tidy(bench)
    assert admin.get("Service", "web", NAME) is None
    live = admin.get("Namespace", NAME)
    assert live["metadata"]["labels"][manifests.environment_label(DOMAIN)] == "workbench"
    assert live["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert admin.get("ResourceQuota", manifests.QUOTA, NAME)["spec"]["hard"] == {"pods": "0"}
    assert [each["metadata"]["name"] for each in admin.list_objects("NetworkPolicy", NAME)] == ["deny-all"]
    bound = admin.get("RoleBinding", manifests.PORTAL_BINDING, NAME)
    assert bound["roleRef"]["name"] == "environment-admin"
    assert [each["name"] for each in bound["subjects"]] == ["system:serviceaccount:allotment:portal"]


def test_a_resource_that_only_this_cluster_does_not_count_is_told_at_its_figure(bench):
    sizes = [{"name": "small", "quota": {"count/widgets.example.com": "5"}}, {"name": "large", "quota": {"pods": "20"}}]
    found = tried(bench, content(sizes=sizes))
    assert found == [
        (
            ("sizes", 0, "quota", "count/widgets.example.com"),
            "This cluster never counts count/widgets.example.com, so the quota does not limit it.",
        )
    ]


def test_an_object_that_the_api_server_refuses_is_told_at_its_line(bench):
    wrong = document(
        "Deployment",
        "apps/v1",
        "spec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata:\n      labels: {app: other}\n"
        "    spec:\n      containers:\n        - {name: web, image: registry.example.com/web}\n",
    )
    [(place, sentence)] = tried(bench, content(manifests=wrong, limits=LIMITS))
    assert place == ("manifests", 9)
    assert sentence.startswith("Line 9, Deployment web: The cluster rejects the value: Invalid value: ")
    assert "`selector` does not match template `labels`" in sentence


def test_an_object_that_its_own_quota_has_no_room_for_is_told(bench):
    claim = document(
        "PersistentVolumeClaim",
        "v1",
        "spec:\n  accessModes: [ReadWriteOnce]\n  resources: {requests: {storage: 20Gi}}\n",
        "data",
    )
    spec = content(quota={"requests.storage": "10Gi"}, manifests=claim)
    [(place, sentence)] = tried(bench, spec)
    assert place == ("manifests", 1)
    assert "exceeded quota: environment-quota" in sentence


def test_what_a_policy_of_the_cluster_refuses_of_the_quota_is_told_at_its_figure(cluster_endpoint, bench, admin):
    def applies(found, home):
        return "services" in found["spec"].get("hard", {})

    probe = quota("default", {"services": "1"}, "probe")
    rule = deny(
        cluster_endpoint, admin, "ResourceQuota", "resourcequotas", "!('services' in object.spec.hard)", applies
    )
    try:
        in_force(admin, probe)
        [(place, sentence)] = tried(bench, content())
        assert place == ("quota",)
        assert sentence == (
            'The cluster rejected the request (422): resourcequotas "environment-quota" is forbidden: '
            f"ValidatingAdmissionPolicy '{rule}' with binding '{rule}' denied request: "
            "The house takes no such resourcequotas."
        )
        assert admin.get("ResourceQuota", manifests.QUOTA, NAME)["spec"]["hard"] == {"pods": "0"}
        assert tried(bench, content(quota={"pods": "10"})) == []
    finally:
        lift(cluster_endpoint, admin, rule, probe)


def test_what_a_policy_refuses_of_the_namespace_is_told_at_the_label(cluster_endpoint, bench, admin):
    def applies(found, home):
        return found["metadata"].get("labels", {}).get("tier") == "gold"

    expression = (
        "!has(object.metadata.labels) || !('tier' in object.metadata.labels) || object.metadata.labels.tier != 'gold'"
    )
    probe = namespace("probe", labels={"tier": "gold"})
    rule = deny(cluster_endpoint, admin, "Namespace", "namespaces", expression, applies)
    try:
        in_force(admin, probe)
        [(place, sentence)] = tried(bench, content(labels={"tier": "gold"}, manifests=SERVICE))
        assert place == ("naming", "namespace")
        assert "The house takes no such namespaces." in sentence
        assert tried(bench, content(labels={"tier": "silver"}, manifests=SERVICE)) == []
    finally:
        lift(cluster_endpoint, admin, rule, probe)


def test_the_options_of_the_template_are_in_force_when_its_objects_are_tried(cluster_endpoint, bench, admin):
    """A policy that reads the namespace's annotations, as those of deploy/admission do."""
    key = f"{DOMAIN}/external-names"

    def applies(found, home):
        return (home["metadata"].get("annotations") or {}).get(key) != "true"

    expression = (
        "has(namespaceObject.metadata.annotations) "
        f"&& namespaceObject.metadata.annotations[?'{key}'].orValue('') == 'true'"
    )
    rule = deny(cluster_endpoint, admin, "Service", "services", expression, applies)
    probe = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "probe", "namespace": "default"}}
    probe["spec"] = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    try:
        in_force(admin, probe)
        allowed = content(manifests=SERVICE, admission={"external_names": True})
        assert tried(bench, allowed) == []
        [(place, sentence)] = tried(bench, content(manifests=SERVICE))
        assert place == ("manifests", 1)
        assert "The house takes no such services." in sentence
        assert tried(bench, allowed) == []
    finally:
        lift(cluster_endpoint, admin, rule, probe)


def test_with_the_policies_of_the_portal_the_workbench_works_and_privileged_is_told(bench, portal, admin):
    documents = admission.documents(label_domain=DOMAIN)
    for each in documents:
        admin.apply(each)
    try:
        eventually(lambda: not admission.not_refused(portal), "the policies are in force")
        spec = content(manifests=SERVICE, limits=LIMITS)
        assert tried(bench, spec) == []
        workbench.tidy(bench)
        [(place, sentence)] = tried(bench, content(pod_security={"enforce": "privileged"}))
        assert place == ("pod_security", "enforce")
        assert "The portal's account sets only these Pod Security levels: baseline, restricted." in sentence
        assert admin.get("Namespace", NAME)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    finally:
        for each in reversed(documents):
            admin.delete(each["kind"], each["metadata"]["name"])
        eventually(lambda: admission.not_refused(portal), "the policies are gone")


def test_a_namespace_of_somebody_else_is_not_touched(portal, admin, new_name):
    admin.create(namespace(new_name, labels={"mine": "yes"}))
    before = admin.get("Namespace", new_name)
    bench = Workbench(portal, new_name, DOMAIN)
    with pytest.raises(PermanentError, match="it is not the portal's workbench"):
        workbench.attempt(bench, content(), workbench.samples(content())[0], 0)
    assert admin.get("Namespace", new_name) == before
    assert list(admin.list_objects("ResourceQuota", new_name)) == []


def test_a_workbench_that_somebody_deleted_is_made_again(bench, admin):
    assert tried(bench, content()) == []
    admin.delete("Namespace", NAME)
    eventually(lambda: admin.get("Namespace", NAME) is None, "the workbench is gone")
    assert tried(bench, content(manifests=SERVICE)) == []


@pytest.mark.parametrize("path", sorted(SEEDS.glob("*.yaml")), ids=lambda path: path.stem)
def test_what_the_portal_ships_is_taken(bench, path):
    spec = read(path).spec
    assert workbench.samples(spec)
    assert tried(bench, spec) == []


@pytest.mark.django_db
def test_a_refusal_stands_in_the_cell_of_the_draft_and_mended_it_is_published(cluster_endpoint, ada, enqueued):
    """From the button to the field, as an admin meets it."""
    way = cluster_endpoint.portal
    place = {"server": way.server, "credential": way.credential, "certificate_authority": way.certificate_authority}
    Cluster.objects.create(slug="c", name="Amsterdam", workbench_namespace="their-workbench", **place)
    template = Template.objects.create(slug="small", name="Small", summary="A small one.")
    size = {"name": "small", "quota": {"count/widgets.example.com": "5"}}
    draft = template_actions.first_draft(template, ada, content(sizes=[size]), "New.")

    def check() -> PublishCheck:
        publishing.publish(draft, ada)
        verdict = ClusterVerdict.objects.get()
        turn, wait = publishing.go_on(verdict.pk, str(verdict.run), 0) or (0, 0.0)
        while turn:
            time.sleep(wait)
            turn, wait = publishing.go_on(verdict.pk, str(verdict.run), turn) or (0, 0.0)
        return PublishCheck.objects.get()

    assert check().state == PublishCheck.State.REFUSED
    forms = SpecForms(draft.parsed())
    forms.show(publishing.objections(draft))
    row = next(row for row in forms.quota.forms if row.text("resource") == "count/widgets.example.com")
    sentence = "This cluster never counts count/widgets.example.com, so the quota does not limit it."
    assert row.errors == {"size_0": [f"Amsterdam: {sentence}"]}
    template_actions.save_draft(draft, content(sizes=[size | {"quota": {"pods": "5"}}]), "New.", ada)
    assert check().state == PublishCheck.State.PUBLISHED
    draft.refresh_from_db()
    assert (draft.state, draft.published_by) == (TemplateVersion.State.PUBLISHED, ada)
