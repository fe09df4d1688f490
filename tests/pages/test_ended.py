"""What ended is a record: every form of it is refused with a sentence, and nothing changes."""

import pytest
from django.utils import timezone

from environments.lib.phases import Phase
from environments.models import Condition, Environment, Event, Group, Member
from tests.pages.reading import one, read, words
from tests.routes import address, product_routes

ROUTES = [route for route in product_routes() if "<slug:namespace>" in route]
SENT = {
    "addresses": "theo@example.com",
    "address": "theo@example.com",
    "role": "developer",
    "keep": "",
    "where": "off",
    "warn": "50",
    "bad": "60",
    "hours": "1",
    "typed_name": "Checkout refunds",
    "decision": "reject",
    "note": "No.",
    "page": "environment",
    "until": "2030-01-01T00:00:00+00:00",
    "version": "1",
    "person": "1",
}
SENTENCES = {
    Phase.DELETING: "This environment is being deleted and can't be changed.",
    Phase.DELETED: "This environment was deleted and can't be changed.",
    Phase.REJECTED: "This request is closed and can't be changed.",
    Phase.WITHDRAWN: "This request is closed and can't be changed.",
}
#: A deletion that hangs can be tried again; a decision says who made it.
OWN_ANSWER = {(Phase.DELETING, "/environments/<slug:namespace>/try-again/")}
DECISIONS = {f"/environments/<slug:namespace>/{what}/" for what in ("decide", "reject", "question", "answer")}
#: Deletion closes all changes, so there is none to decide on.
ON_CHANGES = {f"/environments/<slug:namespace>/changes/{what}/" for what in ("decide", "reject")}


@pytest.fixture
def ended(dana, ada, theo, make_environment):
    """An environment in a phase, owned by somebody who is allowed everything."""
    dana.is_superuser = True
    dana.save()

    def make(phase):
        return make_environment(phase=phase, wanted=False, requested_at=timezone.now(), deleted_at=timezone.now())

    return make


def record():
    """All that is stored about environments."""
    return [list(model.objects.order_by("pk").values()) for model in (Environment, Member, Group, Condition, Event)]


@pytest.mark.parametrize("phase", SENTENCES)
def test_every_form_is_refused_with_a_sentence(client, dana, ended, phase):
    environment = ended(phase)
    before, refused = record(), []
    for route in ROUTES:
        client.force_login(dana)
        response = client.post(address(route, environment), SENT)
        if response.status_code == 405 or (phase, route) in OWN_ANSWER or route in DECISIONS | ON_CHANGES:
            continue
        assert response.status_code == 302, (route, response.status_code)
        page = read(client.get(response["Location"]))
        assert words(one(page, "main > .notice.error")) == SENTENCES[phase], route
        assert record() == before, route
        refused.append(route)
    assert len(refused) >= 13


@pytest.mark.parametrize("route", sorted(ON_CHANGES))
@pytest.mark.parametrize("phase", SENTENCES)
def test_there_is_no_change_to_decide_on(client, ada, ended, phase, route):
    environment = ended(phase)
    before = record()
    client.force_login(ada)
    assert client.post(address(route, environment), SENT | {"change": "1"}).status_code == 403
    assert record() == before


@pytest.mark.parametrize("route", sorted(DECISIONS))
@pytest.mark.parametrize("phase", SENTENCES)
def test_a_decision_on_it_is_refused_too(client, ada, dana, ended, phase, route):
    environment = ended(phase)
    before = record()
    client.force_login(dana if route.endswith("answer/") else ada)
    page = read(client.post(address(route, environment), SENT, follow=True))
    assert one(page, "main > .notice.warning, main > .notice.error")
    assert record() == before


@pytest.mark.parametrize("phase", [Phase.DELETED, Phase.DELETING])
@pytest.mark.parametrize("page", ["members", "members/leave", "alerts", "kubeconfig", "move"])
def test_forms_that_would_be_refused_are_not_shown(client, dana, ended, phase, page):
    environment = ended(phase)
    client.force_login(dana)
    soup = read(client.get(f"/environments/{environment.namespace}/{page}/", follow=True))
    assert words(one(soup, "main > .notice.error")) == SENTENCES[phase]


@pytest.mark.parametrize("page", ["", "history", "objects", "usage"])
def test_the_record_stays(client, dana, ended, page):
    client.force_login(dana)
    path = f"/environments/{ended(Phase.DELETED).namespace}/"
    read(client.get(f"{path}{page}/" if page else path))
