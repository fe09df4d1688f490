"""Network openings: the lines that people write, who decides, when they end, and the admin's form."""

import re
from datetime import datetime, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from environments.actions import changes, openings
from environments.kube import network_policies
from environments.lib.activity import Activity
from environments.models import Change, ChangeState, Environment, NetworkOpening
from environments.spec import Network
from environments.spec.openings import parse_lines

DATABASE = "10.20.0.5/32 5432"


@pytest.fixture
def environment(make_environment):
    return make_environment(name="Ranking")


@pytest.fixture
def offer(cluster):
    def make(slug="database", lines=DATABASE, **more):
        rules = parse_lines(lines).model_dump(mode="json")
        fields = {"cluster": cluster, "slug": slug, "name": slug.title(), "destinations": rules} | more
        return NetworkOpening.objects.create(**fields)

    return make


def stored(environment) -> Environment:
    return Environment.objects.get(pk=environment.pk)


# Lines


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("0.0.0.0/0 443,80", "Pods can reach 0.0.0.0/0 on 443, 80."),
        ("10.20.0.5/32", "Pods can reach 10.20.0.5/32."),
        ("2001:db8::/32 53/udp", "Pods can reach 2001:db8::/32 on 53/UDP."),
        ("team=payments 8443/TCP", "Pods can reach namespaces labelled team=payments on 8443/TCP."),
        ("example.com/team=payments", "Pods can reach namespaces labelled example.com/team=payments."),
    ],
)
def test_a_line_is_a_destination(line, sentence):
    found = parse_lines(f"\n  {line}  \n")
    assert found.sentences() == [sentence]
    assert parse_lines(found.lines()) == found


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Enter at least one destination"),
        ("10.20.0.5/8 443", "Line 1: “10.20.0.5/8” is not a CIDR block."),
        ("database 5432", "Line 1: “database” is not a CIDR block."),
        (f"{DATABASE}\n10.0.0.0/8 99999", "Line 2: “99999” is not a port."),
        ("10.0.0.0/8 443 80", "Line 1: Write the destination, a space, and the ports with commas"),
        ("team=pay/ments", "Line 1: “pay/ments” is not a label value."),
        ("Team_/x=payments", "Line 1: “Team_/x” is not a label."),
        ("::ffff:10.0.0.0/104", "is IPv4 in the form of IPv6"),
        ("10.0.0.0/8\n" * 51, "Enter at most 50 destinations; you entered 51."),
    ],
)
def test_a_wrong_line_says_what_is_wrong(text, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        parse_lines(text)


def test_an_opening_is_a_policy_of_its_own_beside_deny_all():
    both = {"database": parse_lines(DATABASE), "internet": parse_lines("0.0.0.0/0 443")}
    found = network_policies.specs(Network(), network_policies.Neighbours(), both)
    assert list(found) == ["deny-all", "allow-dns", "opening-database", "opening-internet"]
    assert found["opening-internet"] == {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"protocol": "TCP", "port": 443}]}],
    }


# Asking and deciding


