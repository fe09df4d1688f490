"""Stand-ins on the page of a manager's settings, in the admin, and what a stand-in sees."""

from datetime import timedelta

import pytest
from django.utils import timezone

from environments.actions import stand_ins
from environments.lib.phases import Phase
from environments.models import StandIn
from environments.models.stand_ins import today
from tests.pages.reading import labelled, one, read, words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("enqueued")]

LAST = timedelta(days=10)


@pytest.fixture
def browse(client):
    def browse(user, path, data=None, **more):
        client.force_login(user)
        return client.post(path, data, **more) if data is not None else client.get(path, **more)

    return browse


def said(soup) -> list[str]:
    return [words(each) for each in soup.select("main > .notice[role=status]:not([hidden])")]


class TestASettingOfTheManager:
    def test_is_named_shown_and_ended(self, browse, max_manager, theo):
        last = today() + LAST
        sent = {"person": theo.pk, "last_day": last.isoformat()}
        soup = read(browse(max_manager, "/emails/stand-in/", sent, follow=True))
        assert said(soup) == [f"Theo Example stands in for you until {last:%-d %B %Y}. We'll email them."]
        part = one(soup, "#stand-in")
        assert f"Theo Example (theo@example.com) decides for you until the end of {last:%-d %B %Y}" in words(part)
        soup = read(browse(max_manager, "/emails/stand-in/", {"end": "1"}, follow=True))
        assert said(soup) == ["Theo Example no longer stands in for you."]
        soup = read(browse(max_manager, "/emails/stand-in/", {"end": "1"}, follow=True))
        assert said(soup) == ["Max Example has no stand-in at the moment."]

    def test_mistakes_are_said_at_their_fields(self, browse, max_manager, theo, sam):
        soup = read(browse(max_manager, "/emails/stand-in/", {"person": sam.pk, "last_day": "soon"}), status=422)
        errors = words(one(soup, "#errors"))
        assert "Choose a member or manager of your teams" in errors
        assert "Enter a day, for example 2027-01-31." in errors
        assert labelled(soup, "Until the end of")["value"] == "soon"
        late = {"person": theo.pk, "last_day": (today() - timedelta(days=1)).isoformat()}
        soup = read(browse(max_manager, "/emails/stand-in/", late), status=422)
        assert "Choose today or a later day." in words(one(soup, "#errors"))
        assert not StandIn.objects.exists()

    def test_is_for_managers_of_a_team(self, browse, dana, ada):
        for user in (dana, ada):
            assert not read(browse(user, "/emails/")).select("#stand-in")
            assert browse(user, "/emails/stand-in/", {"end": "1"}).status_code == 403


def test_a_stand_in_finds_the_requests_and_decides(browse, max_manager, theo, make_environment):
    row = make_environment(name="Ranking", phase=Phase.AWAITING_APPROVAL, requested_at=timezone.now())
    assert browse(theo, "/approvals/").status_code == 403
    stand_ins.name(max_manager, theo, today() + LAST, max_manager)
    soup = read(browse(theo, "/approvals/"))
    assert words(one(soup, "article.card h2")) == "Ranking"
    assert "Approvals 1 pending" in [words(link) for link in soup.select(".nav a")]
    assert "Reports" not in [words(link) for link in soup.select(".nav a")]
    browse(theo, f"/environments/{row.namespace}/decide/", {"decision": "approve"})
    assert "by Theo Example for Max Example" in words(one(read(browse(theo, "/approvals/")), "table"))
    assert "by Theo Example for Max Example" in words(read(browse(theo, f"/environments/{row.namespace}/")).main)


class TestTheAdmin:
    def test_names_and_ends_one_for_an_absent_manager(self, browse, ada, max_manager, theo):
        path = "/admin/environments/standin/"
        sent = {"absent": max_manager.pk, "person": theo.pk, "last_day": (today() + LAST).isoformat()}
        assert browse(ada, f"{path}add/", sent).status_code == 302
        row = StandIn.objects.get()
        assert (row.absent, row.person, row.named_by) == (max_manager, theo, ada)
        assert "current" in browse(ada, path).content.decode()
        assert browse(ada, f"{path}{row.pk}/change/").status_code == 200
        browse(ada, path, {"action": "end", "_selected_action": [row.pk]})
        row.refresh_from_db()
        assert row.ended_by == ada

    def test_says_what_is_wrong_at_the_field(self, browse, ada, max_manager, sam):
        sent = {"absent": max_manager.pk, "person": sam.pk, "last_day": (today() + LAST).isoformat()}
        answer = browse(ada, "/admin/environments/standin/add/", sent)
        assert "Choose a member or manager of one of the teams" in answer.content.decode()
        assert not StandIn.objects.exists()
