"""Publishing where a cluster is at hand: a worker checks the draft there, and its verdict decides."""

import time
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from environments import tasks
from environments.actions import publishing
from environments.catalog import templates as template_actions
from environments.catalog.forms import SpecForms
from environments.kube import manifests
from environments.lib.activity import TemplateActivity
from environments.models import Cluster, ClusterVerdict, PublishCheck, TemplateVersion, User
from environments.models.templates import TemplateEvent
from environments.routine import observe
from portal.demo.simulated import SimulatedCluster
from tests.environments.specs import browser, spec_of
from tests.texts import REFUSED

State = TemplateVersion.State
UNCOUNTED = "This cluster never counts count/widgets.example.com, so the quota does not limit it."


def url(version: TemplateVersion, page: str = "change") -> str:
    return reverse(f"admin:environments_templateversion_{page}", args=[version.pk])


def soup(response) -> BeautifulSoup:
    return BeautifulSoup(response.content, "html.parser")


def said(response) -> list[str]:
    return [item.get_text(strip=True) for item in soup(response).select(".messagelist li")]


def work(enqueued, most: int = 200) -> None:
    """Read the messages about checks as workers would, until none is left."""
    for _ in range(most):
        mine = [message for message in enqueued.messages if message.task == tasks.check_template.name]
        if not mine:
            return
        enqueued.messages.remove(mine[0])
        tasks.check_template(*mine[0].arguments)
    raise AssertionError("the check does not end")


@pytest.fixture
def draft(namespace_template, ada) -> TemplateVersion:
    version = template_actions.new_draft(namespace_template, ada)
    template_actions.save_draft(version, version.parsed(), "New.", ada)
    return version


@pytest.fixture
def change(draft, ada):
    """Give the draft another content."""

    def save(**data) -> None:
        template_actions.save_draft(draft, spec_of(**data), "New.", ada)

    return save


@pytest.fixture
def press(client, ada, django_capture_on_commit_callbacks):
    """Press a button as Ada; messages go out after the commit."""

    def post(version: TemplateVersion, page: str = "publish", user: User = ada, **data):
        client.force_login(user)
        with django_capture_on_commit_callbacks(execute=True):
            return client.post(url(version, page), data, follow=True)

    return post


@pytest.fixture
def checked(enqueued, django_capture_on_commit_callbacks):
    """Have workers do everything that was sent."""

    def do() -> None:
        with django_capture_on_commit_callbacks(execute=True):
            work(enqueued)

    return do


@pytest.fixture
def other_cluster(db):
    """A second cluster, which also takes environments."""
    with SimulatedCluster(termination_delay=0.05) as cluster:
        Cluster.objects.create(
            slug="berlin", name="Berlin", server=cluster.url, credential=cluster.portal_token, is_simulated=True
        )
        yield cluster


def down(place: Cluster) -> None:
    Cluster.objects.filter(pk=place.pk).update(server="http://127.0.0.1:1", updated_at=timezone.now())


def impatient() -> None:
    ClusterVerdict.objects.update(patience=0)


def last_event(version: TemplateVersion) -> TemplateEvent:
    return version.events.order_by("-pk")[0]


class TestWithoutACluster:
    def test_it_is_published_at_once(self, draft, press, enqueued):
        response = press(draft)
        assert said(response) == [f"{draft} was published."]
        assert not PublishCheck.objects.exists()

    @pytest.mark.parametrize("away", [{"accepts_new": False}, {"lost_at": timezone.now()}])
    def test_a_cluster_that_takes_no_environments_is_none(self, draft, place, press, enqueued, away):
        Cluster.objects.filter(pk=place.pk).update(**away)
        assert said(press(draft)) == [f"{draft} was published."]


