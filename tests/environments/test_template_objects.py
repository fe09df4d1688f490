"""A template's own objects: made, repaired, removed with the version that had them, and refused in words."""

from datetime import timedelta

import pytest
import yaml
from django.core.exceptions import ValidationError
from django.utils import timezone

from environments import actions
from environments import spec as template_spec
from environments.admin.dry_runs import dry_run
from environments.catalog import templates
from environments.kube import manifests
from environments.kube.client import Answer, ClusterClient, connect
from environments.lib.activity import Activity
from environments.lib.errors import PermanentError
from environments.lib.phases import Phase, Status
from environments.models import Cluster, Environment, Template, TemplateVersion
from environments.reconcile import desired
from environments.reconcile import engine as reconcile
from environments.reconcile import lease as lifecycle
from environments.routine import observe
from tests.arranging import Account, settle

pytestmark = pytest.mark.django_db

PORTAL = "system:serviceaccount:allotment:portal"
EXTRA = "allotment.internal/extra"
WEB = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  greeting: ${greeting}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: web
      containers: [{name: web, image: "registry.example.com/web:1"}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: web}
roleRef: {kind: Role, name: web}
subjects: [{kind: ServiceAccount, name: web}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: web}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get, list, watch]}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
"""
CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
"""
KEYS = ["ServiceAccount/web", "Role/web", "RoleBinding/web", "ConfigMap/settings", "Service/web", "Deployment/web"]
SPEC = {
    "parameters": [
        {"name": "greeting", "default": "hello"},
        {"name": "replicas", "type": "integer", "default": "2"},
    ],
    "quota": {"pods": "5", "requests.storage": "5Gi"},
}


@pytest.fixture
def publish(db):
    """Publish a version of one template with these manifests."""

    def make(text: str = "", **more) -> TemplateVersion:
        template, _ = Template.objects.get_or_create(slug="web", defaults={"name": "Web", "summary": "A page"})
        described = template_spec.parse(SPEC | {"manifests": text} | more)
        return templates.publish(templates.first_draft(template, None, described, "New."), None)

    return make


@pytest.fixture
def request_one(place, local_directory, people):
    """Ask for an environment of a version as Dana."""

    def request(version: TemplateVersion, name: str = "shop", **parameters) -> Environment:
        wanted = actions.Draft(version=version, name=name, cluster=place, parameters=parameters)
        return actions.request_environment(people[0], wanted)

    return request


@pytest.fixture
def there(admin):
    """One object of an environment as it is on the cluster."""

    def look(environment: Environment, key: str) -> dict | None:
        kind, _, name = key.partition("/")
        return admin.get(kind, name, environment.namespace)

    return look


def message(environment: Environment) -> str:
    return environment.conditions.get(type="Objects").message


