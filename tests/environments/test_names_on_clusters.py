"""How a cluster names people and groups decides what bindings name and what the cluster is asked."""

import pytest

from environments.kube.client import ClusterClient
from environments.lib.identity import Naming, TokenFacts
from environments.lib.phases import Phase, Role, Status
from environments.models import Cluster, LocalGroup, User
from environments.reconcile.steps import access
from environments.reconcile.steps.base import MemberState
from environments.routine import observe
from tests.arranging import settle
from tests.contract.arrange import role_binding

pytestmark = pytest.mark.django_db


def subjects(world, environment) -> set[tuple[str, str]]:
    found = world(environment)
    return {
        (each["kind"], each["name"])
        for (kind, _), binding in found.items()
        if kind == "RoleBinding"
        for each in binding.get("subjects") or []
    }


def signed_in(person, **claims) -> None:
    """What the person's last sign-in to the portal brought."""
    key = {"provider": "sso", "issuer": "https://idp.example.com", "subject": f"sub-{person.pk}"}
    type(person).objects.filter(pk=person.pk).update(**key, **claims)
    person.refresh_from_db()


def linked(environment):
    """The members linked to their people, as a sign-in or a look-up does."""
    for member in environment.members.all():
        environment.members.filter(pk=member.pk).update(person=User.objects.with_address(member.email).first())
    return environment


@pytest.fixture
def asked(monkeypatch) -> list[tuple[str, str, tuple[str, ...]]]:
    """Every access question: (what, user, groups)."""
    calls, real = [], ClusterClient.may

    def may(self, question, user, groups):
        calls.append((f"{question.verb} {question.resource}", user, tuple(groups)))
        return real(self, question, user, groups)

    monkeypatch.setattr(ClusterClient, "may", may)
    return calls


@pytest.mark.parametrize(
    ("settings", "user", "group"),
    [
        ({}, "dana@example.com", "{name}"),
        ({"username_prefix": "oidc:", "groups_prefix": "g:"}, "oidc:dana@example.com", "g:{name}"),
        ({"username_prefix": "-", "groups_prefix": "-"}, "dana@example.com", "{name}"),
        ({"username_claim": "preferred_username", "username_prefix": "-"}, "dana", "{name}"),
        ({"username_claim": "username"}, "dana", "{name}"),
        ({"groups_by": "path"}, "dana@example.com", "/{name}"),
        ({"groups_by": "id", "groups_prefix": "aad:"}, "dana@example.com", "aad:{id}"),
    ],
    ids=str,
)
def test_bindings_and_questions_use_the_names_of_the_cluster(ask, place, world, asked, settings, user, group):
    Cluster.objects.filter(pk=place.pk).update(**settings)
    place.refresh_from_db()
    environment = settle(ask())
    row = environment.groups.get()
    expected = group.format(name=row.name, id=LocalGroup.objects.get(name=row.name).pk)
    assert environment.phase == Phase.READY
    assert subjects(world, environment) == {("User", user), ("Group", expected)}
    assert {(each[1], each[2]) for each in asked} == {(user, (expected, "system:authenticated"))}
    assert observe.observe(place.pk) == [], "the pass expects the same names"


@pytest.mark.parametrize(
    ("settings", "user"),
    [
        ({}, "Dana.D@Example.com"),
        ({"username_lowercase": True, "username_prefix": "oidc:"}, "oidc:dana.d@example.com"),
        ({"username_claim": "sub", "username_prefix": "https://idp.example.com#"}, "https://idp.example.com#sub-{pk}"),
        ({"username_claim": "preferred_username", "username_prefix": "-"}, "DanaD"),
        ({"username_claim": "upn", "username_lowercase": True}, "dana@corp"),
        ({"username_claim": "upn", "oidc_issuer": "https://idp.example.com"}, "DANA@corp"),
        ({"username_claim": "upn", "oidc_issuer": "https://other.example.com"}, ""),
        ({"username_claim": "sub", "oidc_issuer": "https://other.example.com"}, ""),
    ],
    ids=str,
)
def test_names_keep_the_spelling_of_the_claim(ask, place, people, world, settings, user):
    Cluster.objects.filter(pk=place.pk).update(**settings)
    place.refresh_from_db()
    claims = {"claimed_email": "Dana.D@Example.com", "claimed_username": "DanaD", "token_claims": {"upn": "DANA@corp"}}
    signed_in(people[0], **claims)
    environment = settle(linked(ask()))
    named = {name for kind, name in subjects(world, environment) if kind == "User"}
    assert named == ({user.format(pk=people[0].pk)} if user else set())
    assert observe.observe(place.pk) == [], "the pass expects the same names"


