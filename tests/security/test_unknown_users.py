"""Nobody learns from the outside who has an account: the same words, and the same work."""

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from environments.models import User
from portal import tasks
from tests.portal.local_people import OTHER, local, main

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("local_accounts")]

LOGIN, RESET = "/accounts/login/", "/accounts/password/reset/"
STRANGER = "nobody@example.com"


@pytest.fixture
def work(monkeypatch):
    """How much was done for a request: passwords hashed, and questions to the database by table."""
    hashed = []
    encode = MD5PasswordHasher.encode
    monkeypatch.setattr(MD5PasswordHasher, "encode", lambda *args: hashed.append(1) or encode(*args))

    def of(path: str, sent: dict) -> tuple[int, list[str]]:
        hashed.clear()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            Client().post(path, sent)
        return len(hashed), [query["sql"].split(" WHERE ")[0].split(" VALUES ")[0] for query in queries]

    return of


def people() -> dict[str, User]:
    """Somebody with a password, somebody of the identity provider, and somebody who was shut out."""
    made = {name: User.objects.create(username=name, email=f"{name}@example.com") for name in ("one", "sso", "gone")}
    local(made["one"])
    local(made["gone"])
    made["sso"].set_unusable_password()
    made["sso"].save()
    User.objects.filter(pk=made["gone"].pk).update(is_active=False)
    return made


def test_a_wrong_password_costs_the_same_whoever_is_named(work):
    people()
    everybody = [f"{name}@example.com" for name in ("one", "sso", "gone", "nobody")]
    found = {email: work(LOGIN, {"login": email, "password": OTHER})[0] for email in everybody}
    assert found == dict.fromkeys(found, 1), "one password is hashed, for nobody too"


def test_asking_for_a_new_password_costs_the_same_whoever_is_named(work, enqueued):
    people()
    costs = [work(RESET, {"email": email}) for email in ("one@example.com", "sso@example.com", STRANGER)]
    assert costs[0] == costs[1] == costs[2]
    asked = enqueued.of(tasks.send_password_reset)
    assert len(asked) == 3
    assert asked[2] == 0


def test_an_invitation_that_was_never_sent_reads_like_one_that_is_over():
    pages = [Client().get(f"/accounts/invitation/{key}/") for key in ("made-up", "1:1abcde:made-up-too", "x" * 200)]
    assert {page.status_code for page in pages} <= {404, 410}
    assert len({main(page).get_text() for page in pages}) == 1


def test_no_page_of_an_account_tells_its_address_to_somebody_outside():
    people()
    for path in (LOGIN, RESET):
        for email in ("one@example.com", STRANGER):
            page = Client().post(path, {"email": email, "login": email, "password": "x"}, follow=True)
            assert b"no account" not in page.content.lower()
            assert page.status_code == 200
