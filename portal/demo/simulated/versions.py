"""Resources that are served in a second version: the paths, and how an object is written there and here.

Source: the conversions of the API server's autoscaling group.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from portal.demo.simulated.kinds import Object, copy

_CPU = "targetCPUUtilizationPercentage"


@dataclass(frozen=True)
class Version:
    """A second version: as in paths, as in manifests, the one that is stored, and both ways of writing it."""

    path: str
    api_version: str
    stored_path: str
    stored: str
    to_stored: Callable[[Object], Object]
    from_stored: Callable[[Object], Object]


def _to_v2(found: Object) -> Object:
    """autoscaling/v1 has the CPU's target as a number of its own."""
    spec = copy(found.get("spec") or {})
    percent = spec.pop(_CPU, None)
    if percent is not None:
        target = {"type": "Utilization", "averageUtilization": percent}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    return found | ({"spec": spec} if "spec" in found else {})


def _to_v1(found: Object) -> Object:
    spec = copy(found.get("spec") or {})
    for metric in spec.pop("metrics", None) or ():
        resource = metric.get("resource") or {}
        if resource.get("name") == "cpu" and "averageUtilization" in (resource.get("target") or {}):
            spec[_CPU] = resource["target"]["averageUtilization"]
    return found | ({"spec": spec} if "spec" in found else {})


VERSIONS = (
    Version("/apis/autoscaling/v1/", "autoscaling/v1", "/apis/autoscaling/v2/", "autoscaling/v2", _to_v2, _to_v1),
)


def of(path: str) -> Version | None:
    """The second version that a path names, if it does."""
    return next((each for each in VERSIONS if path.startswith(each.path)), None)


def stored_body(version: Version, body: bytes) -> bytes:
    """What was sent, as it is stored. What is no object is left for the API to refuse."""
    try:
        found = json.loads(body)
    except ValueError:
        return body
    if not isinstance(found, dict):
        return body
    said = {"apiVersion": version.stored} if found.get("apiVersion") == version.api_version else {}
    return json.dumps(version.to_stored(found) | said).encode()


def shown_watch(version: Version, lines: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a watch, as this version has them."""
    for line in lines:
        found = json.loads(line) if line else {}
        if found.get("object", {}).get("apiVersion") == version.stored:
            found["object"] = version.from_stored(found["object"]) | {"apiVersion": version.api_version}
            yield json.dumps(found, separators=(",", ":")).encode() + b"\n"
        else:
            yield line


def shown(version: Version, body: bytes) -> bytes:
    """An answer, as this version has it."""
    found = json.loads(body)
    if found.get("apiVersion") != version.stored:
        return body
    found["apiVersion"] = version.api_version
    if "items" in found:
        found["items"] = [version.from_stored(each) for each in found["items"]]
    else:
        found = version.from_stored(found)
    return json.dumps(found).encode()