class TestACheck:
    def test_the_portals_own_rules_come_first(self, draft, change, place, press):
        change(quota={"count/deployment": "5"})
        response = press(draft)
        assert "Kubernetes never counts count/deployment." in said(response)[0]
        assert not PublishCheck.objects.exists()

    def test_its_page_follows_it_and_all_good_publishes_it(self, client, draft, place, press, checked, ada):
        response = press(draft)
        assert response.redirect_chain[-1][0] == url(draft, "check")
        page = soup(response)
        assert page.select_one("meta[http-equiv=refresh]")
        assert [pill.get_text() for pill in page.select("section.panel .pill")] == ["waiting", "waiting"]
        assert draft.template.versions.get(state=State.PUBLISHED).number == 1
        checked()
        draft.refresh_from_db()
        assert (draft.state, draft.published_by) == (State.PUBLISHED, ada)
        event = last_event(draft)
        assert (event.kind, event.actor) == (TemplateActivity.PUBLISHED, ada)
        assert event.message == "v2 was published; v1 is retired. Checked on Amsterdam. New."
        page = soup(client.get(url(draft, "check")))
        assert not page.select("meta[http-equiv=refresh]")
        assert page.select_one("[role=status]").get_text() == f"{draft} was published."
        assert [pill.get_text() for pill in page.select("section.panel .pill")] == ["checked", "accepted"]

    def test_saving_and_publishing_in_one_leads_to_the_page_too(self, draft, place, press):
        data = {**dict(browser(SpecForms(draft.parsed())).lists()), "changelog": "Newer.", "_publish": "on"}
        response = press(draft, "change", **data)
        assert response.redirect_chain[-1][0] == url(draft, "check")
        draft.refresh_from_db()
        assert draft.changelog == "Newer."

    def test_the_cluster_keeps_nothing_of_it_and_is_no_environment(self, draft, place, press, checked, admin):
        press(draft)
        checked()
        row = Cluster.objects.get(pk=place.pk)
        assert (row.workbench_lease, row.workbench_until) == (None, None)
        home = admin.get("Namespace", "allotment-workbench")
        assert home["metadata"]["labels"]["allotment.internal/environment"] == "workbench"
        assert admin.get("ResourceQuota", manifests.QUOTA, "allotment-workbench")["spec"]["hard"] == {"pods": "0"}
        assert observe.observe(place.pk) == []
        assert admin.get("Namespace", "allotment-workbench")["metadata"]["uid"] == home["metadata"]["uid"]

    def test_what_is_refused_stands_at_its_field_and_the_draft_is_not_lost(
        self, client, draft, change, place, press, checked, namespace_template
    ):
        change(sizes=[{"name": "small", "quota": {"count/widgets.example.com": "5"}}, {"name": "large"}])
        before = draft.spec
        press(draft)
        checked()
        draft.refresh_from_db()
        assert (draft.state, draft.spec) == (State.DRAFT, before)
        namespace_template.refresh_from_db()
        assert namespace_template.state == State.PUBLISHED
        page = soup(client.get(url(draft, "check")))
        assert page.select_one("[role=alert] p").get_text() == "v2 was not published: Amsterdam rejects it."
        rows = [row.get_text(" ", strip=True) for row in page.select(".verdicts li")]
        assert rows == [f"rejected Small {UNCOUNTED}", "accepted Large"]
        editor = soup(client.get(page.select_one("[role=alert] a")["href"]))
        cell = editor.select_one("[aria-label='count/widgets.example.com, Small']").parent
        assert cell.select_one(".errorlist").get_text() == f"Amsterdam: {UNCOUNTED}"
        assert last_event(draft).message == "v2 was not published: Amsterdam rejects it."

    def test_once_it_is_mended_the_sentence_is_gone_and_it_is_published(
        self, client, draft, change, place, press, checked
    ):
        change(quota={"pods": "5", "count/widgets.example.com": "5"})
        press(draft)
        checked()
        change(quota={"pods": "5"})
        assert not soup(client.get(url(draft))).select(".errorlist")
        assert "The draft was edited after this check." in soup(client.get(url(draft, "check"))).get_text()
        press(draft)
        checked()
        draft.refresh_from_db()
        assert draft.state == State.PUBLISHED

    def test_every_cluster_is_asked_and_the_same_sentence_is_said_once(
        self, client, draft, change, place, other_cluster, press, checked
    ):
        change(quota={"pods": "5", "count/widgets.example.com": "5"})
        press(draft)
        checked()
        sentences = [each for _, each in publishing.objections(draft)]
        assert sentences == [f"Amsterdam, Berlin: {UNCOUNTED}"]

    def test_the_values_of_a_list_are_tried_too(self, client, draft, change, place, simulated, press, checked):
        simulated.denials.add(
            "tiers", "Namespace", "No gold.", lambda found, _: found["metadata"]["labels"].get("tier") == "gold"
        )
        parameter = {"name": "tier", "type": "choice", "default": "silver", "choices": ["silver", "gold"]}
        change(parameters=[parameter], labels={"tier": "${tier}"})
        press(draft)
        checked()
        text = soup(client.get(url(draft, "check"))).select_one(".verdicts li").get_text(" ", strip=True)
        assert "No gold. (Tier: gold)" in text
        assert "2 of 2 combinations tried" in text
        assert soup(client.get(url(draft))).select_one("[name=namespace]").find_parent(class_="errors")


