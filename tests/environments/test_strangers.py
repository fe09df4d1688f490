"""People whom others put into a group of an environment: shown, and removed only if the directory is set to."""

import pytest

from environments import actions
from environments.actions import memberships
from environments.directory.local import LocalClient
from environments.lib.activity import Activity
from environments.lib.errors import PermanentError, TemporaryError
from environments.lib.phases import Phase, Role
from environments.models import Cluster, Directory, Environment, LocalGroup, Member, Stranger, User
from tests.arranging import settle
from tests.pages.reading import read, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def nina(db) -> User:
    return User.objects.create(username="nina", email="nina@example.com")


@pytest.fixture
def environment(ask) -> Environment:
    return settle(ask())


def again(environment: Environment) -> Environment:
    actions.try_again(environment, environment.owner)
    return settle(environment)


def in_group(role: str = "admin") -> set[str]:
    return set(LocalGroup.objects.get(name__endswith=role).members.values_list("email", flat=True))


def listed(environment: Environment) -> list[tuple[str, str]]:
    return [(str(each), each.role) for each in environment.strangers.all()]


class TestShowing:
    def test_who_was_put_into_the_group_by_hand_is_on_the_list_and_stays_in_the_group(self, environment, nina):
        LocalGroup.objects.get().members.add(nina)
        again(environment)
        assert listed(environment) == [("nina@example.com", "admin")]
        assert in_group() == {"dana@example.com", "nina@example.com"}
        said = environment.events.filter(kind=Activity.ACCESS_CHANGED)
        assert [each.message for each in said] == [
            "Someone added nina@example.com to the admin group in the directory, not here."
        ]
        assert environment.phase == Phase.READY

    def test_it_is_said_once_and_the_line_goes_with_the_person(self, environment, nina):
        LocalGroup.objects.get().members.add(nina)
        first = again(environment).strangers.get().seen_at
        assert again(environment).strangers.get().seen_at == first
        assert environment.events.filter(kind=Activity.ACCESS_CHANGED).count() == 1
        LocalGroup.objects.get().members.remove(nina)
        assert listed(again(environment)) == []

    def test_members_are_no_strangers_nor_are_those_who_leave(self, environment, people, nina):
        memberships.add_members(environment, people[0], ["nina@example.com", "theo@example.com"], Role.VIEWER)
        settle(environment)
        assert listed(environment) == []
        memberships.remove_member(environment, people[0], "theo@example.com")
        settle(environment)
        assert listed(environment) == []
        LocalGroup.objects.get(name__endswith="admin").members.add(people[1])  # put back within ten minutes
        assert listed(again(environment)) == []
        assert in_group() == {"dana@example.com"}

    def test_a_stranger_who_becomes_a_member_is_none_any_more(self, environment, people, nina):
        LocalGroup.objects.get().members.add(nina)
        again(environment)
        memberships.add_members(environment, people[0], ["nina@example.com"], Role.VIEWER)
        settle(environment)
        assert listed(environment) == []
        assert in_group("admin") == {"dana@example.com"}, "one role, the one that she has here"

    def test_many_are_looked_up_a_few_at_a_time(self, environment):
        crowd = [User.objects.create(username=f"p{n}", email=f"p{n}@example.com") for n in range(30)]
        LocalGroup.objects.get().members.add(*crowd)
        assert again(environment).strangers.count() == 20
        said = environment.events.filter(kind=Activity.ACCESS_CHANGED).first().message
        assert said.count("@") == 5
        assert "and 15 more" in said
        assert again(environment).strangers.count() == 30

    def test_a_group_that_cannot_be_read_changes_nothing(self, environment, nina, monkeypatch):
        LocalGroup.objects.get().members.add(nina)
        again(environment)

        def partial(*args):
            raise TemporaryError("The directory's answer ends too early.", reason="PartialAnswer")

        monkeypatch.setattr(LocalClient, "members", partial)
        again(environment)
        assert listed(environment) == [("nina@example.com", "admin")]

    @pytest.mark.parametrize(
        ("access", "sentence"),
        [
            ("oidc", "They have the role’s access to the cluster."),
            ("token", "On this cluster, that gives them no access."),
        ],
    )
    def test_the_page_says_who_and_what_it_means(self, client, environment, nina, people, access, sentence):
        Cluster.objects.update(access=access, oidc_issuer="https://idp.example.com")
        LocalGroup.objects.get().members.add(nina)
        again(environment)
        client.force_login(people[0])
        for path in ("", "members/"):
            [line] = read(client.get(f"/environments/{environment.namespace}/{path}")).select("#strangers li")
            assert words(line).startswith("nina@example.com is in the admin group, but not a member here.")
            assert words(line).endswith(sentence)

    def test_the_access_review_has_a_table_of_them(self, client, environment, nina):
        LocalGroup.objects.get().members.add(nina)
        again(environment)
        client.force_login(User.objects.create(username="ada", email="ada@example.com", is_superuser=True))
        page = words(read(client.get("/reports/access/")))
        assert "In a group, but not a member" in page
        assert "nina@example.com" in page


