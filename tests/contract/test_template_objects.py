"""A template's own objects, made by the portal's least-privileged account: what it can do, and what it cannot."""

from dataclasses import replace
from typing import cast

import pytest

from environments import spec
from environments.catalog.files import read
from environments.directory import DirectoryClient
from environments.kube import manifests, rbac
from environments.kube.client import Question
from environments.kube.manifests import Binding, Desired
from environments.lib.errors import PermanentError
from environments.lib.phases import Role
from environments.management.commands.import_templates import SEEDS
from environments.reconcile.steps import objects
from environments.reconcile.steps.base import Context, Naming, merge
from environments.routine.observe import expectations
from environments.routine.observe.comparing import Comparison
from environments.routine.observe.expectations import Wanted
from tests.contract.arrange import Raw, Way, desired, eventually, used, wait_until_enforced, wait_until_furnished

WHO = "system:serviceaccount:allotment:portal"
DOMAIN = "allotment.internal"
APPS, RBAC = "apps", "rbac.authorization.k8s.io"
POD = """
      metadata: {labels: {app: web}}
      spec:
        serviceAccountName: web
        containers:
          - name: web
            image: registry.example.com/web:1
            ports: [{containerPort: 8080}]
            env: [{name: GREETING, value: hello}]
            resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {cpu: 0.2, memory: 0.125Gi}}
            volumeMounts: [{name: settings, mountPath: /settings}]
        volumes: [{name: settings, configMap: {name: settings}}]
"""
EVERYTHING = f"""
apiVersion: v1
kind: ServiceAccount
metadata: {{name: web}}
---
apiVersion: {RBAC}/v1
kind: Role
metadata: {{name: web}}
rules: [{{apiGroups: [""], resources: [configmaps, secrets], verbs: [get, list, watch]}}]
---
apiVersion: {RBAC}/v1
kind: RoleBinding
metadata: {{name: web}}
roleRef: {{kind: Role, name: web}}
subjects: [{{kind: ServiceAccount, name: web}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings, labels: {{app.kubernetes.io/name: web}}}}
data: {{greeting: hello}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data}}
spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{selector: {{app: web}}, ports: [{{name: http, port: 80, targetPort: 8080}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template: {POD}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: store}}
spec:
  serviceName: web
  replicas: 0
  selector: {{matchLabels: {{app: web}}}}
  template: {POD}
---
apiVersion: batch/v1
kind: Job
metadata: {{name: once}}
spec:
  suspend: true
  template: {POD.replace("spec:", "spec:" + chr(10) + "        restartPolicy: Never")}
---
apiVersion: batch/v1
kind: CronJob
metadata: {{name: nightly}}
spec:
  schedule: "22 2 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{{name: nightly, image: "registry.example.com/web:1", args: ["--once"]}}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: web}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}
  minReplicas: 1
  maxReplicas: 3
  metrics: [{{type: Resource, resource: {{name: cpu, target: {{type: Utilization, averageUtilization: 70}}}}}}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: web}}
spec: {{minAvailable: 1, selector: {{matchLabels: {{app: web}}}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: web}}
spec:
  rules:
    - host: web.example.com
      http:
        paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]
"""
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {a: b}\n"


def described(text: str = "", **more) -> spec.TemplateSpec:
    found = spec.parse({"quota": {"pods": "9", "requests.storage": "2Gi"}, "manifests": text} | more)
    assert found.objections() == []
    return found


@pytest.fixture
def ensure(portal, admin, home):
    """Run the step for a template until it is done, as the worker would; the context afterwards."""
    wait_until_furnished(admin, home)

    def run(template: spec.TemplateSpec, applied: tuple[str, ...] = (), **parameters: str) -> Context:
        values = tuple(parameters.items())
        wanted = desired(home, spec=template, label_domain=DOMAIN, parameters=values)
        nobody = cast(DirectoryClient, None)
        worlds = [Context(wanted, portal, nobody, Naming(), applied=applied)]

        def once() -> bool:
            outcome = objects.STEP.ensure(worlds[-1])
            worlds.append(merge(worlds[-1], outcome.facts))
            return outcome.wait is None

        eventually(once, "the template's objects are in place")
        return worlds[-1]

    return run


def may_i(portal, namespace, verb="patch", resource="deployments", group=APPS) -> bool:
    return portal.may_i(Question(verb, resource, group, namespace)).allowed


def test_the_portal_knows_its_own_name(portal):
    assert portal.whoami() == WHO


def test_every_kind_that_a_template_may_have_is_made_and_is_then_as_it_should_be(portal, admin, home, ensure):
    context = ensure(described(EVERYTHING))
    wanted = manifests.extra_objects(context.desired)
    assert {each["kind"] for each in wanted} == set(spec.extras.KINDS)
    live = {(each["kind"], name): admin.get(each["kind"], name, home) for each, name in named(wanted)}
    assert drift(admin, context.desired) == []
    # Once more, in one go: nothing is written, nobody waits.
    assert objects.STEP.ensure(context).wait is None
    again = {(each["kind"], name): admin.get(each["kind"], name, home) for each, name in named(wanted)}
    assert versions(again) == versions(live)


