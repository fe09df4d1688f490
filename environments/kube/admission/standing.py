"""Checks whether a cluster has the admission policies that this portal would install.

Compares their content, not a version number, so that edits by hand are found too.
"""

import json
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from environments.kube.admission.policies import NOT_EXEMPT, PORTAL, PRIVILEGED, documents, home_of, not_exempt
from environments.kube.client import ClusterClient, Manifest
from environments.kube.rbac import ACCOUNT_NAMESPACE
from environments.lib.errors import PermanentError
from environments.lib.phases import AdmissionState as State

_SAYS = {
    State.INSTALLED: "Only the portal can change its objects in these namespaces or open their network isolation.",
    State.MISSING: (
        "Anyone with more rights than the environment roles can undo isolation, quota and access. Ask a cluster admin "
        "to install the policies (Kubernetes 1.30 or newer):"
    ),
    State.OLDER: (
        "These admission policies differ from the ones this portal installs (older version, other settings, or edited "
        "by hand). Ask a cluster admin to run:"
    ),
    State.UNKNOWN: (
        "The portal's account cannot read the admission policies. Its rights are those of an older portal. Ask a "
        "cluster admin to apply deploy/rbac again:"
    ),
}


@dataclass(frozen=True)
class Standing:
    """The state of the policies in a cluster, and the command that repairs them."""

    state: State
    names: tuple[str, ...] = ()  # of what is missing, or other than it should be
    exempt: tuple[str, ...] = ()  # groups, beside the portal and the control plane
    command: str = ""

    @property
    def says(self) -> str:
        """The state in a sentence, with what to do."""
        return _SAYS[self.state]

    @property
    def is_right(self) -> bool:
        """Whether the policies are as they should be."""
        return self.state is State.INSTALLED


def standing(client: ClusterClient, label_domain: str, account_namespace: str = "") -> Standing:
    """Whether the policies are in a cluster as this portal would install them.

    `account_namespace`: where members' ServiceAccounts are; without it, where the portal's own is. A refusal is an
    answer too: `deploy/rbac` did not always have the right to look. Raises the adapter's other errors.
    """
    account = _account(client)
    try:
        live = {_title(each): _live(client, each) for each in documents(label_domain=label_domain)}
    except PermanentError as error:
        if error.reason != "Forbidden":
            raise
        return Standing(State.UNKNOWN, command=_rbac_command(account))
    exempt = _exempt(live[_title(each)] for each in documents() if _exempts_some(each))
    home = account_namespace if _NAMESPACE.fullmatch(account_namespace) else home_of(account)
    options = _Options(account, home, exempt, _allows_privileged(live.values()))
    wanted = {_title(each): each for each in documents(label_domain=label_domain, **vars(options))}
    missing = tuple(title for title, found in live.items() if found is None)
    other = tuple(title for title, found in live.items() if found and not _holds(wanted[title]["spec"], found["spec"]))
    if missing or other:
        state = State.MISSING if missing else State.OLDER
        return Standing(state, missing or other, exempt, _command(state, options))
    return Standing(State.INSTALLED, exempt=exempt)


@dataclass
class _Options:
    """What `documents` is told of a cluster, beside the label domain."""

    account: str
    account_namespace: str
    break_glass: tuple[str, ...]
    privileged: bool


def _live(client: ClusterClient, document: Manifest) -> Manifest | None:
    found = client.get(document["kind"], document["metadata"]["name"])
    return {"spec": {}} | found if found else None


def _title(document: Manifest) -> str:
    return f"{'binding' if document['kind'].endswith('Binding') else 'policy'} {document['metadata']['name']}"


def _account(client: ClusterClient) -> str:
    """The portal, as the cluster calls it; as it is shipped where the cluster does not say."""
    try:
        name = client.whoami()
        not_exempt([name])
    except (PermanentError, ValueError):
        return PORTAL
    return name


_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_GROUPS = re.compile(r"group in \[([^\[\]\\]*)\]")
_MOST_GROUPS = 20
_LONGEST = 400  # characters of a group's name: it is stored, and shown


def _exempts_some(document: Manifest) -> bool:
    """Whether it is a policy that lets some accounts through: that about the portal itself does not."""
    return any(condition["name"] == NOT_EXEMPT for condition in document["spec"].get("matchConditions", []))


def _exempt(policies: Iterable[Manifest | None]) -> tuple[str, ...]:
    """The groups that all of these policies name as exempt, in their order; None is one that is not there."""
    found: list[list[str]] = []
    for policy in filter(None, policies):
        match = _GROUPS.search(json.dumps(policy["spec"].get("matchConditions"), ensure_ascii=False))
        found.append(re.findall(r"'([^']+)'", match[1])[:_MOST_GROUPS] if match else [])
    first, *others = found or [[]]
    common = (group for group in first if all(group in each for each in others))
    return tuple(group for group in common if group.isprintable() and len(group) <= _LONGEST)


def _allows_privileged(documents: Iterable[Manifest | None]) -> bool:
    """Whether a cluster admin let the portal make privileged namespaces: only they can, so it is kept."""
    variables = chain.from_iterable(each["spec"].get("variables") or [] for each in documents if each)
    return any(each["name"] == PRIVILEGED and "'privileged'" in each["expression"] for each in variables)


#: What the API server adds, beside what is empty.
_DEFAULTS = {"matchPolicy": "Equivalent", "scope": "*"}


def _holds(wanted: Any, live: Any) -> bool:
    """Whether all that is wanted is there, and nothing beside it that would narrow it.

    Of a list of names there may be more: more resources looked at, more done about them.
    """
    if isinstance(wanted, dict):
        if not isinstance(live, dict) or not wanted.keys() <= live.keys():
            return False
        more = (not value or value == _DEFAULTS.get(key) for key, value in live.items() if key not in wanted)
        return all(more) and all(_holds(value, live[key]) for key, value in wanted.items())
    if not isinstance(wanted, list):
        return bool(wanted == live)
    if not isinstance(live, list):
        return False
    if any(isinstance(each, dict) for each in wanted):
        return len(wanted) == len(live) and all(map(_holds, wanted, live))
    return all(each in live for each in wanted)


def _command(state: State, options: _Options) -> str:
    """To `apply` leaves what an admin added; to `replace` does not, but makes nothing."""
    verb = "apply" if state is State.MISSING else "replace"
    account, home = options.account, options.account_namespace
    words = [] if account == PORTAL else [f"--account={account}"]
    words += [] if home == home_of(account) else [f"--account-namespace={home}"]
    words += ["--privileged-namespaces"] if options.privileged else []
    words += [f"--break-glass-group={group}" for group in options.break_glass]
    return shlex.join(["manage.py", "print_admission", *words]) + f" | kubectl {verb} -f -"


def _rbac_command(account: str) -> str:
    place = re.fullmatch(r"system:serviceaccount:([a-z0-9-]+):.*", account)
    moved = place is not None and place[1] != ACCOUNT_NAMESPACE
    words = [f"--account-namespace={place[1]}"] if place and moved else []
    return shlex.join(["manage.py", "print_rbac", *words]) + " | kubectl apply -f -"
