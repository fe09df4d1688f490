"""Quotas, limits and network policies in a namespace that are not the portal's: what they add to the template's. Pure.

All quotas and LimitRanges of a namespace count together, so the smallest one decides.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from environments.kube import manifests
from environments.lib import quantities

Manifest = dict[str, Any]

#: The kinds that limit what can run in a namespace, in the order in which they are shown.
KINDS = ("ResourceQuota", "LimitRange", "NetworkPolicy")
_BOUNDS = (("max", "at most"), ("min", "at least"), ("default", "default"), ("defaultRequest", "default request"))
_MOST_WORDS = 12  # parts of one object's sentence


@dataclass(frozen=True)
class OtherLimit:
    """One object of someone else that limits the namespace, too: `Pods 1 of 1`."""

    kind: str
    name: str
    text: str
    is_full: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.text}" if self.text else f"{self.kind} {self.name}"


def limits_of_others(
    found: Iterable[Manifest], kind: str, *, label_domain: str, environment_id: str
) -> list[OtherLimit]:
    """Those of a namespace's objects of one kind that the environment does not have from the portal."""
    strange = (each for each in found if not manifests.is_ours(each, label_domain, environment_id))
    return [_described(kind, each) for each in strange]


def counted(quota: Manifest) -> bool:
    """Whether the cluster has counted a quota as it is now."""
    hard = (quota.get("spec") or {}).get("hard") or {}
    return bool(hard) and (quota.get("status") or {}).get("hard") == hard


def uncounted(quota: Manifest) -> list[str]:
    """The resources of a counted quota that the cluster takes and never counts."""
    status = quota.get("status") or {}
    return sorted((status.get("hard") or {}).keys() - (status.get("used") or {}).keys(), key=quantities.rank)


def _described(kind: str, live: Manifest) -> OtherLimit:
    name, spec = str(live["metadata"]["name"]), live.get("spec") or {}
    if kind == "ResourceQuota":
        rows = list(_quota_rows(live))
        return OtherLimit(kind, name, _listed(text for text, _ in rows), any(is_full for _, is_full in rows))
    if kind == "LimitRange":
        return OtherLimit(kind, name, _listed(_limit_texts(spec)))
    return OtherLimit(kind, name, _policy_text(spec))


def _quota_rows(live: Manifest) -> Iterator[tuple[str, bool]]:
    """Each resource in words, and whether nothing of it is left."""
    status = live.get("status") or {}
    hard, used = (live.get("spec") or {}).get("hard") or {}, status.get("used") or {}
    for resource in sorted(hard, key=quantities.rank):
        with suppress(ValueError):
            most = quantities.parse(hard[resource])
            if resource not in used:
                yield f"{quantities.name(resource)} at most {quantities.human(resource, most)}", False
                continue
            now = quantities.parse(used[resource])
            yield f"{quantities.name(resource)} {quantities.used_of(resource, now, most)}", now >= most


def _limit_texts(spec: Manifest) -> Iterator[str]:
    """`Container CPU at most 1 core, default 200m`."""
    for item in _maps(spec.get("limits")):
        bounds = [(words, item[key]) for key, words in _BOUNDS if isinstance(item.get(key), dict)]
        for resource in sorted({name for _, amounts in bounds for name in amounts}, key=quantities.rank):
            said = [
                f"{words} {_amount(resource, amounts[resource])}" for words, amounts in bounds if resource in amounts
            ]
            yield f"{item.get('type', '')} {quantities.name(resource)} {', '.join(said)}".strip()


def _policy_text(spec: Manifest) -> str:
    """What a policy is about: policies add up, so each of its rules lets something through beside ours."""
    sides = {"Ingress": "incoming", "Egress": "outgoing"}
    types = [str(each) for each in spec.get("policyTypes") or ["Ingress"]]
    opened = [words for side, words in sides.items() if side in types and spec.get(side.lower())]
    closed = [words for side, words in sides.items() if side in types and not spec.get(side.lower())]
    parts = [f"allows {' and '.join(opened)} traffic"] if opened else []
    parts += [f"blocks {' and '.join(closed)} traffic"] if closed else []
    return ", ".join(parts)


def _amount(resource: str, text: Any) -> str:
    try:
        return quantities.human(resource, quantities.parse(str(text)))
    except ValueError:
        return str(text)[:60]


def _maps(value: Any) -> list[Manifest]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _listed(texts: Iterable[str]) -> str:
    parts = list(texts)
    rest = len(parts) - _MOST_WORDS
    return "; ".join([*parts[:_MOST_WORDS], *([f"{rest} more"] if rest > 0 else [])])
