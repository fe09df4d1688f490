"""What a template writes by key: amounts of resources, labels, annotations. Which the API server takes, in which order.

Sources: ValidateResourceQuotaResourceName, ValidateResourceQuantityValue, SetDefaults_ResourceList of the API server;
https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
"""

import re
from typing import Any

from environments.lib import quantities

#: Of these there are only whole ones.
_COUNTED = frozenset(
    {
        "pods", "services", "replicationcontrollers", "secrets", "persistentvolumeclaims", "configmaps",
        "services.nodeports", "services.loadbalancers", "resourcequotas",
    }
)  # fmt: skip
_MEASURED = frozenset({"cpu", "memory", "ephemeral-storage"})
_STANDARD = _COUNTED | _MEASURED | {f"{part}.{name}" for part in ("requests", "limits") for name in _MEASURED}


def quota_name_problem(resource: str) -> str:
    """Why a quota cannot count this, empty where it can."""
    if "/" in resource or resource in _STANDARD | {"requests.storage"}:
        return ""
    return f"Kubernetes has no resource {resource}. Other resources have a prefix, for example requests.nvidia.com/gpu."


def limit_name_problem(resource: str) -> str:
    """Why a container cannot be limited in this, empty where it can."""
    if "/" in resource or resource in _MEASURED:
        return ""
    return f"{resource} is not one of {', '.join(sorted(_MEASURED))}. Others have a prefix, for example nvidia.com/gpu."


def check_readable(resource: str, text: str) -> None:
    """Raise ValueError, with a sentence, unless this is an amount of anything."""
    if quantities.parse(text) < 0:
        raise ValueError("This must not be negative.")


def check_amount(resource: str, text: str) -> None:
    """Raise ValueError, with a sentence, unless the API server takes this much of a resource and leaves it as it is."""
    check_readable(resource, text)
    value = quantities.parse(text)
    if value % 1 and _is_counted(resource):
        raise ValueError("Enter a whole number.")
    if value * 1000 % 1:
        raise ValueError("The cluster would round this. Use steps of one thousandth (1m).")


def _is_counted(resource: str) -> bool:
    extended = "/" in resource and "kubernetes.io/" not in resource and not resource.startswith("requests.")
    return resource in _COUNTED or extended


_PREFIX = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")

#: Prefixes whose meaning is the cluster's or the portal's own: a template must not set them by the back door.
_RESERVED = ("kubernetes.io", "k8s.io", "openshift.io", "allotment.internal")


def key_problem(key: str) -> str:
    """Why a template may not set this key; empty where it may."""
    prefix, slash, name = key.rpartition("/")
    if not _NAME.fullmatch(name) or (slash and not _PREFIX.fullmatch(prefix)):
        return f"“{key}” is not a key. Use for example team or example.com/team."
    if any(prefix == reserved or prefix.endswith(f".{reserved}") for reserved in _RESERVED):
        return f"Keys of {prefix} are reserved for the cluster or the portal."
    return ""


#: What PostgreSQL keeps in no order, so that the order is ours.
_KEYED = ("quota", "default", "default_request", "maximum", "labels", "annotations")


def ordered(data: Any) -> Any:
    """Plain data of a template with its figures in the one order that every listing has."""
    if isinstance(data, list):
        return [ordered(item) for item in data]
    if not isinstance(data, dict):
        return data
    return {
        key: dict(sorted(value.items(), key=_rank)) if key in _KEYED and isinstance(value, dict) else ordered(value)
        for key, value in data.items()
    }


def _rank(item: tuple[str, str]) -> tuple[int, str]:
    return quantities.rank(item[0])
