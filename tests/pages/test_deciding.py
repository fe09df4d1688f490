"""Deciding with everything that one needs: what is asked for, the rejection's own step, several at once, questions."""

import copy
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from environments import spec as template_spec
from environments.actions import approvals, placement, questions
from environments.lib.phases import Phase, Role
from environments.models import Environment, Rate
from tests.makers import SPEC
from tests.pages.reading import facts, labelled, one, read, words

pytestmark = pytest.mark.usefixtures("enqueued")

GPUS = {"requests.amd.com/gpu": "4", "requests.nvidia.com/gpu": "2", "requests.storage": "1Ti", "count/jobs.batch": "5"}


@pytest.fixture
def make_request(make_environment):
    """A request of dana's that waits for approval, with the columns that its quota makes."""

    def make(name="Ranking", days=0, quota=None, **fields):
        asked = timezone.now() - timedelta(days=days)
        content = copy.deepcopy(SPEC)
        content["sizes"][2]["quota"] |= quota or {}
        content["sizes"][2]["approval"] = True
        spec = template_spec.parse(content)
        columns = placement.columns(template_spec.render_quota(spec, "large", {"cost_centre": "1040"}))
        return make_environment(
            phase=Phase.AWAITING_APPROVAL, requested_at=asked, created_at=asked, ends_at=None, size="large",
            name=name, spec=template_spec.dump(spec), **columns | fields,
        )  # fmt: skip

    return make


@pytest.fixture
def browse(client):
    """Any page as somebody; `data` is sent."""

    def browse(user, path, data=None, **more):
        client.force_login(user)
        return client.post(path, data, **more) if data is not None else client.get(path, **more)

    return browse


def said(soup) -> list[str]:
    return [words(each) for each in soup.select("main > .notice[role=status]:not([hidden])")]


class TestWhatIsAskedFor:
    def test_all_resources_cost_lifetime_members_and_totals(
        self, browse, max_manager, make_request, make_environment, cluster
    ):
        make_environment(name="Theirs", team=None, reserved_cpu=6, reserved_memory=2**30, reserved_gpus=4)
        rate = {"cpu_hour": "0.01", "memory_hour": "0.001", "storage_hour": "0.0001", "gpu_hour": "1"}
        Rate.objects.create(cluster=cluster, starts_on="2020-01-01", **rate)
        row = make_request(quota=GPUS, members={"theo@example.com": Role.VIEWER})
        for path in ("/approvals/", f"/environments/{row.namespace}/", f"/environments/{row.namespace}/reject/"):
            found = {}
            for part in read(browse(max_manager, path)).select("dl.facts"):
                found |= facts(part.parent)
            assert found["Quota"] == (
                "4 cores, 4 GiB memory, 4 AMD GPUs, 2 GPUs, 100 pods, 1 TiB storage"
                " 3 more limits 5 jobs, 10 services, no load balancers"
            ), path
            # 720 hours of 4 cores, 4 GiB, 1024 GiB of storage and 6 GPUs
            assert found["Cost a month"].startswith("4,425.41 EUR"), path
            assert found["Lifetime"].startswith("30 days after approval"), path
            assert found["Other members"] == "theo@example.com (viewer)", path
            assert found["Team total after approval"] == "4 cores, 4 GiB memory, 1 TiB storage and 6 GPUs", path
            assert found["Reserved on Amsterdam after approval"] == (
                "10 cores, 5 GiB memory, 1 TiB storage and 10 GPUs"
                " this request: 40 % of CPU, 80 % of memory, 60 % of GPUs"
            ), path

    def test_the_requesters_other_environments_with_their_use_as_far_as_the_approver_sees_them(
        self, browse, max_manager, make_request, make_environment, sam
    ):
        row = make_request()
        make_environment(name="Busy", usage={"requests.cpu": ["900m", "1"]})
        make_environment(name="Elsewhere", team=sam.teams.get())
        make_environment(name="Gone", phase=Phase.DELETED)
        for number in range(6):
            make_environment(name=f"Idle {number}")
        for path in ("/approvals/", f"/environments/{row.namespace}/"):
            part = one(read(browse(max_manager, path)), "details.others")
            lines = [words(each) for each in part.select("li")]
            assert lines[0] == "Busy Ready · CPU requests 900m of 1 core (90 %)"
            assert len(lines) == 6
            assert lines[-1] == "and 2 more"
            assert not {"Elsewhere", "Gone"} & set(words(part).split())

    def test_takes_as_many_queries_for_many_as_for_two(self, client, max_manager, make_request, make_environment, sam):
        client.force_login(max_manager)
        counts = []
        for more in (2, 9):
            for number in range(more):
                owner = sam if number % 2 else None
                row = make_request(f"Request {more}-{number}", owner=owner, members={"theo@example.com": Role.VIEWER})
                make_environment(owner=owner, name=f"Other {more}-{number}")
                questions.ask(row, max_manager, "Why?")
            client.get("/approvals/")
            with CaptureQueriesContext(connection) as queries:
                read(client.get("/approvals/"))
            counts.append(len(queries))
        assert counts[0] == counts[1]


