"""What reports count: rates that change, gaps, idle environments, trends; and whose environments they are about."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
import time_machine
from django.utils import timezone

from environments import reports
from environments.lib.phases import Phase, Role
from environments.models import Cluster, Consumption, Environment, Member, Rate, Review, Team
from environments.models.reviews import Reason
from environments.reports import idle
from environments.reports.bills import all_prices, bills
from environments.reports.periods import custom
from environments.reports.tables import Kind, Link
from tests import reported
from tests.pages.reading import read, words
from tests.reported import add_day, consume, csv_rows, roll_up, sheet_rows, workbook

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TODAY = NOW.date()
YEAR_AGO = NOW - timedelta(days=400)


@pytest.fixture(autouse=True)
def _monday():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def environment(make_environment):
    return make_environment(created_at=YEAR_AGO, ready_at=YEAR_AGO)


def filters(user, slug="cost", **data):
    form = reports.form_for(reports.REPORTS[slug], {name: str(value) for name, value in data.items()}, user)
    found = form.filters()
    assert not form.errors, form.errors
    return found


def build(user, slug, **data):
    return reports.REPORTS[slug].build(filters(user, slug, **data))


def rows(table) -> list[dict]:
    """A table's rows by column, links as their text."""
    return [
        {
            column.title: cell.text if isinstance(cell, Link) else cell
            for column, cell in zip(table.columns, row, strict=True)
        }
        for row in table.rows
    ]


def totals(table) -> dict:
    return {column.title: cell for column, cell in zip(table.columns, table.totals, strict=True)}


def rate(cluster, starts_on, cpu="1", **more):
    return Rate.objects.create(
        cluster=cluster, starts_on=starts_on, cpu_hour=cpu, **{f"{name}_hour": each for name, each in more.items()}
    )


# Cost


def test_a_rate_that_changes_inside_a_month_counts_from_its_day(max_manager, environment, cluster):
    rate(cluster, date(2026, 1, 1), "1")
    rate(cluster, date(2026, 10, 11), "2")
    consume(environment, date(2026, 10, 1), 31, cpu=1000)
    roll_up()
    (row,) = rows(build(max_manager, "cost", period="last-month").tables[0])
    assert row["Total"] == Decimal(10 * 24 * 1 + 21 * 24 * 2)


def test_costs_are_those_of_adding_up_every_day_by_hand(ada, make_environment, cluster):
    """Several clusters, rates on any day, periods from any day to any day."""
    random = Random(5)
    clusters = [cluster, Cluster.objects.create(slug="b", name="B", server="https://b.example.com")]
    for each in clusters:
        for day in sorted(random.sample(range(200), 4)):
            rate(
                each, date(2026, 5, 1) + timedelta(days=day), Decimal(random.randint(1, 99)).scaleb(-3), memory="0.0071"
            )
    for number in range(4):
        one = make_environment(
            name=f"Number {number}", cluster=clusters[number % 2], created_at=YEAR_AGO, ready_at=YEAR_AGO
        )
        for day in range(0, 206):
            if random.random() < 0.8:
                seconds, cores = random.randint(0, 86400), random.randint(100, 9000)
                add_day(
                    one,
                    date(2026, 5, 1) + timedelta(days=day),
                    {"seconds": seconds, "cpu_reserved": cores * seconds, "memory_reserved": 77 * seconds},
                )
    roll_up()
    prices = all_prices()
    for _ in range(25):
        first = date(2026, 5, 1) + timedelta(days=random.randint(0, 200))
        period = custom(first, min(first + timedelta(days=random.randint(0, 200)), TODAY), TODAY)
        found = bills(Environment.objects.reported_to(ada), period, prices, TODAY, "pk")
        for one in Environment.objects.all():
            expected, unpriced = by_hand(one, period, prices)
            bill = found.get(one.pk)
            assert (bill.total if bill else 0) == expected
            assert (bill.unpriced["cpu"] if bill else 0) == unpriced


