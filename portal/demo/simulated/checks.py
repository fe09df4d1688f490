"""What a rule about a field can say, and how a table of rules is read: each names a place and what must hold there.

A place is a path such as `spec.ports[].protocol`; `[]` stands for every item of a list. The words are those of
apimachinery's util/validation and field errors.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from portal.demo.simulated import quantity
from portal.demo.simulated.kinds import Object
from portal.demo.simulated.names import SUBDOMAIN, SUBDOMAIN_SAYS, key_causes, value_causes
from portal.demo.simulated.statuses import Cause, bad_value

LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
LABEL_SAYS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    f"an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{LABEL}')"
)
PROTOCOLS = ("SCTP", "TCP", "UDP")
_EMPTY: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True)
class Place:
    """A field of an object: its name as messages have it, its value, what it is in, and the whole object."""

    field: str
    value: Any
    parent: Object
    root: Object

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing; 0 and false are something."""
        return any(self.value is each or self.value == each for each in _EMPTY)


type Check = Callable[[Place], Iterable[Cause]]
type Rules = tuple[tuple[str, Check], ...]


def apply(rules: Rules, found: Object, base: str = "") -> Iterator[Cause]:
    """What is wrong with an object by a table of rules; `base` is where the object is, for the fields' names."""
    for path, check in rules:
        for place in places(found, path, base):
            yield from check(place)


def places(found: Object, path: str, base: str = "") -> Iterator[Place]:
    """The places that a path names; one that is not there has the value None, if what it would be in is."""
    steps = path.split(".") if path else []
    return _places(Place(base, found, {}, found), steps)


def _places(here: Place, steps: list[str]) -> Iterator[Place]:
    if not steps:
        yield here
        return
    name = steps[0].removesuffix("[]")
    if not isinstance(here.value, dict):
        return
    field = f"{here.field}.{name}" if here.field else name
    value = here.value.get(name)
    if not steps[0].endswith("[]"):
        yield from _places(Place(field, value, here.value, here.root), steps[1:])
        return
    for index, item in enumerate(value if isinstance(value, list) else ()):
        yield from _places(Place(f"{field}[{index}]", item, here.value, here.root), steps[1:])


def missing(field: str, why: str = "") -> Cause:
    """`Required value`."""
    return Cause(field, f"Required value{why and ': '}{why}", "FieldValueRequired")


def not_supported(field: str, value: Any, supported: Iterable[str]) -> Cause:
    """`Unsupported value`, with those that are."""
    listed = ", ".join(f'"{each}"' for each in supported)
    return Cause(field, f'Unsupported value: "{value}": supported values: {listed}', "FieldValueNotSupported")


def not_allowed(field: str, why: str) -> Cause:
    """`Forbidden`."""
    return Cause(field, f"Forbidden: {why}", "FieldValueForbidden")


def twice(field: str, value: Any) -> Cause:
    """`Duplicate value`."""
    return Cause(field, f'Duplicate value: "{value}"', "FieldValueDuplicate")


def required(place: Place) -> Iterator[Cause]:
    """It must be there, and not be empty."""
    if place.is_empty:
        yield missing(place.field)


def one_of(*supported: str) -> Check:
    """It must be one of these, if it is there."""

    def check(place: Place) -> Iterator[Cause]:
        if place.value is not None and place.value not in supported:
            yield not_supported(place.field, place.value, supported)

    return check


def invalid_unless(*supported: str) -> Check:
    """It must be one of these, and is called invalid where it is not, as the older kinds do."""

    def check(place: Place) -> Iterator[Cause]:
        if place.value not in supported:
            yield bad_value(place.field, place.value, f"must be {' or '.join(supported)}")

    return check


def at_least(least: int) -> Check:
    """A number that must not be smaller."""

    def check(place: Place) -> Iterator[Cause]:
        if isinstance(place.value, int) and place.value < least:
            why = "greater than 0" if least == 1 else f"greater than or equal to {least}"
            yield bad_value(place.field, place.value, f"must be {why}")

    return check


def between(least: int, most: int) -> Check:
    """A number, within bounds; texts are left alone."""

    def check(place: Place) -> Iterator[Cause]:
        if isinstance(place.value, int) and not least <= place.value <= most:
            yield bad_value(place.field, place.value, f"must be between {least} and {most}, inclusive")

    return check


def matches(pattern: str, why: str, longest: int = 63) -> Check:
    """A text of a shape, if there is one."""

    def check(place: Place) -> Iterator[Cause]:
        if not isinstance(place.value, str) or not place.value:
            return
        if not re.fullmatch(pattern, place.value):
            yield bad_value(place.field, place.value, why)
        if len(place.value) > longest:
            yield bad_value(place.field, place.value, f"must be no more than {longest} characters")

    return check


