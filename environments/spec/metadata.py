"""Keys of labels and annotations that a template may set.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
"""

import re

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
