"""Authorization by roles and bindings, and the rule against privilege escalation.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from portal.demo.simulated.kinds import BY_NAME, RBAC_GROUP, Kind, Object
from portal.demo.simulated.statuses import StatusError, details, forbidden, not_found
from portal.demo.simulated.store import Store

MASTERS = "system:masters"  # may do everything, without any binding
_ROLES = {name: BY_NAME[name] for name in ("Role", "ClusterRole")}
_BINDING, _CLUSTER_BINDING = BY_NAME["RoleBinding"], BY_NAME["ClusterRoleBinding"]


@dataclass(frozen=True)
class User:
    """Who makes a request, or whom a review asks about."""

    name: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Attributes:
    """What a user wants to do: to a resource, or to a path that is none."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def full_resource(self) -> str:
        """As rules have it: `pods/log`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass(frozen=True)
class Decision:
    """Whether, and by which binding."""

    allowed: bool
    reason: str = ""


def authorize(store: Store, user: User, wanted: Attributes) -> Decision:
    """Whether any binding of the user or their groups allows it."""
    if MASTERS in user.groups:
        return Decision(True)
    for binding, subject, role in _grants(store, user, wanted.namespace):
        if any(_allows(rule, wanted) for rule in role.get("rules") or []):
            return Decision(True, _reason(binding, subject))
    return Decision(False)


def rules_of(store: Store, user: User, namespace: str) -> list[Object]:
    """The rules of all roles that reach a user in a namespace."""
    if MASTERS in user.groups:
        everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
        return [everything, {"verbs": ["*"], "nonResourceURLs": ["*"]}]
    return [rule for _, _, role in _grants(store, user, namespace) for rule in role.get("rules") or []]


def require(store: Store, user: User, wanted: Attributes) -> None:
    """Raise StatusError 403 in Kubernetes' words unless the user may."""
    if authorize(store, user, wanted).allowed:
        return
    if wanted.path:
        why = f'User "{user.name}" cannot {wanted.verb} path "{wanted.path}"'
        raise StatusError(403, "Forbidden", f"forbidden: {why}", {})
    where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    why = (
        f'User "{user.name}" cannot {wanted.verb} resource "{wanted.full_resource}" '
        f'in API group "{wanted.group}" {where}'
    )
    raise forbidden(Kind("", wanted.resource, wanted.group), wanted.name, why)


def prevent_escalation(store: Store, user: User, kind: Kind, found: Object) -> None:
    """Raise StatusError 403 if a role or binding would grant rights that its author does not have.

    A binding is fine for who may `bind` the role, a role for who may `escalate` it.
    """
    namespace = found["metadata"].get("namespace", "")
    if kind.kind in ("RoleBinding", "ClusterRoleBinding"):
        rules = _bound_rules(store, user, kind, found, namespace)
    elif kind.kind in _ROLES:
        escalate = Attributes("escalate", RBAC_GROUP, kind.plural, "", namespace, found["metadata"]["name"])
        rules = [] if authorize(store, user, escalate).allowed else found.get("rules") or []
    else:
        return
    held = [rule for _, _, role in _grants(store, user, namespace) for rule in role.get("rules") or []]
    missing = [rule for rule in rules if not _covers(held, rule)]
    if missing:
        raise forbidden(kind, found["metadata"]["name"], _attempt(user, missing))


def _bound_rules(store: Store, user: User, kind: Kind, binding: Object, namespace: str) -> list[Object]:
    """The rules that a binding gives away; none for who may `bind` its role. Raises StatusError 404 without one."""
    reference = binding["roleRef"]
    if reference.get("kind") not in _ROLES or not reference.get("name"):
        return []  # not valid anyway
    role_kind = _ROLES[reference["kind"]]
    bind = Attributes("bind", RBAC_GROUP, role_kind.plural, "", namespace, reference["name"])
    if authorize(store, user, bind).allowed:
        return []
    role = store.get(role_kind, reference["name"], namespace if role_kind.namespaced else "")
    if role is None:
        raise _missing_role(kind, reference["name"])
    return role.get("rules") or []


