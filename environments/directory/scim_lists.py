"""Lists of a SCIM server: whole, or an error; and filters that are believed only after they found what is there.

`count` is never sent: it is optional, and Canaille 0.3.6 answers it with 500.
"""

import json
from collections import deque
from collections.abc import Iterator

from environments.directory import capabilities as known
from environments.directory.answers import (
    Json,
    Limit,
    NotFoundError,
    partial_answer,
    text,
    too_many_pages,
)
from environments.directory.capabilities import Capabilities, filtering
from environments.directory.scim_shapes import has, page, values
from environments.directory.transport import Http
from environments.lib.errors import PermanentError, TemporaryError


class Lists:
    """The lists of one server. Safe to use from several threads."""

    def __init__(self, http: Http, capabilities: Capabilities) -> None:
        self._http = http
        self._known = capabilities

    def matching(self, path: str, name: str, value: str, excluded: str = "") -> list[Json] | None:
        """The resources with this value, in any case; None if filters on the attribute are of no use.

        Where a server distinguishes capitals, only those that write the value as it is given or in lower case.
        """
        fact = filtering(path, name)
        if self._known.get(fact) in known.UNUSABLE:
            return None
        found: dict[str, Json] = {}
        for spelling in self._spellings(fact, value):
            answered = self._filtered(path, name, spelling, excluded)
            if answered is None:
                self._known.learn(fact, known.REFUSED)
                return None
            matches = [resource for resource in answered if has(resource, name, value)]
            if len(matches) < len(answered) and self.prove(path, name) in known.UNUSABLE:
                return None
            found |= {text(resource, "id"): resource for resource in matches}
        if not found and self.prove(path, name) in known.UNUSABLE:
            return None
        return list(found.values())

    def is_exact(self, path: str, name: str) -> bool:
        """Whether filters on an attribute are known to distinguish capitals."""
        return self._known.get(filtering(path, name)) == known.EXACT

    def prove(self, path: str, name: str) -> str:
        """How a filter on the attribute answers for something that is there; empty if nothing is there to ask for."""
        fact = filtering(path, name)
        verdict = self._known.get(fact) or self._tried(path, name)
        if verdict:
            self._known.learn(fact, verdict)
        return verdict

    def all(self, path: str, excluded: str = "") -> Iterator[Json]:
        """All resources, once each. Raises TemporaryError (PartialAnswer) where they cannot all be had."""
        return self._pages(path, {"excludedAttributes": excluded} if excluded else {})

    def look_at_pages(self, path: str) -> None:
        """Read a list to its end, and find out whether one that is longer than a page could be."""
        first, total = page(self._http.request("GET", path, params={"excludedAttributes": "members"}).body)
        if total > 1 and first:
            second = {"excludedAttributes": "members", "startIndex": "2"}
            resources, _ = page(self._http.request("GET", path, params=second).body)
            if resources and text(resources[0], "id") == text(first[0], "id"):
                self._known.learn(known.PAGES, known.REPEATED)
        try:
            deque(self.all(path, "members"), maxlen=0)
        except TemporaryError as error:
            if error.reason != "PartialAnswer":
                raise

    def _spellings(self, fact: str, value: str) -> tuple[str, ...]:
        return (value,) if self._known.get(fact) == known.WORKS else tuple(dict.fromkeys((value, value.lower())))

    def _tried(self, path: str, name: str) -> str:
        sample = self._sample(path, name)
        if sample is None:
            return ""
        sample_id, value = sample
        answered = self._filtered(path, name, value, "members")
        if answered is None:
            return known.REFUSED
        if sample_id not in {text(resource, "id") for resource in answered}:
            return known.EMPTY if self._is_there(path, sample_id) else ""
        if not all(has(resource, name, value) for resource in answered):
            return known.IGNORED
        if name == "externalId":  # case-exact (RFC 7643 §3.1)
            return known.WORKS
        swapped = self._filtered(path, name, value.swapcase(), "members") or []
        return known.WORKS if sample_id in {text(resource, "id") for resource in swapped} else known.EXACT

    def _sample(self, path: str, name: str) -> tuple[str, str] | None:
        """A resource of the first page that has the attribute: its id and the value."""
        resources, _ = page(self._http.request("GET", path, params={"excludedAttributes": "members"}).body)
        for resource in resources:
            for value in values(resource, name):
                if value.swapcase() != value and value.isascii():
                    return text(resource, "id"), value
        return None

    def _is_there(self, path: str, resource_id: str) -> bool:
        return any(text(resource, "id") == resource_id for resource in page(self._http.request("GET", path).body)[0])

    def _filtered(self, path: str, name: str, value: str, excluded: str) -> list[Json] | None:
        """What the server answers, None where it refuses: not every server filters by a sub-attribute."""
        params = {"filter": f"{name} eq {json.dumps(value, ensure_ascii=False)}"}
        params |= {"excludedAttributes": excluded} if excluded else {}
        try:
            return list(self._pages(path, params))
        except PermanentError as error:
            if error.reason != "Refused" or isinstance(error, NotFoundError):
                raise
            return None

    def _pages(self, path: str, params: dict[str, str]) -> Iterator[Json]:
        """All resources of all pages, once each. RFC 7644 §3.4.2.4.

        Raises TemporaryError (PartialAnswer) where they cannot all be had: a page without anything new before the
        end, or a total that changes underway, after which a resource may have slipped from one page to another.
        """
        seen: set[str] = set()
        start, expected, limit = 1, None, Limit()
        while limit.allows(len(seen)):
            asked = params | ({"startIndex": str(start)} if start > 1 else {})
            resources, total = page(self._http.request("GET", path, params=asked).body)
            new = {text(resource, "id"): resource for resource in resources}
            fresh = [resource for resource_id, resource in new.items() if resource_id not in seen]
            seen |= new.keys()
            yield from fresh
            if expected not in (None, total) or len(seen) > total:
                raise partial_answer("The directory changed while the portal was reading it.")
            if len(seen) == total:
                if seen and "filter" not in params:
                    self._require_end(path, params | {"startIndex": str(start + len(resources))}, seen)
                return
            if not fresh:
                raise self._no_progress(repeats=bool(resources))
            start, expected = start + len(resources), total
        raise too_many_pages()

    def _no_progress(self, *, repeats: bool) -> Exception:
        if not repeats:
            return partial_answer("The directory's answer ends too early.")
        self._known.learn(known.PAGES, known.REPEATED)
        return partial_answer("The directory repeats the first page of its list, so the portal cannot read the rest.")

    def _require_end(self, path: str, params: dict[str, str], seen: set[str]) -> None:
        """Behind the last resource nothing new may come: a server's total may be that of one page."""
        try:
            resources, total = page(self._http.request("GET", path, params=params).body)
        except PermanentError as error:
            if error.reason != "Refused":
                raise
            return  # it does not look behind its end
        if not seen.issuperset(text(resource, "id") for resource in resources):
            if total == len(resources):  # otherwise somebody may have been added in between
                self._known.learn(known.PAGES, known.SHORT)
            raise partial_answer("The directory lists more entries than it reports.")
