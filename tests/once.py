"""A world that is made once for many tests, which then look at what was rendered from it."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from pytest_django import DjangoDbBlocker


@contextmanager
def passing(blocker: DjangoDbBlocker) -> Iterator[None]:
    """The database for as long as a module's fixture renders. Nothing that is written meanwhile stays in it."""
    with blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)
