"""A crossing is told once, and is not told again until it was left; nothing is lost or doubled by a crash."""

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import DatabaseError
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role
from environments.models import Environment, Event
from environments.models.environments import Alerts
from environments.routine import alerts, digests, notices, observe
from environments.routine.alerts import BAD, WARN, Choice, next_state
from environments.routine.usage.recording import fullest
from tests.arranging import pod, settle


@pytest.fixture(autouse=True)
def at_once(settings):
    """Without holding off, except where a test says so."""
    settings.ALERT_HOLD_SECONDS = 0


def level(percent: int, before: str = "", warn: int = 80, bad: int = 95) -> tuple[str, list[str]]:
    """The level of one resource at so many percent, and what was told of it."""
    state, crossings = next_state({"pods": [str(percent), "100"]}, {"pods": before} if before else {}, warn, bad)
    return state.get("pods", ""), [crossing.level for crossing in crossings]


@pytest.mark.parametrize(
    ("percent", "before", "after", "told"),
    [
        (0, "", "", []),
        (79, "", "", []),
        (80, "", WARN, [WARN]),
        (94, "", WARN, [WARN]),
        (95, "", BAD, [BAD]),  # both at once are told as one
        (100, "", BAD, [BAD]),
        (130, "", BAD, [BAD]),  # the quota was made smaller than what is there
        (80, WARN, WARN, []),
        (75, WARN, WARN, []),
        (74, WARN, "", []),
        (95, WARN, BAD, [BAD]),
        (90, BAD, BAD, []),
        (89, BAD, WARN, []),
        (75, BAD, WARN, []),
        (74, BAD, "", []),
    ],
)
def test_a_level_is_told_when_it_is_reached_and_left_five_points_below(percent, before, after, told):
    assert level(percent, before) == (after, told)


@pytest.mark.parametrize(
    ("percent", "before", "warn", "bad", "after"),
    [
        (91, BAD, 93, 95, BAD),
        (89, BAD, 93, 95, WARN),
        (87, WARN, 93, 95, ""),
        (1, WARN, 1, 2, WARN),
        (0, WARN, 1, 2, ""),  # an empty quota is never nearly full
        (0, BAD, 4, 5, ""),
        (99, "", 99, 100, WARN),
    ],
)
def test_thresholds_may_be_close_together_and_at_the_ends(percent, before, warn, bad, after):
    assert level(percent, before, warn, bad)[0] == after


@pytest.mark.parametrize(
    ("figures", "before", "after", "told"),
    [
        ({"pods": ["0", "0"]}, {}, {}, 0),
        ({"pods": ["1", "0"]}, {}, {"pods": BAD}, 1),
        ({}, {"pods": BAD}, {}, 0),  # the quota names it no longer
        ({"pods": ["20", "40"]}, {"pods": BAD}, {}, 0),  # the quota was raised
        ({"pods": ["many", "40"]}, {"pods": WARN}, {"pods": WARN}, 0),  # nothing is concluded from nonsense
        ({"pods": ["many", "40"]}, {}, {}, 0),
        ({"requests.memory": ["1946Mi", "2Gi"], "requests.cpu": ["800m", "1"]}, {}, None, 2),
    ],
)
def test_what_becomes_of_figures_of_all_kinds(figures, before, after, told):
    state, crossings = next_state(figures, before, 80, 95)
    assert len(crossings) == told
    if after is not None:
        assert state == after


def test_the_fullest_is_told_first_in_units_people_read():
    figures = {"requests.cpu": ["800m", "1"], "requests.memory": ["1966Mi", "2Gi"], "pods": ["1", "50"]}
    _, crossings = next_state(figures, {}, 80, 95)
    assert [(one.name, one.level, one.percent, one.figures) for one in crossings] == [
        ("Memory requests", BAD, 95, "1.92 GiB of 2 GiB"),
        ("CPU requests", WARN, 80, "800m of 1 core"),
    ]


percents = st.lists(st.integers(0, 120), max_size=40)
thresholds = st.integers(1, 99).flatmap(lambda warn: st.tuples(st.just(warn), st.integers(warn + 1, 100)))
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@unhurried
@given(percents, thresholds)
def test_told_is_each_rise_and_nothing_else(series, thresholds):
    warn, bad = thresholds
    rank = {"": 0, WARN: 1, BAD: 2}
    before = ""
    for percent in series:
        after, told = level(percent, before, warn, bad)
        assert told == ([after] if rank[after] > rank[before] else [])
        assert after != BAD or percent >= bad - alerts.HYSTERESIS
        assert after or percent < warn
        assert after == BAD or percent < bad
        before = after


@unhurried
@given(percents, thresholds)
def test_the_same_figures_again_say_nothing_new(series, thresholds):
    before = ""
    for percent in series:
        before, _ = level(percent, before, *thresholds)
        assert level(percent, before, *thresholds) == (before, [])