class TestRejecting:
    def test_is_a_step_of_its_own_where_the_reason_is_required(self, browse, max_manager, make_request):
        row = make_request()
        card = one(read(browse(max_manager, "/approvals/")), "article.card")
        assert "Reject" not in [words(each) for each in card.select("button")]
        link = next(each for each in card.select("a.button") if words(each).startswith("Reject"))
        soup = read(browse(max_manager, link["href"]))
        assert labelled(soup, "Reason").has_attr("required")
        assert "(optional)" not in words(soup.main)
        answer = browse(max_manager, link["href"], {"note": "Too large."})
        assert answer["Location"] == "/approvals/"
        row.refresh_from_db()
        assert (row.phase, row.decision_note) == (Phase.REJECTED, "Too large.")

    def test_comes_too_late_after_a_decision(self, browse, max_manager, ada, make_request):
        row = make_request()
        approvals.approve(row, ada)
        for data in (None, {"note": "No."}):
            soup = read(browse(max_manager, f"/environments/{row.namespace}/reject/", data, follow=True))
            assert said(soup) == ["Ada Example has already approved the request “Ranking”."]


class TestSeveral:
    @pytest.fixture
    def rows(self, make_request):
        return [make_request(name, days=9 - number) for number, name in enumerate(("One", "Two", "Three"))]

    def test_can_be_selected_in_the_list(self, browse, max_manager, rows):
        soup = read(browse(max_manager, "/approvals/"))
        boxes = soup.select("input[name=request][form=several]")
        assert [box["value"] for box in boxes] == [row.namespace for row in rows]
        form = one(soup, "form#several")
        assert (form["action"], form["method"]) == ("/approvals/several/", "get")

    def test_the_preview_says_what_will_happen_and_what_is_refused_and_changes_nothing(
        self, browse, max_manager, ada, rows, make_environment, cluster
    ):
        make_environment(name="There", reserved_cpu=1, reserved_memory=2**30)
        approvals.reject(rows[2], ada, "No.")
        chosen = "&".join(f"request={row.namespace}" for row in rows)
        path = f"/approvals/several/?decision=approve&{chosen}&request=unknown"
        soup = read(browse(max_manager, path))
        will = one(soup, "section[aria-labelledby=chosen-title]")
        assert [words(each) for each in will.select("dl.things dt")] == ["One", "Two"]
        assert facts(will) == {
            "Team Checkout after approval": "9 cores and 9 GiB memory now 1 core and 1 GiB memory",
            "Cluster Amsterdam after approval": "9 cores and 9 GiB memory now 1 core and 1 GiB memory",
        }
        refused = one(soup, "section[aria-labelledby=refused-title]")
        assert [words(each) for each in refused.select("dd")] == [
            "Ada Example has already rejected the request “Three”.",
            "Not found among the requests that you decide on.",
        ]
        assert Environment.objects.awaiting_approval().count() == 2
        cluster.accepts_new = False
        cluster.save()
        refused = one(read(browse(max_manager, path)), "section[aria-labelledby=refused-title]")
        assert sum("accepts no new environments" in words(each) for each in refused.select("dd")) == 2

    def test_each_is_decided_on_its_own(self, browse, max_manager, ada, rows):
        names = [row.namespace for row in rows]
        approvals.reject(rows[1], ada, "No.")
        data = {"decision": "approve", "request": names, "note": "Go."}
        soup = read(browse(max_manager, "/approvals/several/", data, follow=True))
        assert said(soup) == [
            "2 requests approved: One, Three. We'll email the requester.",
            "Two was not approved. Ada Example has already rejected the request “Two”.",
        ]
        phases = {row.name: row.phase for row in Environment.objects.all()}
        assert phases == {"One": Phase.PROVISIONING, "Two": Phase.REJECTED, "Three": Phase.PROVISIONING}

    def test_a_rejection_of_several_needs_a_reason(self, browse, max_manager, rows):
        data = {"decision": "reject", "request": [row.namespace for row in rows]}
        soup = read(browse(max_manager, "/approvals/several/", data), status=422)
        assert labelled(soup, "Reason")["aria-invalid"] == "true"
        assert "Tell the requesters why." in words(one(soup, "#errors"))
        assert Environment.objects.awaiting_approval().count() == 3
        browse(max_manager, "/approvals/several/", data | {"note": "Not now."})
        assert {row.decision_note for row in Environment.objects.filter(phase=Phase.REJECTED)} == {"Not now."}

    def test_others_requests_are_neither_shown_nor_decided(self, browse, max_manager, make_request):
        theirs = make_request("Secret", team=None)
        for data in (None, {"decision": "approve", "request": [theirs.namespace]}):
            path = "/approvals/several/" + ("" if data else f"?decision=approve&request={theirs.namespace}")
            soup = read(browse(max_manager, path, data, follow=True))
            assert said(soup) == ["Choose at least one request that is waiting for your decision."]
            assert "Secret" not in words(soup.main)
        theirs.refresh_from_db()
        assert theirs.awaits_approval


