"""SCIM resources as the portal reads and writes them (RFC 7643), in whatever way a server writes them."""

from urllib.parse import quote, unquote, urlsplit

from environments.directory.answers import Json, attribute, number, text, truth, words
from environments.directory.base import GroupKey, Person
from environments.lib.errors import TemporaryError

GROUP_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def external_ids(key: GroupKey) -> tuple[str, str]:
    """A group's ids on our side: as it is written, and as it was written before.

    They hold the role too (in the name), since some servers want them unique. Some make a path of them, where the
    slash of the old form became a part of the path.
    """
    return f"{key.environment_id}.{key.name}", f"{key.environment_id}/{key.name}"


def group_path(group_id: str) -> str:
    """The path of a group."""
    return f"/Groups/{quote(group_id, safe='')}"


def user_path(person_id: str) -> str:
    """The path of a person."""
    return f"/Users/{quote(person_id, safe='')}"


def page(body: Json) -> tuple[list[Json], float]:
    """The resources of a list answer and how many there are in all. RFC 7644 §3.4.2."""
    resources, total = attribute(body, "Resources"), number(attribute(body, "totalResults"))
    resources = [] if resources is None else resources
    if total is None or not isinstance(resources, list) or not all(isinstance(item, dict) for item in resources):
        raise TemporaryError("The directory's answer is not a SCIM list.", reason="BadAnswer")
    return resources, total


def person(user: Json, email: str) -> Person:
    """A User resource as a Person, whose e-mail is the one that was asked for where it is among theirs."""
    addresses = values(user, "emails.value")
    mine = next((address for address in addresses if address.casefold() == email.casefold()), "")
    meta = attribute(user, "meta")
    location = words(attribute(meta, "location")) if isinstance(meta, dict) else ""
    return Person(
        id=_last_part(location) or text(user, "id"),
        email=mine or next(iter(addresses), ""),
        username=words(attribute(user, "userName")),
        active=truth(attribute(user, "active"), default=True),
    )


def values(resource: Json, name: str) -> list[str]:
    """The texts of an attribute, or of a sub-attribute such as `emails.value`."""
    outer, _, inner = name.partition(".")
    found = attribute(resource, outer)
    entries = found if isinstance(found, list) else [found] if not inner else []
    several = [attribute(entry, inner) if isinstance(entry, dict) else entry for entry in entries]
    return [value for value in several if isinstance(value, str) and value]


def has(resource: Json, name: str, value: str) -> bool:
    """Whether an attribute has this value, in any case."""
    return value.casefold() in (each.casefold() for each in values(resource, name))


def members(group: Json) -> list[Json]:
    """A group's members. Absent ones are none (RFC 7643 §2.5). Raises TemporaryError (BadAnswer)."""
    found = attribute(group, "members")
    found = [] if found is None else found
    if not isinstance(found, list) or not all(isinstance(member, dict) for member in found):
        raise TemporaryError("The directory's answer has no readable members.", reason="BadAnswer")
    return found


def member_id(member: Json) -> str:
    """Who a member is: the last part of its URI, or its value."""
    return _last_part(str(attribute(member, "$ref") or "")) or text(member, "value")


def member_ids(group: Json) -> set[str]:
    """The ids of a group's members."""
    return {member_id(member) for member in members(group)}


def etag(body: Json, header: str) -> str:
    """The entity tag of an answer, from its header or its `meta.version`."""
    meta = attribute(body, "meta")
    return header or (words(attribute(meta, "version")) if isinstance(meta, dict) else "")


def detail(answer: Json) -> str:
    """What a server says of its error, with its kind in brackets (RFC 7644 §3.12)."""
    kind = words(attribute(answer, "scimType"))
    return f"{words(attribute(answer, 'detail'))} ({kind})".strip() if kind else words(attribute(answer, "detail"))


def _last_part(uri: str) -> str:
    """The id in a user's URI, empty where it is not one."""
    try:
        *_, collection, last = ["", "", *urlsplit(uri).path.rstrip("/").split("/")]
    except ValueError:  # no URI at all
        return ""
    return unquote(last) if collection.casefold() == "users" else ""
