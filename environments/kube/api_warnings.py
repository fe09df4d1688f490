"""Warnings that an API server sends beside an answer, for example that pods will be rejected.

Whoever wants them opens `hearing`; the client notes them there, in the same thread.
Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#warnings, RFC 7234 section 5.5
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

_WARNING = re.compile(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
_MOST, _LONGEST = 20, 400  # warnings that are kept, letters of each
_POD_SECURITY = re.compile(r'violate PodSecurity "(\w+):')


@dataclass(frozen=True)
class ApiWarning:
    """What the API server said about an object, `deployments/web`."""

    about: str
    text: str

    @property
    def level(self) -> str:
        """The Pod Security level that the object's pods do not meet; empty if it is about something else."""
        found = _POD_SECURITY.search(self.text)
        return found[1] if found else ""

    def __str__(self) -> str:
        return f"{self.about}: {self.text}"


_heard: ContextVar[list[ApiWarning] | None] = ContextVar("api_warnings", default=None)


@contextmanager
def hearing() -> Iterator[list[ApiWarning]]:
    """Keep the warnings of all calls in here, each once."""
    found: list[ApiWarning] = []
    token = _heard.set(found)
    try:
        yield found
    finally:
        _heard.reset(token)


def heard() -> list[ApiWarning]:
    """The warnings so far."""
    return list(_heard.get() or [])


def note(path: str, headers: Iterable[str]) -> None:
    """Keep the warnings of an answer, if somebody hears."""
    found = _heard.get()
    if found is None:
        return
    about = "/".join(path.rsplit("/", 2)[-2:])
    for header in headers:
        for text in _WARNING.findall(header):
            warning = ApiWarning(about, " ".join(_ESCAPED.sub(r"\1", text).split())[:_LONGEST])
            if warning not in found and len(found) < _MOST:
                found.append(warning)
