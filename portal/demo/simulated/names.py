"""Names of labels, annotations and resources: what makes one invalid, in the API server's words.

Source: IsQualifiedName in apimachinery's util/validation, and helpers.go of the core API group.
"""

import re
from collections.abc import Iterator

from portal.demo.simulated.statuses import Cause, bad_value

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
SUBDOMAIN_SAYS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    rf"'{_LABEL}(\.{_LABEL})*')"
)
_SHAPE_SAYS = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    f"character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}')"
)
_PREFIX_SAYS = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
_VALUE_SAYS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    f"'({_QUALIFIED})?')"
)


def key_causes(field: str, key: str, shown: str = "") -> Iterator[Cause]:
    """What is wrong with a key such as `team` or `example.com/team`."""
    shown = shown or key
    if key.count("/") > 1:
        yield bad_value(field, shown, f"a valid label key {_SHAPE_SAYS}{_PREFIX_SAYS}")
        return
    prefix, slash, name = key.rpartition("/")
    if slash and not prefix:
        yield bad_value(field, shown, "prefix part must be non-empty")
    elif slash and not re.fullmatch(SUBDOMAIN, prefix):
        yield bad_value(field, shown, f"prefix part {SUBDOMAIN_SAYS}")
    elif len(prefix) > 253:
        yield bad_value(field, shown, "prefix part must be no more than 253 bytes")
    if not name:
        yield bad_value(field, shown, "name part must be non-empty")
    elif len(name) > 63:
        yield bad_value(field, shown, "name part must be no more than 63 bytes")
    if not re.fullmatch(_QUALIFIED, name):
        yield bad_value(field, shown, f"name part {_SHAPE_SAYS}")


def value_causes(field: str, value: str) -> Iterator[Cause]:
    """What is wrong with a label's value."""
    if len(value) > 63:
        yield bad_value(field, value, "must be no more than 63 bytes")
    elif not re.fullmatch(f"({_QUALIFIED})?", value):
        yield bad_value(field, value, _VALUE_SAYS)


def is_qualified(key: str) -> bool:
    """Whether nothing is wrong with a key."""
    return not any(key_causes("", key))


def is_native(resource: str) -> bool:
    """Whether a resource is Kubernetes' own, and no device of a vendor."""
    return "/" not in resource or "kubernetes.io/" in resource


def is_huge_pages(resource: str) -> bool:
    """Whether a resource is huge pages of one size."""
    return resource.startswith("hugepages-")


def is_extended(resource: str) -> bool:
    """Whether a resource is a vendor's device, as a container names it."""
    return not is_native(resource) and not resource.startswith("requests.") and is_qualified(f"requests.{resource}")
