"""Emails that wait: one email a person, each event once, whatever crashes; and people get what they chose."""

from datetime import UTC, datetime, timedelta
from smtplib import SMTPServerDisconnected

import pytest
import time_machine
from django.core import mail
from django.core.mail import EmailMessage
from django.db import DatabaseError

from environments import tasks
from environments.actions import emails
from environments.lib.activity import Activity
from environments.lib.emails import Timing, Topic
from environments.lib.phases import Phase, Role
from environments.models import Environment, Event, Letter, Member, clock
from environments.routine import digests, notices

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 29, 10, 30, tzinfo=UTC)
CROSSING = {"resource": "pods", "level": "warn", "used": "42", "hard": "50"}
DAILY = datetime(2026, 11, 30, 7, tzinfo=UTC)


@pytest.fixture(autouse=True)
def traveller():
    with time_machine.travel(NOW, tick=False) as moving:
        yield moving


@pytest.fixture(autouse=True)
def work_at_once(enqueued):
    enqueued.at_once |= {tasks.deliver_notices.name, tasks.send_letter.name}


def alert(environment: Environment, **more) -> Event:
    data = {"crossings": [CROSSING | more], "thresholds": {"warn": 80, "bad": 95}}
    return Event.record(environment, None, Activity.QUOTA_NEARLY_FULL, "Pods are at 84 %.", data)


def work() -> None:
    """What beat starts."""
    tasks.sweep()
    tasks.send_letters()


def waiting_letters() -> int:
    return Letter.objects.filter(sent_at=None).count()


def to() -> list[str]:
    return sorted(message.to[0] for message in mail.outbox)


def tried(ago: timedelta) -> None:
    """The last try was so long ago by the database's clock, which does not travel."""
    Letter.objects.update(tried_at=clock.database_now() - ago)


class TestAlerts:
    def test_of_several_environments_are_one_email_a_person(self, make_environment, theo):
        for name in ("Checkout", "Basket", "Search"):
            alert(make_environment(name=name, members={theo.email: Role.ADMIN}))
        work()
        work()
        assert to() == ["dana@example.com", "theo@example.com"]
        assert {message.subject for message in mail.outbox} == {"[Allotment] Quotas nearly full in 3 environments"}
        body = mail.outbox[0].body
        assert body.index("Basket") < body.index("Checkout") < body.index("Search")
        assert body.count("- Pods above 80 % (29 November 2026, 10:30 UTC): 84 % of the quota: 42 of 50.") == 3
        assert "\n\n\n" not in body.strip()

    def test_of_one_environment_repeated_are_one_line(self, make_environment, traveller):
        environment = make_environment(name="Checkout")
        for hour in range(3):
            traveller.move_to(NOW + timedelta(hours=hour))
            alert(environment, used=str(42 + hour))
        work()
        (message,) = mail.outbox
        assert message.subject == "[Allotment] Quotas nearly full in environment Checkout"
        assert "- Pods above 80 %, 3 times since 10:30 (29 November 2026, 12:30 UTC): 88 % of the quota" in message.body

    @pytest.mark.parametrize("change", [{"wanted": False}, {"alerts": "portal"}])
    def test_are_not_sent_about_what_is_over_or_turned_off(self, make_environment, change):
        environment = make_environment()
        event = alert(environment)
        notices.deliver(event.pk)
        Environment.objects.filter(pk=environment.pk).update(**change)
        tasks.send_letters()
        assert (mail.outbox, waiting_letters()) == ([], 0)

    def test_come_at_most_once_an_hour_to_one_person(self, make_environment, traveller):
        alert(make_environment(name="First"))
        work()
        for minute in (10, 20):
            traveller.move_to(NOW + timedelta(minutes=minute))
            alert(make_environment(name=f"Minute {minute}"))
            work()
        assert len(mail.outbox) == 1
        traveller.move_to(NOW + timedelta(minutes=60))
        work()
        assert [message.subject for message in mail.outbox[1:]] == ["[Allotment] Quotas nearly full in 2 environments"]

    def test_about_the_second_threshold_come_at_once_with_those_that_were_waiting(self, make_environment, traveller):
        alert(make_environment(name="First"))
        work()
        traveller.move_to(NOW + timedelta(minutes=10))
        alert(make_environment(name="Second"))
        work()
        bad = alert(make_environment(name="Third"), level="bad", used="50")
        Event.objects.filter(pk=bad.pk).update(tone="bad")
        work()
        assert len(mail.outbox) == 2
        assert mail.outbox[1].subject == "[Allotment] Quotas nearly full in 2 environments"
        assert waiting_letters() == 0


