"""Access belongs to people, not to addresses: what a changed, reused or unverified address does to environments."""

import pytest
from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import PermissionDenied, ValidationError

from environments.actions import access_tokens, identities, memberships
from environments.kube.client import Question
from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role
from environments.models import Cluster, Environment, Group, Member, User
from environments.routine import observe, recipients
from portal.identities import account_for
from tests.arranging import settle

pytestmark = pytest.mark.django_db
ISSUER = "http://127.0.0.1:1/issuer"


def sign_in(subject: str, email: str, verified: bool | None = True, **claims) -> User:
    """What a sign-in at the first provider does."""
    said = {"iss": ISSUER, "sub": subject, "email": email, "preferred_username": subject} | claims
    said |= {} if verified is None else {"email_verified": verified}
    return account_for(SocialAccount(provider="sso", uid=subject, extra_data={"id_token": said}))


@pytest.fixture
def dana(people):
    return sign_in("dana", "dana@example.com")


@pytest.fixture
def theo(people):
    return sign_in("theo", "theo@example.com")


@pytest.fixture
def environment(ask, dana, theo):
    return settle(ask(collaborators={"theo@example.com": Role.VIEWER}))


def subjects(world, environment) -> dict[str, set[str]]:
    """The people whom the role bindings name, by binding."""
    found = {name: item for (kind, name), item in world(environment).items() if kind == "RoleBinding"}
    return {
        name.removeprefix("environment-"): {each["name"] for each in item["subjects"] if each["kind"] == "User"}
        for name, item in found.items()
    }


def may(admin, environment, name: str, verb: str = "get") -> bool:
    return admin.may(Question(verb, "pods", namespace=environment.namespace), name, []).allowed


class TestAChangedAddress:
    def test_moves_the_role_binding_and_the_history_says_so(self, environment, world, admin, dana):
        assert subjects(world, environment)["admin"] == {"dana@example.com"}
        sign_in("dana", "dana.married@example.com")
        environment.refresh_from_db()
        assert environment.observed_generation < environment.generation, "owed"
        settle(environment)

        assert environment.phase == Phase.READY
        assert subjects(world, environment)["admin"] == {"dana.married@example.com"}
        assert may(admin, environment, "dana.married@example.com", "create")
        assert not may(admin, environment, "dana@example.com")
        event = environment.events.get(kind=Activity.NAME_CHANGED)
        assert event.data == {"from": "dana@example.com", "to": "dana.married@example.com"}
        assert event.actor is None

    def test_is_not_taken_for_a_change_by_hand(self, environment, dana):
        sign_in("dana", "dana.married@example.com")
        assert observe.observe(environment.cluster_id) == []
        settle(environment)
        assert observe.observe(environment.cluster_id) == []
        assert not environment.events.filter(kind=Activity.CHANGED_BY_HAND).exists()

    def test_leaves_the_owner_their_kubeconfig_and_environment(self, environment, dana):
        access_tokens.issue(environment, dana, hours=1)
        before = environment.members.get(person=dana).account_name
        dana = sign_in("dana", "dana.married@example.com")
        settle(environment)

        assert Environment.objects.editable_by(dana).get() == environment
        member = access_tokens.membership(environment, dana)
        assert (member.email, member.role) == ("dana.married@example.com", Role.ADMIN)
        access_tokens.issue(environment, dana, hours=1)
        member.refresh_from_db()
        assert member.account_name == before, "files from before the change go on working"
        access_tokens.revoke(environment, dana)

    def test_gives_the_next_holder_of_the_old_one_nothing(self, environment, world, dana):
        sign_in("dana", "dana.married@example.com")
        settle(environment)
        next_one = sign_in("dana-2", "dana@example.com")

        assert next_one.email_trusted
        assert not Environment.objects.visible_to(next_one).exists()
        assert access_tokens.membership(environment, next_one) is None
        with pytest.raises(PermissionDenied):
            access_tokens.issue(environment, next_one, hours=1)
        assert "dana@example.com" not in subjects(world, environment)["admin"]

    def test_gives_nothing_either_if_the_former_holder_has_not_come_back_since(self, environment, world, admin, theo):
        other = sign_in("max", "max@example.com")
        sign_in("max", "theo@example.com")
        settle(environment)

        other.refresh_from_db()
        assert not Environment.objects.visible_to(other).exists()
        assert subjects(world, environment).get("viewer", set()) == set()
        assert not may(admin, environment, "theo@example.com")
        assert environment.events.get(kind=Activity.NAME_CHANGED).data == {"from": "theo@example.com", "to": ""}
        theo.refresh_from_db()
        assert Environment.objects.visible_to(theo).get() == environment

        sign_in("theo", "theo.new@example.com")
        settle(environment)
        assert subjects(world, environment)["viewer"] == {"theo.new@example.com"}

    def test_without_the_providers_word_moves_names_but_no_membership(self, environment, world, theo):
        """A cluster accepts an address without the claim `email_verified`, so the binding has to follow."""
        theo = sign_in("theo", "dana@example.com.au", verified=None)
        settle(environment)
        assert subjects(world, environment)["viewer"] == {"dana@example.com.au"}
        assert environment.members.get(person=theo).email == "theo@example.com"

    def test_marked_as_unverified_moves_nothing(self, environment, world, theo):
        sign_in("theo", "ceo@example.com", verified=False)
        settle(environment)
        assert subjects(world, environment)["viewer"] == {"theo@example.com"}

    def test_of_another_member_gives_no_other_role(self, environment, dana, theo):
        """Theo calls himself Dana without proof: who gives Dana's address a role means Dana."""
        sign_in("theo", "sam@example.com", verified=None)
        User.objects.create(username="sam", email="sam@example.org")
        User.objects.filter(username="sam").update(email="sam@example.com")
        memberships.add_members(environment, dana, ["sam@example.com"], Role.DEVELOPER)
        roles = {member.person.username: member.role for member in environment.members.select_related("person")}
        assert roles == {"dana": Role.ADMIN, "theo": Role.VIEWER, "sam": Role.DEVELOPER}

    def test_gets_no_mail_that_is_meant_for_the_former_holder(self, environment, dana, theo):
        sign_in("max", "max@example.com")
        sign_in("max", "theo@example.com")
        sign_in("kim", "kim@example.com")
        sign_in("kim", "dana@example.com")
        environment = Environment.objects.get()
        event = environment.events.create(kind=Activity.READY, message="Ready.")
        assert recipients.of(event) == []