def test_the_objects_of_a_template_are_made_in_its_environments(publish, request_one, there):
    environment = settle(request_one(publish(WEB), greeting="ahoy", replicas="3"))
    assert environment.phase == Phase.READY
    warned = 'The cluster warns about deployments/web: would violate PodSecurity "restricted:latest"'
    assert message(environment).startswith(f"6 in place. {warned}")  # what is enforced is baseline
    assert environment.applied_objects == KEYS
    found = {key: there(environment, key) for key in KEYS}
    assert found["Deployment/web"]["spec"]["replicas"] == 3
    assert found["ConfigMap/settings"]["data"] == {"greeting": "ahoy"}
    assert found["RoleBinding/web"]["subjects"] == [
        {"kind": "ServiceAccount", "name": "web", "namespace": environment.namespace}
    ]
    for live in found.values():
        assert manifests.is_ours(live, "allotment.internal", str(environment.pk))
        assert live["metadata"]["labels"][EXTRA] == "true"
        assert live["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "allotment"


def test_a_template_without_objects_costs_nothing(publish, request_one, there, simulated):
    asked = simulated.faults.add(path_regex="/selfsubjectreviews|/selfsubjectaccessreviews", delay=0.0001, times=99)
    environment = settle(request_one(publish()))
    assert (environment.phase, message(environment)) == (Phase.READY, "This template has no objects of its own")
    assert asked.seen == 0
    assert there(environment, "RoleBinding/allotment-portal-objects") is None


def test_the_portal_lets_itself_in_only_where_a_template_has_objects(publish, request_one, there):
    environment = settle(request_one(publish(WEB)))
    binding = there(environment, "RoleBinding/allotment-portal-objects")
    assert [subject["name"] for subject in binding["subjects"]] == [PORTAL]
    assert binding["roleRef"]["name"] == "environment-admin"
    assert manifests.is_ours(binding, "allotment.internal", str(environment.pk))


def test_a_second_run_changes_nothing_and_keeps_the_bindings_of_the_template(publish, request_one, there):
    environment = settle(request_one(publish(WEB)))
    keys = [*KEYS, "RoleBinding/allotment-portal-objects"]
    before = {key: there(environment, key) for key in keys}
    actions.try_again(environment, environment.owner)
    settle(environment)
    assert {key: there(environment, key) for key in keys} == before
    assert not environment.events.filter(kind=Activity.DEGRADED).exists()


def test_the_token_of_the_default_account_is_not_mounted_where_the_template_says_so(publish, request_one, there):
    environment = settle(request_one(publish(automount_token=False)))
    assert environment.phase == Phase.READY
    assert message(environment) == "pods get no service account token by default"
    assert there(environment, "ServiceAccount/default")["automountServiceAccountToken"] is False
    assert there(environment, "RoleBinding/allotment-portal-objects") is None  # it may do that anyway


def test_the_default_account_is_given_back(publish, request_one, there):
    environment = settle(request_one(publish(automount_token=False)))
    actions.move_environment(environment, publish(), environment.owner)
    assert settle(environment).phase == Phase.READY
    account = there(environment, "ServiceAccount/default")
    assert "automountServiceAccountToken" not in account
    assert "labels" not in account["metadata"]
    assert (environment.applied_objects, message(environment)) == ([], "This template has no objects of its own")


def test_what_a_newer_version_has_no_longer_is_removed_and_the_portal_leaves(publish, request_one, there):
    environment = settle(request_one(publish(WEB)))
    actions.move_environment(environment, publish(), environment.owner)
    assert settle(environment).phase == Phase.READY
    assert [key for key in KEYS if there(environment, key)] == []
    assert there(environment, "RoleBinding/allotment-portal-objects") is None
    assert there(environment, "RoleBinding/environment-admin") is not None
    assert there(environment, "ServiceAccount/default") is not None
    assert environment.applied_objects == []


def test_a_newer_version_adds_changes_and_removes_in_one_go(publish, request_one, there):
    environment = settle(request_one(publish(WEB)))
    first, *others = WEB.split("---")
    changed = first.replace("settings", "options")
    actions.move_environment(environment, publish("---".join([changed, *others])), environment.owner)
    assert settle(environment).phase == Phase.READY
    assert there(environment, "ConfigMap/settings") is None
    assert there(environment, "ConfigMap/options") is not None
    assert not environment.events.filter(kind=Activity.DEGRADED).exists()


def test_a_claim_outlives_the_version_that_had_it(publish, request_one, there):
    environment = settle(request_one(publish(CLAIM)))
    actions.move_environment(environment, publish(), environment.owner)
    assert settle(environment).phase == Phase.READY
    assert there(environment, "PersistentVolumeClaim/data") is not None
    assert message(environment) == "kept with their data: data"


def strip(admin, environment, plural, name, group="/api/v1"):
    """Take all labels off by hand."""
    path = f"{group}/namespaces/{environment.namespace}/{plural}/{name}"
    live = admin._request("GET", path)
    live["metadata"]["labels"] = {}
    admin._request("PUT", path, body=live)


def test_what_bears_our_label_no_longer_is_not_deleted(publish, request_one, there, admin):
    environment = settle(request_one(publish(WEB)))
    strip(admin, environment, "configmaps", "settings")
    actions.move_environment(environment, publish(), environment.owner)
    assert settle(environment).phase == Phase.READY
    assert there(environment, "ConfigMap/settings") is not None
    assert there(environment, "Deployment/web") is None


def test_what_lost_its_labels_is_still_ours_to_repair(publish, request_one, there, admin):
    environment = settle(request_one(publish(WEB)))
    strip(admin, environment, "configmaps", "settings")
    actions.try_again(environment, environment.owner)
    assert settle(environment).phase == Phase.READY
    assert there(environment, "ConfigMap/settings")["metadata"]["labels"][EXTRA] == "true"


def test_what_a_member_made_is_never_taken_over(publish, request_one, there, admin):
    environment = settle(request_one(publish()))
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"greeting": "mine"}}
    theirs["metadata"]["namespace"] = environment.namespace
    ClusterClient(connection_of(admin), field_manager="kubectl").create(theirs)
    actions.move_environment(environment, publish(WEB), environment.owner)
    assert settle(environment).phase == Phase.FAILED
    assert message(environment) == (
        "ConfigMap settings: An object of this name exists, and the template did not create it. Rename or delete it."
    )
    assert there(environment, "ConfigMap/settings")["data"] == {"greeting": "mine"}
    assert there(environment, "Deployment/web") is not None  # the others are made all the same
    admin.delete("ConfigMap", "settings", environment.namespace)
    actions.try_again(environment, environment.owner)
    assert settle(environment).phase == Phase.READY


