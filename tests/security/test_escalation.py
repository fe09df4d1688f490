"""What the portal refuses to give: more than a person's role, another team's environments, another manager's teams."""

from io import BytesIO

import pytest
from bs4 import BeautifulSoup
from openpyxl import load_workbook

from environments.catalog.files import TemplateFile, read
from environments.lib import naming
from environments.lib.phases import Role
from environments.management.commands.import_templates import SEEDS
from environments.models import Environment, Team, Template, User
from environments.reports import REPORTS
from tests.arranging import settle

pytestmark = pytest.mark.django_db


@pytest.fixture
def theirs(ask, people):
    """Dana's environment, her team's; and Sam, whose team is another."""
    team = Team.objects.create(name="Checkout", group="team-checkout")
    team.members.add(people[0])
    sam = User.objects.create(username="sam", email="sam@example.com")
    Team.objects.create(name="Search", group="team-search").members.add(sam)
    return settle(ask(team=team)), sam


def every_get(namespace: str) -> list[str]:
    pages = ("", "history/", "objects/", "delete/", "members/", "alerts/", "usage/", "usage/csv/", "workloads/")
    rest = ("kubeconfig/", "kubeconfig/oidc/", "move/")
    return [f"/environments/{namespace}/{page}" for page in (*pages, *rest)]


def test_another_teams_environment_looks_like_none_at_all(client, theirs):
    environment, sam = theirs
    client.force_login(sam)
    for path in every_get(environment.namespace):
        missing = client.get(path.replace(environment.namespace, "no-such-thing"))
        found = client.get(path)
        assert (found.status_code, missing.status_code) == (404, 404), path
        title = [BeautifulSoup(each.content, "html.parser").select_one("h1").text for each in (found, missing)]
        assert title[0] == title[1], path


def every_list(environment: Environment) -> list[tuple[str, dict[str, str]]]:
    """The list of environments as it is, and with each search and filter that would find this one."""
    finds = {
        "q": environment.namespace[:-1],
        "phase": environment.phase,
        "template": environment.version.template.slug,
        "cluster": environment.cluster.slug,
        "sort": "fullest",
        "page": "1",
    }
    return [("/environments/", {}), *(("/environments/", {name: value}) for name, value in finds.items())]


def every_report(environment: Environment) -> list[tuple[str, dict[str, str]]]:
    """Each report as a page and in both files, and the landing page, with each filter that would find this one."""
    finds = {
        "team": str(environment.team_id),
        "owner": environment.owner.email,
        "template": environment.version.template.slug,
        "cluster": environment.cluster.slug,
        "period": "this-month",
    }
    paths = ["/reports/", *(f"/reports/{slug}{form}" for slug in REPORTS for form in ("/", ".csv", ".xlsx"))]
    return [(path, query) for path in paths for query in ({}, *({name: value} for name, value in finds.items()))]


def text_of(response) -> str:
    """All that an answer says: a page's or a file's text, or the cells of a spreadsheet."""
    body = response.getvalue()
    if not response["Content-Type"].startswith("application/vnd"):
        return body.decode()
    sheets = load_workbook(BytesIO(body)).worksheets
    return "\n".join(str(cell) for sheet in sheets for row in sheet.values for cell in row)


def assert_unnamed(environment: Environment, client, pages: list[tuple[str, dict[str, str]]]) -> None:
    """None of these pages names the environment or its owner, unless the question itself did."""
    for path, query in pages:
        said = text_of(client.get(path, query))
        assert environment.namespace not in said, (path, query)
        assert environment.owner.email in query.values() or environment.owner.email not in said, (path, query)


def test_it_is_in_no_list_no_search_no_filter_and_no_report(client, theirs):
    environment, sam = theirs
    client.force_login(sam)
    lists, reports = every_list(environment), every_report(environment)
    assert_unnamed(environment, client, [*lists, ("/", {}), ("/catalog/", {"q": environment.name})])
    assert {client.get(path, query).status_code for path, query in reports} == {403}
    sam.is_manager = True
    sam.save()
    Team.objects.get(name="Search").managers.add(sam)
    assert_unnamed(environment, client, reports)


