"""What kubectl asks an API server beside objects: discovery, tables, watches, patches. Both clusters answer alike."""

import json
import secrets
from pathlib import Path

import pytest
import urllib3
import yaml

from portal.demo.simulated import merge_keys
from portal.demo.simulated.kinds import KINDS
from tests.contract.arrange import Raw, Way, namespace

pytestmark = pytest.mark.real_cluster
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
STRATEGIC, JSON, MERGE = (f"application/{name}+json" for name in ("strategic-merge-patch", "json-patch", "merge-patch"))
BUILT_IN = [kind for kind in KINDS if kind.kind != "HTTPRoute"]  # the Gateway API is not on every cluster
CHANGING = {"Age", "Created At", "Last Seen", "First Seen", "Duration", "Cluster-IP"}
POD = {"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:2"}]}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": POD}
SAMPLES = list(yaml.safe_load_all(Path(__file__).with_name("table_samples.yaml").read_text()))


@pytest.fixture(scope="module")
def both(simulated_endpoint, real_endpoint):
    clients = [Raw(endpoint.admin) for endpoint in (simulated_endpoint, real_endpoint)]
    name = f"tables-{secrets.token_hex(4)}"
    for endpoint in (simulated_endpoint, real_endpoint):
        endpoint.client().apply(namespace(name))
    yield name, *clients
    for endpoint, client in zip((simulated_endpoint, real_endpoint), clients, strict=True):
        endpoint.admin_client().delete("Namespace", name)
        client.close()


def root(resource: str) -> str:
    version = resource.rpartition("/")[0]
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def path_in(name: str, resource: str) -> str:
    return f"{root(resource)}/namespaces/{name}/{resource.rpartition('/')[2]}"


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.kind)
def test_a_table_has_the_same_columns(both, kind):
    _, ours, theirs = both
    path = f"{root(f'{kind.api_version}/x')}/{kind.plural}"
    defined = [client("GET", path, accept=TABLE)[1]["columnDefinitions"] for client in (ours, theirs)]
    said = [[(each["name"], each["type"], each["format"], each["priority"]) for each in columns] for columns in defined]
    assert said[0] == said[1]


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample["resource"] for sample in SAMPLES])
def test_a_row_has_the_same_cells(both, sample):
    name, *clients = both
    resource, body = sample["resource"], {key: value for key, value in sample.items() if key != "resource"}
    rows = []
    for client in clients:
        sent = json.loads(json.dumps({"metadata": {"name": "web"}} | body).replace("NAMESPACE", name))
        status, made = client("POST", path_in(name, resource), sent)
        assert status == 201, made
        table = client("GET", f"{path_in(name, resource)}/web", accept=TABLE)[1]
        titles = [column["name"] for column in table["columnDefinitions"]]
        cells = dict(zip(titles, table["rows"][0]["cells"], strict=True))
        rows.append({title: cell for title, cell in cells.items() if title not in CHANGING})
        assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert rows[0] == rows[1]


def test_a_table_has_as_much_of_the_objects_as_asked_for(both):
    name, *clients = both
    for client in clients:
        for include, kind in (("Object", "Namespace"), ("Metadata", "PartialObjectMetadata"), ("None", None)):
            answer = client("GET", f"/api/v1/namespaces/{name}?includeObject={include}", accept=TABLE)[1]
            assert (answer["rows"][0].get("object") or {}).get("kind") == kind
        assert client("GET", f"/api/v1/namespaces/{name}?includeObject=Else", accept=TABLE)[0] == 400


def resources(client: Raw, path: str) -> dict:
    found = {}
    for group in client("GET", path, accept=AGGREGATED)[1]["items"]:
        for version in group["versions"]:
            for each in version["resources"]:
                found[group["metadata"].get("name", ""), version["version"], each["resource"]] = each
    return found


@pytest.mark.parametrize("path", ["/api", "/apis"])
def test_discovery_says_the_same_of_what_both_serve(both, path):
    _, ours, theirs = both
    mine, real = resources(ours, path), resources(theirs, path)
    shared = mine.keys() & real.keys()
    assert len(shared) >= 9
    for key in shared:
        one, other = dict(mine[key]), dict(real[key])
        less, more = ({sub["subresource"]: sub for sub in each.pop("subresources", [])} for each in (one, other))
        assert one == other
        assert less.items() <= more.items()


