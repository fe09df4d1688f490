"""How each refusal reads, and what the portal makes of it."""

import pytest
import urllib3

from environments.kube.answers import NotFoundError
from environments.kube.client import ClusterClient
from environments.lib.errors import PermanentError, TemporaryError
from tests.contract.arrange import APPLY, Way, namespace, quota, role_binding

WHO = "system:serviceaccount:allotment:portal"
APPLIED = "?fieldManager=allotment&force=true"

#: method, path, body, content type; status, reason and the beginning of the message
ANSWERS = [
    (("GET", "/api/v1/namespaces/none", None, ""), (404, "NotFound", 'namespaces "none" not found')),
    (
        ("GET", "/api/v1/namespaces/default/serviceaccounts/none", None, ""),
        (
            403,
            "Forbidden",
            'serviceaccounts "none" is forbidden: User "system:serviceaccount:allotment:portal" cannot get',
        ),
    ),
    (
        ("GET", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings/none", None, ""),
        (404, "NotFound", 'rolebindings.rbac.authorization.k8s.io "none" not found'),
    ),
    (
        ("GET", "/api/v1/colours", None, ""),
        (403, "Forbidden", f'colours is forbidden: User "{WHO}" cannot list resource "colours" in API group ""'),
    ),
    (
        ("GET", "/metrics", None, ""),
        (403, "Forbidden", f'forbidden: User "{WHO}" cannot get path "/metrics"'),
    ),
    (
        ("PATCH", "/api/v1/namespaces/default/status?fieldManager=x", namespace("default"), APPLY),
        (
            403,
            "Forbidden",
            f'namespaces "default" is forbidden: User "{WHO}" cannot patch resource "namespaces/status"',
        ),
    ),
    (
        ("POST", "/api/v1/namespaces", namespace("Bad_Name"), "application/json"),
        (422, "Invalid", 'Namespace "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": a lowercase RFC'),
    ),
    (
        ("POST", "/api/v1/namespaces", namespace(""), "application/json"),
        (422, "Invalid", 'Namespace "" is invalid: metadata.name: Required value: name or generateName is required'),
    ),
    (
        ("POST", "/api/v1/namespaces", "{nonsense", "application/json"),
        (400, "BadRequest", "the object provided is unrecognized"),
    ),
    (
        ("PATCH", f"/api/v1/namespaces/other{APPLIED}", namespace("default"), APPLY),
        (400, "BadRequest", "the name of the object (default) does not match the name on the URL (other)"),
    ),
    (
        ("PATCH", "/api/v1/namespaces/default", namespace("default"), APPLY),
        (422, "Invalid", 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply'),
    ),
    (
        ("PATCH", f"/api/v1/namespaces/default{APPLIED}", namespace("default", labels={"a": "no good"}), APPLY),
        (422, "Invalid", 'Namespace "default" is invalid: metadata.labels: Invalid value: "no good": a valid label'),
    ),
    (
        (
            "PATCH",
            f"/api/v1/namespaces/default/resourcequotas/q{APPLIED}",
            quota("default", {"pods": "-1"}, "q"),
            APPLY,
        ),
        (
            422,
            "Invalid",
            'ResourceQuota "q" is invalid: spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0',
        ),
    ),
    (
        (
            "PATCH",
            f"/api/v1/namespaces/default/resourcequotas/q{APPLIED}",
            quota("default", {"colour": "1"}, "q"),
            APPLY,
        ),
        (
            422,
            "Invalid",
            'ResourceQuota "q" is invalid: [spec.hard[colour]: Invalid value: "colour": must be a standard resource',
        ),
    ),
    (
        (
            "PATCH",
            f"/api/v1/namespaces/default/resourcequotas/q{APPLIED}",
            quota("default", {"pods": "many"}, "q"),
            APPLY,
        ),
        (500, "", "failed to convert new object (default/q; /v1, Kind=ResourceQuota) to proper version: unable to"),
    ),
    (
        ("DELETE", "/api/v1/namespaces/none", {"kind": "DeleteOptions", "apiVersion": "v1"}, "application/json"),
        (404, "NotFound", 'namespaces "none" not found'),
    ),
]


@pytest.mark.parametrize(("asked", "expected"), ANSWERS, ids=[f"{a[0]} {a[1][:60]} {e[0]}" for a, e in ANSWERS])
def test_a_refusal_reads_as_in_kubernetes(raw, asked, expected):
    status, answer = raw(*asked)
    code, reason, beginning = expected
    assert (status, answer["code"], answer.get("reason", ""), answer["kind"]) == (code, code, reason, "Status")
    assert answer["message"][: len(beginning)] == beginning


def test_an_invalid_object_names_the_field(raw):
    _, answer = raw("POST", "/api/v1/namespaces", namespace("Bad_Name"))
    details = answer["details"]
    assert (details["kind"], details["name"]) == ("Namespace", "Bad_Name")
    assert [(cause["reason"], cause["field"]) for cause in details["causes"]] == [
        ("FieldValueInvalid", "metadata.name")
    ]


def test_a_method_that_is_not_allowed_is_405(raw_admin):
    status, answer = raw_admin("PUT", "/api/v1/namespaces", namespace("x"))
    assert (status, answer["reason"]) == (405, "MethodNotAllowed")


def test_a_resource_that_is_not_served_is_404(raw_admin):
    status, answer = raw_admin("GET", "/api/v1/colours")
    assert (status, answer["message"]) == (404, "the server could not find the requested resource")


def test_an_unknown_token_is_401_and_waits_for_a_person(cluster_endpoint):
    way = cluster_endpoint.portal
    stranger = ClusterClient(Way(way.server, "not-a-token", way.certificate_authority))
    with pytest.raises(TemporaryError) as caught:
        stranger.get("Namespace", "default")
    assert (caught.value.reason, caught.value.retry_after) == ("Unauthorized", 60)
    assert "not-a-token" not in caught.value.message


def test_without_a_token_one_may_ask_how_the_server_is_and_nothing_else(cluster_endpoint):
    way = cluster_endpoint.portal
    with _pool(way) as pool:
        assert pool.request("GET", f"{way.server}/readyz").status == 200
        refused = pool.request("GET", f"{way.server}/api/v1/namespaces")
    assert refused.status == 403
    assert 'User "system:anonymous" cannot list resource "namespaces"' in refused.json()["message"]


def test_what_a_role_does_not_allow_is_permanent(portal):
    with pytest.raises(PermanentError, match='cannot get resource "configmaps"') as caught:
        portal.get("ConfigMap", "any", "default")
    assert caught.value.reason == "Forbidden"


def test_what_is_invalid_is_permanent(portal, home):
    with pytest.raises(PermanentError, match="must be greater than or equal to 0") as caught:
        portal.apply(quota(home, {"pods": "-1"}))
    assert caught.value.reason == "Invalid"


def test_a_quantity_that_is_none_is_permanent_though_the_server_says_500(portal, home):
    with pytest.raises(PermanentError, match="quantities must match the regular expression"):
        portal.apply(quota(home, {"pods": "many"}))


def test_a_binding_to_a_role_that_is_not_there_is_not_found(portal, home):
    with pytest.raises(NotFoundError, match='"no-such-role" not found'):
        portal.apply(role_binding(home, "no-such-role", ("Group", "somebody")))


def test_the_version_is_one_that_the_portal_knows(portal):
    assert portal.version().startswith("v1.")


@pytest.mark.parametrize("path", ["/readyz", "/version", "/api", "/apis", "/api/v1", "/apis/networking.k8s.io/v1"])
def test_everybody_who_is_signed_in_may_discover_the_api(cluster_endpoint, path):
    way = cluster_endpoint.portal
    with _pool(way) as pool:
        response = pool.request("GET", way.server + path, headers={"Authorization": f"Bearer {way.credential}"})
    assert response.status == 200
    assert response.data.startswith((b"{", b"ok"))


def _pool(way: Way) -> urllib3.PoolManager:
    trust = {"ca_cert_data": way.certificate_authority} if way.certificate_authority else {}
    return urllib3.PoolManager(retries=False, timeout=20, **trust)
