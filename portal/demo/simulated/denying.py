"""What a validating admission policy of the cluster's own refuses, whoever writes it.

The rules are written in Python: expressions are not evaluated.
Source: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from collections.abc import Callable
from dataclasses import dataclass

from portal.demo.simulated.kinds import Kind, Object
from portal.demo.simulated.statuses import StatusError, details


@dataclass(frozen=True)
class Denial:
    """A policy about one kind of object. `applies` gets the object and its namespace (None for what has none)."""

    policy: str
    kind: str
    said: str
    applies: Callable[[Object, Object | None], bool]


class Denials:
    """The policies in force, in order. Callers hold the cluster's lock, or change this before anything is written."""

    def __init__(self) -> None:
        self._denials: list[Denial] = []

    def add(self, policy: str, kind: str, said: str, applies: Callable[[Object, Object | None], bool]) -> None:
        """From now on, refuse the objects of this kind to which the policy applies."""
        self._denials.append(Denial(policy, kind, said, applies))

    def clear(self) -> None:
        """Forget all policies."""
        self._denials.clear()

    def admit(self, kind: Kind, found: Object, namespace: Object | None) -> None:
        """Raise StatusError 422, in the API server's words, where a policy refuses an object."""
        for each in self._denials:
            if each.kind == kind.kind and each.applies(found, namespace):
                by = f"ValidatingAdmissionPolicy '{each.policy}' with binding '{each.policy}'"
                why = f"{by} denied request: {each.said}"
                name = found["metadata"]["name"]
                info = details(kind, name) | {"causes": [{"message": why}]}
                raise StatusError(422, "Invalid", f'{kind.dotted} "{name}" is forbidden: {why}', info)
