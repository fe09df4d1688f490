"""Looking people up by their address, in any case: the same answers on both databases, by an index."""

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from environments.actions import memberships
from environments.directory.local import LocalClient
from environments.lib.phases import Role
from environments.models import Environment, User
from portal import identities, providers
from portal.claims import Claims
from portal.local import invitations

pytestmark = pytest.mark.django_db
INDEXES = ("user_address", "one_holder_per_address")


@pytest.fixture
def crowd(db):
    """Ten thousand people, and a database that has noticed."""
    User.objects.bulk_create(
        (User(username=f"p{number}", email=f"person{number}@example.com") for number in range(10_000)), batch_size=1000
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE environments_user")


@pytest.mark.parametrize(
    ("stored", "asked", "found"),
    [
        ("dana@example.com", "dana@example.com", True),
        ("dana@example.com", "Dana@Example.COM", True),
        ("DANA@example.com", "dana@example.com", True),
        ("dana@example.com", "d_na@example.com", False),
        ("dana@example.com", "%@example.com", False),
        ("dana@example.com", "dana@example.co", False),
        ("o'hara\\@example.com", "O'Hara\\@example.com", True),
        ("dana@example.com", "", False),
        ("mike@github.example", "mike@g\u0131thub.example", False),  # a dotless i is an I in upper case
        ("mike@g\u0131thub.example", "mike@github.example", False),
        ("info@strasse.example", "info@stra\u00dfe.example", False),  # folded, a sharp s is two
    ],
)
def test_an_address_is_found_in_any_case_and_as_it_is_written(stored, asked, found):
    person = User.objects.create(username="dana", email=stored)
    assert list(User.objects.with_address(asked)) == ([person] if found else [])


def test_nobody_is_taken_for_a_member_whose_address_only_looks_alike(ask):
    User.objects.create(username="mike", email="mike@github.example")
    environment = ask(collaborators={"mike@github.example": Role.DEVELOPER})
    assert environment.members.with_address("Mike@GitHub.example").get().email == "mike@github.example"
    assert not environment.members.with_address("mike@g\u0131thub.example").exists()


def plans(call) -> list[str]:
    """How the database would carry out the queries about addresses that a call makes."""
    with CaptureQueriesContext(connection) as queries, connection.cursor() as cursor:
        call()
        asked = [query["sql"] for query in queries if 'LOWER("environments_user"."email")' in query["sql"]]
        assert asked
        explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
        found = []
        for sql in asked:
            cursor.execute(f"{explain} {sql}")
            found.append(" ".join(str(column) for row in cursor.fetchall() for column in row))
    return found


CLAIMS = Claims(
    "sso", "https://idp.example.com", "s-1", "person7000@example.com", True, "p7000", "", "", token={"email": "x"}
)


def sign_in(username: str) -> None:
    identities._update(User.objects.get(username=username), CLAIMS, providers.configured()[0])


def hand_over() -> None:
    environment = Environment.objects.get()
    with pytest.raises(ValidationError, match="must sign in to Allotment once"):
        memberships.hand_over(environment, environment.owner, "nobody@example.com", keep=None)


def refuse_known() -> None:
    with pytest.raises(ValidationError, match="already has an account"):
        invitations.refuse_known("Person42@example.com")


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: LocalClient(0).find_person("person42@example.com"), id="the portal's own directory"),
        pytest.param(hand_over, id="a handover"),
        pytest.param(refuse_known, id="an invitation"),
        pytest.param(lambda: sign_in("p7000"), id="a sign-in"),
    ],
)
def test_nobody_reads_ten_thousand_people_to_find_one(crowd, make_environment, call):
    make_environment()
    for plan in plans(call):
        assert any(index in plan for index in INDEXES), plan