def by_hand(environment, period, prices) -> tuple[int, int]:
    total = unpriced = 0
    days = Consumption.objects.filter(
        environment=environment, span="day", start__gte=period.start, start__lt=period.until
    )
    for day in days:
        price = prices.on(environment.cluster_id, day.start)
        if price:
            total += price.of("cpu", day.cpu_reserved) + price.of("memory", day.memory_reserved)
        else:
            unpriced += day.cpu_reserved
    return total, unpriced


def test_without_a_rate_no_money_is_made_up(max_manager, environment):
    consume(environment, date(2026, 10, 1), 31, cpu=1000)
    roll_up()
    report = build(max_manager, "cost", period="last-month")
    (row,) = rows(report.tables[0])
    assert (row["Total"], row["CPU"], row["CPU without a rate"]) == (None, None, Decimal("744.0"))
    assert report.figures[0].value is None
    assert "Amsterdam" in report.notice


def test_what_had_no_rate_yet_is_told_beside_what_had(max_manager, environment, cluster):
    rate(cluster, date(2026, 10, 31), "2")
    consume(environment, date(2026, 10, 1), 31, cpu=1000)
    roll_up()
    (row,) = rows(build(max_manager, "cost", period="last-month").tables[0])
    assert (row["Total"], row["CPU without a rate"]) == (Decimal("48.00"), Decimal("720.0"))


def test_only_observed_time_is_charged_and_the_gap_is_told(max_manager, environment, cluster):
    rate(cluster, date(2026, 1, 1), "1")
    consume(environment, date(2026, 10, 1), 31, cpu=1000, hours=6)
    roll_up()
    (row,) = rows(build(max_manager, "cost", period="last-month").tables[0])
    assert (row["Total"], row["Observed"]) == (Decimal("186.00"), Decimal("25.0"))


def test_what_could_be_observed_runs_from_ready_to_the_end(max_manager, make_environment, cluster):
    one = make_environment(
        phase=Phase.DELETED,
        created_at=datetime(2026, 10, 9, tzinfo=UTC),
        ready_at=datetime(2026, 10, 10, tzinfo=UTC),
        deleted_at=datetime(2026, 10, 12, tzinfo=UTC),
    )
    consume(one, date(2026, 10, 10), 2, cpu=1000)
    roll_up()
    (row,) = rows(build(max_manager, "cost", period="last-month").tables[0])
    assert (row["Observed"], row["Environments"]) == (Decimal("100.0"), 1)


@pytest.mark.parametrize("by", ["team", "cost_centre", "template", "cluster", "owner", "environment"])
def test_every_grouping_has_the_same_total(ada, make_environment, make_template, theo, cluster, by):
    rate(cluster, date(2026, 1, 1), "0.0333", memory="0.0077")
    other = Team.objects.create(name="Search", group="g", cost_centre="77")
    for number in range(7):
        one = make_environment(
            owner=theo if number % 2 else None,
            name=f"Number {number}",
            team=[other, None][number % 2] if number > 4 else other,
            version=make_template(f"template-{number}"),
            created_at=YEAR_AGO,
            ready_at=YEAR_AGO,
        )
        consume(one, date(2026, 10, 3), 17 + number, cpu=333 + number, memory=777, hours=7.3)
    roll_up()
    table = build(ada, "cost", period="last-month", by=by).tables[0]
    assert totals(table)["Total"] == Decimal("17.41")  # 17.4130…
    off = sum(row["Total"] for row in rows(table)) - totals(table)["Total"]
    assert abs(off) <= Decimal("0.005") * (len(table.rows) + 1)


def test_the_figures_of_two_reports_agree(ada, environment, cluster):
    rate(cluster, date(2026, 1, 1), "0.0333")
    consume(environment, date(2026, 8, 1), 100, cpu=777, memory=3)
    roll_up()
    trends = build(ada, "trends", by="month")
    october = next(row for row in rows(trends.tables[0]) if row["Period"] == "October 2026")
    cost = build(ada, "cost", period="last-month")
    use = build(ada, "use", period="last-month")
    assert october["Cost"] == totals(cost.tables[0])["Total"] == cost.figures[0].value
    assert october["CPU reserved"] == totals(use.tables[1])["Reserved"]
    assert october["CPU efficiency"] == totals(use.tables[0])["CPU efficiency"]


