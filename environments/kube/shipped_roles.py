"""Whether a cluster's environment roles give exactly what ships in deploy/rbac.

If they do, one question proves a binding: who may one thing that only their role gives may the rest of it, too.
"""

from functools import cache
from itertools import product
from typing import Any

from environments.kube import rbac
from environments.kube.client import ClusterClient, Manifest
from environments.lib.errors import PermanentError

_FORBIDDEN_FOR = 600.0  # seconds until an account that may not read roles tries again
_PARTS = ("apiGroups", "resources", "verbs", "resourceNames", "nonResourceURLs")

Right = tuple[str, ...]


def is_as_shipped(client: ClusterClient, name: str, *, seconds: float = 0.0) -> bool:
    """Whether the ClusterRole has exactly the rules that ship: none less, none more, none that others add.

    `seconds`: how old an answer may be; without it the cluster is asked. False if the portal's account may not read
    the role: `deploy/rbac` did not always have that right. Raises the adapter's other errors.
    """
    key = ("shipped role", name)
    known = client.memory.recall(key, seconds) if seconds else None
    if known is not None or client.memory.recall("roles are forbidden", _FORBIDDEN_FOR):
        return bool(known)
    try:
        live = client.get("ClusterRole", name)
    except PermanentError as error:
        if error.reason != "Forbidden":
            raise
        client.memory.keep("roles are forbidden", True)
        return False
    found = live is not None and "aggregationRule" not in live and _rights(live) == _shipped()[name]
    client.memory.keep(key, found)
    return found


@cache
def _shipped() -> dict[str, frozenset[Right] | None]:
    return {each["metadata"]["name"]: _rights(each) for each in rbac.documents() if each["kind"] == "ClusterRole"}


def _rights(role: Manifest) -> frozenset[Right] | None:
    """Each single right that a role's rules give; None if they cannot be read."""
    rules = role.get("rules")
    if not isinstance(rules, list) or not all(isinstance(rule, dict) and _is_plain(rule) for rule in rules):
        return None
    return frozenset(right for rule in rules for right in product(*(rule.get(part) or [""] for part in _PARTS)))


def _is_plain(rule: dict[str, Any]) -> bool:
    texts = [text for values in rule.values() for text in (values if isinstance(values, list) else [None])]
    return rule.keys() <= set(_PARTS) and all(isinstance(text, str) for text in texts)
