"""What directories answer: errors as ours, delays, values in whatever form a server writes them, and who is meant."""

import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from environments.directory.base import Person
from environments.lib import bounds
from environments.lib.errors import PermanentError, ReconcileError, TemporaryError

Json = dict[str, Any]

MAX_RETRY_AFTER = 3600
MAX_PAGES, MAX_ITEMS = 1000, 500_000  # of one list
MAX_SECONDS = 300  # for all the pages of one list
MAX_TEXT = 150  # characters of a name or an id, as the portal stores them
_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ENVIRONMENT = re.compile(rf"^{_UUID}[^0-9a-zA-Z]|\[{_UUID}\]$")


class NotFoundError(PermanentError):
    """404: what the path names is not there."""


class ConflictError(TemporaryError):
    """409 or 412: another client created or changed it at the same time."""


class FaultError(TemporaryError):
    """500: the server failed at this request; some do instead of refusing what they do not support."""


class NotRemovedError(TemporaryError):
    """Some are still members after every way to remove them. `ids`: who."""

    def __init__(self, ids: frozenset[str], said: str = "") -> None:
        people = "1 person" if len(ids) == 1 else f"{len(ids)} people"
        sentence = f"The directory did not remove {people} from the group. Ask its admin to remove them there."
        super().__init__(f"{sentence} {said}".strip(), reason="NotRemoved")
        self.ids = ids


class MembersHiddenError(PermanentError):
    """The directory shows no group's members, so nobody can tell who is in one."""

    def __init__(self) -> None:
        super().__init__("The directory does not show the members of its groups.", reason="MembersHidden")


class Limit:
    """How far a list is read: so many pages, so many items, and so long."""

    def __init__(self) -> None:
        self._pages, self._end = 0, time.monotonic() + MAX_SECONDS

    def allows(self, items: int) -> bool:
        """Whether one more page may be read after so many items. Raises TemporaryError (Timeout) where it took long."""
        if time.monotonic() > self._end:
            raise TemporaryError("The directory did not answer in time.", reason="Timeout")
        self._pages += 1
        return self._pages <= MAX_PAGES and items <= MAX_ITEMS


def translate(status: int, detail: str = "", delay: float | None = None) -> ReconcileError:
    """An error answer as one of ours. `detail`: the server's own words, without secrets; `delay` in seconds.

    Source: RFC 7644 §3.12, RFC 6585, RFC 9110 §10.2.3.
    """
    detail = detail[:300] or f"HTTP status {status}"
    if status in (401, 403):
        return unauthorized(status)
    if status == 404:
        return NotFoundError(f"The directory did not find it: {detail}", reason="NotFound")
    if status in (409, 412):
        return ConflictError(f"The entry changed in the directory at the same time: {detail}", reason="Conflict")
    if status == 429:
        return TemporaryError("The directory is limiting requests (429).", reason="TooManyRequests", retry_after=delay)
    if status == 500:
        return FaultError("The directory reported an error (500).", reason="Unavailable", retry_after=delay)
    if status >= 500 and status != 501:
        return TemporaryError(f"The directory reported an error ({status}).", reason="Unavailable", retry_after=delay)
    if status < 400:
        return PermanentError(
            "The directory redirects to another address. A platform admin must correct its base URL.",
            reason="Redirected",
        )
    return PermanentError(f"The directory rejected the request ({status}): {detail}", reason="Refused")


def unauthorized(status: int) -> TemporaryError:
    """401 or 403, in a sentence for the platform admin who can do something about it."""
    what = (
        "The directory rejected the portal's credential. A platform admin must renew it."
        if status == 401
        else "The directory does not allow the portal's account to do this. A platform admin must allow it there."
    )
    return TemporaryError(what, reason="Unauthorized", retry_after=60)


def retry_after(value: str | None) -> float | None:
    """A Retry-After header in seconds (it may be a date), at most an hour; None where there is none."""
    if not value:
        return None
    seconds = number(value)
    if seconds is None:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        seconds = (when - datetime.now(UTC)).total_seconds()
    return min(max(0.0, seconds), MAX_RETRY_AFTER)


def gone() -> PermanentError:
    """The error for a group that no longer exists."""
    return PermanentError("The group no longer exists in the directory.", reason="GroupGone")


