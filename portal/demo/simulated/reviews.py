"""SubjectAccessReview and SelfSubjectAccessReview: may a user do this? And SelfSubjectReview: who am I?

Source: https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
and https://kubernetes.io/docs/reference/access-authn-authz/authentication/#self-subject-review
"""

from typing import Any

from portal.demo.simulated.kinds import Kind, Object
from portal.demo.simulated.rbac import Attributes, User, authorize, rules_of
from portal.demo.simulated.statuses import Cause, bad_request, bad_value, invalid_options
from portal.demo.simulated.store import Store

GROUP = "authorization.k8s.io"
_WHO_AM_I = ("authentication.k8s.io", "selfsubjectreviews")
_RULES = "selfsubjectrulesreviews"
KINDS = {
    "subjectaccessreviews": "SubjectAccessReview",
    "selfsubjectaccessreviews": "SelfSubjectAccessReview",
}
#: As discovery lists them.
ALL = (
    Kind("SelfSubjectReview", _WHO_AM_I[1], _WHO_AM_I[0], namespaced=False),
    Kind("SelfSubjectRulesReview", _RULES, GROUP, namespaced=False),
    *(Kind(kind, plural, GROUP, namespaced=False) for plural, kind in KINDS.items()),
)


def is_review(group: str, resource: str) -> bool:
    """Whether this is a question, and nothing that is kept."""
    return (group, resource) == _WHO_AM_I or (group == GROUP and resource in (*KINDS, _RULES))


def answer(store: Store, resource: str, asking: User, body: Object) -> Object:
    """The review with its status. Raises StatusError 400 or 422 for a question that cannot be asked."""
    if resource == _WHO_AM_I[1]:
        return _identity(asking)
    if resource == _RULES:
        return _rules(store, asking, body.get("spec") or {})
    kind = KINDS[resource]
    if body.get("kind", kind) != kind:
        raise bad_request(f"{body['kind']} cannot be handled as a {kind}")
    spec = _without_blanks(body.get("spec") or {})
    _validate(kind, spec)
    user = User(spec.get("user", ""), tuple(spec.get("groups", ()))) if kind == "SubjectAccessReview" else asking
    decision = authorize(store, user, _attributes(spec))
    status: Object = {"allowed": decision.allowed}
    if decision.reason:
        status["reason"] = decision.reason
    return {"kind": kind, "apiVersion": f"{GROUP}/v1", "metadata": {}, "spec": spec, "status": status}


def _identity(user: User) -> Object:
    status = {"userInfo": {"username": user.name, "groups": list(user.groups)}}
    return {"kind": "SelfSubjectReview", "apiVersion": f"{_WHO_AM_I[0]}/v1", "metadata": {}, "status": status}


def _rules(store: Store, user: User, spec: Object) -> Object:
    """What `kubectl auth can-i --list` asks. Raises StatusError 400 without a namespace."""
    namespace = spec.get("namespace", "")
    if not namespace:
        raise bad_request("no namespace on request")
    rules = rules_of(store, user, namespace)
    status = {
        "resourceRules": [rule for rule in rules if "resources" in rule],
        "nonResourceRules": [rule for rule in rules if "nonResourceURLs" in rule],
        "incomplete": False,
    }
    about = {"kind": "SelfSubjectRulesReview", "apiVersion": f"{GROUP}/v1", "metadata": {}}
    return about | {"spec": {"namespace": namespace}, "status": status}


def _validate(kind: str, spec: Object) -> None:
    causes = []
    if ("resourceAttributes" in spec) == ("nonResourceAttributes" in spec):
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        causes.append(Cause("spec.resourceAttributes", f"Invalid value: null: {why}"))
    if kind == "SubjectAccessReview" and not spec.get("user") and not spec.get("groups"):
        causes.append(bad_value("spec.user", "", "at least one of user or group must be specified"))
    if causes:
        raise invalid_options(GROUP, "", causes)


def _attributes(spec: Object) -> Attributes:
    if "nonResourceAttributes" in spec:
        asked = spec["nonResourceAttributes"]
        return Attributes(asked.get("verb", ""), path=asked.get("path", ""))
    asked = spec["resourceAttributes"]
    return Attributes(**{key: asked.get(key, "") for key in _KEYS})


def _without_blanks(value: Any) -> Any:
    """As the API server gives a question back: without what was left empty."""
    if isinstance(value, dict):
        return {key: _without_blanks(each) for key, each in value.items() if each not in ("", None)}
    return value


_KEYS = ("verb", "group", "resource", "subresource", "namespace", "name")
