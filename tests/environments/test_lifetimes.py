"""Nothing ends unannounced, and nothing is announced twice."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from django.core import mail
from django.core.exceptions import ValidationError
from django.utils import timezone

from environments import actions, tasks
from environments.actions import emails
from environments.lib.activity import Activity
from environments.lib.emails import Timing, Topic
from environments.lib.phases import Phase, Role
from environments.management.commands import import_templates
from environments.models import Environment
from environments.routine import lifetimes
from environments.spec import Extension
from tests.arranging import settle

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def lived(total: float, left: float, said: int | None = None, said_at: datetime | None = None) -> Environment:
    """An environment of so many days, with so many left."""
    ends = NOW + left * DAY
    return Environment(created_at=ends - total * DAY, ends_at=ends, noticed_days=said, noticed_at=said_at)


@pytest.mark.parametrize(
    ("total", "left", "said", "due"),
    [
        (90, 8, None, None),
        (90, 7, None, 7),
        (90, 6.9, 7, None),
        (90, 3, 7, 3),
        (90, 2, None, 3),
        (90, 0.5, 3, 1),
        (90, 0.5, 1, None),
        (90, -2, None, 1),
        (3, 2.9, None, None),
        (3, 1, None, 1),
        (1, 0.5, None, None),
    ],
)
def test_the_notice_that_is_due_follows_from_what_is_left_and_what_was_said(total, left, said, due):
    assert lifetimes.notice_due(lived(total, left, said), NOW) == due


@pytest.mark.parametrize(
    ("total", "left", "said_ago", "ends"),
    [
        (90, 0.1, 2, False),
        (90, -0.1, 2, True),
        (90, -5, None, False),  # nobody was told: told now, and not ended before a day has passed
        (90, -5, 0.5, False),
        (90, -5, 1, True),
        (1, -0.1, None, True),  # too short-lived for a notice
    ],
)
def test_an_environment_ends_only_when_it_was_announced_a_day_before(total, left, said_ago, ends):
    said_at = None if said_ago is None else NOW - said_ago * DAY
    assert lifetimes.may_end(lived(total, left, 1 if said_at else None, said_at), NOW) is ends


def test_without_an_end_there_is_neither_notice_nor_end():
    forever = Environment(created_at=NOW - 900 * DAY, ends_at=None)
    assert lifetimes.notice_due(forever, NOW) is None
    assert lifetimes.may_end(forever, NOW) is False


def ending(environment: Environment, left: timedelta) -> None:
    ends = datetime.now(UTC) + left
    Environment.objects.filter(pk=environment.pk).update(ends_at=ends, created_at=ends - 90 * DAY)


def test_several_environments_of_one_owner_are_one_message_sent_once(ask):
    first, second, later = ask("one"), ask("two"), ask("later")
    ending(first, 2 * DAY)
    ending(second, 6 * DAY)
    ending(later, 30 * DAY)
    tasks.end_environments()
    (message,) = mail.outbox
    assert message.to == ["dana@example.com"]
    assert "2 of your environments expire soon" in message.subject
    assert message.body.index("one expires on") < message.body.index("two expires on")
    assert "later" not in message.body
    tasks.end_environments()
    assert len(mail.outbox) == 1
    assert set(Environment.objects.values_list("name", "noticed_days")) == {("one", 3), ("two", 7), ("later", None)}


def test_what_is_over_is_removed_as_if_its_owner_had_deleted_it(ask, admin):
    environment = settle(ask())
    ending(environment, -1 * DAY)
    tasks.end_environments()
    environment.refresh_from_db()
    assert environment.wanted  # announced only now
    Environment.objects.filter(pk=environment.pk).update(noticed_at=datetime.now(UTC) - 2 * DAY)
    tasks.end_environments()
    assert settle(environment).phase == Phase.DELETED
    assert admin.get("Namespace", environment.namespace) is None
    assert environment.events.filter(kind=Activity.EXPIRED, actor=None).count() == 1


@pytest.mark.parametrize(
    ("extension", "extensions", "days"),
    [
        ({}, 0, 30),
        ({"times": 2}, 1, 30),
        ({"times": 2}, 2, None),
        ({"times": 0}, 0, None),
        ({"maximum_days": 45}, 0, 20),  # 25 days have passed
        ({"maximum_days": 30}, 0, None),
        ({"maximum_days": 60, "times": 9}, 3, 30),
    ],
)
def test_an_extension_lasts_the_initial_days_from_today_up_to_the_maximum(extension, extensions, days):
    later = Extension(**extension).after(30, NOW - 25 * DAY, NOW + 5 * DAY, extensions, NOW)
    assert later == (None if days is None else NOW + days * DAY)


@pytest.mark.parametrize(
    ("days", "left", "offered"),
    [(90, 14.1, False), (90, 13.9, True), (90, -0.5, True), (14, 7.1, False), (14, 6.9, True), (1, 0.4, True)],
)
def test_an_extension_is_offered_in_the_last_two_weeks_or_the_second_half(days, left, offered):
    later = Extension().after(days, NOW - 90 * DAY, NOW + left * DAY, 0, NOW)
    assert (later is not None) is offered
    if later:
        assert timedelta(0) <= NOW + days * DAY - later < timedelta(hours=1)


def test_five_clicks_in_a_row_are_one_extension(ask):
    environment = ask()
    ending(environment, 5 * DAY)
    for _ in range(5):
        with suppress(ValidationError):
            actions.extend_environment(Environment.objects.get(), environment.owner)
    environment.refresh_from_db()
    assert environment.extensions == 1
    assert environment.ends_at <= datetime.now(UTC) + 90 * DAY


def test_a_page_from_this_morning_still_extends_and_one_from_last_week_does_not(ask):
    environment = ask()
    ending(environment, 10 * DAY)
    environment.refresh_from_db()
    until = environment.extended_end()
    with pytest.raises(ValidationError, match="The end date has changed"):
        actions.extend_environment(environment, environment.owner, until=until - 7 * DAY)
    actions.extend_environment(environment, environment.owner, until=until - timedelta(hours=6))
    environment.refresh_from_db()
    assert environment.ends_at == until - timedelta(hours=6)


def test_every_shipped_template_has_a_longest_total_lifetime():
    seeds = [yaml.safe_load(path.read_text())["spec"] for path in sorted(import_templates.SEEDS.glob("*.yaml"))]
    assert len(seeds) == 4
    assert all(spec["extension"]["maximum_days"] > spec["lifetime_days"] for spec in seeds)


def test_an_owner_extends_and_the_notices_begin_anew(ask):
    environment = ask()
    ending(environment, 2 * DAY)
    tasks.end_environments()
    environment.refresh_from_db()
    in_ninety_days = datetime.now(UTC) + 90 * DAY
    actions.extend_environment(environment, environment.owner)
    stale = Environment.objects.get(pk=environment.pk)
    actions.extend_environment(environment, environment.owner, until=stale.ends_at)  # the same click again
    environment.refresh_from_db()
    assert environment.ends_at == stale.ends_at
    assert timedelta(0) <= in_ninety_days - environment.ends_at < timedelta(hours=1)
    assert (environment.extensions, environment.noticed_days) == (1, None)
    assert environment.events.filter(kind=Activity.EXTENDED).count() == 1


def test_what_cannot_be_extended_says_so(ask):
    environment = ask()
    environment.spec = environment.spec | {"extension": {"times": 0}}
    with pytest.raises(ValidationError, match="cannot be extended"):
        actions.extend_environment(environment, environment.owner)


class TestTheOtherMembers:
    """They get an email with the last notice, at once, so that there is time to save something."""

    @pytest.fixture
    def expiring(self, make_environment, theo, enqueued):
        enqueued.at_once.add(tasks.deliver_notices.name)
        members = {theo.email: Role.VIEWER}

        def make(left: float, **more):
            now = timezone.now()
            times = {"created_at": now - 60 * DAY, "ends_at": now + left * DAY}
            return make_environment(name="Checkout", members=members, **times, **more)

        return make

    @pytest.mark.parametrize(("left", "to"), [(6.9, []), (2.9, []), (0.9, ["theo@example.com"])])
    def test_are_emailed_once_with_the_last_notice(self, expiring, left, to):
        environment = expiring(left)
        for _ in range(2):
            tasks.end_environments()
            tasks.sweep()
        assert [message.to for message in mail.outbox] == [["dana@example.com"], *([each] for each in to)]
        assert environment.events.filter(kind=Activity.EXPIRES_SOON).count() == len(to)
        if to:
            assert mail.outbox[1].subject == "[Allotment] Environment Checkout expires soon"
            assert "ask its owner to extend it: dana@example.com" in mail.outbox[1].body

    @pytest.mark.parametrize(("timing", "emails_sent"), [(Timing.NOW, 1), (Timing.DAILY, 1), (Timing.OFF, 0)])
    def test_do_not_wait_for_the_daily_email_and_may_turn_it_off(self, expiring, theo, timing, emails_sent):
        emails.choose(theo, {Topic.ENDS: timing})
        expiring(0.9)
        tasks.end_environments()
        tasks.sweep()
        assert [message.to for message in mail.outbox[1:]] == [[theo.email]] * emails_sent

    def test_are_not_emailed_about_what_was_extended_before(self, expiring):
        environment = expiring(0.9)
        tasks.end_environments()
        Environment.objects.filter(pk=environment.pk).update(noticed_days=None)
        tasks.sweep()
        assert [message.to for message in mail.outbox] == [["dana@example.com"]]
