"""What a template writes by key: amounts of resources, labels, annotations. Which the API server takes, in which order.

Sources: ValidateResourceQuantityValue and SetDefaults_ResourceList of the API server;
https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
"""

import re
from typing import Any

from environments.lib import quantities
from environments.spec.api_names import WHOLE, is_native, is_qualified


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
    if value > _MOST and _is_counted(resource):  # the API server says of most of these that they are not whole
        raise ValueError("This is more than Kubernetes can count.")
    if value * 1000 % 1:
        raise ValueError("The cluster would round this. Use steps of one thousandth (1m).")


#: Kubernetes checks for whole numbers in thousandths, which have 63 bits.
_MOST = (2**63 - 1) // 1000


def _is_counted(resource: str) -> bool:
    return resource in WHOLE or not (is_native(resource) or resource.startswith("requests."))


_PREFIX = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_NO_KEY = "“{}” is not a key. Use for example team or example.com/team."

#: Prefixes whose meaning is the cluster's or the portal's own: a template must not set them by the back door.
_RESERVED = ("kubernetes.io", "k8s.io", "openshift.io", "allotment.internal")


def key_problem(key: str) -> str:
    """Why a template may not set this key; empty if it may."""
    prefix, slash, name = key.rpartition("/")
    if not _NAME.fullmatch(name) or (slash and not _PREFIX.fullmatch(prefix)):
        return _NO_KEY.format(key)
    if any(prefix.lower() == reserved or prefix.lower().endswith(f".{reserved}") for reserved in _RESERVED):
        return f"Keys of {prefix} are reserved for the cluster or the portal."
    return ""


def label_key_problem(key: str) -> str:
    """Why the API server refuses a label's key; empty if it takes it. Stored templates may have such keys."""
    return "" if is_qualified(key) else _NO_KEY.format(key)


def annotation_key_problem(key: str) -> str:
    """Why the API server refuses an annotation's key, of which it ignores the case; empty if it takes it."""
    return label_key_problem(key.lower()) and _NO_KEY.format(key)


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
