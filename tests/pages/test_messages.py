"""Every action answers with a message on the page that comes next."""

import csv
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from environments.lib.emails import Topic
from environments.lib.phases import Phase, Role
from environments.models import Cluster, TemplateVersion
from tests.pages.reading import one, read, words

MATRIX = Path(__file__).parents[1] / "environments/access_matrix.csv"
#: What is posted to without leading to a page: a download, or a part of a page.
NO_ANSWER = {
    "/catalog/<slug:slug>/preview/",
    "/environments/<slug:namespace>/kubeconfig/token/",
}
THEO = "theo@example.com"


@pytest.fixture
def act(client, dana, theo, max_manager, make_environment, team, cluster):
    """Carry out the action of a route that leads to a message, as someone who may; what the next page says."""

    def post(route: str, user, data: dict, **fields) -> str:
        environment = make_environment(name="Checkout", members={THEO: Role.DEVELOPER}, **fields)
        client.force_login(user)
        if route.endswith("undo/"):
            client.post(f"/environments/{environment.namespace}/members/remove/", {"address": THEO})
            client.get("/")
            data = {"event": environment.events.first().pk}
        address = route.replace("<slug:namespace>", environment.namespace).replace("<slug:slug>", "namespace")
        answer = client.post(address, data)
        assert answer.status_code == 302, answer.content
        return words(one(read(client.get(answer["Location"])), "main > .notice[role=status]:not([hidden])"))

    return post


ACTIONS: dict[str, tuple[dict, str]] = {
    "/environments/<slug:namespace>/delete/": ({"typed_name": "Checkout"}, "The deletion of Checkout was requested."),
    "/environments/<slug:namespace>/alerts/": (
        {"where": "off", "warn": "80", "bad": "95"},
        "Alerts for Checkout saved: off.",
    ),
    "/environments/<slug:namespace>/members/": (
        {"addresses": "theo@example.com", "role": "viewer"},
        "theo@example.com now has the role viewer.",
    ),
    "/environments/<slug:namespace>/members/remove/": (
        {"address": THEO},
        "theo@example.com was removed. You can undo this for 5 minutes.",
    ),
    "/environments/<slug:namespace>/members/undo/": ({}, "theo@example.com is a member again, with the same role."),
    "/environments/<slug:namespace>/members/hand-over/": (
        {"address": THEO, "keep": "viewer"},
        "Checkout now belongs to Theo Example.",
    ),
    "/environments/<slug:namespace>/try-again/": ({}, "Checking everything now."),
    "/catalog/<slug:slug>/request/": ({}, "Checkout was requested."),
    "/emails/": ({}, "Email settings saved."),
}


@pytest.mark.parametrize("route", ACTIONS)
def test_the_next_page_says_what_was_done(act, dana, template_version, route):
    data, says = ACTIONS[route]
    if "/request/" in route:
        answers = {"key": str(uuid.uuid4()), "version": str(template_version.pk), "size": "small"}
        more = {"p_cost_centre": "1040", "team": str(dana.teams.get().pk), "collaborator_role": "viewer"}
        data = answers | more | {"name": "Checkout", "cluster": str(Cluster.objects.get().pk)}
    if route == "/emails/":
        data = {topic.value: "now" for topic in Topic}
    assert act(route, dana, data) == says


def test_an_end_and_a_version_are_named(client, dana, make_environment):
    environment = make_environment(name="Checkout", ends_at=timezone.now() + timedelta(days=10))
    version = environment.version
    TemplateVersion.objects.filter(pk=version.pk).update(state=TemplateVersion.State.RETIRED)
    more = {"number": 2, "state": TemplateVersion.State.PUBLISHED, "spec": version.spec}
    TemplateVersion.objects.create(template=version.template, **more)
    client.force_login(dana)
    address = f"/environments/{environment.namespace}/"
    until = environment.extended_end()
    for path, data, says in (
        ("extend/", {"until": until.isoformat()}, f"Environment extended to {until:%-d %B %Y}."),
        ("move/", {"version": "2"}, "Checkout was updated to version 2."),
    ):
        soup = read(client.post(address + path, data, follow=True))
        assert words(one(soup, "main > .notice[role=status]:not([hidden])")) == says


def test_a_request_that_is_withdrawn_says_so(client, dana, make_environment):
    environment = make_environment(name="Checkout", phase=Phase.AWAITING_APPROVAL)
    client.force_login(dana)
    soup = read(client.post(f"/environments/{environment.namespace}/delete/", {"note": ""}, follow=True))
    assert "The request for Checkout was withdrawn." in words(soup.main)


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_decision_says_what_was_decided(client, max_manager, make_environment, decision):
    fields = {"phase": Phase.AWAITING_APPROVAL, "requested_at": timezone.now()}
    environment = make_environment(name="Checkout", **fields)
    client.force_login(max_manager)
    address = f"/environments/{environment.namespace}/decide/"
    soup = read(client.post(address, {"decision": decision, "note": "Because."}, follow=True))
    assert f"Checkout {decision.removesuffix('e').removesuffix('ed')}" in words(soup.main)


def test_a_removal_of_someone_who_is_no_member_says_so(act, dana):
    route = "/environments/<slug:namespace>/members/remove/"
    assert act(route, dana, {"address": "sam@example.com"}) == "sam@example.com is not a member."


#: Held here or by tests of their own: test_summary_switch.py, test_kubeconfig.py, test_deciding.py,
#: test_stand_in_pages.py, test_ready.py, test_details.py, test_bulk.py, test_changes.py, and in tests/environments
#: test_openings.py, test_reviews.py, test_group_members_page.py and test_team_members.py.
_NAMED = {
    "/environments/<slug:namespace>/extend/",
    "/environments/<slug:namespace>/move/",
    "/environments/<slug:namespace>/decide/",
    "/environments/<slug:namespace>/reject/",
    "/environments/<slug:namespace>/question/",
    "/environments/<slug:namespace>/answer/",
    "/approvals/several/",
    "/emails/stand-in/",
    "/environments/<slug:namespace>/kubeconfig/revoke/",
    "/environments/<slug:namespace>/members/leave/",
    "/environments/<slug:namespace>/access/request/",
    "/environments/<slug:namespace>/changes/decide/",
    "/environments/<slug:namespace>/changes/reject/",
    "/environments/<slug:namespace>/changes/withdraw/",
    "/environments/<slug:namespace>/end/",
    "/environments/<slug:namespace>/keep/",
    "/environments/<slug:namespace>/members/groups/",
    "/environments/<slug:namespace>/members/groups/remove/",
    "/environments/<slug:namespace>/members/teams/",
    "/environments/<slug:namespace>/network/",
    "/environments/<slug:namespace>/network/close/",
    "/environments/<slug:namespace>/size/",
    "/environments/<slug:namespace>/size/preview/",
    "/environments/<slug:namespace>/access/grant/",
    "/environments/<slug:namespace>/access/decline/",
    "/environments/<slug:namespace>/details/",
    "/bulk/",
    "/reports/summary/",
}


def test_no_action_is_left_out():
    with MATRIX.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["method"] == "POST"]
    posted = {row["route"] for row in rows if row["owner"] not in ("404", "405") and "/accounts/" not in row["route"]}
    assert posted - {"/healthz", "/readyz", "/metrics"} == {*ACTIONS, *_NAMED, *NO_ANSWER}
