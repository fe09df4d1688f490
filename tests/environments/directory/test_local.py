"""The directory without an identity provider: the portal's own users and groups."""

import uuid

import pytest
from django.db import OperationalError, connection

from environments.directory import GroupKey, Person, connect
from environments.directory.base import DirectoryClient
from environments.directory.local import LocalClient
from environments.lib.errors import PermanentError, TemporaryError
from environments.models import Directory, LocalGroup, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def directory() -> Directory:
    return Directory.objects.create(name="Portal", kind=Directory.Kind.LOCAL)


@pytest.fixture
def local(directory: Directory) -> DirectoryClient:
    return connect(directory)


@pytest.fixture
def key() -> GroupKey:
    return GroupKey("dana-shop-x7k2p-admin", str(uuid.uuid4()))


def person(local: DirectoryClient, name: str, **more: bool) -> Person:
    User.objects.create(username=name, email=f"{name}@example.com", **more)
    found = local.find_person(f"{name}@example.com")
    assert found is not None
    return found


def test_people_are_the_portals_users_in_any_case(local: DirectoryClient) -> None:
    dana = person(local, "dana")
    assert local.find_person("DANA@Example.com") == dana
    assert (dana.username, dana.active) == ("dana", True)
    assert local.find_person("nobody@example.com") is None


def test_a_deactivated_user_is_found_as_such(local: DirectoryClient) -> None:
    assert person(local, "dana", is_active=False).active is False


def test_a_group_lives_from_its_making_to_its_end(local: DirectoryClient, key: GroupKey) -> None:
    dana, theo = person(local, "dana"), person(local, "theo")
    assert local.find_group(key) is None

    group = local.create_group(key, dana)
    assert local.find_group(key) == group
    local.add_members(group, [dana, theo])
    assert local.members(group) == {dana.id, theo.id}
    local.remove_members(group, [dana.id, "999999", "of-another-directory"])
    assert local.members(group) == {theo.id}
    local.delete_group(group)
    local.delete_group(group)

    assert local.find_group(key) is None
    assert User.objects.count() == 2, "a group's end is nobody else's"


def test_making_a_group_again_takes_the_one_that_is_there(local: DirectoryClient, key: GroupKey) -> None:
    dana, theo = person(local, "dana"), person(local, "theo")
    group = local.create_group(key, dana)

    assert local.create_group(key, theo) == group
    assert local.members(group) == {dana.id, theo.id}


def test_another_environments_group_is_not_ours(local: DirectoryClient, key: GroupKey) -> None:
    dana = person(local, "dana")
    group = local.create_group(GroupKey(key.name, str(uuid.uuid4())), dana)
    theo = person(local, "theo")

    for call in (lambda: local.find_group(key), lambda: local.create_group(key, theo)):
        with pytest.raises(PermanentError) as caught:
            call()
        assert caught.value.reason == "NotOurs"
    assert local.members(group) == {dana.id}


@pytest.mark.parametrize("group", ["999999", "of-another-directory", ""])
def test_a_group_that_is_gone_says_so(local: DirectoryClient, group: str) -> None:
    with pytest.raises(PermanentError) as caught:
        local.members(group)
    assert caught.value.reason == "GroupGone"


def test_directories_do_not_see_each_others_groups(local: DirectoryClient, key: GroupKey) -> None:
    other = Directory.objects.create(name="Other", kind=Directory.Kind.LOCAL)
    group = connect(other).create_group(key, person(local, "dana"))

    assert local.find_group(key) is None
    local.delete_group(group)
    assert LocalGroup.objects.filter(pk=group).exists()


def test_a_database_that_is_locked_is_tried_again_later(local: DirectoryClient) -> None:
    def locked(*_: object) -> None:
        raise OperationalError("database is locked")

    with connection.execute_wrapper(locked), pytest.raises(TemporaryError) as caught:
        local.find_person("dana@example.com")
    assert caught.value.reason == "Unavailable"


def test_check_counts_people_and_groups(local: DirectoryClient, key: GroupKey) -> None:
    local.create_group(key, person(local, "dana"))
    assert local.check() == "The portal keeps the groups itself: 1 people, 1 groups."


def test_a_client_is_shared_until_the_row_changes(directory: Directory) -> None:
    first = connect(directory)
    assert connect(Directory.objects.get()) is first
    directory.save()
    assert connect(directory) is not first


def test_each_kind_has_its_client_and_an_unknown_one_none(directory: Directory) -> None:
    assert isinstance(connect(directory), LocalClient)
    directory.kind = "pigeon"
    directory.save()
    with pytest.raises(PermanentError) as caught:
        connect(directory)
    assert caught.value.reason == "UnknownKind"
