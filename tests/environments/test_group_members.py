"""Groups of the directory as members: bound by their name, verified by it, and never changed."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from environments import actions
from environments.actions import group_members, memberships
from environments.kube.client import Question
from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role
from environments.models import Cluster, Environment, GroupMember, User
from environments.reconcile import engine as reconcile
from environments.reconcile.steps import group_members as step
from environments.routine import observe
from tests.arranging import settle
from tests.environments.directory.fakes.base import FakeGroup
from tests.environments.directory.fakes.keycloak import FakeKeycloak

ISSUER = "https://idp.example.com"

pytestmark = pytest.mark.django_db


@pytest.fixture
def company(monkeypatch) -> FakeKeycloak:
    """The company's directory, with Dana, Theo and the group payments of seven."""
    fake = FakeKeycloak()
    for name in ("dana", "theo"):
        fake.person(name)
    fake.named_group("payments", 7)
    monkeypatch.setattr("environments.directory.connect", lambda row: client)
    client = fake.client()
    return fake


@pytest.fixture
def environment(ask, place, company) -> Environment:
    """Dana's, on a cluster that authenticates by OIDC."""
    Cluster.objects.filter(pk=place.pk).update(access=Cluster.Access.OIDC, oidc_issuer=ISSUER, groups_prefix="g:")
    place.refresh_from_db()
    return settle(ask())


def group_id(company: FakeKeycloak, name: str = "payments") -> str:
    return next(group.id for group in company.groups.values() if group.name == name)


def subjects(admin, environment, role: str) -> set[str]:
    """The groups in the role binding of a role, without the environment's own."""
    live = admin.get("RoleBinding", f"environment-{role}", environment.namespace) or {}
    named = {each["name"] for each in live.get("subjects", []) if each["kind"] == "Group"}
    return {name for name in named if environment.namespace not in name}


def may(admin, environment, group: str, verb: str = "create") -> bool:
    return admin.may(Question(verb, "pods", namespace=environment.namespace), "somebody", [group]).allowed


def refusal(call) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as caught:
        call()
    return caught.value.message_dict


class TestGiving:
    def test_a_group_gets_a_role_by_its_name_and_is_verified_by_it(self, environment, people, admin, company):
        group_members.add_group(environment, people[0], " payments ", Role.DEVELOPER)
        settle(environment)
        assert environment.phase == Phase.READY
        row = environment.group_members.get()
        assert (row.present, row.bound, row.allowed, row.size, row.message) == (True, True, True, 7, "")
        assert subjects(admin, environment, "developer") == {"g:payments"}
        assert may(admin, environment, "g:payments")
        assert not may(admin, environment, "payments")
        event = environment.events.get(kind=Activity.ACCESS_CHANGED)
        assert event.message.endswith("gave the group payments the role developer.")
        assert event.actor == people[0]

    def test_the_group_itself_is_never_changed(self, environment, people, company):
        before = company.member_ids(group_id(company))
        group_members.add_group(environment, people[0], "payments", Role.VIEWER)
        row = settle(environment).group_members.get()
        group_members.remove_group(environment, people[0], row.pk)
        settle(environment)
        actions.delete_environment(environment, people[0], typed_name=environment.name)
        settle(environment)
        assert company.member_ids(group_id(company)) == before
        changed = [call.url.path for call in company.calls if call.method != "GET"]
        assert not any(group_id(company) in path.split("/") for path in changed)

    def test_an_environment_in_order_costs_no_write(self, environment, people, simulated):
        group_members.add_group(environment, people[0], "payments", Role.VIEWER)
        settle(environment)
        assert observe.observe(environment.cluster_id) == [], "the pass over the cluster expects the group"

    def test_what_others_change_of_it_is_restored(self, environment, people, admin):
        group_members.add_group(environment, people[0], "payments", Role.VIEWER)
        settle(environment)
        admin.delete("RoleBinding", "environment-viewer", environment.namespace)
        assert observe.observe(environment.cluster_id) == [str(environment.pk)]
        settle(environment)
        assert subjects(admin, environment, "viewer") == {"g:payments"}

    def test_giving_again_changes_the_role(self, environment, people, admin):
        for role in (Role.DEVELOPER, Role.VIEWER):
            group_members.add_group(environment, people[0], "payments", role)
            settle(environment)
        assert environment.group_members.get().role == Role.VIEWER
        assert subjects(admin, environment, "developer") == set()
        assert subjects(admin, environment, "viewer") == {"g:payments"}
        assert not may(admin, environment, "g:payments")

    def test_a_weaker_role_takes_effect_before_anything_else(self, environment, people, admin, simulated):
        group_members.add_group(environment, people[0], "payments", Role.DEVELOPER)
        settle(environment)
        group_members.add_group(environment, people[0], "payments", Role.VIEWER)
        simulated.faults.add(method="PATCH", path_regex="/networkpolicies/", status=500, times=100)
        reconcile.reconcile(environment.pk)
        assert not may(admin, environment, "g:payments")

    @pytest.mark.parametrize(
        ("groups_by", "expected"), [("name", "g:payments"), ("path", "g:/sales/payments"), ("id", "g:{id}")]
    )
    def test_it_is_named_as_the_clusters_tokens_name_groups(
        self, environment, people, admin, company, groups_by, expected
    ):
        company.groups[sales := group_id(company)].name = "sales"
        company.parents[inner := company.group("payments")] = sales
        Cluster.objects.update(groups_by=groups_by)
        environment = Environment.objects.get(pk=environment.pk)
        group_members.add_group(environment, people[0], "/sales/payments", Role.VIEWER)
        settle(environment)
        assert subjects(admin, environment, "viewer") == {expected.format(id=inner)}
        assert environment.group_members.get().allowed is True


