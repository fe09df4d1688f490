"""Kubernetes quantities: exact comparison, units that people read, and what a quota's resources are called.

Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

import re
from contextlib import suppress
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from functools import lru_cache

from kubernetes.utils import parse_quantity

#: Stricter than `parse_quantity`, which takes what Python takes for a number: `1_000`, `٣`, `1e3Gi`, `1K`.
_PATTERN = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?")
_GREATEST = 2**63 - 1  # the API server makes this of anything above it

_Unit = tuple[Decimal, str, int]  # how much one is, how it is written, how many decimals are worth showing

_BYTES: list[_Unit] = [
    (Decimal(1024**power), f" {unit}", 2) for power, unit in enumerate(("B", "KiB", "MiB", "GiB", "TiB", "PiB"))
]
_CORES: list[_Unit] = [(Decimal("0.001"), "m", 0), (Decimal(1), " cores", 2)]
_OBJECTS: list[_Unit] = [(Decimal(1), "", 2)]

_FIRST = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory", "cpu", "memory", "pods")

#: `gold.storageclass.storage.k8s.io/requests.storage`, `big.deviceclass.resource.k8s.io/devices`
_OF_A_CLASS = re.compile(r"(.+)\.(?:storageclass\.storage|deviceclass\.resource)\.k8s\.io/(.+)")
_HUGE_PAGES = "hugepages-"

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
    "resourcequotas": "Resource quotas",
    "devices": "Devices",
    "nvidia.com/gpu": "NVIDIA GPUs",
    "nvidia.com/gpu.shared": "NVIDIA GPUs (shared)",
    "amd.com/gpu": "AMD GPUs",
    "gpu.intel.com/i915": "Intel GPUs (i915)",
    "gpu.intel.com/xe": "Intel GPUs (Xe)",
    "google.com/tpu": "Google TPUs",
}

#: What `count/<resource>` counts. `pods` leaves out pods that have ended, `count/pods` does not.
_COUNTED = {
    "pods": "Pods (including finished)",
    "cronjobs": "CronJobs",
    "daemonsets": "DaemonSets",
    "horizontalpodautoscalers": "Autoscalers",
    "networkpolicies": "Network policies",
    "poddisruptionbudgets": "Disruption budgets",
    "replicasets": "ReplicaSets",
    "grpcroutes": "GRPC routes",
    "httproutes": "HTTP routes",
    "resourceclaims": "Resource claims",
    "resourceclaimtemplates": "Resource claim templates",
    "rolebindings": "Role bindings",
    "serviceaccounts": "Service accounts",
    "statefulsets": "StatefulSets",
}

#: Extended resources that are GPUs, or slices of one that count as one each: `nvidia.com/gpu`, `amd.com/gpu`,
#: `nvidia.com/gpu.shared`, `nvidia.com/mig-1g.5gb`, `gpu.intel.com/i915`, `gpu.intel.com/xe`.
#: A quota names them with `requests.` only: https://kubernetes.io/docs/concepts/policy/resource-quotas/
_GPU = re.compile(r"requests\.([^/]+/(gpu|gpu\.shared|mig-[^/]+)|gpu\.intel\.com/(i915|xe))")

#: The groups of Kubernetes itself that have no dot.
_OWN_GROUPS = ("", "apps", "autoscaling", "batch", "policy")

#: What stands behind an amount that has no name beside it.
_NOUNS = {"cpu": "CPU", "memory": "memory", "storage": "storage", "pods": "pods", "nvidia.com/gpu": "GPUs"}
_ONE = {"pods": "pod", "GPUs": "GPU"}


def parse(text: str | int) -> Decimal:
    """The exact value of a quantity such as `500m`, `1.5Gi` or `4`.

    Raises ValueError with a sentence when it is not one.
    """
    return _parsed(str(text))


@lru_cache(maxsize=16384)
def _parsed(text: str) -> Decimal:
    if not _PATTERN.fullmatch(text):
        raise ValueError(f"“{text}” is not a quantity such as 500m, 2 or 1.5Gi.")
    value = Decimal(parse_quantity(text))
    if abs(value) > _GREATEST:
        raise ValueError(f"“{text}” is more than Kubernetes can count.")
    return value


def exceeds(low: str, high: str) -> bool:
    """Whether the first of two quantities is the greater one."""
    return parse(low) > parse(high)


def ratio(used: Decimal, hard: Decimal) -> Decimal:
    """How full, as a fraction. A quota of zero is full only when something is in it."""
    if hard == 0:
        return Decimal(1) if used > 0 else Decimal(0)
    return used / hard


def percent(used: Decimal, hard: Decimal) -> int:
    """How full, rounded down: 99.6 % is not full. Whatever is in use is 1 % at least."""
    return max(int(100 * ratio(used, hard)), 1 if used > 0 else 0)


def is_bytes(resource: str) -> bool:
    """Whether a quota resource is counted in bytes."""
    measure = _measure(resource)
    return measure in ("memory", "storage", "ephemeral-storage") or measure.startswith(_HUGE_PAGES)


def is_cpu(resource: str) -> bool:
    """Whether a quota resource is counted in cores."""
    return _measure(resource) == "cpu"


def is_gpu(resource: str) -> bool:
    """Whether a quota resource counts GPUs, or slices of one, of any vendor."""
    return _GPU.fullmatch(resource) is not None


def human(resource: str, value: Decimal, rounding: str = ROUND_HALF_EVEN) -> str:
    """A value in the unit people read: `1.82 GiB`, `640m` of a core, `1.5 cores`, `23`."""
    if not value:
        return "0 cores" if is_cpu(resource) else "0"
    number, unit = _in_unit(value, _units(resource), rounding)
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text + (" core" if (text, unit) == ("1", " cores") else unit)


def apart(resource: str, used: Decimal, hard: Decimal) -> tuple[str, str]:
    """What is used and what is allowed: `1.99 cores`, `2 cores`. Only equal amounts look equal."""
    said, most = human(resource, used), human(resource, hard)
    if said == most and used != hard:
        down, up = (ROUND_FLOOR, ROUND_CEILING) if used < hard else (ROUND_CEILING, ROUND_FLOOR)
        said, most = human(resource, used, down), human(resource, hard, up)
    return said, most


def pair(resource: str, used: Decimal, hard: Decimal) -> tuple[str, str]:
    """The same for “… of …”: `1.99` of `2 cores`. The unit of cores is read from what is allowed."""
    said, most = apart(resource, used, hard)
    if is_cpu(resource) and (not used or "core" in most):
        said = said.partition(" ")[0]
    return said, most


def used_of(resource: str, used: Decimal, hard: Decimal) -> str:
    """What is used of what is allowed: `996m of 1 core`, `1.92 GiB of 2 GiB`."""
    return " of ".join(pair(resource, used, hard))


def phrase(resource: str, value: Decimal) -> str:
    """An amount where no name stands beside it: `500m CPU`, `4 cores`, `1 GiB memory`, `1 pod`, `no GPUs`."""
    noun = _NOUNS.get(_measure(resource), name(resource))
    said = human(resource, value) if value else "no"
    if "core" in said:
        return said
    return f"{said} {_ONE.get(noun, noun) if value == 1 else noun}"


def name(resource: str) -> str:
    """A quota resource in words: `requests.memory` is “Memory requests”."""
    if found := _OF_A_CLASS.fullmatch(resource):
        return f"{name(found[2])} (class {found[1]})"
    if resource.startswith("count/"):
        return _count_name(resource.removeprefix("count/"))
    prefix, _, rest = resource.partition(".")
    kind = prefix if prefix in ("requests", "limits") else ""
    what = rest if kind else resource
    if what.startswith(_HUGE_PAGES):
        return _huge_pages(what.removeprefix(_HUGE_PAGES), kind)
    if "/" in what or not kind:  # a quota counts no limits of others' resources, so “requests” says nothing
        return _WORDS.get(what) or _device(what)
    return f"{_WORDS.get(what, what)} {kind}"


def inside(words: str) -> str:
    """A resource's name inside a sentence: “load balancers”, but “NVIDIA GPUs”."""
    return words if words[1:] != words[1:].lower() else words.lower()