class TestQuestions:
    def test_are_asked_answered_and_kept_and_the_request_keeps_its_place(self, browse, max_manager, dana, make_request):
        row = make_request(days=3)
        asked_at = row.requested_at
        path = f"/environments/{row.namespace}/"
        soup = read(browse(max_manager, f"{path}question/", {"text": "For how long?"}, follow=True))
        assert said(soup) == ["Question sent. We'll email Dana Example; Ranking keeps its place."]
        assert "waiting for an answer" in words(one(read(browse(max_manager, "/approvals/")), "article.card header"))
        soup = read(browse(dana, path))
        assert "For how long? Max Example, just now" in words(one(soup, "#questions"))
        form = one(soup, "#questions form")
        assert form["hx-preserve"] == "true"
        assert labelled(soup, "Answer").has_attr("required")
        soup = read(browse(dana, form["action"], {"text": "Two weeks."}, follow=True))
        assert said(soup) == ["Answer sent. We'll email Max Example."]
        for user in (dana, max_manager):
            assert "Two weeks." in words(read(browse(user, path)).main)
            history = words(read(browse(user, f"{path}history/")).main)
            assert "Max Example asked: For how long?" in history
            assert "Dana Example answered: Two weeks." in history
        row.refresh_from_db()
        assert (row.phase, row.requested_at) == (Phase.AWAITING_APPROVAL, asked_at)

    @pytest.mark.parametrize(("text", "sentence"), [("  ", "Enter your"), ("x" * 501, "at most 500 characters")])
    def test_mistakes_are_said_at_the_field_and_nothing_is_lost(
        self, browse, max_manager, dana, make_request, text, sentence
    ):
        row = make_request()
        path = f"/environments/{row.namespace}/"
        soup = read(browse(max_manager, f"{path}question/", {"text": text}), status=422)
        assert sentence in words(one(soup, "#errors"))
        assert labelled(soup, "Question").text.strip() == text.strip()
        questions.ask(row, max_manager, "Why?")
        soup = read(browse(dana, f"{path}answer/", {"text": text}), status=422)
        assert sentence in words(one(soup, "#errors"))
        assert labelled(soup, "Answer").text.strip() == text.strip()
        assert row.questions.get().answered_at is None

    def test_a_second_question_waits_for_the_first_answer(self, browse, max_manager, ada, make_request):
        row = make_request()
        questions.ask(row, max_manager, "Why?")
        soup = read(browse(ada, f"/environments/{row.namespace}/question/", {"text": "How?"}), status=422)
        assert "Max Example has already asked a question. Wait for the answer." in words(one(soup, "#errors"))

    @pytest.mark.parametrize("end", ["rejected", "withdrawn"])
    def test_what_is_over_refuses_them_with_a_sentence(self, browse, max_manager, ada, dana, make_request, end):
        row = make_request()
        questions.ask(row, max_manager, "Why?")
        path = f"/environments/{row.namespace}/"
        if end == "rejected":
            approvals.reject(row, ada, "No.")
            sentence = "Ada Example has already rejected the request “Ranking”."
        else:
            browse(dana, f"{path}delete/", {"note": ""})
            sentence = "The request “Ranking” was withdrawn a moment ago."
        for user, way in ((max_manager, "question"), (dana, "answer")):
            soup = read(browse(user, f"{path}{way}/", {"text": "Late."}, follow=True))
            assert sentence in said(soup)
        assert row.questions.count() == 1
        assert row.questions.get().answer == ""

    def test_are_for_approvers_and_answers_for_the_requester(self, browse, dana, theo, max_manager, make_request):
        row = make_request()
        path = f"/environments/{row.namespace}/"
        for user in (dana, theo):
            assert browse(user, f"{path}question/", {"text": "Why?"}).status_code == 403
        questions.ask(row, max_manager, "Why?")
        for user in (max_manager, theo):
            assert browse(user, f"{path}answer/", {"text": "So."}).status_code == 403
            assert not read(browse(user, path)).select("#questions form")
