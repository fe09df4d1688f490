"""Approvals, as those who decide and those who asked see them."""

import copy
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from environments import spec as template_spec
from environments.actions import approvals
from environments.lib import dates
from environments.lib.phases import Phase
from environments.models import Environment
from environments.routine import lifetimes
from tests.makers import SPEC, person
from tests.pages.reading import HTMX, facts, labelled, one, read, rows, words

WAITING = "Waiting for approval"

pytestmark = pytest.mark.usefixtures("enqueued")


def spec(*, everything=False):
    content = copy.deepcopy(SPEC) | {"approval": everything}
    content["sizes"][2]["approval"] = not everything
    return content


@pytest.fixture
def make_request(make_environment):
    """A request of dana's that waits for approval, asked for so many days ago."""

    def make(days=0, **fields):
        asked = timezone.now() - timedelta(days=days)
        what = {"name": "Ranking", "purpose": "Search ranking", "size": "large"} | fields
        row = make_environment(
            phase=Phase.AWAITING_APPROVAL, requested_at=asked, created_at=asked, ends_at=None,
            reserved_cpu=4, reserved_memory=4 * 2**30, **what,
        )  # fmt: skip
        row.conditions.update(status="Pending")
        return row

    return make


@pytest.fixture
def visit(client):
    """Any page as somebody."""

    def visit(user, path="/approvals/", **more):
        client.force_login(user)
        return client.get(path, **more)

    return visit


@pytest.fixture
def decide(client):
    """Send the form as somebody."""

    def decide(user, row, decision, note="", page="approvals"):
        client.force_login(user)
        sent = {"decision": decision, "note": note, "page": page}
        return client.post(f"/environments/{row.namespace}/decide/", sent)

    return decide


def nav(soup):
    return {words(link): link["href"] for link in soup.select(".nav a")}


class TestTheList:
    def test_says_who_asks_for_what_and_what_it_adds(self, visit, max_manager, make_request, make_environment):
        make_environment(reserved_cpu=2, reserved_memory=3 * 2**30)
        make_request(days=3)
        end = timezone.now() + timedelta(days=30)
        card = one(read(visit(max_manager)), "article.card")
        assert words(card.h2) == "Ranking"
        assert words(card.header.span) == "requested 3 days ago"
        assert "Search ranking" in words(card)
        assert facts(card) == {
            "Requested by": "Dana Example dana@example.com",
            "Team": "Checkout",
            "Template": "Namespace · Large on Amsterdam",
            "Cost centre": "1040",
            "Other members": "none",
            "Lifetime": f"30 days after approval, until {dates.upcoming_day(end, timezone.now())} if approved today",
            "Quota": "4 cores, 4 GiB memory, 100 pods 2 more limits 10 services, no load balancers",
            "Cost a month": "no rate for Amsterdam",
            "Reserves": "4 cores and 4 GiB memory",
            "Team total after approval": "6 cores and 7 GiB memory now 2 cores and 3 GiB memory",
            "Reserved on Amsterdam after approval": (
                "6 cores and 7 GiB memory this request: 66 % of CPU, 57 % of memory"
            ),
        }

    def test_the_longest_waiting_comes_first(self, visit, max_manager, make_request):
        for days, name in ((1, "new"), (5, "old"), (3, "middle")):
            make_request(days=days, name=name)
        soup = read(visit(max_manager))
        assert [words(card.h2) for card in soup.select("article.card")] == ["old", "middle", "new"]

    def test_others_teams_are_not_in_it(self, visit, sam, make_request):
        make_request()
        mia = person("mia", "Mia", is_manager=True)
        sam.teams.get().managers.add(mia)
        soup = read(visit(mia))
        assert soup.select("article.card") == []
        assert "No pending requests" in words(soup.main)

    def test_is_not_for_developers(self, visit, dana):
        assert visit(dana).status_code == 403

    def test_what_was_decided_lately_stays_with_its_note(self, visit, max_manager, ada, make_request):
        approvals.approve(make_request(name="one"), ada, "")
        approvals.reject(make_request(name="two"), max_manager, "Too large.")
        table = one(read(visit(max_manager)), "table")
        rows = [[words(cell) for cell in row.select("td")[:3]] for row in table.select("tbody tr")]
        assert rows == [
            ["Rejected by Max Example", "Dana Example Checkout", "Too large."],
            ["Approved by Ada Example", "Dana Example Checkout", "–"],
        ]

    def test_answers_that_nobody_could_choose_are_left_out_and_long_ones_cut(self, visit, max_manager, make_request):
        parameters = [
            {"name": "tier", "mode": "fixed", "default": "gold"},
            {"name": "notes", "type": "text"},
            {"name": "unanswered"},
        ]
        content = template_spec.dump(template_spec.parse(spec() | {"parameters": parameters}))
        make_request(spec=content, parameters={"tier": "gold", "notes": "word " * 100, "unanswered": ""})
        found = facts(one(read(visit(max_manager)), "article.card"))
        assert not {"Tier", "Unanswered"} & set(found)
        assert found["Notes"].endswith(" …")
        assert len(found["Notes"]) <= 120

    def test_what_the_quota_says_is_not_said_twice(self, visit, max_manager, make_request):
        parameters = [{"name": name, "type": "quantity", "required": True} for name in ("cpu", "volume")]
        quota = {"requests.cpu": "${cpu}", "services": "10"}
        content = template_spec.dump(template_spec.parse({"approval": True, "parameters": parameters, "quota": quota}))
        make_request(spec=content, size="", parameters={"cpu": "1500m", "volume": "5Gi"})
        found = facts(one(read(visit(max_manager)), "article.card"))
        assert (found["Quota"], found["Volume"]) == ("1.5 cores 1 more limit 10 services", "5Gi")
        assert "Cpu" not in found

    def test_a_request_whose_template_cannot_be_read_is_listed_all_the_same(self, visit, max_manager, make_request):
        make_request(spec={"odd": True})
        assert facts(one(read(visit(max_manager)), "article.card"))["Quota"] == "cannot be read"


