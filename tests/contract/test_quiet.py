"""What the activity does not say: an environment in order is no news, nor is what the portal itself wants anew."""

import pytest
from django.utils import timezone

from environments import actions
from environments.catalog.files import read
from environments.kube import manifests
from environments.lib.activity import Activity
from environments.lib.phases import Phase
from environments.management.commands.import_templates import SEEDS
from environments.models import Cluster, Directory, Environment, User
from environments.routine import observe
from tests.arranging import drop_policy, settle
from tests.reference import WEB_PREVIEW
from tests.templates import publish

pytestmark = pytest.mark.django_db

MERGE = "application/merge-patch+json"
DOMAIN = "quiet.example"  # of its own: the cluster is shared
PASSES, LOOKS = 60, 6  # two hours of passes, and a day and a half of full looks
PREVIEW, PLAIN = read(SEEDS / "web-preview.yaml"), read(SEEDS / "namespace.yaml")
ANSWERS = {"web-preview": WEB_PREVIEW, "namespace": {"cpu": "1000m", "memory": "1024Mi"}}


@pytest.fixture
def place(cluster_endpoint, settings):
    settings.LABEL_DOMAIN = DOMAIN
    way = cluster_endpoint.portal
    Directory.objects.create(name="Local", kind=Directory.Kind.LOCAL, is_default=True)
    trust = {"certificate_authority": way.certificate_authority}
    return Cluster.objects.create(slug="here", name="Here", server=way.server, credential=way.credential, **trust)


@pytest.fixture
def ask(place, admin):
    dana, made = User.objects.create(username="dana", email="dana@example.com"), []

    def request(content) -> Environment:
        slug = content.template.slug
        draft = actions.Draft(version=publish(content), name=slug, cluster=place, parameters=ANSWERS[slug])
        made.append(settle(actions.request_environment(dana, draft)))
        assert made[-1].phase == Phase.READY, list(made[-1].conditions.values_list("type", "status", "message"))
        return made[-1]

    yield request
    for environment in made:
        admin.delete("Namespace", environment.namespace)


def again(environment: Environment) -> Environment:
    """A full look, as it comes every few hours."""
    Environment.objects.filter(pk=environment.pk).update(next_reconcile_at=timezone.now())
    return settle(environment)


def kinds(environment: Environment) -> list[str]:
    return list(environment.events.order_by("pk").values_list("kind", flat=True))