@unhurried
@given(st.integers(80, 95), st.lists(st.integers(-4, 4), max_size=40))
def test_a_figure_that_sways_around_a_threshold_is_told_once(threshold, steps):
    before, told = level(threshold, "", threshold, 100)
    for step in steps:
        before, more = level(threshold + step, before, threshold, 100) if threshold + step < 100 else (before, [])
        told += more
    assert told == [WARN]


# What is stored and sent


FULL = {"requests.memory": ["1966Mi", "2Gi"], "pods": ["42", "50"], "requests.cpu": ["100m", "1"]}


def look(environment: Environment, usage: dict[str, list[str]]) -> None:
    """A pass that found these figures."""
    row = Environment.objects.get(pk=environment.pk)
    row.usage, row.fullest = usage, fullest(usage)
    row.save(update_fields=["usage", "fullest"])
    alerts.check([row])


def send_due() -> None:
    """Send everything that is due, as the tasks would."""
    now = timezone.now()
    for letter in digests.due(now):
        digests.send(letter, now)


def told(environment: Environment) -> list[Event]:
    return list(environment.events.filter(kind=Activity.QUOTA_NEARLY_FULL).order_by("id"))


def test_everything_that_crossed_in_one_pass_is_one_event(make_environment):
    environment = make_environment()
    look(environment, FULL)
    look(environment, FULL)
    (event,) = told(environment)
    assert event.message == ("Memory requests are at 95 % of the quota (1.92 GiB of 2 GiB), Pods at 84 % (42 of 50).")
    assert (event.actor, event.tone, event.notice_owed) == (None, "bad", True)
    environment.refresh_from_db()
    assert environment.alert_state == {"requests.memory": "bad", "pods": "warn"}


def test_it_is_told_again_once_it_was_left_and_passed_anew(make_environment):
    environment = make_environment()
    for used in ("40", "41", "39", "37", "40", "48", "46", "48", "5", "48"):
        look(environment, {"pods": [used, "50"]})
    assert [event.data["crossings"][0]["used"] for event in told(environment)] == ["40", "40", "48", "48"]


@pytest.mark.parametrize(("where", "events", "owed"), [(Alerts.MAIL, 1, 1), (Alerts.PORTAL, 1, 0), (Alerts.OFF, 0, 0)])
def test_the_owner_chooses_where_it_is_told(make_environment, where, events, owed):
    environment = make_environment(alerts=where)
    look(environment, FULL)
    assert [event.notice_owed for event in told(environment)] == [True] * owed + [False] * (events - owed)


def test_the_owner_chooses_when_it_is_told(make_environment):
    environment = make_environment(alert_warn=10, alert_bad=98)
    look(environment, FULL)
    environment.refresh_from_db()
    assert environment.alert_state == {"pods": "warn", "requests.cpu": "warn", "requests.memory": "warn"}


def test_a_pass_costs_the_same_for_one_crossing_and_for_many(make_environment, django_assert_num_queries):
    rows = [make_environment(name=f"n{number}", usage=FULL) for number in range(20)]
    rows = list(Environment.objects.filter(pk__in=[row.pk for row in rows]))
    with django_assert_num_queries(5):  # a savepoint and its release around three
        alerts.check(rows[:1])
    with django_assert_num_queries(5):
        alerts.check(rows[1:])
    with django_assert_num_queries(0):
        alerts.check(rows)
    assert Event.objects.filter(kind=Activity.QUOTA_NEARLY_FULL).count() == 20


def test_most_passes_find_nothing_to_tell_and_ask_nothing(make_environment, django_assert_num_queries, monkeypatch):
    environment = make_environment(usage={"pods": ["39", "50"]})
    monkeypatch.setattr(alerts, "next_state", lambda *_: pytest.fail("its fullest resource says enough"))
    with django_assert_num_queries(0):
        alerts.check([environment])


def test_two_passes_at_once_tell_it_once(make_environment):
    environment = make_environment(usage=FULL)
    first, second = (Environment.objects.get(pk=environment.pk) for _ in range(2))
    alerts.check([first])
    alerts.check([second])
    assert len(told(environment)) == 1


@pytest.mark.parametrize("model", ["Environment", "Event"])
def test_a_worker_that_dies_between_state_and_event_has_told_nothing_and_the_next_pass_tells_it(
    make_environment, monkeypatch, model
):
    environment = make_environment(usage=FULL)

    def die(*arguments, **keywords):
        raise DatabaseError("the connection is gone")

    with monkeypatch.context() as patch:
        manager = getattr(alerts, model).objects
        patch.setattr(type(manager), "bulk_create" if model == "Event" else "bulk_update", die)
        with pytest.raises(DatabaseError):
            alerts.check([Environment.objects.get(pk=environment.pk)])
    environment.refresh_from_db()
    assert (told(environment), environment.alert_state) == ([], {})
    alerts.check([environment])
    assert len(told(environment)) == 1


def test_what_is_being_deleted_is_no_longer_told(make_environment):
    environment = make_environment(usage=FULL)
    Environment.objects.filter(pk=environment.pk).update(wanted=False, phase=Phase.DELETING)
    alerts.check([environment])
    assert told(environment) == []