class NotOursError(PermanentError):
    """A group has our name and is not ours. `ours`: the ids of those beside it that are.

    `nameless`: it has no external ID, and nothing is known that tells whether the directory would have kept ours.
    """

    def __init__(self, name: str, ours: tuple[str, ...] = (), *, nameless: bool = False) -> None:
        sentence = (
            f"The directory has a group {name} that this portal did not create. Ask its admin to rename or delete it."
        )
        if nameless:
            sentence += " If the portal did create it, have a platform admin run the directory's test with an account."
        super().__init__(sentence, reason="NotOurs")
        self.ours = ours


def not_ours(name: str, ours: tuple[str, ...] = ()) -> PermanentError:
    """A group has our name and is not ours; with the ids of those beside it that are."""
    return NotOursError(name, ours)


def bears_environment(text: str) -> bool:
    """Whether an environment's id stands at the beginning or the end of a text: a portal like this one put it there."""
    return bool(_ENVIRONMENT.search(text))


def partial_answer(sentence: str) -> TemporaryError:
    """A list that is not whole must not pass for one."""
    return TemporaryError(sentence, reason="PartialAnswer")


def too_many_pages() -> PermanentError:
    """A list without end."""
    return PermanentError("The directory's list has too many pages.", reason="TooManyPages")


def bad_answer(what: str) -> TemporaryError:
    """An answer that is not what the documentation promises. `what` completes “The directory's answer …”."""
    return TemporaryError(f"The directory's answer {what}.", reason="BadAnswer")


def attribute(resource: Json, name: str) -> Any:
    """An attribute by its name, in whatever case the server writes it (RFC 7643 §2.1); None where it is absent."""
    if name in resource:
        return resource[name]
    folded = name.casefold()
    return next((value for key, value in resource.items() if key.casefold() == folded), None)


def number(value: Any) -> float | None:
    """A number, also where the server writes it as a string; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        result = float(value)
    except ValueError:
        return None
    return result if abs(result) < 1e12 else None  # also no infinity, no NaN


def truth(value: Any, *, default: bool) -> bool:
    """A boolean, also where the server writes it as a string."""
    if isinstance(value, str):
        return value.casefold() == "true"
    return value if isinstance(value, bool) else default


def text(resource: Json, name: str) -> str:
    """A name or an id that must be there. Raises TemporaryError (BadAnswer)."""
    value = attribute(resource, name)
    if not isinstance(value, str | int) or value == "":
        raise bad_answer(f"lacks an {name}")
    if len(str(value)) > MAX_TEXT:
        raise bad_answer(f"has an {name} of more than {MAX_TEXT} characters")
    return str(value)


def words(value: Any) -> str:
    """A text that may be absent: empty for anything else."""
    return value if isinstance(value, str) else ""


def json_object(content: bytes) -> Json:
    """A JSON object. Raises TemporaryError (BadAnswer) for anything else."""
    answer = _json(content)
    if not isinstance(answer, dict):
        raise bad_answer("is not a JSON object")
    return answer


def json_objects(content: bytes) -> list[Json]:
    """A JSON array of objects. Raises TemporaryError (BadAnswer) for anything else."""
    return objects(_json(content))


def objects(value: Any) -> list[Json]:
    """A list of objects. Raises TemporaryError (BadAnswer) for anything else."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise bad_answer("is not a list of objects")
    return value


def _json(content: bytes) -> Any:
    try:
        return bounds.json_value(content)
    except ValueError as error:
        raise bad_answer("is not JSON") from error


def choose(people: Iterable[Person], address: str) -> Person | None:
    """The one person with this user name or e-mail address, in any case; None if none of them has it.

    A user name goes before an address that another entered, an active account before a deactivated one. Raises
    PermanentError (Ambiguous) where several active people are left: access must not go to the first one found.
    """
    wanted = address.casefold()
    found = {person.id: person for person in people if wanted in (person.username.casefold(), person.email.casefold())}
    named = [person for person in found.values() if person.username.casefold() == wanted]
    candidates = named or list(found.values())
    active = [person for person in candidates if person.active] or candidates
    if len(active) > 1:
        raise PermanentError(
            f"{address} belongs to {len(active)} people in the directory. Ask its admin to leave it with one of them.",
            reason="Ambiguous",
        )
    if active and max(len(active[0].username), len(active[0].id)) > MAX_TEXT:
        raise bad_answer(f"has a name of more than {MAX_TEXT} characters")  # cut, it could be another person's
    return active[0] if active else None