def test_an_environment_in_order_writes_nothing(ask, place):
    environments = [ask(PLAIN), ask(PREVIEW)]
    observe.observe(place.pk)  # it alerts once: the preview's own Ingress is all that its quota allows
    before = [kinds(each) for each in environments]
    for number in range(PASSES):
        assert observe.observe(place.pk) == []
        if number % (PASSES // LOOKS) == 0:
            assert {again(each).phase for each in environments} == {Phase.READY}
    assert [kinds(each) for each in environments] == before
    place.refresh_from_db()
    assert place.check_error == ""


@pytest.fixture
def newer_portal(monkeypatch):
    """From now on the portal wants another label, another annotation and another network policy than it did."""

    def begin() -> None:
        namespace, policies = manifests.namespace, manifests.network_policies

        def wanted(desired):
            made = namespace(desired)
            made["metadata"]["labels"][f"{DOMAIN}/era"] = "new"
            made["metadata"]["annotations"][f"{DOMAIN}/gpus"] = "none"
            return made

        def more(desired):
            made = policies(desired)
            extra = {**made[0], "metadata": made[0]["metadata"] | {"name": "deny-all-again"}}
            return [*made, extra]

        monkeypatch.setattr(manifests, "namespace", wanted)
        monkeypatch.setattr(manifests, "network_policies", more)
        monkeypatch.setattr(
            "environments.routine.observe.expectations._GOVERNING",
            {**_governing(), "Namespace": lambda desired: [wanted(desired)], "NetworkPolicy": more},
        )

    return begin


def _governing() -> dict:
    from environments.routine.observe import expectations

    return expectations._GOVERNING


def test_what_a_newer_portal_wants_is_applied_without_a_word(ask, place, admin, newer_portal):
    environment = ask(PLAIN)
    before = kinds(environment)
    newer_portal()
    assert observe.observe(place.pk) == [str(environment.pk)]
    environment.refresh_from_db()
    assert (environment.phase, environment.drift) == (Phase.READY, [])
    assert settle(environment).phase == Phase.READY
    live = admin.get("Namespace", environment.namespace)["metadata"]
    assert (live["labels"][f"{DOMAIN}/era"], live["annotations"][f"{DOMAIN}/gpus"]) == ("new", "none")
    assert admin.get("NetworkPolicy", "deny-all-again", environment.namespace) is not None
    assert observe.observe(place.pk) == []
    assert kinds(environment) == before


def test_what_someone_changed_meanwhile_is_said_all_the_same(ask, place, admin, newer_portal):
    environment = ask(PLAIN)
    newer_portal()
    drop_policy(admin, environment)
    assert observe.observe(place.pk) == [str(environment.pk)]
    event = environment.events.get(kind=Activity.CHANGED_BY_HAND)
    assert "NetworkPolicy deny-all is missing" in event.message
    assert "era" not in event.message
    assert "again" not in event.message
    assert settle(environment).phase == Phase.READY
    assert observe.observe(place.pk) == []


def without_note(raw_admin, environment: Environment) -> None:
    """Take an annotation off the namespace: as someone would, and as it is if an older portal made it."""
    gone = {"metadata": {"annotations": {f"{DOMAIN}/name": None}}}
    assert raw_admin("PATCH", f"/api/v1/namespaces/{environment.namespace}", gone, MERGE)[0] == 200


def test_of_what_an_older_portal_made_the_new_annotations_are_no_news(ask, place, raw_admin, admin):
    environment = ask(PLAIN)
    before = kinds(environment)
    without_note(raw_admin, environment)
    Environment.objects.filter(pk=environment.pk).update(applied_digests={})
    assert observe.observe(place.pk) == [str(environment.pk)]
    assert settle(environment).phase == Phase.READY
    assert f"{DOMAIN}/name" in admin.get("Namespace", environment.namespace)["metadata"]["annotations"]
    assert observe.observe(place.pk) == []
    assert kinds(environment) == before
    without_note(raw_admin, environment)  # now it is known that it was there
    assert observe.observe(place.pk) == [str(environment.pk)]
    assert f"{DOMAIN}/name" in environment.events.get(kind=Activity.CHANGED_BY_HAND).message


def test_of_what_an_older_portal_made_a_hole_in_a_fence_is_news(ask, place, admin):
    environment = ask(PLAIN)
    Environment.objects.filter(pk=environment.pk).update(applied_digests={})
    drop_policy(admin, environment)
    assert observe.observe(place.pk) == [str(environment.pk)]
    assert environment.events.filter(kind=Activity.CHANGED_BY_HAND).count() == 1


def test_a_deleted_portal_binding_is_someones_doing(ask, place, admin):
    environment = ask(PREVIEW)
    admin.delete("RoleBinding", manifests.PORTAL_BINDING, environment.namespace)
    assert observe.observe(place.pk) == [str(environment.pk)]
    said = environment.events.get(kind=Activity.CHANGED_BY_HAND).message
    assert f"RoleBinding {manifests.PORTAL_BINDING} is missing" in said


def test_a_move_to_another_version_is_one_entry(ask, place):
    """Until the cluster has counted the new quota, nothing is wrong."""
    environment = ask(PLAIN)
    before = kinds(environment)
    for pods in ("31", "32", "33"):
        quota = PLAIN.spec.quota | {"pods": pods}
        version = publish(PLAIN.model_copy(update={"spec": PLAIN.spec.model_copy(update={"quota": quota})}))
        actions.move_environment(environment, version, environment.owner)
        assert settle(environment).phase == Phase.READY
        assert observe.observe(place.pk) == []
    assert kinds(environment) == [*before, *[Activity.VERSION_CHANGED] * 3]


def test_a_permission_that_another_version_no_longer_gives_is_gone_from_the_namespace(ask, place, admin):
    """Also one that the namespace was created with, which an apply alone would leave."""
    admission = PLAIN.spec.admission.model_copy(update={"priority_classes": ("batch",)})
    environment = ask(PLAIN.model_copy(update={"spec": PLAIN.spec.model_copy(update={"admission": admission})}))
    key = f"{DOMAIN}/priority-classes"
    assert admin.get("Namespace", environment.namespace)["metadata"]["annotations"][key] == "batch"
    actions.move_environment(environment, publish(PLAIN), environment.owner)
    assert settle(environment).phase == Phase.READY
    assert key not in admin.get("Namespace", environment.namespace)["metadata"]["annotations"]
    assert (observe.observe(place.pk), environment.drift) == ([], [])
    assert kinds(environment)[-1] == Activity.VERSION_CHANGED


def test_a_permission_that_someone_adds_to_the_namespace_is_taken_away(ask, place, admin):
    environment = ask(PLAIN)
    key = f"{DOMAIN}/priority-classes"
    patch = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": environment.namespace}}
    admin.overwrite(patch | {"metadata": patch["metadata"] | {"annotations": {key: "system-node-critical"}}})
    assert observe.observe(place.pk) == [str(environment.pk)]
    assert settle(environment).phase == Phase.READY
    assert key not in admin.get("Namespace", environment.namespace)["metadata"]["annotations"]
