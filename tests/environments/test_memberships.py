"""Access follows the list of members: in the directory, in the binding, and in what the cluster says."""

import pytest
from django.core.exceptions import ValidationError

from environments import actions
from environments.actions import memberships
from environments.kube.client import Question
from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role
from environments.models import LocalGroup, User
from environments.reconcile import engine as reconcile
from tests.arranging import names, settle

pytestmark = pytest.mark.django_db


def in_groups() -> dict[str, set[str]]:
    """The directory's groups by role, with the addresses in them."""
    return {
        group.name.rpartition("-")[2]: set(group.members.values_list("email", flat=True))
        for group in LocalGroup.objects.all()
    }


def may_create_pods(admin, environment, email: str) -> bool:
    return admin.may(Question("create", "pods", namespace=environment.namespace), email, []).allowed


def test_a_new_member_gets_in_and_is_proven(ask, admin, people):
    environment = settle(ask())
    assert not may_create_pods(admin, environment, "theo@example.com")
    memberships.add_members(environment, people[0], ["Theo@example.com"], Role.DEVELOPER)
    settle(environment)
    assert in_groups() == {"admin": {"dana@example.com"}, "developer": {"theo@example.com"}}
    assert may_create_pods(admin, environment, "theo@example.com")
    assert environment.members.get(email="theo@example.com").allowed is True
    event = environment.events.get(kind=Activity.ACCESS_CHANGED)
    assert "gave theo@example.com the role developer" in event.message
    assert event.data == {"given": ["theo@example.com"], "role": "developer"}
    assert event.actor == people[0]


def test_a_removed_member_is_out_of_everything(ask, admin, people, world):
    environment = settle(ask(collaborators={"theo@example.com": Role.DEVELOPER}))
    assert may_create_pods(admin, environment, "theo@example.com")
    memberships.remove_member(environment, people[0], "theo@example.com")
    settle(environment)
    assert not may_create_pods(admin, environment, "theo@example.com")
    assert in_groups() == {"admin": {"dana@example.com"}}  # nobody has the other role: its group is gone
    assert names(world(environment))["RoleBinding"] == ["environment-admin"]
    theo = environment.members.get(email="theo@example.com")
    assert (theo.wanted, theo.in_group) == (False, False)  # remembered for ten minutes


def test_a_changed_role_is_one_role_not_two(ask, admin, people):
    User.objects.create(username="max", email="max@example.com")
    environment = settle(ask(collaborators={"theo@example.com": Role.DEVELOPER, "max@example.com": Role.DEVELOPER}))
    memberships.add_members(environment, people[0], ["theo@example.com"], Role.VIEWER)
    settle(environment)
    assert in_groups() == {
        "admin": {"dana@example.com"},
        "developer": {"max@example.com"},
        "viewer": {"theo@example.com"},
    }
    assert not may_create_pods(admin, environment, "theo@example.com")
    assert environment.members.filter(email="theo@example.com").count() == 1


def test_somebody_whom_others_put_into_the_group_is_left_in_it(ask, people):
    environment = settle(ask())
    nina = User.objects.create(username="nina", email="nina@example.com")
    LocalGroup.objects.get().members.add(nina)
    memberships.add_members(environment, people[0], ["theo@example.com"], Role.VIEWER)
    memberships.remove_member(environment, people[0], "theo@example.com")
    settle(environment)
    assert in_groups()["admin"] == {"dana@example.com", "nina@example.com"}


def test_somebody_who_fell_out_of_the_group_is_put_back_and_it_is_said(ask, people):
    environment = settle(ask())
    LocalGroup.objects.get().members.clear()
    actions.try_again(environment, people[0])
    settle(environment)
    assert in_groups()["admin"] == {"dana@example.com"}
    assert "dana@example.com was missing from" in environment.events.filter(kind=Activity.REPAIRED).first().message


def test_an_environment_changes_hands(ask, admin, people):
    dana, theo = people
    environment = settle(ask())
    memberships.hand_over(environment, dana, "theo@example.com", keep=Role.VIEWER)
    settle(environment)
    assert environment.owner == theo
    assert in_groups() == {"admin": {"theo@example.com"}, "viewer": {"dana@example.com"}}
    assert may_create_pods(admin, environment, "theo@example.com")
    assert not may_create_pods(admin, environment, "dana@example.com")
    annotations = admin.get("Namespace", environment.namespace)["metadata"]["annotations"]
    assert annotations["allotment.internal/owner"] == "theo@example.com"
    memberships.hand_over(environment, theo, "dana@example.com", keep=None)
    settle(environment)
    assert in_groups() == {"admin": {"dana@example.com"}}
    assert environment.phase == Phase.READY


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (
            lambda e, u: memberships.add_members(e, u, ["x@example.com"], Role.ADMIN),
            "Choose the role developer or viewer",
        ),
        (lambda e, u: memberships.add_members(e, u, ["dana@example.com"], Role.VIEWER), "is the owner"),
        (
            lambda e, u: memberships.add_members(e, u, [f"p{n}@example.com" for n in range(101)], Role.VIEWER),
            "at most 100 members",
        ),
        (lambda e, u: memberships.remove_member(e, u, "DANA@example.com"), "Hand the environment over first"),
        (lambda e, u: memberships.hand_over(e, u, "x@example.com", keep=None), "must sign in to Allotment once"),
        (lambda e, u: memberships.hand_over(e, u, "dana@example.com", keep=None), "is already the owner"),
        (
            lambda e, u: memberships.hand_over(e, u, "theo@example.com", keep=Role.ADMIN),
            "Choose the role developer or viewer",
        ),
    ],
)
def test_what_is_not_allowed_says_why_and_changes_nothing(ask, people, act, sentence):
    environment = ask()
    with pytest.raises(ValidationError, match=sentence):
        act(environment, people[0])
    environment.refresh_from_db()
    assert environment.owner == people[0]
    assert environment.generation == 1
    assert [member.email for member in environment.members.all()] == ["dana@example.com"]


def test_taking_a_strangers_access_away_does_nothing(ask, people):
    environment = ask()
    memberships.remove_member(environment, people[0], "nobody@example.com")
    environment.refresh_from_db()
    assert environment.generation == 1


def test_who_leaves_is_out_even_where_the_binding_had_another_role(ask, people, admin, simulated):
    User.objects.create(username="max", email="max@example.com")
    environment = settle(ask(collaborators={"theo@example.com": Role.VIEWER, "max@example.com": Role.VIEWER}))
    live = admin.get("RoleBinding", "environment-viewer", environment.namespace)
    admin.delete("RoleBinding", "environment-viewer", environment.namespace)
    kept = {key: live["metadata"][key] for key in ("name", "namespace", "labels")}
    admin.create(live | {"metadata": kept, "roleRef": live["roleRef"] | {"name": "environment-admin"}})
    memberships.remove_member(environment, people[0], "theo@example.com")
    simulated.faults.add(method="PATCH", path_regex="/networkpolicies/", status=500, times=100)
    reconcile.reconcile(environment.pk)  # gets no further than what comes before everything else
    left = admin.get("RoleBinding", "environment-viewer", environment.namespace)
    assert left["roleRef"]["name"] == "environment-viewer"
    assert "theo@example.com" not in [subject["name"] for subject in left["subjects"]]
    assert environment.events.filter(message__contains="had another role (ClusterRole environment-admin)").exists()
