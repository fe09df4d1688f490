"""The SCIM client against real servers (scim_servers.py, directories/servers.py)."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import pytest

from environments.directory import GroupKey, Person
from environments.directory.scim import Features, ScimClient
from environments.directory.scim_shapes import GROUP_SCHEMA
from environments.lib.errors import PermanentError, TemporaryError
from environments.models import Directory
from portal.demo.idp import IdentityProvider
from tests.environments.directory.trials import steps
from tests.kubectls import UnavailableError
from tests.live.directories.servers import (
    CurrentScim2Server,
    DjangoScim2,
    Process,
    ScimmyOnExpress4,
    ScimmyOnExpress5,
)
from tests.live.scim_servers import Canaille, Scim2Server, Server, body_of


@pytest.fixture(scope="session")
def scim2_server() -> Iterator[Scim2Server]:
    running = Scim2Server()
    running.start()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def canaille(idp: IdentityProvider) -> Canaille:
    return Canaille(idp)


OTHERS: dict[str, type[Process]] = {
    "scim2_server_now": CurrentScim2Server,
    "django_scim2": DjangoScim2,
    "scimmy_express4": ScimmyOnExpress4,
    "scimmy_express5": ScimmyOnExpress5,
}


@pytest.fixture(scope="session")
def others() -> Iterator[Callable[[str], Process]]:
    """The servers from environments of their own, started when a test asks for one."""
    running: dict[str, Process] = {}

    def started(name: str) -> Process:
        if name not in running:
            made = OTHERS[name]()
            try:
                made.start()
            except UnavailableError as error:
                pytest.skip(f"No {made.environment}: {error}")
            running[name] = made
        return running[name]

    yield started
    for each in running.values():
        each.stop()


@pytest.fixture(params=["canaille", "scim2_server", *OTHERS])
def server(request: pytest.FixtureRequest) -> Server:
    if request.param in OTHERS:
        other: Process = request.getfixturevalue("others")(request.param)
        return other
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def scim(server: Server) -> Iterator[ScimClient]:
    client = ScimClient(server.connection())
    yield client
    client.close()


@pytest.fixture
def admin(server: Server) -> Iterator[httpx.Client]:
    with server.admin() as client:
        yield client


@pytest.fixture
def key() -> GroupKey:
    environment = str(uuid.uuid4())
    return GroupKey(f"dana-shop-{environment[:5]}-admin", environment)


def person(scim: ScimClient, name: str) -> Person:
    found = scim.find_person(f"{name}@example.com")
    assert found is not None
    return found


def as_member(admin: httpx.Client, person: Person) -> dict[str, str]:
    return {"value": person.id, "$ref": f"{str(admin.base_url).rstrip('/')}/Users/{person.id}"}


def test_check_says_who_answers_and_what_it_can_do(scim: ScimClient, server: Server) -> None:
    assert scim.check() == f"SCIM 2.0 at 127.0.0.1 {server.says}"


def test_a_person_is_found_by_their_address_in_any_case(scim: ScimClient) -> None:
    found = scim.find_person("Dana@Example.COM")
    assert found is not None
    assert (found.email, found.username, found.active) == ("dana@example.com", "dana", True)


def test_a_person_whom_the_directory_does_not_know_is_none(scim: ScimClient) -> None:
    assert scim.find_person("nobody@example.com") is None


@pytest.mark.parametrize("address", ["o'neil@example.com", "a\\\\b@example.com", "é&=?#@b.c", "a+b@c.d"])
def test_odd_characters_in_an_address_stay_in_the_question(scim: ScimClient, address: str) -> None:
    assert scim.find_person(address) is None


def test_a_deactivated_person_is_found_as_such(scim: ScimClient, server: Server) -> None:
    server.deactivate("sam")
    try:
        assert person(scim, "sam").active is False
    finally:
        server.deactivate("sam", active=True)
    assert person(scim, "sam").active is True


def test_a_group_is_made_with_its_first_member_and_found_again(scim: ScimClient, key: GroupKey) -> None:
    assert scim.find_group(key) is None

    dana = person(scim, "dana")
    group = scim.create_group(key, dana)

    assert scim.members(group) == {dana.id}
    assert scim.find_group(key) == group


def test_members_come_and_go_to_the_last_one(scim: ScimClient, key: GroupKey) -> None:
    dana, theo = person(scim, "dana"), person(scim, "theo")
    group = scim.create_group(key, dana)

    scim.add_members(group, [dana, theo])
    assert scim.members(group) == {dana.id, theo.id}
    scim.remove_members(group, [dana.id, "nobody"])
    assert scim.members(group) == {theo.id}
    scim.remove_members(group, [theo.id])
    assert scim.members(group) == set()
    scim.add_members(group, [theo])
    assert scim.members(group) == {theo.id}


@pytest.mark.parametrize("features", [Features(patch=True), Features()], ids=["no-filter", "neither"])
def test_members_come_and_go_in_the_ways_of_lesser_servers_too(
    server: Server, scim2_server: Scim2Server, key: GroupKey, features: Features
) -> None:
    if server is not scim2_server:
        features = Features(patch=True)  # Canaille does not PUT members
    able = ScimClient(server.connection(), features=Features(filter=server is scim2_server, patch=True))
    scim = ScimClient(server.connection(), features=features)
    dana, theo = person(able, "dana"), person(able, "theo")
    group = able.create_group(key, dana)
    scim.add_members(group, [dana, theo])
    assert scim.members(group) == {dana.id, theo.id}
    scim.remove_members(group, [dana.id])
    assert scim.members(group) == {theo.id}
    scim.close()
    able.close()


def test_somebody_who_is_in_is_not_in_twice(scim: ScimClient, admin: httpx.Client, key: GroupKey) -> None:
    dana = person(scim, "dana")
    group = scim.create_group(key, dana)
    scim.add_members(group, [dana])
    assert len(admin.get(f"/Groups/{group}").json()["members"]) == 1


def test_members_whom_another_added_stay_when_ours_go(scim: ScimClient, admin: httpx.Client, key: GroupKey) -> None:
    dana, colleague = person(scim, "dana"), person(scim, "max")
    group = scim.create_group(key, dana)
    operation = {"op": "add", "path": "members", "value": [as_member(admin, colleague)]}
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]}
    admin.patch(f"/Groups/{group}", json=body).raise_for_status()

    scim.remove_members(group, [dana.id])

    assert scim.members(group) == {colleague.id}


def test_a_deleted_group_may_be_deleted_again(scim: ScimClient, key: GroupKey) -> None:
    group = scim.create_group(key, person(scim, "dana"))

    scim.delete_group(group)
    scim.delete_group(group)

    assert scim.find_group(key) is None


def test_a_group_without_members_can_be_deleted(scim: ScimClient, key: GroupKey) -> None:
    dana = person(scim, "dana")
    group = scim.create_group(key, dana)
    scim.remove_members(group, [dana.id])

    scim.delete_group(group)

    assert scim.find_group(key) is None


def test_a_group_that_another_deleted_is_gone(scim: ScimClient, admin: httpx.Client, key: GroupKey) -> None:
    group = scim.create_group(key, person(scim, "dana"))
    admin.delete(f"/Groups/{group}").raise_for_status()

    calls: list[Callable[[], object]] = [
        lambda: scim.members(group),
        lambda: scim.add_members(group, [person(scim, "theo")]),
        lambda: scim.remove_members(group, [person(scim, "dana").id]),
    ]
    for call in calls:
        with pytest.raises(PermanentError) as caught:
            call()
        assert caught.value.reason == "GroupGone"


def test_a_group_that_another_renamed_is_found_by_its_external_id(
    scim: ScimClient, server: Server, key: GroupKey
) -> None:
    dana = person(scim, "dana")
    group = scim.create_group(key, dana)
    server.rename_group(group, f"{key.name}-renamed")

    assert scim.find_group(key) == (None if isinstance(server, Canaille) else group), "Canaille keeps no externalId"
    assert scim.members(group) == {dana.id}
    scim.delete_group(group)
    with pytest.raises(PermanentError):
        scim.members(group)


def test_a_group_of_our_name_that_another_made_is_not_ours(
    scim: ScimClient, admin: httpx.Client, server: Server, key: GroupKey
) -> None:
    if isinstance(server, Canaille):
        scim.create_group(key, person(scim, "dana"))  # it keeps no externalId: one group of the name would be ours
    body = {
        "schemas": [GROUP_SCHEMA],
        "displayName": key.name,
        "externalId": "others",
        "members": [as_member(admin, person(scim, "sam"))],
    }
    admin.post("/Groups", json=body).raise_for_status()  # names are not unique in either

    with pytest.raises(PermanentError) as caught:
        scim.find_group(key)

    assert caught.value.reason == "NotOurs"


def test_a_group_of_our_name_without_an_external_id_is_not_ours(
    scim: ScimClient, admin: httpx.Client, server: Server, key: GroupKey
) -> None:
    """Only where the server drops ours, which this client learns first, is the name alone enough."""
    other = GroupKey(f"{key.name}-other", key.environment_id)
    scim.delete_group(scim.create_group(other, person(scim, "dana")))
    body = {"schemas": [GROUP_SCHEMA], "displayName": key.name, "members": [as_member(admin, person(scim, "sam"))]}
    made = admin.post("/Groups", json=body).raise_for_status().json()["id"]

    if isinstance(server, Canaille):
        assert scim.find_group(key) == made
        return
    for call in (lambda: scim.find_group(key), lambda: scim.create_group(key, person(scim, "dana"))):
        with pytest.raises(PermanentError) as caught:
            call()
        assert caught.value.reason == "NotOurs"
    assert scim.find_group(replace(key, group_id=made)) == made, "its id was recorded when it was made"


def test_a_group_with_the_external_id_of_earlier_versions_is_found(
    scim: ScimClient, admin: httpx.Client, key: GroupKey
) -> None:
    body = {
        "schemas": [GROUP_SCHEMA],
        "displayName": key.name,
        "externalId": f"{key.environment_id}/{key.name}",
        "members": [as_member(admin, person(scim, "dana"))],
    }
    made = admin.post("/Groups", json=body).raise_for_status().json()["id"]

    assert scim.find_group(replace(key, group_id=made)) == made


def test_new_groups_have_an_external_id_that_is_one_part_of_a_path(
    scim: ScimClient, admin: httpx.Client, server: Server, key: GroupKey
) -> None:
    group = scim.create_group(key, person(scim, "dana"))
    kept = admin.get(f"/Groups/{group}").json().get("externalId")
    assert kept == (None if isinstance(server, Canaille) else f"{key.environment_id}.{key.name}")


def test_the_admins_test_of_a_directory_works_and_says_what_the_server_can_do(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = ScimClient(server.connection())
    monkeypatch.setattr("environments.directory.connect", lambda row: client)
    lines = {line.step: line for line in steps(Directory(name="x"), "dana@example.com").lines}
    client.close()
    assert [line.said for line in lines.values() if not line.worked] == []
    assert len(lines) == 8, "seven steps, and what the server can do"
    assert lines["Find out what the server can do"].said == " ".join(server.does)


def test_a_wrong_secret_is_told_to_the_platform_admin(server: Server) -> None:
    connection = server.connection()
    connection.secret = "not-the-secret"
    client = ScimClient(connection)

    with pytest.raises(TemporaryError) as caught:
        client.check()
    client.close()

    assert (caught.value.reason, caught.value.retry_after) == ("Unauthorized", 60)
    assert "platform admin" in caught.value.message
    assert "not-the-secret" not in str(caught.value)


def test_a_person_among_many_is_found_or_the_list_is_an_error(server: Server, admin: httpx.Client) -> None:
    """A list that is page one for ever, or counts the page alone, never passes for the whole."""
    made = [
        admin.post("/Users", json=body_of(f"extra{number:03}")).raise_for_status().json()["id"] for number in range(60)
    ]
    able, unable = ScimClient(server.connection()), ScimClient(server.connection(), features=Features())
    try:
        assert person(able, "extra059").username == person(able, "Extra059").username == "extra059"
        assert able.find_person("nobody@example.com") is None
        if server.short_lists:
            with pytest.raises(TemporaryError) as caught:
                unable.find_person("extra059@example.com")
            assert caught.value.reason == "PartialAnswer"
        else:
            assert person(unable, "Extra059").username == "extra059"
    finally:
        able.close()
        unable.close()
        for user_id in made:
            admin.delete(f"/Users/{user_id}").raise_for_status()


class TestCanaille:
    """What only one of them does."""

    @pytest.fixture
    def server(self, canaille: Canaille) -> Canaille:
        return canaille

    def test_somebody_whom_the_directory_does_not_know_is_not_silently_left_out(
        self, scim: ScimClient, key: GroupKey
    ) -> None:
        group = scim.create_group(key, person(scim, "dana"))

        with pytest.raises(TemporaryError) as caught:
            scim.add_members(group, [Person("ghost", "ghost@example.com", "ghost")])

        assert caught.value.reason == "NotAdded"

    def test_an_expired_token_is_renewed_within_the_call(self, scim: ScimClient, canaille: Canaille) -> None:
        person(scim, "dana")
        canaille.expire_tokens()

        assert person(scim, "theo").id == "theo"

    def test_a_server_that_is_down_is_waited_for(self, scim: ScimClient, canaille: Canaille, key: GroupKey) -> None:
        group = scim.create_group(key, person(scim, "dana"))
        canaille.stop()
        try:
            with pytest.raises(TemporaryError) as caught:
                scim.members(group)
            assert caught.value.reason == "Unreachable"
        finally:
            canaille.start()

        assert scim.members(group) == {"dana"}, "the data outlives the process"
