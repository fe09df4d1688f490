"""The history: everything that happened, by whom, newest first."""

import pytest

from environments.lib.activity import Activity
from environments.models import Event
from environments.reconcile import drift
from environments.reconcile.drift import Entry
from tests.pages.reading import one, read, words


@pytest.fixture
def environment(make_environment):
    return make_environment()


@pytest.fixture
def page(client, environment):
    def get(user, query=""):
        client.force_login(user)
        return client.get(f"/environments/{environment.namespace}/history/?{query}")

    return get


def test_each_line_says_what_and_by_whom(page, dana, environment):
    Event.objects.create(environment=environment, kind=Activity.READY, message="Everything is in place.", tone="ok")
    lines = read(page(dana)).select(".timeline li")
    assert words(lines[0]).startswith("Ready by the portal")
    assert words(lines[1]).startswith("Requested by Dana Example")


def test_drift_is_told_difference_by_difference(page, dana, environment):
    differences = ["ResourceQuota environment-quota: pods is 500, not 50", "NetworkPolicy deny-all is missing"]
    Event.objects.create(
        environment=environment, kind=Activity.CHANGED_BY_HAND, message="…", data={"differences": differences}
    )
    assert [words(item) for item in read(page(dana)).select(".timeline li ul li")] == differences


def test_drift_is_shown_field_by_field(page, dana, environment):
    entries = [
        Entry("ResourceQuota", "environment-quota", "spec.hard.pods", "50", "500", "kubectl-edit"),
        Entry("NetworkPolicy", "deny-all", "spec.ingress", "", "[{}]"),
        Entry("NetworkPolicy", "allow-dns"),
    ]
    Event.objects.create(
        environment=environment, kind=Activity.CHANGED_BY_HAND, message="…", data={"drift": drift.as_data(entries)}
    )
    assert [words(item) for item in read(page(dana)).select(".timeline li dl > div")] == [
        "ResourceQuota environment-quota spec.hard.pods Wanted 50 , found 500 , changed by kubectl-edit.",
        "NetworkPolicy deny-all spec.ingress Wanted not set, found [{}] .",
        "NetworkPolicy allow-dns Missing.",
    ]


def test_a_long_history_has_pages(page, dana, environment):
    Event.objects.bulk_create(
        Event(environment=environment, kind=Activity.CHANGED_BY_HAND, message=f"number {number}")
        for number in range(60)
    )
    first = read(page(dana))
    assert len(first.select(".timeline > li")) == 50
    second = read(page(dana, one(first, "a[rel=next]")["href"].lstrip("?")))
    assert len(second.select(".timeline > li")) == 11


def test_readers_may_read_it_strangers_may_not(page, theo, max_manager, ada, sam):
    assert [page(user).status_code for user in (theo, max_manager, ada, sam)] == [200, 200, 200, 404]


def test_the_number_of_queries_does_not_grow_with_events(client, dana, environment, django_assert_max_num_queries):
    Event.objects.bulk_create(
        Event(environment=environment, kind=Activity.CHANGED_BY_HAND, message=f"number {number}", actor=dana)
        for number in range(40)
    )
    client.force_login(dana)
    with django_assert_max_num_queries(6):
        read(client.get(f"/environments/{environment.namespace}/history/"))
