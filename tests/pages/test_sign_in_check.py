"""Checking a real token on the kubeconfig page, and what the environment's page says until one was seen."""

import json
import logging
from datetime import timedelta

import jwt
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from environments.lib.phases import Role
from environments.models import Cluster, Departure, Environment, Member, TokenCheck, User
from tests.pages.reading import one, read, rows, words

ISSUER, CLIENT = "https://idp.example.com", "kubernetes"
TOKEN = jwt.encode({"sub": "dana", "iss": ISSUER}, "k" * 32, algorithm="HS256")
OPAQUE = "0paque-bearer-token-4715"


@pytest.fixture
def environment(cluster, make_environment, theo):
    Cluster.objects.filter(pk=cluster.pk).update(
        access="oidc", oidc_issuer=ISSUER, oidc_client_id=CLIENT, username_prefix="oidc:", groups_prefix="oidc:"
    )
    cluster.refresh_from_db()
    return make_environment(members={theo.email: Role.VIEWER})


@pytest.fixture
def paste(client, dana, environment):
    """Paste something as Dana; the page that follows."""

    def post(text, person=dana, status=200):
        client.force_login(person)
        address = f"/environments/{environment.namespace}/kubeconfig/check/"
        return read(client.post(address, {"pasted": text}, follow=True), status)

    return post


def whoami(environment: Environment, name: str = "oidc:dana@example.com", groups: list[str] | None = None) -> str:
    own = f"oidc:{environment.groups.get(role='admin').name}"
    user = {"username": name, "groups": [own, "system:authenticated"] if groups is None else groups}
    return json.dumps({"kind": "SelfSubjectReview", "status": {"userInfo": user}})


def claims(environment: Environment, **more) -> str:
    now = int(timezone.now().timestamp())
    said = {"iss": ISSUER, "aud": CLIENT, "exp": now + 3600, "iat": now, "email": "dana@example.com"}
    return json.dumps(said | {"groups": [environment.groups.get(role="admin").name]} | more)


def verified(client, environment, person) -> dict[str, str]:
    """The last column of the table of members, by address."""
    client.force_login(person)
    card = one(read(client.get(f"/environments/{environment.namespace}/")), "[aria-labelledby=access-title]")
    return {row[0].split()[0]: row[-1] for row in rows(card)}


def state(soup) -> str:
    return words(one(soup, "#sign-in-state"))


def test_until_a_token_was_seen_only_the_role_is_verified(client, dana, environment):
    said = "role verified; sign-in not yet seen"
    assert verified(client, environment, dana) == {"dana@example.com": said, "theo@example.com": said}
    page = read(client.get(f"/environments/{environment.namespace}/kubeconfig/"))
    assert said in state(page)


def test_where_a_role_is_not_verified_it_says_that_alone(client, dana, environment):
    environment.members.update(allowed=False)
    assert verified(client, environment, dana)["dana@example.com"] == "denied"
    page = read(client.get(f"/environments/{environment.namespace}/kubeconfig/"))
    assert "Your role is not verified yet. Sign-in not yet seen." in state(page)


def test_a_cluster_with_its_own_accounts_has_nothing_of_it(client, dana, environment):
    Cluster.objects.update(access="token")
    assert verified(client, environment, dana)["dana@example.com"] == "✓ allowed by the cluster"
    assert not read(client.get(f"/environments/{environment.namespace}/kubeconfig/")).select("#sign-in")
    assert client.get(f"/environments/{environment.namespace}/kubeconfig/check/").status_code == 404
    assert client.post(f"/environments/{environment.namespace}/kubeconfig/check/", {"pasted": "x"}).status_code == 404


