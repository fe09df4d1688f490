"""Entra ID's own ways: copies that agree after a while, names that are not unique, references."""

import time
from contextlib import suppress

import httpx
import pytest

from environments.directory import Person
from environments.lib.errors import PermanentError, TemporaryError
from tests.environments.directory.asking import KEY, reason, who
from tests.environments.directory.fakes.entra import FakeEntra


@pytest.fixture
def fake() -> FakeEntra:
    made = FakeEntra()
    made.person("dana")
    return made


class TestNewGroups:
    def test_a_new_group_that_is_not_seen_yet_is_waited_for(self, fake: FakeEntra) -> None:
        fake.lag = 4
        client = fake.client()
        dana = who(client, "dana")
        with pytest.raises(TemporaryError) as caught:
            client.create_group(KEY, dana)  # made; its first member and a second look find nothing
        assert (caught.value.reason, caught.value.retry_after) == ("NotYet", 5)
        group = next(iter(fake.groups))
        assert reason(lambda: client.members(group)) == "TemporaryError NotYet"
        assert reason(lambda: client.delete_group(group)) == "TemporaryError NotYet"
        assert client.members(group) == set()
        client.add_members(group, [dana])
        assert client.members(group) == {dana.id}

    def test_making_it_again_makes_no_second_one(self, fake: FakeEntra) -> None:
        fake.lag = 5
        dana = who(fake.client(), "dana")
        for _ in range(4):  # each time another process, which remembers nothing
            with suppress(TemporaryError):
                fake.client().create_group(KEY, dana)
        assert len(fake.groups) == 1
        assert fake.client().members(next(iter(fake.groups))) == {dana.id}

    def test_after_a_minute_a_group_that_is_not_found_is_gone(
        self, fake: FakeEntra, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = fake.client()
        group = client.create_group(KEY, who(client, "dana"))
        fake.drop_group(group)
        assert reason(lambda: client.members(group)) == "TemporaryError NotYet"
        later = time.monotonic() + 61
        monkeypatch.setattr("environments.directory.entra.time.monotonic", lambda: later)
        assert reason(lambda: client.members(group)) == "PermanentError GroupGone"


class TestNames:
    def test_a_renamed_group_gets_its_name_back_instead_of_a_second_one(self, fake: FakeEntra) -> None:
        client = fake.client()
        dana = who(client, "dana")
        group = client.create_group(KEY, dana)
        fake.groups[group].name = "Something else"
        assert client.find_group(KEY) is None
        assert client.create_group(KEY, dana) == group
        assert (fake.groups[group].name, len(fake.groups)) == (KEY.name, 1)

    def test_a_second_group_of_our_name_is_told_and_not_chosen_from(self, fake: FakeEntra) -> None:
        client = fake.client()
        client.create_group(KEY, who(client, "dana"))
        fake.foreign_group(KEY)
        assert reason(lambda: client.find_group(KEY)) == "PermanentError NotOurs"

    def test_a_guest_is_found_by_their_own_address(self, fake: FakeEntra) -> None:
        fake.person("guest", username="guest_other.example#EXT#@acme.onmicrosoft.com", email="guest@other.example")
        assert fake.client().find_person("guest@other.example") == Person(
            "id-guest", "guest@other.example", "guest_other.example#EXT#@acme.onmicrosoft.com"
        )

    def test_somebody_without_a_mailbox_is_found_by_their_user_name(self, fake: FakeEntra) -> None:
        fake.person("lone", email="")
        assert who(fake.client(), "lone").email == "lone@example.com"


class TestReferences:
    def test_a_removal_is_of_the_reference_and_never_of_the_person(self, fake: FakeEntra) -> None:
        client = fake.client()
        dana = who(client, "dana")
        group = client.create_group(KEY, dana)
        client.remove_members(group, [dana.id])
        assert fake.sent("DELETE") == [f"/v1.0/groups/{group}/members/{dana.id}/$ref"]

    def test_a_refusal_for_another_reason_is_one(self, fake: FakeEntra) -> None:
        client = fake.client()
        dana = who(client, "dana")
        group = client.create_group(KEY, dana)
        fake.fail(400, detail="The group is a dynamic one.", matches=lambda request: request.method == "POST")
        with pytest.raises(PermanentError) as caught:
            client.add_members(group, [dana])
        assert caught.value.message == "The directory rejected the request (400): The group is a dynamic one."

    def test_what_is_no_person_counts_as_a_member_too(self, fake: FakeEntra) -> None:
        client = fake.client()
        group = client.create_group(KEY, who(client, "dana"))
        fake.groups[group].members.append("a-device")
        assert client.members(group) == {"id-dana", "a-device"}


class TestPages:
    def test_the_token_follows_no_link_to_another_server(self, fake: FakeEntra) -> None:
        client = fake.client()
        group = client.create_group(KEY, who(client, "dana"))
        fake.tamper = lambda request, response: httpx.Response(
            200, json={"value": [{"id": "x"}], "@odata.nextLink": "https://graph.evil.example/v1.0/groups"}
        )
        before = len(fake.calls)
        assert reason(lambda: client.members(group)) == "TemporaryError BadAnswer"
        assert len(fake.calls) == before + 1

    def test_a_national_cloud_has_its_own_scope(self) -> None:
        client = FakeEntra().client(url="https://graph.microsoft.us/v1.0")
        assert client._http.tokens._dialect.scope == "https://graph.microsoft.us/.default"  # type: ignore[attr-defined]
