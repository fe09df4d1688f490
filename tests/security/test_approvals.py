"""What nobody can get by asking: a decision that is not theirs."""

import pytest
from django.core.exceptions import PermissionDenied

from environments import actions
from environments.actions import approvals
from environments.catalog.files import read
from environments.lib.phases import Phase, Role
from environments.management.commands.import_templates import SEEDS
from environments.models import Environment, Team, User
from environments.web import pages
from tests.templates import publish

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("enqueued")]

DECISIONS = ({"decision": "approve"}, {"decision": "reject", "note": "No."})


@pytest.fixture
def cast(people):
    """Dana asks; Theo is to be an admin in it, Tess is in the team, Mia too, but manages another one; Sam is not."""
    checkout = Team.objects.create(name="Checkout", group="team-checkout")
    search = Team.objects.create(name="Search", group="team-search")
    found = {"dana": people[0], "theo": people[1]}
    for name in ("tess", "mia", "sam", "max"):
        manages = name in ("mia", "max")
        found[name] = User.objects.create(username=name, email=f"{name}@example.com", is_manager=manages)
    checkout.members.add(found["dana"], found["tess"], found["mia"])
    search.members.add(found["sam"])
    search.managers.add(found["mia"])
    checkout.managers.add(found["max"])
    return found


@pytest.fixture
def request_of(place, local_directory, cast):
    """What somebody asks for, of a template whose every request needs approval."""
    document = read(SEEDS / "namespace.yaml")
    spec = document.spec.model_copy(update={"approval": True, "collaborator_roles": (Role.ADMIN,)})
    version = publish(document.model_copy(update={"spec": spec}))

    def ask(owner: User) -> Environment:
        team = Team.objects.get(name="Checkout")
        team.members.add(owner)
        more = {"team": team, "collaborators": {"theo@example.com": Role.ADMIN}}
        parameters = {"cpu": "1000m", "memory": "1024Mi"}
        wanted = actions.Draft(version=version, name="ranking", cluster=place, parameters=parameters, **more)
        return actions.request_environment(owner, wanted)

    return ask


@pytest.mark.parametrize(
    ("name", "status"), [("dana", 403), ("theo", 403), ("tess", 403), ("mia", 403), ("sam", 404), (None, 302)]
)
def test_nobody_but_those_who_decide_decides_by_any_way(client, cast, request_of, name, status):
    environment = request_of(cast["dana"])
    if name:
        client.force_login(cast[name])
    path = f"/environments/{environment.namespace}/decide/"
    for sent in DECISIONS:
        assert client.post(path, sent).status_code == status
        assert client.get(path, sent).status_code == (405 if name else 302)
    if name:
        for verb in (approvals.approve, approvals.reject):
            with pytest.raises(PermissionDenied):
                verb(environment, cast[name], "Because.")
        assert environment.name not in client.get("/approvals/").content.decode()
    environment.refresh_from_db()
    assert (environment.phase, environment.decided_by) == (Phase.AWAITING_APPROVAL, None)


def test_a_manager_does_not_decide_on_their_own_request(client, cast, request_of):
    environment = request_of(cast["max"])
    client.force_login(cast["max"])
    for sent in DECISIONS:
        assert client.post(f"/environments/{environment.namespace}/decide/", sent).status_code == 403
    environment.refresh_from_db()
    assert environment.awaits_approval


def test_whoever_asks_does_not_become_somebody_who_decides(client, cast, request_of):
    """Handing it over would make another the owner, and whoever asked free to decide."""
    environment = request_of(cast["max"])
    client.force_login(cast["max"])
    sent = {"address": "dana@example.com", "keep": "developer"}
    assert client.post(f"/environments/{environment.namespace}/members/hand-over/", sent).status_code == 422
    environment.refresh_from_db()
    assert environment.owner == cast["max"]
    assert client.post(f"/environments/{environment.namespace}/decide/", DECISIONS[0]).status_code == 403


def test_what_is_approved_is_what_was_asked_for(client, cast, request_of):
    """Nobody gets something small approved and something large made."""
    environment = request_of(cast["dana"])
    document = read(SEEDS / "namespace.yaml")
    quota = document.spec.quota | {"pods": "9999"}
    publish(document.model_copy(update={"spec": document.spec.model_copy(update={"quota": quota})}))
    client.force_login(cast["dana"])
    client.post(f"/environments/{environment.namespace}/move/", {"version": 2})
    approvals.approve(environment, cast["max"])
    environment.refresh_from_db()
    assert environment.spec["quota"]["pods"] == "30"


def test_nobody_moves_to_what_would_have_needed_approval(client, cast, ask, namespace_template):
    environment = ask()
    document = read(SEEDS / "namespace.yaml")
    publish(document.model_copy(update={"spec": document.spec.model_copy(update={"approval": True})}))
    client.force_login(cast["dana"])
    response = client.post(f"/environments/{environment.namespace}/move/", {"version": 2})
    assert response.status_code == 422
    assert "needs approval" in response.content.decode()
    environment.refresh_from_db()
    assert environment.version == namespace_template
    ada = User.objects.create(username="ada", email="ada@example.com", is_superuser=True)
    actions.move_environment(environment, pages.newer(environment).version, ada)


def test_a_forged_request_for_a_size_that_needs_it_waits_all_the_same(client, cast, request_of, place):
    environment = request_of(cast["dana"])
    client.force_login(cast["dana"])
    form = {
        "key": "7d0f1b52-6f0e-4d3c-9d43-0d2b7a7f5c11", "version": environment.version_id, "name": "forged",
        "p_cpu": "1000m", "p_memory": "1024Mi", "cluster": place.pk, "team": environment.team_id,
        "collaborator_role": "admin",
        "phase": "Provisioning", "requested_at": "", "decided_at": "2026-11-23", "decided_by": environment.owner_id,
    }  # fmt: skip
    assert client.post("/catalog/namespace/request/", form).status_code == 302
    forged = Environment.objects.get(name="forged")
    assert (forged.phase, forged.decided_at, forged.decided_by) == (Phase.AWAITING_APPROVAL, None, None)
    assert not Environment.objects.owed().exists()
