"""Asking again for what was rejected, withdrawn or deleted: the form as it was filled in, and what changed since."""

import copy
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from environments import spec as template_spec
from environments.actions import approvals
from environments.catalog import templates as template_actions
from environments.lib.phases import Phase, Role
from environments.models import Cluster, Environment, Event, Member, Team, TemplateVersion
from tests.makers import SPEC
from tests.pages.reading import facts, labelled, one, read, words

URL = "/catalog/namespace/request/"
REASON = "Begin with the medium one."
STATE = TemplateVersion.State

pytestmark = pytest.mark.usefixtures("enqueued")


@pytest.fixture
def browser(client, dana, template_version):
    client.force_login(dana)
    return client


@pytest.fixture
def make_rejected(make_environment, max_manager):
    """A request of dana's that Max rejected."""

    def make(**fields):
        usual = {"name": "Ranking", "purpose": "Search ranking", "size": "large"}
        asked = {"requested_at": timezone.now(), "ends_at": None}
        row = make_environment(phase=Phase.AWAITING_APPROVAL, **asked | usual | fields)
        approvals.reject(row, max_manager, REASON)
        row.refresh_from_db()
        return row

    return make


@pytest.fixture
def publish():
    """Publish the next version of a template, of other content."""

    def publish(version, **changes):
        draft = template_actions.new_draft(version, None)
        content = template_spec.parse(copy.deepcopy(SPEC) | changes)
        template_actions.save_draft(draft, content, "Changed.", None)
        return template_actions.publish(draft, None)

    return publish


def again(row, slug="namespace"):
    return f"/catalog/{slug}/request/?again={row.namespace}"


def page_of(row):
    return f"/environments/{row.namespace}/"


def answers(soup):
    """What the form is filled in with, by field."""
    form = one(soup, "#request-form")
    found = {}
    for control in form.select("input:not([type=hidden]), textarea, select"):
        name = control["name"]
        if control.name == "select":
            found[name] = words(control.select_one("[selected]") or control.select_one("option"))
        elif control.get("type") in ("radio", "checkbox"):
            if control.has_attr("checked"):
                found[name] = control["value"] if control["type"] == "radio" else "on"
        else:
            found[name] = control.get("value", "") if control.name == "input" else control.text.strip()
    return found


def said(soup):
    """What the form says of answers that it does not take any more: field -> sentences; "" for those without one."""
    found = {}
    for item in soup.select("#errors li"):
        link = item.a["href"].removeprefix("#id_") if item.a else ""
        found.setdefault(link, []).append(words(item).partition(" : ")[2] if item.a else words(item))
    for name, sentences in found.items():
        if name:
            shown = [words(line) for line in soup.select(f"#id_{name.removesuffix('_0')}_error li")]
            assert shown == sentences, "the summary says what stands at the field"
    return found


USUAL = {
    "name": "Ranking",
    "purpose": "Search ranking",
    "size": "large",
    "p_cost_centre": "1040",
    "cluster": "Amsterdam",
    "team": "Checkout",
    "collaborators": "",
    "collaborator_role": "Developer",
}


