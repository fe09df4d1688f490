"""SubjectAccessReview and SelfSubjectAccessReview: may somebody do this?

Source: https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
"""

from typing import Any

from portal.demo.simulated.kinds import Object
from portal.demo.simulated.rbac import Attributes, User, authorize
from portal.demo.simulated.statuses import Cause, bad_request, bad_value, invalid_options
from portal.demo.simulated.store import Store

GROUP = "authorization.k8s.io"
KINDS = {
    "subjectaccessreviews": "SubjectAccessReview",
    "selfsubjectaccessreviews": "SelfSubjectAccessReview",
}


def answer(store: Store, resource: str, asking: User, body: Object) -> Object:
    """The review with its status. Raises StatusError 400 or 422 for a question that cannot be asked."""
    kind = KINDS[resource]
    if body.get("kind", kind) != kind:
        raise bad_request(f"{body['kind']} cannot be handled as a {kind}")
    spec = body.get("spec") or {}
    user = asking
    if kind == "SubjectAccessReview":
        user = User(spec.get("user") or "", tuple(spec.get("groups") or ()))
        if not user.name and not user.groups:
            why = bad_value("spec.user", "", "at least one of user or group must be specified")
            raise invalid_options(GROUP, "", [why])
    decision = authorize(store, user, _attributes(spec))
    status: Object = {"allowed": decision.allowed}
    if decision.reason:
        status["reason"] = decision.reason
    return {"kind": kind, "apiVersion": f"{GROUP}/v1", "metadata": {}, "spec": spec, "status": status}


def _attributes(spec: Object) -> Attributes:
    resource: dict[str, Any] | None = spec.get("resourceAttributes")
    path: dict[str, Any] | None = spec.get("nonResourceAttributes")
    if (resource is None) == (path is None):
        message = "Invalid value: exactly one of nonResourceAttributes or resourceAttributes must be specified"
        raise invalid_options(GROUP, "", [Cause("spec.resourceAttributes", message)])
    if path is not None:
        return Attributes(path.get("verb", ""), path=path.get("path", ""))
    found = {key: str((resource or {}).get(key) or "") for key in _KEYS}
    return Attributes(**found)


_KEYS = ("verb", "group", "resource", "subresource", "namespace", "name")