def test_one_message_a_person_names_everything_and_says_what_to_do(make_environment, theo, max_manager):
    roles = {theo.email: Role.ADMIN, max_manager.email: Role.DEVELOPER, "left@example.com": Role.ADMIN}
    environment = make_environment(name="R&D <refunds>", members=roles)
    environment.members.filter(email="left@example.com").update(wanted=False)
    look(environment, FULL)
    (event,) = told(environment)
    notices.deliver(event.pk)
    notices.deliver(event.pk)
    send_due()
    send_due()
    message, another = mail.outbox
    assert [(each.to, each.bcc) for each in mail.outbox] == [(["dana@example.com"], []), (["theo@example.com"], [])]
    assert message.body == another.body
    assert message.subject == "[Allotment] R&D <refunds>: Memory requests are at 95 % of the quota, and 1 more"
    assert "Memory requests: 95 %, 1.92 GiB of 2 GiB\n" in message.body
    assert "Pods: 84 %, 42 of 50\n" in message.body
    assert "resources.requests" in message.body
    assert f"/environments/{environment.namespace}/alerts/" in message.body
    assert "\n\n\n" not in message.body.strip()


@pytest.mark.parametrize(
    ("resource", "says"),
    [
        ("requests.cpu", "resources.requests"),
        ("limits.memory", "resources.limits"),
        ("cpu", "resources.requests"),
        ("requests.storage", "volume claim"),
        ("gold.storageclass.storage.k8s.io/requests.storage", "volume claim"),
        ("gold.storageclass.storage.k8s.io/persistentvolumeclaims", "volume claim"),
        ("persistentvolumeclaims", "volume claim"),
        ("requests.ephemeral-storage", "resources.requests"),
        ("hugepages-2Mi", "resources.requests"),
        ("requests.nvidia.com/gpu", "until it has finished"),
        ("pods", "Scale down"),
        ("count/jobs.batch", "ttlSecondsAfterFinished"),
        ("services", "no longer need"),
    ],
)
def test_the_hint_suits_the_resource(resource, says):
    assert says in alerts.hint(resource)


# What the owner chooses


def test_a_change_is_recorded_with_both_choices(make_environment, dana):
    environment = make_environment()
    alerts.configure(environment, dana, Choice("portal", 70, 90))
    event = environment.events.get(kind=Activity.ALERTS_CHANGED)
    assert event.actor == dana
    assert event.message == (
        "Dana Example changed the alerts: at 70 % and 90 %, in the portal only "
        "(before: at 80 % and 95 %, in the portal and by email)."
    )
    assert event.data == {
        "from": {"where": "mail", "warn": 80, "bad": 95},
        "to": {"where": "portal", "warn": 70, "bad": 90},
    }


def test_the_same_choice_again_is_no_change(make_environment, dana):
    environment = make_environment()
    alerts.configure(environment, dana, Choice("mail", 80, 95))
    assert not environment.events.filter(kind=Activity.ALERTS_CHANGED).exists()


def test_two_changes_from_one_page_are_not_mixed(make_environment, dana):
    environment = make_environment()
    stale = Environment.objects.get(pk=environment.pk)
    alerts.configure(environment, dana, Choice("off", 80, 95))
    with pytest.raises(ValidationError, match="Someone else changed the alerts"):
        alerts.configure(stale, dana, Choice("portal", 80, 95))
    environment.refresh_from_db()
    assert environment.alerts == "off"


@pytest.mark.parametrize(
    ("choice", "state", "again"),
    [
        (Choice("off", 80, 95), {}, []),
        (Choice("mail", 80, 98), {"pods": "warn", "requests.memory": "warn"}, []),
        (Choice("mail", 90, 98), {"requests.memory": "warn"}, []),
        (Choice("mail", 5, 84), {"pods": "warn", "requests.memory": "bad"}, ["pods", "requests.cpu"]),
    ],
)
def test_after_other_thresholds_only_what_they_make_new_is_told(make_environment, dana, choice, state, again):
    environment = make_environment()
    look(environment, FULL)
    environment.refresh_from_db()
    alerts.configure(environment, dana, choice)
    environment.refresh_from_db()
    assert environment.alert_state == state
    look(environment, FULL)
    assert [one["resource"] for event in told(environment)[1:] for one in event.data["crossings"]] == again


def test_switched_off_and_on_everything_is_told_anew(make_environment, dana):
    environment = make_environment()
    look(environment, FULL)
    for where in ("off", "portal"):
        environment.refresh_from_db()
        alerts.configure(environment, dana, Choice(where, 80, 95))
        look(environment, FULL)
    assert [event.notice_owed for event in told(environment)] == [True, False]


def test_a_real_pass_tells_it(ask, admin, place):
    environment = settle(ask())
    admin.create(pod(environment.namespace, "950m"))
    observe.observe(place.pk)
    observe.observe(place.pk)
    (event,) = told(environment)
    figures = "95 % {}(950m of 1 core)"
    first, second = figures.format("of the quota "), figures.format("")
    assert event.message == f"CPU requests are at {first}, CPU limits at {second}."
