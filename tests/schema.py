"""The test database's tables: made by the migrations once, copied from then on. Migrating takes two seconds.

The copy is named after all that the tables come from, so an outdated one is never read.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from django.apps import AppConfig, apps
from django.db import connection

_IN_MEMORY = "file:memorydb_default?mode=memory&cache=shared"  # what Django calls a test database on SQLite


def copy_of(config: pytest.Config) -> Path | None:
    """Where the copy of today's tables is kept, or will be; None on other databases, and if pytest keeps no cache."""
    cache: pytest.Cache | None = getattr(config, "cache", None)
    if connection.vendor != "sqlite" or cache is None:
        return None
    digest = hashlib.sha256(sqlite3.sqlite_version.encode())
    for app in apps.get_app_configs():
        sources = (
            path for pattern in ("migrations/*.py", "models*.py", "models/*.py") for path in _files(app, pattern)
        )
        for path in sources:
            digest.update(path.read_bytes())
    return cache.mkdir("schema") / f"{digest.hexdigest()[:24]}.sqlite3"


@contextmanager
def filled_from(copy: Path | None) -> Iterator[None]:
    """While this is open, the database that Django is about to create has the copy's tables, if there is one.

    Migrating it then finds nothing left to do.
    """
    if copy is None or not copy.exists():
        yield
        return
    # A database in memory lives for as long as somebody is connected to it.
    with closing(sqlite3.connect(_IN_MEMORY, uri=True)) as holder:
        with closing(sqlite3.connect(copy)) as source:
            source.backup(holder)
        yield


def keep(copy: Path | None) -> None:
    """Write the copy, unless it is there: to another name first, as two workers may do so at once."""
    if copy is None or copy.exists():
        return
    connection.ensure_connection()
    unfinished = copy.with_suffix(f".{os.getpid()}")
    with closing(sqlite3.connect(unfinished)) as target:
        connection.connection.backup(target)
    unfinished.replace(copy)


def _files(app: AppConfig, pattern: str) -> list[Path]:
    return sorted(Path(app.path).glob(pattern))
