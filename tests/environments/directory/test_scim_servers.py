"""SCIM servers that do otherwise than they say: the client looks, tries another way, and says what it could not."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from environments.directory import Person
from environments.directory.answers import NotOursError, NotRemovedError
from environments.directory.capabilities import in_words
from environments.lib.errors import PermanentError, TemporaryError
from tests.environments.directory.fake import DANA, KEY, THEO, error, reason, server, user, with_group
from tests.environments.directory.odd import Kept, OddServer, odd

MAX = Person("u3", "max@example.com", "max@example.com")
ALL = "user names, email addresses, group names and external IDs"
EXACT = (
    "Filters user names, email addresses and group names, but distinguishes capitals; the portal tries both spellings."
)
OURS = f"{KEY.environment_id}.{KEY.name}"

FAULTS: list[Any] = [
    pytest.param({"post_members": False}, id="creates-without-members"),
    pytest.param({"filters": False, "replace": "refused", "value_paths": "refused"}, id="no-replace"),
    pytest.param({"filters": False, "replace": "added", "value_paths": "refused"}, id="replace-adds"),
    pytest.param({"patches": False, "filters": False}, id="put-alone"),
    pytest.param({"value_paths": "refused"}, id="no-paths"),
    pytest.param({"value_paths": "failed", "replace": "refused"}, id="paths-are-500"),
    pytest.param(
        {"post_members": False, "put_members": False, "replace": "refused", "value_paths": "refused"}
        | {"value_removal": "works"},
        id="values-alone",
    ),
    pytest.param(
        {"put_members": False, "replace": "refused", "value_paths": "refused", "value_removal": "all"},
        id="values-take-everybody",
    ),
    pytest.param({"answers": "empty"}, id="filters-find-nothing"),
    pytest.param({"answers": "all"}, id="filters-are-ignored"),
    pytest.param({"answers": "refused"}, id="filters-are-refused"),
    pytest.param({"exact": True}, id="filters-are-exact"),
    pytest.param({"exact": True, "first_page_only": True, "page_size": 2}, id="page-one-for-ever"),
    pytest.param({"unique_external_ids": True}, id="unique-external-ids"),
]


def member_ids(fake: OddServer, group: str = "g1") -> list[str]:
    return sorted(member["value"] for member in fake.groups[group].get("members", []))


class TestEveryFault:
    @pytest.fixture(params=FAULTS)
    def fake(self, request: pytest.FixtureRequest) -> OddServer:
        return odd(**request.param)

    def test_a_group_lives_from_its_making_to_its_end(self, fake: OddServer) -> None:
        client = fake.client()
        assert client.find_group(KEY) is None
        group = client.create_group(KEY, DANA)
        assert fake.client().find_group(KEY) == group
        assert client.members(group) == {"u1"}
        client.add_members(group, [DANA, THEO, MAX])
        assert member_ids(fake, group) == ["u1", "u2", "u3"]
        client.remove_members(group, ["u1", "u2", "stranger"])
        assert member_ids(fake, group) == ["u3"], "who stays, stays"
        client.remove_members(group, ["u3"])
        assert client.members(group) == set()
        client.delete_group(group)
        assert client.find_group(KEY) is None

    def test_people_are_found(self, fake: OddServer) -> None:
        assert fake.client().find_person("Theo@Example.com") == THEO
        assert fake.client().find_person("nobody@example.com") is None

    def test_the_way_that_works_is_tried_first_from_then_on_by_every_process(self, fake: OddServer) -> None:
        kept = Kept()
        client = fake.client(keeper=kept)
        group = client.create_group(KEY, DANA)
        client.add_members(group, [THEO, MAX])
        client.remove_members(group, ["u2"])
        before = len(fake.calls)
        fake.client(keeper=kept).remove_members(group, ["u3"])
        writes = [verb for verb, _, _ in fake.calls[before:] if verb in ("PATCH", "PUT")]
        restores = kept.facts["removing"] == "values" and fake.value_removal == "all"
        assert len(writes) == 1 + restores


class TestOwnership:
    def test_a_strangers_group_without_an_external_id_is_not_ours(self) -> None:
        fake = with_group(server())
        del fake.groups["g1"]["externalId"]
        assert reason(lambda: fake.client().find_group(KEY)) == "NotOursError NotOurs"
        assert reason(lambda: fake.client().create_group(KEY, DANA)) == "NotOursError NotOurs"

    def test_where_it_is_not_known_whether_ours_would_be_kept_the_message_says_how_to_find_out(self) -> None:
        fake = with_group(server())
        del fake.groups["g1"]["externalId"]
        with pytest.raises(NotOursError) as caught:
            fake.client().find_group(KEY)
        assert caught.value.message.endswith("have a platform admin run the directory's test with an account.")

    def test_it_is_ours_if_its_id_was_recorded(self) -> None:
        fake = with_group(server())
        del fake.groups["g1"]["externalId"]
        assert fake.client().find_group(replace(KEY, group_id="g1")) == "g1"
        assert reason(lambda: fake.client().find_group(replace(KEY, group_id="g2"))) == "NotOursError NotOurs"

    def test_a_creation_shows_every_process_that_the_server_drops_external_ids(self) -> None:
        fake, kept = server(keeps_external_id=False), Kept()
        other = fake.client(keeper=kept)
        assert other.find_group(KEY) is None
        group = fake.client(keeper=kept).create_group(KEY, DANA)
        assert other.find_group(KEY) == fake.client(keeper=kept).find_group(KEY) == group
        assert "Drops external IDs; the portal recognises its groups by name." in in_words(kept.facts)

    def test_an_external_id_that_is_only_echoed_is_not_kept(self) -> None:
        fake = server(keeps_external_id=False)

        def echo(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            made = request.method == "POST" and response.status_code == 201
            return httpx.Response(201, json=response.json() | {"externalId": OURS}) if made else response

        fake.tamper = echo
        client = fake.client()
        group = client.create_group(KEY, DANA)
        assert client.find_group(KEY) == group

    @pytest.mark.parametrize("external_id", [OURS, f"{KEY.environment_id}/{KEY.name}"], ids=["new", "old"])
    @pytest.mark.parametrize("filters", [True, False])
    def test_a_renamed_group_whose_id_was_lost_is_found(self, filters: bool, external_id: str) -> None:
        fake = with_group(server(filters=filters), "u1")
        fake.groups["g1"] |= {"displayName": "renamed", "externalId": external_id}
        assert fake.client().find_group(KEY) == "g1"

    def test_a_renamed_group_does_not_make_another_of_our_name_ours(self) -> None:
        fake = with_group(server(), "u1")
        fake.groups["g1"]["displayName"] = "renamed"
        fake.groups["g2"] = {"id": "g2", "displayName": KEY.name, "externalId": "others", "members": []}
        with pytest.raises(NotOursError) as caught:
            fake.client().find_group(KEY)
        assert caught.value.ours in (("g1",), ())

    def test_where_external_ids_are_unique_the_renamed_group_is_taken(self) -> None:
        fake = odd(unique_external_ids=True)
        client = fake.client()
        group = client.create_group(KEY, DANA)
        fake.groups[group]["displayName"] = "renamed"
        assert client.create_group(KEY, THEO) == group
        assert len(fake.groups) == 1


class TestMembers:
    def test_who_cannot_be_removed_is_said(self) -> None:
        fake = odd(put_members=False, replace="refused", value_paths="refused")
        client = fake.client()
        group = client.create_group(KEY, DANA)
        client.add_members(group, [THEO])
        with pytest.raises(NotRemovedError) as caught:
            client.remove_members(group, ["u2", "u3"])
        assert (caught.value.ids, caught.value.reason) == ({"u2"}, "NotRemoved")
        assert caught.value.message.startswith("The directory did not remove 1 person from the group.")
        assert "(501)" in caught.value.message

    def test_who_was_not_added_is_said_although_the_answer_was_200(self) -> None:
        fake = odd(adds=False, put_members=False)
        client = fake.client()
        group = client.create_group(KEY, DANA)
        with pytest.raises(TemporaryError) as caught:
            client.add_members(group, [THEO])
        assert caught.value.reason == "NotAdded"
        assert "theo@example.com" in caught.value.message

    def test_somebody_whom_the_directory_refuses_stops_nobody_else(self) -> None:
        fake = odd(put_members=False)
        client = fake.client()
        group = client.create_group(KEY, DANA)
        fake.unknown = "ghost"
        with pytest.raises(TemporaryError) as caught:
            client.add_members(group, [Person("ghost", "ghost@example.com", "ghost"), THEO])
        assert (caught.value.reason, "ghost@example.com" in caught.value.message) == ("NotAdded", True)
        assert "theo@example.com" not in caught.value.message
        assert member_ids(fake, group) == ["u1", "u2"]

    def test_a_new_group_that_is_not_shown_at_once_is_there(self) -> None:
        fake = odd()
        fake.tamper = lambda request, response: (
            error(404) if request.method == "GET" and "/Groups/" in request.url.path else response
        )
        group = fake.client().create_group(KEY, DANA)
        fake.tamper = None
        assert fake.client().members(group) == {"u1"}

    def test_a_busy_server_is_not_asked_in_another_way(self) -> None:
        fake = with_group(server(), "u1", "u2")
        fake.tamper = lambda request, response: error(503) if request.method == "PATCH" else response
        assert reason(lambda: fake.client().remove_members("g1", ["u1"])) == "TemporaryError Unavailable"
        assert (len(fake.sent("PATCH")), fake.sent("PUT")) == (1, [])


class TestHiddenMembers:
    @pytest.fixture(params=["path", "values"])
    def fake(self, request: pytest.FixtureRequest) -> OddServer:
        by_value: dict[str, Any] = {"value_paths": "refused", "value_removal": "works"}
        return odd(shows_members=False, **(by_value if request.param == "values" else {}))

    def test_members_come_and_go_unseen(self, fake: OddServer) -> None:
        kept = Kept()
        client = fake.client(keeper=kept)
        group = client.create_group(KEY, DANA)
        client.add_members(group, [THEO, MAX])
        assert member_ids(fake, group) == ["u1", "u2", "u3"]
        for each in (client, fake.client(keeper=kept)):
            with pytest.raises(PermanentError) as caught:
                each.members(group)
            assert caught.value.reason == "MembersHidden"
        fake.client(keeper=kept).remove_members(group, ["u2"])
        assert member_ids(fake, group) == ["u1", "u3"]
        assert fake.sent("PUT") == [], "of members that are not shown it would leave none"

    def test_who_is_out_already_is_passed_over(self, fake: OddServer) -> None:
        client = fake.client()
        group = client.create_group(KEY, DANA)
        client.remove_members(group, ["u2"])
        assert member_ids(fake, group) == ["u1"]

    def test_a_refused_removal_is_said(self) -> None:
        fake = odd(shows_members=False, value_paths="refused")
        client = fake.client()
        group = client.create_group(KEY, DANA)
        assert reason(lambda: client.remove_members(group, ["u1"])) == "NotRemovedError NotRemoved"

    def test_a_group_that_shows_members_proves_otherwise(self, fake: OddServer) -> None:
        client = fake.client()
        group = client.create_group(KEY, DANA)
        fake.shows_members = True
        assert client.members(group) == {"u1"}
        client.remove_members(group, ["u1"])
        assert client.members(group) == set()


class TestLists:
    def test_page_one_for_ever_is_no_list(self) -> None:
        fake = odd(filters=False, first_page_only=True, page_size=2)
        with pytest.raises(TemporaryError) as caught:
            fake.client().find_person(MAX.email)
        assert caught.value.reason == "PartialAnswer"
        assert "repeats the first page" in caught.value.message

    def test_capitals_that_are_neither_spelling_are_found_by_reading_the_list(self) -> None:
        fake = odd(exact=True)
        fake.users[2] |= {"userName": "max", "emails": [{"value": "Max@Example.com"}]}
        assert fake.client().find_person("max@example.com") == Person("u3", "Max@Example.com", "max")

    def test_a_filter_that_found_something_once_is_believed_when_it_finds_nothing(self) -> None:
        fake = odd()
        client = fake.client()
        assert client.find_person("nobody@example.com") is None
        before = len(fake.calls)
        assert client.find_person("nobody@example.org") is None
        assert len(fake.calls) - before == 2, "both questions, and no list"

    def test_an_empty_directory_proves_nothing(self) -> None:
        fake = odd(answers="empty")
        fake.users.clear()
        client = fake.client()
        assert client.find_person(DANA.email) is None
        fake.users.append(user("u1", DANA.email))
        assert client.find_person(DANA.email) == DANA


def test_a_delay_in_a_header_of_its_own_is_kept() -> None:
    fake = odd()
    fake.tamper = lambda request, response: error(429, X_Retry_After="23")
    with pytest.raises(TemporaryError) as caught:
        fake.client().find_person(DANA.email)
    assert caught.value.retry_after == 23


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"exact": True},
            EXACT,
        ),
        (
            {"answers": "all"},
            f"Ignores filters on {ALL}; read as a whole.",
        ),
        (
            {"answers": "empty"},
            f"Answers filters on {ALL} with an empty list; read as a whole.",
        ),
        (
            {"answers": "refused"},
            f"Rejects filters on {ALL}; read as a whole.",
        ),
        ({"filters": False}, "Does not support filters; lists are read as a whole."),
        ({"patches": False}, "Does not support PATCH; the portal tries PUT first."),
        ({"post_members": False}, "Creates groups without members; the portal adds them afterwards."),
        ({"shows_members": False}, "Does not show the members of a group, so it cannot confirm changes."),
        ({"keeps_external_id": False}, "Drops external IDs; the portal recognises its groups by name."),
        (
            {"first_page_only": True, "exact": True, "page_size": 2},
            "Repeats the first page of a list for ever; longer lists cannot be read.",
        ),
    ],
)
def test_exploring_says_what_the_server_does(options: dict[str, Any], said: str) -> None:
    fake = odd(**options)
    client = fake.client()
    client.create_group(KEY, DANA)
    client.create_group(replace(KEY, name="other"), DANA)
    assert said in client.explore()


def test_exploring_looks_again_after_the_server_was_mended() -> None:
    fake = odd(answers="empty")
    client = fake.client()
    client.create_group(KEY, DANA)
    assert f"Answers filters on {ALL} with an empty list; read as a whole." in client.explore()
    fake.answers = ""
    assert f"Filters {ALL}." in client.explore()
