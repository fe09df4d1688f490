"""Keycloak's own ways: realms, attributes, sub-groups, lists without a total."""

from types import SimpleNamespace

import httpx
import pytest

from environments.directory import GroupKey
from environments.directory.keycloak import KeycloakClient, token_url
from environments.lib.errors import PermanentError
from tests.environments.directory.asking import KEY, reason, who
from tests.environments.directory.fakes.keycloak import FakeKeycloak


@pytest.fixture
def fake() -> FakeKeycloak:
    made = FakeKeycloak()
    made.person("dana")
    return made


def test_tokens_come_from_the_realm_that_the_base_url_names() -> None:
    assert token_url("https://kc.example.com/admin/realms/acme/") == (
        "https://kc.example.com/realms/acme/protocol/openid-connect/token"
    )
    assert token_url("https://kc.example.com/auth/admin/realms/acme") == (
        "https://kc.example.com/auth/realms/acme/protocol/openid-connect/token"
    )


@pytest.mark.parametrize("url", ["https://kc.example.com", "https://kc.example.com/admin/realms/", "https://a/b"])
def test_a_base_url_without_a_realm_is_an_error_for_a_person(url: str) -> None:
    row = SimpleNamespace(url=url, token_url="", client_id="portal", secret="x")
    with pytest.raises(PermanentError) as caught:
        KeycloakClient(row)
    assert caught.value.reason == "BadAddress"


def test_the_environment_is_an_attribute_of_the_group(fake: FakeKeycloak) -> None:
    client = fake.client()
    group = client.create_group(KEY, who(client, "dana"))
    assert fake.groups[group].more["attributes"] == {
        "environment-id": [KEY.environment_id],
        "description": ["admin of namespace dana-shop-x7k2p"],
    }


def test_a_sub_group_of_our_name_that_another_made_is_not_ours(fake: FakeKeycloak) -> None:
    parent, child = fake.group("sales"), fake.group(KEY.name)
    fake.parents[child] = parent
    client = fake.client()
    assert reason(lambda: client.find_group(KEY)) == "PermanentError NotOurs"
    assert reason(lambda: client.create_group(KEY, who(client, "dana"))) == "PermanentError NotOurs"


def test_our_group_stays_ours_where_another_moved_it(fake: FakeKeycloak) -> None:
    client = fake.client()
    group = client.create_group(KEY, who(client, "dana"))
    fake.parents[group] = fake.group("sales")
    assert client.find_group(KEY) == group


@pytest.mark.parametrize(
    ("environment", "expected"), [(KEY.environment_id, None), ("another", "PermanentError NotOurs")]
)
def test_a_group_that_appears_between_the_look_and_the_making(
    fake: FakeKeycloak, environment: str, expected: str | None
) -> None:
    client = fake.client()
    dana = who(client, "dana")

    def be_first(request: httpx.Request) -> bool:
        if request.method == "POST":
            fake.group(KEY.name, attributes={"environment-id": [environment]})
        return False

    fake.fail(500, matches=be_first)
    if expected:
        assert reason(lambda: client.create_group(KEY, dana)) == expected
    else:
        assert client.members(client.create_group(KEY, dana)) == {dana.id}
    assert len(fake.groups) == 1


def test_somebody_who_leaves_while_pages_are_read_takes_nobody_with_them(fake: FakeKeycloak) -> None:
    client = fake.client()
    group = client.create_group(KEY, who(client, "dana"))
    fake.join(group, 250)

    def leave(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.url.params.get("first") == "0":
            fake.groups[group].members.remove("id-extra0003")  # everybody behind moves up by one
        return response

    fake.tamper = leave
    assert reason(lambda: client.members(group)) == "TemporaryError PartialAnswer"


def test_the_active_account_goes_before_a_deactivated_one_of_the_same_address(fake: FakeKeycloak) -> None:
    fake.person("old", active=False, email="shared@example.com")
    fake.person("new", email="shared@example.com")
    found = fake.client().find_person("shared@example.com")
    assert found is not None
    assert found.id == "id-new"


def test_an_address_of_two_active_people_is_nobodys(fake: FakeKeycloak) -> None:
    fake.person("one", email="shared@example.com")
    fake.person("two", email="shared@example.com")
    assert reason(lambda: fake.client().find_person("shared@example.com")) == "PermanentError Ambiguous"


def test_a_list_without_end_is_given_up(fake: FakeKeycloak, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("environments.directory.answers.MAX_PAGES", 2)
    client = fake.client()
    group = client.create_group(KEY, who(client, "dana"))
    fake.join(group, 250)
    assert reason(lambda: client.members(group)) == "PermanentError TooManyPages"


@pytest.mark.parametrize(
    "body",
    [{"errorMessage": "no such luck"}, {"error": "unknown_error", "error_description": "no such luck"}],
)
def test_an_error_speaks_in_any_of_keycloaks_ways(fake: FakeKeycloak, body: dict[str, str]) -> None:
    fake.tamper = lambda request, response: httpx.Response(400, json=body)
    with pytest.raises(PermanentError) as caught:
        fake.client().check()
    assert "no such luck" in caught.value.message


def test_a_group_without_attributes_is_not_ours(fake: FakeKeycloak) -> None:
    fake.group(KEY.name, attributes=None)
    assert reason(lambda: fake.client().find_group(KEY)) == "PermanentError NotOurs"


def test_check_names_the_realm(fake: FakeKeycloak) -> None:
    fake.client().create_group(GroupKey("a", "b"), who(fake.client(), "dana"))
    assert fake.client().check() == "Keycloak at kc.example.com answers for the realm acme; it has 1 groups."