class TestRefusing:
    @pytest.mark.parametrize(
        ("name", "sentence"),
        [
            ("  ", "Enter the name of a group."),
            ("x" * 151, "at most 150 characters"),
            ("pay\nments", "no line breaks"),
            ("payment", "The directory has no group “payment”. Check the spelling."),
            ("pay*", "The directory has no group “pay*”"),
            ("system:masters", "The name system:masters is reserved for Kubernetes."),
            ("twins", "The directory has 2 groups named “twins”, and a sign-in does not tell them apart."),
            ("former", "The group former belongs to an environment."),
            ("allotment-self-test-x7k2p", "belongs to an environment"),
        ],
    )
    def test_a_name_that_is_not_one_groups_says_why(self, environment, people, company, name, sentence):
        for each in ("system:masters", "twins", "twins", "allotment-self-test-x7k2p"):
            company.group(each)
        company.group("former", attributes={"environment-id": ["another portal's"]})
        found = refusal(lambda: group_members.add_group(environment, people[0], name, Role.VIEWER))
        assert sentence in found["group"][0]
        assert not GroupMember.objects.exists()
        environment.refresh_from_db()
        assert environment.generation == environment.observed_generation

    def test_the_group_of_an_environment_is_none_of_the_companys(self, environment, people, ask, company):
        name = environment.groups.get(role=Role.ADMIN).name
        found = refusal(lambda: group_members.add_group(environment, people[0], name, Role.VIEWER))
        assert "belongs to an environment" in found["group"][0]

    def test_a_prefix_makes_no_system_group_of_it(self, environment, people, company):
        Cluster.objects.update(groups_prefix="system:")
        company.group("masters")
        environment = Environment.objects.get(pk=environment.pk)
        found = refusal(lambda: group_members.add_group(environment, people[0], "masters", Role.VIEWER))
        assert "reserved for Kubernetes" in found["group"][0]

    def test_a_role_that_the_template_does_not_give_collaborators(self, environment, people):
        found = refusal(lambda: group_members.add_group(environment, people[0], "payments", Role.ADMIN))
        assert found == {"role": ["Choose the role developer or viewer."]}

    def test_a_cluster_that_knows_no_groups_says_so(self, environment, people):
        Cluster.objects.update(access=Cluster.Access.TOKEN)
        environment = Environment.objects.get(pk=environment.pk)
        found = refusal(lambda: group_members.add_group(environment, people[0], "payments", Role.VIEWER))
        assert "does not know the groups of your directory" in found["group"][0]
        Cluster.objects.update(access=Cluster.Access.OIDC, bind_groups=False)
        environment = Environment.objects.get(pk=environment.pk)
        found = refusal(lambda: group_members.add_group(environment, people[0], "payments", Role.VIEWER))
        assert "name people only" in found["group"][0]

    def test_a_directory_that_does_not_answer_is_no_directory_without_the_group(self, environment, people, company):
        company.fail(503)
        found = refusal(lambda: group_members.add_group(environment, people[0], "payments", Role.VIEWER))
        assert found["group"] == ["The portal could not look up the group. The directory reported an error (503)."]

    def test_nobody_but_who_manages_members(self, environment, people):
        memberships.add_members(environment, people[0], ["theo@example.com"], Role.DEVELOPER)
        for call in (
            lambda: group_members.add_group(environment, people[1], "payments", Role.VIEWER),
            lambda: group_members.remove_group(environment, people[1], 1),
        ):
            with pytest.raises(PermissionDenied):
                call()

    def test_at_most_twenty(self, environment, people, company):
        for number in range(21):
            company.group(f"team-{number}")
        for number in range(20):
            group_members.add_group(environment, people[0], f"team-{number}", Role.VIEWER)
        found = refusal(lambda: group_members.add_group(environment, people[0], "team-20", Role.VIEWER))
        assert found["group"] == ["An environment has at most 20 groups."]
        assert environment.group_members.count() == 20