class TestRemoving:
    @pytest.fixture(autouse=True)
    def removes(self, environment):
        Directory.objects.update(strangers=Directory.Strangers.REMOVE)

    def test_they_are_removed_and_it_is_said(self, environment, nina):
        LocalGroup.objects.get().members.add(nina)
        again(environment)
        assert in_group() == {"dana@example.com"}
        assert listed(environment) == []
        said = environment.events.filter(kind=Activity.REPAIRED).first().message
        assert said == f"Removed nina@example.com from {environment.groups.get().name}: not a member here."

    def test_nobody_is_removed_after_a_part_of_an_answer(self, environment, nina, monkeypatch):
        LocalGroup.objects.get().members.add(nina)

        def partial(*args):
            raise TemporaryError("The directory's answer ends too early.", reason="PartialAnswer")

        monkeypatch.setattr(LocalClient, "members", partial)
        again(environment)
        assert in_group() == {"dana@example.com", "nina@example.com"}

    def test_nobody_is_removed_while_a_member_is_not_known_by_their_id(self, environment, nina, people):
        """Nina could be who is meant by an address that the directory does not know."""
        LocalGroup.objects.get().members.add(nina)
        Member.objects.create(environment=environment, email="n.ina@example.com", role=Role.ADMIN)
        again(environment)
        assert in_group() == {"dana@example.com", "nina@example.com"}
        assert listed(environment) == [("nina@example.com", "admin")]

    def test_a_directory_that_refuses_holds_up_nobody_and_the_page_says_so(
        self, client, environment, nina, people, monkeypatch
    ):
        LocalGroup.objects.get().members.add(nina)

        def refuses(*args):
            raise PermanentError("The directory rejected the request (400).", reason="Refused")

        monkeypatch.setattr(LocalClient, "remove_members", refuses)
        again(environment)
        assert environment.phase == Phase.READY
        assert listed(environment) == [("nina@example.com", "admin")]
        client.force_login(people[0])
        page = read(client.get(f"/environments/{environment.namespace}/"))
        assert "The portal could not remove them yet." in words(page.select_one("#strangers"))

    def test_a_directory_that_says_yes_and_does_nothing_is_not_believed(self, environment, nina, monkeypatch):
        LocalGroup.objects.get().members.add(nina)
        monkeypatch.setattr(LocalClient, "remove_members", lambda *args: None)
        again(environment)
        assert listed(environment) == [("nina@example.com", "admin")]
        assert not environment.events.filter(message__startswith="Removed").exists()


class TestARenamedGroup:
    def test_gets_its_name_back_and_it_is_said(self, environment):
        name = environment.groups.get().name
        LocalGroup.objects.update(name="renamed")
        again(environment)
        assert LocalGroup.objects.get().name == name
        said = environment.events.filter(kind=Activity.REPAIRED).first().message
        assert said == f"Someone renamed the group {name} to renamed. The portal renamed it back."
        again(environment)
        assert environment.events.filter(message__contains="renamed it back").count() == 1

    def test_that_the_directory_keeps_renamed_says_what_to_do(self, environment, monkeypatch):
        def refuses(*args):
            raise PermanentError("The directory rejected the request (403).", reason="Refused")

        monkeypatch.setattr(LocalClient, "rename_group", refuses)
        LocalGroup.objects.update(name="renamed")
        again(environment)
        condition = environment.conditions.get(type="Group")
        assert condition.reason == "Renamed"
        assert (
            "to renamed, and the directory does not let the portal rename it back. Ask its admin to."
            in condition.message
        )
        assert not Stranger.objects.exists()
