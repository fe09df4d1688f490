"""What the portal found out about one server beyond what it says of itself, kept with its row, and in words for admins.

A fact is learned where an answer shows it: when a group is made, when a filter finds nothing, when a change has no
effect. *Test with account* makes the portal look at each of them.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from django.db import Error, connection

from environments.models.directories import Directory

logger = logging.getLogger(__name__)

EXTERNAL_ID, MEMBERS, CREATION, PAGES, ADDING, REMOVING = (
    "external_id", "members", "creation", "pages", "adding", "removing",
)  # fmt: skip
KEPT, DROPPED, SHOWN, HIDDEN, WITHOUT, REPEATED, SHORT = (
    "kept", "dropped", "shown", "hidden", "without", "repeated", "short",
)  # fmt: skip
FILTERS, PATCH, WITH = "filters", "patch", "with"
WORKS, EXACT, EMPTY, IGNORED, REFUSED = "works", "exact", "empty", "ignored", "refused"
UNUSABLE = (EMPTY, IGNORED, REFUSED)  # filters
#: What decides whose a group is and who is in it: what this process does not know, another may have learned.
_OTHERS_KNOW = (EXTERNAL_ID, MEMBERS)

_FILTERED = {
    "/Users userName": "user names",
    "/Users emails.value": "email addresses",
    "/Groups displayName": "group names",
    "/Groups externalId": "external IDs",
}
_FILTERS = {
    WORKS: "Filters {what}.",
    EXACT: "Filters {what}, but distinguishes capitals; the portal tries both spellings.",
    EMPTY: "Answers filters on {what} with an empty list; read as a whole.",
    IGNORED: "Ignores filters on {what}; read as a whole.",
    REFUSED: "Rejects filters on {what}; read as a whole.",
}
_WORDS = {
    (FILTERS, "no"): "Does not support filters; lists are read as a whole.",
    (PATCH, "no"): "Does not support PATCH; the portal tries PUT first.",
    (EXTERNAL_ID, KEPT): "Keeps the external ID by which the portal recognises its groups.",
    (EXTERNAL_ID, DROPPED): "Drops external IDs; the portal recognises its groups by name.",
    (CREATION, WITHOUT): "Creates groups without members; the portal adds them afterwards.",
    (MEMBERS, HIDDEN): "Does not show the members of a group, so it cannot confirm changes.",
    (PAGES, REPEATED): "Repeats the first page of a list for ever; longer lists cannot be read.",
    (PAGES, SHORT): "Reports fewer entries than a list has; longer lists cannot be read.",
    (ADDING, "put"): "Adds members with PUT only.",
    (REMOVING, "path"): "Removes members with PATCH remove and a path.",
    (REMOVING, "values"): "Removes members with PATCH remove and their values only.",
    (REMOVING, "replace"): "Removes members with PATCH replace.",
    (REMOVING, "put"): "Removes members with PUT.",
}


def filtering(path: str, name: str) -> str:
    """The fact about filters on an attribute, such as `/Users userName`."""
    return f"{path} {name}"


def in_words(facts: dict[str, str]) -> list[str]:
    """What is known about a server, a sentence for each thing that an admin may want to know."""
    filters = []
    for verdict, sentence in _FILTERS.items():
        names = [what for fact, what in _FILTERED.items() if facts.get(fact) == verdict]
        if names:
            filters.append(sentence.format(what=" and ".join(filter(None, (", ".join(names[:-1]), names[-1])))))
    return filters + [sentence for (fact, value), sentence in _WORDS.items() if facts.get(fact) == value]


class Keeper(Protocol):
    """Where facts outlive the process."""

    def read(self) -> dict[str, str]:
        """All facts that were kept."""
        ...

    def keep(self, fact: str, value: str) -> None:
        """Keep one of them."""
        ...


class Row:
    """A directory's row as the keeper of what is known about its server."""

    def __init__(self, pk: int) -> None:
        self._same = Directory.objects.filter(pk=pk)

    def read(self) -> dict[str, str]:
        """All facts that were kept; none while the database does not say."""
        found: dict[str, str] | None = None
        with _briefly():
            found = self._stored()
        return found or {}

    def keep(self, fact: str, value: str) -> None:
        """Keep one of them. The row's `updated_at` stays: its clients need not connect anew."""
        with _briefly():
            self._same.update(capabilities=(self._stored() or {}) | {fact: value})

    def _stored(self) -> dict[str, str] | None:
        return self._same.values_list("capabilities", flat=True).first()


@contextmanager
def _briefly() -> Iterator[None]:
    """The database for a moment: steps run in threads that are kept, and that use it for nothing else.

    What is known of a server saves tries, no more: a database that is away or locked holds up no step.
    """
    was_open = connection.connection is not None
    try:
        yield
    except Error as error:
        logger.warning("what a directory's server can do was not read or kept (%s)", type(error).__name__)
    finally:
        if not was_open:
            connection.close()


class Capabilities:
    """The facts about one server. Safe to use from several threads; without a keeper they end with the process."""

    def __init__(self, keeper: Keeper | None = None) -> None:
        self._keeper = keeper
        self._facts: dict[str, str] | None = None
        self._lock = threading.Lock()

    def get(self, fact: str) -> str:
        """What is known, empty if nothing is."""
        with self._lock:
            if self._facts is None or (fact in _OTHERS_KNOW and not self._facts.get(fact)):
                self._read()
            return (self._facts or {}).get(fact, "")

    def _read(self) -> None:
        self._facts = (self._facts or {}) | (self._keeper.read() if self._keeper else {})

    def learn(self, fact: str, value: str) -> None:
        """Know a fact from now on."""
        if self.get(fact) == value:
            return
        with self._lock:
            self._facts = (self._facts or {}) | {fact: value}
        if self._keeper:
            self._keeper.keep(fact, value)

    def forget(self, *facts: str) -> None:
        """Have facts be looked at again: the server may be another version by now."""
        for fact in facts:
            self.learn(fact, "")

    def in_words(self) -> list[str]:
        """What is known, in sentences."""
        with self._lock:
            self._read()
            return in_words(self._facts or {})