class TestTheWayThere:
    def test_the_entry_counts_what_waits_for_the_reader(self, visit, max_manager, ada, dana, make_request):
        make_request()
        make_request(team=None)
        assert "Approvals 1 pending" in nav(read(visit(max_manager, "/")))
        assert "Approvals 2 pending" in nav(read(visit(ada, "/")))
        assert not any("Approvals" in link for link in nav(read(visit(dana, "/"))))

    def test_it_says_no_number_where_nothing_waits(self, visit, max_manager, make_request):
        make_request(owner=max_manager)
        assert nav(read(visit(max_manager, "/")))["Approvals"] == "/approvals/"


class TestTheDecision:
    def test_approving_has_it_made(self, decide, max_manager, make_request):
        row = make_request()
        assert decide(max_manager, row, "approve", "Fine.")["Location"] == "/approvals/"
        row.refresh_from_db()
        assert (row.phase, row.decision_note) == (Phase.PROVISIONING, "Fine.")

    def test_from_its_own_page_it_leads_back_there(self, decide, max_manager, make_request):
        row = make_request()
        response = decide(max_manager, row, "reject", "Not now.", page="environment")
        assert response["Location"] == f"/environments/{row.namespace}/"
        row.refresh_from_db()
        assert row.phase == Phase.REJECTED

    @pytest.mark.parametrize("page", ["approvals", "environment"])
    @pytest.mark.parametrize(("note", "sentence"), [("x" * 501, "at most 500 characters")])
    def test_a_mistake_is_said_at_the_field_and_nothing_is_lost(
        self, decide, max_manager, make_request, page, note, sentence
    ):
        other, row = make_request(days=2, name="Other"), make_request()
        soup = read(decide(max_manager, row, "approve", note, page=page), status=422)
        control = one(soup, f"#id_{row.namespace}_note")
        assert control["aria-invalid"] == "true"
        assert control.text.strip() == note
        assert sentence in words(one(soup, f"#{control['aria-describedby'].split()[-1]}"))
        assert one(soup, "#errors a")["href"] == f"#id_{row.namespace}_note"
        assert soup.title.string.startswith("Error: ")
        assert not soup.select(f"#id_{other.namespace}_note[aria-invalid]")
        row.refresh_from_db()
        assert row.awaits_approval

    @pytest.mark.parametrize(("note", "sentence"), [("", "Tell the requester why."), ("x" * 501, "at most 500")])
    @pytest.mark.parametrize("way", ["reject", "decide"])  # a page that was open during an upgrade uses the latter
    def test_a_mistake_in_a_rejection_is_said_at_the_field_and_nothing_is_lost(
        self, client, max_manager, make_request, note, sentence, way
    ):
        row = make_request()
        client.force_login(max_manager)
        sent = {"decision": "reject", "note": note, "page": "environment"}
        soup = read(client.post(f"/environments/{row.namespace}/{way}/", sent), status=422)
        control = labelled(soup, "Reason")
        assert control["aria-invalid"] == "true"
        assert control.text.strip() == note
        assert sentence in words(one(soup, f"#{control['aria-describedby'].split()[-1]}"))
        assert soup.title.string.startswith("Error: ")
        row.refresh_from_db()
        assert row.awaits_approval

    def test_what_is_in_the_way_of_an_approval_is_said(self, decide, max_manager, make_request, cluster):
        row = make_request()
        cluster.accepts_new = False
        cluster.save()
        soup = read(decide(max_manager, row, "approve", "Go."), status=422)
        assert "Amsterdam accepts no new environments" in words(one(soup, "#errors"))
        assert words(one(soup, f"#id_{row.namespace}_note")) == "Go."

    def test_who_comes_second_hears_of_the_first(self, client, decide, max_manager, ada, make_request):
        row = make_request()
        decide(ada, row, "reject", "No.")
        client.force_login(max_manager)
        sent = {"decision": "approve"}
        soup = read(client.post(f"/environments/{row.namespace}/decide/", sent, follow=True))
        assert "Ada Example has already rejected the request “Ranking”." in words(one(soup, ".notice.warning"))

    @pytest.mark.parametrize("page", ["approvals", "environment"])
    def test_a_mistake_that_comes_too_late_hears_of_what_came_first(
        self, client, decide, max_manager, ada, make_request, page
    ):
        row = make_request()
        decide(ada, row, "reject", "No.")
        response = decide(max_manager, row, "reject", "x" * 501, page=page)
        soup = read(client.get(response["Location"]))
        assert "Ada Example has already rejected the request “Ranking”." in words(one(soup, ".notice.warning"))
        assert soup.select("#errors") == []

    @pytest.mark.parametrize("decision", ["", "delete", "Approve"])
    def test_another_word_is_no_decision(self, decide, max_manager, make_request, decision):
        row = make_request()
        assert decide(max_manager, row, decision).status_code == 400
        row.refresh_from_db()
        assert row.awaits_approval