def verb(resource: str) -> str:
    """The verb after a resource's name: Volume claims “are”, CPU “is”."""
    return "are" if name(resource).partition(" (")[0].endswith("s") else "is"


def rank(resource: str) -> tuple[int, str]:
    """Where a quota resource stands in a list: what people ask for first, then the rest by name."""
    return (_FIRST.index(resource) if resource in _FIRST else len(_FIRST)), resource


@lru_cache(maxsize=4096)
def _measure(resource: str) -> str:
    """What is measured: `memory` of `limits.memory`, `storage` of one class's `requests.storage`."""
    found = _OF_A_CLASS.fullmatch(resource)
    return (found[2] if found else resource).removeprefix("requests.").removeprefix("limits.")


def _units(resource: str) -> list[_Unit]:
    return _BYTES if is_bytes(resource) else _CORES if is_cpu(resource) else _OBJECTS


def _in_unit(value: Decimal, units: list[_Unit], rounding: str) -> tuple[Decimal, str]:
    """The number and its unit: the first unit in which the rounded number does not fill the next."""
    (size, unit, places), *larger = units
    number = _rounded(value / size, places, rounding)
    if larger and abs(number) * size >= larger[0][0]:
        return _in_unit(value, larger, rounding)
    return number, unit


def _rounded(number: Decimal, places: int, rounding: str) -> Decimal:
    """A number with so many decimals, and with as many more as it takes to be something."""
    return number.quantize(Decimal(1).scaleb(min(-places, number.adjusted())), rounding)


def _count_name(resource: str) -> str:
    """`deployments.apps` is “Deployments”, `widgets.example.com` “Widgets (example.com)”."""
    what, _, group = resource.partition(".")
    if group not in _OWN_GROUPS and not group.endswith(".k8s.io"):
        return f"{what.capitalize()} ({group})"
    if what in _COUNTED:
        return _COUNTED[what]
    # Some of the core group have a resource of their own as well, `services` beside `count/services`.
    return f"{_WORDS[what]} (objects)" if what in _WORDS and not group else what.capitalize()


def _huge_pages(size: str, kind: str) -> str:
    with suppress(ValueError):
        size = human("memory", parse(size))
    return f"Huge page {kind} ({size})" if kind else f"Huge pages ({size})"


def _device(resource: str) -> str:
    """Another vendor's resource: `example.com/gpu` is “GPUs (example.com)”; most have no words."""
    vendor, _, what = resource.partition("/")
    if what.startswith("mig-"):
        return f"GPU slices ({what.removeprefix('mig-')})"
    return f"GPUs ({vendor})" if what == "gpu" else resource