# Reservation and use


def test_use_is_told_beside_what_was_reserved(max_manager, environment):
    consume(environment, date(2026, 10, 1), 31, cpu=2000, memory=4096, gpu=1, share=0.25)
    roll_up()
    report = build(max_manager, "use", period="last-month")
    assert [table.title for table in report.tables] == ["Efficiency by team", "CPU", "Memory", "GPU"]
    (cpu,) = rows(report.tables[1])
    assert (cpu["Reserved"], cpu["Used"], cpu["Unused"]) == (Decimal("1488.0"), Decimal("372.0"), Decimal("1116.0"))
    assert (cpu["Efficiency"], cpu["Peak"]) == (Decimal("25.0"), Decimal("25.0"))


def test_a_group_has_the_peak_of_the_one_that_came_nearest_to_its_own_quota(max_manager, make_environment):
    for number, (cores, share) in enumerate([(8000, 0.5), (1000, 0.9)]):
        one = make_environment(name=f"Number {number}", created_at=YEAR_AGO, ready_at=YEAR_AGO)
        consume(one, date(2026, 10, 1), 31, cpu=cores, share=share)
    roll_up()
    (row,) = rows(build(max_manager, "use", period="last-month").tables[1])
    assert row["Peak"] == Decimal("90.0")


# Idle and oversized


@pytest.fixture
def large(make_environment):
    return make_environment(
        size="large",
        reserved_cpu=4,
        reserved_memory=4 * 2**30,
        created_at=YEAR_AGO,
        ready_at=YEAR_AGO,
    )


def test_an_idle_environment_is_listed_with_its_recommended_size(max_manager, large, cluster):
    rate(cluster, date(2026, 1, 1), "0.1", memory="0.01")
    consume(large, date(2026, 11, 9), 14, cpu=4000, memory=4096, share=0.05)
    roll_up()
    (row,) = rows(build(max_manager, "idle").tables[0])
    assert (row["Status"], row["Recommended size"]) == ("Idle", "Small")
    assert row["CPU peak"] == Decimal("0.20")
    report = build(max_manager, "idle")
    assert [figure.value for figure in report.figures][2:] == [Decimal("3.50"), Decimal("3.00"), Decimal("273.60")]


def test_one_that_uses_its_memory_is_oversized_only_if_a_smaller_size_would_do(max_manager, large):
    consume(large, date(2026, 11, 9), 14, cpu=4000, share=0.05)
    Consumption.objects.update(memory_reserved=4096 * 86400, memory_used=1500 * 86400, memory_peak=1500)
    roll_up()
    (row,) = rows(build(max_manager, "idle").tables[0])
    assert (row["Status"], row["Recommended size"]) == ("Oversized", "Medium")
    Consumption.objects.update(memory_peak=4000)
    assert rows(build(max_manager, "idle").tables[0]) == []


@pytest.mark.parametrize(
    ("change", "days"),
    [({"created_at": NOW - timedelta(days=5)}, 14), ({"wanted": False, "phase": Phase.DELETING}, 14), ({}, 6)],
    ids=["too young", "on its way out", "hardly observed"],
)
def test_what_cannot_be_judged_is_left_out(max_manager, large, change, days):
    Environment.objects.update(**change)
    consume(large, date(2026, 11, 9), days, cpu=4000, memory=4096, share=0.01)
    roll_up()
    assert len(build(max_manager, "idle").tables[0].rows) == 0


def test_the_threshold_is_exact(max_manager, large):
    consume(large, date(2026, 11, 9), 14, cpu=4000, memory=4096, share=0.1)
    Consumption.objects.update(memory_used=409 * 86400 + 51840)  # 409.6 MiB: 10 % to the second
    roll_up()
    assert len(build(max_manager, "idle", threshold=10).tables[0].rows) == 0
    assert len(build(max_manager, "idle", threshold=11).tables[0].rows) == 1