def named(wanted):
    return [(each, each["metadata"]["name"]) for each in wanted]


def versions(found):
    """Of those that no controller writes to meanwhile."""
    busy = ("Deployment", "StatefulSet", "Job", "PersistentVolumeClaim")
    return {key: live["metadata"]["resourceVersion"] for key, live in found.items() if key[0] not in busy}


def test_the_drift_pass_may_list_what_it_compares_and_no_config_maps(portal, home, ensure):
    context = ensure(described(EVERYTHING))
    kinds = sorted({each["kind"] for each in manifests.extra_objects(context.desired)} - {"ConfigMap"})
    selector = f"{DOMAIN}/environment=id-of-{home}"
    names = {kind: [item["metadata"]["name"] for item in portal.list_objects(kind, labels=selector)] for kind in kinds}
    assert all(names.values()), names
    with pytest.raises(PermanentError, match="cannot list resource"):
        list(portal.list_objects("ConfigMap", labels=selector))


def test_before_and_elsewhere_the_portal_may_touch_no_workload(portal, home, ensure, admin):
    assert not may_i(portal, home)
    ensure(described(EVERYTHING))
    assert may_i(portal, home)
    assert not may_i(portal, "default")
    assert not may_i(portal, "")
    assert rbac.excess_permissions(portal) == []
    deployment = admin.get("Deployment", "web", home)
    manifest = {key: deployment[key] for key in ("apiVersion", "kind")}
    manifest |= {"metadata": {"name": "web", "namespace": "default"}, "spec": {}}
    with pytest.raises(PermanentError, match='cannot patch resource "deployments"'):
        portal.apply(manifest)


def test_afterwards_nothing_is_left_of_the_objects_or_of_the_way_in(portal, admin, home, ensure):
    context = ensure(described(EVERYTHING))
    ensure(described(), applied=context.applied)
    for kind, _, name in (key.partition("/") for key in context.applied):
        kept = kind == "PersistentVolumeClaim"  # it holds somebody's work
        eventually(lambda kind=kind, name=name, kept=kept: bool(admin.get(kind, name, home)) == kept, f"{kind} {name}")
    assert admin.get("RoleBinding", manifests.PORTAL_BINDING, home) is None
    eventually(lambda: not may_i(portal, home), "the portal is out again")


def test_what_somebody_else_made_is_neither_changed_nor_removed(portal, admin, home, ensure):
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": home}}
    admin.create(theirs | {"data": {"a": "mine"}})
    with pytest.raises(PermanentError, match="the template did not create"):
        ensure(described(CONFIG))
    ensure(described(), applied=("ConfigMap/one",))
    assert admin.get("ConfigMap", "one", home)["data"] == {"a": "mine"}


def role(home: str, *rules: dict) -> dict:
    metadata = {"name": "much", "namespace": home}
    return {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": list(rules)}


@pytest.mark.parametrize(
    "rule",
    [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": ["deletecollection"]},
        {"apiGroups": [RBAC], "resources": ["clusterroles"], "verbs": ["bind"]},
        {"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"]},
    ],
    ids=lambda rule: rule["verbs"][0],
)
def test_even_inside_the_portal_cannot_grant_more_than_environment_admin(portal, admin, home, ensure, rule):
    ensure(described(CONFIG))
    with pytest.raises(PermanentError, match="is attempting to grant RBAC permissions not currently held"):
        portal.apply(role(home, rule))
    assert admin.get("Role", "much", home) is None


def test_outside_the_portal_cannot_write_a_role_with_what_only_members_have(portal, home):
    with pytest.raises(PermanentError, match="is attempting to grant RBAC permissions not currently held"):
        portal.apply(role(home, {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}))


def test_the_account_of_a_template_has_what_its_role_says_and_no_more(portal, home, ensure, cluster_endpoint):
    ensure(described(EVERYTHING))
    token = portal.create_token("web", home, seconds=600).text
    way = cluster_endpoint.portal
    web = Raw(Way(way.server, token, way.certificate_authority))
    eventually(lambda: web("GET", f"/api/v1/namespaces/{home}/configmaps")[0] == 200, "the binding is known")
    assert web("GET", f"/api/v1/namespaces/{home}/pods")[0] == 403
    assert web("GET", "/api/v1/configmaps")[0] == 403
    web.close()


@pytest.mark.parametrize("member", [Role.DEVELOPER, Role.ADMIN])
def test_members_cannot_touch_the_rights_of_a_template_or_the_portals_own(portal, home, ensure, member):
    ensure(described(EVERYTHING))
    for manifest in manifests.role_bindings(desired(home, bindings=(Binding(member, "people"),))):
        portal.apply(manifest)

    def may(verb: str, resource: str, group: str = "") -> bool:
        return portal.may(Question(verb, resource, group, home), "dana@example.com", ["people"]).allowed

    eventually(lambda: may("get", "pods"), "the binding is known")
    writes = ("create", "update", "patch", "delete")
    assert [verb for verb in writes for what in ("roles", "rolebindings") if may(verb, what, RBAC)] == []
    assert may("get", "rolebindings", RBAC)  # but they see who is in
    assert may("patch", "serviceaccounts") == (member is Role.ADMIN)


