"""The admin asks the database as often for sixty rows as for three, and a deletion loads none of what is in its way."""

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from environments.admin.scale import FEW
from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role, Status
from environments.models import (
    Cluster,
    Condition,
    Directory,
    Environment,
    Event,
    Group,
    Invitation,
    Member,
    NetworkOpening,
    Rate,
    StandIn,
    Team,
    Template,
    TemplateVersion,
    Usage,
    User,
)
from environments.models.directories import LocalGroup

FEWER, MORE = 3, 60
MODELS = sorted(f"{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry)


class World:
    """One of everything, and then as many of everything as are asked for: each hangs on the first of the others."""

    def __init__(self, environment: Environment, ada: User) -> None:
        self.first, self.ada, self.size = environment, ada, 0

    def grow_to(self, size: int) -> None:
        numbers = range(self.size, size)
        self.size = size
        for number in numbers:
            self._add(number)

    def _add(self, number: int) -> None:
        now, first = timezone.now(), self.first
        person = User.objects.create(username=f"p{number}", email=f"p{number}@example.com", first_name=f"P{number}")
        team = Team.objects.create(name=f"Team {number}", group=f"team-{number}")
        first.team.members.add(person)
        first.team.managers.add(person)
        team.members.add(first.owner)
        Cluster.objects.create(slug=f"c{number}", name=f"Cluster {number}", server="https://c.example.com")
        Directory.objects.create(name=f"Directory {number}", kind=Directory.Kind.LOCAL)
        LocalGroup.objects.create(directory=first.directory, name=f"g{number}", environment_id=first.pk)
        opening = {"slug": f"o{number}", "name": f"Opening {number}"}
        NetworkOpening.objects.create(cluster=first.cluster, **opening)
        Rate.objects.create(cluster=first.cluster, starts_on=(now - timedelta(days=number)).date())
        self._add_templates(number)
        self._add_environment(number, person, team)
        StandIn.objects.create(absent=person, person=first.owner, last_day=now.date(), named_by=self.ada)
        invitation = Invitation.objects.create(email=person.email, invited_by=self.ada, expires_at=now)
        invitation.teams.add(first.team)
        kind = ContentType.objects.get_for_model(Cluster)
        LogEntry.objects.create(
            user=self.ada, content_type=kind, object_id=first.cluster_id, object_repr="x", action_flag=CHANGE
        )

    def _add_templates(self, number: int) -> None:
        version = self.first.version
        Template.objects.create(slug=f"t{number}", name=f"Template {number}")
        more = {"state": TemplateVersion.State.RETIRED, "spec": version.spec, "published_by": self.ada}
        TemplateVersion.objects.create(template=version.template, number=number + 2, **more)

    def _add_environment(self, number: int, person: User, team: Team) -> None:
        first, address = self.first, f"m{number}@example.com"
        row = Environment.objects.get(pk=first.pk)
        for owner, of_team in ((first.owner, first.team), (person, team)):
            row.pk, row.request_key = Environment().pk, Environment().request_key
            row.namespace, row.owner, row.team = f"n{number}-{owner.username}", owner, of_team
            row.save(force_insert=True)
            Condition.objects.create(environment=row, type="Quota", status=Status.WAITING)
            Event.objects.create(environment=row, actor=person, kind=f"Verb {number}", message="It happened.")
        Member.objects.create(environment=first, email=address, role=Role.VIEWER)
        Condition.objects.create(environment=first, type=f"Step {number}", status=Status.FAILED)
        Event.objects.create(environment=first, actor=person, kind=Activity.READY, message="Ready.")
        Group.objects.create(environment=row, role=Role.ADMIN, name=f"group-{number}")
        Usage.objects.create(environment=first, span="hour", start=timezone.now() + timedelta(hours=number), seconds=1)


@pytest.fixture
def world(make_environment, ada):
    return World(make_environment(), ada)


@pytest.fixture
def cost(client, ada):
    """How many queries a page takes."""
    client.force_login(ada)

    def count(url: str) -> int:
        client.get(url)  # content types are looked up once
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url).status_code == 200, url
        return len(queries)

    return count


