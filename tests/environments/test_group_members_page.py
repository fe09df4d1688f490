"""Groups on the pages: given and removed by those who manage members, and a way in for those who are in one."""

import json

import pytest
from bs4 import BeautifulSoup
from django.test import Client

from environments.actions import access_tokens, group_members, memberships, sign_ins
from environments.lib.phases import Role
from environments.models import Cluster, Environment, TokenCheck, User
from tests.arranging import settle
from tests.environments.directory.fakes.keycloak import FakeKeycloak
from tests.pages.reading import read, words

ISSUER = "https://idp.example.com"

pytestmark = pytest.mark.django_db


@pytest.fixture
def company(monkeypatch) -> FakeKeycloak:
    fake = FakeKeycloak()
    for name in ("dana", "theo"):
        fake.person(name)
    fake.named_group("payments", 7)
    client = fake.client()
    monkeypatch.setattr("environments.directory.connect", lambda row: client)
    return fake


@pytest.fixture
def environment(ask, place, company) -> Environment:
    changes = {"access": Cluster.Access.OIDC, "oidc_issuer": ISSUER, "oidc_client_id": "kubernetes"}
    Cluster.objects.filter(pk=place.pk).update(**changes)
    place.refresh_from_db()
    return settle(ask())


@pytest.fixture
def shared(environment, people) -> Environment:
    group_members.add_group(environment, people[0], "payments", Role.DEVELOPER)
    return settle(environment)


@pytest.fixture
def pia(db) -> User:
    claims = {"issuer": ISSUER, "subject": "sub-pia", "groups_claim": ["payments"], "provider": "sso"}
    return User.objects.create(username="pia", email="pia@example.com", claimed_email="pia@example.com", **claims)


@pytest.fixture
def address(environment) -> str:
    return f"/environments/{environment.namespace}/members/"


def rows(page: BeautifulSoup) -> list[str]:
    return [words(row) for row in page.select("[aria-labelledby=access-title] tbody tr")]


def test_the_owner_gives_a_group_a_role_and_removes_it(client, people, environment, address):
    client.force_login(people[0])
    answer = client.post(f"{address}groups/", {"group": "payments", "role": "viewer"}, follow=True)
    assert "The group payments now has the role viewer." in words(read(answer))
    settle(environment)
    assert "payments group, 7 members Viewer ✓ in the directory ✓ bound ✓ allowed by the cluster" in rows(
        read(client.get(address))
    )
    key = environment.group_members.get().pk
    answer = client.post(f"{address}groups/remove/", {"group": str(key)}, follow=True)
    assert "The group payments was removed." in words(read(answer))
    assert not any("payments" in row for row in rows(read(answer)))


def test_groups_of_the_own_sign_in_are_suggested(client, people, environment, address):
    own = environment.groups.first().name
    User.objects.filter(pk=people[0].pk).update(groups_claim=["payments", own, "system:x", "on-call"])
    client.force_login(people[0])
    page = read(client.get(address))
    assert [option["value"] for option in page.select("#own-groups option")] == ["on-call", "payments"]
    assert page.select_one("#id_group_group")["list"] == "own-groups"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"group": "", "role": "viewer"}, "This field is required"),
        ({"group": "paymnts", "role": "viewer"}, "The directory has no group “paymnts”. Did you mean payments?"),
        ({"group": "payments", "role": "admin"}, "Select a valid choice"),
        ({"group": "payments", "role": ""}, "This field is required"),
        ({"group": "pay\x00ments", "role": "viewer"}, "Null characters are not allowed."),
    ],
)
def test_a_mistake_is_said_at_its_field_and_nothing_is_lost(client, people, environment, address, data, sentence):
    User.objects.filter(pk=people[0].pk).update(groups_claim=["payments"])
    client.force_login(people[0])
    answer = client.post(f"{address}groups/", data)
    assert answer.status_code == 422
    page = read(answer, 422)
    assert sentence in words(page)
    if "\x00" not in data["group"]:
        assert page.select_one("#id_group_group").get("value", "") == data["group"]
    assert not environment.group_members.exists()


@pytest.mark.parametrize("number", ["", "x", "0", "-1", "9" * 30, "４７"])
def test_removing_what_is_no_member_says_so(client, people, address, number):
    client.force_login(people[0])
    answer = client.post(f"{address}groups/remove/", {"group": number}, follow=True)
    assert "This group is not a member." in words(read(answer))