class TestAClusterThatDoesNotAnswer:
    @pytest.fixture
    def stopped(self, draft, place, other_cluster, press, checked):
        down(place)
        press(draft)
        impatient()
        checked()
        return draft

    def test_it_waits_for_a_decision_and_says_why(self, client, stopped):
        stopped.refresh_from_db()
        assert stopped.state == State.DRAFT
        page = soup(client.get(url(stopped, "check")))
        assert page.select_one("[role=alert] p").get_text() == "v2 was not published: Amsterdam could not be checked."
        _, amsterdam, berlin = page.select("section.panel")
        assert amsterdam.select_one(".says").get_text() == REFUSED
        assert [pill.get_text() for pill in amsterdam.select(".pill")] == ["not checked", "not checked"]
        assert [pill.get_text() for pill in berlin.select(".pill")] == ["checked", "accepted"]
        assert [button.get_text() for button in page.select(".actions-row button")] == [
            "Try again",
            "Publish without the check on Amsterdam",
        ]

    def test_it_is_asked_again(self, stopped, place, simulated, press, checked):
        Cluster.objects.filter(pk=place.pk).update(server=simulated.url, updated_at=timezone.now())
        press(stopped, "check_again")
        assert last_event(stopped).message == "v2 is checked on Amsterdam again."
        checked()
        stopped.refresh_from_db()
        assert stopped.state == State.PUBLISHED
        assert last_event(stopped).message == "v2 was published; v1 is retired. Checked on Amsterdam, Berlin. New."

    def test_it_is_published_without_it_and_the_history_says_so(self, client, stopped, place, press, ada):
        response = press(stopped, "publish_without", cluster=[place.pk])
        assert soup(response).select_one("[role=status]").get_text() == f"{stopped} was published."
        event = last_event(stopped)
        assert event.actor == ada
        assert event.message == (
            "v2 was published; v1 is retired. Checked on Berlin. "
            f"Not checked on Amsterdam ({REFUSED.rstrip('.')}). New."
        )

    def test_no_other_cluster_is_left_out_than_the_named_ones(self, stopped, place, press):
        berlin = Cluster.objects.get(slug="berlin")
        response = press(stopped, "publish_without", cluster=[berlin.pk, "x", "9" * 30])
        assert said(response) == ["This check has ended. Look at the page again."]
        ClusterVerdict.objects.filter(cluster=berlin).update(state="unreachable")
        response = press(stopped, "publish_without", cluster=[place.pk])
        assert said(response) == ["Now Berlin could not be checked either. Look at the page again."]
        stopped.refresh_from_db()
        assert stopped.state == State.DRAFT
        assert not ClusterVerdict.objects.filter(is_waived=True).exists()

    def test_a_refusal_elsewhere_weighs_more(self, client, draft, change, place, other_cluster, press, checked):
        change(quota={"pods": "5", "count/widgets.example.com": "5"})
        down(place)
        press(draft)
        impatient()
        checked()
        page = soup(client.get(url(draft, "check")))
        assert page.select_one("[role=alert] p").get_text() == "v2 was not published: Berlin rejects it."
        assert not page.select(".actions-row button")

    def test_it_has_some_patience(self, draft, place, press, enqueued):
        down(place)
        press(draft)
        message = enqueued.messages.pop()
        tasks.check_template(*message.arguments)
        [following] = enqueued.messages
        assert following.options["countdown"] == 3.0
        assert PublishCheck.objects.get().is_running

    def test_a_namespace_of_somebody_else_in_place_of_the_workbench_is_said(
        self, client, draft, place, admin, press, checked
    ):
        admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "allotment-workbench"}})
        press(draft)
        checked()
        text = soup(client.get(url(draft, "check"))).select_one("section.panel .says").get_text()
        assert text.startswith("The namespace allotment-workbench exists already")
        assert "labels" not in admin.get("Namespace", "allotment-workbench")["metadata"] or (
            "allotment.internal/environment" not in admin.get("Namespace", "allotment-workbench")["metadata"]["labels"]
        )


