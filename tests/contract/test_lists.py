"""Lists: selected by labels and fields, page by page, over all namespaces."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from environments.lib.errors import PermanentError
from tests.contract.arrange import config_map, namespace

MANY = 1200


def _names(found) -> list[str]:
    return [each["metadata"]["name"] for each in found]


@pytest.fixture
def labelled(admin, home) -> str:
    for name, labels in (("one", {"tier": "web", "new": ""}), ("two", {"tier": "db"}), ("three", {})):
        admin.create(config_map(home, name, labels=labels))
    return home


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("tier=web", ["one"]),
        ("tier==web", ["one"]),
        ("tier!=web,!other", ["three", "two"]),
        ("tier in (web, db)", ["one", "two"]),
        ("tier notin (web,db)", ["three"]),
        ("tier", ["one", "two"]),
        ("!tier", ["three"]),
        ("tier=web,new", ["one"]),
        ("tier=web,new=x", []),
        ("new=", ["one"]),
    ],
)
def test_a_label_selector_selects(admin, labelled, selector, names):
    found = _names(admin.list_objects("ConfigMap", labelled, labels=selector))
    assert [name for name in found if name != "kube-root-ca.crt"] == names


def test_a_selector_that_cannot_be_read_is_refused(portal):
    with pytest.raises(PermanentError, match="unable to parse requirement") as caught:
        list(portal.list_objects("Namespace", labels="a in ("))
    assert caught.value.reason == "BadRequest"


def test_a_field_selector_selects(admin, portal, labelled):
    assert _names(admin.list_objects("ConfigMap", labelled, fields="metadata.name=two")) == ["two"]
    assert set(_names(admin.list_objects("ConfigMap", fields=f"metadata.namespace={labelled}"))) >= {"one", "two"}
    assert labelled in _names(portal.list_objects("Namespace", fields="status.phase=Active"))
    assert labelled not in _names(portal.list_objects("Namespace", fields="status.phase!=Active"))


def test_an_unknown_field_is_refused(portal):
    with pytest.raises(PermanentError, match=r"field label not supported: spec\.colour"):
        list(portal.list_objects("Pod", fields="spec.colour=red"))


def test_events_are_selected_by_what_they_are_about(admin, portal, home):
    for name, kind in (("api", "Warning"), ("api", "Normal"), ("web", "Warning")):
        about = {"kind": "Pod", "namespace": home, "name": name}
        event = {"apiVersion": "v1", "kind": "Event", "metadata": {"generateName": "e-", "namespace": home}}
        admin.create(event | {"involvedObject": about, "type": kind, "reason": "BackOff", "message": "again"})
    found = list(portal.list_objects("Event", home, fields="type=Warning,involvedObject.name=api"))
    assert [(each["involvedObject"]["name"], each["type"], each["reason"]) for each in found] == [
        ("api", "Warning", "BackOff")
    ]


def test_a_list_over_all_namespaces_is_ordered_by_namespace(admin, portal, home):
    keys = [(each["metadata"]["namespace"], each["metadata"]["name"]) for each in admin.list_objects("ConfigMap")]
    assert len(keys) > 1
    assert keys == sorted(keys)


def test_a_thousand_namespaces_come_in_pages(admin, portal, raw):
    wanted = [f"many-{number:04}" for number in range(MANY)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: admin.create(namespace(name, labels={"contract": "many"})), wanted))
    assert _names(portal.list_objects("Namespace", labels="contract=many", limit=500)) == wanted

    sizes, token = [], ""
    while True:
        path = f"/api/v1/namespaces?labelSelector=contract%3Dmany&limit=500&continue={token}"
        _, page = raw("GET", path)
        sizes.append(len(page["items"]))
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert sizes == [500, 500, 200]


def test_a_page_says_how_many_are_left(raw):
    status, page = raw("GET", "/api/v1/namespaces?limit=2")
    assert (status, page["kind"], len(page["items"])) == (200, "NamespaceList", 2)
    assert page["metadata"]["remainingItemCount"] > 0
    assert "kind" not in page["items"][0]


def test_a_wrong_continue_token_is_refused(raw):
    status, answer = raw("GET", "/api/v1/namespaces?limit=2&continue=nonsense")
    assert (status, answer["reason"]) == (400, "BadRequest")
    assert answer["message"].startswith("invalid continue token")
