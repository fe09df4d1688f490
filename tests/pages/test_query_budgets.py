"""How often each page asks the database: within query_budgets.csv, and as often for much as for little.

A new page fails this test until its line is in the table. With UPDATE_BUDGETS=1 in the environment the test for
one size writes it anew, and the difference is what a reviewer reads.
"""

import csv
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from environments import reports
from environments import spec as template_spec
from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role
from environments.models import (
    Cluster,
    Condition,
    Consumption,
    Environment,
    Event,
    Member,
    Rate,
    Team,
    Template,
    TemplateVersion,
    Usage,
    User,
)
from tests.routes import address, routes

TABLE = Path(__file__).with_name("query_budgets.csv")
ROLES = {"developer": "owner", "manager": "manager", "admin": "admin"}
FEWER, MORE = 2, 30  # beyond a page of every list
MOST = 25  # queries

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]  # thousands of requests

Costs = dict[str, dict[str, int]]  # page -> role -> queries


class Growth:
    """More of everything around one environment, so that every page has more to show."""

    def __init__(self, environment: Environment, manager: User) -> None:
        self.first, self.manager, self.size = environment, manager, 0

    def to(self, size: int) -> None:
        for number in range(self.size, size):
            self._add_around(number)
            self._add_inside(self.first, number)
            self._add_inside(self._another(number), number)
            self._add_request(number)
        self.size = size

    def _add_around(self, number: int) -> None:
        first, now = self.first, timezone.now()
        person = User.objects.create(username=f"p{number}", email=f"p{number}@example.com")
        team = Team.objects.create(name=f"Team {number}", group=f"team-{number}", cost_centre=f"{number}")
        team.managers.add(self.manager)
        team.members.add(first.owner, person)
        first.team.members.add(person)
        new = Cluster.objects.create(slug=f"c{number}", name=f"Cluster {number}", server=first.cluster.server)
        for cluster in (new, first.cluster):
            Rate.objects.create(cluster=cluster, starts_on=now - timedelta(days=2 * number), cpu_hour="0.02")
        template = Template.objects.create(slug=f"t{number}", name=f"Template {number}", category=f"{number}")
        state = TemplateVersion.State.PUBLISHED
        spec = template_spec.dump(first.version.parsed())
        TemplateVersion.objects.create(template=template, number=1, state=state, spec=spec, published_at=now)

    def _another(self, number: int) -> Environment:
        row = Environment.objects.get(pk=self.first.pk)
        row.pk, row.request_key, row.namespace = Environment().pk, Environment().request_key, f"another-{number}"
        row.name, row.cluster = f"another {number}", Cluster.objects.get(slug=f"c{number}")
        row.team = Team.objects.get(name=f"Team {number}")
        row.version = TemplateVersion.objects.get(template__slug=f"t{number}")
        row.orphaned_at = timezone.now() if number % 3 == 0 else None
        row.requested_at = row.decided_at = timezone.now()
        row.decided_by = self.manager
        row.save(force_insert=True)
        return row

    def _add_request(self, number: int) -> None:
        """One that waits for the manager's approval."""
        row = Environment.objects.get(namespace=f"another-{number}")
        row.pk, row.request_key, row.namespace = Environment().pk, Environment().request_key, f"waiting-{number}"
        row.phase, row.decided_at, row.decided_by, row.orphaned_at = Phase.AWAITING_APPROVAL, None, None, None
        row.save(force_insert=True)

    def _add_inside(self, row: Environment, number: int) -> None:
        now = timezone.now()
        Member.objects.create(environment=row, email=f"m{number}@example.com", role=Role.VIEWER, added_by=row.owner)
        Event.objects.create(environment=row, actor=row.owner, kind=Activity.ACCESS_CHANGED, message="It happened.")
        Condition.objects.create(environment=row, type=f"Step {number}", status="Done")
        hour = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=number)
        figures = {"requests.cpu": [1, 2, 4], "pods": [1, 1, 9], f"count/kind{number}.example.com": [1, 1, 9]}
        Usage.objects.create(environment=row, span="hour", start=hour, seconds=3600, figures=figures)
        for ago in (timedelta(days=number + 1), timedelta(days=200 + number)):
            day = (now - ago).date()
            Usage.objects.create(environment=row, span="day", start=hour - ago, seconds=86400, figures=figures)
            some = {"seconds": 86400, "cpu_reserved": 86_400_000, "cpu_used": 864_000, "cpu_peak": 20}
            for span, start in (
                ("day", day),
                ("week", day - timedelta(days=day.weekday())),
                ("month", day.replace(day=1)),
            ):
                spent, is_new = Consumption.objects.get_or_create(
                    environment=row, span=span, start=start, defaults=some
                )
                if not is_new:  # a week and a month are the sums of their days
                    sums = {name: F(name) + some[name] for name in ("seconds", "cpu_reserved", "cpu_used")}
                    Consumption.objects.filter(pk=spent.pk).update(**sums)


