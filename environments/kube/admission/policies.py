"""What the API server itself refuses: the manifests of deploy/admission, for a label domain and an account.

The files say it for the defaults, so that they can be applied as they are; a test holds them to what is made here.
"""

import re
from collections.abc import Sequence
from typing import Any

import yaml

from environments.kube.rbac import ACCOUNT, ACCOUNT_NAMESPACE
from environments.lib.roles import MANIFESTS

POLICIES = MANIFESTS.parent / "admission" / "policies.yaml"
LABEL_DOMAIN = "allotment.internal"
PORTAL = f"system:serviceaccount:{ACCOUNT_NAMESPACE}:{ACCOUNT}"

#: The control plane's own: who counts a quota's use into its status, and who empties a namespace that is deleted.
#: No other `system:` name, and no group: `system:masters` is people with a key in a drawer.
CONTROLLERS = (
    "system:apiserver",
    "system:kube-controller-manager",  # where controllers share one account
    "system:serviceaccount:kube-system:namespace-controller",
    "system:serviceaccount:kube-system:generic-garbage-collector",
    "system:serviceaccount:kube-system:resourcequota-controller",
)

#: The variable with the Pod Security levels that the portal may set, and those that need no option.
PRIVILEGED, LEVELS = "podSecurityLevels", ("baseline", "restricted")

#: The condition that names whom a policy does not concern.
NOT_EXEMPT = "not-exempt"

#: DNS subdomains: what label keys begin with. RFC 1123.
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


def documents(
    *,
    label_domain: str = LABEL_DOMAIN,
    account: str = PORTAL,
    account_namespace: str = "",
    break_glass: Sequence[str] = (),
    privileged: bool = False,
) -> list[dict[str, Any]]:
    """The policies and their bindings. `break_glass`: groups whose members may do everything, in an emergency.

    `account_namespace`: where members' ServiceAccounts are; without it, where the portal's own is. `privileged`:
    whether the portal may make namespaces of this Pod Security level. Raises ValueError, with a sentence, for what is
    no domain, no account's name, no namespace's or no group's.
    """
    if not _DOMAIN.fullmatch(label_domain) or len(label_domain) > 253:
        raise ValueError(f"“{label_domain}” is not a label domain. Use for example {LABEL_DOMAIN}.")
    text = POLICIES.read_text(encoding="utf-8").replace(LABEL_DOMAIN, label_domain)
    found = [document for document in yaml.safe_load_all(text) if document]
    expressions = {
        NOT_EXEMPT: not_exempt([account, *CONTROLLERS], break_glass),
        "not-by-the-portal": not_exempt([account], break_glass),
        "no-emergency": f"!({_members(break_glass)})" if break_glass else "true",
        "by-the-portal": f"request.userInfo.username == {_literal(account)}",
        PRIVILEGED: _list([*LEVELS, "privileged"] if privileged else LEVELS),
        "accountNamespace": _literal(account_namespace or home_of(account)),
    }
    for document in found:
        for named in (*document["spec"].get("matchConditions", []), *document["spec"].get("variables", [])):
            named["expression"] = expressions.get(named["name"], named["expression"])
    return found


def home_of(account: str) -> str:
    """The namespace of a ServiceAccount, as its user name says it; of any other user, the one that ships."""
    match = re.fullmatch(r"system:serviceaccount:([a-z0-9-]+):.*", account)
    return match[1] if match else ACCOUNT_NAMESPACE


def not_exempt(users: Sequence[str], groups: Sequence[str] = ()) -> str:
    """The CEL condition under which a policy concerns a request: by none of these. Raises ValueError."""
    condition = f"request.userInfo.username in {_list(users)}"
    return f"!({condition} || {_members(groups)})" if groups else f"!({condition})"


def _members(groups: Sequence[str]) -> str:
    """The CEL condition that a request comes from a member of one of these groups."""
    members = f"request.userInfo.groups.exists(group, group in {_list(groups)})"
    return f"has(request.userInfo.groups) && {members}"


def _list(names: Sequence[str]) -> str:
    return "[" + ", ".join(map(_literal, names)) + "]"


def _literal(name: str) -> str:
    """A CEL string literal. Nothing in a name ends one."""
    if not name or not name.isprintable() or "'" in name or "\\" in name:
        raise ValueError(f"“{name}” is not an account or group name. Use no quotes, backslashes or line breaks.")
    return f"'{name}'"
