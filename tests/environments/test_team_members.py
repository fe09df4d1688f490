"""Teams as members: their group is bound where the cluster knows it; elsewhere their people are members and follow."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from environments.actions import access_tokens, group_members, memberships, team_members
from environments.kube.client import Question
from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role
from environments.models import Cluster, Environment, GroupMember, LocalGroup, Member, Team, User
from environments.routine import names, observe
from tests.arranging import settle
from tests.pages.reading import read, words

ISSUER = "https://idp.example.com"

pytestmark = pytest.mark.django_db


@pytest.fixture
def crew(db) -> list[User]:
    return [User.objects.create(username=name, email=f"{name}@example.com") for name in ("pia", "quin", "rosa")]


@pytest.fixture
def payments(crew) -> Team:
    """A team with Pia and Quin."""
    team = Team.objects.create(name="Payments", group="team-payments")
    team.members.add(*crew[:2])
    return team


@pytest.fixture
def environment(ask) -> Environment:
    return settle(ask())


@pytest.fixture
def follows(django_capture_on_commit_callbacks):
    """Do something, as in a request, with what follows its commit."""

    def act(call, *args):
        with django_capture_on_commit_callbacks(execute=True):
            return call(*args)

    return act


def access(environment: Environment) -> dict[str, str]:
    """Who has which role, without the owner."""
    rows = environment.members.filter(wanted=True).exclude(email="dana@example.com")
    return dict(rows.values_list("email", "role"))


def may(admin, environment, name: str, verb: str = "create", groups: tuple[str, ...] = ()) -> bool:
    return admin.may(Question(verb, "pods", namespace=environment.namespace), name, list(groups)).allowed


def give(environment: Environment, team: Team, role: Role = Role.DEVELOPER) -> GroupMember:
    team_members.add_team(environment, environment.owner, team, role)
    settle(environment)
    return environment.group_members.get(team=team)


class TestExpanded:
    """On a cluster that does not know the identity provider."""

    def test_everyone_in_the_team_becomes_a_member_with_a_way_in(self, environment, payments, crew, admin):
        row = give(environment, payments)
        assert environment.phase == Phase.READY
        assert access(environment) == {"pia@example.com": "developer", "quin@example.com": "developer"}
        assert (row.size, row.is_expanded) == (2, True)
        assert may(admin, environment, "pia@example.com")
        assert not may(admin, environment, "rosa@example.com")
        assert access_tokens.issue(environment, crew[0], hours=1)
        said = list(environment.events.filter(kind=Activity.ACCESS_CHANGED).values_list("message", flat=True))
        assert sorted(said) == [
            "dana@example.com gave the team Payments the role developer.",
            "pia@example.com, quin@example.com got the role developer with the team Payments.",
        ]

    def test_its_people_follow_the_team(self, environment, payments, crew, admin, follows):
        give(environment, payments)
        follows(payments.members.add, crew[2])
        settle(environment)
        assert may(admin, environment, "rosa@example.com")
        follows(crew[0].teams.clear)
        settle(environment)
        assert set(access(environment)) == {"quin@example.com", "rosa@example.com"}
        assert not may(admin, environment, "pia@example.com")
        group = LocalGroup.objects.get(name__endswith="developer")
        assert set(group.members.values_list("email", flat=True)) == {"quin@example.com", "rosa@example.com"}
        said = environment.events.filter(message="pia@example.com left the team and no longer has access.")
        assert said.count() == 1

    @pytest.mark.parametrize("end", ["team", "person"])
    def test_either_end_of_the_relation_is_followed(self, environment, payments, crew, follows, end):
        give(environment, payments)
        follows(lambda: payments.members.set([crew[2]]) if end == "team" else crew[0].teams.set([]))
        left = {"rosa@example.com"} if end == "team" else {"quin@example.com"}
        assert set(access(environment)) == left

    def test_what_was_missed_is_made_good_once_a_day(self, environment, payments, crew):
        give(environment, payments)
        User.objects.filter(pk=crew[0].pk).update(is_active=False)
        generation = environment.generation
        names.refresh()
        assert set(access(environment)) == {"quin@example.com"}
        environment.refresh_from_db()
        assert environment.generation == generation + 1
        names.refresh()
        environment.refresh_from_db()
        assert environment.generation == generation + 1, "nothing changed, so nothing is owed"

    def test_removing_the_team_ends_its_peoples_access_at_once(self, environment, payments, admin):
        row = give(environment, payments)
        assert team_members.remove_team(environment, environment.owner, row.pk) == row
        settle(environment)
        assert access(environment) == {}
        assert not may(admin, environment, "pia@example.com")
        assert not environment.group_members.exists()
        assert not Member.objects.filter(through__isnull=False).exists()

    def test_another_role_is_everyones(self, environment, payments, admin):
        give(environment, payments)
        give(environment, payments, Role.VIEWER)
        assert set(access(environment).values()) == {"viewer"}
        assert may(admin, environment, "pia@example.com", "get")
        assert not may(admin, environment, "pia@example.com")

    def test_a_member_of_their_own_keeps_their_own_role(self, environment, payments, people):
        memberships.add_members(environment, people[0], ["pia@example.com"], Role.VIEWER)
        row = give(environment, payments)
        assert access(environment)["pia@example.com"] == "viewer"
        team_members.remove_team(environment, people[0], row.pk)
        assert access(environment) == {"pia@example.com": "viewer"}

    def test_a_person_who_is_added_becomes_a_member_of_their_own(self, environment, payments, people):
        row = give(environment, payments)
        memberships.add_members(environment, people[0], ["pia@example.com"], Role.VIEWER)
        team_members.follow()
        assert access(environment)["pia@example.com"] == "viewer"
        team_members.remove_team(environment, people[0], row.pk)
        assert access(environment) == {"pia@example.com": "viewer"}

    def test_of_two_teams_the_stronger_role_counts(self, environment, payments, crew, people):
        support = Team.objects.create(name="Support", group="team-support")
        support.members.add(crew[0], crew[2])
        strong = give(environment, payments)
        give(environment, support, Role.VIEWER)
        assert access(environment) == {
            "pia@example.com": "developer",
            "quin@example.com": "developer",
            "rosa@example.com": "viewer",
        }
        team_members.remove_team(environment, people[0], strong.pk)
        assert access(environment) == {"pia@example.com": "viewer", "rosa@example.com": "viewer"}

    def test_the_owner_stays_what_they_are(self, environment, payments, people):
        payments.members.add(people[0])
        row = give(environment, payments, Role.VIEWER)
        assert environment.members.get(person=people[0]).role == Role.ADMIN
        team_members.remove_team(environment, people[0], row.pk)
        assert environment.members.get(person=people[0]).wanted

    def test_one_of_the_team_cannot_be_removed_or_leave_alone(self, environment, payments, crew, people):
        give(environment, payments)
        for call in (
            lambda: memberships.remove_member(environment, people[0], "pia@example.com"),
            lambda: memberships.leave(environment, crew[0]),
        ):
            with pytest.raises(ValidationError, match="Their access comes with the team Payments"):
                call()
        assert "pia@example.com" in access(environment)

    def test_a_team_that_is_too_large_is_refused(self, environment, payments):
        many = User.objects.bulk_create(
            User(username=f"u{number}", email=f"u{number}@example.com") for number in range(100)
        )
        payments.members.add(*many)
        with pytest.raises(ValidationError) as caught:
            team_members.add_team(environment, environment.owner, payments, Role.VIEWER)
        assert caught.value.message_dict == {
            "team": ["Payments has too many people: an environment has at most 100 members."]
        }
        assert not environment.group_members.exists()
        assert access(environment) == {}

    def test_a_team_that_grows_too_large_says_how_many_have_no_access(self, environment, payments, follows):
        row = give(environment, payments)
        many = User.objects.bulk_create(
            User(username=f"u{number}", email=f"u{number}@example.com") for number in range(100)
        )
        follows(payments.members.add, *many)
        row.refresh_from_db()
        assert row.message == "3 have no access: an environment has at most 100 members."
        assert environment.members.filter(wanted=True).count() == 100

    def test_only_those_who_manage_members_give_a_team_a_role_that_the_template_allows(
        self, environment, payments, people
    ):
        with pytest.raises(PermissionDenied):
            team_members.add_team(environment, people[1], payments, Role.VIEWER)
        with pytest.raises(ValidationError) as caught:
            team_members.add_team(environment, people[0], payments, Role.ADMIN)
        assert caught.value.message_dict == {"role": ["Choose the role developer or viewer."]}


class TestBound:
    """On a cluster that trusts the portal's first identity provider."""

    @pytest.fixture
    def environment(self, ask, place, settings) -> Environment:
        settings.OIDC_ISSUER = f"{ISSUER}/"
        Cluster.objects.update(access=Cluster.Access.OIDC, oidc_issuer=ISSUER, groups_prefix="g:")
        place.refresh_from_db()
        return settle(ask())

    def test_the_role_binding_names_the_teams_group_and_nobody_else_becomes_a_member(
        self, environment, payments, admin
    ):
        row = give(environment, payments)
        assert access(environment) == {}
        assert (row.bound, row.allowed, row.size, row.is_expanded) == (True, True, 2, False)
        assert may(admin, environment, "x", groups=("g:team-payments",))
        assert observe.observe(environment.cluster_id) == []

    def test_a_person_of_the_team_sees_it_and_has_a_way_in(self, environment, payments, crew):
        give(environment, payments)
        assert list(Environment.objects.visible_to(crew[0])) == [environment]
        assert access_tokens.access_of(environment, crew[0]).role == Role.DEVELOPER
        assert not Environment.objects.visible_to(crew[2]).exists()

    def test_removing_it_ends_the_access(self, environment, payments, admin):
        row = give(environment, payments)
        team_members.remove_team(environment, environment.owner, row.pk)
        settle(environment)
        assert not may(admin, environment, "x", groups=("g:team-payments",))
        assert not environment.group_members.exists()

    def test_another_group_of_the_team_is_bound_within_a_day(self, environment, payments, admin):
        give(environment, payments)
        Team.objects.update(group="team-money")
        names.refresh()
        settle(environment)
        assert may(admin, environment, "x", groups=("g:team-money",))
        assert not may(admin, environment, "x", groups=("g:team-payments",))

    def test_another_provider_knows_no_such_group_so_its_people_are_members(self, environment, payments):
        Cluster.objects.update(oidc_issuer="https://another.example.com")
        row = give(Environment.objects.get(pk=environment.pk), payments)
        assert row.is_expanded
        assert set(access(environment)) == {"pia@example.com", "quin@example.com"}

    def test_a_cluster_that_comes_to_know_the_group_needs_no_members_for_it(self, environment, payments):
        Cluster.objects.update(bind_groups=False)
        give(Environment.objects.get(pk=environment.pk), payments)
        assert len(access(environment)) == 2
        Cluster.objects.update(bind_groups=True)
        names.refresh()
        assert access(environment) == {}