class TestTheWayThere:
    def test_a_rejected_request_leads_there_beside_the_reason(self, browser, make_rejected):
        row = make_rejected()
        notice = one(read(browser.get(page_of(row))), "#live .notice.bad")
        assert REASON in words(notice)
        link = one(notice, "a.button")
        assert (words(link), link["href"]) == ("Request again", again(row))

    @pytest.mark.parametrize("phase", [Phase.WITHDRAWN, Phase.DELETED])
    def test_so_does_what_was_withdrawn_or_deleted(self, browser, make_environment, phase):
        row = make_environment(phase=phase, wanted=False, deleted_at=timezone.now())
        assert one(read(browser.get(page_of(row))), "#live .notice a.button")["href"] == again(row)

    @pytest.mark.parametrize("phase", [Phase.AWAITING_APPROVAL, Phase.READY, Phase.FAILED, Phase.DELETING])
    def test_nothing_else_does(self, browser, make_environment, phase):
        row = make_environment(phase=phase)
        assert "Request again" not in words(read(browser.get(page_of(row))).main)
        assert answers(read(browser.get(again(row))))["name"] == ""

    def test_it_is_offered_to_whoever_asked(self, client, make_rejected, dana, theo, max_manager, ada):
        row = make_rejected()
        found = {}
        for user in (dana, theo, max_manager, ada):
            client.force_login(user)
            found[user.username] = bool(read(client.get(page_of(row))).select("#again"))
        assert found == {"dana": True, "theo": False, "max": False, "ada": False}

    def test_the_page_keeps_what_it_was_asked_for_with(self, browser, make_rejected, make_environment):
        people = {"members": {"theo@example.com": Role.VIEWER}}
        for row in (make_rejected(**people), make_environment(phase=Phase.DELETED, **people)):
            shown = facts(one(read(browser.get(page_of(row))), "section[aria-labelledby=progress-title]"))
            assert shown == {"Cost centre": "1040", "Collaborators": "theo@example.com (Viewer)"}
        alive = read(browser.get(page_of(make_environment(**people))))
        assert "Cost centre" not in words(alive.main)

    def test_the_page_says_where_the_template_is_not_offered_any_more(self, browser, make_rejected, template_version):
        row = make_rejected()
        template_actions.retire(template_version, None)
        notice = one(read(browser.get(page_of(row))), "#live .notice.bad")
        assert "Namespace is no longer available to you." in words(notice)
        assert [link["href"] for link in notice.select("a")] == ["/catalog/"]

    def test_pages_of_what_lives_ask_the_database_no_more_often_for_it(self, browser, make_environment):
        row = make_environment()
        with CaptureQueriesContext(connection) as queries:
            browser.get(page_of(row))
        asked = [query["sql"] for query in queries if "environments_template_teams" in query["sql"]]
        assert asked == []


class TestTheForm:
    def test_is_filled_in_as_before(self, browser, make_rejected):
        soup = read(browser.get(again(make_rejected())))
        assert answers(soup) == USUAL
        assert said(soup) == {}
        assert "CPU requests 4 cores" in words(one(soup, "#preview"))

    def test_says_from_what_and_why_nothing_came_of_that(self, browser, make_rejected):
        row = make_rejected()
        soup = read(browser.get(again(row)))
        notice = one(soup, "#earlier")
        assert words(notice).startswith("Copied from your rejected request Ranking")
        assert f"Max Example wrote: “{REASON}”" in words(notice)
        assert notice.a["href"] == page_of(row)
        assert soup.title.string.startswith("Request ")

    def test_members_come_along_with_their_role(self, browser, make_rejected, theo):
        row = make_rejected(members={"theo@example.com": Role.VIEWER, "gone@example.com": Role.VIEWER})
        Member.objects.filter(email__startswith="gone").update(wanted=False)
        found = answers(read(browser.get(again(row))))
        assert (found["collaborators"], found["collaborator_role"]) == ("theo@example.com", "Viewer")

    def test_reading_it_changes_nothing(self, browser, make_rejected):
        row = make_rejected()
        before = Event.objects.count(), Environment.objects.count()
        for _ in range(2):
            browser.get(again(row))
        assert (Event.objects.count(), Environment.objects.count()) == before

    def test_sent_it_is_a_new_request(self, browser, make_rejected, directory):
        row = make_rejected()
        soup = read(browser.get(again(row)))
        form = one(soup, "#request-form")
        sent = {field["name"]: field["value"] for field in form.select("input[type=hidden]")} | answers(soup)
        sent |= {"cluster": row.cluster_id, "team": row.team_id, "collaborator_role": "developer", "size": "medium"}
        response = browser.post(form["action"], sent)
        made = Environment.objects.exclude(pk=row.pk).get()
        assert response["Location"] == page_of(made)
        assert made.request_key != row.request_key
        assert (made.name, made.size, made.parameters) == ("Ranking", "medium", row.parameters)
        row.refresh_from_db()
        assert row.phase == Phase.REJECTED

    def test_the_reason_stays_while_a_mistake_is_mended(self, browser, make_rejected):
        row = make_rejected()
        soup = read(browser.post(again(row), {"name": "!!!", "key": uuid.uuid4()}), status=422)
        assert REASON in words(one(soup, "#earlier"))
        assert labelled(soup, "Name")["value"] == "!!!"
        assert soup.title.string.startswith("Error: ")

    def test_a_teammate_may_ask_for_it_themselves(self, client, make_rejected, theo):
        row = make_rejected(members={"theo@example.com": Role.VIEWER})
        client.force_login(theo)
        found = answers(read(client.get(again(row))))
        assert (found["name"], found["collaborators"]) == ("Ranking", "dana@example.com")

    def test_costs_as_many_queries_however_much_there_is(self, browser, make_rejected, make_environment, theo):
        row = make_rejected(members={"theo@example.com": Role.VIEWER})

        def count():
            with CaptureQueriesContext(connection) as queries:
                assert browser.get(again(row)).status_code == 200
            return len(queries)

        count()
        before = count()
        for number in range(1, 15):
            make_environment(phase=Phase.DELETED, members={"theo@example.com": Role.VIEWER})
            Cluster.objects.create(slug=f"c{number}", name=f"Cluster {number}", server="https://c.example.com")
            Team.objects.create(name=f"Team {number}", group=f"team-{number}").members.add(row.owner)
        assert count() == before