def test_of_those_who_never_signed_in_the_directory_knows_the_spelling(ask, people, world):
    environment = ask()
    User.objects.filter(pk=people[0].pk).update(email="Dana@Example.com")  # the local directory's people
    assert ("User", "Dana@Example.com") in subjects(world, settle(environment))


def test_an_address_that_became_another_persons_is_no_name(ask, world):
    environment = ask()
    environment.members.update(address_lost=True)
    assert {kind for kind, _ in subjects(world, settle(environment))} == {"Group"}


@pytest.mark.parametrize("by_id", ["name", "id"])
def test_binding_by_name_only_names_no_group(ask, place, world, asked, by_id):
    Cluster.objects.filter(pk=place.pk).update(bind_groups=False, groups_by=by_id)
    place.refresh_from_db()
    environment = settle(ask(collaborators={"theo@example.com": Role.VIEWER}))
    assert environment.phase == Phase.READY
    assert subjects(world, environment) == {("User", "dana@example.com"), ("User", "theo@example.com")}
    assert {each[2] for each in asked} == {("system:authenticated",)}
    assert observe.observe(place.pk) == []


def test_a_person_whose_name_is_not_known_has_access_through_the_group_and_it_says_so(ask, place, world):
    Cluster.objects.filter(pk=place.pk).update(username_claim="employee_number")
    place.refresh_from_db()
    environment = settle(ask())
    group = environment.groups.get().name
    dana = environment.members.get()
    assert environment.phase == Phase.READY
    assert subjects(world, environment) == {("Group", group)}
    assert dana.allowed is True
    assert "user name on the cluster (claim employee_number) is not known" in dana.message


def test_without_a_name_and_without_groups_the_owner_holds_it_up(ask, place, world):
    Cluster.objects.filter(pk=place.pk).update(username_claim="employee_number", bind_groups=False)
    place.refresh_from_db()
    environment = settle(ask(), tries=3)
    assert environment.phase == Phase.PROVISIONING
    assert subjects(world, environment) == set()
    assert environment.members.get().allowed is False
    assert environment.conditions.get(type="Access").status == Status.WAITING


def test_and_another_member_holds_up_no_one(ask, place, people, monkeypatch):
    Cluster.objects.filter(pk=place.pk).update(bind_groups=False)
    place.refresh_from_db()
    real = MemberState.facts.func
    nothing = property(lambda member: TokenFacts() if member.email == "theo@example.com" else real(member))
    monkeypatch.setattr(MemberState, "facts", nothing)
    environment = settle(ask(collaborators={"theo@example.com": Role.VIEWER}))
    assert environment.phase == Phase.READY
    assert environment.members.get(email="theo@example.com").allowed is False
    condition = environment.conditions.get(type="Access")
    assert (condition.status, condition.reason) == (Status.DONE, "SomeUnnamed")
    assert condition.message == "The cluster confirmed access for 1 of 2"
    assert environment.next_reconcile_at is not None


class TestOtherGroups:
    """What no member may is true of the person: with every group that they are known to be in."""

    def test_a_group_that_opens_the_fences_is_found(self, ask, people, admin, place):
        signed_in(people[0], groups_claim=["ops", "everybody"])
        environment = settle(linked(ask()))
        assert environment.members.get().message == ""
        admin.apply(role_binding(environment.namespace, "cluster-admin", ("Group", "ops"), name="ops"))
        type(environment).objects.filter(pk=environment.pk).owe()
        settle(environment)
        message = environment.members.get().message
        assert "Another role on the cluster allows them to" in message
        assert "isolation is not guaranteed" in message

    def test_each_distinct_set_is_asked_about_once_and_by_itself(self, ask, people, place, asked):
        for person in people:
            signed_in(person, groups_claim=["everybody", "developers"])
        Cluster.objects.filter(pk=place.pk).update(groups_prefix="oidc:")
        place.refresh_from_db()
        settle(linked(ask(collaborators={"theo@example.com": Role.VIEWER})))
        sets = [(what, user) for what, user, groups in asked if "oidc:developers" in groups]
        assert len(sets) == len(access.FENCES)
        assert {user for _, user in sets} == {""}
        mine = {groups for _, user, groups in asked if user}
        assert not any("oidc:developers" in groups for groups in mine), "a role must work by itself"

    def test_the_environments_own_group_is_no_other_one(self):
        naming = Naming(groups_prefix="oidc:")
        assert naming.groups(TokenFacts(groups=("a", "a"))) == ("oidc:a",)

    def test_people_without_known_groups_cost_no_question_more(self, ask, asked):
        settle(ask())
        assert len(asked) == 1 + len(access.FENCES)