def connection_of(client):
    """Another way in with the same token."""
    configuration = client._api.configuration
    return Account(configuration.host, configuration.api_key["BearerToken"].removeprefix("Bearer "))


def test_what_the_quota_refuses_fails_with_its_name_and_the_clusters_words(publish, request_one, there):
    quota = {"quota": {"pods": "5", "count/deployments.apps": "0"}}
    environment = settle(request_one(publish(WEB, **quota)))
    assert environment.phase == Phase.FAILED
    condition = environment.conditions.get(type="Objects")
    assert condition.status == Status.FAILED
    assert condition.message.startswith(
        'Deployment web: The cluster rejected the request (403): deployments.apps "web" is forbidden: exceeded quota'
    )
    assert there(environment, "Service/web") is not None
    # The way in does not hang on it.
    assert environment.conditions.get(type="RoleBinding").status == Status.DONE
    actions.move_environment(environment, publish(WEB), environment.owner)
    assert settle(environment).phase == Phase.READY


def test_what_is_invalid_fails_with_its_name_and_the_clusters_words(publish, request_one):
    wrong = WEB.replace("metadata: {labels: {app: web}}", "metadata: {labels: {app: other}}")
    environment = settle(request_one(publish(wrong)))
    assert environment.phase == Phase.FAILED
    assert message(environment).startswith(
        'Deployment web: The cluster rejected the request (422): Deployment.apps "web" is invalid'
    )


def test_a_renamed_object_makes_room_for_itself(publish, request_one, there):
    quota = {"quota": {"pods": "5", "count/deployments.apps": "1"}}
    environment = settle(request_one(publish(WEB, **quota)))
    renamed = WEB.replace("kind: Deployment\nmetadata: {name: web}", "kind: Deployment\nmetadata: {name: site}")
    actions.move_environment(environment, publish(renamed, **quota), environment.owner)
    assert settle(environment).phase == Phase.READY
    assert there(environment, "Deployment/web") is None
    assert there(environment, "Deployment/site") is not None


def test_values_that_make_no_object_are_refused_before_anything_is_made(publish, request_one):
    version = publish(WEB.replace("name: settings", 'name: "${greeting}"'))
    with pytest.raises(ValidationError, match="“Hello there” is not a valid name"):
        request_one(version, greeting="Hello there")
    with pytest.raises(ValidationError, match="reserved for the portal"):
        request_one(version, greeting="environment-quota")
    assert not Environment.objects.exists()


def test_values_that_passed_an_older_portal_fail_with_a_sentence(publish, request_one):
    environment = request_one(publish(WEB))
    Environment.objects.filter(pk=environment.pk).update(parameters={"replicas": "many"})
    settle(environment)
    assert environment.phase == Phase.FAILED
    assert "“many” is not a whole number" in message(environment)
    assert desired_kinds(environment).isdisjoint({"Deployment"})  # and its page can be read all the same


def desired_kinds(environment: Environment) -> set[str]:
    environment.refresh_from_db()
    return {item["kind"] for item in manifests.all_manifests(desired.desired_with_bindings(environment))}


def test_a_template_that_would_not_work_is_not_published(publish):
    with pytest.raises(ValidationError, match=r"Line 1[0-9], Deployment web: hostNetwork is not allowed"):
        publish(WEB.replace("serviceAccountName: web", "hostNetwork: true"))


