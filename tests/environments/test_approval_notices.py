"""E-mails about approvals: to those who decide, again while it waits, and to whoever asked."""

from datetime import timedelta
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPServerDisconnected

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.utils import timezone

from environments import actions, tasks
from environments.actions import approvals, deciders, questions
from environments.lib.activity import Activity
from environments.models import Cluster, Environment, Event, User
from environments.routine import notices
from tests.makers import person

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MAX = "max@example.com"


@pytest.fixture(autouse=True)
def delivered_at_once(enqueued):
    enqueued.at_once.add(tasks.deliver_notices.name)


@pytest.fixture
def waiting(request_large, max_manager, ada):
    """A request of which everybody was told, so many days ago."""

    def ask(days=0, **more):
        environment = request_large(**more)
        tasks.sweep()
        mail.outbox.clear()
        told = timezone.now() - days * DAY
        Environment.objects.filter(pk=environment.pk).update(deciders_told_at=told, requested_at=told)
        environment.refresh_from_db()
        return environment

    return ask


def to() -> list[list[str]]:
    return [sorted(message.recipients()) for message in mail.outbox]


class TestAsking:
    def test_goes_once_to_those_who_decide_with_what_they_need_to_know(self, request_large, max_manager, ada, settings):
        settings.PORTAL_URL = "https://portal.example.com"
        environment = request_large(purpose="Search ranking")
        tasks.sweep()
        tasks.sweep()
        (message,) = mail.outbox
        assert message.to == [MAX]
        assert message.subject.endswith("] Request for Ranking is waiting for your approval")
        for words in (
            "Ranking, by Dana Example for team Checkout",
            "Namespace, Large, on Amsterdam",
            "Purpose: Search ranking",
            f"https://portal.example.com/environments/{environment.namespace}/",
            "https://portal.example.com/approvals/",
            "every 2 days",
        ):
            assert words in message.body, words

    def test_goes_to_platform_admins_where_no_manager_is(self, request_large, max_manager, ada):
        request_large(team=None)
        tasks.sweep()
        assert to() == [["ada@example.com"]]

    def test_is_not_lost_with_a_mail_server_that_is_away(self, request_large, max_manager, monkeypatch):
        request_large()
        with monkeypatch.context() as patch:
            patch.setattr(EmailMessage, "send", refuse)
            tasks.sweep()
        assert Event.objects.filter(notice_owed=True).count() == 1
        tasks.sweep()
        assert to() == [[MAX]]

    @pytest.mark.parametrize("error", [SMTPDataError(550, b"no"), ValueError("a mistake of ours")])
    def test_one_that_cannot_be_sent_holds_up_no_other(self, request_large, max_manager, dana, monkeypatch, error):
        events = [
            Event.record(request_large(), None, Activity.FAILED, word, notice_owed=True) for word in ("bad", "good")
        ]
        Event.objects.filter(kind=Activity.REQUESTED).update(notice_owed=False)
        send = EmailMessage.send

        def refusing(message):
            if "bad" in message.body:
                raise error
            return send(message)

        monkeypatch.setattr(EmailMessage, "send", refusing)
        with pytest.raises(type(error)):
            tasks.deliver_notices([event.pk for event in events])
        assert to() == [["dana@example.com"]]
        assert list(Event.objects.filter(notice_owed=True)) == events[:1]

    def test_is_spared_where_it_was_decided_before(self, request_large, max_manager, ada):
        environment = request_large()
        approvals.reject(environment, ada, "No.")
        tasks.sweep()
        assert to() == [["dana@example.com"]]
        assert not Event.objects.filter(notice_owed=True).exists()


def refuse(*_):
    raise SMTPServerDisconnected("away")