class TestMeanwhile:
    def test_an_edited_draft_makes_the_check_void(self, client, draft, change, place, press, checked, enqueued):
        press(draft)
        change(quota={"pods": "7"})
        checked()
        draft.refresh_from_db()
        assert draft.state == State.DRAFT
        check = PublishCheck.objects.get()
        assert (check.state, check.message) == (PublishCheck.State.STOPPED, publishing.VOID)
        response = press(draft, "publish_without", cluster=[place.pk])
        assert said(response) == [publishing.VOID]

    def test_an_edit_at_the_last_moment_is_seen_as_well(self, draft, change, place, press):
        press(draft)
        ClusterVerdict.objects.update(state=ClusterVerdict.State.CHECKED)
        change(quota={"pods": "7"})
        publishing.conclude(PublishCheck.objects.get().pk)
        draft.refresh_from_db()
        assert draft.state == State.DRAFT
        assert PublishCheck.objects.get().message == publishing.VOID

    def test_a_draft_that_was_discarded_leaves_nothing_to_do(self, draft, place, press, checked, enqueued):
        press(draft)
        tasks.check_template(*enqueued.messages.pop().arguments)
        press(draft, "discard")
        checked()
        assert not PublishCheck.objects.exists()
        assert Cluster.objects.get(pk=place.pk).workbench_lease is None

    def test_two_admins_at_once_are_one_check(self, draft, place, press, checked, ada, enqueued):
        second = User.objects.create(username="bo", email="bo@example.com", is_superuser=True, is_staff=True)
        press(draft)
        press(draft, user=second)
        assert len(enqueued.messages) == 1
        checked()
        draft.refresh_from_db()
        assert draft.published_by == ada

    def test_a_draft_that_was_published_otherwise_stays_so(self, draft, place, press, checked, ada):
        press(draft)
        template_actions.publish(draft, None)
        checked()
        draft.refresh_from_db()
        assert (draft.state, draft.published_by) == (State.PUBLISHED, None)
        assert not PublishCheck.objects.get().is_running

    def test_who_may_no_longer_publish_does_not(self, client, draft, place, press, checked, ada):
        boss = User.objects.create(username="bo", email="bo@example.com", is_superuser=True, is_staff=True)
        press(draft)
        User.objects.filter(pk=ada.pk).update(is_superuser=False, is_staff=False)
        checked()
        draft.refresh_from_db()
        assert draft.state == State.DRAFT
        client.force_login(boss)
        text = soup(client.get(url(draft, "check"))).select_one("[role=alert]").get_text()
        assert f"{ada} may no longer publish templates." in text

    def test_a_deleted_account_does_not_either(self, draft, place, press, checked, ada):
        press(draft)
        PublishCheck.objects.update(asked_by=None)
        checked()
        draft.refresh_from_db()
        assert draft.state == State.DRAFT

    def test_a_cluster_that_is_lost_no_longer_counts(self, draft, place, other_cluster, press, checked):
        press(draft)
        Cluster.objects.filter(pk=place.pk).update(lost_at=timezone.now(), updated_at=timezone.now())
        checked()
        draft.refresh_from_db()
        assert draft.state == State.PUBLISHED
        assert last_event(draft).message == "v2 was published; v1 is retired. Checked on Berlin. New."

    def test_a_cluster_whose_row_was_deleted_holds_up_nothing(
        self, draft, place, press, enqueued, checked, django_capture_on_commit_callbacks
    ):
        press(draft)
        Cluster.objects.filter(pk=place.pk).delete()
        checked()
        PublishCheck.objects.update(asked_at=timezone.now() - timedelta(minutes=2))
        tasks.sweep()
        draft.refresh_from_db()
        assert draft.state == State.PUBLISHED

    def test_a_cluster_that_came_in_the_meantime_is_checked_too(self, draft, place, press, enqueued, checked):
        press(draft)
        with SimulatedCluster(termination_delay=0.05) as late:
            Cluster.objects.create(slug="berlin", name="Berlin", server=late.url, credential=late.portal_token)
            checked()
            checked()
        draft.refresh_from_db()
        assert draft.state == State.PUBLISHED
        assert "Checked on Amsterdam, Berlin." in last_event(draft).message