CALLS = [
    ("POST", "/selfsubjectreviews$"),
    ("POST", "/selfsubjectaccessreviews$"),
    ("PATCH", "/rolebindings/allotment-portal-objects"),
    ("GET", "/deployments/web"),
    ("PATCH", "/deployments/web"),
    ("PATCH", "/roles/web"),
    ("PATCH", "/services/web"),
]
FAULTS = [{"status": 503}, {"drop_connection": True, "before": False}, {"truncate": True, "before": False}]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: next(iter(fault)))
@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_call_that_fails_leads_to_the_same_world(publish, request_one, there, simulated, method, path, fault):
    planted = simulated.faults.add(method=method, path_regex=path, **fault)
    environment = settle(request_one(publish(WEB)))
    assert planted.seen == 1
    assert environment.phase == Phase.READY
    assert all(there(environment, key) for key in KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_a_removal_that_is_interrupted_goes_on(publish, request_one, there, simulated, key):
    environment = settle(request_one(publish(WEB)))
    planted = simulated.faults.add(method="DELETE", path_regex=f"s/{key.partition('/')[2]}$", status=503)
    actions.move_environment(environment, publish(), environment.owner)
    assert settle(environment).phase == Phase.READY
    assert planted.seen == 1
    assert [key for key in KEYS if there(environment, key)] == []


@pytest.mark.parametrize("after", [0, 2, 6])
def test_what_a_killed_worker_made_is_known_to_the_version_that_removes_it(
    publish, request_one, there, monkeypatch, after
):
    environment = request_one(publish(WEB))
    Environment.objects.filter(pk=environment.pk).update(applied_objects=[])  # not even the request knew
    apply, done = ClusterClient.apply, []

    def dying(self, manifest, **options):
        if EXTRA in manifest["metadata"].get("labels", {}) and manifest["metadata"]["name"] != manifests.PORTAL_BINDING:
            if len(done) == after:
                raise SystemExit
            done.append(manifests.key(manifest))
        return apply(self, manifest, **options)

    record = lifecycle.record

    def forgetting(lease, attempts, conditions):
        if ("Objects", Status.DONE) in [(attempt.step.type, attempt.status) for attempt in attempts]:
            raise SystemExit
        record(lease, attempts, conditions)

    monkeypatch.setattr(ClusterClient, "apply", dying)
    monkeypatch.setattr(lifecycle, "record", forgetting)
    with pytest.raises(SystemExit):
        settle(environment)
    monkeypatch.undo()
    assert done == KEYS[:after]
    environment.refresh_from_db()
    actions.move_environment(environment, publish(), environment.owner)
    Environment.objects.filter(pk=environment.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert settle(environment).phase == Phase.READY
    assert [key for key in KEYS if there(environment, key)] == []
    assert there(environment, "RoleBinding/allotment-portal-objects") is None


def test_while_the_cluster_has_not_seen_the_binding_it_is_asked_again_soon(publish, request_one, monkeypatch):
    may_i, answers = ClusterClient.may_i, [Answer(False), Answer(False)]
    monkeypatch.setattr(ClusterClient, "may_i", lambda *arguments: answers.pop() if answers else may_i(*arguments))
    environment = request_one(publish(WEB))
    delay = reconcile.reconcile(environment.pk)
    condition = environment.conditions.get(type="Objects")
    assert (condition.status, condition.reason) == (Status.WAITING, "NotYet")
    assert delay < 1
    assert settle(environment).phase == Phase.READY
    assert answers == []


@pytest.mark.parametrize(
    "words",
    [
        f'User "{PORTAL}" cannot patch resource "deployments"',
        "status unknown for quota: environment-quota, resources: count/deployments.apps",
    ],
)
def test_an_api_server_that_lags_behind_is_asked_again_too(publish, request_one, monkeypatch, words):
    apply, refusals = ClusterClient.apply, [1]

    def lagging(self, manifest, **options):
        if manifest["kind"] == "Deployment" and refusals:
            refusals.pop()
            message = f'The cluster rejected the request (403): deployments.apps "web" is forbidden: {words}'
            raise PermanentError(message, reason="Forbidden")
        return apply(self, manifest, **options)

    monkeypatch.setattr(ClusterClient, "apply", lagging)
    environment = request_one(publish(WEB))
    reconcile.reconcile(environment.pk)
    assert environment.conditions.get(type="Objects").status == Status.WAITING
    assert settle(environment).phase == Phase.READY


def test_deleting_takes_the_portals_own_way_in_along(publish, request_one, admin):
    environment = settle(request_one(publish(WEB)))
    actions.delete_environment(environment, environment.owner, typed_name="shop")
    assert settle(environment).phase == Phase.DELETED
    assert admin.get("Namespace", environment.namespace) is None


def drop_deployment(admin, namespace):
    admin.delete("Deployment", "web", namespace)


def change_service(admin, namespace):
    live = admin.get("Service", "web", namespace)
    live["spec"]["ports"][0]["port"] = 81
    admin._request("PUT", f"/api/v1/namespaces/{namespace}/services/web", body=live)


def mount_token(admin, namespace):
    live = admin.get("ServiceAccount", "default", namespace)
    live["automountServiceAccountToken"] = True
    admin._request("PUT", f"/api/v1/namespaces/{namespace}/serviceaccounts/default", body=live)


def drop_role_binding(admin, namespace):
    admin.delete("RoleBinding", "web", namespace)


def join_portal(admin, namespace):
    live = admin.get("RoleBinding", "allotment-portal-objects", namespace)
    live["subjects"].append({"kind": "User", "name": "mallory", "apiGroup": "rbac.authorization.k8s.io"})
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings/allotment-portal-objects"
    admin._request("PUT", path, body=live)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (drop_deployment, "Deployment web is missing"),
        (change_service, 'Service web: spec.ports lacks {"port": 80}'),
        (mount_token, "ServiceAccount default: automountServiceAccountToken is true, not false"),
        (drop_role_binding, "RoleBinding web is missing"),
        (join_portal, "RoleBinding allotment-portal-objects: subjects is"),
    ],
)
def test_what_was_changed_by_hand_is_found_and_put_back(publish, request_one, place, admin, change, words):
    version = publish(WEB, automount_token=False)
    environment, untouched = (settle(request_one(version, name)) for name in ("shop", "other"))
    assert observe.observe(place.pk) == []
    change(admin, environment.namespace)
    assert observe.observe(place.pk) == [str(environment.pk)]
    assert words in environment.events.get(kind=Activity.CHANGED_BY_HAND).message
    assert not untouched.events.filter(kind=Activity.CHANGED_BY_HAND).exists()
    assert settle(environment).phase == Phase.READY
    assert observe.observe(place.pk) == []


