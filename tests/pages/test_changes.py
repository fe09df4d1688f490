"""Changing an environment that is there, in the browser: the size, a later end, an update to approve; and deciding."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from environments.actions import changes, ends, resizing
from environments.lib.activity import Activity
from environments.models import Change, ChangeState, Environment, Event, Rate
from environments.routine import notices
from tests.makers import spec_needing_approval
from tests.pages.reading import facts, labelled, one, read, rows, words

pytestmark = pytest.mark.usefixtures("enqueued")

ANSWERS = {"cost_centre": "1040"}
LARGE = {"size": "large", "p_cost_centre": "1040", "reason": "Load tests."}


@pytest.fixture
def environment(make_environment, make_template):
    version = make_template("ranking", spec=spec_needing_approval())
    return make_environment(
        name="Ranking", version=version, spec=version.spec, size="medium", parameters=ANSWERS,
        usage={"requests.cpu": ["700m", "1"], "pods": ["3", "50"]}, reserved_cpu=1, reserved_memory=2 * 2**30,
    )  # fmt: skip


@pytest.fixture
def browse(client):
    def browse(user, path, data=None, **more):
        client.force_login(user)
        return client.post(path, data, **more) if data is not None else client.get(path, **more)

    return browse


@pytest.fixture
def at(environment):
    return lambda path="": f"/environments/{environment.namespace}/{path}"


def said(soup) -> list[str]:
    return [words(each) for each in soup.select("main > .notice[role=status]:not([hidden])")]


def test_the_page_offers_sizes_with_what_is_used_against_each(browse, dana, at):
    soup = read(browse(dana, at()))
    assert one(soup, "#resize")["href"] == at("size/")
    soup = read(browse(dana, at("size/")))
    assert [words(card) for card in soup.select(".choice")] == [
        "Small 500m CPU 1 GiB memory 25 pods CPU requests: less than used now",
        "Medium 1 core 2 GiB memory 50 pods Current size",
        "Large 4 cores 4 GiB memory 100 pods",
    ]
    assert labelled(soup, "Cost centre")["value"] == "1040"
    assert one(soup, "input[name=size][checked]")["value"] == "medium"
    assert "Choose another size" in words(one(soup, "#preview"))


def test_the_preview_says_figures_cost_and_who_decides(browse, dana, at, cluster, max_manager):
    Rate.objects.create(cluster=cluster, starts_on="2020-01-01", cpu_hour="0.01", memory_hour="0.001")
    soup = read(browse(dana, at("size/preview/"), LARGE, headers={"HX-Request": "true"}))
    assert rows(soup) == [
        ["Size", "Medium", "Large"],
        ["CPU requests", "1 core", "4 cores"],
        ["Memory requests", "2 GiB", "4 GiB"],
        ["Pods", "50", "100"],
    ]
    text = words(one(soup, "#preview"))
    assert "Cost a month: 31.68 EUR now 8.64 EUR" in text  # 720 hours
    assert "Needs approval by Max Example (manager of Checkout). Nothing changes until it is approved." in text
    text = words(one(read(browse(dana, at("size/preview/"), LARGE | {"size": "small"})), "#preview"))
    assert "CPU requests: 700m used, 500m allowed." in text
    assert "Takes effect at once. Nothing gets larger." in text
    assert not Change.objects.exists()


def test_a_smaller_size_below_use_needs_the_tick(browse, dana, at, environment):
    soup = read(browse(dana, at("size/"), LARGE | {"size": "small"}), 422)
    assert "Tick the box to go on" in words(one(soup, "#id_below_use_error"))
    answer = browse(dana, at("size/"), LARGE | {"size": "small", "below_use": "on"}, follow=True)
    assert said(read(answer)) == ["Ranking is being changed."]
    environment.refresh_from_db()
    assert environment.size == "small"


def test_mistakes_are_said_at_their_fields(browse, dana, at):
    soup = read(browse(dana, at("size/"), {"size": "huge", "p_cost_centre": "12"}), 422)
    assert "huge" in words(one(soup, "#id_size_error"))
    soup = read(browse(dana, at("size/"), {"size": "large", "p_cost_centre": "12"}), 422)
    assert soup.select_one("#id_p_cost_centre_error")
    soup = read(browse(dana, at("size/"), {"size": "medium", "p_cost_centre": "1040"}), 422)
    assert "Choose another size, or change an answer." in words(one(soup, "main"))


def test_a_larger_size_from_request_to_approval(browse, dana, theo, max_manager, at, environment):
    answer = browse(dana, at("size/"), LARGE, follow=True)
    assert said(read(answer)) == [
        "Change of Ranking requested. It waits for approval: Max Example (manager of Checkout)."
    ]
    change = Change.objects.get()
    for person in (dana, theo):
        soup = read(browse(person, at()))
        card = one(soup, f"#change-{change.pk}")
        assert words(card.h2) == "Waiting for approval: size"
        assert ("Withdraw change" in words(card)) == (person == dana)
        assert not card.select("textarea")
        assert not soup.select("#resize")  # one open change of a kind
    soup = read(browse(max_manager, at()))
    card = one(soup, f"#change-{change.pk}")
    assert facts(card)["Team total after approval"] == "4 cores and 4 GiB memory now 1 core and 2 GiB memory"
    queue = read(browse(max_manager, "/approvals/"))
    assert words(one(queue, "article h2")) == "Ranking : size"
    assert "“Load tests.”" in words(one(queue, "article"))
    data = {"change": change.pk, "note": "Until June.", "page": "approvals"}
    answer = browse(max_manager, at("changes/decide/"), data, follow=True)
    assert answer.redirect_chain[-1][0] == "/approvals/"
    soup = read(answer)
    assert said(soup) == ["Change of Ranking approved. We'll email Dana Example."]
    assert rows(soup)[0][:2] == ["Ranking Size Large, was Medium", "Approved by Max Example"]
    environment.refresh_from_db()
    assert (environment.size, environment.generation) == ("large", 2)


def test_a_rejection_has_its_reason(browse, dana, max_manager, at, environment):
    change = resizing.resize(environment, dana, "large", ANSWERS)
    own = at("changes/reject/") + f"?change={change.pk}"
    assert rows(read(browse(max_manager, own)))[0] == ["Size", "Medium", "Large"]
    assert "Tell the requester why." in words(one(read(browse(max_manager, own, {"note": ""}), 422), "#id_note_error"))
    answer = browse(max_manager, own, {"change": change.pk, "note": "Use two small ones."}, follow=True)
    assert said(read(answer)) == ["Change of Ranking rejected. We'll email Dana Example."]
    change.refresh_from_db()
    assert (change.state, change.note) == (ChangeState.REJECTED, "Use two small ones.")
    soup = read(browse(max_manager, at("changes/decide/"), {"change": change.pk}, follow=True))
    assert said(soup) == ["Max Example has already rejected this change of Ranking."]


def test_the_owner_takes_it_back(browse, dana, theo, at, environment):
    change = resizing.resize(environment, dana, "large", ANSWERS)
    assert browse(theo, at("changes/withdraw/"), {"change": change.pk}).status_code == 403
    soup = read(browse(dana, at("changes/withdraw/"), {"change": change.pk}, follow=True))
    assert said(soup) == ["Change of Ranking withdrawn."]
    soup = read(browse(dana, at("changes/withdraw/"), {"change": change.pk}, follow=True))
    assert said(soup) == ["This change is no longer open. Reload the page to see what became of it."]
    for number in ("", "x", "9" * 40):
        assert browse(dana, at("changes/withdraw/"), {"change": number}).status_code == 302
        assert browse(dana, at("changes/decide/"), {"change": number}).status_code == 403


def test_strangers_see_nothing_and_readers_change_nothing(browse, sam, theo, max_manager, at, environment, dana):
    change = resizing.resize(environment, dana, "large", ANSWERS)
    paths = ("size/", "size/preview/", "end/", "changes/decide/", "changes/reject/", "changes/withdraw/")
    for path in paths:
        assert browse(sam, at(path), {"change": change.pk}).status_code == 404
        assert browse(theo, at(path), {"change": change.pk}).status_code == 403
    for path in ("size/", "end/", "changes/withdraw/"):
        assert browse(max_manager, at(path), {"change": change.pk}).status_code == 403
    assert Change.objects.get().is_open


def test_a_later_end_is_asked_for_and_keeps_the_environment(browse, dana, at, environment):
    Environment.objects.filter(pk=environment.pk).update(
        ends_at=timezone.now() + timedelta(hours=20), created_at=timezone.now() - timedelta(days=29)
    )
    environment.refresh_from_db()
    spec = environment.spec | {"extension": {"times": 0}}
    Environment.objects.filter(pk=environment.pk).update(spec=spec)
    assert one(read(browse(dana, at())), "#ask-for-end")["href"] == at("end/")
    day = (timezone.now() + timedelta(days=50)).date()
    soup = read(browse(dana, at("end/"), {"last_day": "2020-02-30", "reason": ""}), 422)
    assert words(one(soup, "#id_last_day_error")) == "Enter a day, for example 2027-01-31."
    assert words(one(soup, "#id_reason_error")) == "Tell the approvers why."
    browse(dana, at("end/"), {"last_day": day.isoformat(), "reason": "The trial takes longer."})
    soup = read(browse(dana, at()))
    assert "It stays until someone has decided on the later end." in words(one(soup, "#live"))
    assert not soup.select("#ask-for-end")
    soup = read(browse(dana, at("end/"), {"last_day": day.isoformat(), "reason": "Again."}), 422)
    assert "already requested a change of the end date" in words(one(soup, "main"))


def test_an_update_that_needs_approval_is_asked_for(browse, dana, max_manager, at, environment):
    spec = spec_needing_approval()
    spec["sizes"][1] |= {"approval": True, "quota": {"requests.cpu": "2", "requests.memory": "2Gi", "pods": "50"}}
    template = environment.version.template
    template.versions.update(state="retired")
    template.versions.create(number=2, state="published", spec=spec, published_at=timezone.now())
    soup = read(browse(dana, at("move/")))
    assert words(one(soup, "form button[name=approval]")) == "Request update to version 2"
    assert "Version 2 needs approval. An approver decides." in words(one(soup, "main"))
    answer = browse(dana, at("move/"), {"version": 2, "approval": 1, "reason": "A core more."}, follow=True)
    assert said(read(answer)) == ["The update of Ranking waits for approval."]
    changes.approve(Change.objects.get(), max_manager)
    environment.refresh_from_db()
    assert environment.version.number == 2


class TestEmails:
    def deliver(self):
        notices.deliver(*Event.objects.filter(notice_owed=True).values_list("pk", flat=True))
        sent, mail.outbox[:] = list(mail.outbox), []
        return [(message.subject, message.to, message.body) for message in sent]

    def test_approvers_get_what_is_asked_for_and_the_asker_the_decision(self, dana, max_manager, environment):
        Event.objects.update(notice_owed=False)
        change = resizing.resize(environment, dana, "large", ANSWERS, reason="Load tests.")
        ((subject, to, body),) = self.deliver()
        assert (subject, to) == ("[Allotment] Change of Ranking is waiting for your approval", [max_manager.email])
        assert "Size Large, was Medium; CPU requests 4 cores, was 1 core" in body
        assert "Reason: Load tests." in body
        changes.approve(change, max_manager, "Until June.")
        ((subject, to, body),) = self.deliver()
        assert (subject, to) == ("[Allotment] Your change of Ranking was approved", [dana.email])
        assert "Until June." in body

    def test_nobody_is_asked_once_it_is_decided(self, dana, max_manager, environment):
        Event.objects.update(notice_owed=False)
        changes.withdraw(resizing.resize(environment, dana, "large", ANSWERS), dana)
        assert self.deliver() == []

    def test_one_reminder_about_requests_and_changes(self, dana, max_manager, environment, settings):
        settings.APPROVAL_REMINDER_DAYS = 2
        last_day = (timezone.now() + timedelta(days=90)).date()
        Environment.objects.filter(pk=environment.pk).update(ends_at=timezone.now() + timedelta(days=9))
        resizing.resize(environment, dana, "large", ANSWERS)
        ends.ask_for_end(environment, dana, last_day, reason="Longer.")
        now = timezone.now() + timedelta(days=3)
        notices.remind_deciders(now)
        (message,) = mail.outbox
        assert message.subject == "[Allotment] 2 requests are still waiting for your approval"
        assert message.body.count("a change by Dana Example") == 2
        notices.remind_deciders(now)
        assert len(mail.outbox) == 1
        assert environment.events.filter(kind=Activity.REMINDED).count() == 2

    def test_platform_admins_are_asked_after_days(self, dana, max_manager, ada, environment, settings):
        settings.APPROVAL_ESCALATION_DAYS = 3
        change = resizing.resize(environment, dana, "large", ANSWERS)
        Event.objects.update(notice_owed=False)
        notices.escalate(timezone.now() + timedelta(days=4))
        ((subject, to, _),) = self.deliver()
        assert (subject, to) == (
            "[Allotment] Change of Ranking is waiting for your approval (escalated)",
            [ada.email],
        )
        change.refresh_from_db()
        assert change.escalated_at
        notices.escalate(timezone.now() + timedelta(days=4))
        assert self.deliver() == []
