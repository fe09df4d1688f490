"""An environment whose stored content cannot be read any more ends like every other: its names are enough for that."""

from datetime import timedelta

import pytest
from django.utils import timezone

from environments import tasks
from environments.actions import access_tokens
from environments.lib.phases import Phase, Role
from environments.models import Environment, LocalGroup
from tests.arranging import settle

pytestmark = pytest.mark.django_db


@pytest.fixture(params=[{"quota": {"pods": "5"}, "of_another_time": True}, ["no", "mapping"], {}], ids=str)
def content(request):
    """What another version of the portal may have left."""
    return request.param


def spoil(environment: Environment, content: object) -> Environment:
    Environment.objects.filter(pk=environment.pk).update(spec=content)
    environment.refresh_from_db()
    assert environment.readable_spec is None
    return environment


def delete(client, environment: Environment) -> None:
    client.force_login(environment.owner)
    path = f"/environments/{environment.namespace}/delete/"
    assert client.post(path, {"typed_name": environment.name}).status_code == 302


def foreign(admin, environment: Environment) -> dict:
    """Somebody else's binding and account, beside those of the portal."""
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "somebody-elses"}})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "theirs"}}
    places = "somebody-elses", environment.cluster.account_namespace
    return {place: admin.create(account | {"metadata": {"name": "theirs", "namespace": place}}) for place in places}


def test_its_owner_deletes_it_from_its_page_and_nothing_else_goes(client, ask, admin, world, content):
    environment = settle(ask(collaborators={"theo@example.com": Role.VIEWER}))
    other = settle(ask("payments"))
    theirs, before = foreign(admin, environment), world(other)
    spoil(environment, content)
    delete(client, environment)
    assert settle(environment).phase == Phase.DELETED
    assert admin.get("Namespace", environment.namespace) is None
    assert world(environment) == {}
    assert set(LocalGroup.objects.values_list("environment_id", flat=True)) == {other.pk}
    assert world(other) == before
    assert len(theirs) == 2
    for place, account in theirs.items():
        assert admin.get("ServiceAccount", "theirs", place) == account


def test_its_end_of_life_removes_it(ask, admin, content):
    environment = spoil(settle(ask()), content)
    now = timezone.now()
    Environment.objects.filter(pk=environment.pk).update(
        created_at=now - timedelta(days=90), ends_at=now - timedelta(days=1), noticed_at=now - timedelta(days=2)
    )
    tasks.end_environments()
    assert settle(environment).phase == Phase.DELETED
    assert admin.get("Namespace", environment.namespace) is None
    assert not LocalGroup.objects.exists()


def test_members_accounts_beside_it_go_too(client, ask, admin, people, content):
    environment = settle(ask())
    access_tokens.issue(environment, people[0], hours=1)
    selector = f"allotment.internal/environment={environment.pk}"
    home = environment.cluster.account_namespace
    assert list(admin.list_objects("ServiceAccount", home, labels=selector))
    spoil(environment, content)
    delete(client, environment)
    assert settle(environment).phase == Phase.DELETED
    assert not list(admin.list_objects("ServiceAccount", home, labels=selector))


def test_one_that_failed_for_want_of_its_content_is_deleted(client, ask, admin, content):
    environment = spoil(ask(), content)
    assert settle(environment).phase == Phase.FAILED
    delete(client, environment)
    assert settle(environment).phase == Phase.DELETED


def test_a_namespace_that_somebody_made_in_its_place_is_left_alone(client, ask, admin, content):
    environment = spoil(ask(), content)
    theirs = admin.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": environment.namespace, "labels": {"team": "x"}}}
    )
    delete(client, environment)
    assert settle(environment).phase == Phase.DELETED
    assert admin.get("Namespace", environment.namespace) == theirs


def test_its_cluster_may_be_gone_for_good_as_well(ask, place, content):
    environment = spoil(settle(ask()), content)
    type(place).objects.filter(pk=place.pk).update(lost_at=timezone.now())
    tasks.end_stranded()
    assert settle(environment).phase == Phase.DELETED
    assert not LocalGroup.objects.exists()