def test_a_cluster_that_knows_no_groups_says_what_to_do(client, people, environment, address):
    Cluster.objects.update(access=Cluster.Access.TOKEN)
    client.force_login(people[0])
    page = read(client.get(address))
    assert "does not know the groups of your directory" in words(page)
    assert page.select_one("#id_group_group") is None
    answer = client.post(f"{address}groups/", {"group": "payments", "role": "viewer"})
    assert (answer.status_code, environment.group_members.count()) == (422, 0)
    assert "does not know the groups of your directory" in words(read(answer, 422))


class TestInside:
    """What somebody sees who has access through the group alone."""

    def signed_in(self, person: User) -> Client:
        client = Client()
        client.force_login(person)
        return client

    def test_they_see_the_environment_and_get_a_kubeconfig(self, shared, pia):
        client = self.signed_in(pia)
        page = read(client.get(f"/environments/{shared.namespace}/"))
        assert page.select_one("#get-kubeconfig, #download-kubeconfig")
        assert page.select_one("#leave") is None
        assert page.select_one("#members-link") is None
        assert "Request access" not in words(page)
        page = read(client.get(f"/environments/{shared.namespace}/kubeconfig/"))
        assert "Role: developer" in words(page)
        answer = client.get(f"/environments/{shared.namespace}/kubeconfig/oidc/")
        assert answer.status_code == 200
        assert b"oidc-login" in answer.content

    def test_their_sign_in_is_compared_with_the_groups_name(self, shared, pia):
        access = access_tokens.access_of(shared, pia)
        assert access.pk is None
        assert access.role == Role.DEVELOPER
        for groups, expected in ((["payments"], "ok"), ([], "bad")):
            user = {"username": "pia@example.com", "groups": [*groups, "system:authenticated"]}
            sent = {"pasted": json.dumps({"kind": "SelfSubjectReview", "status": {"userInfo": user}})}
            path = f"/environments/{shared.namespace}/kubeconfig/check/"
            assert self.signed_in(pia).post(path, sent).status_code == 302
            sign_in = sign_ins.of_member(shared, access, TokenCheck.objects.all(), shared.groups.all())
            assert sign_in.tone == expected

    def test_the_environment_is_on_their_home_page_and_in_their_list(self, shared, pia):
        client = self.signed_in(pia)
        assert shared.name in words(read(client.get("/")))
        assert shared.name in words(read(client.get("/environments/?mine=on")))

    @pytest.mark.parametrize("path", ["", "remove/", "hand-over/", "groups/", "groups/remove/", "leave/"])
    def test_they_change_nothing(self, shared, pia, path):
        client = self.signed_in(pia)
        assert client.post(f"/environments/{shared.namespace}/members/{path}").status_code == 403
        assert client.post(f"/environments/{shared.namespace}/delete/").status_code == 403
        assert client.post(f"/environments/{shared.namespace}/kubeconfig/token/", {"hours": 1}).status_code == 403

    def test_a_member_of_their_own_keeps_their_own_role(self, shared, pia, people):
        memberships.add_person(shared, people[0], pia, Role.VIEWER)
        assert access_tokens.access_of(shared, pia).role == Role.VIEWER

    def test_the_strongest_of_their_groups_counts(self, shared, pia, people, company):
        company.group("guests")
        group_members.add_group(shared, people[0], "guests", Role.VIEWER)
        pia.groups_claim = ["guests", "payments"]
        assert access_tokens.access_of(shared, pia).role == Role.DEVELOPER

    def test_who_is_in_no_group_finds_nothing(self, shared, pia):
        User.objects.filter(pk=pia.pk).update(groups_claim=["others"])
        client = self.signed_in(pia)
        for path in ("", "kubeconfig/", "kubeconfig/oidc/", "members/"):
            assert client.get(f"/environments/{shared.namespace}/{path}").status_code == 404


def test_the_access_review_and_the_admin_list_groups(client, shared, people):
    admin = User.objects.create(username="ada", email="ada@example.com", is_superuser=True, is_staff=True)
    client.force_login(admin)
    page = words(read(client.get("/reports/access/")))
    assert "Groups and teams with access" in page
    assert "payments Directory group 7 checkout" in page
    assert "payments" in words(read(client.get(f"/admin/environments/environment/{shared.pk}/change/")))