@pytest.fixture
def local_accounts(settings):
    """With local accounts, whose rows are shown only then; the second factor has tests of its own."""
    settings.LOCAL_ACCOUNTS, settings.MFA_REQUIRED_FOR = True, []


QUERIES = {
    "environment": ("q=p1", "phase__exact=Ready", "o=4", "wanted__exact=1"),
    "event": ("q=p1", "kind__exact=Ready", "actor__isempty=0", "o=2"),
    "condition": ("q=p1", "status=all", "type=Quota", "o=1"),
    "user": ("q=p1", "is_manager__exact=0", "o=4"),
    "team": ("q=team", "o=6"),
}


def lists() -> list[str]:
    """Every list, and the long ones searched, filtered and in another order."""
    plain = [reverse(f"admin:{model}_changelist") for model in MODELS]
    narrowed = [(model, query) for model, queries in QUERIES.items() for query in queries]
    return plain + [f"{reverse(f'admin:environments_{model}_changelist')}?{query}" for model, query in narrowed]


def rows(world: World) -> list[str]:
    """The page and the history of a row of each model: of the one on which the others hang, else of the first."""
    first = world.first
    hubs = [first, first.cluster, first.directory, first.owner, first.team, first.version, first.version.template]
    chosen = {type(row): row for row in hubs}
    found = []
    for model in admin.site._registry:
        row = chosen.get(model) or model._default_manager.order_by("pk").first()
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        found += [reverse(f"admin:{name}_{page}", args=[row.pk]) for page in ("change", "history")]
    return found


@pytest.mark.usefixtures("local_accounts")
def test_a_list_costs_the_same_however_long_it_is(world, cost):
    world.grow_to(FEWER)
    few = {url: cost(url) for url in lists()}
    world.grow_to(MORE)
    assert {url: (count, cost(url)) for url, count in few.items() if cost(url) > count} == {}
    assert max(few.values()) <= 12


@pytest.mark.usefixtures("local_accounts")
def test_a_rows_pages_cost_the_same_however_much_hangs_on_it(world, cost):
    world.grow_to(FEWER)
    few = {url: cost(url) for url in rows(world)}
    world.grow_to(MORE)
    assert {url: (count, cost(url)) for url, count in few.items() if cost(url) > count} == {}
    assert max(few.values()) <= 16


def test_a_deletion_counts_what_is_in_the_way_and_loads_none_of_it(world, cost, client, monkeypatch):
    world.grow_to(FEWER)
    hubs = (world.first.cluster, world.first.directory, world.first.team)
    urls = [reverse(f"admin:environments_{row._meta.model_name}_delete", args=[row.pk]) for row in hubs]
    few = [cost(url) for url in urls]
    world.grow_to(MORE)
    assert [cost(url) for url in urls] == few
    monkeypatch.setattr(Environment, "from_db", classmethod(lambda *_, **__: pytest.fail("an environment was loaded")))
    said = []
    for url in urls:
        page = BeautifulSoup(client.get(url).content, "html.parser")
        said.append([item.get_text() for item in page.select("#content ul li")])
        assert client.post(url, {"post": "yes"}).status_code == 200
    assert said == [["121 environments"], ["121 environments"], ["61 environments"]]
    assert all(type(row).objects.filter(pk=row.pk).exists() for row in hubs)


def test_what_nothing_hangs_on_is_deleted_after_it_was_said_what_goes_with_it(client, ada, cluster):
    Rate.objects.create(cluster=cluster, starts_on=timezone.now().date())
    client.force_login(ada)
    url = reverse("admin:environments_cluster_delete", args=[cluster.pk])
    text = BeautifulSoup(client.get(url).content, "html.parser").get_text(" ", strip=True)
    assert "Clusters: 1 Rates: 1" in text
    assert client.post(url, {"post": "yes"}).status_code == 302
    assert not Cluster.objects.exists()
    assert not Rate.objects.exists()


