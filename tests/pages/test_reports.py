"""Reports as people meet them: one set of figures in every form, filters in the address, and who may see what."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from openpyxl import Workbook

from environments.lib.phases import Phase, Role
from environments.models import Environment, Rate, Team
from environments.reports import REPORTS, bills, consumption, reservation
from environments.reports.groups import GROUPINGS
from tests import makers, once
from tests.pages.reading import labelled, one, read, words
from tests.reported import consume, csv_rows, figures, number, page_tables, roll_up, sheet_rows, workbook

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
YEAR_AGO = NOW - timedelta(days=400)
HOSTILE = '=HYPERLINK("http://evil.example.com")<script>alert(1)</script>'

#: Every report, and each way to group it.
ADDRESSES = [
    *(f"use/?by={by}" for by in ("team", "cost_centre", "template", "cluster", "owner", "environment")),
    *(f"cost/?by={by}" for by in ("team", "cost_centre", "template", "cluster", "owner", "environment")),
    *("overview/", "idle/?threshold=60", "attention/", "access/?by=person", "access/?by=environment"),
    *("trends/?by=month", "trends/?by=week", "cost/?period=year&year=2026", "use/?period=7d"),
    "cost/?period=custom&first=2026-10-30&last=2026-11-09",
]


@pytest.fixture(autouse=True)
def _monday():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def max_signed_in(client, max_manager):
    client.force_login(max_manager)
    return client


@pytest.fixture
def ada_signed_in(client, ada):
    client.force_login(ada)
    return client


def make_company(make_environment, cluster, team, theo):
    """Awkward amounts, three months, two teams and none, one that failed and one without an owner."""
    Rate.objects.create(cluster=cluster, starts_on=date(2026, 1, 1), cpu_hour="0.033333", memory_hour="0.007177")
    Rate.objects.create(cluster=cluster, starts_on=date(2026, 11, 5), cpu_hour="0.041111", memory_hour="0.003333")
    other = Team.objects.create(name="Search", group="search", cost_centre="0815")
    for count, (place, owner) in enumerate([(team, None), (team, theo), (other, None), (other, theo), (None, None)]):
        environment = make_environment(
            owner,
            phase=Phase.FAILED if count == 1 else Phase.READY,
            name=f"Number {count}",
            team=place,
            version=makers.make_template(f"template-{count}"),
            size="large",
            reserved_cpu=4,
            reserved_memory=4 * 2**30,
            created_at=NOW - timedelta(days=400 - 95 * count, seconds=7 * count),
            ready_at=NOW - timedelta(days=400 - 95 * count),
            orphaned_at=NOW if count == 2 else None,
            ends_at=NOW + timedelta(days=3),
            members={"viewer@example.com": Role.VIEWER},
        )
        amounts = {"cpu": 3700 + 111 * count, "memory": 4000 + count, "storage": 77, "gpu": count % 2}
        consume(environment, date(2026, 8, 20), 96, share=0.07 + count / 11, hours=23.7, **amounts)
    roll_up()


@pytest.fixture
def company(make_environment, cluster, team, theo):
    make_company(make_environment, cluster, team, theo)


@dataclass
class Forms:
    """One report in every form."""

    tables: dict[str, list[dict[str, str]]]  # of its page
    book: Workbook
    exported: list[list[dict[str, str]]]  # a CSV for each table


@pytest.fixture(scope="module")
def every_form(django_db_setup, django_db_blocker) -> dict[str, Forms]:
    """Every report of the company, read in all its forms once: address -> forms."""
    with time_machine.travel(NOW, tick=False), once.passing(django_db_blocker):
        team, cluster = makers.make_team(), makers.make_cluster()
        dana, theo = makers.make_dana(team), makers.make_theo(team)
        version = makers.make_template()
        make_environment = makers.environment_maker(dana, team, cluster, makers.make_directory(), version)
        make_company(make_environment, cluster, team, theo)
        client = Client()
        client.force_login(makers.make_ada())
        return {address: forms(client, address) for address in ADDRESSES}


def forms(client: Client, address: str) -> Forms:
    slug, _, query = address.partition("/")
    keys = [table["id"] for table in read(client.get(f"/reports/{address}")).select(".report-table h2")]
    separator = "&" if query else "?"
    return Forms(
        page_tables(client, f"/reports/{address}"),
        workbook(client, f"/reports/{slug}.xlsx{query}"),
        [csv_rows(client, f"/reports/{slug}.csv{query}{separator}table={key}") for key in keys],
    )


# One set of figures in every form


@pytest.mark.parametrize("address", ADDRESSES)
def test_page_csv_and_spreadsheet_agree_to_the_last_digit(every_form, address):
    found = every_form[address]
    assert found.tables
    assert found.book.sheetnames == ["About", *found.tables]
    for exported, (title, shown) in zip(found.exported, found.tables.items(), strict=True):
        cells = sheet_rows(found.book[title])
        assert len(shown) == len(cells)
        for line, row in enumerate(shown):
            for head, text in row.items():
                compare(head, text, exported[line] if line < len(exported) else None, cells[line])


def compare(head: str, text: str, exported: dict | None, cells: dict) -> None:
    """One cell of the page with the CSV's (which has no totals) and the spreadsheet's."""
    bare = head
    for unit in ("core-hours", "GiB-hours", "GPU-hours", "cores", "GiB", "UTC"):
        bare = bare.removesuffix(f" {unit}")
    names = [name for name in cells if name == head or name.partition(" (")[0] == bare]
    (name,) = [each for each in names if each == head or head == bare or head.endswith(each[len(bare) + 2 : -1])]
    cell = cells[name]
    if cell.value is None or isinstance(cell.value, str):
        assert cell.value in (text, None, "")
        if exported is not None:
            assert exported[name] in (text, "")
        return
    if not isinstance(cell.value, int | float):
        return  # dates have tests of their own
    shown = number(text)
    assert shown is not None, (head, text)
    factor = 100 if cell.number_format.endswith("%") else 1
    assert round(Decimal(str(cell.value)) * factor, 6) == shown
    if exported is not None:
        assert exported[name] == str(shown)


@pytest.mark.parametrize("by", GROUPINGS)
@pytest.mark.parametrize("slug", ["cost", "use"])
@pytest.mark.parametrize("who", ["ada", "max_manager"])
def test_summed_row_by_row_or_in_one_line_figures_are_the_same(client, request, company, monkeypatch, slug, by, who):
    client.force_login(request.getfixturevalue(who))
    found = []
    for by_row in (True, False):
        for module in (bills, reservation):
            monkeypatch.setattr(module, "is_faster_by_row", lambda path, by_row=by_row: by_row)
        found.append(page_tables(client, f"/reports/{slug}/?by={by}&period=90d"))
    assert found[0] == found[1]
    assert any(found[0].values())


@pytest.mark.parametrize("who", ["ada", "max_manager"])
def test_rows_that_do_not_fit_one_query_are_asked_for_in_several(client, request, company, monkeypatch, who):
    client.force_login(request.getfixturevalue(who))
    addresses = ("/reports/trends/?by=week", "/reports/trends/", "/reports/cost/")
    before = [page_tables(client, address) for address in addresses]
    monkeypatch.setattr(consumption, "SELECTS_PER_QUERY", 2)
    assert [page_tables(client, address) for address in addresses] == before


def test_a_chart_says_what_its_table_says(ada_signed_in, company):
    for address in ("cost/?by=environment", "use/?by=team", "trends/?by=month", "trends/?by=week"):
        page = read(ada_signed_in.get(f"/reports/{address}"))
        said = {text for card in page.select(".report-table") for text in map(words, card.select("td"))}
        charts = page.select("figure.chart")
        assert charts
        for chart in charts:
            cells = chart.select("tbody td.num")
            assert cells
            for cell in cells:
                value = words(cell).removesuffix(" core-hours").removesuffix(" GiB-hours")
                assert value in said or value == "no data", (address, value)


def test_key_figures_are_the_totals_below_them(ada_signed_in, company):
    for address in ("/reports/cost/", "/reports/cost/?by=environment&period=90d"):
        (table,) = page_tables(ada_signed_in, address).values()
        assert figures(ada_signed_in, address)["Cost"] == table[-1]["Total"]
    assert figures(ada_signed_in, "/reports/")["Cost"] == figures(ada_signed_in, "/reports/cost/")["Cost"]


def test_a_spreadsheet_has_real_numbers_and_says_what_was_filtered(ada_signed_in, company):
    book = workbook(ada_signed_in, "/reports/cost.xlsx?period=last-month&cluster=amsterdam")
    sheet = book["Cost by team"]
    assert sheet.freeze_panes == "B2"
    assert sheet["D2"].data_type == "n"
    assert sheet["D2"].number_format == '#,##0.00 "EUR"'
    about = {row[0].value: row[1].value for row in book["About"].iter_rows()}
    assert about["Period"] == "1 to 31 October 2026 (UTC)"
    assert (about["Cluster"], about["Team"]) == ("Amsterdam", "All teams")
    assert about["Generated"] == "23 November 2026, 08:00 UTC"
    assert about["Address"] == "http://testserver/reports/cost/?period=last-month&cluster=amsterdam"


def test_dates_are_dates_in_a_spreadsheet(ada_signed_in, company):
    sheet = workbook(ada_signed_in, "/reports/attention.xlsx")["Expiring within 14 days"]
    assert sheet["F2"].value == datetime(2026, 11, 26, 8, 0, tzinfo=UTC).replace(tzinfo=None)
    assert sheet["F2"].number_format == "yyyy-mm-dd hh:mm"


def test_files_have_telling_names(ada_signed_in, company):
    for ending in ("csv", "xlsx"):
        response = ada_signed_in.get(f"/reports/cost.{ending}?period=last-month")
        name = f"cost-2026-10-01-to-2026-10-31.{ending}"
        assert response["Content-Disposition"] == f'attachment; filename="{name}"'
        b"".join(response.streaming_content)


def test_an_unknown_table_or_report_is_not_found(ada_signed_in):
    assert ada_signed_in.get("/reports/cost.csv?table=secrets").status_code == 404
    assert ada_signed_in.get("/reports/nonsense/").status_code == 404


# What people typed never runs


@pytest.mark.parametrize("slug", ["cost", "use", "idle", "attention", "access"])
def test_what_people_typed_is_text_in_every_form(ada_signed_in, company, slug):
    Environment.objects.update(name=HOSTILE[:60])
    Team.objects.filter(name="Search").update(name=HOSTILE[:80])
    query = "?by=environment" if slug in ("cost", "use") else "?threshold=60"
    page = read(ada_signed_in.get(f"/reports/{slug}/{query}"))
    assert page.find("script", string="alert(1)") is None
    names = [row["Environment"] for row in csv_rows(ada_signed_in, f"/reports/{slug}.csv{query}")]
    assert names
    assert set(names) == {"'" + HOSTILE[:60]}
    book = workbook(ada_signed_in, f"/reports/{slug}.xlsx{query}")
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert any(HOSTILE[:60] in str(cell.value) for cell in cells)
    assert all(cell.data_type != "f" for cell in cells)


# Filters


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, {"Number 0", "Number 1", "Number 2", "Number 3", "Number 4"}),
        ({"team": "none"}, {"Number 4"}),
        ({"team": "Search"}, {"Number 2", "Number 3"}),
        ({"template": "template-3"}, {"Number 3"}),
        ({"cluster": "amsterdam", "template": "template-0"}, {"Number 0"}),
        ({"owner": "THEO@example.com"}, {"Number 1", "Number 3"}),
    ],
)
def test_filters_choose_environments(ada_signed_in, company, query, expected):
    if query.get("team") == "Search":
        query = {"team": Team.objects.get(name="Search").pk}
    address = "/reports/cost/?by=environment&" + "&".join(f"{name}={value}" for name, value in query.items())
    (table,) = page_tables(ada_signed_in, address).values()
    assert {row["Environment"] for row in table[:-1]} == expected


@pytest.mark.parametrize(
    ("query", "label", "sentence"),
    [
        ("period=century", "Period", "Unknown period"),
        ("period=month", "Month", "Enter a month"),
        ("period=month&month=2027-01", "Month", "to this month"),
        ("period=month&month=november", "Month", "Enter a month"),
        ("period=year&year=2027", "Year", "to this year"),
        ("period=custom&first=2026-11-02", "To", "Enter an end date"),
        ("period=custom&first=2026-11-02&last=2026-11-01", "To", "before the start date"),
        ("period=custom&first=2026-12-02&last=2026-12-03", "From", "in the future"),
        ("period=custom&first=2010-11-02&last=2026-11-01", "From", "at most 3 years"),
        ("team=9999", "Team", "Not found in your reports"),
        ("template=%27%3B--", "Template", "Not found in your reports"),
        ("owner=nobody%40example.com", "Owner", "No environments owned by this person"),
        ("owner=theo", "Owner", "Enter an email address"),
        ("by=moon", "Group by", "Grouped by team"),
    ],
)
def test_what_is_not_understood_is_said_at_its_field_and_the_rest_is_kept(
    ada_signed_in, company, query, label, sentence
):
    page = read(ada_signed_in.get(f"/reports/cost/?cluster=amsterdam&{query}"))
    field = labelled(page, label)
    assert field["aria-invalid"] == "true"
    assert sentence in words(field.find_parent(class_="field"))
    assert one(page, "#id_cluster option[selected]")["value"] == "amsterdam"
    assert page.select(".report-table")
    for ending in ("csv", "xlsx"):
        refused = ada_signed_in.get(f"/reports/cost.{ending}?cluster=amsterdam&{query}")
        assert sentence in words(read(refused, 422))


@pytest.mark.parametrize("owner", ["nobody%40example.com", "theo"])
def test_a_wrong_owner_shows_nobody_instead_of_everybody(ada_signed_in, company, owner):
    page = read(ada_signed_in.get(f"/reports/cost/?by=environment&owner={owner}"))
    assert page.select("#id_owner[aria-invalid=true]")
    assert "Number" not in words(one(page, "main"))
    assert "Number" in words(one(read(ada_signed_in.get("/reports/cost/?by=environment")), "main"))


def test_what_is_made_for_two_weeks_is_not_always_about_to_expire(ada_signed_in, make_environment):
    now = timezone.now()
    for name, age, left in (("Short lived", 1, 13), ("Long lived", 80, 10)):
        make_environment(name=name, created_at=now - timedelta(days=age), ends_at=now + timedelta(days=left))
    shown = words(one(read(ada_signed_in.get("/reports/attention/")), ".report-table:has(#ending)"))
    assert "Long lived" in shown
    assert "Short lived" not in shown


@pytest.mark.parametrize(("slug", "label"), [("trends", "Number of periods"), ("idle", "Headroom (%)")])
def test_a_reports_own_filter_looks_like_the_others(ada_signed_in, slug, label):
    """Its name is not a class: there is a badge called “count”."""
    field = labelled(read(ada_signed_in.get(f"/reports/{slug}/")), label).find_parent(class_="field")
    assert [name for name in field["class"] if name] == ["field"]


def test_links_between_reports_carry_the_filters_and_relative_periods_stay_relative(ada_signed_in, company):
    address = "/reports/cost/?period=last-month&cluster=amsterdam&by=owner"
    page = read(ada_signed_in.get(address))
    tabs = page.select("nav.tabs a")
    assert len(tabs) == len(REPORTS)
    for tab in tabs:
        query = parse_qs(urlsplit(tab["href"]).query)
        assert query == {"period": ["last-month"], "cluster": ["amsterdam"]}
    # A report that tells how things stand now passes the period on.
    page = read(ada_signed_in.get("/reports/attention/?period=last-month"))
    assert "period=last-month" in page.select("nav.tabs a")[0]["href"]


def test_a_group_leads_to_its_environments(ada_signed_in, company):
    page = read(ada_signed_in.get("/reports/cost/?period=90d&by=cluster"))
    link = one(page, ".report-table tbody th a")
    assert link["href"] == "/reports/cost/?period=90d&cluster=amsterdam&by=environment"
    (table,) = page_tables(ada_signed_in, link["href"]).values()
    assert len(table) == 6


def test_the_page_says_which_days_and_with_which_they_are_compared(ada_signed_in, company):
    facts = {
        words(item.dt): words(item.dd)
        for item in read(ada_signed_in.get("/reports/cost/")).select(".report-facts > div")
    }
    assert facts["Period"] == "24 October to 22 November 2026 (UTC)"
    assert facts["Compared with"] == "24 September to 23 October 2026"


def test_a_figure_names_the_days_that_it_is_compared_with_if_the_report_has_a_period(ada_signed_in, company):
    for slug, days in (("cost", " (24 September to 23 October 2026)"), ("trends", "")):
        page = read(ada_signed_in.get(f"/reports/{slug}/"))
        titles = [small["title"] for small in page.select(".figures small[title]")]
        assert titles
        assert all(title.startswith("Before: ") and title.endswith(days) for title in titles)
        assert any("2026" in title for title in titles) == bool(days)


# Long tables


def test_a_long_table_has_pages_its_totals_and_exports_have_everything(ada_signed_in, make_environment, cluster):
    Rate.objects.create(cluster=cluster, starts_on=date(2026, 1, 1), cpu_hour="1")
    for count in range(30):
        consume(make_environment(name=f"Number {count}", created_at=YEAR_AGO), date(2026, 11, 2), 1, cpu=1000 + count)
    roll_up()
    first, second = (
        page_tables(ada_signed_in, f"/reports/cost/?by=environment&costs-page={count}")["Cost by environment"]
        for count in (1, 2)
    )
    assert (len(first), len(second)) == (26, 6)
    assert first[-1] == second[-1]
    assert number(first[-1]["Total"]) == Decimal("730.44")
    exported = csv_rows(ada_signed_in, "/reports/cost.csv?by=environment&costs-page=2")
    assert [row["Environment"] for row in exported] == [f"Number {count}" for count in range(29, -1, -1)]


@pytest.mark.parametrize("address", ["", *ADDRESSES])
def test_a_page_asks_the_database_as_often_however_many_environments_there_are(
    ada_signed_in, company, make_environment, make_template, address
):
    before = queries(ada_signed_in, f"/reports/{address}")
    for count in range(12):
        environment = make_environment(
            name=f"More {count}",
            team=Team.objects.create(name=f"Team {count}", group=f"g{count}"),
            version=make_template(f"more-{count}"),
            created_at=YEAR_AGO,
            ready_at=YEAR_AGO,
            phase=Phase.FAILED if count % 2 else Phase.READY,
            reserved_cpu=4,
            orphaned_at=NOW,
        )
        consume(environment, date(2026, 10, 1), 54, cpu=4000, memory=4096, share=0.05)
    roll_up()
    assert queries(ada_signed_in, f"/reports/{address}") == before
    assert before <= 30


def queries(client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        read(client.get(address))
    return len(captured)


# Who may see what


@pytest.mark.parametrize("address", ["", *(f"{slug}{end}" for slug in REPORTS for end in ("/", ".csv", ".xlsx"))])
def test_developers_have_no_reports(client, dana, address):
    client.force_login(dana)
    read(client.get(f"/reports/{address}"), 403)
    assert "Reports" not in [words(link) for link in read(client.get("/")).select(".nav a")]


def test_managers_have_them_in_the_navigation(max_signed_in):
    link = next(link for link in read(max_signed_in.get("/reports/cost/")).select(".nav a") if words(link) == "Reports")
    assert (link["href"], link["aria-current"]) == ("/reports/", "page")


def test_a_manager_is_offered_nothing_of_other_teams(max_signed_in, company):
    page = read(max_signed_in.get("/reports/cost/?by=environment"))
    assert [words(option) for option in labelled(page, "Team").select("option")] == ["All teams", "Checkout"]
    assert [words(option) for option in labelled(page, "Template").select("option")] == [
        *("All templates", "Template-0", "Template-1"),
    ]
    other = Team.objects.get(name="Search")
    refused = read(max_signed_in.get(f"/reports/cost/?team={other.pk}"))
    assert "Not found in your reports" in words(refused)
    assert "Search" not in words(refused)


def test_a_managers_exports_are_about_their_teams_only(max_signed_in, company):
    names = [row["Environment"] for row in csv_rows(max_signed_in, "/reports/cost.csv?by=environment")]
    assert set(names) == {"Number 0", "Number 1"}
    book = workbook(max_signed_in, "/reports/access.xlsx")
    assert {row["Environment"].value for row in sheet_rows(book["Grants by person"])} == {"Number 0", "Number 1"}


# The first page


def test_the_first_page_says_what_needs_attention(ada_signed_in, company):
    page = read(ada_signed_in.get("/reports/"))
    concerns = [words(item) for item in page.select(".concerns li")]
    assert concerns[:3] == [
        "1 failed environment",
        "1 orphaned environment",
        "5 environments expire within 14 days",
    ]
    assert concerns[3].startswith("1 environment is idle (under 10 % for 14 days)")
    assert len(page.select(".report-list a")) == len(REPORTS)


@pytest.mark.parametrize(
    "query",
    ["period=7d", "period=30d", "period=90d", "period=last-month", "period=this-month", "period=year&year=2026",
     "period=custom&first=2026-10-30&last=2026-11-09"],
)  # fmt: skip
@pytest.mark.parametrize("who", ["ada", "max_manager"])
def test_the_first_page_has_the_figures_of_the_reports(client, request, company, who, query):
    client.force_login(request.getfixturevalue(who))
    first = figures(client, f"/reports/?{query}")
    for slug, label in (("use", "CPU reserved"), ("use", "CPU efficiency"), ("cost", "Cost")):
        assert first[label] == figures(client, f"/reports/{slug}/?{query}")[label]


def test_the_first_page_is_calm_where_there_is_nothing(max_signed_in):
    page = words(read(max_signed_in.get("/reports/")).main)
    assert "Nothing needs attention." in page
    assert "No usage was recorded in this period." in page


def test_a_manager_without_teams_is_told_so(client, make_environment, max_manager):
    max_manager.managed_teams.clear()
    make_environment()
    client.force_login(max_manager)
    assert "You don't manage a team. A platform admin can change that." in words(read(client.get("/reports/")).main)


@pytest.mark.parametrize("address", ["", *ADDRESSES])
def test_every_report_is_a_page_where_there_is_nothing_to_tell(max_signed_in, address):
    page = read(max_signed_in.get(f"/reports/{address}"))
    assert not page.select("[style], style, script:not([src])")
