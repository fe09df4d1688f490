"""The SCIM client against a real server: Canaille, which keeps no externalId and cannot filter."""

import uuid
from collections.abc import Callable
from types import SimpleNamespace

import httpx
import pytest

from environments.directory import GroupKey, Person
from environments.directory.scim import GROUP_SCHEMA, ScimClient
from environments.errors import PermanentError, TemporaryError
from portal.demo.idp import IdentityProvider

USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"


@pytest.fixture
def key() -> GroupKey:
    environment = str(uuid.uuid4())
    return GroupKey(f"dana-shop-{environment[:5]}-admin", environment)


def person(scim: ScimClient, name: str) -> Person:
    found = scim.find_person(f"{name}@example.com")
    assert found is not None
    return found


def as_member(scim_url: str, name: str) -> dict[str, str]:
    return {"value": name, "$ref": f"{scim_url}/Users/{name}"}


def test_check_says_who_answers_and_what_it_can_do(scim: ScimClient) -> None:
    assert scim.check() == "SCIM 2.0 at 127.0.0.1 answers; it knows 5 people (filter: no, patch: yes)."


def test_a_person_is_found_by_their_address_in_any_case(scim: ScimClient) -> None:
    assert scim.find_person("Dana@Example.COM") == Person("dana", "dana@example.com", "dana")


def test_a_person_whom_the_directory_does_not_know_is_none(scim: ScimClient) -> None:
    assert scim.find_person("nobody@example.com") is None


def test_a_deactivated_person_is_found_as_such(scim: ScimClient, sql: Callable[..., None]) -> None:
    sql("UPDATE user SET lock_date = ? WHERE user_name = ?", "2001-01-01 00:00:00", "sam")
    try:
        assert person(scim, "sam").active is False
    finally:
        sql("UPDATE user SET lock_date = NULL WHERE user_name = ?", "sam")


def test_a_person_among_many_is_found(scim: ScimClient, admin: httpx.Client) -> None:
    made = []
    for number in range(60):
        name = f"extra{number:03}"
        body = {
            "schemas": [USER_SCHEMA, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
            "userName": name,
            "name": {"formatted": name, "familyName": name},
            "emails": [{"value": f"{name}@example.com"}],
            "active": True,
        }
        made.append(admin.post("/Users", json=body).raise_for_status().json()["id"])
    try:
        assert person(scim, "extra059").username == "extra059"
    finally:
        for user_id in made:
            admin.delete(f"/Users/{user_id}").raise_for_status()


def test_a_group_is_made_with_its_first_member_and_found_again(scim: ScimClient, key: GroupKey) -> None:
    assert scim.find_group(key) is None

    group = scim.create_group(key, person(scim, "dana"))

    assert scim.members(group) == {"dana"}
    assert scim.find_group(key) == group


def test_members_come_and_go_to_the_last_one(scim: ScimClient, key: GroupKey) -> None:
    dana, theo = person(scim, "dana"), person(scim, "theo")
    group = scim.create_group(key, dana)

    scim.add_members(group, [dana, theo])
    assert scim.members(group) == {"dana", "theo"}
    scim.remove_members(group, [dana.id, "nobody"])
    assert scim.members(group) == {"theo"}
    scim.remove_members(group, [theo.id])
    assert scim.members(group) == set()
    scim.add_members(group, [theo])
    assert scim.members(group) == {"theo"}


def test_members_whom_another_added_stay_when_ours_go(scim: ScimClient, admin: httpx.Client, key: GroupKey) -> None:
    group = scim.create_group(key, person(scim, "dana"))
    operation = {"op": "add", "path": "members", "value": [as_member(str(admin.base_url), "max")]}
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]}
    admin.patch(f"/Groups/{group}", json=body).raise_for_status()

    scim.remove_members(group, ["dana"])

    assert scim.members(group) == {"max"}


def test_somebody_whom_the_directory_does_not_know_is_not_silently_left_out(scim: ScimClient, key: GroupKey) -> None:
    group = scim.create_group(key, person(scim, "dana"))

    with pytest.raises(TemporaryError) as caught:
        scim.add_members(group, [Person("ghost", "ghost@example.com", "ghost")])

    assert caught.value.reason == "NotAdded"


def test_a_deleted_group_may_be_deleted_again(scim: ScimClient, key: GroupKey) -> None:
    group = scim.create_group(key, person(scim, "dana"))

    scim.delete_group(group)
    scim.delete_group(group)

    assert scim.find_group(key) is None


def test_a_group_without_members_can_be_deleted(scim: ScimClient, key: GroupKey) -> None:
    group = scim.create_group(key, person(scim, "dana"))
    scim.remove_members(group, ["dana"])

    scim.delete_group(group)

    assert scim.find_group(key) is None


def test_a_group_that_another_deleted_is_gone(scim: ScimClient, admin: httpx.Client, key: GroupKey) -> None:
    group = scim.create_group(key, person(scim, "dana"))
    admin.delete(f"/Groups/{group}").raise_for_status()

    calls: list[Callable[[], object]] = [
        lambda: scim.members(group),
        lambda: scim.add_members(group, [person(scim, "theo")]),
        lambda: scim.remove_members(group, ["dana"]),
    ]
    for call in calls:
        with pytest.raises(PermanentError) as caught:
            call()
        assert caught.value.reason == "GroupGone"


def test_a_group_that_another_renamed_keeps_its_id(scim: ScimClient, sql: Callable[..., None], key: GroupKey) -> None:
    group = scim.create_group(key, person(scim, "dana"))
    sql('UPDATE "group" SET display_name = ? WHERE id = ?', f"{key.name}-renamed", group)

    assert scim.find_group(key) is None
    assert scim.members(group) == {"dana"}
    scim.delete_group(group)
    with pytest.raises(PermanentError):
        scim.members(group)


def test_two_groups_of_our_name_are_not_ours(scim: ScimClient, admin: httpx.Client, key: GroupKey) -> None:
    scim.create_group(key, person(scim, "dana"))
    stranger = [as_member(str(admin.base_url), "sam")]
    body = {"schemas": [GROUP_SCHEMA], "displayName": key.name, "members": stranger}
    admin.post("/Groups", json=body).raise_for_status()  # names are not unique in Canaille

    with pytest.raises(PermanentError) as caught:
        scim.find_group(key)

    assert caught.value.reason == "NotOurs"


def test_an_expired_token_is_renewed_within_the_call(scim: ScimClient, sql: Callable[..., None]) -> None:
    person(scim, "dana")
    sql("UPDATE token SET issue_date = ?", "2001-01-01 00:00:00")

    assert person(scim, "theo").id == "theo"


def test_a_wrong_secret_is_told_to_the_platform_admin(connection: SimpleNamespace) -> None:
    connection.secret = "not-the-secret"
    client = ScimClient(connection)

    with pytest.raises(TemporaryError) as caught:
        client.check()
    client.close()

    assert (caught.value.reason, caught.value.retry_after) == ("Unauthorized", 60)
    assert "platform admin" in caught.value.message
    assert "not-the-secret" not in str(caught.value)


def test_a_server_that_is_down_is_waited_for(scim: ScimClient, idp: IdentityProvider, key: GroupKey) -> None:
    group = scim.create_group(key, person(scim, "dana"))
    idp.stop()
    try:
        with pytest.raises(TemporaryError) as caught:
            scim.members(group)
        assert caught.value.reason == "Unreachable"
    finally:
        idp.start()
        idp.wait_ready(60)

    assert scim.members(group) == {"dana"}, "the data outlives the process"
