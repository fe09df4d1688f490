"""Kubernetes quantities: exact comparison and human units.

Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

import re
from decimal import Decimal

from kubernetes.utils import parse_quantity

#: Stricter than `parse_quantity`, which takes what Python takes for a number: `1_000`, `٣`, `1e3Gi`, `1K`.
_PATTERN = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?")
_GREATEST = 2**63 - 1  # the API server makes this of anything above it

_BYTES = ("", "KiB", "MiB", "GiB", "TiB", "PiB")

_FIRST = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory", "cpu", "memory", "pods")

_WORDS = {
    "cpu": "CPU",
    "memory": "Memory",
    "ephemeral-storage": "Ephemeral storage",
    "storage": "Storage",
    "pods": "Pods",
    "services": "Services",
    "services.loadbalancers": "Load balancers",
    "services.nodeports": "Node ports",
    "configmaps": "ConfigMaps",
    "secrets": "Secrets",
    "persistentvolumeclaims": "Volume claims",
    "replicationcontrollers": "Replication controllers",
    "nvidia.com/gpu": "NVIDIA GPUs",
}


def parse(text: str | int) -> Decimal:
    """The exact value of a quantity such as `500m`, `1.5Gi` or `4`.

    Raises ValueError with a sentence when it is not one.
    """
    if not _PATTERN.fullmatch(str(text)):
        raise ValueError(f"“{text}” is not a quantity such as 500m, 2 or 1.5Gi.")
    value = Decimal(parse_quantity(str(text)))
    if abs(value) > _GREATEST:
        raise ValueError(f"“{text}” is more than Kubernetes can count.")
    return value


def is_bytes(resource: str) -> bool:
    """Whether a quota resource is counted in bytes."""
    return resource.endswith(("memory", "storage"))


def is_cpu(resource: str) -> bool:
    """Whether a quota resource is counted in cores."""
    return resource.rpartition(".")[2] == "cpu"


def human(resource: str, value: Decimal) -> str:
    """A value in the unit people read: `1.82 GiB`, `0.64 cores`, `23`."""
    if is_bytes(resource):
        return _human_bytes(value)
    number = f"{value:.2f}".rstrip("0").rstrip(".")
    if is_cpu(resource):
        return f"{number} {'core' if value == 1 else 'cores'}"
    return number


def _human_bytes(value: Decimal) -> str:
    power = 0
    while abs(value) >= 1024 and power < len(_BYTES) - 1:
        value, power = value / 1024, power + 1
    number = f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{number} {_BYTES[power]}".strip()


def name(resource: str) -> str:
    """A quota resource in words: `requests.memory` is “Memory requested”."""
    prefix, _, rest = resource.partition(".")
    if prefix in ("requests", "limits"):
        suffix = "requested" if prefix == "requests" else "limit"
        word = _WORDS.get(rest, rest)
        return word if rest in ("storage", "nvidia.com/gpu") else f"{word} {suffix}"
    if resource.startswith("count/"):
        return resource.removeprefix("count/").partition(".")[0].capitalize()
    return _WORDS.get(resource, resource)


def exceeds(low: str, high: str) -> bool:
    """Whether the first of two quantities is the greater one."""
    return parse(low) > parse(high)


def rank(resource: str) -> tuple[int, str]:
    """Where a quota resource stands in a list: what people ask for first, then the rest by name."""
    return (_FIRST.index(resource) if resource in _FIRST else len(_FIRST)), resource


def ratio(used: Decimal, hard: Decimal) -> Decimal:
    """How full, as a fraction. A quota of zero is full only when something is in it."""
    if hard == 0:
        return Decimal(1) if used > 0 else Decimal(0)
    return used / hard