def test_what_was_seen_stands_line_by_line_beside_what_was_expected(client, paste, dana, environment):
    group = f"oidc:{environment.groups.get(role='admin').name}"
    soup = paste(whoami(environment))
    assert rows(one(soup, "#sign-in")) == [
        ["User name", "oidc:dana@example.com", "oidc:dana@example.com", "✓ as expected"],
        ["Group", group, group, "✓ as expected"],
    ]
    assert "✓ role verified; sign-in seen just now" in state(soup)
    found = verified(client, environment, dana)
    assert found["dana@example.com"] == "✓ role verified; sign-in seen just now"
    assert found["theo@example.com"] == "role verified; sign-in not yet seen"


@pytest.mark.parametrize(
    ("name", "groups", "note"),
    [
        ("oidc:Dana@example.com", None, "Only the case differs"),
        ("dana@example.com", None, "The prefix differs"),
        ("oidc:theo@example.com", None, "another person's token"),
        ("oidc:dana@example.com", ["/shop"], ""),
    ],
)
def test_what_differs_is_said_to_member_and_owner(client, paste, dana, environment, name, groups, note):
    if groups:
        groups = [f"/{environment.groups.get(role='admin').name}"]
        note = "the name differs from the cluster's settings"
    soup = paste(whoami(environment, name, groups))
    assert "The token differs from what was expected." in words(one(soup, "#sign-in .notice"))
    assert note in words(one(soup, "#sign-in table"))
    assert verified(client, environment, dana)["dana@example.com"] == "role verified; sign-in differs"


def test_access_by_name_works_before_the_token_has_the_group(client, paste, dana, environment):
    soup = paste(whoami(environment, groups=["system:authenticated"]))
    assert [row[-1] for row in rows(one(soup, "#sign-in"))] == ["✓ as expected", "not known"]
    assert "sign-in seen" in verified(client, environment, dana)["dana@example.com"]
    Cluster.objects.update(bind_members=False)
    assert "sign-in differs" in verified(client, environment, dana)["dana@example.com"]


def test_the_claims_of_a_refused_token_are_compared_with_the_settings(client, paste, dana, environment):
    soup = paste(claims(environment, aud="portal", iss=f"{ISSUER}/", email_verified="true"))
    found = {row[0].split(" (")[0]: row[-1] for row in rows(one(soup, "#sign-in"))}
    assert found == {
        "Issuer": "differs",
        "Audience": "differs",
        "Expiry": "✓ as expected",
        "Address verified": "differs",
        "User name": "✓ as expected",
        "Group": "✓ as expected",
    }
    assert "sign-in differs" in verified(client, environment, dana)["dana@example.com"]


def test_claims_alone_are_no_sign_in(client, paste, dana, environment):
    soup = paste(claims(environment))
    assert {row[-1] for row in rows(one(soup, "#sign-in"))} == {"✓ as expected"}
    assert verified(client, environment, dana)["dana@example.com"] == "role verified; sign-in not yet seen"


def test_the_newest_observation_decides(client, paste, dana, environment):
    paste(whoami(environment))
    TokenCheck.objects.update(seen_at=timezone.now() - timedelta(days=1))
    paste(claims(environment, aud="other"))
    assert "sign-in differs" in verified(client, environment, dana)["dana@example.com"]
    paste(whoami(environment))
    assert "sign-in seen" in verified(client, environment, dana)["dana@example.com"]
    assert TokenCheck.objects.count() == 2, "one of each kind"


@pytest.mark.parametrize("change", [{"oidc_client_id": "other"}, {"oidc_issuer": "https://other.example.com"}])
def test_what_was_seen_of_another_issuer_or_client_does_not_count(client, paste, dana, environment, change):
    paste(whoami(environment))
    Cluster.objects.update(**change)
    assert verified(client, environment, dana)["dana@example.com"] == "role verified; sign-in not yet seen"


def test_what_was_seen_is_compared_with_the_settings_of_now(client, paste, dana, environment):
    paste(whoami(environment))
    Cluster.objects.update(username_prefix="sso:")
    assert "sign-in differs" in verified(client, environment, dana)["dana@example.com"]


