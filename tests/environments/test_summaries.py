"""The monthly summary: the reports' own figures, to those who want it, each month once."""

import re
from datetime import UTC, date, datetime, timedelta
from smtplib import SMTPRecipientsRefused
from urllib.parse import urlsplit

import pytest
import time_machine
from django.core import mail
from django.core.mail import EmailMessage
from django.db import connection
from django.test.utils import CaptureQueriesContext

from environments import tasks
from environments.lib.phases import Phase, Role
from environments.models import Environment, Rate, Team, User
from environments.models import clock as database_clock
from environments.reports import summaries
from tests.pages.reading import read, words
from tests.reported import consume, page_tables, roll_up

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 12, 1, 6, 20, tzinfo=UTC)
NOVEMBER = date(2026, 11, 1)
YEAR_AGO = NOW - timedelta(days=400)


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def _at_once(enqueued):
    """As a worker would, one task after the other; what one raises stays with it."""
    enqueued.at_once.add(tasks.send_summary.name)


@pytest.fixture
def max_wants(max_manager):
    return wanting(max_manager)


def wanting(user: User, **more) -> User:
    User.objects.filter(pk=user.pk).update(wants_summary=True, **more)
    user.refresh_from_db()
    return user


def tried(ago: timedelta) -> None:
    """Everybody's last try was so long ago by the database's clock, which does not travel."""
    User.objects.update(summary_tried_at=database_clock.database_now() - ago)


def due_at(moment: datetime) -> list[str]:
    return [user.username for user in summaries.due(moment)]


# When, and for whom


@pytest.mark.parametrize(
    ("now", "month", "next_day"),
    [
        (datetime(2026, 11, 30, 23, tzinfo=UTC), date(2026, 10, 1), date(2026, 12, 1)),
        (datetime(2026, 12, 1, 5, 59, tzinfo=UTC), date(2026, 10, 1), date(2026, 12, 1)),
        (datetime(2026, 12, 1, 6, tzinfo=UTC), date(2026, 11, 1), date(2027, 1, 1)),
        (datetime(2027, 1, 31, tzinfo=UTC), date(2026, 12, 1), date(2027, 2, 1)),
    ],
)
def test_a_month_is_summed_up_on_the_first_of_the_next(now, month, next_day):
    assert (summaries.latest(now), summaries.next_day(now)) == (month, next_day)


def test_it_goes_to_managers_and_platform_admins_who_want_it(max_wants, ada, dana, theo, sam, team):
    assert due_at(NOW) == ["max"]
    wanting(ada)
    wanting(dana)  # a developer
    wanting(theo, is_manager=True)  # of no team
    wanting(sam, is_manager=True, is_active=False)
    team.managers.add(sam)
    assert set(due_at(NOW)) == {"max", "ada"}


def test_who_manages_several_teams_gets_one(max_wants):
    for number in range(3):
        Team.objects.create(name=f"Team {number}", group=f"team-{number}").managers.add(max_wants)
    tasks.send_summaries()
    assert len(mail.outbox) == 1


def test_it_is_sent_once_a_month(max_wants, clock):
    wanting(max_wants, summary_sent_for=date(2026, 10, 1))
    for moment in (NOW - timedelta(hours=1), NOW, NOW + timedelta(hours=1), NOW + timedelta(days=1)):
        clock.move_to(moment)
        tasks.send_summaries()
    (message,) = mail.outbox
    assert (message.to, message.bcc) == (["max@example.com"], [])
    assert "November 2026" in message.subject
    max_wants.refresh_from_db()
    assert max_wants.summary_sent_for == NOVEMBER
    clock.move_to(datetime(2027, 1, 3, 6, 20, tzinfo=UTC))  # late is better than never
    tried(timedelta(days=33))
    tasks.send_summaries()
    assert "December 2026" in mail.outbox[1].subject


def test_months_that_nobody_summed_up_in_time_are_not_made_up_for(max_wants, clock):
    wanting(max_wants, summary_sent_for=date(2026, 6, 1))
    tasks.send_summaries()
    (message,) = mail.outbox
    assert "November 2026" in message.subject


