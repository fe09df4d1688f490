"""The objects that the portal keeps, as YAML that can be read and compared."""

import pytest
import yaml

from environments.lib.phases import Phase
from environments.reconcile import drift
from environments.reconcile.drift import Cause, Entry
from tests.pages.reading import one, read, words


@pytest.fixture
def page(client):
    def get(environment, user):
        client.force_login(user)
        return client.get(f"/environments/{environment.namespace}/objects/")

    return get


def test_the_yaml_is_what_the_portal_keeps(page, dana, make_environment):
    documents = list(yaml.safe_load_all(one(read(page(make_environment(), dana)), "#yaml").get_text()))
    kinds = [document["kind"] for document in documents]
    assert kinds[:4] == ["Namespace", "ResourceQuota", "ResourceQuota", "LimitRange"]
    assert "NetworkPolicy" in kinds


ENTRIES = [
    Entry(
        "NetworkPolicy", "deny-all", "spec.ingress", "", "[{}]", "kubectl-edit", "2026-11-29T10:16:00Z", loosens=True
    ),
    Entry("RoleBinding", "environment-admin", since="2026-11-29T10:16:00Z"),
    Entry("ResourceQuota", "environment-quota", "spec.hard.pods", "30", "7", cause=Cause.CLUSTER),
]


def cells(soup, card):
    return [[words(cell) for cell in row.select("th, td")] for row in soup.select(f"{card} tbody tr")]


def test_what_differs_on_the_cluster_is_shown_field_by_field(page, dana, make_environment):
    soup = read(page(make_environment(drift=drift.as_data(ENTRIES)), dana))
    found = cells(soup, "#changed")
    assert [row[:4] for row in found] == [
        ["NetworkPolicy deny-all spec.ingress loosens a limit", "not set", "[{}]", "kubectl-edit"],
        ["RoleBinding environment-admin", "present", "missing", "unknown"],
    ]
    assert one(soup, "#changed tbody tr:first-child time")["datetime"] == "2026-11-29T10:16:00+00:00"
    assert [row[:4] for row in cells(soup, "#altered")] == [
        ["ResourceQuota environment-quota spec.hard.pods", "30", "7", "the cluster"]
    ]


def test_what_is_in_order_shows_no_differences(page, dana, make_environment):
    soup = read(page(make_environment(), dana))
    assert not soup.select("#changed, #altered")
    deleted = make_environment(name="gone", phase=Phase.DELETED, drift=drift.as_data(ENTRIES))
    assert not read(page(deleted, dana)).select("#changed, #altered")


@pytest.mark.parametrize(
    "stored", [None, {}, "x", [1, None, {"kind": "Pod"}], [{"kind": "Pod", "name": "x", "new": 1}]]
)
def test_what_another_version_wrote_breaks_nothing(page, dana, make_environment, stored):
    environment = make_environment()
    environment.drift = stored
    assert all(entry.name == "x" for entry in drift.read(environment.drift))
    if stored is not None:
        environment.save()
        assert page(environment, dana).status_code == 200


def test_of_a_deleted_one_it_is_said_that_they_are_gone(page, dana, make_environment):
    soup = read(page(make_environment(phase=Phase.DELETED), dana))
    assert "This environment was deleted." in words(one(soup, "main .notice"))


def test_readers_may_read_them_strangers_may_not(page, theo, max_manager, ada, sam, make_environment):
    environment = make_environment()
    statuses = [page(environment, user).status_code for user in (theo, max_manager, ada, sam)]
    assert statuses == [200, 200, 200, 404]