class TestPages:
    @pytest.fixture
    def address(self, environment) -> str:
        return f"/environments/{environment.namespace}/members/"

    def test_the_owner_gives_a_team_a_role_and_removes_it(self, client, environment, payments, people, address):
        client.force_login(people[0])
        answer = client.post(f"{address}teams/", {"team": payments.pk, "role": "viewer"}, follow=True)
        assert "The team Payments now has the role viewer." in words(read(answer))
        settle(environment)
        page = read(client.get(address))
        table = words(page.select_one("[aria-labelledby=access-title] tbody"))
        assert "Payments team, 2 members Viewer Its people are members, one by one." in table
        assert "pia@example.com with the team Payments" in table
        removals = words(page.select_one("[aria-labelledby=remove-title]"))
        assert "Payments" in removals
        assert "pia@example.com" not in removals
        key = environment.group_members.get().pk
        answer = client.post(f"{address}groups/remove/", {"group": str(key)}, follow=True)
        assert "The team Payments was removed." in words(read(answer))

    @pytest.mark.parametrize("data", [{}, {"team": "x", "role": "viewer"}, {"team": "99", "role": "viewer"}], ids=str)
    def test_a_mistake_is_said_at_its_field(self, client, environment, payments, people, address, data):
        client.force_login(people[0])
        page = read(client.post(f"{address}teams/", data), 422)
        assert page.select_one("#errors a[href='#id_team_team']")
        assert not environment.group_members.exists()

    def test_where_there_is_no_team_nothing_is_offered(self, client, people, address):
        client.force_login(people[0])
        assert read(client.get(address)).select_one("#id_team_team") is None

    def test_one_of_the_team_sees_it_and_cannot_leave(self, client, environment, payments, crew):
        give(environment, payments)
        client.force_login(crew[0])
        page = read(client.get(f"/environments/{environment.namespace}/"))
        assert page.select_one("#leave") is None
        assert page.select_one("#get-kubeconfig, #kubeconfig-options")

    def test_the_access_review_lists_the_team_and_its_people(self, client, environment, payments):
        give(environment, payments)
        client.force_login(User.objects.create(username="ada", email="ada@example.com", is_superuser=True))
        page = words(read(client.get("/reports/access/")))
        assert "Payments Team 2 checkout" in page
        assert "pia@example.com" in page


def test_groups_and_teams_share_one_limit(environment, payments, monkeypatch):
    monkeypatch.setattr(group_members, "MAX_GROUPS", 0)
    with pytest.raises(ValidationError) as caught:
        team_members.add_team(environment, environment.owner, payments, Role.VIEWER)
    assert caught.value.message_dict == {"team": ["An environment has at most 0 groups and teams."]}