@pytest.fixture
def world(cast):
    environment, people_by_role = cast
    usage = {"requests.cpu": ["900m", "1"], "pods": ["1", "10"]}
    Environment.objects.filter(pk=environment.pk).update(usage=usage, usage_at=timezone.now(), fullest=0.9)
    version = environment.version
    TemplateVersion.objects.filter(pk=version.pk).update(state=TemplateVersion.State.RETIRED)
    state = TemplateVersion.State.PUBLISHED
    TemplateVersion.objects.create(template=version.template, number=2, state=state, spec=version.spec)
    environment.refresh_from_db()
    signed_in = {}
    for role, name in ROLES.items():
        signed_in[role] = Client()
        signed_in[role].force_login(people_by_role[name])
    return Growth(environment, people_by_role["manager"]), signed_in


def test_everybody_has_more_to_look_at_after_the_growth(world):
    growth, clients = world
    growth.to(FEWER)
    growth.to(MORE)
    for client in clients.values():
        user = User.objects.get(pk=client.session["_auth_user_id"])
        assert Environment.objects.visible_to(user).count() == 2 * MORE + 1
        assert f"of {2 * MORE + 1} environments" in client.get("/environments/").content.decode()
    assert growth.first.events.count() > MORE
    assert growth.first.members.count() > MORE


def pages(prefix: str = "/") -> Iterator[str]:
    """Every page but the admin's (test_admin_scale.py), each report by its name."""
    for route in sorted(routes()):
        if route.startswith("/admin/") or "(?P" in route or not route.startswith(prefix):
            continue
        if "<slug:report>" in route:
            yield from (route.replace("<slug:report>", slug) for slug in reports.REPORTS)
        else:
            yield route


def costs(environment: Environment, clients: dict[str, Client], chosen: list[str]) -> Costs:
    """How many queries each page takes for each role; pages that are only posted to are left out."""
    found: Costs = {}
    for page in chosen:
        url = address(page, environment)
        found[page] = {role: cost(client, url) for role, client in clients.items()}
    return {page: by_role for page, by_role in found.items() if None not in by_role.values()}


def cost(client: Client, url: str) -> int | None:
    for _ in range(2):  # what is looked up once for all is not this page's
        with CaptureQueriesContext(connection) as queries:
            response = client.get(url)
            response.getvalue()  # a streamed answer asks while it is read
            response.close()
    assert response.status_code < 500 or url in UNREACHABLE, (url, response.status_code)
    return None if response.status_code == 405 else len(queries)


#: The identity provider of these tests is down.
UNREACHABLE = {"/accounts/login/", "/accounts/oidc/sso/login/"}


def table() -> Costs:
    with TABLE.open(encoding="utf-8") as file:
        return {row["page"]: {role: int(row[role]) for role in ROLES} for row in csv.DictReader(file)}


def write(found: Costs) -> None:
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["page", *ROLES])
        writer.writerows([page, *by_role.values()] for page, by_role in sorted(found.items()))


def excess(found: Costs, allowed: Costs) -> dict[str, str]:
    """Where a page asks more often than it may: page and role -> found and allowed."""
    return {
        f"{page} as {role}": f"{count} queries, {allowed[page][role]} allowed"
        for page, by_role in found.items()
        for role, count in by_role.items()
        if count > allowed[page][role]
    }


def test_every_page_stays_within_its_budget_however_much_there_is(world):
    growth, clients = world
    growth.to(FEWER)
    few = costs(growth.first, clients, list(pages()))
    if os.environ.get("UPDATE_BUDGETS"):
        write(few)
    budgets = table()
    assert set(few) == set(budgets), "Pages came or went: UPDATE_BUDGETS=1 writes the table anew."
    assert excess(few, budgets) == {}
    growth.to(MORE)
    assert excess(costs(growth.first, clients, list(few)), few) == {}


def test_the_pages_of_local_accounts_cost_the_same_however_many_people_there_are(world, local_accounts):
    growth, clients = world
    local_accounts.MFA_REQUIRED_FOR = []
    growth.to(FEWER)
    few = costs(growth.first, clients, list(pages("/accounts/")))
    assert len(few) > 10
    assert max(max(by_role.values()) for by_role in few.values()) <= 12
    growth.to(MORE)
    assert excess(costs(growth.first, clients, list(few)), few) == {}


def test_no_page_asks_more_than_is_reasonable():
    assert {page: by_role for page, by_role in table().items() if max(by_role.values()) > MOST} == {}
