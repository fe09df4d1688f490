"""Who is removed while they ask for a token has none afterwards, at whatever moment that happens."""

import pytest
from django.core.exceptions import PermissionDenied

from environments.actions import access_tokens, memberships
from environments.kube.client import ClusterClient
from environments.lib import naming
from environments.lib.errors import ReconcileError, TemporaryError
from environments.lib.phases import Phase, Role
from environments.models import Environment, Event
from tests.arranging import settle

pytestmark = pytest.mark.django_db

#: The calls of `issue`, in their order: the account, the binding, the token.
MOMENTS = [("apply", 0), ("apply", 1), ("create_token", 0)]


@pytest.fixture
def environment(ask):
    made = settle(ask(collaborators={"theo@example.com": Role.DEVELOPER}))
    assert made.phase == Phase.READY
    return made


@pytest.fixture
def theo(people):
    return people[1]


@pytest.fixture
def meanwhile(monkeypatch):
    """Have something happen at a call of the client, once: before it, or after."""

    def arrange(moment, happen, *, after=False):
        method, number = moment
        real, calls, done = getattr(ClusterClient, method), [0], []

        def call(self, *args, **kwargs):
            if done or calls[0] != number:
                calls[0] += 1
                return real(self, *args, **kwargs)
            done.append(True)
            if after:
                answer = real(self, *args, **kwargs)
                happen()
                return answer
            happen()
            return real(self, *args, **kwargs)

        monkeypatch.setattr(ClusterClient, method, call)
        return done

    return arrange


def accounts(admin, environment) -> list[str]:
    name = naming.account(str(environment.pk), "theo@example.com")
    found = (each["metadata"]["name"] for each in admin.list_objects("ServiceAccount", "allotment"))
    return [each for each in found if each == name]


def named(world, environment) -> set[str]:
    return {
        subject["name"]
        for (kind, _), binding in world(environment).items()
        if kind == "RoleBinding"
        for subject in binding.get("subjects") or []
    }


def is_owed(environment) -> bool:
    return Environment.objects.owed().filter(pk=environment.pk).exists()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: f"{moment[0]}-{moment[1]}")
def test_a_member_who_is_removed_meanwhile_gets_no_token(
    environment, people, theo, meanwhile, admin, world, moment, after
):
    def removed():
        memberships.remove_member(environment, people[0], theo.email)
        settle(environment)
        assert not accounts(admin, environment)
        assert not is_owed(environment)

    done = meanwhile(moment, removed, after=after)
    # Where the account is gone already, the cluster has none to give a token for.
    with pytest.raises((PermissionDenied, ReconcileError)):
        access_tokens.issue(environment, theo, hours=1)
    assert done
    assert is_owed(environment), "one more reconcile"
    settle(environment)
    assert accounts(admin, environment) == []
    assert named(world, environment) == {f"{environment.namespace}-admin", "dana@example.com"}
    assert not Event.objects.filter(kind="Kubeconfig").exists()


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: f"{moment[0]}-{moment[1]}")
def test_a_demoted_member_gets_no_token_for_the_role_they_had(environment, people, theo, meanwhile, world, moment):
    def demoted():
        memberships.add_members(environment, people[0], [theo.email], Role.VIEWER)
        settle(environment)

    done = meanwhile(moment, demoted)
    with pytest.raises((PermissionDenied, ReconcileError)):
        access_tokens.issue(environment, theo, hours=1)
    assert done
    settle(environment)
    found = world(environment)
    assert ("RoleBinding", "environment-developer") not in found
    viewers = {each["name"] for each in found["RoleBinding", "environment-viewer"]["subjects"]}
    assert "theo@example.com" in viewers


def test_tokens_that_are_revoked_meanwhile_stay_revoked(environment, theo, meanwhile, admin):
    done = meanwhile(("create_token", 0), lambda: access_tokens.revoke(environment, theo), after=True)
    with pytest.raises(PermissionDenied):
        access_tokens.issue(environment, theo, hours=1)
    assert done
    settle(environment)
    assert accounts(admin, environment) == []


def test_a_refusal_half_way_owes_a_reconcile(environment, people, theo, meanwhile, world):
    def refused():
        memberships.remove_member(environment, people[0], theo.email)
        settle(environment)
        raise TemporaryError("The cluster is busy.", reason="TooManyRequests")

    meanwhile(("apply", 1), refused, after=True)
    with pytest.raises(TemporaryError):
        access_tokens.issue(environment, theo, hours=1)
    assert is_owed(environment)
    settle(environment)
    assert "theo@example.com" not in named(world, environment)


def test_who_stays_gets_their_token(environment, theo, admin):
    assert "token:" in access_tokens.issue(environment, theo, hours=1)
    assert len(accounts(admin, environment)) == 1
