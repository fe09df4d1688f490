"""Says at which place of a template's content the cause of a refusal is written.

An API server names fields of the objects that it is sent: `spec.hard[requests.nvidia.com/gpu]`. People write a
template, so its sentence is put at the figure, the rule or the line of the manifests that the field was made of.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from environments.kube.client import Manifest
from environments.kube.manifests import is_extra
from environments.lib.errors import Cause, PermanentError
from environments.spec import TemplateSpec, extras
from environments.spec.base import Place, Problem
from environments.spec.yaml_documents import Path

_STEP = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")
#: What the API server says of an object that does not fit its schema: it names no causes then.
_MISFIT = re.compile(r": (\.[A-Za-z][\w./\[\]-]*): (.+)", re.DOTALL)
_LIMITS = {"default": "default", "defaultRequest": "default_request", "max": "maximum"}
_SWITCHES = {
    "allow-dns": "dns",
    "allow-same-namespace": "same_namespace",
    "allow-ingress-controller": "ingress_controller",
}
_LEVEL = re.compile(r"Pod ?Security", re.IGNORECASE)
_DOMAIN_KEYS = {
    "priority-classes": "priority_classes",
    "extended-resources": "extended_resources",
    "image-registries": "image_registries",
    "control-plane-nodes": "control_plane_nodes",
    "external-ips": "external_ips",
    "external-names": "external_names",
}


def problems(
    error: PermanentError, manifest: Manifest, spec: TemplateSpec, size: str, values: dict[str, str], label_domain: str
) -> list[Problem]:
    """What an API server has against an object, each sentence at its place in the template's content."""
    about = _About(manifest, spec, size, values, label_domain)
    return [about.problem(cause) for cause in _causes(error)]


def _causes(error: PermanentError) -> tuple[Cause, ...]:
    """The causes that the API server names; without any, its whole sentence."""
    if error.causes:
        return tuple(Cause(each.field, f"The cluster rejects the value: {each.message}") for each in error.causes)
    misfit = _MISFIT.search(error.message)
    return (Cause(misfit[1].removeprefix(".") if misfit else "", error.message),)


def path_of(field: str) -> Path:
    """A field of an API server's sentence as a path: `spec.ports[0].port` is ("spec", "ports", 0, "port")."""
    steps = [(inner or plain, bool(inner)) for inner, plain in _STEP.findall(field)]
    return tuple(int(text) if inside and text.isdecimal() else text for text, inside in steps)


def quota_place(spec: TemplateSpec, size_name: str, resource: str) -> Place:
    """Where the figure of a size for a resource is written: in the size, or for all sizes."""
    for index, size in enumerate(spec.sizes):
        if size.name == size_name and resource in size.quota:
            return ("sizes", index, "quota", resource)
    return ("quota", resource)


class _About:
    """One object that was refused, and the content that it was made of."""

    def __init__(
        self, manifest: Manifest, spec: TemplateSpec, size: str, values: dict[str, str], label_domain: str
    ) -> None:
        self._manifest, self._spec, self._size = manifest, spec, size
        self._values, self._domain = values, label_domain

    def problem(self, cause: Cause) -> Problem:
        path, text = path_of(cause.field), cause.message
        kind, name = self._manifest["kind"], self._manifest["metadata"]["name"]
        if is_extra(self._manifest, self._domain):
            line, sentence = extras.located(self._spec, self._values, (kind, name), (path, text)) or (1, text)
            return ("manifests", line), sentence
        finders: dict[str, Callable[[Path, str], Place]] = {
            "ResourceQuota": self._quota,
            "LimitRange": self._limits,
            "NetworkPolicy": self._network,
            "Namespace": self._namespace,
        }
        fixed: dict[str, Place] = {"ServiceAccount": ("automount_token",), "RoleBinding": ("naming", "group")}
        return (finders[kind](path, text) if kind in finders else fixed[kind]), text

    def _quota(self, path: Path, text: str) -> Place:
        resource = _named(self._manifest["spec"]["hard"], path, text)
        return quota_place(self._spec, self._size, resource) if resource else ("quota",)

    def _limits(self, path: Path, text: str) -> Place:
        item = self._manifest["spec"]["limits"][0]
        groups = [key for key in _LIMITS if key in item]
        for key in sorted(groups, key=lambda key: key not in path):
            if resource := _named(item[key], path, text):
                return ("limits", _LIMITS[key], resource)
        return ("limits",)

    def _network(self, path: Path, text: str) -> Place:
        name = self._manifest["metadata"]["name"]
        if name in _SWITCHES:
            return ("network", _SWITCHES[name])
        side = {"allow-egress": "egress", "allow-ingress": "ingress"}.get(name)
        if side is None:
            return ("network",)
        rules = getattr(self._spec.network, side)
        index = path[2] if len(path) > 2 and path[1] == side else 0 if len(rules) == 1 else None
        return ("network", side, index, self._rule(side, path, text)) if isinstance(index, int) else ("network",)

    def _rule(self, side: str, path: Path, text: str) -> str:
        if "ports" in path:
            return "ports"
        if side == "egress":
            return "cidr"
        rule = self._spec.network.ingress[int(path[2]) if len(path) > 2 else 0]
        return "value" if f'"{rule.value}"' in text and f'"{rule.label}"' not in text else "label"

    def _namespace(self, path: Path, text: str) -> Place:
        for part in ("labels", "annotations"):
            own = getattr(self._spec, part)
            if key := next((key for key in own if _mentions(text, key) or _quotes(text, own[key])), ""):
                return (part, key)
        if _LEVEL.search(text) or "pod-security.kubernetes.io" in text:
            return ("pod_security", "enforce")
        for key, field in _DOMAIN_KEYS.items():
            if f"{self._domain}/{key}" in text:
                return ("admission", field)
        return ("naming", "namespace")


def _named(amounts: Iterable[str], path: Path, text: str) -> str:
    """The resource that a refusal is about: by its field, else the only one that its sentence names."""
    names = list(amounts)
    if found := next((str(step) for step in path if step in names), ""):
        return found
    joined = ".".join(map(str, path))
    if found := next((name for name in names if joined.endswith(f".{name}")), ""):
        return found
    mentioned = list(_longest(name for name in names if _mentions(text, name)))
    return mentioned[0] if len(mentioned) == 1 else ""


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w/-])", text) is not None


def _quotes(text: str, value: str) -> bool:
    return bool(value) and f'"{value}"' in text


def _longest(names: Iterable[str]) -> Iterator[str]:
    """Those that are no part of another one: `requests.cpu` and not `cpu`."""
    found = list(names)
    yield from (name for name in found if not any(name != other and name in other for other in found))