def _attempt(user: User, missing: list[Object]) -> str:
    groups = " ".join(json.dumps(group) for group in user.groups)
    shown = "\n".join(_compact(rule) for rule in missing)
    return (
        f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n{shown}'
    )


def _missing_role(kind: Kind, name: str) -> StatusError:
    """The API server names the binding's kind here, not the role's."""
    error = not_found(kind, name)
    error.details = details(kind, name)
    return error


def _grants(store: Store, user: User, namespace: str) -> Iterator[tuple[Object, Object, Object]]:
    """Bindings that reach the user (all over the cluster, then in the namespace), with the subject and the role."""
    bindings = [*store.objects(_CLUSTER_BINDING), *(store.objects(_BINDING, namespace) if namespace else ())]
    for binding in bindings:
        subject = next((each for each in binding.get("subjects") or [] if _is_meant(each, user)), None)
        if subject is None:
            continue
        reference = binding["roleRef"]
        role_kind = _ROLES[reference["kind"]]
        role = store.get(role_kind, reference["name"], namespace if role_kind.namespaced else "")
        if role is not None:
            yield binding, subject, role


def _is_meant(subject: Object, user: User) -> bool:
    match subject["kind"]:
        case "User":
            return bool(subject["name"] == user.name)
        case "Group":
            return subject["name"] in user.groups
        case _:
            return bool(user.name == f"system:serviceaccount:{subject.get('namespace', '')}:{subject['name']}")


def _allows(rule: Object, wanted: Attributes) -> bool:
    if not _has(rule, "verbs", wanted.verb):
        return False
    if wanted.path:
        return any(_path_matches(pattern, wanted.path) for pattern in rule.get("nonResourceURLs") or [])
    names = rule.get("resourceNames")
    return (
        _has(rule, "apiGroups", wanted.group)
        and _resource_matches(rule.get("resources") or [], wanted.full_resource)
        and (not names or wanted.name in names)
    )


def _has(rule: Object, key: str, value: str) -> bool:
    values = rule.get(key) or []
    return "*" in values or value in values


def _resource_matches(resources: list[str], wanted: str) -> bool:
    subresource = wanted.partition("/")[2]
    return "*" in resources or wanted in resources or bool(subresource and f"*/{subresource}" in resources)


def _path_matches(pattern: str, path: str) -> bool:
    return pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern[:-1]))


def _covers(held: list[Object], rule: Object) -> bool:
    """Whether every single thing that a rule allows is allowed by a rule that is held."""
    if rule.get("nonResourceURLs"):
        return all(
            any(_allows(own, Attributes(verb, path=path)) for own in held)
            for verb in rule["verbs"]
            for path in rule["nonResourceURLs"]
        )
    return all(
        any(_allows(own, Attributes(verb, group, *_split(resource), "", name)) for own in held)
        for verb in rule["verbs"]
        for group in rule.get("apiGroups") or []
        for resource in rule.get("resources") or []
        for name in rule.get("resourceNames") or [""]
    )


def _split(resource: str) -> tuple[str, str]:
    name, _, subresource = resource.partition("/")
    return name, subresource


def _reason(binding: Object, subject: Object) -> str:
    metadata, role = binding["metadata"], binding["roleRef"]
    where = f"/{metadata['namespace']}" if "namespace" in metadata else ""
    whom = subject["name"] + (f"/{subject['namespace']}" if subject["kind"] == "ServiceAccount" else "")
    return (
        f'RBAC: allowed by {binding["kind"]} "{metadata["name"]}{where}" '
        f'of {role["kind"]} "{role["name"]}" to {subject["kind"]} "{whom}"'
    )


def _compact(rule: Object) -> str:
    """As Go prints it in the message."""
    parts = [
        f"{title}:{json.dumps(rule[key])}"
        for title, key in (
            ("APIGroups", "apiGroups"),
            ("Resources", "resources"),
            ("ResourceNames", "resourceNames"),
            ("NonResourceURLs", "nonResourceURLs"),
            ("Verbs", "verbs"),
        )
        if rule.get(key)
    ]
    return f"{{{', '.join(parts)}}}"