class TestRemoving:
    def test_a_removed_group_has_no_access_even_if_nothing_else_answers(
        self, environment, people, admin, company, simulated
    ):
        group_members.add_group(environment, people[0], "payments", Role.DEVELOPER)
        settle(environment)
        row = environment.group_members.get()
        assert group_members.remove_group(environment, people[0], row.pk) == row
        company.fail(503)
        reconcile.reconcile(environment.pk)
        assert not may(admin, environment, "g:payments")
        assert not environment.group_members.exists()
        assert environment.events.filter(message__contains="removed the group payments.").exists()

    def test_removing_what_is_no_member_does_nothing(self, environment, people):
        assert group_members.remove_group(environment, people[0], 4711) is None

    def test_people_and_other_groups_of_the_role_stay(self, environment, people, admin, company):
        company.group("support")
        for name in ("payments", "support"):
            group_members.add_group(environment, people[0], name, Role.VIEWER)
        memberships.add_members(environment, people[0], ["theo@example.com"], Role.VIEWER)
        settle(environment)
        group_members.remove_group(environment, people[0], environment.group_members.get(name="payments").pk)
        settle(environment)
        assert subjects(admin, environment, "viewer") == {"g:support"}
        assert may(admin, environment, "g:support", "get")
        assert environment.members.get(email="theo@example.com").allowed


