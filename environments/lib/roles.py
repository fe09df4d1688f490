"""What each role may do in an environment: the rules of deploy/rbac/roles.yaml, and what goes beyond them."""

from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from environments.lib.phases import CLUSTER_ROLES, Role

MANIFESTS = Path(__file__).resolve().parent.parent.parent / "deploy" / "rbac"

#: From the least to the most that a member may do.
ORDER = (Role.VIEWER, Role.DEVELOPER, Role.ADMIN)

Rule = dict[str, Any]


@cache
def rules(role: Role) -> tuple[Rule, ...]:
    """The rules of the ClusterRole that ships for a role."""
    documents = yaml.safe_load_all((MANIFESTS / "roles.yaml").read_text(encoding="utf-8"))
    found = next(each for each in documents if each and each["metadata"]["name"] == CLUSTER_ROLES[role])
    return tuple(found["rules"])


def within(role: Role) -> list[str]:
    """The ClusterRoles that give no more than a role does."""
    return [CLUSTER_ROLES[each] for each in ORDER[: ORDER.index(role) + 1]]


def excess(rule: Rule, role: Role) -> Iterator[str]:
    """What a rule allows and the role does not, such as `delete secrets`."""
    for verb, group, resource in product(rule["verbs"], rule["apiGroups"], rule["resources"]):
        if not any(_has(own, verb, group, resource) for own in rules(role)):
            yield f"{verb} {resource}.{group}" if group else f"{verb} {resource}"


def _has(own: Rule, verb: str, group: str, resource: str) -> bool:
    """Whether one of our rules allows it. They have neither wildcards nor names of objects."""
    return verb in own["verbs"] and group in own["apiGroups"] and resource in own["resources"]
