"""Templates in the admin: drafts in tables, versions that stay, differences, previews and dry runs."""

import pytest
from bs4 import BeautifulSoup
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from environments.admin import version_pages
from environments.admin.dry_runs import dry_run
from environments.catalog import templates as template_actions
from environments.catalog.forms import SpecForms
from environments.kube.client import connect
from environments.lib.activity import TemplateActivity
from environments.models import Template, TemplateVersion
from tests.environments.specs import browser, forty_parameters
from tests.texts import REFUSED

State = TemplateVersion.State


def soup(response) -> BeautifulSoup:
    return BeautifulSoup(response.content, "html.parser")


def url(version: TemplateVersion, page: str = "change") -> str:
    return reverse(f"admin:environments_templateversion_{page}", args=[version.pk])


def said(response) -> list[str]:
    return [item.get_text(strip=True) for item in soup(response).select(".messagelist li")]


@pytest.fixture(autouse=True)
def signed_in(client, ada):
    client.force_login(ada)


@pytest.fixture
def published(namespace_template) -> TemplateVersion:
    return namespace_template


@pytest.fixture
def draft(published, ada) -> TemplateVersion:
    return template_actions.new_draft(published, ada)


def page_data(version: TemplateVersion, button: str = "_save", **typed) -> dict[str, list[str]]:
    """What a browser sends of the draft's page."""
    data = browser(SpecForms(version.parsed()), **typed)
    fields = {"changelog": "New.", "based_on": template_actions.digest(version), button: "on"}
    return dict(data.lists()) | {name: [value] for name, value in fields.items() if name not in typed}


class TestTheTemplatesPage:
    """The card, and every version behind it."""

    def test_it_lists_the_versions_with_their_states(self, client, published, draft):
        page = soup(client.get(reverse("admin:environments_template_change", args=[draft.template_id])))
        rows = [row.get_text(" ", strip=True) for row in page.select("section.panel tbody tr")]
        assert rows[0].startswith("v2 Draft")
        assert rows[1].startswith("v1 Published Imported")

    def test_a_new_template_goes_from_nothing_to_the_catalog(self, client, db):
        card = {"name": "Notebook", "slug": "notebook", "summary": "For data.", "category": "Data", "icon": "flask"}
        card |= {"review_answer_days": "14"}
        response = client.post(reverse("admin:environments_template_add"), card | {"placement": "choice"}, follow=True)
        assert "Create its first draft next." in said(response)[0]
        template = Template.objects.get(slug="notebook")
        response = client.post(reverse("admin:environments_template_draft", args=[template.pk]), follow=True)
        draft = template.versions.get()
        assert response.redirect_chain[-1][0] == url(draft)
        response = client.post(url(draft), page_data(draft, "_publish"), follow=True)
        assert said(response) == ["Notebook v1 was published."]
        assert client.get("/catalog/notebook/").status_code == 200

    def test_a_new_draft_begins_as_the_published_version(self, client, published):
        client.post(reverse("admin:environments_template_draft", args=[published.template_id]))
        assert published.template.versions.get(number=2).spec == published.spec

    def test_a_template_with_versions_cannot_be_deleted(self, client, published):
        assert (
            client.get(reverse("admin:environments_template_delete", args=[published.template_id])).status_code == 403
        )
        bare = Template.objects.create(slug="bare", name="Bare", summary="x")
        assert client.get(reverse("admin:environments_template_delete", args=[bare.pk])).status_code == 200

    def test_its_history_says_who_did_what_with_the_difference(self, client, published, draft, ada):
        client.post(url(draft), page_data(draft, lifetime_days="30"))
        page = soup(client.get(reverse("admin:environments_template_history", args=[draft.template_id])))
        first = page.select_one(".history > li")
        assert str(ada) in first.get_text()
        assert "Lifetime: 30 days, was 90 days." in first.get_text()
        assert [line.get_text().strip() for line in first.select("pre .added")] == ["+lifetime_days: 30"]


