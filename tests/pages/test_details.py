"""An environment's title, purpose and team, and two environments with one title."""

import pytest
from django.utils import timezone

from environments.lib.activity import Activity
from environments.lib.phases import Phase
from environments.models import Environment, Team
from tests.pages.reading import labelled, one, read, words

NEW = {"name": " Basket   load tests ", "purpose": "Before the sale", "team": ""}


@pytest.fixture
def search(dana):
    team = Team.objects.create(name="Search", group="team-search")
    team.members.add(dana)
    return team


@pytest.fixture
def send(client):
    def post(environment, user, **sent):
        client.force_login(user)
        return client.post(f"/environments/{environment.namespace}/details/", sent)

    return post


def test_the_owner_changes_all_three_and_the_activity_says_what(client, send, dana, search, make_environment):
    environment = make_environment(purpose="Sprint 24")
    namespace = environment.namespace
    assert send(environment, dana, **NEW | {"team": search.pk}).status_code == 302
    soup = read(client.get(f"/environments/{namespace}/"))
    assert words(soup.h1) == "Basket load tests"
    assert words(one(soup, "main > .notice.success")) == "Details of Basket load tests saved."
    row = Environment.objects.get()
    assert (row.name, row.purpose, row.team, row.namespace) == ("Basket load tests", NEW["purpose"], search, namespace)
    event = row.events.get(kind=Activity.DETAILS_CHANGED)
    assert event.message == (
        "Dana Example changed the title from “Checkout refunds” to “Basket load tests” and the purpose and "
        "the team from Checkout to Search."
    )
    assert row.generation == 2  # the namespace's labels follow


def test_the_form_is_filled_in_and_saving_it_unchanged_records_nothing(client, send, dana, make_environment):
    environment = make_environment(purpose="Sprint 24")
    client.force_login(dana)
    soup = read(client.get(f"/environments/{environment.namespace}/details/"))
    assert words(one(soup, "nav [aria-current=page]")) == "Environments"
    assert labelled(soup, "Name")["value"] == "Checkout refunds"
    assert [words(option) for option in labelled(soup, "Team").select("option")] == ["Checkout"]
    send(environment, dana, name="Checkout refunds", purpose="Sprint 24", team=environment.team.pk)
    assert Environment.objects.get().generation == 1
    assert not environment.events.filter(kind=Activity.DETAILS_CHANGED).exists()


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"name": ""}, "name", "This field is required."),
        ({"name": "???"}, "name", "Use at least one letter or digit"),
        ({"name": "kube-system"}, "name", "is reserved for the cluster"),
        ({"name": "x" * 41}, "name", "at most 40 characters"),
        ({"purpose": "x" * 201}, "purpose", "at most 200 characters"),
        ({"team": "999"}, "team", "Select a valid choice"),
        ({"team": ""}, "team", "This field is required."),
    ],
)
def test_what_no_request_may_have_is_said_at_its_field(send, dana, make_environment, changes, field, sentence):
    environment = make_environment()
    sent = {"name": "Basket", "purpose": "Why", "team": environment.team.pk} | changes
    soup = read(send(environment, dana, **sent), 422)
    assert sentence in words(one(soup, f"#id_{field}_error"))
    assert Environment.objects.get().name == "Checkout refunds"


def test_a_team_of_others_is_not_to_be_had(send, dana, ada, make_environment):
    environment = make_environment()
    other = Team.objects.create(name="Other", group="team-other")
    for user in (dana, ada):
        read(send(environment, user, **NEW | {"team": other.pk}), 422)
    assert Environment.objects.get().team != other


def test_readers_and_strangers_change_nothing(send, theo, max_manager, sam, make_environment):
    environment = make_environment()
    for user, status in ((theo, 403), (max_manager, 403), (sam, 404)):
        assert send(environment, user, **NEW).status_code == status
    assert Environment.objects.get().name == "Checkout refunds"


def test_what_is_approved_is_what_was_asked_for(send, dana, make_environment):
    environment = make_environment(phase=Phase.AWAITING_APPROVAL, requested_at=timezone.now())
    soup = read(send(environment, dana, **NEW | {"team": environment.team.pk}), 422)
    assert "This request is waiting for approval." in words(one(soup, "#errors"))


class TestOneTitleTwice:
    URL = "/catalog/namespace/preview/"

    def hint(self, client, name):
        soup = read(client.post(self.URL, {"name": name}))
        return [words(node) for node in soup.select("#namesake")]

    def test_the_form_says_so_while_the_title_is_typed(self, client, dana, make_environment, cluster, directory):
        environment = make_environment()
        client.force_login(dana)
        sentence = "You already have an environment called Checkout refunds . Another title helps to tell them apart."
        assert self.hint(client, "checkout  Refunds") == [sentence]
        assert self.hint(client, "Checkout") == []
        assert self.hint(client, "") == []
        Environment.objects.filter(pk=environment.pk).update(phase=Phase.DELETED, wanted=False)
        assert self.hint(client, "Checkout refunds") == []

    def test_somebody_elses_title_is_theirs(self, client, theo, make_environment, cluster, directory):
        make_environment()
        client.force_login(theo)
        assert self.hint(client, "Checkout refunds") == []