class TestTheSpelling:
    def test_of_the_claim_is_the_one_in_the_role_binding(self, environment, world, admin, theo):
        sign_in("theo", "Theo@Example.com")
        settle(environment)
        assert subjects(world, environment)["viewer"] == {"Theo@Example.com"}
        assert may(admin, environment, "Theo@Example.com")
        assert environment.members.get(person=theo).allowed is True

    def test_of_the_user_name_too(self, environment, world, theo):
        Cluster.objects.update(username_claim="username", username_prefix="oidc:")
        sign_in("theo", "theo@example.com", preferred_username="TheoT")
        Environment.objects.owe()
        settle(environment)
        assert subjects(world, environment)["viewer"] == {"oidc:TheoT"}


class TestAnUnverifiedAddress:
    @pytest.mark.parametrize("verified", [False, None])
    def test_shows_nothing_that_is_shared_with_it(self, ask, people, verified):
        people[1].delete()
        environment = ask()
        Member.objects.create(environment=environment, email="theo@example.com", role=Role.ADMIN)
        stranger = sign_in("mallory", "theo@example.com", verified)
        assert not Environment.objects.visible_to(stranger).exists()
        assert access_tokens.membership(environment, stranger) is None
        assert environment.members.get(email="theo@example.com").person is None

    def test_makes_nobody_a_member_and_nobody_an_owner(self, environment, dana):
        stranger = sign_in("mallory", "new@example.com", None)
        with pytest.raises(ValidationError, match="must sign in to Allotment once"):
            memberships.hand_over(environment, dana, "new@example.com", keep=None)
        with pytest.raises(ValidationError, match="couldn't find new@"):
            memberships.add_members(environment, dana, ["new@example.com"], Role.VIEWER)
        assert not Environment.objects.visible_to(stranger).exists()

    def test_keeps_what_the_person_has_already(self, environment, theo):
        theo = sign_in("theo", "theo@example.com", verified=False)
        assert not theo.email_trusted
        assert Environment.objects.visible_to(theo).get() == environment

    def test_does_not_keep_its_person_from_owning(self, ask, people, place):
        people[0].delete()
        people[0] = sign_in("dana", "dana@example.com", verified=None)
        environment = settle(ask())
        assert environment.phase == Phase.READY
        assert environment.members.get().person == people[0]