class TestADraft:
    """It is edited in tables."""

    def test_its_page_sent_back_as_it_came_changes_nothing(self, client, draft):
        response = client.post(url(draft), page_data(draft, changelog=""), follow=True)
        assert said(response) == ["There were no changes to save."]
        assert not draft.events.filter(kind=TemplateActivity.DRAFT_EDITED).exists()

    def test_the_page_itself_holds_what_the_browser_test_data_holds(self, client, draft):
        """The helper that the other tests use sends exactly the names that are on the page."""
        page = soup(client.get(url(draft)))
        controls = page.select("form.draft [name]")
        names = {control["name"] for control in controls if control.get("type") != "submit"}
        sent = set(browser(SpecForms(draft.parsed())))
        unticked = {control["name"] for control in controls if control.get("type") == "checkbox"}
        assert names - unticked - sent == {"csrfmiddlewaretoken", "changelog", "based_on"}
        assert sent <= names

    def test_what_is_changed_is_saved_and_logged(self, client, draft, ada):
        response = client.post(url(draft), page_data(draft, **{"quota-0-all": "2", "lifetime_days": "30"}), follow=True)
        assert said(response) == [f"{draft} was saved."]
        draft.refresh_from_db()
        assert (draft.spec["quota"]["requests.cpu"], draft.spec["lifetime_days"]) == ("2", 30)
        assert draft.changelog == "New."
        assert LogEntry.objects.get(object_id=str(draft.pk)).user == ada

    def test_an_error_is_at_its_cell_and_in_the_list_above_and_nothing_is_lost(self, client, draft):
        typed = {"quota-0-all": "plenty", "parameters-0-label": "Cores", "changelog": "My line."}
        response = client.post(url(draft), page_data(draft, **typed))
        assert response.status_code == 422
        page = soup(response)
        cell = page.select_one("[name='quota-0-all']")
        assert cell["value"] == "plenty"
        assert "errors" in cell.parent["class"]
        assert "is not a quantity" in cell.parent.select_one(".errorlist").get_text()
        link = page.select_one("[role=alert] a")
        assert link["href"] == f"#{cell['id']}"
        assert page.select_one("[name='parameters-0-label']")["value"] == "Cores"
        assert page.select_one("[name=changelog]")["value"] == "My line."
        draft.refresh_from_db()
        assert draft.spec["quota"]["requests.cpu"] == "${cpu}"

    def test_more_rows_come_without_a_script(self, client, draft):
        before = len(soup(client.get(url(draft))).select(".matrix tbody tr"))
        response = client.post(url(draft), page_data(draft, "_rows"), follow=True)
        assert len(soup(response).select(".matrix tbody tr")) == before + 3
        typed = {"quota-0-all": "plenty", "sizes-0-name": "tiny", "sizes-0-label": "Tiny"}
        page = soup(client.post(url(draft), page_data(draft, "_rows", **typed)))
        assert len(page.select(".matrix tbody tr")) == before + 5
        assert "Tiny" in [heading.get_text() for heading in page.select(".matrix thead th")]

    def test_forty_parameters_are_edited_and_saved(self, client, db, ada):
        template = Template.objects.create(slug="forty", name="Forty", summary="x")
        draft = template_actions.first_draft(template, ada, forty_parameters())
        assert len(soup(client.get(url(draft))).select(".parameters tbody")) == 42
        client.post(url(draft), page_data(draft, **{"parameters-39-label": "The last"}))
        draft.refresh_from_db()
        assert len(draft.spec["parameters"]) == 40
        assert draft.spec["parameters"][39]["label"] == "The last"

    def test_what_would_not_work_is_shown_at_its_cell_when_publishing_fails(self, client, published, draft):
        typed = {"limits-0-default_request": "4", "limits-0-default": "1"}
        response = client.post(url(draft), page_data(draft, "_publish", **typed), follow=True)
        assert any("The default request is above the default." in sentence for sentence in said(response))
        cell = soup(response).select_one("[name='limits-0-default_request']").parent
        assert "above the default" in cell.select_one(".errorlist").get_text()
        published.refresh_from_db()
        assert published.state == State.PUBLISHED

    def test_what_somebody_else_saved_meanwhile_is_kept_and_mine_can_go_into_another_draft(self, client, draft, ada):
        mine = page_data(draft, lifetime_days="5")
        template_actions.save_draft(draft, draft.parsed(), "Theirs.", ada)
        response = client.post(url(draft), mine)
        assert response.status_code == 422
        page = soup(response)
        assert "Someone else saved this draft" in page.select_one("[role=alert]").get_text()
        assert page.select_one("[name=lifetime_days]")["value"] == "5"
        mine.pop("_save")
        client.post(url(draft), mine | {"_asnew": ["on"]})
        assert draft.template.versions.get(number=3).spec["lifetime_days"] == 5

    def test_what_was_published_while_the_page_was_open_is_not_overwritten(self, client, draft, ada):
        data = page_data(draft, lifetime_days="5")
        template_actions.save_draft(draft, draft.parsed(), "New.", ada)
        template_actions.publish(draft, ada)
        response = client.post(url(draft), data)
        assert "no longer a draft" in soup(response).select_one("[role=alert]").get_text()
        assert not soup(response).select("[name=_save]")
        draft.refresh_from_db()
        assert draft.spec["lifetime_days"] == 90

    def test_it_is_thrown_away_by_its_button(self, client, draft):
        response = client.post(url(draft, "discard"), follow=True)
        assert said(response) == [f"{draft} was discarded."]
        assert not TemplateVersion.objects.filter(pk=draft.pk).exists()