class TestWorkers:
    def test_a_message_that_comes_twice_does_nothing(self, draft, place, press, enqueued):
        press(draft)
        [message] = enqueued.messages
        tasks.check_template(*message.arguments)
        row = ClusterVerdict.objects.values().get()
        sent = len(enqueued.messages)
        tasks.check_template(*message.arguments)
        assert ClusterVerdict.objects.values().get() == row
        assert len(enqueued.messages) == sent

    def test_a_lost_message_and_a_dead_worker_cost_a_minute(self, client, draft, place, press, enqueued, checked):
        press(draft)
        enqueued.messages.clear()
        tasks.sweep()
        assert enqueued.of(tasks.check_template) == []
        ClusterVerdict.objects.update(at=timezone.now() - timedelta(minutes=2))
        assert "No worker has continued this check" in soup(client.get(url(draft, "check"))).get_text()
        tasks.sweep()
        assert enqueued.of(tasks.check_template) == [ClusterVerdict.objects.get().pk]
        tasks.sweep()
        assert len(enqueued.of(tasks.check_template)) == 1
        checked()
        draft.refresh_from_db()
        assert draft.state == State.PUBLISHED

    def test_a_check_that_stops_every_worker_ends(self, draft, place, press, enqueued, checked):
        press(draft)
        enqueued.messages.clear()
        for _ in range(4):
            ClusterVerdict.objects.update(at=timezone.now() - timedelta(minutes=2))
            tasks.sweep()
            lost = [message for message in enqueued.messages if message.task == tasks.check_template.name]
            assert len(lost) == 1
            enqueued.messages.clear()
        tasks.check_template(*lost[0].arguments)
        verdict, check = ClusterVerdict.objects.get(), PublishCheck.objects.get()
        assert verdict.message == "The workers that checked this cluster stopped several times."
        assert (check.state, check.message) == (
            PublishCheck.State.STOPPED,
            "v2 was not published: Amsterdam could not be checked.",
        )

    def test_a_check_that_is_given_up_leaves_the_workbench_at_rest(
        self, draft, change, place, press, enqueued, checked, admin
    ):
        change(quota={"pods": "50"}, pod_security={"enforce": "privileged"})
        press(draft)
        tasks.check_template(*enqueued.messages.pop().arguments)
        home = "allotment-workbench"
        assert admin.get("ResourceQuota", manifests.QUOTA, home)["spec"]["hard"] == {"pods": "50"}
        change(quota={"pods": "7"})
        checked()
        assert admin.get("ResourceQuota", manifests.QUOTA, home)["spec"]["hard"] == {"pods": "0"}
        labels = admin.get("Namespace", home)["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"

    def test_it_goes_on_where_it_stopped(self, draft, change, place, press, enqueued, checked, monkeypatch):
        monkeypatch.setattr(publishing, "AT_ONCE", 0)
        change(sizes=[{"name": name} for name in ("small", "medium", "large")])
        press(draft)
        for _ in range(20):
            message = enqueued.messages.pop()
            tasks.check_template(*message.arguments)
            if ClusterVerdict.objects.get().position:
                break
        assert ClusterVerdict.objects.get().position == 1
        checked()
        assert [each["size"] for each in ClusterVerdict.objects.get().results] == ["small", "medium", "large"]
        draft.refresh_from_db()
        assert draft.state == State.PUBLISHED

    def test_a_workbench_in_use_is_waited_for(self, draft, place, press, enqueued, checked, make_template, ada):
        other = template_actions.new_draft(make_template("other"), ada)
        template_actions.save_draft(other, other.parsed(), "Other.", ada)
        press(draft)
        first = enqueued.messages.pop()
        tasks.check_template(*first.arguments)  # waits until the namespace is known
        press(other)
        second = enqueued.messages.pop()
        tasks.check_template(*second.arguments)
        assert enqueued.messages[-1].options["countdown"] == 2.0
        assert ClusterVerdict.objects.get(check_of__version=other).results == []
        Cluster.objects.filter(pk=place.pk).update(workbench_until=timezone.now() - timedelta(seconds=1))
        checked()
        assert {draft.__class__.objects.get(pk=each.pk).state for each in (draft, other)} == {State.PUBLISHED}

    def test_what_runs_on_after_it_was_replaced_writes_nothing(self, draft, change, place, press, enqueued, checked):
        press(draft)
        [old] = enqueued.messages
        tasks.check_template(*old.arguments)
        stale = enqueued.messages.pop()
        change(quota={"pods": "7"})
        press(draft)
        fresh = ClusterVerdict.objects.values().get()
        tasks.check_template(*stale.arguments)
        assert ClusterVerdict.objects.values().get() == fresh
        assert Cluster.objects.get(pk=place.pk).workbench_lease is None
        checked()
        draft.refresh_from_db()
        assert draft.state == State.PUBLISHED

    def test_a_queue_that_is_down_loses_nothing(self, draft, place, press, enqueued, checked):
        enqueued.is_down = True
        assert press(draft).status_code == 200
        enqueued.is_down = False
        ClusterVerdict.objects.update(at=timezone.now() - timedelta(minutes=2))
        tasks.sweep()
        checked()
        draft.refresh_from_db()
        assert draft.state == State.PUBLISHED


class TestWhoMay:
    @pytest.mark.parametrize("page", ["publish", "check_again", "publish_without"])
    def test_only_platform_admins_and_only_by_post(self, client, draft, place, press, dana, page):
        press(draft)
        assert client.get(url(draft, page)).status_code == 405
        before = list(PublishCheck.objects.values())
        client.force_login(dana)
        assert client.post(url(draft, page)).status_code == 302
        assert list(PublishCheck.objects.values()) == before

    def test_a_version_without_a_check_has_no_page_of_one(self, client, draft, ada):
        client.force_login(ada)
        assert client.get(url(draft, "check")).url == url(draft)
        assert "Check on clusters" not in soup(client.get(url(draft))).get_text()

    @pytest.mark.parametrize("page", ["check_again", "publish_without"])
    def test_a_button_of_a_page_that_is_out_of_date_says_so(self, draft, place, press, checked, page):
        press(draft)
        assert said(press(draft, page, cluster=[place.pk])) == ["This check has ended. Look at the page again."]
        checked()
        assert said(press(draft, page, cluster=[place.pk])) == [f"{draft} is no longer a draft."]


def test_verbs_check_for_themselves(draft, place, ada, enqueued):
    with pytest.raises(ValidationError, match="This check has ended"):
        publishing.try_again(draft, ada)
    with pytest.raises(ValidationError, match="This check has ended"):
        publishing.publish_without(draft, ada, [place.pk])


def test_the_check_is_quick(draft, place, press, checked):
    started = time.monotonic()
    press(draft)
    checked()
    assert time.monotonic() - started < 20