def test_one_mailbox_that_fails_stops_no_other_and_is_tried_again_later(max_wants, ada, monkeypatch):
    wanting(ada)
    send = EmailMessage.send

    def refuse(message, *arguments, **more):
        if message.to == [broken]:
            raise SMTPRecipientsRefused({broken: (550, b"no such mailbox")})
        return send(message, *arguments, **more)

    monkeypatch.setattr(EmailMessage, "send", refuse)
    for broken in (max_wants.email, ada.email):
        User.objects.update(summary_sent_for=None, summary_tried_at=None)
        mail.outbox.clear()
        tasks.send_summaries()
        assert [message.to for message in mail.outbox] == [[({max_wants.email, ada.email} - {broken}).pop()]]
        assert User.objects.get(email=broken).summary_sent_for is None
    broken = ""
    tried(timedelta(hours=1))
    tasks.send_summaries()
    assert len(mail.outbox) == 1
    tried(timedelta(hours=4))
    tasks.send_summaries()
    assert len(mail.outbox) == 2


def test_a_second_worker_does_not_send_what_the_first_is_about_to_send(max_wants, monkeypatch):
    send = EmailMessage.send

    def slow(message, *arguments, **more):
        tasks.send_summary(max_wants.pk)
        summaries.send(max_wants, NOVEMBER)  # it had read its row before
        return send(message, *arguments, **more)

    monkeypatch.setattr(EmailMessage, "send", slow)
    summaries.send(max_wants, NOVEMBER)
    assert len(mail.outbox) == 1


def test_who_stopped_it_meanwhile_gets_none(max_wants):
    summaries.choose(max_wants, False)
    summaries.send(max_wants, NOVEMBER)
    assert mail.outbox == []


def test_switched_on_it_begins_with_the_month_under_way(max_manager, clock):
    clock.move_to(datetime(2026, 12, 15, tzinfo=UTC))
    summaries.choose(max_manager, True)
    tasks.send_summaries()
    assert mail.outbox == []
    summaries.choose(max_manager, True)  # the same click again
    clock.move_to(datetime(2027, 1, 1, 6, 20, tzinfo=UTC))
    tasks.send_summaries()
    assert "December 2026" in mail.outbox[0].subject


# What it says


@pytest.fixture
def company(make_environment, make_template, cluster, team, theo):
    """Two teams, awkward amounts, one environment that failed, one without an owner, one that ends, idle ones."""
    Rate.objects.create(cluster=cluster, starts_on=date(2026, 1, 1), cpu_hour="0.033333", memory_hour="0.007177")
    Rate.objects.create(cluster=cluster, starts_on=date(2026, 11, 5), cpu_hour="0.041111")
    other = Team.objects.create(name="Search", group="search")
    for count in range(9):
        environment = make_environment(
            theo if count % 2 else None,
            phase=Phase.FAILED if count == 1 else Phase.READY,
            name=f"Number {count}",
            team=other if count == 8 else team,
            version=make_template(f"template-{count}"),
            size="large",
            reserved_cpu=4,
            reserved_memory=4 * 2**30,
            created_at=YEAR_AGO if count else NOW - timedelta(days=5),
            ready_at=YEAR_AGO if count else NOW - timedelta(days=5, seconds=-7),
            orphaned_at=NOW if count == 2 else None,
            ends_at=NOW + timedelta(days=20 if count == 3 else 200),
            members={"viewer@example.com": Role.VIEWER},
        )
        share = 0.03 if count > 1 else 0.6
        consume(environment, date(2026, 9, 20), 71 + count % 2, share=share, hours=23.7, cpu=3700 + count, memory=4001)
    roll_up()


def sections(body: str) -> dict[str, list[str]]:
    """The lines below each heading."""
    found = {}
    for block in re.split(r"\n\n+", body.strip()):
        title, *lines = block.splitlines()
        if title == title.upper():
            found[title] = lines
    return found


def figures(client, address: str) -> dict[str, str]:
    """Every key figure of a report's page, as a line of the mail."""
    found = {}
    for item in read(client.get(address)).select(".figures > div"):
        changes = [words(small.extract()) for small in item.select("small[title]")]
        for note in item.select("small"):
            note.extract()
        name, text = words(item.dt), words(item.dd)
        found[name] = f"{name}: {text}" + "".join(f" ({change})" for change in changes)
    return found