def test_without_a_rate_it_is_not_said_what_would_be_saved(max_manager, large):
    consume(large, date(2026, 11, 9), 14, cpu=4000, memory=4096, share=0.05)
    roll_up()
    found = idle.recommendations(filters(max_manager, "idle"), 10, 14, 20)
    assert idle.saving(found) is None
    assert idle.saving([]) == 0


# Overview, attention, access, trends


def test_the_overview_counts_what_came_and_went(max_manager, make_environment):
    created = datetime(2026, 10, 5, tzinfo=UTC)
    for took in (400, 600, 5000):
        make_environment(created_at=created, ready_at=created + timedelta(milliseconds=took))
    make_environment(phase=Phase.DELETED, created_at=YEAR_AGO, deleted_at=created, ready_at=None)
    make_environment(phase=Phase.FAILED, created_at=YEAR_AGO)
    report = build(max_manager, "overview", period="last-month")
    figures = {figure.label: figure.value for figure in report.figures}
    assert figures == {
        "Current environments": 4,
        "Created": 3,
        "Deleted": 1,
        "Median time to Ready": Decimal("0.6"),
        "95th percentile time to Ready": Decimal("5.0"),
        "Failed": 1,
        "Waiting for approval": 0,
    }
    (team,) = rows(report.tables[1])
    assert (team["Current"], team["Created"], team["Deleted"], team["Failed"]) == (4, 3, 1, 1)


@pytest.fixture
def requests(make_environment, sam):
    """Two that wait, one of another team, one rejected and one withdrawn; and one that was approved after five days."""
    asked = NOW - timedelta(days=6)
    search = Team.objects.get(name="Search")
    waiting = {"phase": Phase.AWAITING_APPROVAL, "requested_at": asked, "created_at": asked, "ends_at": None}
    make_environment(name="One", **waiting)
    make_environment(name="Two", **waiting)
    make_environment(name="Elsewhere", team=search, **waiting)
    for phase in (Phase.REJECTED, Phase.WITHDRAWN):
        make_environment(**waiting | {"phase": phase, "wanted": False, "deleted_at": asked + timedelta(days=1)})
    approved = asked + timedelta(days=5)
    return make_environment(requested_at=asked, created_at=approved, ready_at=approved + timedelta(seconds=2))


def test_the_overview_counts_requests_as_nothing_but_waiting(max_manager, ada, requests):
    for user, waiting in ((max_manager, 2), (ada, 3)):
        report = build(user, "overview", period="7d")
        figures = {figure.label: figure.value for figure in report.figures}
        assert figures == {
            "Current environments": 1,
            "Created": 1,
            "Deleted": 0,
            "Median time to Ready": Decimal("2.0"),  # from the approval
            "95th percentile time to Ready": Decimal("2.0"),
            "Failed": 0,
            "Waiting for approval": waiting,
        }
        phases, teams = (rows(table) for table in report.tables)
        assert [(row["Phase"], row["Environments"]) for row in phases] == [("Ready", 1)]
        assert sum(row["Waiting for approval"] for row in teams) == waiting
        assert teams[0]["Team"] == "Checkout"
        columns = ("Current", "Created", "Deleted", "Failed", "Waiting for approval")
        assert [teams[0][column] for column in columns] == [1, 1, 0, 0, 2]
        assert report.tables[1].totals[-1] == waiting
    assert next(figure.href for figure in report.figures if figure.label == "Waiting for approval") == "/approvals/"


def test_what_waits_is_the_same_on_the_page_in_csv_and_in_the_spreadsheet(client, max_manager, requests):
    client.force_login(max_manager)
    (line,) = csv_rows(client, "/reports/overview.csv?table=teams&period=7d")
    assert line["Waiting for approval"] == "2"
    first, *_ = sheet_rows(workbook(client, "/reports/overview.xlsx?period=7d")["Environments by team"])
    assert first["Waiting for approval"].value == 2
    assert reported.figures(client, "/reports/overview/?period=7d")["Waiting for approval"] == "2"


