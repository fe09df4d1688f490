"""Rows into tables by the shortest way that the database has: COPY on PostgreSQL, executemany on SQLite."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection, models, transaction

#: Nothing is journalled, and what the generator writes is taken as it comes: it is right, or the bench's pages fail.
_HASTE = (
    *("journal_mode=OFF", "synchronous=OFF", "cache_size=-500000"),
    *("foreign_keys=OFF", "ignore_check_constraints=ON"),
)


@contextmanager
def transaction_of_its_own() -> Iterator[None]:
    """All or nothing on PostgreSQL. SQLite is faster without its journal: a load that fails leaves a broken file."""
    is_sqlite = connection.vendor == "sqlite"
    if is_sqlite:
        with connection.cursor() as cursor:
            for pragma in _HASTE:
                cursor.execute(f"PRAGMA {pragma}")
    with transaction.atomic():
        yield
    if is_sqlite:
        connection.close()  # the next connection has the product's settings again


def load(model: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Add rows of plain values, prepared as by `stored`. Indexes are kept up on the way, as in the product."""
    table, names = model._meta.db_table, ", ".join(columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            marks = ", ".join(["%s"] * len(columns))
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)


def stored(model: type[models.Model], name: str, value: Any) -> Any:
    """A value as this database keeps it in that field."""
    field = model._meta.get_field(name)
    assert isinstance(field, models.Field)
    if isinstance(field, models.ForeignKey):
        field = field.target_field
    return field.get_db_prep_save(value, connection)


def create(model: type[models.Model], rows: Iterable[models.Model]) -> None:
    """Add rows as the ORM makes them, a thousand at a time."""
    model._default_manager.bulk_create(rows, batch_size=1000)


def settle() -> None:
    """What a production database has done by itself by the time that people look: PostgreSQL's autovacuum.

    SQLite has nothing of the kind, so it gets nothing.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")