class TestDeciding:
    @pytest.mark.parametrize(
        ("verb", "subject", "says"),
        [
            ("approve", "Request for Ranking was approved", "email you when it is ready"),
            ("reject", "Request for Ranking was rejected", "/catalog/namespace/request/?again=dana-ranking-"),
        ],
    )
    def test_is_told_to_whoever_asked_with_the_whole_note(self, waiting, max_manager, verb, subject, says):
        environment, note = waiting(), "because " * 60 + "of that"
        getattr(approvals, verb)(environment, max_manager, note)
        tasks.sweep()
        (message,) = mail.outbox
        assert message.recipients() == ["dana@example.com"]
        assert message.subject.endswith(subject)
        assert note in message.body
        assert "Max Example" in message.body.splitlines()[0]
        assert says in message.body

    def test_an_approval_may_go_without_a_note(self, waiting, max_manager):
        approvals.approve(waiting(), max_manager)
        tasks.sweep()
        assert "Max Example approved the request for “Ranking”.\n" in mail.outbox[0].body

    def test_nobody_is_written_to_about_what_they_withdrew_themselves(self, waiting, dana):
        actions.withdraw_request(waiting(), dana)
        tasks.sweep()
        assert mail.outbox == []

    @pytest.mark.parametrize("note", ["", "Use the shared one."])
    def test_whoever_asked_is_told_where_somebody_else_withdrew_it(self, waiting, ada, note):
        actions.withdraw_request(waiting(), ada, note)
        tasks.sweep()
        (message,) = mail.outbox
        assert message.recipients() == ["dana@example.com"]
        assert message.subject.endswith("Request for Ranking was withdrawn")
        assert "Ada Example withdrew the request for “Ranking”" in message.body
        assert note in message.body
        assert "/catalog/namespace/request/?again=dana-ranking-" in message.body

    def test_whoever_asked_is_told_where_the_portal_ended_it(self, waiting):
        waiting()
        Cluster.objects.update(lost_at=timezone.now())
        tasks.end_stranded()
        tasks.sweep()
        assert to() == [["dana@example.com"]]


class TestReminding:
    @pytest.fixture(autouse=True)
    def without_escalation(self, settings):
        settings.APPROVAL_ESCALATION_DAYS = 0  # TestEscalating is about it

    @pytest.mark.parametrize(("days", "reminded"), [(0, False), (1.9, False), (2.01, True), (9, True)])
    def test_comes_after_two_days_and_then_every_two(self, waiting, days, reminded):
        environment = waiting(days)
        tasks.remind_deciders()
        assert to() == ([[MAX]] if reminded else [])
        tasks.remind_deciders()
        assert len(mail.outbox) == int(reminded)
        assert environment.events.filter(kind=Activity.REMINDED).count() == int(reminded)
        notices.remind_deciders(timezone.now() + 2.01 * DAY)
        assert len(mail.outbox) == int(reminded) + 1

    def test_says_what_still_waits_and_is_in_the_history(self, waiting):
        environment = waiting(3)
        tasks.remind_deciders()
        assert mail.outbox[0].subject.endswith("] Request for Ranking is still waiting for your approval")
        message = "The portal reminded Max Example (manager of Checkout) to decide."
        assert environment.events.first().message == message

    def test_is_one_message_a_person_however_much_waits(self, waiting, team):
        team.managers.add(person("mia", "Mia", is_manager=True))
        for number, days in enumerate((1, 3, 5)):
            waiting(days, name=f"Request {number}")
        tasks.remind_deciders()
        assert to() == [[MAX], ["mia@example.com"]]
        assert mail.outbox[0].subject.endswith("] 3 requests are still waiting for your approval")
        order = [mail.outbox[0].body.index(f"Request {number}") for number in (2, 1, 0)]
        assert order == sorted(order)  # the longest waiting first
        notices.remind_deciders(timezone.now() + 1.5 * DAY)
        assert len(mail.outbox) == 2  # the youngest was told with the others

    def test_goes_to_whoever_decides_now(self, waiting, max_manager):
        waiting(3)
        User.objects.filter(pk=max_manager.pk).update(is_active=False)
        tasks.remind_deciders()
        assert to() == [["ada@example.com"]]

    def test_who_cannot_be_reached_holds_up_nobody_and_causes_no_storm(self, waiting, team, monkeypatch):
        team.managers.add(person("mia", "Mia", is_manager=True))
        waiting(3)
        send = EmailMessage.send

        def not_to_max(message, *arguments):
            if message.to == [MAX]:
                raise SMTPRecipientsRefused({MAX: (550, b"no such user")})
            return send(message, *arguments)

        monkeypatch.setattr(EmailMessage, "send", not_to_max)
        tasks.remind_deciders()
        tasks.remind_deciders()
        assert to() == [["mia@example.com"]]

    def test_is_tried_again_where_nobody_was_reached(self, waiting, monkeypatch):
        environment = waiting(3)
        with monkeypatch.context() as patch:
            patch.setattr(EmailMessage, "send", refuse)
            tasks.remind_deciders()
        assert not environment.events.filter(kind=Activity.REMINDED).exists()
        tasks.remind_deciders()
        assert to() == [[MAX]]

    def test_ends_with_the_decision_and_can_be_switched_off(self, waiting, max_manager, settings):
        environment = waiting(3)
        settings.APPROVAL_REMINDER_DAYS = 0
        tasks.remind_deciders()
        settings.APPROVAL_REMINDER_DAYS = 2
        approvals.approve(environment, max_manager)
        tasks.remind_deciders()
        assert mail.outbox == []

    def test_where_nobody_can_decide_nobody_is_written_to(self, request_large):
        environment = request_large()
        Environment.objects.update(deciders_told_at=timezone.now() - 3 * DAY)
        tasks.sweep()
        tasks.remind_deciders()
        assert mail.outbox == []
        assert deciders.of(environment).people == ()


