"""Groups that the company made itself: found by their name, read by their id, counted, and never changed."""

from typing import Any

import pytest

from environments.directory import GroupKey, NamedGroup
from tests.environments.directory.asking import KEY, reason, who
from tests.environments.directory.fakes.entra import FakeEntra
from tests.environments.directory.fakes.keycloak import FakeKeycloak
from tests.environments.directory.fakes.local import LocalWorld
from tests.environments.directory.fakes.okta import FakeOkta
from tests.environments.directory.fakes.scim import FakeScim

KINDS = (FakeScim, FakeKeycloak, FakeOkta, FakeEntra)

pytestmark = pytest.mark.django_db


def name_of(kind: Any) -> str:
    return str(kind.kind)


@pytest.fixture(params=KINDS, ids=name_of)
def fake(request: pytest.FixtureRequest) -> Any:
    made = request.param()
    made.person("dana")
    return made


@pytest.fixture(params=(*KINDS, LocalWorld), ids=name_of)
def world(request: pytest.FixtureRequest) -> Any:
    made = request.param()
    made.person("dana")
    return made


def test_a_group_of_the_company_is_found_by_its_name_and_read_by_its_id(fake: Any) -> None:
    group_id = fake.named_group("Payments")
    fake.named_group("Payments on call")
    [found] = fake.client().find_groups("Payments")
    assert (found.id, found.name, found.of_portal) == (group_id, "Payments", False)
    read = fake.client().read_group(group_id)
    assert (read.id, read.name, read.of_portal) == (group_id, "Payments", False)


@pytest.mark.parametrize("fake", [FakeScim, FakeOkta, FakeEntra], ids=name_of, indirect=True)  # Keycloak is exact
def test_the_directorys_spelling_counts(fake: Any) -> None:
    fake.named_group("Payments")
    assert [group.name for group in fake.client().find_groups("pAYMENTS")] == ["Payments"]


def test_a_group_that_nobody_has_is_none(world: Any) -> None:
    assert world.client().find_groups("payments") == []
    assert world.client().read_group("999999") is None


@pytest.mark.parametrize("name", ["o'neil", 'a"b', "a\\b", "é&=?#", "a/b", "(x)", "*"])
def test_odd_characters_in_a_name_stay_in_the_question(world: Any, name: str) -> None:
    assert world.client().find_groups(name) == []


def test_two_groups_of_one_name_are_both_found(fake: Any) -> None:
    ids = {fake.named_group("payments"), fake.named_group("payments")}
    assert {group.id for group in fake.client().find_groups("payments")} == ids


def test_a_group_that_a_portal_made_is_known_as_such(world: Any) -> None:
    client = world.client()
    group_id = client.create_group(KEY, who(client, "dana"))
    assert [group.of_portal for group in client.find_groups(KEY.name)] == [True]
    read = client.read_group(group_id)
    assert read is not None
    assert read.of_portal


def test_members_are_counted_in_one_call(fake: Any) -> None:
    group_id = fake.named_group("payments", 7)
    client = fake.client()
    assert client.count_members(group_id) == 7
    assert len(fake.calls) == 1


def test_reading_a_group_changes_nothing(fake: Any) -> None:
    group_id = fake.named_group("payments", 3)
    members, client = fake.member_ids(group_id), fake.client()
    client.find_groups("payments"), client.read_group(group_id), client.count_members(group_id)
    assert {request.method for request in fake.calls} <= {"GET"}
    assert fake.member_ids(group_id) == members


class TestRenaming:
    def test_a_group_of_ours_gets_its_name_again_with_its_members_and_its_mark(self, world: Any) -> None:
        client = world.client()
        dana = who(client, "dana")
        group_id = client.create_group(KEY, dana)
        world.rename(group_id, "renamed")
        assert client.find_group(KEY) == (group_id if client.finds_renamed else None)
        client.rename_group(group_id, KEY.name)
        assert client.find_group(KEY) == group_id, "still ours"
        assert client.members(group_id) == {dana.id}

    def test_a_server_that_cannot_patch_is_sent_the_whole_group(self) -> None:
        fake = FakeScim()
        fake.server.patches = False
        fake.person("dana")
        client = fake.client()
        dana = who(client, "dana")
        group_id = client.create_group(KEY, dana)
        fake.rename(group_id, "renamed")
        client.rename_group(group_id, KEY.name)
        assert client.find_group(KEY) == group_id
        assert client.members(group_id) == {dana.id}

    def test_a_group_that_is_gone_is_said(self, world: Any) -> None:
        client = world.client()
        group_id = client.create_group(KEY, who(client, "dana"))
        world.drop_group(group_id)
        client = world.client()
        assert reason(lambda: client.rename_group(group_id, KEY.name)) == "PermanentError GroupGone"


class TestScim:
    def test_an_empty_list_may_be_one_that_is_never_shown(self) -> None:
        fake = FakeScim()
        assert fake.client().count_members(fake.named_group("payments")) is None

    def test_a_server_without_filters_is_searched_as_a_whole(self) -> None:
        fake = FakeScim()
        fake.server.filters = False
        group_id = fake.named_group("Payments")
        assert [group.id for group in fake.client().find_groups("payments")] == [group_id]


class TestKeycloak:
    def nested(self) -> tuple[FakeKeycloak, str, str]:
        fake = FakeKeycloak()
        top, sales, inner = fake.group("payments"), fake.group("sales"), fake.group("payments")
        fake.parents[inner] = sales
        return fake, top, inner

    def test_a_sub_group_of_the_name_is_found_too(self) -> None:
        fake, top, inner = self.nested()
        found = fake.client().find_groups("payments")
        assert found == [NamedGroup(top, "payments", "/payments"), NamedGroup(inner, "payments", "/sales/payments")]

    def test_a_path_names_one_of_them(self) -> None:
        fake, _, inner = self.nested()
        assert [group.id for group in fake.client().find_groups("/sales/payments")] == [inner]

    def test_more_than_can_be_listed_at_once_are_not_counted(self) -> None:
        fake = FakeKeycloak()
        client = fake.client()
        assert client.count_members(fake.named_group("some", 1000)) == 1000
        fake.people.clear()
        assert client.count_members(fake.named_group("many", 1001)) is None


@pytest.mark.parametrize("kind", [FakeKeycloak, FakeEntra], ids=name_of)
def test_a_group_that_is_gone_is_said_when_it_is_counted(kind: Any) -> None:
    fake = kind()
    group_id = fake.group("payments")
    fake.drop_group(group_id)
    assert reason(lambda: fake.client().count_members(group_id)) == "PermanentError GroupGone"


def test_a_group_of_a_former_portal_is_no_group_of_the_company() -> None:
    """The key holds an environment's id, whichever environment it was."""
    fake = FakeEntra()
    client = fake.client()
    fake.person("dana")
    client.create_group(GroupKey("shop-admin", "6f1c0a52-1111-0000-0000-000000000009"), who(client, "dana"))
    assert [group.of_portal for group in client.find_groups("shop-admin")] == [True]