@pytest.mark.parametrize("who", ["max_manager", "ada"])
def test_its_figures_are_those_of_the_pages_that_it_links_to(client, request, company, who):
    person = wanting(request.getfixturevalue(who))
    client.force_login(person)
    summaries.send(person, NOVEMBER)
    (message,) = mail.outbox
    compared = 0
    for title, lines in sections(message.body).items():
        assert "period=month&month=2026-11" in address(lines)
        shown = figures(client, address(lines))
        for line in lines:
            name = line.partition(":")[0]
            if name in shown:
                assert line == shown[name], title
                compared += 1
    assert compared >= 17


def test_used_hours_and_lists_are_those_of_the_tables(client, max_wants, company):
    client.force_login(max_wants)
    summaries.send(max_wants, NOVEMBER)
    parts = sections(mail.outbox[0].body)
    use = page_tables(client, address(parts["RESERVED AND USED"]))
    for name, unit in (("CPU", "core-hours"), ("Memory", "GiB-hours")):
        used = use[name][-1][f"Used {unit}"]
        assert any(line.startswith(f"{name} used: {used} {unit} (") for line in parts["RESERVED AND USED"])
    assert parts["FAILED: 1"][0].startswith("- Number 1 (theo@example.com)")
    idle = next(lines for title, lines in parts.items() if title.startswith("IDLE AND OVERSIZED"))
    listed = page_tables(client, address(idle))["Idle and oversized environments"]
    names = [line.removeprefix("- ").partition(" (")[0] for line in idle if line.startswith("- ")]
    assert names == [*(row["Environment"] for row in listed[:5]), f"and {len(listed) - 1 - 5} more"]
    links = [line.strip() for line in idle if line.startswith("  ")]
    assert len(links) == 5
    for link in links:
        assert client.get(urlsplit(link).path).status_code == 200
    ending = parts["EXPIRING WITHIN 30 DAYS: 1"]
    assert ending[0] == "- Number 3 (theo@example.com): 21 December 2026, 06:20 UTC"


def address(lines: list[str]) -> str:
    """Of the report that a section is from."""
    return lines[-1].removeprefix("Report: http://localhost:8000")


def test_a_manager_reads_of_their_own_teams_alone(max_wants, ada, company):
    summaries.send(max_wants, NOVEMBER)
    summaries.send(wanting(ada), NOVEMBER)
    of_max, of_ada = (sections(message.body)["ENVIRONMENTS"][0] for message in mail.outbox)
    assert (of_max, of_ada) == ("Current environments: 8", "Current environments: 9")
    assert "Search" not in mail.outbox[0].body
    assert "Summary of November 2026 for Checkout." in mail.outbox[0].body
    assert "Summary of November 2026 for all teams." in mail.outbox[1].body


def test_where_nothing_happened_it_says_so(max_wants):
    summaries.send(max_wants, NOVEMBER)
    parts = sections(mail.outbox[0].body)
    assert list(parts) == ["ENVIRONMENTS", "RESERVED AND USED", "NEEDS ATTENTION", "ACCESS"]
    assert parts["ENVIRONMENTS"][0] == "Current environments: 0"
    assert parts["RESERVED AND USED"][0] == "No usage was recorded."
    assert parts["NEEDS ATTENTION"][0].startswith("No failures, no orphaned environments")


@pytest.fixture
def ask_for(make_environment):
    """A request that waits for approval, asked for so many days ago."""

    def ask(days=0, **more):
        asked = NOW - timedelta(days=days)
        return make_environment(phase=Phase.AWAITING_APPROVAL, requested_at=asked, created_at=asked, **more)

    return ask


