"""The SCIM client and what servers do: those that follow the RFC, those that do less, and those that do it wrong."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from environments.directory import Person
from environments.directory.answers import NotOursError
from tests.environments.directory.fake import DANA, KEY, THEO, FakeServer, error, reason, server, user, with_group


def member_ids(fake: FakeServer, group: str = "g1") -> list[str]:
    return [member["value"] for member in fake.groups[group].get("members", [])]


SERVERS = [
    pytest.param({}, id="filters-and-patches"),
    pytest.param({"filters": False}, id="patches-only"),
    pytest.param({"filters": False, "patches": False}, id="neither"),
    pytest.param({"patches": False}, id="filters-only"),
    pytest.param({"filters": False, "patches": False, "etags": True}, id="neither-with-etags"),
    pytest.param({"has_config": False}, id="no-service-provider-config"),
    pytest.param({"filters": False, "page_size": 1}, id="one-a-page"),
]


class TestEveryServer:
    @pytest.fixture(params=SERVERS)
    def fake(self, request: pytest.FixtureRequest) -> FakeServer:
        return server(**request.param)

    def test_people_are_found_by_address(self, fake: FakeServer) -> None:
        assert fake.client().find_person("THEO@example.com") == THEO
        assert fake.client().find_person("nobody@example.com") is None

    def test_a_group_lives_from_its_making_to_its_end(self, fake: FakeServer) -> None:
        client = fake.client()
        assert client.find_group(KEY) is None
        group = client.create_group(KEY, DANA)
        assert client.find_group(KEY) == group
        client.add_members(group, [DANA, THEO])
        assert client.members(group) == {"u1", "u2"}
        assert sorted(member_ids(fake, group)) == ["u1", "u2"], "nobody is in twice"
        client.remove_members(group, ["u1", "stranger"])
        assert client.members(group) == {"u2"}
        client.delete_group(group)
        client.delete_group(group)
        assert client.find_group(KEY) is None

    def test_nothing_is_written_where_nothing_changes(self, fake: FakeServer) -> None:
        with_group(fake, "u1")
        client = fake.client()
        client.remove_members("g1", ["u2"])
        client.remove_members("g1", [])
        client.add_members("g1", [])
        assert fake.sent("PATCH") == fake.sent("PUT") == []


class TestPeople:
    def test_a_server_that_filters_is_asked_by_user_name_and_by_address(self) -> None:
        fake = server()
        fake.client().find_person(DANA.email)
        filters = [query.get("filter") for _, path, query in fake.calls if path == "/Users"]
        assert filters == ['userName eq "dana@example.com"', 'emails.value eq "dana@example.com"']

    def test_quotes_in_an_address_do_not_leave_the_filter(self) -> None:
        fake = server()
        assert fake.client().find_person('x" or userName pr or userName eq "y') is None
        filters = [query["filter"] for _, _, query in fake.calls if "filter" in query]
        assert 'emails.value eq "x\\" or userName pr or userName eq \\"y"' in filters

    def test_a_server_that_ignores_the_filter_gives_nobody_elses_account(self) -> None:
        fake = server()

        def ignore_filter(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            if request.url.path.endswith("/Users"):
                return httpx.Response(200, json={"totalResults": 3, "Resources": fake.users})
            return response

        fake.tamper = ignore_filter
        assert fake.client().find_person("nobody@example.com") is None
        assert fake.client().find_person(THEO.email) == THEO

    def test_a_server_that_cannot_filter_by_address_is_read_through(self) -> None:
        fake = server(page_size=2)
        fake.users[2] |= {"userName": "max", "emails": [{"value": "Max@Example.com"}]}

        def refuse(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            return error(400, "invalidFilter") if "emails.value" in str(request.url) else response

        fake.tamper = refuse
        assert fake.client().find_person("max@example.com") == Person("u3", "Max@Example.com", "max")

    def test_an_address_of_two_active_people_is_nobodys(self) -> None:
        fake = server()
        fake.users[0] |= {"userName": "dana", "emails": [{"value": "shared@example.com"}]}
        fake.users[1] |= {"userName": "theo", "emails": [{"value": "shared@example.com"}]}
        assert reason(lambda: fake.client().find_person("shared@example.com")) == "PermanentError Ambiguous"

    def test_the_user_name_goes_before_an_address_that_another_entered(self) -> None:
        fake = server()
        fake.users[1]["emails"].append({"value": DANA.email})
        assert fake.client().find_person(DANA.email) == DANA

    def test_the_active_account_goes_before_a_deactivated_one(self) -> None:
        fake = server()
        fake.users[0] |= {"userName": "old", "active": "False", "emails": [{"value": "shared@example.com"}]}
        fake.users[1] |= {"userName": "new", "active": "True", "emails": [{"value": "shared@example.com"}]}
        assert fake.client().find_person("shared@example.com") == Person("u2", "shared@example.com", "new")

    def test_a_person_is_named_by_their_uri_where_that_differs_from_the_id(self) -> None:
        fake = server()
        fake.users[0]["meta"] = {"location": "https://idp.example.com/scim/v2/Users/d%C3%A4na"}
        assert fake.client().find_person(DANA.email) == Person("däna", DANA.email, DANA.username)

    @pytest.mark.parametrize("emails", [None, [], "dana@example.com", [None], [{"type": "work"}], ["dana@example.com"]])
    def test_odd_addresses_do_no_harm(self, emails: Any) -> None:
        fake = server()
        fake.users[0]["emails"] = emails
        fake.filters = False
        assert fake.client().find_person(DANA.email) == Person(
            "u1", DANA.email if emails == ["dana@example.com"] else "", DANA.username
        )


class TestLists:
    """A list is whole, or it is an error: half a list must not pass for one."""

    @staticmethod
    def answering(*pages: Any) -> FakeServer:
        """A server that cannot filter, and answers GET /Users with these pages, the last one for ever."""
        fake, left = server(filters=False), list(pages)

        def answer(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            if not request.url.path.endswith("/Users"):
                return response
            return httpx.Response(200, json=left.pop(0) if len(left) > 1 else left[0])

        fake.tamper = answer
        return fake

    @pytest.mark.parametrize(
        ("pages", "expected"),
        [
            pytest.param([{"totalResults": 3, "Resources": [user("u1", "a@b.c")]}], "PartialAnswer", id="repeats"),
            pytest.param(
                [{"totalResults": 2, "Resources": [user("u1", "a@b.c")]}, {"totalResults": 2, "Resources": []}],
                "PartialAnswer",
                id="ends-early",
            ),
            pytest.param([{"totalResults": 2}], "PartialAnswer", id="no-resources"),
            pytest.param(
                [
                    {"totalResults": 3, "Resources": [user("u1", "a@b.c")]},
                    {"totalResults": 2, "Resources": [user("u3", "c@b.c")]},
                ],
                "PartialAnswer",
                id="shrinks-underway",
            ),
            pytest.param(
                [{"totalResults": 1, "Resources": [user("u1", "a@b.c"), user("u2", "d@b.c")]}],
                "PartialAnswer",
                id="total-too-small",
            ),
            pytest.param([{"Resources": [user("u1", "a@b.c")]}], "BadAnswer", id="no-total"),
            pytest.param([{"totalResults": "many", "Resources": []}], "BadAnswer", id="total-no-number"),
            pytest.param([{"totalResults": 1, "Resources": {"id": "u1"}}], "BadAnswer", id="no-list"),
            pytest.param([{"totalResults": 1, "Resources": ["u1"]}], "BadAnswer", id="no-objects"),
            pytest.param([{"totalResults": 1, "Resources": [{"userName": "x"}]}], "BadAnswer", id="no-id"),
        ],
    )
    def test_what_is_not_whole_is_a_temporary_error(self, pages: list[Any], expected: str) -> None:
        fake = self.answering(*pages)
        assert reason(lambda: fake.client().find_person("x@example.com")) == f"TemporaryError {expected}"

    @pytest.mark.parametrize(
        "page",
        [
            {"totalResults": "1", "Resources": [user("u1", DANA.email)]},
            {"totalresults": 1, "resources": [user("u1", DANA.email)]},
            {"totalResults": 1.0, "Resources": [{"ID": "u1", "username": DANA.email, "Emails": []}]},
        ],
    )
    def test_spelling_is_forgiven(self, page: Any) -> None:
        found = self.answering(page).client().find_person(DANA.email)
        assert found is not None
        assert found.id == "u1"

    def test_an_empty_directory_needs_no_resources(self) -> None:
        assert self.answering({"totalResults": 0}).client().find_person(DANA.email) is None

    def test_a_list_without_end_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("environments.directory.answers.MAX_PAGES", 5)
        fake = server(filters=False, page_size=1)
        fake.users = [user(f"u{number}", f"p{number}@example.com") for number in range(9)]
        assert reason(lambda: fake.client().find_person(DANA.email)) == "PermanentError TooManyPages"
        assert len(fake.sent("GET")) == 6, "the configuration and five pages"

    def test_count_is_never_sent(self) -> None:
        fake = server(filters=False, page_size=1)
        fake.client().find_person(DANA.email)
        assert [query for _, path, query in fake.calls if path == "/Users"] == [
            {},
            {"startIndex": "2"},
            {"startIndex": "3"},
            {"startIndex": "4"},
        ]

    def test_a_total_that_is_only_the_pages_is_not_believed(self) -> None:
        fake = server(filters=False, page_size=2)

        def count_the_page(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            body = response.json()
            return httpx.Response(200, json=body | {"totalResults": len(body.get("Resources", []))})

        fake.tamper = count_the_page
        assert reason(lambda: fake.client().find_person("nobody@example.com")) == "TemporaryError PartialAnswer"

    @pytest.mark.parametrize("behind", [error(400, "no such index"), None])
    def test_a_server_that_has_no_pages_is_read_too(self, behind: httpx.Response | None) -> None:
        fake = server(filters=False)

        def answer(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            if "startIndex" not in request.url.params:
                return response
            return behind or httpx.Response(200, json={"totalResults": 3, "Resources": fake.users})

        fake.tamper = answer
        assert fake.client().find_person(THEO.email) == THEO

    def test_a_fault_behind_the_end_is_a_fault(self) -> None:
        fake = server(filters=False)
        fake.tamper = lambda request, response: error(503) if "startIndex" in request.url.params else response
        assert reason(lambda: fake.client().find_person(THEO.email)) == "TemporaryError Unavailable"


class TestGroups:
    def test_a_group_of_another_environment_is_not_ours(self) -> None:
        fake = with_group(server())
        fake.groups["g1"]["externalId"] = "somebody-elses"
        assert reason(lambda: fake.client().find_group(KEY)) == "NotOursError NotOurs"
        assert reason(lambda: fake.client().create_group(KEY, DANA)) == "NotOursError NotOurs"
        assert member_ids(fake) == []

    def test_a_group_of_a_server_without_external_ids_is_ours_by_its_name(self) -> None:
        fake = server(keeps_external_id=False)
        client = fake.client()
        group = client.create_group(KEY, DANA)
        assert client.find_group(KEY) == group

    def test_of_two_groups_of_the_name_neither_is_used_and_ours_is_known(self) -> None:
        """A cluster knows groups by their names: ours beside another's would let the other's members in."""
        fake = with_group(server())
        fake.groups["g2"] = {"id": "g2", "displayName": KEY.name, "externalId": "somebody-elses"}
        with pytest.raises(NotOursError) as error:
            fake.client().find_group(KEY)
        assert (error.value.reason, error.value.ours) == ("NotOurs", ("g1",))

    def test_what_is_sent_at_creation_suits_strict_servers(self) -> None:
        fake = server()
        fake.client().create_group(KEY, DANA)
        assert fake.groups["g1"] == {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "id": "g1",
            "externalId": f"{KEY.environment_id}.{KEY.name}",
            "displayName": KEY.name,
            "members": [{"value": "u1", "$ref": "https://idp.example.com/scim/v2/Users/u1"}],
        }

    def test_a_group_that_was_made_by_a_call_whose_answer_got_lost_is_taken(self) -> None:
        fake = with_group(server(), "u1")
        assert fake.client().create_group(KEY, DANA) == "g1"

    def test_a_conflict_without_a_group_is_tried_again_later(self) -> None:
        fake = server()

        def busy(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            if request.method != "POST":
                return response
            fake.groups.clear()
            return error(409, "busy")

        fake.tamper = busy
        assert reason(lambda: fake.client().create_group(KEY, DANA)) == "TemporaryError Conflict"

    @pytest.mark.parametrize("options", [{}, {"filters": False}, {"filters": False, "patches": False}])
    def test_a_group_that_is_gone_says_so(self, options: dict[str, Any]) -> None:
        client = server(**options).client()
        calls: list[Callable[[], object]] = [
            lambda: client.members("g9"),
            lambda: client.add_members("g9", [DANA]),
            lambda: client.remove_members("g9", ["u1"]),
        ]
        assert [reason(call) for call in calls] == ["PermanentError GroupGone"] * 3

    def test_group_ids_stay_one_part_of_the_path(self) -> None:
        fake = with_group(server())
        fake.client().delete_group("../Users/u1?x=")
        assert str(fake.calls[-1][1]) == "/Groups/../Users/u1?x="  # decoded: it was sent with %2F and %3F
        assert "g1" in fake.groups


class TestMembers:
    @pytest.mark.parametrize("members", ["u1", {"value": "u1"}, ["u1"], [{"display": "Dana"}]])
    def test_unreadable_members_are_an_error_and_never_a_removal(self, members: Any) -> None:
        fake = with_group(server(filters=False), "u1", "u2")
        fake.groups["g1"]["members"] = members
        assert reason(lambda: fake.client().members("g1")) == "TemporaryError BadAnswer"
        assert reason(lambda: fake.client().remove_members("g1", ["u1"])) == "TemporaryError BadAnswer"
        assert fake.sent("PATCH") == fake.sent("PUT") == []

    @pytest.mark.parametrize("body", [b"<html>Please sign in</html>", b"[]", b'"ok"', b"{}", b'{"error": "x"}', b"{"])
    def test_another_answer_than_a_group_is_no_group_without_members(self, body: bytes) -> None:
        fake = with_group(server(filters=False), "u1")
        fake.tamper = lambda request, response: (
            httpx.Response(200, content=body) if "/Groups/" in request.url.path else response
        )
        assert reason(lambda: fake.client().members("g1")) == "TemporaryError BadAnswer"
        assert reason(lambda: fake.client().remove_members("g1", ["u1"])) == "TemporaryError BadAnswer"
        assert fake.sent("PATCH") == []

    def test_absent_members_are_none(self) -> None:
        fake = with_group(server())
        del fake.groups["g1"]["members"]
        assert fake.client().members("g1") == set()

    def test_nested_groups_are_members_too(self) -> None:
        fake = with_group(server())
        nested = {"value": "g7", "type": "Group", "$ref": "https://idp.example.com/scim/v2/Groups/g7"}
        fake.groups["g1"]["members"] = [nested, {"VALUE": "u1"}]
        assert fake.client().members("g1") == {"g7", "u1"}

    def test_a_put_keeps_what_it_does_not_know(self) -> None:
        fake = with_group(server(filters=False, patches=False), "u1", "u2")
        fake.groups["g1"]["urn:example:extension"] = {"colour": "blue"}
        fake.client().remove_members("g1", ["u1"])
        assert fake.groups["g1"]["urn:example:extension"] == {"colour": "blue"}
        assert fake.groups["g1"]["displayName"] == KEY.name
        assert member_ids(fake) == ["u2"]

    @pytest.mark.parametrize("patches", [True, False])
    def test_a_change_by_another_in_between_is_a_conflict_and_not_overwritten(self, patches: bool) -> None:
        fake = with_group(server(filters=False, patches=patches, etags=True), "u1", "u2")

        def change_after_reading(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            if request.method == "GET" and "/Groups/" in request.url.path:
                fake.groups["g1"]["members"] = [{"value": value} for value in ("u1", "u2", "u3")]
            return response

        fake.tamper = change_after_reading
        assert reason(lambda: fake.client().remove_members("g1", ["u1"])) == "ConflictError Conflict"
        assert member_ids(fake) == ["u1", "u2", "u3"]

    def test_somebody_who_is_in_is_not_added_again(self) -> None:
        fake = with_group(server(), "u1")
        fake.client().add_members("g1", [DANA])
        assert fake.sent("PATCH") == []
        fake.client().add_members("g1", [DANA, THEO])
        assert member_ids(fake) == ["u1", "u2"]

    def test_many_members_go_in_portions(self) -> None:
        fake = with_group(server(), *(f"u{number}" for number in range(150)))
        fake.client().remove_members("g1", [f"u{number}" for number in range(150)])
        assert member_ids(fake) == []
        assert len(fake.sent("PATCH")) == 2


def test_check_tells_what_the_server_can_do() -> None:
    assert (
        server(filters=False).client().check()
        == "SCIM 2.0 at idp.example.com answers: 3 people (filter: no, patch: yes)."
    )


def test_check_does_not_take_any_answer_for_scim() -> None:
    fake = server()
    fake.tamper = lambda request, response: httpx.Response(200, json={"hello": "world"})
    assert reason(fake.client().check) == "TemporaryError BadAnswer"


def test_a_wrong_address_in_the_row_is_an_error_for_a_person() -> None:
    fake = server()
    fake.tamper = lambda request, response: error(404, "nothing here")
    assert reason(lambda: fake.client().find_person(DANA.email)) == "NotFoundError NotFound"


def test_requests_are_scim() -> None:
    fake = server()
    client = fake.client()
    client.create_group(KEY, DANA)
    sent = next(headers for call, headers in zip(fake.calls, fake.headers, strict=True) if call[0] == "POST")
    assert sent["Content-Type"] == "application/scim+json"
    assert sent["Accept"] == "application/scim+json, application/json"
