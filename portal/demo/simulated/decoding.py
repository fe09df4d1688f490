"""How strictly what was sent is read: `fieldValidation` of a request, and what becomes of what does not fit.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from portal.demo.simulated import schema
from portal.demo.simulated.kinds import Kind, Object
from portal.demo.simulated.statuses import Cause, bad_request, broken_patch, invalid

STRICT, WARN, IGNORE = "Strict", "Warn", "Ignore"


def repeated(body: bytes) -> list[str]:
    """The fields that are there more than once; json.loads keeps the last of each."""
    found: list[str] = []
    try:
        _report(json.loads(body, object_pairs_hook=_Pairs), "", found)
    except ValueError:
        return []  # whoever reads the body says so
    return found


class _Pairs(list[tuple[str, Any]]):
    """A map with all of its fields."""


def _report(value: Any, where: str, found: list[str]) -> None:
    if isinstance(value, _Pairs):
        seen = set()
        for key, each in value:
            path = f"{where}.{key}" if where else key
            found += [path] if key in seen else []
            seen.add(key)
            _report(each, path, found)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            _report(each, f"{where}[{index}]", found)


def read(kind: Kind, found: Object, how: str, twice: Iterable[str] = ()) -> list[str]:
    """Take unknown fields out of what was sent; returns what there is to warn of. Raises StatusError 400."""
    findings = schema.examine(kind, found)
    if findings.wrong:
        version = kind.api_version
        raise bad_request(f'{kind.kind} in version "{version}" cannot be handled as a {kind.kind}: {findings.wrong[0]}')
    said = list(_said(findings, twice))
    if said and how == STRICT:
        about = f'{kind.kind} in version "{kind.api_version}" cannot be handled as a {kind.kind}'
        raise bad_request(f"{about}: strict decoding error: {', '.join(said)}")
    return [] if how == IGNORE else said


def read_patched(kind: Kind, name: str, found: Object, how: str) -> list[str]:
    """The same of an object as a patch makes it, whose errors are about the patch. Raises StatusError 400, 422."""
    findings = schema.examine(kind, found)
    if findings.wrong:
        raise bad_request(f"error decoding patch: {findings.wrong[0]}")
    said = list(_said(findings, ()))
    if said and how == STRICT:
        raise invalid(kind, name, [Cause("patch", f"Invalid value: strict decoding error: {', '.join(said)}")])
    return [] if how == IGNORE else said


def require_fitting(kind: Kind, found: Object) -> None:
    """Raise StatusError 500, as the API server does, where what is applied does not fit the schema."""
    findings = schema.examine(kind, found)
    amounts = [each for each in findings.wrong if each.startswith("quantities")]
    if findings.unknown:
        why = f".{findings.unknown[0]}: field not declared in schema"
    elif findings.wrong and findings.wrong != amounts:
        why = findings.wrong[0]
    else:
        return  # quantities are read later
    metadata = found.get("metadata") or {}
    where = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}; {kind.api_version}, Kind={kind.kind}"
    raise broken_patch(f"failed to create typed patch object ({where}): {why}")


def header(text: str) -> str:
    """A warning as a header has it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{escaped}"'


def _said(findings: schema.Findings, twice: Iterable[str]) -> Iterator[str]:
    for path in findings.unknown:
        yield f'unknown field "{path}"'
    for path in twice:
        yield f'duplicate field "{path}"'
