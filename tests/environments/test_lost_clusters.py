"""A cluster that never comes back: its environments end without it, and the directory is tidied up."""

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.urls import reverse

from environments import kube, tasks
from environments.actions import clusters as cluster_actions
from environments.actions.environments import Draft, request_environment
from environments.lib.activity import Activity
from environments.lib.errors import PermanentError
from environments.lib.phases import Phase
from environments.models import Cluster, Environment, LocalGroup
from environments.reconcile.engine import reconcile
from environments.routine.observe import due


@pytest.fixture
def ready(ask):
    environment = ask()
    reconcile(environment.pk)
    environment.refresh_from_db()
    assert environment.ready_at
    return environment


def settle(environment):
    for _ in range(4):
        reconcile(environment.pk)
    environment.refresh_from_db()
    return environment


def test_its_environments_end_and_their_groups_go(ready, place, simulated):
    assert LocalGroup.objects.exists()
    Cluster.objects.filter(pk=place.pk).update(server="http://127.0.0.1:1")  # it never answers again
    assert cluster_actions.give_up(place) == 1
    tasks.end_stranded()
    environment = settle(ready)
    assert environment.phase == Phase.DELETED
    assert not LocalGroup.objects.exists()
    assert [event.message for event in environment.events.filter(kind=Activity.CLUSTER_LOST)] == [
        "A platform admin marked its cluster as lost, with everything that ran there."
    ]


def test_one_that_was_being_deleted_when_it_went_ends_too(ready, place):
    from environments.actions import removals

    removals.ask(ready, ready.owner, Activity.DELETION_REQUESTED, "Asked for.")
    Cluster.objects.filter(pk=place.pk).update(server="http://127.0.0.1:1")
    reconcile(ready.pk)
    cluster_actions.give_up(place)
    Environment.objects.update(next_reconcile_at=ready.created_at)
    assert settle(ready).phase == Phase.DELETED


def test_nobody_asks_it_any_more_and_nothing_new_lands_there(ready, place, people, namespace_template):
    assert place.pk in due()
    cluster_actions.give_up(place)
    place.refresh_from_db()
    assert place.pk not in due()
    assert not place.accepts_new
    with pytest.raises(PermanentError, match="marked this cluster as lost"):
        kube.connect(place).version()
    wanted = Draft(version=namespace_template, name="late", cluster=place, parameters={})
    with pytest.raises(ValidationError, match="no longer exists"):
        request_environment(people[0], wanted)


def test_it_may_come_back_before_anything_ended(ready, place):
    cluster_actions.give_up(place)
    cluster_actions.take_back(place)
    tasks.end_stranded()
    ready.refresh_from_db()
    assert ready.wanted
    place.refresh_from_db()
    assert kube.connect(place).version()


class TestTheAdmin:
    @pytest.fixture(autouse=True)
    def signed_in(self, client, ada):
        client.force_login(ada)

    def url(self, place, verb="give_up"):
        return reverse(f"admin:environments_cluster_{verb}", args=[place.pk])

    def test_says_what_ends_and_asks_for_the_slug(self, client, ready, place):
        page = client.get(self.url(place)).content.decode()
        assert "1 environment" in page
        answer = client.post(self.url(place), {"slug": "other"})
        assert "The text does not match." in answer.content.decode()
        place.refresh_from_db()
        assert place.lost_at is None

    def test_gives_up_and_takes_back_on_the_record(self, client, ready, place):
        client.post(self.url(place), {"slug": place.slug})
        place.refresh_from_db()
        assert place.lost_at
        page = client.get(reverse("admin:environments_cluster_change", args=[place.pk])).content.decode()
        assert "Use it again" in page
        client.post(self.url(place, "take_back"))
        place.refresh_from_db()
        assert place.lost_at is None
        said = " ".join(LogEntry.objects.values_list("change_message", flat=True))
        assert "Marked as lost. Environments deleted with it: 1." in said
        assert "No longer marked as lost" in said

    def test_is_for_platform_admins(self, client, dana, place):
        client.force_login(dana)
        assert client.post(self.url(place), {"slug": place.slug}).status_code in (302, 403, 404)
        place.refresh_from_db()
        assert place.lost_at is None