def test_the_first_page_counts_what_a_person_may_decide_themselves(
    client, max_manager, ada, requests, make_environment
):
    """Not what they asked for themselves, nor other teams', nor what is narrowed away."""
    asked = NOW - timedelta(days=9)
    make_environment(max_manager, phase=Phase.AWAITING_APPROVAL, requested_at=asked, created_at=asked, ends_at=None)
    search = Team.objects.get(name="Search")
    assert waiting(client, max_manager) == ["2 requests are waiting for your decision (oldest from 17 November 2026)"]
    assert waiting(client, ada) == ["4 requests are waiting for your decision (oldest from 14 November 2026)"]
    assert waiting(client, ada, search) == ["1 request is waiting for your decision (since 17 November 2026)"]
    Environment.objects.filter(phase=Phase.AWAITING_APPROVAL).update(phase=Phase.WITHDRAWN)
    assert waiting(client, ada) == []


def waiting(client, user, team=None) -> list[str]:
    """What the first page says of requests, each with a link to where they are decided."""
    client.force_login(user)
    page = read(client.get("/reports/", {"team": team.pk} if team else {}))
    links = [link for link in page.select(".concerns a") if "your decision" in words(link)]
    assert all(link["href"] == "/approvals/" for link in links)
    return [words(link) for link in links]


def test_no_other_report_takes_a_request_for_an_environment(max_manager, requests):
    there = build(max_manager, "trends", by="week").tables[0]
    assert max(row["Environments"] for row in rows(there)) == 1
    assert max(row["Created"] for row in rows(there)) == 1
    assert {row["Environment"] for row in rows(build(max_manager, "access", by="environment").tables[0])} == {
        requests.name
    }


def test_attention_says_how_long_and_whom_to_contact(max_manager, make_environment):
    broken = make_environment(phase=Phase.FAILED, name="Broken", ends_at=None)
    broken.conditions.filter(type="Namespace").update(
        status="Failed", message="The name is taken.", last_transition_at=NOW - timedelta(days=3)
    )
    make_environment(name="Alone", orphaned_at=NOW - timedelta(days=9), orphaned_why="Gone.", ends_at=None)
    make_environment(name="Over soon", ends_at=NOW + timedelta(days=2), created_at=NOW - timedelta(days=88))
    make_environment(name="Short", ends_at=NOW + timedelta(days=2), created_at=NOW - timedelta(days=12))
    make_environment(name="Lasting", ends_at=NOW + timedelta(days=200))
    failed, orphaned, ending = (rows(table) for table in build(max_manager, "attention").tables)
    assert [(row["Environment"], row["Days"], row["Message"], row["Contact"]) for row in failed] == [
        ("Broken", 3, "The name is taken.", "dana@example.com")
    ]
    assert [(row["Environment"], row["Days"], row["Contact"]) for row in orphaned] == [("Alone", 9, "max@example.com")]
    assert [(row["Environment"], row["Days left"]) for row in ending] == [("Over soon", 2)]


def test_the_access_review_says_who_since_when_by_whom_and_whether_it_is_verified(max_manager, make_environment, theo):
    make_environment(name="One", members={"stranger@example.com": Role.VIEWER})
    Member.objects.filter(email="dana@example.com").update(checked_at=NOW)
    Member.objects.filter(email="stranger@example.com").update(allowed=None, added_by=None)
    dana, stranger = rows(build(max_manager, "access").tables[0])
    assert (dana["Person"], dana["Environment"], dana["Role"]) == ("dana@example.com", "One", "Admin")
    assert (dana["Outside the team"], dana["Verified"], dana["Last checked"], dana["Granted by"]) == (
        *("No", "Yes", NOW, "dana@example.com"),
    )
    assert (stranger["Outside the team"], stranger["Verified"], stranger["Granted by"]) == ("Yes", "Not yet", None)
    assert stranger["Since"] == TODAY
    for only, expected in (("outside", ["stranger@example.com"]), ("admin", ["dana@example.com"])):
        found = rows(build(max_manager, "access", only=only).tables[0])
        assert [row["Person"] for row in found] == expected


