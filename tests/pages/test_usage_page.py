"""The usage page: a chart for each resource over four periods, honest about gaps, age and what it does not know."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from environments.lib.phases import Phase
from environments.models import Environment
from environments.models.usage import Span, Usage
from tests.pages.reading import one, read, words

USAGE = {"requests.memory": ["1863Mi", "2Gi"], "requests.cpu": ["640m", "1"], "services.loadbalancers": ["0", "0"]}
GIB = 1024**3
NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
THIS_HOUR = NOW.replace(minute=0)


@pytest.fixture(autouse=True)
def at_noon(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def old(dana, make_environment):
    """An environment of two hundred days whose quota was read just now."""
    environment = make_environment(usage=USAGE, usage_at=NOW)
    Environment.objects.filter(pk=environment.pk).update(created_at=NOW - timedelta(days=200))
    environment.refresh_from_db()
    return environment


@pytest.fixture
def look(client):
    def get(environment, user, query="", path="usage/"):
        client.force_login(user)
        return client.get(f"/environments/{environment.namespace}/{path}?{query}")

    return get


def used(environment, start, *, span=Span.HOUR, seconds=3600, hard=GIB * 2, resource="requests.memory", amount=GIB):
    """A span in which so much was used all the time."""
    figures = {resource: [amount * seconds, amount, hard * seconds]}
    Usage.objects.create(environment=environment, span=span, start=start, seconds=seconds, figures=figures)


def card(soup, title):
    return next(each for each in soup.select(".chart-grid section") if words(each.h2) == title)


def table(found):
    return [[words(cell) for cell in row.select("th, td")] for row in found.select("tbody tr")]


def titles(soup):
    return [words(each) for each in soup.select(".chart-grid h2")]


def test_each_resource_has_a_chart_with_the_fullest_first(look, dana, old):
    used(old, THIS_HOUR)
    soup = read(look(old, dana))
    assert titles(soup) == ["Memory requests", "CPU requests"]
    found = card(soup, "Memory requests")
    assert words(found.header) == "Memory requests 1.82 GiB of 2 GiB in use now"
    assert words(found.select_one("svg.drawing > title")) == "Memory requests, 24 hours"
    assert words(found.select_one("svg.drawing > desc")) == (
        "Average: 1 GiB throughout. Peak: 1 GiB throughout. Limit: 2 GiB throughout."
    )
    assert found.select_one("svg.drawing")["role"] == "img"


def test_the_table_says_what_the_chart_draws(look, dana, old):
    used(old, THIS_HOUR - timedelta(hours=4))
    used(old, THIS_HOUR - timedelta(hours=1))
    used(old, THIS_HOUR, seconds=1800, amount=GIB // 2)
    assert table(card(read(look(old, dana)), "Memory requests")) == [
        ["23 November 2026, 12:00", "512 MiB", "512 MiB", "2 GiB"],
        ["23 November 2026, 11:00", "1 GiB", "1 GiB", "2 GiB"],
        ["23 November 2026, 09:00 to 11:00", "no data", "no data", "no data"],
        ["23 November 2026, 08:00", "1 GiB", "1 GiB", "2 GiB"],
    ]


def test_a_gap_is_drawn_as_a_gap(look, dana, old):
    used(old, THIS_HOUR - timedelta(hours=4))
    used(old, THIS_HOUR)
    lines = card(read(look(old, dana)), "Memory requests").select("path.line, path.peak, path.limit")
    assert [line["d"].count("M") for line in lines if line.parent["class"] == ["lines"]] == [2, 2, 2]


@pytest.mark.parametrize(
    ("period", "span", "inside", "outside"),
    [
        ("24h", Span.HOUR, timedelta(hours=23), timedelta(hours=24)),
        ("7d", Span.HOUR, timedelta(hours=167), timedelta(hours=168)),
        ("30d", Span.DAY, timedelta(days=29), timedelta(days=30)),
        ("90d", Span.DAY, timedelta(days=89), timedelta(days=90)),
    ],
)
def test_a_period_has_its_spans_and_no_others(look, dana, old, period, span, inside, outside):
    last = THIS_HOUR if span == Span.HOUR else THIS_HOUR.replace(hour=0)
    for before in (inside, outside):
        used(old, last - before, span=span)
    soup = read(look(old, dana, f"period={period}"))
    assert len(table(card(soup, "Memory requests"))) == 1
    assert words(one(soup, ".tabs a[aria-current=page]")) == words(soup.h1).removeprefix("Usage, last ")


def test_a_period_that_is_not_there_is_said_and_the_shortest_shown(look, dana, old):
    soup = read(look(old, dana, "period=1y"))
    notice = words(one(soup, ".notice.warn"))
    assert notice == "Unknown period “1y”. Showing the last 24 hours. Choose a period above."


def test_without_a_period_nothing_is_said_of_it(look, dana, old):
    assert read(look(old, dana)).select(".notice") == []


def test_a_change_of_the_quota_is_a_step_and_a_sentence(look, dana, old):
    for before, hard in ((3, GIB), (2, GIB * 3 // 2), (1, GIB * 2), (0, GIB * 2)):
        used(old, THIS_HOUR - timedelta(hours=before), hard=hard)
    found = card(read(look(old, dana)), "Memory requests")
    assert "The limit changed from 1 GiB to 2 GiB on 23 November 2026, 10:00." in words(found)


def test_what_the_quota_forbids_has_no_chart(look, dana, old):
    soup = read(look(old, dana))
    assert "Not allowed here: load balancers." in words(soup.main)


def test_a_resource_that_left_the_quota_keeps_its_past(look, dana, old):
    used(old, THIS_HOUR - timedelta(hours=2), resource="pods", amount=3, hard=9)
    soup = read(look(old, dana))
    assert titles(soup)[-1] == "Pods"
    assert "no longer in the quota" in words(card(soup, "Pods"))


def test_an_environment_that_is_younger_than_the_period_says_so(look, dana, make_environment):
    young = make_environment(usage=USAGE, usage_at=NOW)
    Environment.objects.filter(pk=young.pk).update(created_at=NOW - timedelta(days=5))
    used(young, THIS_HOUR.replace(hour=0), span=Span.DAY)
    said = words(one(read(look(young, dana, "period=90d")), ".head"))
    assert "This environment was created on 18 November 2026." in said
    assert "The current day is incomplete." in said


def test_without_any_figure_it_says_when_they_come(look, dana, make_environment):
    soup = read(look(make_environment(), dana))
    assert words(one(soup, ".empty h2")) == "No usage yet"


def test_a_resource_without_history_has_an_empty_chart_and_no_zero(look, dana, old):
    found = card(read(look(old, dana)), "CPU requests")
    assert "No data for this period." in words(found)
    assert found.select("path") == []


def test_a_quota_of_zero_is_no_division(look, dana, make_environment):
    closed = make_environment(usage={"pods": ["0", "0"]}, usage_at=NOW)
    assert "The quota does not allow any of these: pods." in words(one(read(look(closed, dana)), ".empty"))


def test_hundreds_of_resources_come_page_by_page(client, dana, make_environment, django_assert_num_queries):
    figures = {f"count/things{number:03}.example.com": [str(number), "300"] for number in range(200)}
    many = make_environment(usage=figures, usage_at=NOW)
    client.force_login(dana)
    with django_assert_num_queries(5):
        soup = read(client.get(f"/environments/{many.namespace}/usage/?period=7d&page=2"))
    assert len(titles(soup)) == 12
    assert one(soup, "a[rel=next]")["href"] == "?period=7d&page=3"


def test_a_cluster_that_does_not_answer_is_named_with_the_time_of_the_figures(look, dana, old):
    old.usage_at = NOW - timedelta(hours=2)
    old.save()
    cluster = old.cluster
    cluster.check_error, cluster.checked_at, cluster.observed_at = "It cannot be reached.", NOW, old.usage_at
    cluster.save()
    notice = words(one(read(look(old, dana)), ".notice"))
    assert notice == (
        "Cluster not responding. Usage is from 23 November 2026, 10:30 ( 2 hours ago ). "
        "Amsterdam did not answer the last check. It cannot be reached."
    )


def test_a_cluster_that_refuses_a_part_is_not_called_silent(look, dana, old):
    cluster = old.cluster
    cluster.check_error, cluster.checked_at, cluster.observed_at = "No Jobs.", NOW, NOW - timedelta(seconds=1)
    cluster.save()
    assert read(look(old, dana)).select(".notice") == []


def test_old_figures_are_said_to_be_old(look, dana, old):
    old.usage_at = NOW - timedelta(hours=2)
    old.save()
    assert "out of date" in words(one(read(look(old, dana)), ".notice"))


def test_of_a_deleted_one_the_past_stays_without_a_word_of_staleness(look, dana, make_environment):
    gone = make_environment(phase=Phase.DELETED, usage=USAGE, usage_at=NOW - timedelta(days=1))
    used(gone, THIS_HOUR - timedelta(hours=20))
    soup = read(look(gone, dana))
    assert soup.select(".notice") == []
    assert "Memory requests" in titles(soup)


@pytest.mark.parametrize("path", ["usage/", "usage/csv/", "workloads/"])
def test_a_stranger_finds_nothing_a_reader_does(look, sam, theo, max_manager, old, path):
    assert [look(old, user, path=path).status_code for user in (sam, theo, max_manager)] == [404, 200, 200]


def test_the_csv_has_the_same_spans_exactly(look, dana, old):
    used(old, THIS_HOUR - timedelta(hours=1), seconds=3000)
    used(old, THIS_HOUR, resource="requests.cpu", amount=640, hard=1000)
    response = look(old, dana, "period=24h", "usage/csv/")
    assert response["Content-Disposition"] == f'attachment; filename="{old.namespace}-usage-24h.csv"'
    rows = list(csv.reader(io.StringIO(b"".join(response).decode())))
    assert rows == [
        ["resource", "unit", "start_utc", "observed_seconds", "average", "peak", "limit"],
        ["requests.cpu", "cores", "2026-11-23T12:00:00Z", "3600", "0.64", "0.64", "1"],
        ["requests.memory", "bytes", "2026-11-23T11:00:00Z", "3000", str(GIB), str(GIB), str(2 * GIB)],
    ]


def test_the_number_of_queries_is_the_same_for_every_period(client, dana, old, django_assert_num_queries):
    for hour in range(100):
        used(old, THIS_HOUR - timedelta(hours=hour))
    client.force_login(dana)
    for period in ("24h", "7d", "30d", "90d"):
        with django_assert_num_queries(5):
            client.get(f"/environments/{old.namespace}/usage/?period={period}")


def test_the_environment_page_draws_the_last_day_beside_the_fullest(client, dana, old):
    used(old, THIS_HOUR)
    client.force_login(dana)
    soup = read(client.get(f"/environments/{old.namespace}/"))
    assert soup.select(".quota .spark") == []  # a single hour would be a floating dash
    used(old, THIS_HOUR - timedelta(hours=1))
    soup = read(client.get(f"/environments/{old.namespace}/"))
    first = soup.select(".quota li")[0]
    assert words(first.select_one(".name")) == "Memory requests"
    assert first.select_one("svg.spark path.line")["d"].startswith("M91.67 12")
    assert one(soup, "#usage-link")["href"] == f"/environments/{old.namespace}/usage/"