class TestFollowing:
    @pytest.fixture
    def bound(self, environment, people) -> Environment:
        group_members.add_group(environment, people[0], "payments", Role.VIEWER)
        return settle(environment)

    def again(self, environment, people) -> GroupMember:
        actions.try_again(environment, people[0])
        return settle(environment).group_members.get()

    def test_a_renamed_group_keeps_its_role_and_it_is_said(self, bound, people, admin, company):
        company.groups[group_id(company)].name = "money"
        row = self.again(bound, people)
        assert (row.name, row.present, row.allowed) == ("money", True, True)
        assert subjects(admin, bound, "viewer") == {"g:money"}
        said = bound.events.filter(kind=Activity.REPAIRED).first().message
        assert said == "The directory renamed the group payments to money. The role binding names it so now."

    @pytest.mark.parametrize("name", ["system:masters", "twin"])
    def test_a_new_name_that_may_hold_no_role_ends_the_access(self, bound, people, admin, company, name):
        Cluster.objects.update(groups_prefix="-")
        company.group("twin")
        company.groups[group_id(company)].name = name
        row = self.again(bound, people)
        assert (row.present, row.bound, row.allowed) == (False, False, False)
        assert "gives no access" in row.message
        assert subjects(admin, bound, "viewer") == set()

    def test_another_group_of_the_name_gets_nothing_with_it(self, bound, people, admin, company):
        company.groups.pop(group_id(company))
        company.groups["g999"] = FakeGroup("g999", "payments")
        row = self.again(bound, people)
        assert row.message == step.ANOTHER.format(name="payments")
        assert subjects(admin, bound, "viewer") == set()

    def test_a_second_group_of_the_name_ends_the_access(self, bound, people, admin, company):
        company.group("payments")
        row = self.again(bound, people)
        assert row.message == step.TWINS.format(name="payments")
        assert subjects(admin, bound, "viewer") == set()

    def test_a_group_that_is_gone_says_so_and_is_back_when_it_is(self, bound, people, admin, company):
        kept = company.groups.pop(group_id(company))
        row = self.again(bound, people)
        assert (row.present, row.message) == (False, step.GONE.format(name="payments"))
        assert subjects(admin, bound, "viewer") == set()
        assert bound.phase == Phase.READY, "people are not held up by it"
        company.groups[kept.id] = kept
        assert self.again(bound, people).allowed is True
        assert subjects(admin, bound, "viewer") == {"g:payments"}

    def test_a_directory_that_does_not_answer_takes_nothing_away(self, bound, people, admin, company):
        company.fail(503)
        actions.try_again(bound, people[0])
        settle(bound)
        assert subjects(admin, bound, "viewer") == {"g:payments"}

    def test_an_account_that_may_not_count_members_does_no_harm(self, bound, people, company):
        company.fail(403, matches=lambda request: f"{group_id(company)}/members" in str(request.url))
        row = self.again(bound, people)
        assert (row.present, row.size) == (True, 7)


class TestSeeing:
    @pytest.fixture
    def shared(self, environment, people) -> Environment:
        group_members.add_group(environment, people[0], "payments", Role.DEVELOPER)
        return settle(environment)

    @pytest.fixture
    def pia(self) -> User:
        claims = {"issuer": f"{ISSUER}/", "subject": "sub-pia", "groups_claim": ["payments"], "provider": "sso"}
        return User.objects.create(username="pia", email="pia@example.com", **claims)

    @pytest.mark.parametrize("value", ["payments", "/payments", "{id}"])
    def test_a_person_of_the_group_sees_the_environment(self, shared, pia, company, value):
        pia.groups_claim = [value.format(id=group_id(company))]
        assert list(Environment.objects.visible_to(pia)) == list(Environment.objects.of(pia)) == [shared]
        assert not Environment.objects.editable_by(pia).exists()
        assert group_members.of_user(shared, pia).role == Role.DEVELOPER

    @pytest.mark.parametrize(
        "changes",
        [
            {"groups_claim": ["payment"]},
            {"groups_claim": []},
            {"issuer": "https://another.example.com"},
            {"issuer": ""},
        ],
        ids=str,
    )
    def test_others_do_not(self, shared, pia, changes):
        for name, value in changes.items():
            setattr(pia, name, value)
        assert not Environment.objects.visible_to(pia).exists()
        assert group_members.of_user(shared, pia) is None

    def test_nor_does_the_group_once_it_is_removed(self, shared, pia, people):
        group_members.remove_group(shared, people[0], shared.group_members.get().pk)
        assert not Environment.objects.visible_to(pia).exists()

    def test_nor_on_a_cluster_that_knows_no_groups(self, shared, pia):
        Cluster.objects.update(access=Cluster.Access.TOKEN)
        assert not Environment.objects.visible_to(pia).exists()
