"""What the cluster does not have as it should."""

from collections.abc import Iterable, Mapping

from django.conf import settings

from environments.kube import manifests
from environments.kube.client import Manifest
from environments.kube.differing import Difference, differences
from environments.kube.manifests import Desired
from environments.routine.observe.expectations import Wanted

Key = tuple[str, str]  # kind, name
Drift = dict[str, list[Difference]]  # by environment id


class Comparison:
    """The objects of one kind, compared with what is wanted while they come in, and then let go of."""

    def __init__(self, kind: str, expected: Mapping[str, Desired], wanted: Wanted) -> None:
        self._kind, self._expected, self._wanted = kind, expected, wanted
        self._label = manifests.environment_label(settings.LABEL_DOMAIN)
        self._open: dict[str, dict[Key, Manifest]] = {}  # wanted and not come yet, of environments that began to
        self._done: set[str] = set()
        self._drift: Drift = {}

    def see(self, page: Iterable[Manifest]) -> None:
        """Compare some objects, each once: what comes twice, or is in another namespace, belongs to no environment."""
        for item in page:
            metadata = item["metadata"]
            owner = (metadata.get("labels") or {}).get(self._label, "")
            if owner in self._done or owner not in self._expected:
                continue
            waiting = self._waiting(owner)
            manifest = waiting.pop((metadata.get("namespace", ""), metadata["name"]), None)
            if manifest is not None:
                self._note(owner, differences(manifest, item, settings.LABEL_DOMAIN))
            if not waiting:
                del self._open[owner]
                self._done.add(owner)

    def finish(self) -> Drift:
        """What differs and what is missing, once all objects of the kind were seen."""
        for owner in self._expected.keys() - self._done:
            self._note(owner, [_missing(manifest) for manifest in self._waiting(owner).values()])
        return self._drift

    def seen(self) -> Drift:
        """What differs among the objects that were seen, if the list broke off: what is missing is not known."""
        return self._drift

    def _waiting(self, owner: str) -> dict[Key, Manifest]:
        if owner not in self._open:
            objects = self._wanted.of(self._kind, self._expected[owner])
            self._open[owner] = {_place(manifest): manifest for manifest in objects}
        return self._open[owner]

    def _note(self, owner: str, found: list[Difference]) -> None:
        if found:
            self._drift.setdefault(owner, []).extend(found)


def _place(manifest: Manifest) -> Key:
    metadata = manifest["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _missing(manifest: Manifest) -> Difference:
    return Difference(manifest["kind"], manifest["metadata"]["name"])
