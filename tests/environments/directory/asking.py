"""How tests ask a directory, whatever it speaks."""

from collections.abc import Callable
from typing import Any

import pytest

from environments.directory import GroupKey, Person
from environments.lib.errors import PermanentError, ReconcileError, TemporaryError

KEY = GroupKey("dana-shop-x7k2p-admin", "6f1c0a52-0000-0000-0000-000000000001", "admin of namespace dana-shop-x7k2p")


def who(client: Any, name: str) -> Person:
    found = client.find_person(f"{name}@example.com")
    assert isinstance(found, Person)
    return found


def reason(call: Callable[[], object]) -> str:
    with pytest.raises(ReconcileError) as caught:
        call()
    kind = TemporaryError if isinstance(caught.value, TemporaryError) else PermanentError
    return f"{kind.__name__} {caught.value.reason}"
