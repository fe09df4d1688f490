"""Reads what seems to differ once more, before the portal says that someone changed it.

A list may be valid and wrong: an API server whose cache is behind answers with an empty one. The second look reads the
object alone, with its managedFields, which tell who changed it.
"""

import time
from collections.abc import Iterable, Mapping

from django.conf import settings

from environments.kube.client import ClusterClient, Manifest
from environments.kube.differing import Difference, attributed, differences
from environments.kube.manifests import Desired
from environments.lib.errors import ReconcileError
from environments.routine.observe.expectations import Wanted

MOST_LOOKS = 100  # in one pass: each is a call


class SecondLook:
    """The second look of one pass. Where it may look no further, the first look counts."""

    def __init__(self, client: ClusterClient, expected: Mapping[str, Desired], wanted: Wanted, deadline: float) -> None:
        self._client, self._expected, self._wanted, self._deadline = client, expected, wanted, deadline
        self._left = MOST_LOOKS
        self._incomplete: set[str] = set()  # kinds whose list left out what is there

    def confirmed(self, owner: str, found: Iterable[Difference]) -> list[Difference]:
        """What still differs. Nothing where the cluster does not answer: the next pass finds it again."""
        objects: dict[tuple[str, str], list[Difference]] = {}
        for each in found:
            objects.setdefault((each.kind, each.name), []).append(each)
        try:
            return [each for (kind, name), first in objects.items() for each in self._object(owner, kind, name, first)]
        except ReconcileError:
            return []

    def manifest(self, owner: str, kind: str, name: str) -> Manifest | None:
        """The object as it is wanted; None if it is not."""
        found = self._wanted.of(kind, self._expected[owner])
        return next((each for each in found if each["metadata"]["name"] == name), None)

    def _object(self, owner: str, kind: str, name: str, first: list[Difference]) -> list[Difference]:
        if self._left <= 0 or time.monotonic() > self._deadline:
            return [each for each in first if each.path or kind not in self._incomplete]
        self._left -= 1
        desired, manifest = self._expected[owner], self.manifest(owner, kind, name)
        live = self._read(kind, name, "" if kind == "Namespace" else desired.namespace)
        if manifest is None or live is None:
            return [Difference(kind, name)] if manifest else []
        found = differences(manifest, live, settings.LABEL_DOMAIN)
        if not found and not first[0].path:
            self._incomplete.add(kind)
        return [attributed(each, live) for each in found]

    def _read(self, kind: str, name: str, namespace: str) -> Manifest | None:
        # By a list: of some kinds the portal's account may read no single object.
        return next(self._client.list_objects(kind, namespace, fields=f"metadata.name={name}"), None)