def test_the_default_account_keeps_its_token_to_itself_and_is_given_back(admin, home, ensure):
    context = ensure(described(automount_token=False))
    account = admin.get("ServiceAccount", "default", home)
    assert account["automountServiceAccountToken"] is False
    assert drift(admin, context.desired) == []
    assert admin.get("RoleBinding", manifests.PORTAL_BINDING, home) is None
    before = account["metadata"]["uid"]
    ensure(described(), applied=context.applied)
    account = admin.get("ServiceAccount", "default", home)
    assert "automountServiceAccountToken" not in account
    assert not account["metadata"].get("labels")
    assert account["metadata"]["uid"] == before


DEPLOYMENT = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 0
  selector: {{matchLabels: {{app: web}}}}
  template: {POD}
"""


def test_what_the_quota_refuses_is_said_with_its_name(portal, admin, home, ensure):
    template = described(f"{DEPLOYMENT}\n---\n{CONFIG}", quota={"count/deployments.apps": "0"})
    portal.apply(manifests.resource_quota(desired(home, spec=template)))
    wait_until_enforced(admin, home, "environment-quota")
    eventually(lambda: used(admin, home, "count/deployments.apps", "environment-quota") == "0", "it is counted")
    with pytest.raises(PermanentError) as caught:
        ensure(template)
    assert caught.value.message == (
        'Deployment web: The cluster rejected the request (403): deployments.apps "web" is forbidden: exceeded quota: '
        "environment-quota, requested: count/deployments.apps=1, used: count/deployments.apps=0, "
        "limited: count/deployments.apps=0"
    )
    assert admin.get("ConfigMap", "one", home) is not None


def test_what_is_invalid_is_said_with_its_name(ensure):
    wrong = DEPLOYMENT.replace("metadata: {labels: {app: web}}", "metadata: {labels: {app: other}}")
    with pytest.raises(PermanentError) as caught:
        ensure(described(wrong))
    assert caught.value.message == (
        'Deployment web: The cluster rejected the request (422): Deployment.apps "web" is invalid: '
        'spec.template.metadata.labels: Invalid value: {"app":"other"}: `selector` does not match template `labels`'
    )


def test_what_was_changed_by_hand_is_put_back(portal, admin, raw_admin, home, ensure):
    context = ensure(described(EVERYTHING))
    service = f"/api/v1/namespaces/{home}/services/web"
    _, live = raw_admin("GET", service)
    live["spec"]["ports"][0]["port"] = 81
    assert raw_admin("PUT", service, live)[0] == 200
    admin.delete("Deployment", "web", home)
    changed, missing = sorted(map(str, drift(admin, context.desired)), reverse=True)
    assert changed.startswith("Service web: ")
    assert missing == "Deployment web is missing"
    assert objects.STEP.ensure(context).wait is None
    assert drift(admin, context.desired) == []


def test_the_shipped_preview_stands_behind_its_fences(cluster_endpoint, portal, admin, home, ensure):
    template = read(SEEDS / "web-preview.yaml").spec
    values = {"image": "registry.example.com/shop:pr-7", "host": "pr-7.example.com", "port": "9000", "replicas": "2"}
    fences = desired(home, spec=template, label_domain=DOMAIN, parameters=tuple(values.items()))
    for manifest in (manifests.namespace(fences), manifests.resource_quota(fences), manifests.limit_range(fences)):
        portal.apply(manifest)
    wait_until_enforced(admin, home, "environment-quota")
    context = ensure(template, **values)
    assert drift(admin, context.desired) == []
    assert admin.get("Ingress", "web", home)["spec"]["rules"][0]["host"] == "pr-7.example.com"
    if cluster_endpoint.name == "simulated":
        return  # no controller makes pods there
    eventually(lambda: len(list(admin.list_objects("Pod", home))) == 2, "restricted Pod Security lets the pods in")
    pod = next(admin.list_objects("Pod", home))
    assert pod["spec"]["containers"][0]["image"] == "registry.example.com/shop:pr-7"
    assert not any("projected" in volume for volume in pod["spec"].get("volumes") or [])  # no token


def drift(admin, wanted: Desired) -> list[str]:
    """What a pass would find of a template's own objects; nobody was let in here."""
    wanted = replace(wanted, bindings=())
    expected, making = {wanted.environment_id: wanted}, Wanted()
    found: list[str] = []
    for kind in expectations.more_kinds(expected.values()):
        comparison = Comparison(kind, expected, making)
        comparison.see(admin.list_objects(kind, wanted.namespace))
        found += comparison.finish().get(wanted.environment_id, [])
    return found