def test_letters_are_forgotten_two_days_after_they_were_sent(make_environment, traveller):
    alert(make_environment())
    work()
    for days, left in ((1.9, 1), (2.1, 0)):
        traveller.move_to(NOW + timedelta(days=days))
        work()
        assert Letter.objects.count() == left


class TestChoices:
    @pytest.mark.parametrize(
        ("timing", "at_once", "next_day"), [(Timing.NOW, 1, 0), (Timing.DAILY, 0, 1), (Timing.OFF, 0, 0)]
    )
    def test_are_kept_for_each_topic(self, make_environment, dana, traveller, timing, at_once, next_day):
        emails.choose(dana, {Topic.STATE: timing})
        Event.record(make_environment(), None, Activity.READY, "Ready.")
        work()
        assert len(mail.outbox) == at_once
        mail.outbox.clear()
        for moment in (DAILY - timedelta(minutes=1), DAILY, DAILY + timedelta(minutes=1), DAILY + timedelta(days=1)):
            traveller.move_to(moment)
            work()
        assert len(mail.outbox) == next_day

    def test_of_one_person_change_nothing_for_the_others(self, make_environment, dana, theo):
        emails.choose(dana, {Topic.STATE: Timing.DAILY})
        Event.record(make_environment(members={theo.email: Role.VIEWER}), None, Activity.READY, "Ready.")
        work()
        assert to() == [theo.email]

    def test_of_people_without_an_account_are_at_once(self, make_environment, dana):
        emails.choose(dana, {Topic.STATE: Timing.OFF})
        environment = make_environment(members={"new@example.com": Role.VIEWER})
        Event.record(environment, None, Activity.READY, "Ready.")
        work()
        assert to() == ["new@example.com"]

    def test_turned_off_take_back_what_was_waiting(self, make_environment, dana, traveller):
        emails.choose(dana, {Topic.STATE: Timing.DAILY, Topic.ENDS: Timing.DAILY})
        for kind in (Activity.READY, Activity.DELETED):
            Event.record(make_environment(), None, kind, "So.")
        work()
        emails.choose(dana, {Topic.STATE: Timing.OFF})
        assert Letter.objects.get().event.kind == Activity.DELETED

    def test_of_a_stored_value_that_is_not_allowed_are_at_once(self, make_environment, max_manager):
        max_manager.email_choices = {"decisions": "off"}
        max_manager.save()
        waiting = make_environment(phase=Phase.AWAITING_APPROVAL, requested_at=NOW)
        Event.record(waiting, waiting.owner, Activity.REQUESTED, "Requested.")
        work()
        assert to() == [max_manager.email]


