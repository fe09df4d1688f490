"""The policy about the portal's own account, the one that the simulated cluster enforces: the portal works here.

It is enforced as soon as the policy and its binding are stored. The rules are written in Python: expressions are not
evaluated. tests/contract/test_portal_fence.py compares with a real API server.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from portal.demo.simulated.kinds import BY_NAME, Kind, Object
from portal.demo.simulated.statuses import forbidden
from portal.demo.simulated.store import Store

NAME = "allotment-portal"
_POLICY, _BINDING = BY_NAME["ValidatingAdmissionPolicy"], BY_NAME["ValidatingAdmissionPolicyBinding"]
_NAMESPACE, _ACCOUNT = BY_NAME["Namespace"], BY_NAME["ServiceAccount"]
_GOVERNING = frozenset(
    {"Namespace", "ResourceQuota", "LimitRange", "ServiceAccount", "NetworkPolicy", "Role", "RoleBinding"}
    | {"ClusterRole", "ClusterRoleBinding"}
)
_MEMBER, _MANAGER = "member-", "allotment"


@dataclass(frozen=True)
class Write:
    """What is written: the object as it is to be, and as it is (None where it is not there)."""

    kind: Kind
    name: str
    namespace: str
    found: Object | None
    live: Object | None = None
    subresource: str = ""
    dry_run: bool = False


def admit(store: Store, user: str, write: Write) -> None:
    """Raise StatusError 403 where the policy refuses the portal's account a write."""
    policy, binding = store.get(_POLICY, NAME), store.get(_BINDING, NAME)
    if policy is None or binding is None or write.kind.kind not in _GOVERNING:
        return
    account, home, label, levels = _terms(str(policy["spec"]))
    if user != account:
        return
    if not _is_allowed(store, write, home, label):
        said = f"The portal's account writes {write.kind.plural} only in namespaces of its environments."
    elif _is_above(write, levels):
        said = f"The portal's account sets only these Pod Security levels: {levels.replace("'", '')}."
    else:
        return
    why = f"ValidatingAdmissionPolicy '{NAME}' with binding '{NAME}' denied request: {said}"
    raise forbidden(write.kind, write.name, why)


def _is_above(write: Write, levels: str) -> bool:
    """Whether a namespace is to have none of these Pod Security levels."""
    labels = ((write.found or {}).get("metadata") or {}).get("labels") or {}
    is_written = write.kind is _NAMESPACE and write.found is not None
    return is_written and f"'{labels.get('pod-security.kubernetes.io/enforce')}'" not in levels.split(", ")


def _is_allowed(store: Store, write: Write, home: str, label: str) -> bool:
    if write.kind is _NAMESPACE:
        return _has_label(write.live or write.found, label) or _was_ours(write)
    if _has_label(store.get(_NAMESPACE, write.namespace), label):
        return True
    is_member = write.kind is _ACCOUNT and write.name.startswith(_MEMBER)
    return write.namespace == home and (is_member or (write.dry_run and not write.subresource))


def _was_ours(write: Write) -> bool:
    """Whether a namespace that is changed was written to by the portal before."""
    if write.live is None or write.found is None:
        return False
    fields = write.live["metadata"].get("managedFields") or []
    return any(each.get("manager") == _MANAGER for each in fields)


def _has_label(namespace: Object | None, label: str) -> bool:
    return namespace is not None and label in (namespace["metadata"].get("labels") or {})


@lru_cache(maxsize=8)
def _terms(spec: str) -> tuple[str, str, str, str]:
    """The account, its namespace, the label and the Pod Security levels that a policy names."""
    account = re.search(r"request\.userInfo\.username == '([^']+)'", spec)
    home = re.search(r"'accountNamespace', 'expression': \"'([^']+)'\"", spec)
    label = re.search(r"'([^']+/environment)' in", spec)
    levels = re.search(r"'podSecurityLevels', 'expression': \"\[([^\]]+)\]\"", spec)
    return (account[1], home[1], label[1], levels[1]) if account and home and label and levels else ("", "", "", "")