@pytest.mark.parametrize("version", ["v1", "apps/v1", "rbac.authorization.k8s.io/v1"])
def test_discovery_in_the_old_form_agrees_too(both, version):
    path = root(f"{version}/x")
    mine, real = (
        {each["name"]: {key: value for key, value in each.items() if key != "storageVersionHash"} for each in found}
        for found in (client("GET", path)[1]["resources"] for client in both[1:])
    )
    assert mine
    assert mine.items() <= real.items()


PATCHES = {
    "an image, by name": (STRATEGIC, {"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "b:3"}]}}}}),
    "one more": (STRATEGIC, {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "c:1"}]}}}}),
    "one less": (STRATEGIC, {"spec": {"template": {"spec": {"containers": [{"name": "a", "$patch": "delete"}]}}}}),
    "all others": (
        STRATEGIC,
        {"spec": {"template": {"spec": {"containers": [{"$patch": "replace"}, {"name": "z", "image": "z:1"}]}}}},
    ),
    "another order": (
        STRATEGIC,
        {"spec": {"template": {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}}},
    ),
    "another strategy": (STRATEGIC, {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
    "a label, and none": (STRATEGIC, {"metadata": {"labels": {"a": "b", "old": None}}}),
    "finalizers": (STRATEGIC, {"metadata": {"finalizers": ["example.com/b"]}}),
    "finalizers less": (STRATEGIC, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a"]}}),
    "no merge key": (STRATEGIC, {"spec": {"template": {"spec": {"containers": [{"image": "b:3"}]}}}}),
    "a list as a whole": (MERGE, {"spec": {"template": {"spec": {"containers": [{"name": "y", "image": "y:1"}]}}}}),
    "operations": (
        JSON,
        [
            {"op": "test", "path": "/metadata/labels/old", "value": "1"},
            {"op": "replace", "path": "/spec/replicas", "value": 0},
            {"op": "add", "path": "/metadata/labels/a~1b", "value": "c"},
            {"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "c", "image": "c:1"}},
            {"op": "move", "from": "/metadata/labels/old", "path": "/metadata/labels/new"},
            {"op": "copy", "from": "/metadata/labels/new", "path": "/metadata/labels/newer"},
            {"op": "remove", "path": "/spec/template/spec/containers/0"},
        ],
    ),
    "a test that fails": (JSON, [{"op": "test", "path": "/metadata/labels/old", "value": "2"}]),
    "nothing to remove": (JSON, [{"op": "remove", "path": "/metadata/labels/none"}]),
    "no list": (JSON, {"op": "remove", "path": "/metadata/labels/old"}),
    "another type": ("application/x-patch", {"spec": {}}),
}


@pytest.mark.parametrize(("content_type", "patch"), PATCHES.values(), ids=PATCHES)
def test_a_patch_has_the_same_result(both, content_type, patch):
    name, *clients = both
    spec = {"paused": True, "replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE}
    metadata = {"name": f"p-{secrets.token_hex(3)}", "labels": {"old": "1"}, "finalizers": ["example.com/a"]}
    results = []
    for client in clients:
        path = path_in(name, "apps/v1/deployments")
        assert client("POST", path, {"metadata": metadata, "spec": spec})[0] == 201
        status, answer = client("PATCH", f"{path}/{metadata['name']}", patch, content_type)
        kept = {key: answer["metadata"].get(key) for key in ("labels", "finalizers")} if status == 200 else {}
        results.append((status, kept, answer.get("spec"), answer.get("reason")))
        client("PATCH", f"{path}/{metadata['name']}", {"metadata": {"finalizers": None}}, MERGE)
        client("DELETE", f"{path}/{metadata['name']}")
    assert results[0] == results[1]


def published(schemas: dict, schema: dict, path: tuple[str, ...]) -> dict:
    """The merge keys that the API server's OpenAPI document publishes, by path."""
    for each in [schema, *schema.get("allOf", [])]:
        if "$ref" in each:
            return published(schemas, schemas[each["$ref"].rpartition("/")[2]], path)
    found = {}
    for name, field in schema.get("properties", {}).items():
        strategy, here = field.get("x-kubernetes-patch-strategy", ""), (*path, name)
        if "merge" in strategy:
            found[here] = field.get("x-kubernetes-patch-merge-key", merge_keys.SET)
            found |= published(schemas, field["items"], here)
        elif strategy == "replace":
            found[here] = merge_keys.REPLACE
        elif field.get("type") != "array":
            found |= published(schemas, field, here)
    return found


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.kind)
def test_merge_keys_are_those_that_the_server_publishes(real_endpoint, kind):
    client = Raw(real_endpoint.admin)
    schemas = client("GET", f"/openapi/v3{root(f'{kind.api_version}/x')}")[1]["components"]["schemas"]
    client.close()
    named = {"group": kind.group, "kind": kind.kind, "version": kind.version}
    schema = next(each for each in schemas.values() if named in each.get("x-kubernetes-group-version-kind", []))
    assert merge_keys.of_kind(kind) == published(schemas, schema, ())


def test_a_selector_that_is_replaced_is_not_merged(both):
    name, *clients = both
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web", "old": "1"}}}
    patch = {"spec": {"selector": {"matchLabels": {"app": "db"}}}}
    for client in clients:
        path = path_in(name, "policy/v1/poddisruptionbudgets")
        assert client("POST", path, {"metadata": {"name": "replaced"}, "spec": spec})[0] == 201
        status, answer = client("PATCH", f"{path}/replaced", patch, STRATEGIC)
        assert (status, answer["spec"]["selector"]) == (200, {"matchLabels": {"app": "db"}})


def events(way: Way, path: str) -> list[tuple[str, str]]:
    """The types and names of a watch that lasts two seconds."""
    trust = {"ca_cert_data": way.certificate_authority} if way.certificate_authority else {}
    pool = urllib3.PoolManager(retries=False, timeout=20, **trust)
    answer = pool.request("GET", way.server + path, headers={"Authorization": f"Bearer {way.credential}"})
    found = [json.loads(line) for line in answer.data.splitlines()]
    return [
        (each["type"], each["object"].get("metadata", {}).get("name", each["object"].get("reason"))) for each in found
    ]


@pytest.mark.parametrize(
    "query",
    [
        "resourceVersion=VERSION",
        "resourceVersion=VERSION&labelSelector=app=web",
        "resourceVersion=VERSION&fieldSelector=metadata.name=one",
        "",
        "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
    ],
)
def test_a_watch_tells_the_same(both, simulated_endpoint, real_endpoint, query):
    name, *clients = both
    home = f"{name}-{secrets.token_hex(2)}"
    seen = []
    for endpoint, client in zip((simulated_endpoint, real_endpoint), clients, strict=True):
        endpoint.client().apply(namespace(home))
        path = path_in(home, "v1/limitranges")
        version = client("GET", path)[1]["metadata"]["resourceVersion"]
        for each, labels in (("one", {"app": "web"}), ("two", {})):
            assert (
                client("POST", path, {"metadata": {"name": each, "labels": labels}, "spec": {"limits": []}})[0] == 201
            )
        client("PATCH", f"{path}/one", {"metadata": {"labels": {"app": "db"}}}, MERGE)
        client("PATCH", f"{path}/two", {"metadata": {"labels": {"app": "web"}}}, MERGE)
        client("DELETE", f"{path}/two")
        seen.append(events(endpoint.admin, f"{path}?watch=true&timeoutSeconds=2&{query.replace('VERSION', version)}"))
        endpoint.admin_client().delete("Namespace", home)
    assert seen[0] == seen[1]
    assert seen[0]


@pytest.mark.parametrize("accept", ["application/json;as=Table;v=v9;g=meta.k8s.io", "text/html"])
def test_a_form_that_there_is_not_is_406_or_said_in_another(both, accept):
    name, *clients = both
    ours, theirs = (
        client("GET", f"/api/v1/namespaces/{name}", accept=f"{accept},application/json") for client in clients
    )
    assert (ours[0], ours[1].get("kind")) == (theirs[0], theirs[1].get("kind"))