class TestTheEnvironmentsPage:
    @pytest.fixture
    def row(self, make_request, max_manager):
        return make_request(days=1)

    def test_says_who_is_waited_for_by_name(self, visit, dana, row):
        soup = read(visit(dana, f"/environments/{row.namespace}/"))
        first = soup.select("section[aria-labelledby=progress-title] ol > li")[0]
        assert words(first.b) == f"{WAITING} : waiting"
        assert words(first.p) == "Max Example (manager of Checkout)"
        assert f"{WAITING}: Max Example (manager of Checkout)." in words(one(soup, "#live .notice.wait"))
        assert facts(soup)["State"] == WAITING
        assert facts(soup)["Expires"] == "30 days after approval"
        assert soup.title.string.startswith(WAITING)

    def test_looks_again_by_itself_but_not_under_the_hands_of_whoever_writes_a_note(self, visit, max_manager, row):
        soup = read(visit(max_manager, f"/environments/{row.namespace}/"))
        live = one(soup, "#live")
        assert live["hx-trigger"] == "every 2s, look from:body"
        forms = live.select("form")
        assert [(form["id"], form["hx-preserve"]) for form in forms] == [("decision-form", "true")]
        assert live.select("textarea") == forms[0].select("textarea")
        assert soup.select("noscript meta") == []

    def test_says_once_what_it_was_asked_for_with(self, visit, dana, max_manager, row):
        for user in (dana, max_manager):
            soup = read(visit(user, f"/environments/{row.namespace}/"))
            assert [words(item.dd) for item in soup.select("dl.facts > div") if words(item.dt) == "Cost centre"] == [
                "1040"
            ]

    def test_offers_the_decision_to_those_who_may(self, visit, dana, theo, ada, max_manager, row):
        found = {}
        for user in (dana, theo, ada, max_manager):
            found[user.username] = bool(read(visit(user, f"/environments/{row.namespace}/")).select("#decision"))
        assert found == {"dana": False, "theo": False, "ada": True, "max": True}

    def test_the_form_for_it_is_made_for_nobody_else(self, visit, dana, max_manager, row, make_environment):
        ready = make_environment()
        assert visit(dana, f"/environments/{row.namespace}/").context["form"] is None
        assert visit(max_manager, f"/environments/{ready.namespace}/").context["form"] is None
        assert visit(max_manager, f"/environments/{row.namespace}/").context["form"].environment == row

    def test_offers_nothing_that_needs_an_environment(self, visit, dana, row):
        soup = read(visit(dana, f"/environments/{row.namespace}/"))
        said = words(soup.main)
        assert "Withdraw request" in said
        assert "Objects to create" in said
        for word in ("Get kubeconfig", "Check now", "Try again", "Extend", "Kept by the portal"):
            assert word not in said, word

    def test_after_the_approval_it_says_so_and_goes_on(self, visit, dana, max_manager, row):
        approvals.approve(row, max_manager, "For the sale.")
        soup = read(visit(dana, f"/environments/{row.namespace}/"))
        first = soup.select("section[aria-labelledby=progress-title] ol > li")[0]
        assert words(first.p) == "Namespace v1, approved by Max Example"
        assert facts(soup)["Approved"] == "just now by Max Example"
        assert facts(soup)["Requested"] == "24 hours ago"
        history = read(visit(dana, f"/environments/{row.namespace}/history/"))
        assert "Max Example approved the request: For the sale." in words(history.main)

    def test_a_rejected_one_gives_the_reason_and_is_settled(self, visit, dana, max_manager, row):
        approvals.reject(row, max_manager, "Use the medium one.")
        soup = read(visit(dana, f"/environments/{row.namespace}/"))
        assert "rejected by Max Example. “Use the medium one.” Nothing was created." in words(
            one(soup, "#live .notice.bad")
        )
        assert "hx-get" not in one(soup, "#live").attrs
        titles = [words(line) for line in soup.select("section[aria-labelledby=progress-title] li b")]
        assert titles == ["Requested : done", "Rejected : rejected"]
        said = words(soup.main)
        for word in ("failed", "Removal", "Delete", "was removed", "Withdraw"):
            assert word not in said, word

    def test_no_other_environment_says_anything_of_approvals(self, visit, dana, make_environment):
        soup = read(visit(dana, f"/environments/{make_environment().namespace}/"))
        assert "pprov" not in words(soup.main)