class TestDaily:
    @pytest.fixture
    def waiting(self, make_environment, dana):
        """Two letters to Dana."""
        emails.choose(dana, dict.fromkeys((Topic.STATE, Topic.ENDS), Timing.DAILY))
        first, second = make_environment(name="Checkout"), make_environment(name="Basket")
        Event.record(first, None, Activity.FAILED, "Namespace: it is taken.")
        Event.record(second, None, Activity.DELETED, "The namespace was deleted.")
        work()
        assert (mail.outbox, waiting_letters()) == ([], 2)

    def test_is_one_email_about_everything_with_a_link_to_each(self, waiting, traveller, settings):
        settings.PORTAL_URL = "https://portal.example.com"
        traveller.move_to(DAILY)
        work()
        (message,) = mail.outbox
        assert message.subject == "[Allotment] News from 2 environments"
        assert "- Failed (29 November 2026, 10:30 UTC): Namespace: it is taken." in message.body
        assert message.body.count("https://portal.example.com/environments/dana-") == 2
        assert "https://portal.example.com/emails/" in message.body
        assert message.extra_headers["List-Unsubscribe"] == "<https://portal.example.com/emails/>"

    @pytest.mark.parametrize(
        ("now", "then"),
        [
            (datetime(2026, 11, 29, 6, 59, tzinfo=UTC), datetime(2026, 11, 29, 7, tzinfo=UTC)),
            (datetime(2026, 11, 29, 7, tzinfo=UTC), DAILY),
            (datetime(2026, 12, 31, 23, tzinfo=UTC), datetime(2027, 1, 1, 7, tzinfo=UTC)),
        ],
    )
    def test_comes_at_the_next_hour_of_the_setting(self, now, then):
        assert digests.next_daily(now) == then

    def test_is_sent_by_one_worker_only(self, waiting, traveller, monkeypatch):
        traveller.move_to(DAILY)
        letters = list(Letter.objects.values_list("pk", flat=True))
        send = EmailMessage.send

        def slow(message, *arguments, **more):
            for letter in letters:
                digests.send(letter, DAILY)  # another worker, meanwhile
            return send(message, *arguments, **more)

        monkeypatch.setattr(EmailMessage, "send", slow)
        tasks.send_letters()
        assert len(mail.outbox) == 1

    def test_is_tried_again_after_a_while_if_the_mail_server_is_away(self, waiting, traveller, monkeypatch):
        traveller.move_to(DAILY)
        with monkeypatch.context() as patch:
            patch.setattr(EmailMessage, "send", refuse)
            with pytest.raises(SMTPServerDisconnected):
                tasks.send_letter(Letter.objects.first().pk)
        tasks.send_letters()
        assert mail.outbox == []
        tried(digests.TRY_AGAIN + timedelta(seconds=1))
        tasks.send_letters()
        assert (len(mail.outbox), waiting_letters()) == (1, 0)

    def test_of_a_worker_that_dies_before_the_event_is_marked_keeps_nothing_twice(
        self, make_environment, dana, monkeypatch
    ):
        emails.choose(dana, {Topic.STATE: Timing.DAILY})
        event = Event.record(make_environment(), None, Activity.READY, "Ready.")

        def die(*_):
            raise DatabaseError("the connection is gone")

        with monkeypatch.context() as patch:
            patch.setattr(digests, "keep", die)
            with pytest.raises(DatabaseError):
                notices.deliver(event.pk)
        event.refresh_from_db()
        assert (event.notice_owed, waiting_letters()) == (True, 0)
        notices.deliver(event.pk)
        notices.deliver(event.pk)
        assert waiting_letters() == 1

    def test_leaves_out_environments_that_the_person_lost_in_between(self, waiting, traveller, theo):
        Environment.objects.update(owner=theo)
        Member.objects.all().delete()
        traveller.move_to(DAILY)
        work()
        assert (mail.outbox, waiting_letters()) == ([], 0)

    def test_names_a_request_that_was_decided_before_no_longer(self, make_environment, max_manager, traveller):
        emails.choose(max_manager, {Topic.DECISIONS: Timing.DAILY})
        requests = [make_environment(phase=Phase.AWAITING_APPROVAL, requested_at=NOW, name=f"R{n}") for n in range(2)]
        for each in requests:
            Event.record(each, each.owner, Activity.REQUESTED, "Requested.")
        work()
        Environment.objects.filter(pk=requests[0].pk).move_to(Phase.WITHDRAWN)
        traveller.move_to(DAILY)
        work()
        (message,) = mail.outbox
        assert message.subject == "[Allotment] Request for R1 is waiting for your approval"


def refuse(*_):
    raise SMTPServerDisconnected("away")