def test_trends_compare_each_period_with_the_one_before_and_the_current_one_with_none(
    max_manager, environment, cluster
):
    rate(cluster, date(2026, 1, 1), "1")
    consume(environment, date(2026, 9, 1), 30, cpu=1000)
    consume(environment, date(2026, 10, 1), 31, cpu=2000)
    consume(environment, date(2026, 11, 1), 23, cpu=2000)
    roll_up()
    report = build(max_manager, "trends", by="month", count=3)
    assert [row["Period"] for row in rows(report.tables[0])] == [
        "November 2026, so far",
        "October 2026",
        "September 2026",
    ]
    assert report.tables[1].note == "The current month is not compared."
    november, october, september = rows(report.tables[1])
    assert october["Cost change"] == Decimal(31 * 48 - 30 * 24)
    assert october["Cost growth"] == Decimal("106.7")
    assert november["Cost change"] is None
    assert november["CPU reserved growth"] is None
    assert (september["Cost change"], september["Cost growth"]) == (Decimal("720.00"), None)  # there was nothing before


def test_weeks_begin_on_monday(max_manager, environment):
    consume(environment, date(2026, 11, 9), 15, cpu=1000)
    roll_up()
    table = build(max_manager, "trends", by="week", count=3).tables[0]
    assert [(row["Period"], row["CPU reserved"]) for row in rows(table)] == [
        ("Week of 23 November 2026, so far", Decimal("24.0")),
        ("Week of 16 November 2026", Decimal("168.0")),
        ("Week of 9 November 2026", Decimal("168.0")),
    ]


# Whose environments


@pytest.mark.parametrize("slug", list(reports.REPORTS))
def test_a_manager_is_told_of_the_teams_that_they_manage_now_and_an_admin_of_all(
    max_manager, ada, theo, make_environment, cluster, slug
):
    other = Team.objects.create(name="Secret team", group="secret")
    rate(cluster, date(2026, 1, 1), "1")
    for number, team in enumerate((max_manager.managed_teams.get(), other, None)):
        phase = Phase.FAILED if slug == "attention" else Phase.READY
        one = make_environment(
            name=f"Of {team}", team=team, phase=phase, created_at=YEAR_AGO, ready_at=YEAR_AGO, reserved_cpu=4
        )
        consume(one, date(2026, 10, 1), 54, cpu=(4000, 20000, 100000)[number], memory=4096, share=0.01)
        lately = timezone.now() - timedelta(days=5)
        Review.objects.create(environment=one, reason=Reason.REGULAR, asked_at=lately, answer_by=lately)
    roll_up()
    mine, everything, nothing = (texts(build(user, slug)) for user in (max_manager, ada, theo))
    assert "Secret team" not in mine
    assert "Of None" not in mine
    assert len(everything) > len(mine) > len(nothing)
    max_manager.managed_teams.clear()
    assert texts(build(max_manager, slug)) == nothing
    max_manager.managed_teams.set([other])
    assert "Of Checkout" not in texts(build(max_manager, slug))


def texts(report) -> str:
    """Everything that a report says."""
    cells = [cell for table in report.tables for row in rows(table) for cell in row.values()]
    return " | ".join(str(cell) for cell in [*cells, *(figure.value for figure in report.figures)] if cell)


def test_figures_have_the_digits_of_their_columns(ada, large, cluster):
    """So that page, CSV and spreadsheet have nothing left to round."""
    rate(cluster, date(2026, 1, 1), "0.0333", memory="0.0077")
    consume(large, date(2026, 10, 1), 54, cpu=333, memory=777, storage=11, gpu=3, share=0.01)
    roll_up()
    compared = 0
    for slug in reports.REPORTS:
        for table in build(ada, slug).tables:
            for row in [*table.rows, *([table.totals] if table.totals else [])]:
                for column, cell in zip(table.columns, row, strict=True):
                    if isinstance(cell, Decimal):
                        compared += 1
                        digits = {Kind.PERCENT: 1, Kind.MONEY: 2}.get(column.kind, column.digits)
                        assert -cell.as_tuple().exponent == digits, (slug, column.title, cell)
                    if column.kind is Kind.INTEGER:
                        assert isinstance(cell, int | None)
    assert compared > 20
    assert timezone.now() == NOW