class TestWithdrawing:
    def test_asks_for_no_name(self, client, dana, make_request):
        row = make_request()
        client.force_login(dana)
        soup = read(client.get(f"/environments/{row.namespace}/delete/"))
        assert words(soup.h1) == "Withdraw Ranking"
        assert soup.select("main input:not([type=hidden])") == []
        response = client.post(f"/environments/{row.namespace}/delete/")
        assert response["Location"] == f"/environments/{row.namespace}/"
        row.refresh_from_db()
        assert row.phase == Phase.WITHDRAWN
        notice = words(one(read(client.get(response["Location"])), "#live .notice > div"))
        assert notice == "This request was withdrawn by Dana Example. Nothing was created."
        assert "This request is already closed." in words(
            read(client.get(f"/environments/{row.namespace}/delete/")).main
        )

    def test_the_reason_is_on_its_page_and_in_its_history(self, client, dana, max_manager, make_request):
        row = make_request()
        client.force_login(dana)
        client.post(f"/environments/{row.namespace}/delete/", {"note": "Theo has one."})
        client.force_login(max_manager)
        notice = words(one(read(client.get(f"/environments/{row.namespace}/")), "#live .notice > div"))
        assert notice == "This request was withdrawn by Dana Example. “Theo has one.” Nothing was created."
        history = read(client.get(f"/environments/{row.namespace}/history/"))
        assert "Dana Example withdrew the request: Theo has one." in words(history.main)

    def test_a_reason_that_is_too_long_is_said_at_its_field_and_nothing_is_lost(self, client, dana, make_request):
        row = make_request()
        client.force_login(dana)
        soup = read(client.post(f"/environments/{row.namespace}/delete/", {"note": "x" * 501}), status=422)
        control = labelled(soup, "Reason")
        assert control["aria-invalid"] == "true"
        assert control.text.strip() == "x" * 501
        assert "at most 500 characters" in words(one(soup, "#errors"))
        row.refresh_from_db()
        assert row.awaits_approval

    def test_what_the_portal_ended_says_why(self, client, dana, make_request, cluster):
        row = make_request()
        lifetimes.end_stranded(row)
        client.force_login(dana)
        notice = words(one(read(client.get(f"/environments/{row.namespace}/")), "#live .notice > div"))
        assert notice.startswith("This request has ended. A platform admin marked its cluster as lost")

    def test_whoever_takes_back_what_another_asked_for_is_told_who_hears_of_it(self, client, ada, make_request):
        row = make_request()
        client.force_login(ada)
        soup = read(client.get(f"/environments/{row.namespace}/delete/"))
        assert "We'll email Dana Example." in words(soup.main)

    def test_what_was_approved_meanwhile_still_asks_for_its_name(self, client, dana, max_manager, make_request):
        row = make_request()
        approvals.approve(row, max_manager)
        client.force_login(dana)
        assert client.post(f"/environments/{row.namespace}/delete/").status_code == 422
        row.refresh_from_db()
        assert row.wanted

    def test_is_for_the_owner_and_platform_admins(self, client, theo, max_manager, make_request):
        row = make_request()
        for user in (theo, max_manager):
            client.force_login(user)
            assert client.post(f"/environments/{row.namespace}/delete/").status_code == 403


