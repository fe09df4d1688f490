"""Whether a template's own objects keep to what the template permits (`admission`), as the cluster's policies see it.

Tried when a version is published, and with the answers of a request. Objects that are there already are the policies'
to judge. The rules are those of allotment-pods, allotment-ingresses and allotment-routes in deploy/admission.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from environments.lib import hosts
from environments.spec.base import PLACEHOLDER
from environments.spec.filling import Filled, Remark
from environments.spec.yaml_documents import Path

if TYPE_CHECKING:
    from environments.spec.template import TemplateSpec

_POD = ("spec", "template", "spec")
_POD_PATHS = {"Deployment": _POD, "StatefulSet": _POD, "Job": _POD, "CronJob": ("spec", "jobTemplate", *_POD)}
_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_WITH_REGISTRY = re.compile(r"(localhost|[^/]*[.:][^/]*)/")
_REQUESTS = "requests."


def check(one: Filled, spec: "TemplateSpec", namespace: str, open_names: frozenset[str]) -> Iterator[Remark]:
    """What the cluster's policies would refuse of one document.

    `open_names`: parameters that may have any value, so what their sample says is no reason to refuse.
    """
    if path := _POD_PATHS.get(one.kind):
        yield from _Judge(one, spec, open_names).pod(path)
    elif spec.admission.host_names and one.kind in ("Ingress", "HTTPRoute"):
        patterns = hosts.filled(spec.admission.host_names, namespace)
        yield from _Judge(one, spec, open_names).hosts(patterns)


class _Judge:
    def __init__(self, one: Filled, spec: "TemplateSpec", open_names: frozenset[str]) -> None:
        self._one, self._spec, self._open, self._may = one, spec, open_names, spec.admission

    def pod(self, path: Path) -> Iterator[Remark]:
        pod = _at(self._one.data, path)
        if not isinstance(pod, dict):
            return
        yield from self._priority((*path, "priorityClassName"), pod.get("priorityClassName"))
        for index, each in _maps(pod.get("tolerations")):
            if not self._may.control_plane_nodes and each.get("key") in (None, "", *_CONTROL_PLANE):
                yield (
                    (*path, "tolerations", index),
                    "The template does not permit pods to tolerate every taint or those of control plane nodes. "
                    "Name the taint to tolerate.",
                )
        for kind in ("initContainers", "containers"):
            for index, each in _maps(pod.get(kind)):
                place = (*path, kind, index)
                yield from self._image((*place, "image"), each.get("image"))
                yield from self._resources((*place, "resources"), each.get("resources"))
        for index, each in _maps(pod.get("volumes")):
            place = (*path, "volumes", index, "image", "reference")
            yield from self._image(place, _at(each, ("image", "reference")))

    def hosts(self, patterns: tuple[str, ...]) -> Iterator[Remark]:
        spec = self._one.data.get("spec")
        if not isinstance(spec, dict):
            return
        if self._one.kind == "HTTPRoute":
            names = spec.get("hostnames")
            if not isinstance(names, list) or not names:
                yield ("spec", "hostnames"), f"Set hostnames. The template permits {_or(patterns)}."
                return
            for index, name in enumerate(names):
                yield from self._host(("spec", "hostnames", index), name, patterns)
            return
        if "defaultBackend" in spec:
            yield ("spec", "defaultBackend"), "Leave defaultBackend out, because the template permits only some hosts."
        for index, rule in _maps(spec.get("rules")):
            yield from self._host(("spec", "rules", index, "host"), rule.get("host", ""), patterns)
        for index, entry in _maps(spec.get("tls")):
            names = entry.get("hosts") or []
            if entry.get("secretName") and not names:
                yield ("spec", "tls", index), "Set hosts for each TLS certificate."
            for number, name in enumerate(names if isinstance(names, list) else []):
                yield from self._host(("spec", "tls", index, "hosts", number), name, patterns)

    def _priority(self, path: Path, name: Any) -> Iterator[Remark]:
        if isinstance(name, str) and name and name not in self._may.priority_classes and not self._opens(path):
            yield path, f"Add {name} to the template's priority classes, or leave priorityClassName out."

    def _image(self, path: Path, image: Any) -> Iterator[Remark]:
        allowed = self._may.image_registries
        if not isinstance(image, str) or not allowed or any(_is_from(each, image) for each in allowed):
            return
        if not self._begins_open(path):
            yield (
                path,
                f"Images can come only from {', '.join(allowed)}. Change the image, or the template's registries.",
            )

    def _resources(self, path: Path, resources: Any) -> Iterator[Remark]:
        sections = ((key, _at(resources, (key,))) for key in ("limits", "requests"))
        allowed = {*self._may.extended_resources, *_extended(self._spec)}
        for section, amounts in sections:
            for name in amounts if isinstance(amounts, dict) else ():
                if "/" in str(name) and name not in allowed:
                    sentence = f"Add {name} to the template's extended resources, or requests.{name} to its quota."
                    yield (*path, section, name), sentence

    def _host(self, path: Path, name: Any, patterns: tuple[str, ...]) -> Iterator[Remark]:
        if any(hosts.matches(each, str(name)) for each in patterns) or self._ends_open(path):
            return
        yield path, f"The template permits only the host names {_or(patterns)}."

    def _raw(self, path: Path) -> str:
        found = _at(self._one.document.data, path)
        return found if isinstance(found, str) else ""

    def _opens(self, path: Path) -> bool:
        return any(name in self._open for name in PLACEHOLDER.findall(self._raw(path)))

    def _begins_open(self, path: Path) -> bool:
        found = PLACEHOLDER.match(self._raw(path))
        return found is not None and found[1] in self._open

    def _ends_open(self, path: Path) -> bool:
        raw = self._raw(path)
        last = list(PLACEHOLDER.finditer(raw))[-1:]
        return any(found.end() == len(raw) and found[1] in self._open for found in last)


def _is_from(registry: str, image: str) -> bool:
    """Whether an image is in a registry, or in one of its repositories. A name without a registry is Docker's."""
    if not _WITH_REGISTRY.match(image):
        image = f"docker.io/{image}" if "/" in image else f"docker.io/library/{image}"
    if image.startswith(f"{registry}/"):
        return True
    return "/" in registry and (image == registry or image.startswith((f"{registry}:", f"{registry}@")))


def _extended(spec: "TemplateSpec") -> Iterator[str]:
    """The extended resources that the quota names, or that of a size."""
    for quota in (spec.quota, *(size.quota for size in spec.sizes)):
        yield from (key.removeprefix(_REQUESTS) for key in quota if key.startswith(_REQUESTS) and "/" in key)


def _or(patterns: tuple[str, ...]) -> str:
    return " or ".join(patterns)


def _at(value: Any, path: Path) -> Any:
    for key in path:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value


def _maps(value: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    items = value if isinstance(value, list) else []
    yield from ((index, each) for index, each in enumerate(items) if isinstance(each, dict))