class TestEscalating:
    @pytest.mark.parametrize(("days", "escalated"), [(4.9, False), (5.1, True)])
    def test_asks_platform_admins_once_after_five_days(self, waiting, ada, days, escalated):
        environment = waiting(days)
        Environment.objects.update(deciders_told_at=timezone.now())
        tasks.remind_deciders()
        tasks.remind_deciders()
        tasks.sweep()
        environment.refresh_from_db()
        assert bool(environment.escalated_at) is escalated
        assert to() == ([["ada@example.com"]] if escalated else [])
        if escalated:
            message = mail.outbox[0]
            assert message.subject.endswith("] Request for Ranking is waiting for your approval (escalated)")
            assert "have not decided within 5 days" in message.body
            event = environment.events.get(kind=Activity.ESCALATED)
            assert event.message == (
                "Max Example (manager of Checkout) did not decide within 5 days. Platform admins were asked."
            )
            assert event.actor is None

    def test_is_shown_on_the_request_and_later_reminders_go_to_them_too(self, client, waiting, dana, ada):
        environment = waiting(6)
        notices.escalate(timezone.now())
        environment.refresh_from_db()
        who = "Max Example (manager of Checkout) or Ada Example (platform admin)"
        assert str(deciders.of(environment)) == who
        client.force_login(dana)
        page = client.get(f"/environments/{environment.namespace}/").content.decode()
        assert f"Waiting for approval: {who}." in page
        assert "Escalated to platform admins just now." in page
        notices.remind_deciders(timezone.now())
        assert to() == [["ada@example.com"], [MAX]]

    def test_waits_while_the_requester_is_to_answer(self, waiting, dana, max_manager):
        environment = waiting(6)
        questions.ask(environment, max_manager, "For how long?")
        notices.escalate(timezone.now())
        environment.refresh_from_db()
        assert environment.escalated_at is None
        questions.answer(environment, dana, "Two weeks.")
        notices.escalate(timezone.now())
        environment.refresh_from_db()
        assert environment.escalated_at

    @pytest.mark.parametrize("why", ["no manager", "switched off", "no admin", "decided"])
    def test_leaves_out_what_needs_none(self, waiting, max_manager, settings, why):
        environment = waiting(9, **({"team": None} if why == "no manager" else {}))
        if why == "switched off":
            settings.APPROVAL_ESCALATION_DAYS = 0
        if why == "no admin":
            User.objects.update(is_superuser=False)
        if why == "decided":
            approvals.approve(environment, max_manager)
        notices.escalate(timezone.now())
        environment.refresh_from_db()
        assert environment.escalated_at is None
        assert not environment.events.filter(kind=Activity.ESCALATED).exists()


class TestQuestions:
    def test_the_requester_and_the_approver_get_an_email_each(self, waiting, dana, max_manager):
        environment = waiting()
        questions.ask(environment, max_manager, "For how long?")
        tasks.sweep()
        (message,) = mail.outbox
        assert message.recipients() == ["dana@example.com"]
        assert message.subject.endswith("A question about your request for Ranking")
        assert "For how long?" in message.body
        mail.outbox.clear()
        questions.answer(environment, dana, "Two weeks.")
        tasks.sweep()
        (message,) = mail.outbox
        assert message.recipients() == [MAX]
        assert message.subject.endswith("Your question about Ranking was answered")
        assert "Question: For how long?" in message.body
        assert "Answer: Two weeks." in message.body

    def test_the_answer_to_an_approver_who_left_goes_to_those_who_decide_now(self, waiting, dana, max_manager):
        environment = waiting()
        questions.ask(environment, max_manager, "For how long?")
        User.objects.filter(pk=max_manager.pk).update(is_active=False)
        questions.answer(environment, dana, "Two weeks.")
        mail.outbox.clear()
        tasks.sweep()
        assert sorted(to()) == [["ada@example.com"], ["dana@example.com"]]