class TestBeforeAsking:
    @pytest.fixture
    def browser(self, client, cluster, directory, dana, max_manager):
        client.force_login(dana)
        return client

    def test_the_size_says_it(self, browser, make_template):
        make_template(spec=spec())
        cards = [words(card) for card in read(browser.get("/catalog/namespace/request/")).select("label.choice")]
        assert ["Needs approval" in card for card in cards] == [False, False, True]
        assert "Large needs approval from a manager" in words(read(browser.get("/catalog/namespace/")).main)
        assert "some sizes need approval" in words(read(browser.get("/catalog/")).main)

    def test_the_template_says_it_where_every_request_needs_it(self, browser, make_template):
        make_template(spec=spec(everything=True))
        page = words(read(browser.get("/catalog/namespace/request/")).main)
        assert "Every request for this template needs approval" in page
        assert "Every request needs approval from a manager" in words(read(browser.get("/catalog/namespace/")).main)
        assert "needs approval" in words(read(browser.get("/catalog/")).main)

    def test_the_plan_names_who_is_waited_for(self, browser, make_template):
        make_template(spec=spec())
        for size, first in (("small", "Namespace"), ("large", "Approval")):
            soup = read(browser.post("/catalog/namespace/preview/", {"size": size}, headers=HTMX))
            assert words(soup.select("li b")[0]) == first
        said = words(soup)
        assert "By Max Example (manager of Checkout). Nothing is created until it is approved." in said
        assert "expires 30 days after approval" in said

    def test_where_nothing_needs_approval_nothing_is_said(self, browser, template_version):
        for path in ("/", "/catalog/namespace/", "/catalog/namespace/request/"):
            assert "approval" not in words(read(browser.get(path)).main).lower(), path


def test_the_list_of_environments_shows_it_and_can_be_narrowed_to_it(visit, dana, make_request, make_environment):
    make_request()
    make_environment()
    for path in ("/environments/", f"/environments/?phase={WAITING}"):
        assert WAITING in [words(pill) for pill in read(visit(dana, path)).select("#rows .pill")]
    lines = rows(read(visit(dana, "/environments/")))
    assert next(line for line in lines if line[0].startswith("Ranking"))[-2:] == ["–", "–"]  # usage, expiry


def test_no_decision_passes_without_a_token(max_manager, make_request):
    row = make_request()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(max_manager)
    assert strict.post(f"/environments/{row.namespace}/decide/", {"decision": "approve"}).status_code == 403
    assert Environment.objects.get(pk=row.pk).awaits_approval
