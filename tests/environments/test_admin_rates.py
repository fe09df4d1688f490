"""Rates in the admin: words at the fields, and a record of every figure that was in force."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from bs4 import BeautifulSoup
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from environments.models import Rate

LIST = "admin:environments_rate_changelist"
TODAY = timezone.now().date()


@pytest.fixture(autouse=True)
def signed_in(client, ada):
    client.force_login(ada)


@pytest.fixture
def rate(cluster):
    return Rate.objects.create(cluster=cluster, starts_on=date(2026, 1, 1), cpu_hour="0.02", memory_hour="0.003")


def filled(place, **typed):
    data = {"cluster": place.pk, "starts_on": "2026-06-01", "cpu_hour": "0.03", "memory_hour": "0.004"}
    return data | {"storage_hour": "0", "gpu_hour": "0"} | typed


def words(response) -> str:
    return " ".join(BeautifulSoup(response.content, "html.parser").get_text(" ", strip=True).split())


def send(client, rate, data):
    path = ["admin:environments_rate_change", rate.pk] if rate else ["admin:environments_rate_add"]
    return client.post(reverse(path[0], args=path[1:]), data, follow=True)


def test_a_rate_is_added_and_said_to_change_reports_where_its_days_are_over(client, cluster):
    answer = send(client, None, filled(cluster))
    row = Rate.objects.get()
    assert (row.cluster, row.starts_on, row.cpu_hour) == (cluster, date(2026, 6, 1), Decimal("0.03"))
    assert "Costs since 1 June 2026 now use this rate" in words(answer)


def test_a_rate_to_come_says_nothing_of_reports(client, cluster):
    answer = send(client, None, filled(cluster, starts_on=TODAY + timedelta(days=30)))
    assert Rate.objects.count() == 1
    assert "now use this rate" not in words(answer)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"starts_on": "2026-01-01"}, "Amsterdam already has a rate from 1 January 2026. Change that one."),
        ({"starts_on": ""}, "This field is required."),
        ({"starts_on": "soon"}, "Enter a valid date."),
        ({"cpu_hour": "-0.01"}, "Enter 0 or more."),
        ({"gpu_hour": "-1"}, "Enter 0 or more."),
        ({"cpu_hour": "0.0000001"}, "no more than 6 decimal places"),
        ({"memory_hour": "1234567"}, "no more than 6 digits before the decimal point"),
        ({"cpu_hour": "much"}, "Enter a number."),
        ({"cpu_hour": "NaN"}, "Enter a number."),
        ({"cpu_hour": ""}, "This field is required."),
        ({"cluster": ""}, "This field is required."),
    ],
)
def test_a_mistake_is_said_at_its_field_and_stores_nothing(client, cluster, rate, typed, sentence):
    answer = send(client, None, filled(cluster, **typed))
    (field,) = typed
    errors = BeautifulSoup(answer.content, "html.parser").select_one(f".field-{field} .errorlist")
    assert sentence in errors.get_text()
    assert list(Rate.objects.all()) == [rate]


def test_a_change_is_recorded_with_the_figures_before_and_after(client, cluster, rate):
    answer = send(client, rate, filled(cluster, starts_on="2026-01-15", memory_hour="0.003"))
    assert "Costs since 1 January 2026 now use this rate" in words(answer)
    entry = LogEntry.objects.get()
    assert entry.get_change_message() == (
        "Changed first day from 2026-01-01 to 2026-01-15 and per core and hour from 0.02 to 0.03."
    )


def test_nothing_changed_is_nothing_said(client, cluster, rate):
    answer = send(client, rate, filled(cluster, starts_on="2026-01-01", cpu_hour="0.020", memory_hour="0.003"))
    assert "now use this rate" not in words(answer)
    assert LogEntry.objects.get().get_change_message() == "No fields changed."


def test_a_rate_keeps_its_cluster(client, cluster, rate):
    send(client, rate, filled(cluster) | {"cluster": 99})
    rate.refresh_from_db()
    assert rate.cluster == cluster


def test_a_change_to_a_day_that_is_taken_is_refused(client, cluster, rate):
    other = Rate.objects.create(cluster=cluster, starts_on=date(2026, 6, 1))
    answer = send(client, other, filled(cluster, starts_on="2026-01-01"))
    assert "Amsterdam already has a rate from 1 January 2026" in words(answer)


def test_what_a_deleted_rate_said_stays_on_record(client, rate):
    client.post(reverse("admin:environments_rate_delete", args=[rate.pk]), {"post": "yes"})
    assert not Rate.objects.exists()
    said = {entry.get_change_message() for entry in LogEntry.objects.all()}
    figures = (
        "per core and hour 0.02, per GiB of memory and hour 0.003, per GiB of storage and hour 0, per GPU and hour 0"
    )
    assert f"Deleted. Prices were: {figures}." in said


def test_the_list_says_which_one_is_in_force(client, cluster, rate):
    for day in (TODAY, TODAY + timedelta(days=1)):
        Rate.objects.create(cluster=cluster, starts_on=day)
    page = BeautifulSoup(client.get(reverse(LIST)).content, "html.parser")
    assert [pill.get_text() for pill in page.select("#result_list .pill")] == ["upcoming", "current", "expired"]


def test_the_form_says_what_is_charged_and_in_which_currency(client, settings):
    settings.CURRENCY = "NOK"
    text = words(client.get(reverse("admin:environments_rate_add")))
    assert "Costs are charged hourly for what an environment's quota reserves, used or not" in text
    assert "For each core of the quota's requests.cpu." in text
    assert "Prices in NOK" in text


def test_a_clusters_page_leads_to_its_rates(client, cluster):
    page = client.get(reverse("admin:environments_cluster_change", args=[cluster.pk])).content.decode()
    assert f"{reverse(LIST)}?cluster__id__exact={cluster.pk}" in page


def test_nobody_but_platform_admins_sees_or_sets_a_price(client, max_manager, rate):
    client.force_login(max_manager)
    for path in (reverse(LIST), reverse("admin:environments_rate_change", args=[rate.pk])):
        assert client.get(path).status_code in (302, 403)
        assert client.post(path, {}).status_code in (302, 403)
