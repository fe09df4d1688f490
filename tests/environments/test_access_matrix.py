"""Every URL, asked by everybody with every method, answers as the table in access_matrix.csv says.

A new URL fails this test until its line is in the table. With UPDATE_MATRIX=1 in the environment this test
writes it anew, and the difference is what a reviewer reads.
"""

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from environments import tasks
from environments.lib.phases import Role
from environments.models import Team, User
from tests.environments.test_reconcile import settle
from tests.portal.conftest import local_accounts  # noqa: F401 (a fixture)

TABLE = Path(__file__).with_name("access_matrix.csv")
LOCAL_TABLE = TABLE.with_name("access_matrix_local.csv")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ROLES = ("anonymous", "owner", "member", "teammate", "manager", "stranger", "admin")

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]  # thousands of requests


def routes(patterns=None, prefix: str = "/") -> Iterator[str]:
    """Every route of the URL configuration."""
    for pattern in patterns if patterns is not None else get_resolver().url_patterns:
        route = prefix + str(pattern.pattern).lstrip("^").rstrip("$").replace("\\Z", "")
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route


@pytest.fixture
def cast(people, ask, monkeypatch):
    """Everybody, and an environment that Dana owns and Theo looks into."""
    monkeypatch.setattr(tasks.reconcile, "apply_async", lambda *_, **__: None)
    team = Team.objects.create(name="Checkout", group="team-checkout")
    dana, theo = people
    tess, max_manager, sam, ada = (
        User.objects.create(username=name, email=f"{name}@example.com") for name in ("tess", "max", "sam", "ada")
    )
    team.members.add(dana, tess)
    team.managers.add(max_manager)
    User.objects.filter(pk=max_manager.pk).update(is_manager=True)
    User.objects.filter(pk=ada.pk).update(is_superuser=True, is_staff=True)
    environment = settle(ask(team=team, collaborators={theo.email: Role.VIEWER}))
    people_by_role = dict(zip(ROLES[1:], (dana, theo, tess, max_manager, sam, ada), strict=True))
    return environment, {"anonymous": None} | people_by_role


def address(route: str, environment) -> str:
    """A route with its parts filled in by what exists."""
    known = {
        "<slug:namespace>": environment.namespace,
        "<int:pk>": "1",
        "<slug:slug>": environment.version.template.slug,
        "<slug:report>": "cost",
        "<path:object_id>": "1",
        "<int:object_id>": "1",
        "<int:content_type_id>": "1",
    }
    for part, value in known.items():
        route = route.replace(part, value)
    return route


def ask_all(environment, people: dict, route: str) -> Iterator[dict[str, str]]:
    for method in METHODS:
        row = {"route": route, "method": method}
        for role, person in people.items():
            client = Client()
            client.raise_request_exception = False
            if person is not None:
                client.force_login(User.objects.get(pk=person.pk))
            response = client.generic(method, address(route, environment))
            row[role] = str(response.status_code)
            response.close()  # a download holds a file
        yield row


def product_routes() -> list[str]:
    """All but Django's own admin, which is closed as a whole (see below)."""
    return sorted(route for route in routes() if not route.startswith("/admin/") and "(?P" not in route)


def lines(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def compare(found: list[dict[str, str]], table: Path) -> None:
    """Hold what was found to the table, or make it the table where that was asked for."""
    if os.environ.get("UPDATE_MATRIX"):
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["route", "method", *ROLES], lineterminator="\n")
            writer.writeheader()
            writer.writerows(found)
    assert found == lines(table)


def test_every_url_answers_everybody_as_the_table_says(cast):
    environment, people = cast
    compare([row for route in product_routes() for row in ask_all(environment, people, route)], TABLE)


def test_every_url_of_local_accounts_answers_everybody_as_its_table_says(cast, local_accounts):  # noqa: F811
    environment, people = cast
    local = [route for route in product_routes() if route.startswith("/accounts/") and "/oidc/" not in route]
    assert len(local) > 10
    compare([row for route in local for row in ask_all(environment, people, route)], LOCAL_TABLE)


def test_the_tables_themselves_keep_the_promises():
    rows = lines(TABLE)
    inside = [row for row in rows if "<slug:namespace>" in row["route"]]
    assert len(inside) > 50
    for row in rows + lines(LOCAL_TABLE):
        assert "500" not in {row[role] for role in ROLES}, row  # 503: the identity provider is down here
    for row in inside:
        assert row["anonymous"] in ("302", "405"), row
        assert row["stranger"] in ("404", "405"), row
    for row in inside:
        if row["method"] in ("POST", "PUT", "PATCH", "DELETE"):
            for reader in ("teammate", "manager"):
                assert row[reader] in ("403", "405"), row


def test_the_admin_is_closed_to_everybody_but_platform_admins(cast):
    _, people = cast
    closed = sorted({route for route in routes() if route.startswith("/admin/") and "(?P" not in route})
    assert len(closed) > 40
    for route in closed:
        if route.endswith(("login/", "logout/")) or "jsi18n" in route:
            continue
        for role in ("anonymous", "owner", "manager", "stranger"):
            client = Client()
            if people[role] is not None:
                client.force_login(people[role])
            for method in ("GET", "POST"):
                status = client.generic(method, route.replace("<path:object_id>", "1")).status_code
                assert status in (302, 403, 404, 405), (role, method, route, status)