class TestThePerson:
    def test_is_linked_when_they_are_added(self, environment, theo):
        assert environment.members.get(email="theo@example.com").person == theo

    def test_is_linked_when_they_sign_in_for_the_first_time(self, environment, dana):
        Member.objects.create(environment=environment, email="sam@example.com", role=Role.VIEWER)
        sam = sign_in("sam", "Sam@example.com")
        assert environment.members.get(email="sam@example.com").person == sam

    def test_is_linked_by_the_daily_look_to_what_the_version_before_wrote(self, environment, theo):
        Member.objects.update(person=None)
        assert Environment.objects.visible_to(theo).get() == environment, "meanwhile"
        assert identities.link_waiting() == 2
        assert environment.members.get(email="theo@example.com").person == theo

    def test_gets_one_membership_of_two_that_turn_out_to_be_theirs(self, environment, world, theo):
        Member.objects.create(environment=environment, email="theo.new@example.com", role=Role.DEVELOPER)
        Group.objects.create(environment=environment, role=Role.DEVELOPER, name="checkout-developer")
        theo = sign_in("theo", "theo.new@example.com")
        settle(environment)
        member = environment.members.get(person=theo)
        assert (member.email, member.role) == ("theo.new@example.com", Role.DEVELOPER)
        assert environment.members.count() == 2
        assert subjects(world, environment) == {
            "admin": {"dana@example.com"},
            "developer": {"theo.new@example.com"},
        }

    def test_who_owns_gets_the_membership_back_that_an_old_address_has(self, environment, dana):
        """As an owner was left by a version that knew members by their address."""
        Member.objects.filter(email="dana@example.com").update(email="dana.old@example.com", person=None)
        dana = sign_in("dana", "dana@example.com")
        settle(environment)
        assert access_tokens.membership(environment, dana).allowed is True
        assert environment.members.filter(email="dana.old@example.com", wanted=True).exists(), "no guess who that is"

    def test_with_a_second_address_is_removed_by_either(self, environment, dana, theo):
        memberships.remove_member(environment, dana, "THEO@example.com")
        assert not environment.members.get(person=theo).wanted

    def test_who_owns_is_never_removed(self, environment, dana):
        with pytest.raises(ValidationError, match="owner keeps access"):
            memberships.remove_member(environment, dana, "dana@example.com")


class TestTokens:
    def test_of_the_next_holder_are_not_those_of_the_former(self, environment, dana, theo):
        access_tokens.issue(environment, theo, hours=1)
        sign_in("max", "max@example.com")
        other = sign_in("max", "theo@example.com")
        memberships.add_members(environment, dana, ["theo@example.com"], Role.DEVELOPER)
        settle(environment)
        access_tokens.issue(environment, other, hours=1)
        accounts = list(environment.members.filter(has_account=True).values_list("person", "account_name"))
        assert {person for person, _ in accounts} == {theo.pk, other.pk}
        assert len({name for _, name in accounts}) == 2


def test_the_access_review_knows_who_is_in_the_team_by_key(make_environment, team, client):
    """Somebody outside with the address of a member of the team is not in it."""
    inside = User.objects.create(username="sam", email="sam@example.com")
    team.members.add(inside)
    outside = User.objects.create(username="max", email="sam@example.com", provider="partner", email_trusted=False)
    User.objects.create(username="ada", email="ada@example.com", is_superuser=True, is_staff=True)
    environment = make_environment()
    Member.objects.create(environment=environment, person=inside, email="old@example.com", role=Role.VIEWER)
    Member.objects.create(environment=environment, person=outside, email="sam@example.com", role=Role.VIEWER)
    Member.objects.create(environment=environment, email="Sam@example.com", role=Role.VIEWER)
    client.force_login(User.objects.get(username="ada"))
    lines = client.get("/reports/access.csv").getvalue().decode().splitlines()
    rows = {line.split(",")[0]: line for line in lines if environment.namespace in line}
    column = next(line for line in lines if "Outside the team" in line).split(",").index("Outside the team")
    assert rows["old@example.com"].split(",")[column] == "No"
    assert rows["sam@example.com"].split(",")[column] == "Yes"
    assert rows["Sam@example.com"].split(",")[column] == "No"
