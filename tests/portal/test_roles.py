"""What a groups claim means, and what becomes of a user whose claim changed."""

from typing import Any

import pytest
from pytest_django.fixtures import Settings

from environments.models import Team, User
from portal import providers, roles
from portal.providers import IdentityProvider
from portal.roles import Roles, groups_from_claim, roles_from_claim


def first_provider() -> IdentityProvider:
    return providers.configured()[0]


def apply_claim(user: User, claim: Any) -> None:
    """A claim of the first provider."""
    roles.apply_claim(user, claim, first_provider())


@pytest.mark.parametrize(
    ("claim", "groups"),
    [
        (["a", "b"], ("a", "b")),
        (["b", "a", "b"], ("b", "a")),
        ("platform-admins", ("platform-admins",)),
        ("a,b", ("a,b",)),
        (" a ", ("a",)),
        (["a", "", " ", None, 7, {"name": "b"}, ["c"]], ("a",)),
        (None, ()),
        ("", ()),
        ([], ()),
        ({"a": True}, ()),
        (True, ()),
    ],
)
def test_a_claim_is_a_list_or_one_string(claim: Any, groups: tuple[str, ...]) -> None:
    assert groups_from_claim(claim) == groups


@pytest.mark.parametrize(
    ("claim", "roles"),
    [
        (None, Roles()),
        (["team-checkout"], Roles(("team-checkout",))),
        (["admins"], Roles(("admins",), is_platform_admin=True)),
        (["root"], Roles(("root",), is_platform_admin=True)),
        (["managers"], Roles(("managers",), is_manager=True)),
        (["managers", "admins"], Roles(("managers", "admins"), is_platform_admin=True, is_manager=True)),
        (["Admins"], Roles(("Admins",))),
        (["not-admins"], Roles(("not-admins",))),
        ("admins", Roles(("admins",), is_platform_admin=True)),
    ],
)
def test_roles_are_exactly_what_the_claim_names(settings: Settings, claim: Any, roles: Roles) -> None:
    settings.ADMIN_GROUPS = ["admins", "root"]
    settings.MANAGER_GROUPS = ["managers"]
    assert roles_from_claim(claim, first_provider()) == roles


def test_without_admin_groups_nobody_is_an_admin(settings: Settings) -> None:
    settings.ADMIN_GROUPS = settings.MANAGER_GROUPS = []
    assert roles_from_claim(["", "admins"], first_provider()) == Roles(("admins",))


@pytest.mark.django_db
class TestApply:
    @pytest.fixture
    def dana(self) -> User:
        return User.objects.create(username="dana", email="dana@example.com")

    @pytest.fixture
    def checkout(self) -> Team:
        return Team.objects.create(name="Checkout", group="team-checkout", manager_group="checkout-managers")

    @pytest.fixture
    def search(self) -> Team:
        return Team.objects.create(name="Search", group="team-search")

    def test_roles_and_teams_come_with_the_claim(self, dana: User, checkout: Team, search: Team) -> None:
        apply_claim(dana, ["team-checkout", "checkout-managers", "managers", "platform-admins", "unknown"])

        dana.refresh_from_db()
        assert (dana.is_superuser, dana.is_staff, dana.is_manager) == (True, True, True)
        assert list(dana.teams.all()) == list(dana.managed_teams.all()) == [checkout]
        assert dana.groups_claim[-1] == "unknown"

    def test_roles_and_teams_go_with_the_claim(self, dana: User, checkout: Team, search: Team) -> None:
        apply_claim(dana, ["team-checkout", "checkout-managers", "managers", "platform-admins"])
        apply_claim(dana, ["team-search"])

        dana.refresh_from_db()
        assert (dana.is_superuser, dana.is_staff, dana.is_manager) == (False, False, False)
        assert list(dana.teams.all()) == [search]
        assert list(dana.managed_teams.all()) == []

    def test_an_absent_claim_takes_everything(self, dana: User, checkout: Team) -> None:
        User.objects.filter(pk=dana.pk).update(is_superuser=True, is_staff=True)
        checkout.members.add(dana)
        apply_claim(dana, None)

        dana.refresh_from_db()
        assert (dana.is_superuser, dana.is_staff, dana.groups_claim) == (False, False, [])
        assert not dana.teams.exists()

    def test_a_team_without_a_manager_group_has_no_managers(self, dana: User, search: Team) -> None:
        apply_claim(dana, ["", "team-search"])
        assert not search.managers.exists()

    def test_others_in_the_team_stay(self, dana: User, checkout: Team) -> None:
        theo = User.objects.create(username="theo", email="theo@example.com")
        apply_claim(theo, ["team-checkout"])
        apply_claim(dana, ["team-checkout"])
        apply_claim(dana, [])
        assert list(checkout.members.all()) == [theo]
