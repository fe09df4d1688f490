"""The admin's lists at a usual width: every column beside the filters, and a search with a label in words."""

import pytest
from django.urls import reverse
from django.utils import timezone

from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role, Status
from environments.models import Event, Rate
from tests.pages.browsing import CHROMIUM, Site
from tests.pages.reading import labelled, read

RECORDS = ("environment", "event", "condition", "user", "team")
LISTS = (*RECORDS, "cluster", "template", "templateversion", "rate", "directory")
FAILED = {"Namespace": {"status": Status.FAILED, "message": "The name is taken by another namespace.", "attempts": 12}}


@pytest.fixture
def lists(client, ada, make_environment, theo, max_manager, cluster):
    """The addresses of lists with something in them, and a platform admin to read them."""
    name = "Recommendations for the spring"
    waiting = make_environment(name=name, phase=Phase.AWAITING_APPROVAL)
    for environment in (waiting, make_environment(name=name, members={theo.email: Role.VIEWER}, conditions=FAILED)):
        Event.record(environment, ada, Activity.FAILED, "Namespace: the name is taken by another namespace.")
    Rate.objects.create(cluster=cluster, starts_on=timezone.now(), cpu_hour="0.024", memory_hour="0.0032")
    client.force_login(ada)
    return {each: reverse(f"admin:environments_{each}_changelist") for each in LISTS}


def test_every_search_has_a_label_in_words(client, lists):
    searched = [each for each in LISTS if read(client.get(lists[each])).select("#searchbar")]
    assert {"environment", "event", "condition", "user"} <= set(searched)
    for each in searched:
        assert labelled(read(client.get(lists[each])), "Search for")["id"] == "searchbar"


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_no_list_is_cut_off_at_1440_pixels(client, lists):
    site = Site(client)
    for address in lists.values():
        site.keep(address)
    site.keep(reverse("admin:jsi18n"))
    try:
        for name, address in lists.items():
            page = site.open(address, viewport={"width": 1440, "height": 900})
            found = page.evaluate("[...document.querySelectorAll('.results')].map(e => [e.scrollWidth, e.clientWidth])")
            assert found, name
            assert all(needed <= there for needed, there in found), (name, found)
            page.context.close()
    finally:
        site.close()