def test_its_owner_and_their_manager_find_it_by_the_same_questions(client, theirs):
    """Without this, the test above would hold for questions that find nothing at all."""
    environment, _ = theirs
    client.force_login(environment.owner)
    for path, query in every_list(environment):
        assert environment.namespace in text_of(client.get(path, query)), query
    max_manager = User.objects.create(username="max", email="max@example.com", is_manager=True)
    environment.team.managers.add(max_manager)
    client.force_login(max_manager)
    for path, query in every_report(environment):
        if path.startswith("/reports/access"):
            assert environment.namespace in text_of(client.get(path, query)), (path, query)


def test_a_template_of_other_teams_is_not_even_named(client, theirs, namespace_template):
    environment, sam = theirs
    namespace_template.template.teams.add(Team.objects.get(name="Checkout"))
    Template.objects.update(name="Secret project")
    client.force_login(sam)
    for path in ("/", "/catalog/", "/environments/"):
        assert "Secret project" not in client.get(path).content.decode()
    assert client.get("/catalog/namespace/").status_code == 404
    client.force_login(environment.owner)
    assert "Secret project" in client.get("/environments/").content.decode()


def test_a_manager_manages_their_own_teams_alone(client, theirs):
    environment, _ = theirs
    max_manager = User.objects.create(username="max", email="max@example.com", is_manager=True)
    Team.objects.get(name="Search").managers.add(max_manager)
    client.force_login(max_manager)
    for path in every_get(environment.namespace):
        assert client.get(path).status_code == 404, path
        assert client.post(path).status_code in (404, 405), path
    assert environment not in Environment.objects.visible_to(max_manager)
    Team.objects.get(name="Checkout").managers.add(max_manager)
    assert environment in Environment.objects.visible_to(max_manager)
    assert environment not in Environment.objects.editable_by(max_manager)


def test_a_member_gives_nobody_anything(client, theirs, people):
    environment, _ = theirs
    theo = people[1]
    environment.members.create(email=theo.email, role=Role.ADMIN, added_by=environment.owner)
    client.force_login(theo)
    for path, sent in (
        ("members/", {"addresses": "sam@example.com", "role": "developer"}),
        ("members/remove/", {"address": "dana@example.com"}),
        ("members/hand-over/", {"address": "theo@example.com"}),
        ("delete/", {"typed_name": "checkout"}),
        ("extend/", {}),
        ("move/", {}),
        ("try-again/", {}),
        ("alerts/", {"where": "off", "warn": 1, "bad": 2}),
    ):
        assert client.post(f"/environments/{environment.namespace}/{path}", sent).status_code == 403, path
    environment.refresh_from_db()
    assert environment.owner == people[0]
    assert environment.wanted


@pytest.mark.parametrize("role", ["owner", "admin", "cluster-admin", "", "developer,admin"])
def test_a_role_that_the_template_does_not_give_is_not_given(client, theirs, role):
    environment, _ = theirs
    client.force_login(environment.owner)
    sent = {"addresses": "theo@example.com", "role": role}
    assert client.post(f"/environments/{environment.namespace}/members/", sent).status_code == 422
    assert not environment.members.filter(email="theo@example.com").exists()


def test_no_name_somebody_types_becomes_a_group_that_means_something():
    """A directory's `platform-admins` makes platform admins: what people type must never be all of a group's name."""
    document = read(SEEDS / "namespace.yaml")
    for pattern in ("${name}", "${name}-${role}", "platform-admins", "${team}"):
        data = document.spec.model_dump(mode="json") | {"naming": {"group": pattern}}
        with pytest.raises(ValueError, match="so that names are unique"):
            TemplateFile(template=document.template, spec=data)
    parts = naming.parts(owner_email="d@example.com", name="platform-admins-" * 20)
    long = "${name}-${name}-${name}-${name}-${namespace}-${role}"
    found = {role: naming.group(parts, "dana-shop-x7k2p", role, long) for role in ("admin", "viewer")}
    assert found["admin"].endswith("-dana-shop-x7k2p-admin")
    assert found["viewer"].endswith("-dana-shop-x7k2p-viewer")
    assert max(map(len, found.values())) <= naming.MAX_GROUP


def test_a_stolen_form_key_leads_to_no_other_persons_environment(ask, people):
    from environments import actions

    mine = ask()
    request = actions.Draft(
        version=mine.version, name="x", cluster=mine.cluster, key=mine.request_key, parameters=mine.parameters
    )
    with pytest.raises(Exception, match="No free name"):
        actions.request_environment(people[1], request)
    assert Environment.objects.get() == mine
