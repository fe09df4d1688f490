"""What fields an object can have, and of which types: unknown ones are left out, wrong types are refused.

The types are those of the `kubernetes` package's models, which are made from the API server's own description.
Custom resources have none there and are taken as they are.
Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from kubernetes.client import models

from portal.demo.simulated.kinds import Kind, Object
from portal.demo.simulated.quantity import parse

_CONTAINER = re.compile(r"(List|Dict)\[(?:str, )?(.+)\]|(list|dict)[\[(](?:str, )?(.+)[\])]")
_MODELS = {"Event": "CoreV1Event"}
#: Kinds whose secrets are bytes, written in base64.
_BYTES = {("Secret", "data"), ("ConfigMap", "binaryData")}
_AMOUNTS = frozenset(
    {
        "hard",
        "used",
        "requests",
        "limits",
        "max",
        "min",
        "default",
        "defaultRequest",
        "maxLimitRequestRatio",
        "overhead",
    }
    | {"capacity", "allocatable"}
)
_SCALARS: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "bool": (bool,), "float": (int, float)}
_WORDS = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}


@dataclass
class Findings:
    """What does not fit: fields that there are none of, and what is wrong with the types of others."""

    unknown: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def examine(kind: Kind, found: Object) -> Findings:
    """Look at an object as it was sent; unknown fields are taken out of it."""
    findings = Findings()
    model = _MODELS.get(kind.kind, f"{kind.version[0].upper()}{kind.version[1:]}{kind.kind}")
    if hasattr(models, model):
        _examine(findings, kind.kind, model, found, "")
    return findings


def _examine(findings: Findings, kind: str, type_: str, value: Any, where: str) -> None:
    if value is None or type_ == "object":
        return
    match = _CONTAINER.fullmatch(type_)
    if match:
        _examine_items(findings, kind, match, value, where)
    elif type_ in _SCALARS:
        if not isinstance(value, _SCALARS[type_]) or (isinstance(value, bool) and type_ != "bool"):
            findings.wrong.append(_mismatch(value, where, type_))
    elif type_ != "datetime" and hasattr(models, type_):
        _examine_fields(findings, kind, type_, value, where)


def _examine_items(findings: Findings, kind: str, match: re.Match[str], value: Any, where: str) -> None:
    item = match[2] or match[4]
    is_list = (match[1] or match[3]).lower() == "list"
    fits = isinstance(value, list) if is_list else isinstance(value, dict)
    if not fits:
        findings.wrong.append(_mismatch(value, where, "array" if is_list else "map"))
    elif is_list:
        for index, each in enumerate(value):
            _examine(findings, kind, item, each, f"{where}[{index}]")
    elif where.rpartition(".")[2] in _AMOUNTS:
        findings.wrong += _wrong_amounts(value, where)
    else:
        for key, each in value.items():
            _examine(findings, kind, item, each, f"{where}.{key}")
            if (kind, where) in _BYTES and isinstance(each, str) and not _is_base64(each):
                findings.wrong.append(f"illegal base64 data in {where}.{key}")


def _wrong_amounts(amounts: Object, where: str) -> Iterator[str]:
    for key, amount in amounts.items():
        try:
            parse(amount)
        except (ValueError, TypeError) as error:
            yield f"{error} at {where}.{key}"


def _examine_fields(findings: Findings, kind: str, type_: str, value: Any, where: str) -> None:
    if not isinstance(value, dict):
        findings.wrong.append(_mismatch(value, where, type_))
        return
    fields = _fields(type_)
    for key in list(value):
        path = f"{where}.{key}" if where else key
        if key in fields:
            _examine(findings, kind, fields[key], value[key], path)
        else:
            findings.unknown.append(path)
            del value[key]


@lru_cache(maxsize=1024)
def _fields(model: str) -> dict[str, str]:
    """A model's fields by their names in JSON, each with its type."""
    found = getattr(models, model)
    return {found.attribute_map[name]: type_ for name, type_ in found.openapi_types.items()}


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _mismatch(value: Any, where: str, type_: str) -> str:
    return f"json: cannot unmarshal {_WORDS.get(type(value), 'null')} into Go struct field {where} of type {type_}"
