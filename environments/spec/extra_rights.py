"""What Roles and RoleBindings of a template may give: to its own ServiceAccounts, and no more than its owner has.

The cluster checks it again (one cannot grant what one does not hold), but when it does, the environment is half made.
"""

from collections.abc import Iterator
from typing import Any

from environments.lib import roles
from environments.lib.phases import Role
from environments.spec.filling import Filled, Remark
from environments.spec.yaml_documents import Path

_RULE_KEYS = frozenset({"apiGroups", "resources", "verbs", "resourceNames"})
_POWERS = ("bind", "escalate", "impersonate")


def check(one: Filled, owner: Role, own_roles: set[str]) -> Iterator[Remark]:
    """What a Role or RoleBinding gives too much; nothing of other kinds. `own_roles` are the text's Roles."""
    if one.kind == "Role":
        yield from _role(one.data, owner)
    elif one.kind == "RoleBinding":
        yield from _reference(one.data.get("roleRef"), owner, own_roles)
        yield from _subjects(one.data.get("subjects"))


def _role(data: dict[str, Any], owner: Role) -> Iterator[Remark]:
    if not isinstance(data.get("rules"), list):
        yield ("rules",), "A Role needs a list of rules."
        return
    for index, rule in enumerate(data["rules"]):
        yield from _rule(rule, ("rules", index), owner)


def _rule(rule: Any, path: Path, owner: Role) -> Iterator[Remark]:
    if not _is_rule(rule):
        yield (
            path,
            "A rule needs apiGroups, resources and verbs, each a list of texts. It can also have resourceNames.",
        )
        return
    words = {word: key for key in ("apiGroups", "resources", "verbs") for word in rule[key]}
    if any("*" in word for word in words):
        yield path, "Wildcards are not allowed. List each value."
        return
    for word in _POWERS:
        if words.get(word) == "verbs":
            yield (*path, "verbs"), f"{word} is not allowed, because it grants rights that members do not have."
    beyond = [text for text in roles.excess(rule, owner) if text.partition(" ")[0] not in _POWERS]
    if beyond:
        more = f", and {len(beyond) - 3} more" if len(beyond) > 3 else ""
        yield path, f"The owner's own role ({owner.value}) does not have: {', '.join(beyond[:3])}{more}."


def _is_rule(rule: Any) -> bool:
    return (
        isinstance(rule, dict)
        and rule.keys() <= _RULE_KEYS
        and all(_is_texts(rule.get(key)) for key in ("apiGroups", "resources", "verbs"))
        and all(isinstance(text, str) for text in rule.get("resourceNames") or [])
    )


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(text, str) for text in value)


def _reference(reference: Any, owner: Role, own_roles: set[str]) -> Iterator[Remark]:
    reference = reference if isinstance(reference, dict) else {}
    kind, name = reference.get("kind"), reference.get("name")
    if reference.get("apiGroup", "rbac.authorization.k8s.io") != "rbac.authorization.k8s.io":
        yield ("roleRef", "apiGroup"), "The apiGroup of a roleRef is rbac.authorization.k8s.io."
    if kind == "Role" and name not in own_roles:
        yield ("roleRef", "name"), f"There is no Role {name} in these manifests."
    elif kind == "ClusterRole" and name not in roles.within(owner):
        yield ("roleRef", "name"), f"Only these ClusterRoles can be bound: {', '.join(roles.within(owner))}."
    elif kind not in ("Role", "ClusterRole"):
        yield ("roleRef",), "roleRef needs the kind (Role or ClusterRole) and the name of what it binds."


def _subjects(subjects: Any) -> Iterator[Remark]:
    if not isinstance(subjects, list) or not subjects:
        yield ("subjects",), "A RoleBinding needs subjects."
        return
    for index, subject in enumerate(subjects):
        subject = subject if isinstance(subject, dict) else {}
        if subject.get("kind") != "ServiceAccount":
            yield (
                ("subjects", index),
                "Use only ServiceAccounts of this namespace. Give people access as members of the environment.",
            )
        elif not isinstance(subject.get("name"), str) or not subject["name"]:
            yield ("subjects", index), "The ServiceAccount's name is missing."
        elif unknown := sorted(subject.keys() - {"kind", "name", "namespace", "apiGroup"}):
            yield ("subjects", index, unknown[0]), f"A subject cannot have the field {unknown[0]}."
