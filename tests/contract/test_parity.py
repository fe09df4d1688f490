"""The same journey through both clusters, answer by answer: what the portal reads must not differ in a word.

Left out is what differs from cluster to cluster: identities, versions, times, and what controllers own.
"""

import json
import re
import secrets
import time

import pytest

from environments.kube.manifests import all_manifests
from tests.contract.arrange import (
    APPLY,
    ClusterEndpoint,
    Raw,
    desired,
    limit_range,
    namespace,
    quota,
    role_binding,
    wait_until_enforced,
    wait_until_furnished,
)
from tests.contract.parity import POINTS
from tests.contract.parity.points import HOME as PLACE

HOME = "parity"
APPLIED = "?fieldManager=allotment&force=true"
MERGE = "application/merge-patch+json"
_UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# "." is how FieldsV1 notes that a map itself is owned, too.
_VOLATILE = {".", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "time", "lastTransitionTime"}
_CONTROLLERS = {"kube-controller-manager", "kube-apiserver"}


def _path(manifest, name=True) -> str:
    prefix = f"/apis/{manifest['apiVersion']}" if "/" in manifest["apiVersion"] else "/api/v1"
    plural = {"NetworkPolicy": "networkpolicies"}.get(manifest["kind"], f"{manifest['kind'].lower()}s")
    metadata = manifest["metadata"]
    where = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{prefix}{where}/{plural}" + (f"/{metadata['name']}" if name else "")


def _account(**more):
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "ci", "namespace": HOME} | more}


def _review(group, verb, resource, api_group=""):
    attributes = {"verb": verb, "resource": resource, "group": api_group, "namespace": HOME}
    spec = {"user": "dana@example.com", "groups": [group], "resourceAttributes": attributes}
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}


