"""What every kind of directory does for the portal, whatever it speaks."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from environments.directory import GroupKey, Person
from environments.lib.errors import PermanentError, TemporaryError
from tests.environments.directory.asking import KEY, reason, who
from tests.environments.directory.fakes.base import SECRET, FakeDirectory
from tests.environments.directory.fakes.entra import FakeEntra
from tests.environments.directory.fakes.keycloak import FakeKeycloak
from tests.environments.directory.fakes.local import LocalWorld
from tests.environments.directory.fakes.okta import FakeOkta
from tests.environments.directory.fakes.scim import FakeScim

OTHER_ROLE = GroupKey("dana-shop-x7k2p-viewer", KEY.environment_id)
HTTP_KINDS: list[Callable[[], Any]] = [FakeScim, FakeKeycloak, FakeOkta, FakeEntra]
KINDS = [LocalWorld, *HTTP_KINDS]

pytestmark = pytest.mark.django_db


def name_of(kind: Any) -> str:
    return str(kind.kind)


@pytest.fixture(params=KINDS, ids=name_of)
def world(request: pytest.FixtureRequest) -> Any:
    made = request.param()
    made.person("dana")
    made.person("theo")
    return made


@pytest.fixture(params=HTTP_KINDS, ids=name_of)
def fake(request: pytest.FixtureRequest) -> FakeDirectory:
    made: FakeDirectory = request.param()
    made.person("dana")
    made.person("theo")
    return made


class TestPeople:
    def test_a_person_is_found_by_their_address_in_any_case(self, world: Any) -> None:
        assert who(world.client(), "DANA").email == "dana@example.com"

    def test_a_person_is_read_by_their_id(self, world: Any) -> None:
        dana = who(world.client(), "dana")
        assert world.client().read_person(dana.id, dana.email) == dana
        assert world.client().read_person("999999", dana.email) is None

    def test_a_person_whom_nobody_knows_is_none(self, world: Any) -> None:
        assert world.client().find_person("nobody@example.com") is None

    def test_a_deactivated_person_is_found_as_such(self, world: Any) -> None:
        world.person("gone", active=False)
        assert who(world.client(), "gone").active is False
        assert who(world.client(), "dana").active is True

    @pytest.mark.parametrize(
        "address", ["o'neil@example.com", 'a"b@example.com', "a\\b@example.com", "é&=?#@b.c", "a+b@c.d"]
    )
    def test_odd_characters_in_an_address_stay_in_the_question(self, world: Any, address: str) -> None:
        assert world.client().find_person(address) is None

    def test_an_apostrophe_is_part_of_a_name(self, world: Any) -> None:
        world.person("o'neil")
        assert who(world.client(), "o'neil").username == "o'neil@example.com"


class TestGroups:
    def test_a_group_is_made_with_its_first_member_and_found_again(self, world: Any) -> None:
        client = world.client()
        assert client.find_group(KEY) is None
        dana = who(client, "dana")
        group = client.create_group(KEY, dana)
        assert client.find_group(KEY) == world.client().find_group(KEY) == group
        assert client.members(group) == {dana.id}

    def test_making_a_group_again_takes_the_one_that_is_there(self, world: Any) -> None:
        client = world.client()
        dana, theo = who(client, "dana"), who(client, "theo")
        group = client.create_group(KEY, dana)
        assert client.create_group(KEY, dana) == group
        assert world.member_ids(group) == [dana.id]
        assert client.create_group(KEY, theo) == group

    def test_the_roles_of_one_environment_have_a_group_each(self, world: Any) -> None:
        client = world.client()
        first, second = (client.create_group(key, who(client, "dana")) for key in (KEY, OTHER_ROLE))
        assert first != second
        assert (client.find_group(KEY), client.find_group(OTHER_ROLE)) == (first, second)

    def test_a_group_that_another_made_is_never_taken_or_changed(self, world: Any) -> None:
        client = world.client()
        dana, foreign = who(client, "dana"), world.foreign_group(KEY)
        assert reason(lambda: client.find_group(KEY)) == "PermanentError NotOurs"
        assert reason(lambda: client.create_group(KEY, dana)) == "PermanentError NotOurs"
        assert world.member_ids(foreign) == []

    def test_a_group_of_another_environment_is_another_made(self, world: Any) -> None:
        client = world.client()
        client.create_group(GroupKey(KEY.name, "6f1c0a52-0000-0000-0000-000000000002"), who(client, "dana"))
        assert reason(lambda: client.find_group(KEY)) == "PermanentError NotOurs"

    def test_a_group_is_deleted_and_may_be_deleted_again(self, world: Any) -> None:
        client = world.client()
        group = client.create_group(KEY, who(client, "dana"))
        client.delete_group(group)
        client.delete_group(group)
        assert client.find_group(KEY) is None

    def test_a_group_that_another_deleted_is_gone(self, world: Any) -> None:
        client = world.client()
        dana, theo = who(client, "dana"), who(client, "theo")
        group = client.create_group(KEY, dana)
        world.drop_group(group)
        client = world.client()  # another process, which does not know that the group is new
        for call in (
            lambda: client.members(group),
            lambda: client.add_members(group, [theo]),
            lambda: client.remove_members(group, [dana.id]),
        ):
            assert reason(call) == "PermanentError GroupGone"


class TestMembers:
    def test_members_come_and_go_and_twice_is_as_good_as_once(self, world: Any) -> None:
        client = world.client()
        dana, theo = who(client, "dana"), who(client, "theo")
        group = client.create_group(KEY, dana)
        for _ in range(2):
            client.add_members(group, [dana, theo])
            assert world.member_ids(group) == sorted([dana.id, theo.id]), "nobody is in twice"
        for _ in range(2):
            client.remove_members(group, [dana.id, "999999"])
            assert client.members(group) == {theo.id}
        client.add_members(group, [])
        client.remove_members(group, [])
        assert client.members(group) == {theo.id}

    def test_the_last_member_may_leave(self, world: Any) -> None:
        client = world.client()
        dana = who(client, "dana")
        group = client.create_group(KEY, dana)
        client.remove_members(group, [dana.id])
        assert client.members(group) == set()

    def test_members_whom_another_added_stay(self, world: Any) -> None:
        client = world.client()
        dana = who(client, "dana")
        group = client.create_group(KEY, dana)
        others = world.join(group, 3)
        client.remove_members(group, [dana.id])
        assert client.members(group) == others

    def test_all_of_a_big_group_is_read(self, world: Any) -> None:
        world.page_size = 100
        client = world.client()
        dana = who(client, "dana")
        group = client.create_group(KEY, dana)
        others = world.join(group, 450)
        assert client.members(group) == others | {dana.id}

    def test_exactly_one_page_is_whole_too(self, world: Any) -> None:
        world.page_size = 100
        client = world.client()
        dana = who(client, "dana")
        group = client.create_group(KEY, dana)
        others = world.join(group, 99)
        assert client.members(group) == others | {dana.id}


class TestHttp:
    """What goes wrong between two servers."""

    @pytest.fixture
    def group(self, fake: FakeDirectory) -> str:
        client = fake.client()
        made: str = client.create_group(KEY, who(client, "dana"))
        return made

    @pytest.mark.parametrize("fake", [FakeKeycloak, FakeOkta, FakeEntra], ids=name_of, indirect=True)
    def test_a_page_that_fails_leaves_no_partial_answer(self, fake: FakeDirectory, group: str) -> None:
        fake.page_size = 100
        fake.join(group, 450)
        before = fake.member_ids(group)
        fake.fail(
            503,
            skip=2,
            matches=lambda request: (
                (request.method == "GET" and "/members" in str(request.url)) or str(request.url).count("/users?") == 1
            ),
        )
        client = fake.client()
        assert reason(lambda: client.members(group)) == "TemporaryError Unavailable"
        assert reason(lambda: client.remove_members(group, before)) == "TemporaryError Unavailable"
        assert fake.member_ids(group) == before

    @pytest.mark.parametrize("status", [429, 503])
    def test_a_server_that_asks_for_time_gets_it(self, fake: FakeDirectory, group: str, status: int) -> None:
        fake.fail(status, headers={"Retry-After": "17"})
        client = fake.client()
        for call in (
            lambda: client.find_person("dana@example.com"),
            lambda: client.find_group(KEY),
            lambda: client.members(group),
            lambda: client.delete_group(group),
            client.check,
        ):
            with pytest.raises(TemporaryError) as caught:
                call()
            assert caught.value.retry_after == 17

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            (400, "PermanentError Refused"),
            (403, "TemporaryError Unauthorized"),
            (409, "TemporaryError Conflict"),
            (412, "TemporaryError Conflict"),
            (500, "TemporaryError Unavailable"),
            (302, "PermanentError Redirected"),
        ],
    )
    def test_every_refusal_is_one_of_the_two_errors(
        self, fake: FakeDirectory, group: str, status: int, expected: str
    ) -> None:
        fake.fail(status)
        assert reason(lambda: fake.client().members(group)) == expected

    def test_what_the_server_says_is_shown_without_any_secret(self, fake: FakeDirectory, group: str) -> None:
        client = fake.client()
        client.members(group)
        shown = fake.calls[-1].headers["Authorization"].partition(" ")[2]
        fake.fail(400, detail=f"nobody likes {shown} and {SECRET} today, {'x' * 260} {SECRET}")
        with pytest.raises(PermanentError) as caught:
            client.members(group)
        assert "nobody likes … and … today" in str(caught.value)
        assert shown not in str(caught.value)
        assert "t0p" not in repr(caught.value) + caught.value.message

    @pytest.mark.parametrize(
        "body", [b"<html>Please sign in</html>", b'"ok"', b"{", b'{"hello": "world"}', b"[1]", b""]
    )
    def test_another_answer_is_no_group_without_members(self, fake: FakeDirectory, group: str, body: bytes) -> None:
        fake.tamper = lambda request, response: httpx.Response(200, content=body)
        client = fake.client()
        assert reason(lambda: client.members(group)) == "TemporaryError BadAnswer"
        assert reason(lambda: client.find_person("dana@example.com")) == "TemporaryError BadAnswer"
        assert reason(client.check) == "TemporaryError BadAnswer"

    def test_a_call_without_an_answer_may_be_repeated(self, fake: FakeDirectory, group: str) -> None:
        def fail(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            raise httpx.ReadTimeout(f"{SECRET}")

        fake.tamper = fail
        with pytest.raises(TemporaryError) as caught:
            fake.client().members(group)
        assert (caught.value.reason, SECRET in str(caught.value)) == ("Timeout", False)

    def test_a_group_that_was_made_by_a_call_whose_answer_got_lost_is_taken(self, fake: FakeDirectory) -> None:
        client = fake.client()
        dana = who(client, "dana")

        def lose(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            if response.status_code in (200, 201) and request.method in ("POST", "PATCH"):
                raise httpx.ReadTimeout("too late")
            return response

        fake.tamper = lose
        assert reason(lambda: client.create_group(KEY, dana)) == "TemporaryError Timeout"
        fake.tamper = None
        group = client.create_group(KEY, dana)
        assert client.members(group) == {dana.id}
        assert client.find_group(KEY) == group, "there is one"

    @pytest.mark.parametrize("fake", [FakeKeycloak, FakeOkta, FakeEntra], ids=name_of, indirect=True)
    def test_somebody_whom_the_directory_does_not_know_stops_nobody_else(self, fake: FakeDirectory, group: str) -> None:
        client = fake.client()
        theo, ghost = who(client, "theo"), Person("id-ghost", "ghost@example.com", "ghost")
        with pytest.raises(TemporaryError) as caught:
            client.add_members(group, [ghost, theo])
        assert caught.value.reason == "NotAdded"
        assert "ghost@example.com" in caught.value.message
        assert theo.id in fake.member_ids(group)

    def test_ids_stay_one_part_of_the_path(self, fake: FakeDirectory, group: str) -> None:
        fake.client().delete_group(f"../{group}?x=")
        assert fake.calls[-1].url.query == b""
        assert b"..%2F" in fake.calls[-1].url.raw_path
        assert fake.member_ids(group) != []

    def test_check_says_who_answers(self, fake: FakeDirectory) -> None:
        assert str(httpx.URL(fake.base).host) in fake.client().check()


class TestTokens:
    """Client credentials; Okta's are in test_okta.py."""

    @pytest.fixture(params=[FakeScim, FakeKeycloak, FakeEntra], ids=name_of)
    def fake(self, request: pytest.FixtureRequest) -> FakeDirectory:
        made: FakeDirectory = request.param()
        made.person("dana")
        return made

    def test_one_token_serves_many_calls(self, fake: FakeDirectory) -> None:
        client = fake.client()
        who(client, "dana")
        client.find_group(KEY)
        assert fake.tokens == ["token1"]

    def test_a_refused_token_is_renewed_within_the_call(self, fake: FakeDirectory) -> None:
        client = fake.client()
        who(client, "dana")
        fake.valid.clear()
        who(client, "dana")
        assert fake.tokens == ["token1", "token2"]

    def test_a_token_that_is_refused_again_is_an_error(self, fake: FakeDirectory) -> None:
        fake.fail(401)
        with pytest.raises(TemporaryError) as caught:
            fake.client().find_person("dana@example.com")
        assert (caught.value.reason, caught.value.retry_after) == ("Unauthorized", 60)
        assert fake.tokens == ["token1", "token2"]

    def test_a_wrong_secret_is_told_to_the_platform_admin(self, fake: FakeDirectory) -> None:
        with pytest.raises(TemporaryError) as caught:
            fake.client(secret="wr0ng").check()
        assert caught.value.reason == "Unauthorized"
        assert "platform admin" in caught.value.message
        assert not any(text in str(caught.value) for text in ("wr0ng", SECRET))


def test_json_is_spoken_as_each_product_wants_it() -> None:
    wanted = {FakeScim: "application/scim+json", FakeKeycloak: "application/json"}
    for kind, content_type in wanted.items():
        fake = kind()
        fake.person("dana")
        client = fake.client()
        client.create_group(KEY, who(client, "dana"))
        posts = [request for request in fake.calls if request.method == "POST"]
        assert posts[0].headers["Content-Type"] == content_type
        assert json.loads(posts[0].content)
