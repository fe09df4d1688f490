"""Still needed: whom the portal asks, what an answer does, and what happens without one."""

from datetime import datetime, timedelta

import pytest
from django.core import mail
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from environments import actions, tasks
from environments.actions import resizing, reviews
from environments.lib.activity import Activity
from environments.models import Environment, Rate, Review, Template
from environments.models.reviews import Answer, Reason
from environments.reports import reviewing
from environments.routine import lifetimes
from tests.pages.reading import one, read, rows, words
from tests.reported import consume, roll_up

ANSWERS = {"cost_centre": "1040"}


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def old(make_environment, now):
    """An environment of 100 days whose template asks every 90 days."""
    Template.objects.update(review_days=90, review_answer_days=10)
    row = make_environment(
        name="Ranking", size="large", parameters=ANSWERS, created_at=now - timedelta(days=100), ends_at=None,
        reserved_cpu=4, reserved_memory=4 * 2**30, reserved_storage=0, reserved_gpus=0,
    )  # fmt: skip
    Template.objects.filter(pk=row.version.template_id).update(review_days=90, review_answer_days=10)
    return stored(row)


def stored(environment) -> Environment:
    return Environment.objects.get(pk=environment.pk)


class TestAsking:
    def test_once_and_again_after_as_many_days(self, old, dana, now):
        assert reviewing.ask(now) == 1
        review = Review.objects.get()
        assert (review.reason, review.answer_by, review.answer) == (Reason.REGULAR, now + timedelta(days=10), "")
        assert reviewing.ask(now) == 0
        reviews.keep(old, dana)
        assert reviewing.ask(now + timedelta(days=89)) == 0
        assert reviewing.ask(timezone.now() + timedelta(days=91)) == 1

    @pytest.mark.parametrize("which", ["young", "asked of nobody", "waiting", "deleting"])
    def test_not_everybody(self, old, which, now):
        if which == "asked of nobody":
            Template.objects.update(review_days=None)
        changes = {
            "young": {"created_at": now - timedelta(days=80)},
            "waiting": {"phase": "Waiting for approval"},
            "deleting": {"wanted": False, "phase": "Deleting"},
        }.get(which, {"purpose": "x"})
        Environment.objects.filter(pk=old.pk).update(**changes)
        assert reviewing.ask(now) == 0

    def test_who_hardly_uses_it_with_the_size_that_would_do(self, old, now):
        Template.objects.update(review_days=None, review_idle_days=14)
        consume(old, now.date() - timedelta(days=20), 20, share=0.05, cpu=4000, memory=4096)
        roll_up()
        assert reviewing.ask(now) == 1
        review = Review.objects.get()
        assert (review.reason, review.smaller) == (Reason.IDLE, "small")
        assert "Less than 10 % of the quota was requested" in old.events.get(kind=Activity.REVIEW_ASKED).message

    @pytest.mark.parametrize(
        ("share", "amounts", "hours", "asked"),
        [
            (0.05, {"cpu": 4000, "memory": 4096, "gpu": 100}, 24, True),
            (0.2, {"cpu": 4000, "memory": 4096}, 24, False),
            (0.05, {"cpu": 4000, "memory": 4096}, 6, False),  # observed for a quarter of the time
            (0.05, {}, 24, False),  # nothing is reserved
        ],
    )
    def test_hardly_used_is_less_than_a_tenth_of_everything(self, old, now, share, amounts, hours, asked):
        Template.objects.update(review_days=None, review_idle_days=14)
        consume(old, now.date() - timedelta(days=20), 20, share=share, hours=hours, **amounts)
        roll_up()
        assert (reviewing.ask(now) == 1) == asked

    def test_gpus_in_use_are_use(self, old, now):
        Template.objects.update(review_days=None, review_idle_days=14)
        first = now.date() - timedelta(days=20)
        consume(old, first, 20, share=0.0, cpu=4000, memory=4096)
        roll_up()
        old.consumption.update(gpu_reserved=8 * 86400, gpu_used=4 * 86400)
        assert reviewing.ask(now) == 0

    def test_one_message_a_person(self, old, make_environment, dana, now):
        make_environment(name="Another", created_at=now - timedelta(days=100))
        assert reviewing.ask(now) == 2
        reviewing.tell(now)
        reviewing.tell(now)
        (message,) = mail.outbox
        assert (message.subject, message.to) == (
            "[Allotment] Are 2 of your environments still needed?",
            [dana.email],
        )
        assert message.body.index("Another") < message.body.index("Ranking")
        assert f"/environments/{old.namespace}/" in message.body