def _journey():
    """Requests as (method, path, body, content type); a number is a pause in seconds."""
    manifests = all_manifests(desired(HOME))
    reviews = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    for _ in range(2):
        for manifest in manifests:
            yield "PATCH", _path(manifest) + APPLIED, manifest, APPLY
    yield 1.0
    for manifest in manifests:
        yield "GET", _path(manifest), None, ""
        yield "GET", _path(manifest, name=False) + "?labelSelector=example.org/environment=id-of-parity", None, ""
    live_quota = _path(manifests[1])
    yield "PATCH", live_quota + "?fieldManager=edit", {"spec": {"hard": {"pods": "99", "services": "1"}}}, MERGE
    yield "PATCH", live_quota + APPLIED + "&dryRun=All", manifests[1], APPLY
    yield "PATCH", live_quota + APPLIED, manifests[1], APPLY
    yield "PATCH", live_quota + "?fieldManager=other", quota(HOME, {"pods": "5"}, "environment-quota"), APPLY
    yield "PATCH", _path(manifests[0]) + APPLIED, namespace(HOME, labels={"a": "b"}), APPLY
    yield "PATCH", _path(manifests[0]) + "?fieldManager=edit", {"metadata": {"labels": {"a": None, "c": "d"}}}, MERGE
    yield "PATCH", _path(_account()) + APPLIED, _account(annotations={"a": "b"}), APPLY
    yield "PATCH", _path(_account()) + APPLIED, _account(), APPLY
    yield "POST", _path(_account(), name=False), _account(), "application/json"
    other = limit_range(HOME, max={"cpu": "1"}, min={"cpu": "0.01"}, default={"memory": "0.5Gi"})
    yield "PATCH", _path(other) + APPLIED, other, APPLY
    yield "PATCH", _path(other) + APPLIED, limit_range(HOME, default={"cpu": "2"}, max={"cpu": "1"}), APPLY
    yield "PATCH", _path(other) + APPLIED, limit_range(HOME, default={"cpu": "1"}, defaultRequest={"cpu": "2"}), APPLY
    binding = role_binding(HOME, "environment-admin", ("Group", "x"))
    yield "PATCH", _path(binding) + "?fieldManager=other", binding, APPLY
    yield "PATCH", _path(binding) + APPLIED, role_binding(HOME, "environment-viewer", name="environment-admin"), APPLY
    yield "PATCH", _path(binding) + APPLIED, role_binding(HOME, "cluster-admin", ("User", "x")), APPLY
    for group, verb, resource, api_group in (
        (f"{HOME}-admin", "create", "deployments", "apps"),
        (f"{HOME}-admin", "create", "networkpolicies", "networking.k8s.io"),
        ("strangers", "get", "pods", ""),
    ):
        yield "POST", reviews, _review(group, verb, resource, api_group), "application/json"
    yield "POST", reviews, {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"}, "application/json"
    yield "GET", "/api/v1/namespaces/default/secrets/x", None, ""
    yield "DELETE", _path(binding), None, ""
    yield "DELETE", _path(other), None, ""
    yield "DELETE", _path(manifests[3]), None, ""
    yield "DELETE", _path(_account()), None, ""
    yield "DELETE", live_quota, {"preconditions": {"uid": "another"}}, "application/json"
    yield "DELETE", live_quota, None, ""
    yield "DELETE", live_quota, None, ""
    yield "DELETE", _path(manifests[0]) + "?dryRun=All", None, ""
    yield "DELETE", _path(manifests[0]), None, ""
    yield "PATCH", live_quota + APPLIED, manifests[1], APPLY
    yield "POST", "/api/v1/namespaces", namespace(HOME), "application/json"


def _answers(endpoint):
    admin, raw = endpoint.admin_client(), Raw(endpoint.portal)
    raw("PATCH", f"/api/v1/namespaces/{HOME}{APPLIED}", namespace(HOME), APPLY)
    wait_until_furnished(admin, HOME)
    enforced = False
    for step in _journey():
        if isinstance(step, float):
            time.sleep(step)
            wait_until_enforced(admin, HOME, "environment-quota")
            enforced = True
            continue
        status, answer = raw(*step)
        yield f"{step[0]} {step[1]}", status, _comparable(answer, with_status=enforced and step[0] == "GET")
    raw.close()


def _comparable(found, *, with_status):
    if isinstance(found, list):
        return [_comparable(each, with_status=with_status) for each in found]
    if isinstance(found, str):
        return _UID.sub("…", found)
    if not isinstance(found, dict):
        return found
    result = {key: _comparable(each, with_status=with_status) for key, each in found.items() if key not in _VOLATILE}
    if "managedFields" in found:
        entries = [entry for entry in result["managedFields"] if entry["manager"] not in _CONTROLLERS]
        result["managedFields"] = sorted(entries, key=lambda entry: entry["manager"])
    if found.get("kind") == "SubjectAccessReview":
        result["metadata"] = {}  # nobody owns a question
    if found.get("kind") == "ResourceQuota" and not with_status:
        result.pop("status", None)  # a controller's, in its own time
    return result


@pytest.mark.real_cluster
def test_both_clusters_answer_a_whole_journey_alike(simulated_endpoint, real_endpoint):
    simulated, real = list(_answers(simulated_endpoint)), list(_answers(real_endpoint))
    assert len(simulated) == len(real) > 0
    for ours, theirs in zip(simulated, real, strict=True):
        assert ours == theirs


_PATIENCE = 60  # seconds: a busy controller manager counts quotas late
_ATTEMPTS = 3


class Asking:
    """Asks one cluster the points of the table."""

    def __init__(self, endpoint: ClusterEndpoint) -> None:
        self._admin, self._raw = endpoint.admin_client(), Raw(endpoint.admin)
        self._shared = self._furnished()

    def answer(self, point, expected=None):
        """What the cluster says in the end: code, reason, fields of causes, warnings, and the fields that count.

        A point whose answer controllers write is asked from the start again if it is not as expected: the quota
        controller may write what it counted in a cache without the newest pod, and counts again after minutes only.
        """
        attempts = _ATTEMPTS if point.requests[-1].until else 1
        for _ in range(attempts):
            found = self._followed(point, expected, _PATIENCE / attempts)
            if expected in (None, found):
                break
        return found

    def _followed(self, point, expected, patience):
        """The answer in one namespace; the last question again, for some seconds, until it is answered as expected."""
        home = self._furnished() if point.is_alone else self._shared
        owner = {}
        for request in point.requests:
            response = self._asked(request, home, owner)
            if request.method == "POST" and not owner:
                owner = _reference(response)
        deadline = time.monotonic() + patience
        while expected not in (None, found := _summary(point, response, home)) and request.method == "GET":
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
            response = self._asked(request, home, owner)
        if point.is_alone:
            self._admin.delete("Namespace", home)
        return found

    def _asked(self, request, home, owner):
        body = json.dumps(request.body) if isinstance(request.body, dict) else request.body
        body = body and body.replace(PLACE, home).replace('"OWNER"', json.dumps(owner))
        path = request.path.replace(PLACE, home)
        deadline = time.monotonic() + _PATIENCE
        while True:
            response = self._raw.ask(request.method, path, body, request.content_type)
            if _has(request.until, response) or time.monotonic() > deadline:
                return response
            time.sleep(0.02)

    def _furnished(self) -> str:
        name = f"point-{secrets.token_hex(4)}"
        self._admin.create(namespace(name))
        wait_until_furnished(self._admin, name)
        return name


def _has(wanted, response) -> bool:
    if wanted.isdecimal():
        return response.status == int(wanted)
    return not wanted or _field(_decoded(response), wanted.split(".")) not in (None, {})


def _decoded(response):
    try:
        return json.loads(response.data)
    except ValueError:
        return {}


def _reference(response):
    found = _decoded(response)
    metadata = found.get("metadata") or {}
    return {key: found.get(key) for key in ("apiVersion", "kind")} | {key: metadata.get(key) for key in ("name", "uid")}


def _field(found, path):
    if not path or found is None:
        return found
    key, rest = path[0].removesuffix("[]"), path[1:]
    found = found.get(key) if isinstance(found, dict) else None
    return [_field(each, rest) for each in found or []] if path[0].endswith("[]") else _field(found, rest)


def _summary(point, response, home):
    found = _decoded(response)
    causes = (found.get("details") or {}).get("causes") or [] if found.get("kind") == "Status" else []
    said = {
        "code": response.status,
        "reason": found.get("reason", "") if found.get("kind") == "Status" else "",
        "causes": sorted({(cause.get("reason", ""), cause.get("field", "")) for cause in causes}),
        "warnings": response.headers.getlist("Warning"),
    }
    said |= {field: _field(found, field.split(".")) for field in point.fields if response.status < 400}
    return json.loads(json.dumps(said).replace(home, PLACE))


@pytest.fixture(scope="module")
def asked(simulated_endpoint, real_endpoint):
    return Asking(simulated_endpoint), Asking(real_endpoint)


@pytest.mark.real_cluster
@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_both_clusters_agree(asked, point):
    ours, theirs = asked
    simulated = ours.answer(point)
    real = theirs.answer(point, simulated)
    assert real["code"] == point.code, real
    assert simulated == real
