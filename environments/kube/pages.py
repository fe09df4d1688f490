"""What a cluster's answer holds: an object, or a page of a list.

A page may be read only as far as comparing needs it: without managedFields, which are most of it. msgspec reads
straight into the forms below and checks them on the way, several times as fast as all is read otherwise. What does not
fit is left to the long way, which says what is wrong with it.
"""

from typing import Annotated, Any, NotRequired, TypedDict

import msgspec

from environments.kube.answers import bad_answer, checked_list
from environments.lib import bounds

_Texts = dict[str, str]


class _Metadata(TypedDict):
    name: Annotated[str, msgspec.Meta(max_length=253)]
    namespace: NotRequired[Annotated[str, msgspec.Meta(max_length=63)]]
    uid: Annotated[str, msgspec.Meta(max_length=64)]
    labels: NotRequired[_Texts]
    annotations: NotRequired[_Texts]


class _Status(TypedDict):
    hard: NotRequired[_Texts]
    used: NotRequired[_Texts]


class _Object(TypedDict):
    metadata: _Metadata
    spec: NotRequired[dict[str, Any]]
    status: NotRequired[_Status]
    roleRef: NotRequired[_Texts]
    subjects: NotRequired[list[_Texts]]


_ListMetadata = TypedDict("_ListMetadata", {"continue": NotRequired[str]})


class _List(TypedDict):
    kind: str
    metadata: _ListMetadata
    items: list[_Object]


#: What these have beside labels and annotations is all above. A template's own objects may have more.
_LEAN = frozenset({"Namespace", "ResourceQuota", "LimitRange", "NetworkPolicy", "RoleBinding"})

_decoder = msgspec.json.Decoder(_List)


def decode(content: bytes) -> Any:
    """JSON, or None where it is none."""
    try:
        return bounds.json_value(content)
    except ValueError:
        return None


def read_object(content: bytes) -> dict[str, Any]:
    """An answer that is a JSON object. Raises TemporaryError (BadAnswer)."""
    result = decode(content)
    if not isinstance(result, dict):
        raise bad_answer("is not a Kubernetes object")
    return result


def read_page(kind: str, content: bytes, *, lean: bool) -> tuple[list[dict[str, Any]], str]:
    """The objects on a page, and the token of the next one, empty at the end. Raises TemporaryError (BadAnswer)."""
    found = _read_lean(kind, content) if lean and kind in _LEAN else None
    return found or checked_list(kind, read_object(content))


def _read_lean(kind: str, content: bytes) -> tuple[list[dict[str, Any]], str] | None:
    if bounds.is_suspect(content):
        return None
    try:
        page: Any = _decoder.decode(content)
        bounds.refuse_depth(page)
    except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
        return None
    if page["kind"] != f"{kind}List":
        return None
    return page["items"], page["metadata"].get("continue", "")