class TestWhatChangedSince:
    def test_a_size_that_is_gone(self, browser, make_rejected, template_version, publish):
        row = make_rejected()
        publish(template_version, sizes=SPEC["sizes"][:2])
        soup = read(browser.get(again(row)))
        assert said(soup) == {"size_0": ["The size Large is no longer available to you. Choose another."]}
        assert answers(soup) == USUAL | {"size": "small"}

    def test_a_size_that_is_for_others_now(self, browser, make_rejected, template_version, publish):
        row = make_rejected()
        sizes = copy.deepcopy(SPEC["sizes"])
        sizes[2]["teams"] = ["Search"]
        publish(template_version, sizes=sizes)
        assert "no longer available to you" in said(read(browser.get(again(row))))["size_0"][0]

    def test_sizes_that_there_are_not_any_more(self, browser, make_rejected, template_version, publish):
        row = make_rejected()
        publish(template_version, sizes=[])
        soup = read(browser.get(again(row)))
        assert said(soup) == {"": ["The size Large is no longer available to you."]}

    @pytest.mark.parametrize(
        ("parameter", "sentence", "shown"),
        [
            ({"pattern": "[A-Z]{3}", "help": "Three letters."}, "“1040” can't be used. Three letters.", "1040"),
            ({"pattern": "[A-Z]{3}", "default": "ABC"}, "“1040” can't be used. For example: ABC", "1040"),
            ({"pattern": "[A-Z]{3}"}, "“1040” can't be used. Ask a platform admin which values can.", "1040"),
            ({"type": "integer", "maximum": "999"}, "At most 999.", "1040"),
            ({"type": "integer", "minimum": "2000"}, "At least 2000.", "1040"),
            ({"choices": ["2000", "3000"]}, "“1040” is no longer offered. Choose another.", "2000"),
        ],
        ids=["help", "example", "pattern", "maximum", "minimum", "choices"],
    )
    def test_an_answer_that_is_out_of_bounds_now(
        self, browser, make_rejected, template_version, publish, parameter, sentence, shown
    ):
        row = make_rejected()
        publish(template_version, parameters=[{"name": "cost_centre", "required": True} | parameter])
        soup = read(browser.get(again(row)))
        assert said(soup) == {"p_cost_centre": [sentence]}
        assert answers(soup) == USUAL | {"p_cost_centre": shown}

    def test_it_opens_with_what_to_check_and_not_with_an_alarm(self, browser, make_rejected, template_version, publish):
        row = make_rejected()
        publish(template_version, parameters=[])
        summary = one(read(browser.get(again(row))), "#errors")
        assert words(summary.h2) == "Check 1 answer"
        assert summary["class"] == ["notice", "wait"]
        assert not {"role", "autofocus"} & set(summary.attrs)

    def test_a_new_question_is_not_an_error_before_anybody_could_answer_it(
        self, browser, make_rejected, template_version, publish
    ):
        row = make_rejected()
        publish(template_version, parameters=[*SPEC["parameters"], {"name": "zone", "required": True}])
        assert said(read(browser.get(again(row)))) == {}
        soup = read(browser.post(again(row), {"name": "Ranking", "size": "large"}), 422)
        assert "p_zone" in said(soup)

    def test_a_question_that_is_not_asked_any_more(self, browser, make_rejected, template_version, publish):
        row = make_rejected()
        publish(template_version, parameters=[])
        soup = read(browser.get(again(row)))
        assert said(soup) == {"": ["Cost centre is no longer asked for. You had “1040”."]}

    @pytest.mark.parametrize(("fixed", "sentences"), [("1040", {}), ("7", {"": ["fixed"]})])
    def test_an_answer_that_the_template_gives_itself_now(
        self, browser, make_rejected, template_version, publish, fixed, sentences
    ):
        row = make_rejected()
        publish(template_version, parameters=[{"name": "cost_centre", "mode": "fixed", "default": fixed}])
        found = said(read(browser.get(again(row))))
        assert found.keys() == sentences.keys()
        if sentences:
            assert found[""] == ["Cost centre is now fixed to “7” by the template. You had “1040”."]

    def test_what_nobody_chose_is_not_missed(self, browser, make_environment, template_version, publish):
        first = publish(template_version, parameters=[{"name": "tier", "mode": "fixed", "default": "gold"}])
        what = {"version": first, "spec": first.spec, "parameters": {"tier": "gold"}}
        row = make_environment(phase=Phase.DELETED, **what)
        publish(first, parameters=[{"name": "tier", "mode": "fixed", "default": "tin"}])
        assert said(read(browser.get(again(row)))) == {}

    def test_a_new_question_begins_with_its_default(self, browser, make_rejected, template_version, publish):
        row = make_rejected()
        new = [{"name": "zone", "default": "a"}, {"name": "debug", "type": "boolean", "default": "true"}]
        publish(template_version, parameters=[*SPEC["parameters"], *new])
        found = answers(read(browser.get(again(row))))
        assert found == USUAL | {"p_zone": "a", "p_debug": "on"}

    def test_a_box_that_was_not_ticked_stays_so(self, browser, make_environment, template_version, publish):
        version = publish(template_version, parameters=[{"name": "debug", "type": "boolean", "default": "true"}])
        what = {"version": version, "spec": version.spec, "parameters": {"debug": "false"}}
        row = make_environment(phase=Phase.DELETED, **what)
        assert "p_debug" not in answers(read(browser.get(again(row))))

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"accepts_new": False}, "Amsterdam accepts no new environments now. Choose another."),
            ({"lost_at": timezone.now()}, "Amsterdam no longer exists. Choose another."),
            ({}, "Amsterdam no longer offers this template. Choose another."),
        ],
        ids=["closed", "lost", "not for this template"],
    )
    def test_a_cluster_that_takes_it_no_more(self, browser, make_rejected, cluster, template_version, change, sentence):
        row = make_rejected()
        other = Cluster.objects.create(slug="dublin", name="Dublin", server="https://api.dublin.example.com")
        Cluster.objects.filter(pk=cluster.pk).update(**change or {"name": "Amsterdam"})
        if not change:
            template_version.template.clusters.add(other)
        soup = read(browser.get(again(row)))
        assert said(soup) == {"cluster": [sentence]}
        assert answers(soup) == USUAL | {"cluster": "Dublin"}

    def test_no_cluster_at_all(self, browser, make_rejected):
        row = make_rejected()
        Cluster.objects.update(accepts_new=False)
        assert "accepts no new environments" in said(read(browser.get(again(row))))["cluster"][-1]

    def test_a_team_that_somebody_left(self, browser, make_rejected, dana):
        row = make_rejected()
        dana.teams.set([Team.objects.create(name="Search", group="team-search")])
        soup = read(browser.get(again(row)))
        assert said(soup) == {"team": ["You are not a member of the team Checkout. Choose another."]}
        dana.teams.clear()
        assert said(read(browser.get(again(row)))) == {"": ["You are not a member of the team Checkout."]}

    def test_people_whom_the_directory_knows_no_more(self, browser, make_rejected):
        row = make_rejected(members={"left@example.com": Role.VIEWER})
        soup = read(browser.get(again(row)))
        assert said(soup) == {"collaborators": ["We couldn't find left@example.com in the company directory."]}
        assert answers(soup)["collaborators"] == "left@example.com"

    def test_several_roles_become_the_least(self, browser, make_rejected):
        row = make_rejected(members={"theo@example.com": Role.DEVELOPER, "tess@example.com": Role.VIEWER})
        soup = read(browser.get(again(row)))
        assert answers(soup)["collaborator_role"] == "Viewer"
        (sentence,) = said(soup)["collaborator_role"]
        assert "theo@example.com developer, tess@example.com viewer" in sentence

    def test_a_role_that_is_given_no_more(self, browser, make_rejected, template_version, publish, theo):
        row = make_rejected(members={"theo@example.com": Role.VIEWER})
        publish(template_version, collaborator_roles=["developer"])
        assert said(read(browser.get(again(row)))) == {
            "collaborator_role": ["The role Viewer is no longer offered. Choose another."]
        }
        publish(TemplateVersion.objects.get(state=STATE.PUBLISHED), collaborator_roles=[])
        (sentence,) = said(read(browser.get(again(row))))[""]
        assert sentence == "This template no longer allows collaborators. You had theo@example.com."

    def test_more_people_than_a_form_takes(self, browser, make_rejected):
        row = make_rejected(members={f"m{number}@example.com": Role.VIEWER for number in range(21)})
        soup = read(browser.get(again(row)))
        assert said(soup) == {"collaborators": ["Add at most 20 people at once; you entered 21."]}
        assert answers(soup)["collaborators"].count("@") == 21

    def test_content_that_cannot_be_read_any_more_is_no_hindrance(self, browser, make_rejected):
        row = make_rejected()
        Environment.objects.filter(pk=row.pk).update(spec={"odd": True}, parameters={"cost_centre": "1040", "old": "x"})
        soup = read(browser.get(again(row)))
        assert answers(soup) == USUAL
        assert said(soup) == {"": ["old is no longer asked for. You had “x”."]}

    @pytest.mark.parametrize("how", ["retired", "for other teams"])
    def test_a_template_that_is_not_offered_any_more(self, browser, make_rejected, template_version, how):
        row = make_rejected()
        if how == "retired":
            template_actions.retire(template_version, None)
        else:
            template_version.template.teams.add(Team.objects.create(name="Search", group="team-search"))
        for response in (browser.get(again(row), follow=True), browser.post(again(row), {}, follow=True)):
            assert response.redirect_chain == [("/catalog/", 302)]
            notice = words(one(read(response), ".notice.warning"))
            assert notice == ("Namespace is no longer available to you. The answers of Ranking are still on its page.")
        assert browser.get(URL).status_code == 404