def test_it_changes_no_name_and_no_binding(paste, environment):
    def world():
        people = [row | {"last_login": None} for row in User.objects.order_by("pk").values()]
        members, groups = (list(rows.order_by("pk").values()) for rows in (Member.objects, environment.groups))
        return people, members, groups, list(Environment.objects.values("generation", "next_reconcile_at"))

    paste(whoami(environment))
    before = world()
    paste(whoami(environment, "system:admin", ["system:masters"]))
    paste(claims(environment, email="someone@example.com", groups=["system:masters"]))
    assert world() == before


def test_a_member_sees_their_own_alone(client, paste, dana, theo, environment):
    paste(whoami(environment))
    client.force_login(theo)
    soup = read(client.get(f"/environments/{environment.namespace}/kubeconfig/"))
    assert not soup.select("#sign-in table")
    assert "sign-in not yet seen" in state(soup)
    check = TokenCheck.objects.get()
    assert (check.user, check.cluster) == (dana, environment.cluster)


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f'{{"kind":"ExecCredential","status":{{"token":"{TOKEN}"}}}}',
        f"users:\n- user:\n    token: {OPAQUE}",
        OPAQUE,
        f'["{OPAQUE}"]',
    ],
)
def test_a_pasted_token_is_refused_and_kept_nowhere(paste, client, ada, environment, caplog, text):
    caplog.set_level(logging.DEBUG)
    connection.force_debug_cursor = True
    connection.queries_log.clear()
    try:
        soup = paste(text, status=422)
        asked = str(connection.queries_log)
    finally:
        connection.force_debug_cursor = False
    refused = words(one(soup, "#errors"))
    assert "contains a token or a key" in refused or "not JSON" in refused or "not what the command prints" in refused
    assert one(soup, "#id_pasted").get_text(strip=True) == ""
    for place in (str(soup), caplog.text, asked):
        assert TOKEN not in place
        assert OPAQUE not in place
    assert not TokenCheck.objects.exists()


def test_nothing_pasted_is_an_error_at_the_field(paste):
    soup = paste("  ", status=422)
    assert "Paste what one of the commands prints." in words(one(soup, "#errors"))
    assert one(soup, "#id_pasted")["aria-invalid"] == "true"


def test_what_was_pasted_is_text_on_every_page(client, paste, dana, environment):
    mark = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    paste(whoami(environment, mark, [mark]))
    soup = paste(claims(environment, iss=mark, aud=[mark], email=mark, groups=[mark]))
    assert not soup.select("#sign-in script, #sign-in img")
    assert mark in one(soup, "#sign-in").get_text()


def test_an_admin_who_is_no_member_has_no_form_here(client, ada, environment):
    client.force_login(ada)
    address = f"/environments/{environment.namespace}/kubeconfig/check/"
    assert client.get(address).status_code == client.post(address, {"pasted": whoami(environment)}).status_code == 403
    assert not TokenCheck.objects.exists()


def test_more_members_cost_no_more_queries(client, dana, environment):
    def cost() -> int:
        client.get(f"/environments/{environment.namespace}/")  # what is looked up once for all
        with CaptureQueriesContext(connection) as queries:
            assert verified(client, environment, dana)
        return len(queries)

    few = cost()
    target = [ISSUER, CLIENT]
    for number in range(12):
        person = User.objects.create(username=f"p{number}", email=f"p{number}@example.com")
        Member.objects.create(
            environment=environment, email=person.email, person=person, role=Role.VIEWER, in_group=True, allowed=True
        )
        content = {"for": target, "username": f"oidc:p{number}@example.com", "groups": []}
        TokenCheck.objects.create(cluster=environment.cluster, user=person, kind="whoami", content=content)
        Departure.objects.create(environment=environment, email=f"gone{number}@example.com", role=Role.VIEWER)
    found = verified(client, environment, dana)
    assert found["p7@example.com"].startswith("✓ role verified; sign-in seen")
    assert cost() <= few + 1, "how long tokens are valid is asked for once there is someone to say it of"