class TestAPublishedVersion:
    """It is read, in words and as YAML."""

    def test_its_page_has_no_field_and_says_what_it_says(self, client, published):
        page = soup(client.get(url(published)))
        assert not page.select("main form input:not([type=hidden]), main form textarea, main form select")
        quota = {
            row.select_one("code").get_text(): row.td.get_text() for row in page.select("#content tbody tr") if row.td
        }
        assert quota["requests.cpu"] == "${cpu}"
        assert "cpu: ${cpu}" in page.select_one("pre.tall").get_text()

    @pytest.mark.parametrize("state", [State.PUBLISHED, State.RETIRED])
    def test_a_post_to_it_changes_nothing(self, client, published, state):
        if state == State.RETIRED:
            template_actions.retire(published, None)
        before = TemplateVersion.objects.values().get(pk=published.pk)
        response = client.post(url(published), page_data(published, lifetime_days="5"))
        assert response.status_code == 422
        assert TemplateVersion.objects.values().get(pk=published.pk) == before

    def test_it_is_not_deleted_by_any_address(self, client, published):
        assert client.post(reverse("admin:environments_templateversion_delete", args=[published.pk])).status_code == 403

    def test_it_is_retired_by_its_button(self, client, published):
        response = client.post(url(published, "retire"), follow=True)
        assert "can no longer be requested" in said(response)[0]
        assert "not published" in said(client.post(url(published, "retire"), follow=True))[0]

    def test_a_new_draft_is_made_from_it(self, client, published):
        response = client.post(url(published, "new_draft"), follow=True)
        assert response.redirect_chain[-1][0] == url(published.template.versions.get(number=2))

    def test_content_of_another_time_is_still_shown(self, client, draft, published):
        TemplateVersion.objects.filter(pk=draft.pk).update(spec={"colour": "red"})
        TemplateVersion.objects.filter(pk=published.pk).update(state=State.RETIRED)
        TemplateVersion.objects.filter(pk=draft.pk).update(state=State.PUBLISHED)
        page = soup(client.get(url(draft)))
        assert "This version of the portal cannot read the content." in page.get_text()
        assert "colour: red" in page.select_one("pre.tall").get_text()


@pytest.mark.parametrize("verb", ["publish", "retire", "discard", "new_draft"])
def test_a_verb_needs_a_post_by_a_platform_admin(client, draft, dana, verb):
    assert client.get(url(draft, verb)).status_code == 405
    before = list(TemplateVersion.objects.values())
    client.force_login(dana)
    assert client.post(url(draft, verb)).status_code == 302
    assert list(TemplateVersion.objects.values()) == before


