"""Every URL, asked by everybody with every method, answers as the table in access_matrix.csv says.

A new URL fails this test until its line is in the table. With UPDATE_MATRIX=1 in the environment this test
writes it anew, and the difference is what a reviewer reads.
"""

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import transaction
from django.test import Client

from environments.models import User
from tests.routes import ROLES, address, product_routes, routes

TABLE = Path(__file__).with_name("access_matrix.csv")
LOCAL_TABLE = TABLE.with_name("access_matrix_local.csv")
#: What a reader may send: it changes nothing but asks the owner to.
ASKING = {"/environments/<slug:namespace>/access/request/"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]  # thousands of requests


def ask_all(environment, people: dict, route: str) -> Iterator[dict[str, str]]:
    for method in METHODS:
        row = {"route": route, "method": method}
        for role, person in people.items():
            client = Client()
            client.raise_request_exception = False
            if person is not None:
                client.force_login(User.objects.get(pk=person.pk))
            with transaction.atomic():
                response = client.generic(method, address(route, environment))
                row[role] = str(response.status_code)
                response.close()  # a download holds a file
                transaction.set_rollback(True)  # who left with one request is a member in the next
        yield row


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


def test_every_url_of_local_accounts_answers_everybody_as_its_table_says(cast, local_accounts):
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
        if row["method"] in ("POST", "PUT", "PATCH", "DELETE") and row["route"] not in ASKING:
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
