"""The alerts' page, and what an environment's page says about alerts."""

import pytest

from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role
from tests.pages.reading import labelled, one, read, words

FULL = {"requests.memory": ["1966Mi", "2Gi"], "pods": ["42", "50"]}
TOLD = {"pods": "warn", "requests.memory": "bad"}


@pytest.fixture
def page(client):
    """An environment's page, or the one of its alerts, as somebody reads it."""

    def get(environment, user, path=""):
        client.force_login(user)
        return client.get(f"/environments/{environment.namespace}/{path}")

    return get


@pytest.fixture
def send(client):
    def post(environment, user, **answers):
        client.force_login(user)
        return client.post(f"/environments/{environment.namespace}/alerts/", answers)

    return post


def test_the_form_shows_what_is_in_force(page, dana, make_environment):
    environment = make_environment(alerts="portal", alert_warn=60, alert_bad=75)
    soup = read(page(environment, dana, "alerts/"))
    assert one(labelled(soup, "Notify"), "option[selected]")["value"] == "portal"
    assert (labelled(soup, "First alert at")["value"], labelled(soup, "Second alert at")["value"]) == ("60", "75")


def test_a_choice_is_stored_recorded_and_said(client, page, send, dana, make_environment):
    environment = make_environment()
    answer = send(environment, dana, where="portal", warn="60", bad="75")
    assert answer.status_code == 302
    soup = read(client.get(answer["Location"]))
    assert "Alerts for Checkout refunds saved: at 60 % and 75 %, in the portal only." in words(soup.main)
    assert "Dana Example changed the alerts" in words(read(page(environment, dana, "history/")))
    environment.refresh_from_db()
    assert (environment.alerts, environment.alert_warn, environment.alert_bad) == ("portal", 60, 75)


@pytest.mark.parametrize(
    ("answers", "field", "sentence"),
    [
        ({"warn": "0"}, "First alert at", "greater than or equal to 1"),
        ({"bad": "101"}, "Second alert at", "less than or equal to 100"),
        ({"warn": "95", "bad": "95"}, "Second alert at", "Enter a number above the first alert (95)."),
        ({"warn": "96", "bad": "95"}, "Second alert at", "Enter a number above the first alert (96)."),
        ({"warn": "many"}, "First alert at", "Enter a whole number."),
        ({"warn": "80.5"}, "First alert at", "Enter a whole number."),
        ({"warn": ""}, "First alert at", "This field is required."),
        ({"bad": "-5"}, "Second alert at", "greater than or equal to 1"),
        ({"where": "fax"}, "Notify", "Select a valid choice."),
    ],
)
def test_a_mistake_is_said_at_its_field_and_changes_nothing(send, dana, make_environment, answers, field, sentence):
    environment = make_environment()
    soup = read(send(environment, dana, **({"where": "off", "warn": "80", "bad": "95"} | answers)), status=422)
    control = labelled(soup, field)
    assert control["aria-invalid"] == "true"
    assert sentence in words(control.find_parent(class_="field"))
    assert sentence in words(one(soup, "#errors"))
    environment.refresh_from_db()
    assert environment.alerts == "mail"
    assert not environment.events.filter(kind=Activity.ALERTS_CHANGED).exists()


def test_what_was_typed_is_not_lost(send, dana, make_environment):
    soup = read(send(make_environment(), dana, where="off", warn="96", bad="33"), status=422)
    assert one(labelled(soup, "Notify"), "option[selected]")["value"] == "off"
    assert (labelled(soup, "First alert at")["value"], labelled(soup, "Second alert at")["value"]) == ("96", "33")


def test_a_reader_is_refused_a_stranger_finds_nothing_and_nobody_changes_it_by_get(
    client, page, send, theo, max_manager, sam, ada, make_environment
):
    environment = make_environment(members={theo.email: Role.ADMIN})
    for user, status in ((theo, 403), (max_manager, 403), (sam, 404)):
        assert page(environment, user, "alerts/").status_code == status
        assert send(environment, user, where="off", warn="1", bad="2").status_code == status
    assert page(environment, ada, "alerts/?where=off&warn=1&bad=2").status_code == 200
    environment.refresh_from_db()
    assert (environment.alerts, environment.alert_warn) == ("mail", 80)
    assert send(environment, ada, where="off", warn="1", bad="2").status_code == 302


def test_an_environment_that_is_going_says_so(send, page, dana, make_environment):
    environment = make_environment(phase=Phase.DELETING)
    assert send(environment, dana, where="off", warn="80", bad="95").status_code == 302
    soup = read(page(environment, dana))
    assert words(one(soup, "main > .notice.error")) == "This environment is being deleted and can't be changed."


def test_the_environments_page_says_what_passed_and_what_will_be_told(page, dana, theo, make_environment):
    environment = make_environment(usage=FULL, alert_state=TOLD)
    alerts = one(read(page(environment, dana)), ".alerts")
    assert "Alerts sent: Memory requests over 95 % , Pods over 80 % ." in words(alerts)
    assert "Alerts: at 80 % and 95 %, in the portal and by email." in words(alerts)
    assert one(alerts, "a")["href"] == f"/environments/{environment.namespace}/alerts/"
    assert one(read(page(environment, theo)), ".alerts").find("a") is None


@pytest.mark.parametrize("phase", [Phase.DELETING, Phase.DELETED])
def test_what_is_on_its_way_out_has_no_alerts(page, dana, make_environment, phase):
    environment = make_environment(phase=phase, usage=FULL, alert_state=TOLD)
    assert read(page(environment, dana)).select(".alerts") == []