class TestDifferences:
    """Between any two versions."""

    def test_a_draft_is_compared_with_what_is_published(self, client, published, draft, ada):
        template_actions.save_draft(draft, draft.parsed().model_copy(update={"lifetime_days": 30}), "", ada)
        page = soup(client.get(url(draft, "differences")))
        assert [item.get_text() for item in page.select(".sentences li")] == ["Lifetime: 30 days, was 90 days."]
        assert page.select_one(".diff .removed").get_text().strip() == "-lifetime_days: 90"
        assert page.select_one(".diff .added").get_text().strip() == "+lifetime_days: 30"

    def test_any_other_version_can_be_chosen(self, client, published, draft, ada):
        third = template_actions.new_draft(draft, ada)
        page = soup(client.get(url(third, "differences"), {"with": "2"}))
        assert page.select_one("option[selected]")["value"] == "2"
        assert "No differences." in page.get_text()

    def test_a_single_version_has_nothing_to_be_compared_with(self, client, published):
        assert "only version" in soup(client.get(url(published, "differences"))).get_text()


class TestThePreview:
    """The manifests as they would be, and what a cluster says to them."""

    def data(self, version, place, **more) -> dict[str, str]:
        page = version_pages.preview(version, None or version.published_by or self.ada, None)
        fields = {field.html_name: str(field.value() or "") for field in page.form}
        return fields | {"cluster": str(place.pk), "scratch": "allotment"} | more

    @pytest.fixture(autouse=True)
    def _ada(self, ada):
        self.ada = ada

    def test_it_shows_the_manifests_for_the_given_inputs(self, client, draft, place):
        data = self.data(draft, place, p_cpu="4000m", name="Big One")
        page = soup(client.post(url(draft, "preview"), data))
        text = page.select_one("pre.tall").get_text()
        assert "requests.cpu: 4000m" in text
        assert "ada-big-one-" in text

    def test_a_dry_run_reports_what_the_cluster_would_take_and_stores_nothing(self, client, draft, place, admin):
        before = {item["metadata"]["name"] for item in admin.list_objects("Namespace")}
        page = soup(client.post(url(draft, "preview"), self.data(draft, place, dry_run="1")))
        verdicts = [line.get_text(" ", strip=True) for line in page.select(".verdicts li")]
        assert verdicts[0].startswith("accepted Namespace ada-example-")
        assert any(line.startswith("accepted RoleBinding") and "tested in allotment" in line for line in verdicts)
        assert page.select_one("#verdicts + .pill").get_text() == "nothing rejected"
        assert {item["metadata"]["name"] for item in admin.list_objects("Namespace")} == before
        assert not admin.get("ResourceQuota", "environment-quota", "allotment")

    def test_a_namespace_that_is_not_there_is_said(self, client, draft, place):
        data = self.data(draft, place, dry_run="1", scratch="nowhere")
        page = soup(client.post(url(draft, "preview"), data))
        verdicts = [line.get_text(" ", strip=True) for line in page.select(".verdicts li")]
        assert "this cluster has no namespace nowhere" in verdicts[1]

    def test_without_a_namespace_only_the_environments_own_is_tried(self, place):
        manifests = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ada-x-abcde"}},
            {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "ada-x-abcde"}},
        ]
        verdicts = dry_run(connect(place), manifests, "")
        assert [verdict.tone for verdict in verdicts] == ["ok", ""]
        assert verdicts[1].sentence.startswith("Not tested")

    def test_what_the_cluster_refuses_is_told_in_its_words(self, place):
        wrong = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "x"}}
        wrong["spec"] = {"hard": {"pods": "plenty"}}
        verdicts = dry_run(connect(place), [wrong], "allotment")
        assert verdicts[0].is_refused
        assert verdicts[0].sentence.startswith("The cluster rejected the request (")

    def test_a_kind_that_the_portal_does_not_know_is_not_passed_over(self, place):
        odd = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "x"}}
        assert "Not tested" in dry_run(connect(place), [odd], "allotment")[0].sentence

    def test_a_cluster_that_does_not_answer_gets_its_sentence(self, client, draft, cluster):
        type(cluster).objects.filter(pk=cluster.pk).update(server="http://127.0.0.1:1", credential="x")
        page = soup(client.post(url(draft, "preview"), self.data(draft, cluster, dry_run="1")))
        assert page.select_one("[role=status]").get_text() == f"Amsterdam: {REFUSED}"

    def test_inputs_that_are_wrong_are_said_at_their_field(self, client, draft, place):
        page = soup(client.post(url(draft, "preview"), self.data(draft, place, p_cpu="9", dry_run="1")))
        assert page.select_one("[name=p_cpu]").find_parent(class_="errors")
        assert not page.select(".verdicts")
