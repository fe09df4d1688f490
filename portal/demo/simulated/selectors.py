"""Label and field selectors: the text of a query as a predicate.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api and field-selectors/
"""

import re
from collections.abc import Callable
from typing import Any

from portal.demo.simulated.kinds import Kind, Object
from portal.demo.simulated.names import key_causes, value_causes
from portal.demo.simulated.statuses import bad_request

type Predicate = Callable[[Object], bool]

_KEY = r"[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?"
_VALUE = r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_REQUIREMENT = re.compile(
    rf"\s*(?:(?P<not>!)\s*)?(?P<key>{_KEY})\s*"
    rf"(?:(?P<operator>==|=|!=)\s*(?P<value>{_VALUE})\s*"
    rf"|\s(?P<set>in|notin)\s*\((?P<values>[^()]*)\)\s*)?(?:,|$)"
)
#: Fields that every kind can be selected by, and those of some.
_FIELDS = {"": {"metadata.name", "metadata.namespace"}}
_FIELDS |= {
    "Namespace": {"status.phase"},
    "Pod": {"status.phase", "spec.nodeName", "spec.serviceAccountName", "spec.restartPolicy"},
    "Secret": {"type"},
    "Event": {
        "type", "reason", "reportingComponent", "source",
        *(f"involvedObject.{name}" for name in ("kind", "namespace", "name", "uid", "apiVersion", "fieldPath")),
    },
}  # fmt: skip


def by_labels(text: str) -> Predicate | None:
    """A label selector as a predicate; None selects everything. Raises StatusError 400."""
    if not text.strip():
        return None
    checks: list[Callable[[dict[str, str]], bool]] = []
    position = 0
    while position < len(text):
        match = _REQUIREMENT.match(text, position)
        if match is None or match.end() == position:
            raise bad_request(f"unable to parse requirement: found '{text[position:]}', expected: identifier")
        _require_valid(match)
        checks.append(_label_check(match))
        position = match.end()
    return lambda found: all(check(found["metadata"].get("labels") or {}) for check in checks)


def _require_valid(match: re.Match[str]) -> None:
    values = (match["values"] or match["value"] or "").split(",")
    for cause in (
        *key_causes("", match["key"]),
        *(cause for each in values for cause in value_causes("", each.strip())),
    ):
        raise bad_request(f"unable to parse requirement: {cause.message}")


def _label_check(match: re.Match[str]) -> Callable[[dict[str, str]], bool]:
    key = match["key"]
    if match["set"]:
        values = {value.strip() for value in match["values"].split(",")}
        if match["set"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if match["operator"]:
        value = match["value"]
        if match["operator"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if match["not"]:
        return lambda labels: key not in labels
    return lambda labels: key in labels


def by_fields(kind: Kind, text: str) -> Predicate | None:
    """A field selector as a predicate; None selects everything. Raises StatusError 400."""
    checks = [_field_check(kind, term) for term in text.split(",") if term.strip()]
    if not checks:
        return None
    return lambda found: all(check(found) for check in checks)


def _field_check(kind: Kind, term: str) -> Predicate:
    match = re.fullmatch(r"\s*([\w.]+)\s*(==|=|!=)(.*)", term)
    if match is None:
        raise bad_request(f'invalid selector: "{term}"; can\'t understand "{term}"')
    name, operator, value = match[1], match[2], match[3].strip()
    if name not in _FIELDS[""] | _FIELDS.get(kind.kind, set()):
        raise bad_request(f"field label not supported: {name}")
    path = name.split(".")
    wanted = operator != "!="
    return lambda found: (_value(found, path) == value) is wanted


def _value(found: Any, path: list[str]) -> str:
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return "" if found is None else str(found)