def test_several_at_once_are_counted_too(client, ada, make_environment):
    place = make_environment().cluster
    Cluster.objects.create(slug="empty", name="Empty")
    client.force_login(ada)
    chosen = {"action": "delete_selected", "_selected_action": list(Cluster.objects.values_list("pk", flat=True))}
    answer = client.post(reverse("admin:environments_cluster_changelist"), chosen | {"post": "yes"})
    assert "1 environments" in answer.content.decode()
    assert Cluster.objects.filter(pk=place.pk).exists()


def filter_words(client, url) -> list[str]:
    page = BeautifulSoup(client.get(url).content, "html.parser")
    return [one.get_text(" ", strip=True) for one in page.select("#changelist-filter details summary")]


def test_a_filter_by_teams_is_there_only_while_they_are_few(client, ada, world):
    client.force_login(ada)
    url = reverse("admin:environments_environment_changelist")
    world.grow_to(FEWER)
    assert "By team" in filter_words(client, url)
    world.grow_to(FEW + 1)
    assert "By team" not in filter_words(client, url)
    chosen = f"{url}?team__id__exact={world.first.team_id}"
    assert "By team" in filter_words(client, chosen)  # what narrows the list is always said
    page = BeautifulSoup(client.get(chosen).content, "html.parser")
    assert len(page.select("#result_list tbody tr")) == 50


def test_a_large_teams_page_names_the_first_and_counts_the_rest(client, ada, world):
    client.force_login(ada)
    world.grow_to(MORE)
    page = client.get(reverse("admin:environments_team_change", args=[world.first.team_id]))
    members = BeautifulSoup(page.content, "html.parser").select_one(".field-member_list .readonly")
    assert len(members.select("a")) == FEW
    assert members.get_text().endswith(f" and {MORE + 1 - FEW} more")  # dana is one of them


def test_the_steps_that_are_not_done_come_first_and_the_others_on_request(client, ada, make_environment):
    make_environment(conditions={"Quota": {"status": Status.WAITING}, "Group": {"status": Status.FAILED}})
    client.force_login(ada)
    url = reverse("admin:environments_condition_changelist")

    def listed(query: str) -> set[str]:
        page = BeautifulSoup(client.get(url + query).content, "html.parser")
        return {cell.get_text() for cell in page.select("#result_list .field-state")}

    assert listed("") == {"Waiting", "Failed"}
    assert listed("?status=Failed") == {"Failed"}
    assert listed("?status=all") == {"Waiting", "Failed", "Done"}
    page = BeautifulSoup(client.get(url).content, "html.parser")
    assert page.select_one("#changelist-filter li.selected").get_text(strip=True) == "Not done"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=refunds", 1),
        ("q=refunds+dana@", 1),
        ("q=dana@", 2),
        ("q=nothing", 0),
        ("kind__exact=Ready", 1),
        ("kind__exact=Deleted", 0),
    ],
)
def test_events_are_found_by_environment_and_by_whoever_did_it(client, ada, make_environment, query, found):
    make_environment(name="Refunds")
    other = make_environment(name="Load tests")
    Event.objects.create(environment=other, kind=Activity.READY, message="Ready.")
    client.force_login(ada)
    answer = client.get(f"{reverse('admin:environments_event_changelist')}?{query}")
    assert len(BeautifulSoup(answer.content, "html.parser").select("#result_list tbody tr")) == found


def test_moving_environments_from_the_list_works_on_whole_rows(client, ada, make_environment):
    rows = [make_environment(name=name) for name in ("one", "two")]
    client.force_login(ada)
    sent = {"action": "move_to_newest", "_selected_action": [str(row.pk) for row in rows]}
    answer = client.post(reverse("admin:environments_environment_changelist"), sent, follow=True)
    assert "Environments moved: 0." in answer.content.decode()
    assert Environment.objects.filter(phase=Phase.READY).count() == 2
