"""Bodies in Kubernetes' protobuf, which kubectl sends where it knows the type: `create deployment`, `auth can-i`.

Answers are JSON, which every client takes. A field that is not in the tables is an error: nothing is lost silently.
Source: https://protobuf.dev/programming-guides/encoding/
and https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
"""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from portal.demo.simulated.kinds import Object
from portal.demo.simulated.message_tables import MESSAGES
from portal.demo.simulated.messages import Field, Message, message, of_kind

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\0"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_DEEP = 60  # messages in messages


class UnknownError(ValueError):
    """A body has a kind or a field that the tables leave out."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the simulated cluster does not know {what} in protobuf. "
            "Write the object as YAML and use kubectl apply, which sends JSON."
        )


def decode(body: bytes) -> Object:
    """Return the object of a body, with apiVersion and kind. Raises ValueError, also UnknownError."""
    if not body.startswith(_MAGIC):
        raise ValueError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    # The last two are the encoding and the type of what is in it: kubectl sends them empty.
    types, raw = _parts(body[len(_MAGIC) :], "the envelope", empty=(3, 4))
    names = _parts(_as_bytes(types), "TypeMeta")
    api_version, kind = (_as_bytes(name).decode() for name in names)
    found = of_kind(api_version, kind)
    if found is None:
        raise UnknownError(f'the kind "{kind}" of "{api_version}"')
    return {"apiVersion": api_version, "kind": kind} | _object(found, _as_bytes(raw), 0)


def _parts(data: bytes, name: str, empty: tuple[int, ...] = ()) -> tuple[Any, Any]:
    """The raw values of a message's fields 1 and 2; those that are to be empty may be there. Raises ValueError."""
    values = dict(_values(data))
    for number, raw in values.items():
        if number not in (1, 2) and (raw or number not in empty):
            raise UnknownError(f"field {number} of {name}")
    return values.get(1, b""), values.get(2, b"")


def _object(what: Message, data: bytes, depth: int) -> Object:
    if depth > _MOST_DEEP:
        raise ValueError("the message is nested too deeply")
    found: Object = {}
    for number, raw in _values(data):
        field = what.fields.get(number)
        if field is None:
            raise UnknownError(f"field {number} of {what.name}")
        if not field.is_ignored:
            _put(found, field, raw, depth)
    return found


def _put(found: Object, field: Field, raw: Any, depth: int) -> None:
    """Add a field's value to an object; a list and a map come in pieces."""
    if field.is_map:
        key, value = _parts(_as_bytes(raw), f"an entry of {field.name}")
        found.setdefault(field.name, {})[_as_bytes(key).decode()] = _value(field.type, value, depth)
    elif field.is_list:
        found.setdefault(field.name, []).extend(_items(field, raw, depth))
    else:
        value = _value(field.type, raw, depth)
        if field.is_inline:
            found |= value
        elif field.keeps_empty or value not in ("", 0, None):
            found[field.name] = value


def _items(field: Field, raw: Any, depth: int) -> Iterator[Any]:
    """The items of a list: one, or several numbers in a packed field."""
    if isinstance(raw, bytes) and field.type in _NUMBERS:
        position = 0
        while position < len(raw):
            number, position = _varint(raw, position)
            yield _value(field.type, number, depth)
    else:
        yield _value(field.type, raw, depth)


def _value(type_: str, raw: Any, depth: int) -> Any:
    if special := _SPECIAL.get(type_):
        return special(_object(message(type_), _as_bytes(raw), depth + 1))
    if type_ in MESSAGES:
        return _object(message(type_), _as_bytes(raw), depth + 1)
    try:
        return _SCALARS[type_](raw)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"this is not a {type_}: {error}") from error


def _signed(raw: int) -> int:
    return raw - (1 << 64) if raw >> 63 else raw


def _time(found: Object) -> str | None:
    if not found:
        return None
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=found.get("seconds", 0))
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _int_or_string(found: Object) -> Any:
    return found.get("strVal", "") if found.get("type") else found.get("intVal", 0)


_NUMBERS = ("int", "bool")
_SCALARS: dict[str, Callable[[Any], Any]] = {
    "str": lambda raw: raw.decode(),
    "bytes": lambda raw: base64.b64encode(raw).decode(),
    "bool": bool,
    "int": _signed,
}
#: What JSON has in another form than its fields.
_SPECIAL: dict[str, Callable[[Object], Any]] = {
    "Time": _time,
    "Quantity": lambda found: found.get("string", "0"),
    "IntOrString": _int_or_string,
    "FieldsV1": lambda found: json.loads(base64.b64decode(found.get("Raw", "")) or b"{}"),
}


def _values(data: bytes) -> Iterator[tuple[int, Any]]:
    """The numbers and raw values of a message: integers, or bytes. Raises ValueError."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        wire = key & 7
        if wire == _VARINT:
            value: Any
            value, position = _varint(data, position)
        else:
            size, position = _varint(data, position) if wire == _BYTES else (_width(wire), position)
            value, position = data[position : position + size], position + size
            if position > len(data):
                raise ValueError("unexpected EOF")
        yield key >> 3, value


def _width(wire: int) -> int:
    try:
        return {_FIXED64: 8, _FIXED32: 4}[wire]
    except KeyError:
        raise ValueError(f"proto: illegal wireType {wire}") from None


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
    raise ValueError("unexpected EOF")


def _as_bytes(raw: Any) -> bytes:
    if not isinstance(raw, bytes):
        raise ValueError("proto: wrong wireType")
    return raw