class TestAnswers:
    @pytest.fixture
    def asked(self, old, now):
        assert reviewing.ask(now) == 1
        return old

    def test_keep(self, asked, dana, theo):
        with pytest.raises(PermissionDenied):
            reviews.keep(asked, theo)
        reviews.keep(asked, dana)
        review = Review.objects.get()
        assert (review.answer, review.answered_by, review.freed) == (Answer.KEEP, dana, {})
        with pytest.raises(ValidationError, match="answered already"):
            reviews.keep(asked, dana)

    def test_smaller(self, asked, dana):
        resizing.resize(asked, dana, "small", ANSWERS)
        review = Review.objects.get()
        assert (review.answer, review.freed) == (
            Answer.SMALLER,
            {"cpu": 3500, "memory": 3072, "storage": 0, "gpu": 0},
        )

    def test_delete(self, asked, dana):
        actions.delete_environment(asked, dana, typed_name="Ranking")
        review = Review.objects.get()
        assert (review.answer, review.freed["cpu"]) == (Answer.DELETE, 4000)


class TestWithoutAnAnswer:
    def test_managers_are_told_and_then_it_ends_as_by_a_lifetime(self, old, dana, max_manager, now):
        reviewing.ask(now)
        reviewing.tell(now)
        reviewing.follow_up(now + timedelta(days=9))
        assert not old.events.filter(kind=Activity.REVIEW_UNANSWERED).exists()
        reviewing.follow_up(now + timedelta(days=10))
        reviewing.follow_up(now + timedelta(days=11))
        line = old.events.get(kind=Activity.REVIEW_UNANSWERED)
        assert line.notice_owed
        assert stored(old).ends_at is None
        late = now + timedelta(days=20)
        reviewing.follow_up(late)
        reviewing.follow_up(late)
        row = stored(old)
        assert row.ends_at == late + reviewing.NOTICE
        assert [lifetimes.notice_due(row, late + timedelta(days=each)) for each in (0, 1)] == [None, 7]
        assert not lifetimes.may_end(row, late + timedelta(days=7))
        lifetimes.end(row)
        assert Review.objects.get().answer == Answer.NONE

    def test_keep_takes_the_end_back(self, old, dana, now):
        far = now + timedelta(days=300)
        Environment.objects.filter(pk=old.pk).update(ends_at=far)
        reviewing.ask(now)
        reviewing.tell(now)
        for days in (10, 20):
            reviewing.follow_up(now + timedelta(days=days))
        assert stored(old).ends_at == now + timedelta(days=20) + reviewing.NOTICE
        reviews.keep(stored(old), dana)
        assert stored(old).ends_at == far

    def test_an_end_that_comes_first_stays(self, old, now):
        soon = now + timedelta(days=22)
        Environment.objects.filter(pk=old.pk).update(ends_at=soon)
        reviewing.ask(now)
        reviewing.tell(now)
        for days in (10, 20):
            reviewing.follow_up(now + timedelta(days=days))
        assert stored(old).ends_at == soon

    def test_the_task_does_all_of_it(self, old):
        tasks.ask_still_needed()
        assert Review.objects.get().told_at
        assert len(mail.outbox) == 1


class TestPages:
    def test_the_owner_is_asked_and_answers(self, client, old, dana, theo, now):
        Template.objects.update(review_idle_days=14)
        consume(old, now.date() - timedelta(days=20), 20, share=0.05, cpu=4000, memory=4096)
        roll_up()
        reviewing.ask(now)
        own = f"/environments/{old.namespace}/"
        client.force_login(theo)
        assert not read(client.get(own)).select("#review")
        assert client.post(f"{own}keep/").status_code == 403
        client.force_login(dana)
        soup = read(client.get(own))
        assert words(one(soup, "#review")).startswith("Do you still need this environment?")
        smaller = one(soup, "#smaller")["href"]
        assert one(read(client.get(smaller)), "input[name=size][checked]")["value"] == "small"
        home = read(client.get("/"))
        assert "Is Ranking still needed?" in words(home.main)
        soup = read(client.post(f"{own}keep/", follow=True))
        assert "Thank you. Ranking is kept." in words(soup.main)
        assert not soup.select("#review")

    def test_the_report(self, client, old, dana, max_manager, cluster, make_environment, now):
        Rate.objects.create(cluster=cluster, starts_on="2020-01-01", cpu_hour="0.01", memory_hour="0.001")
        make_environment(name="Another", created_at=now - timedelta(days=100))
        reviewing.ask(now)
        resizing.resize(old, dana, "small", ANSWERS)
        client.force_login(max_manager)
        soup = read(client.get("/reports/still-needed/?period=this-month"))
        found = rows(soup)
        # 720 hours of 3.5 cores at 0.01 and of 3 GiB at 0.001
        assert found[0][:7] == ["Checkout", "2", "0", "1", "0", "0", "1"]
        assert [cell.split()[0] for cell in found[0][7:]] == ["3.50", "3.00", "0", "27.36"]