port_number = between(1, 65535)
dns_label = matches(LABEL, LABEL_SAYS)
subdomain = matches(SUBDOMAIN, SUBDOMAIN_SAYS, 253)


def port_name(place: Place) -> Iterator[Cause]:
    """The name of a port: at most 15 characters, at least one letter."""
    name = place.value
    if not isinstance(name, str) or not name:
        return
    if len(name) > 15:
        yield bad_value(place.field, name, "must be no more than 15 characters")
    if not re.fullmatch("[-a-z0-9]+", name):
        yield bad_value(place.field, name, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", name):
        yield bad_value(place.field, name, "must contain at least one letter (a-z)")
    if "--" in name:
        yield bad_value(place.field, name, "must not contain consecutive hyphens")
    if name[0] == "-" or name[-1] == "-":
        yield bad_value(place.field, name, "must not begin or end with a hyphen")


def port(place: Place) -> Iterator[Cause]:
    """A port by number or by name."""
    yield from port_number(place)
    yield from port_name(place)


def unique(*keys: str, named: str = "") -> Check:
    """A list in which no two items have the same keys; `named` is the part of the item that is blamed."""

    def check(place: Place) -> Iterator[Cause]:
        seen: list[tuple[Any, ...]] = []
        for index, item in enumerate(place.value or ()):
            values = tuple(item.get(key) for key in keys)
            if values in seen and all(value not in (None, "") for value in values):
                yield twice(f"{place.field}[{index}]{named and '.'}{named}", values[0])
            seen.append(values)

    return check


def exactly_one(*names: str) -> Check:
    """A map of which one of these keys is set."""

    def check(place: Place) -> Iterator[Cause]:
        if not isinstance(place.value, dict):
            return
        said = [name for name in names if place.value.get(name) is not None]
        if not said:
            yield missing(place.field, "must specify a handler type")
        for name in said[1:]:
            yield not_allowed(f"{place.field}.{name}", "may not specify more than 1 handler type")

    return check


def labels(place: Place) -> Iterator[Cause]:
    """A map of labels."""
    for key, value in (place.value or {}).items():
        yield from key_causes(place.field, key)
        yield from value_causes(place.field, value)


def selector(place: Place) -> Iterator[Cause]:
    """A label selector: its labels and its terms."""
    found = place.value if isinstance(place.value, dict) else {}
    yield from labels(Place(f"{place.field}.matchLabels", found.get("matchLabels"), found, place.root))
    for term in places(found, "matchExpressions[]", place.field):
        yield from _term(term)


def _term(term: Place) -> Iterator[Cause]:
    operator, values = term.value.get("operator"), term.value.get("values")
    yield from key_causes(f"{term.field}.key", term.value.get("key", ""))
    where = f"{term.field}.values"
    if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        yield bad_value(f"{term.field}.operator", operator, "not a valid selector operator")
    elif operator in ("In", "NotIn") and not values:
        yield missing(where, "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist") and values:
        yield not_allowed(where, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    for index, value in enumerate(values or ()):
        yield from value_causes(f"{where}[{index}]", value)


def share(place: Place) -> Iterator[Cause]:
    """A number of pods, or a share of them."""
    value = place.value
    if isinstance(value, int) and value < 0:
        yield bad_value(place.field, value, "must be greater than or equal to 0")
    if isinstance(value, str):
        if not re.fullmatch("[0-9]+%", value):
            yield bad_value(
                place.field, value, "a valid percent string must be a numeric string followed by an ending '%'"
            )
        elif int(value[:-1]) > 100:
            yield bad_value(place.field, value, "must not be greater than 100%")


def not_negative(place: Place) -> Iterator[Cause]:
    """Amounts by resource, none of them below nothing."""
    for name, amount in (place.value or {}).items():
        if quantity.parse(amount).value < 0:
            yield bad_value(f"{place.field}[{name}]", amount, "must be greater than or equal to 0")


def when(condition: Callable[[Place], bool], check: Check) -> Check:
    """The check, where a condition holds."""
    return lambda place: check(place) if condition(place) else ()


def refused(why: str, reason: str = "FieldValueInvalid", at: str = "") -> Check:
    """It is wrong in itself; `at` is the part of the place that is blamed."""

    def check(place: Place) -> Iterator[Cause]:
        field = f"{place.field}{at and '.'}{at}"
        if reason == "FieldValueForbidden":
            yield not_allowed(field, why)
        elif reason == "FieldValueRequired":
            yield missing(field, why)
        else:
            yield bad_value(field, place.value, why)

    return check