class TestWhatWaitsForTheirDecision:
    TITLE = "WAITING FOR YOUR DECISION"

    @pytest.fixture
    def said(self):
        """The lines of it; None where there is nothing of it."""

        def said(user):
            summaries.send(wanting(user, summary_sent_for=None, summary_tried_at=None), NOVEMBER)
            found = sections(mail.outbox[-1].body)
            title = next((title for title in found if title.startswith(self.TITLE)), None)
            assert title is None or title == next(iter(found)), "it comes first"
            return title and [title, *found[title]]

        return said

    def test_is_counted_with_the_oldest_and_the_way_there(self, max_manager, said, ask_for, client):
        for days in (2, 9, 4):
            ask_for(days)
        title, line, link = said(max_manager)
        assert title == f"{self.TITLE}: 3"
        assert line.startswith("Oldest request: 22 November 2026, 06:20 UTC.")
        assert link == "Review: http://localhost:8000/approvals/"
        client.force_login(max_manager)
        page = read(client.get(urlsplit(link.removeprefix("Review: ")).path))
        assert len(page.select("article.card")) == 3

    def test_one_is_not_the_oldest_of_several(self, max_manager, said, ask_for):
        ask_for(1)
        assert said(max_manager)[1].startswith("Requested on 30 November 2026, 06:20 UTC.")

    def test_is_left_out_where_nothing_does(self, max_manager, said, ask_for, sam, make_environment):
        ask_for(owner=max_manager)  # nobody decides on their own
        ask_for(team=sam.teams.get())  # another team's
        for phase in (Phase.READY, Phase.REJECTED, Phase.WITHDRAWN):
            make_environment(phase=phase, requested_at=NOW)
        assert said(max_manager) is None

    def test_is_everything_for_platform_admins(self, ada, max_manager, said, ask_for, sam):
        ask_for(owner=max_manager)
        ask_for(team=sam.teams.get())
        ask_for(team=None)
        assert said(ada)[0] == f"{self.TITLE}: 3"


def test_what_had_no_rate_is_told(max_wants, make_environment, cluster):
    consume(make_environment(created_at=YEAR_AGO), date(2026, 11, 1), 30, cpu=1000)
    roll_up()
    summaries.send(max_wants, NOVEMBER)
    assert "COST" not in sections(mail.outbox[0].body)
    Rate.objects.create(cluster=cluster, starts_on=date(2026, 11, 30), cpu_hour="1")
    User.objects.update(summary_sent_for=None, summary_tried_at=None)
    summaries.send(max_wants, NOVEMBER)
    cost = sections(mail.outbox[1].body)["COST"]
    assert cost[0].startswith("Cost: 24.00 EUR")
    assert cost[1] == "Hours without a rate are not included."


def test_it_says_how_to_stop_it(max_wants):
    summaries.send(max_wants, NOVEMBER)
    (message,) = mail.outbox
    stop = "http://localhost:8000/emails/"
    assert f"To unsubscribe, and to choose which other emails you get:\n{stop}" in message.body
    assert message.extra_headers["List-Unsubscribe"] == f"<{stop}>"


def test_what_people_typed_stays_in_its_line(max_wants, company):
    Environment.objects.filter(name="Number 3").update(name="Now\n\nHELLO & <b>" + "x" * 30)
    summaries.send(max_wants, NOVEMBER)
    body = mail.outbox[0].body
    assert "- Now HELLO & <b>xxx" in body
    assert "HELLO & <B>" not in sections(body)
    assert max(map(len, body.splitlines())) < 250


def test_it_asks_the_database_as_often_however_many_environments_there_are(
    max_wants, company, make_environment, ask_for
):
    ask_for(3)
    before = asked(max_wants)
    for count in range(20):
        ask_for(count)
        environment = make_environment(
            name=f"More {count}",
            phase=Phase.FAILED if count % 2 else Phase.READY,
            created_at=YEAR_AGO,
            ready_at=YEAR_AGO,
            reserved_cpu=4,
            ends_at=NOW + timedelta(days=3),
            orphaned_at=NOW,
        )
        consume(environment, date(2026, 11, 1), 30, cpu=4000, share=0.01)
    roll_up()
    assert asked(max_wants) == before
    assert before <= 80


def asked(person: User) -> int:
    User.objects.update(summary_sent_for=None, summary_tried_at=None)
    with CaptureQueriesContext(connection) as captured:
        summaries.send(person, NOVEMBER)
    return len(captured)
