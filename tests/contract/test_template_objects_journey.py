"""An environment whose template has objects: requested, moved, repaired and deleted through the portal's own doors."""

import pytest

from environments import actions
from environments.catalog.files import read
from environments.kube import manifests
from environments.lib.phases import Phase
from environments.management.commands.import_templates import SEEDS
from environments.models import Cluster, Directory, Environment, User
from environments.routine import observe
from tests.arranging import settle
from tests.contract.arrange import eventually
from tests.reference import WEB_PREVIEW
from tests.templates import publish

pytestmark = pytest.mark.django_db

PREVIEW = read(SEEDS / "web-preview.yaml")
KEYS = ["Service/web", "Deployment/web", "Ingress/web"]


@pytest.fixture
def place(cluster_endpoint, db):
    way = cluster_endpoint.portal
    return Cluster.objects.create(
        slug="here",
        name="Here",
        server=way.server,
        credential=way.credential,
        certificate_authority=way.certificate_authority,
    )


@pytest.fixture
def environment(place, admin):
    Directory.objects.create(name="Local", kind=Directory.Kind.LOCAL, is_default=True)
    dana = User.objects.create(username="dana", email="dana@example.com")
    request = actions.Draft(version=publish(PREVIEW), name="shop", cluster=place, parameters=WEB_PREVIEW)
    made = settle(actions.request_environment(dana, request))
    yield made
    admin.delete("Namespace", made.namespace)


def there(admin, environment: Environment) -> list[str]:
    parts = [key.partition("/") for key in KEYS]
    found = [
        key for key, (kind, _, name) in zip(KEYS, parts, strict=True) if admin.get(kind, name, environment.namespace)
    ]
    binding = admin.get("RoleBinding", manifests.PORTAL_BINDING, environment.namespace)
    return found + (["portal"] if binding else [])


def conditions(environment: Environment) -> list[tuple[str, str, str]]:
    return list(environment.conditions.values_list("type", "status", "message"))


def test_it_is_ready_with_what_its_template_brings_and_loses_nothing_else_on_the_way(environment, place, admin):
    assert environment.phase == Phase.READY, conditions(environment)
    assert (
        environment.conditions.get(type="Objects").message == "3 in place; pods get no service account token by default"
    )
    assert there(admin, environment) == [*KEYS, "portal"]
    assert observe.observe(place.pk) == []
    # By hand: found by the pass, put back by the next run.
    admin.delete("Deployment", "web", environment.namespace)
    assert observe.observe(place.pk) == [str(environment.pk)]
    assert settle(environment).phase == Phase.READY
    assert observe.observe(place.pk) == []
    # A newer version without any: they go, and so does the portal.
    without = PREVIEW.model_copy(
        update={
            "spec": PREVIEW.spec.model_copy(
                update={"manifests": "", "automount_token": True, "quota": PREVIEW.spec.quota | {"pods": "7"}}
            )
        }
    )
    actions.move_environment(environment, publish(without), environment.owner)
    assert settle(environment).phase == Phase.READY, conditions(environment)
    eventually(lambda: there(admin, environment) == [], "nothing of the template is left")
    assert admin.get("RoleBinding", "environment-developer", environment.namespace) is not None
    assert observe.observe(place.pk) == []
    # And back again.
    actions.move_environment(environment, publish(PREVIEW), environment.owner)
    assert settle(environment).phase == Phase.READY, conditions(environment)
    assert there(admin, environment) == [*KEYS, "portal"]
    assert environment.conditions.get(type="Counting").message == "The cluster counts all 28 resources"
    actions.delete_environment(environment, environment.owner, typed_name="shop")
    settle(environment)
    assert admin.get("RoleBinding", manifests.PORTAL_BINDING, environment.namespace) is None