def test_config_maps_which_the_pass_may_not_read_are_applied_again_within_the_hour(
    publish, request_one, place, there, admin
):
    environment = settle(request_one(publish(WEB)))
    assert timezone.now() < environment.next_reconcile_at < timezone.now() + timedelta(hours=1.1)
    admin.delete("ConfigMap", "settings", environment.namespace)
    assert observe.observe(place.pk) == []
    Environment.objects.filter(pk=environment.pk).update(next_reconcile_at=timezone.now())
    reconcile.reconcile(environment.pk)
    assert there(environment, "ConfigMap/settings") is not None
    environment.refresh_from_db()
    assert environment.phase == Phase.READY
    assert not environment.events.filter(kind=Activity.DEGRADED).exists()


def test_the_pass_asks_once_for_each_kind_that_templates_in_use_add(
    publish, request_one, place, simulated, django_assert_max_num_queries
):
    version = publish(WEB, automount_token=False)
    for name in ("one", "two", "three"):
        settle(request_one(version, name))
    counted = simulated.faults.add(method="GET", delay=0.0001, times=10_000)
    with django_assert_max_num_queries(14):
        observe.observe(place.pk)
    # Five as ever, and Deployment, Role, Service, ServiceAccount; no ConfigMap, and RoleBinding is there already.
    assert counted.seen == 9


def test_a_cluster_with_older_rights_is_observed_as_far_as_they_go(publish, request_one, place, simulated, admin):
    environment = settle(request_one(publish(WEB)))
    simulated.faults.add(path_regex="/apis/apps/v1/deployments$", status=403, times=2)
    admin.delete("Deployment", "web", environment.namespace)
    assert observe.observe(place.pk) == []  # nothing is concluded from what was not read
    environment.refresh_from_db()
    assert environment.usage_at is not None
    assert "403" in Cluster.objects.get(pk=place.pk).check_error
    admin.delete("Service", "web", environment.namespace)
    assert observe.observe(place.pk) == [str(environment.pk)]


def test_a_dry_run_says_what_it_cannot_try(publish, request_one, place):
    environment = settle(request_one(publish(WEB, automount_token=False)))
    scratch = settle(request_one(publish(), "scratch")).namespace
    wanted = manifests.all_manifests(desired.desired_with_bindings(environment))
    verdicts = {f"{each.kind}/{each.name}": each for each in dry_run(connect(place), wanted, scratch)}
    assert verdicts["Deployment/web"].sentence.startswith("Not tested: the portal has the rights for this")
    assert verdicts["ServiceAccount/default"].tone == "ok"
    assert not any(verdict.is_refused for verdict in verdicts.values())


def test_preview_and_page_show_the_objects_between_the_fences_and_the_people(publish, request_one):
    environment = settle(request_one(publish(WEB, automount_token=False)))
    wanted = [manifests.key(item) for item in manifests.all_manifests(desired.desired_with_bindings(environment))]
    assert wanted[-8:] == ["ServiceAccount/default", *KEYS, "RoleBinding/environment-admin"]
    assert yaml.safe_dump_all(manifests.all_manifests(desired.desired(environment)))