def test_at_once(environment, offer, dana, enqueued, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        change = openings.ask_to_open(environment, offer(decider="nobody"), dana)
    row = stored(environment)
    assert (change.state, change.grounds) == (ChangeState.APPLIED, openings.AT_ONCE)
    assert [each["slug"] for each in row.openings] == ["database"]
    assert row.generation == environment.generation + 1
    assert enqueued.environments == [str(row.pk)]
    line = row.events.get(kind=Activity.NETWORK_OPENED)
    assert line.message == "Dana Example opened the network: Database open to 10.20.0.5/32 on 5432, was closed."


def test_after_an_approval(environment, offer, dana, max_manager):
    change = openings.ask_to_open(environment, offer(days=7), dana, reason="For the import.")
    assert stored(environment).openings == []
    changes.approve(change, max_manager)
    (opened,) = stored(environment).openings
    assert timedelta(days=6) < datetime.fromisoformat(opened["ends_at"]) - timezone.now() < timedelta(days=7)


def test_only_platform_admins_decide_where_the_opening_says_so(environment, offer, dana, max_manager, ada):
    change = openings.ask_to_open(environment, offer(decider="admins"), dana)
    assert not Change.objects.decidable_by(max_manager).exists()
    with pytest.raises(PermissionDenied):
        changes.approve(change, max_manager)
    assert Change.objects.decidable_by(ada).get() == change
    changes.approve(change, ada)
    assert stored(environment).openings


def test_what_is_not_offered_is_refused(environment, offer, dana, theo, cluster):
    closed = offer("closed", is_offered=False)
    with pytest.raises(ValidationError) as refused:
        openings.ask_to_open(environment, closed, dana)
    assert refused.value.message_dict == {"opening": ["Closed is not offered on Amsterdam."]}
    elsewhere = type(cluster).objects.create(slug="oslo", name="Oslo", server="https://oslo.example.com")
    with pytest.raises(ValidationError, match="not offered"):
        openings.ask_to_open(environment, offer("there", cluster=elsewhere), dana)
    with pytest.raises(PermissionDenied):
        openings.ask_to_open(environment, offer("open", decider="nobody"), theo)
    openings.ask_to_open(environment, NetworkOpening.objects.get(slug="open"), dana)
    with pytest.raises(ValidationError, match="Open is open already"):
        openings.ask_to_open(stored(environment), NetworkOpening.objects.get(slug="open"), dana)


def test_an_opening_that_was_withdrawn_meanwhile(environment, offer, dana, max_manager):
    opening = offer()
    change = openings.ask_to_open(environment, opening, dana)
    NetworkOpening.objects.update(is_offered=False)
    with pytest.raises(ValidationError, match=r"no longer offered\. Reject the change"):
        changes.approve(change, max_manager)


def test_closing(environment, offer, dana, theo):
    openings.ask_to_open(environment, offer(decider="nobody"), dana)
    with pytest.raises(PermissionDenied):
        openings.close(stored(environment), "database", theo)
    openings.close(stored(environment), "database", dana)
    assert stored(environment).openings == []
    assert environment.events.get(kind=Activity.NETWORK_CLOSED).message.endswith("the network opening “Database”.")
    with pytest.raises(ValidationError, match="closed already"):
        openings.close(stored(environment), "database", dana)


def test_its_end_is_told(environment, offer, dana):
    openings.ask_to_open(environment, offer(decider="nobody", days=2), dana)
    openings.ask_to_open(stored(environment), offer("internet", "0.0.0.0/0 443", decider="nobody"), dana)
    assert openings.end_due(timezone.now() + timedelta(days=1)) == 0
    assert openings.end_due(timezone.now() + timedelta(days=3)) == 1
    assert [each["slug"] for each in stored(environment).openings] == ["internet"]
    assert environment.events.get(kind=Activity.OPENING_ENDED).notice_owed


# The pages


def test_the_page_shows_what_gets_through_and_asks_for_more(client, environment, offer, dana, theo, sam, max_manager):
    offer(description="Orders.", days=7)
    own = f"/environments/{environment.namespace}/network/"
    for person, status in ((sam, 404), (theo, 200), (dana, 200)):
        client.force_login(person)
        answer = client.get(own)
        assert answer.status_code == status
        assert (b"Request opening" in answer.content) == (person == dana)
    text = client.get(own).content.decode()
    assert "Pods can reach 10.20.0.5/32 on 5432." in text
    assert "Needs approval. Closed again after 7 days." in text
    assert "name: opening-database" in text
    assert client.post(own, {"opening": "another"}).status_code == 422
    answer = client.post(own, {"opening": "database", "reason": "Orders."}, follow=True)
    assert "Database requested. It waits for approval: Max Example (manager of Checkout)." in answer.content.decode()
    client.force_login(theo)
    assert client.post(own, {"opening": "database"}).status_code == 403
    changes.approve(Change.objects.get(), max_manager)
    client.force_login(dana)
    page = client.get(f"/environments/{environment.namespace}/").content.decode()
    assert "<b>Database</b> until" in page
    assert client.post(f"{own}close/", {"opening": "database"}).status_code == 302
    assert stored(environment).openings == []


def test_the_admin_writes_lines_and_environments_follow(client, environment, ada, dana, cluster):
    client.force_login(ada)
    path = "/admin/environments/networkopening/"
    data = {"cluster": cluster.pk, "slug": "database", "name": "Database", "decider": "nobody", "is_offered": "on"}
    answer = client.post(f"{path}add/", data | {"lines": "10.20.0.5/8 5432"})
    assert "Line 1: “10.20.0.5/8” is not a CIDR block." in answer.content.decode()
    assert client.post(f"{path}add/", data | {"lines": DATABASE}).status_code == 302
    opening = NetworkOpening.objects.get()
    assert opening.rules.lines() == DATABASE
    openings.ask_to_open(environment, opening, dana)
    answer = client.post(f"{path}{opening.pk}/change/", data | {"lines": "10.20.0.6/32 5432"}, follow=True)
    assert "Updated in 1 environment." in answer.content.decode()
    (opened,) = stored(environment).openings
    assert opened["destinations"]["blocks"][0]["cidr"] == "10.20.0.6/32"
    assert client.post(f"{path}{opening.pk}/delete/", {"post": "yes"}).status_code == 403
    openings.close(stored(environment), "database", dana)
    assert client.post(f"{path}{opening.pk}/delete/", {"post": "yes"}).status_code == 302