class TestWhatIsNotTheirs:
    """The plain form, as if nothing had been asked for."""

    @pytest.fixture
    def plain(self, browser):
        def plain(path):
            soup = read(browser.get(path))
            assert soup.select("#earlier, #errors") == []
            assert "again" not in one(soup, "#request-form")["action"]
            found = answers(soup)
            return found == USUAL | {"name": "", "purpose": "", "size": "small", "p_cost_centre": ""}

        return plain

    @pytest.fixture
    def theirs(self, make_rejected, sam):
        """A request of sam's, in another team."""
        row = make_rejected(name="Secret", purpose="Secret")
        Environment.objects.filter(pk=row.pk).update(owner=sam, team=sam.teams.get())
        row.members.update(email=sam.email)
        return row

    def test_somebody_elses_environment(self, plain, theirs):
        assert plain(again(theirs))

    def test_somebody_elses_environment_of_a_retired_template(self, browser, theirs, template_version):
        template_actions.retire(template_version, None)
        answers = [browser.get(path).status_code for path in (again(theirs), f"{URL}?again=nothing-like-it")]
        assert answers == [404, 404]

    def test_another_templates(self, plain, make_rejected, make_template):
        other = make_template("other")
        assert plain(again(make_rejected(version=other)))

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "nothing-like-it",
            "%00",
            "dana-ranking%00",
            "%ff%fe",
            "x" * 5000,
            "../../admin/",
            "%27%20OR%201=1--",
            "<script>alert(1)</script>",
            "ÄÖÜ",
            "١٢٣",
            "a%0d%0aSet-Cookie:x=1",
            "a&again=b",
        ],
    )
    def test_nonsense(self, plain, make_rejected, value):
        make_rejected()
        assert plain(f"{URL}?again={value}")

    def test_an_id_is_no_name(self, plain, make_rejected):
        assert plain(f"{URL}?again={make_rejected().pk}")

    def test_what_somebody_typed_then_stays_text(self, browser, make_rejected, template_version):
        hostile = "<img src=x onerror=alert(1)>{{ 7 }}"
        parameters = {"cost_centre": hostile, hostile: hostile}
        row = make_rejected(name=hostile[:40], purpose=hostile, size=hostile, parameters=parameters)
        Environment.objects.filter(pk=row.pk).update(decision_note=hostile)
        soup = read(browser.get(again(row)))
        assert soup.select("img") == []
        assert hostile in words(one(soup, "#earlier"))
        assert answers(soup)["p_cost_centre"] == hostile
        assert set(said(soup)) == {"size_0", "p_cost_centre", ""}
