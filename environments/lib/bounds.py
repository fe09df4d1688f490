"""How much of another server's answer is read: so many bytes, so many seconds, and JSON that a database can keep.

A server on the other side may be broken or mean harm. What it sends is counted where it comes off the socket, so that
a head without end costs no more than a body without end.
"""

import json
import math
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_DEPTH = 100  # a Kubernetes object has about fifteen
_UNKEEPABLE = re.compile("[\0\ud800-\udfff]")


class TooBigError(OSError):
    """More came than is taken."""


class Budget:
    """What one call may still take. `left`: bytes; `seconds_left`: until its end."""

    def __init__(self, seconds: float, size: int) -> None:
        self._end = time.monotonic() + seconds
        self.left = size

    @property
    def seconds_left(self) -> float:
        """Negative once it is over."""
        return self._end - time.monotonic()

    @property
    def is_spent(self) -> bool:
        """Whether more came than is taken."""
        return self.left < 0

    def took(self, count: int) -> None:
        """Note that so many bytes came. Raises TooBigError."""
        self.left -= count
        if self.is_spent:
            raise TooBigError("more than is taken")


_budget: ContextVar[Budget | None] = ContextVar("budget", default=None)


@contextmanager
def within(seconds: float, size: int) -> Iterator[Budget]:
    """Whatever this thread reads from the other side in here lasts at most so long, and is at most so big."""
    budget = Budget(seconds, size)
    token = _budget.set(budget)
    try:
        yield budget
    finally:
        _budget.reset(token)


def patience(timeout: float | None) -> float | None:
    """How many seconds the next wait may last, at most `timeout`. Raises TimeoutError where the call's end has come."""
    budget = _budget.get()
    if budget is None:
        return timeout
    left = budget.seconds_left  # read once: it runs on
    if left <= 0:
        raise TimeoutError("timed out")
    return left if timeout is None else min(timeout, left)


def took(count: int) -> None:
    """Note that so many bytes came. Raises TooBigError."""
    if budget := _budget.get():
        budget.took(count)


def json_value(content: bytes) -> Any:
    """JSON as every database can keep it. Raises ValueError for anything else, be it nested without end or not finite.

    NUL and lone surrogates, which PostgreSQL refuses in texts, become U+FFFD.
    """
    try:
        value = json.loads(content, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not is_suspect(content):
        refuse_depth(value)
        return value
    return _clean(value, _DEPTH)


def is_suspect(content: bytes) -> bool:
    """Whether a text may hold NUL (which JSON has to escape) or a surrogate (escaped, or in UTF-8 as ED A0 to ED BF).

    Hardly any answer does, and looking at each text of a long list would take longer than reading it. NUL itself is
    in JSON that is not UTF-8.
    """
    marks = (b"\\u0000", b"\\ud", b"\\uD")
    is_escaped = b"\\u" in content and any(mark in content for mark in marks)
    return is_escaped or b"\0" in content or (not content.isascii() and b"\xed" in content)


def refuse_depth(value: Any) -> None:
    """Raises ValueError where it is nested too deeply; a level at a time."""
    level = [value] if value.__class__ in _CONTAINERS else []
    for _ in range(_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if child.__class__ in _CONTAINERS and child
        ]
        if not level:
            return
    raise ValueError("nested too deeply")


_CONTAINERS = (dict, list)


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text[:20])


def _clean(value: Any, depth: int) -> Any:
    if depth < 0:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {_text(key): _clean(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item, depth - 1) for item in value]
    return value


def _text(text: str) -> str:
    return text if text.isascii() and "\0" not in text else _UNKEEPABLE.sub("\ufffd", text)
