"""Writes many rows, each with values of its own, in one statement: Django's bulk_update takes ten times its time."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection, models

#: For each row, the values of the key's columns -> what to set, by field.
type Changes = Mapping[tuple[Any, ...], Mapping[str, Any]]


def update_each(model: type[models.Model], keys: tuple[str, ...], changes: Changes) -> None:
    """Set the rows with these keys (attribute names, as `environment_id`) to plain values, no expressions.

    One statement for all rows of which the same fields change.
    """
    alike: dict[tuple[str, ...], dict[tuple[Any, ...], Mapping[str, Any]]] = defaultdict(dict)
    for key, values in changes.items():
        if values:
            alike[tuple(sorted(values))][key] = values
    for names, rows in alike.items():
        if len(rows) == 1:
            [(key, values)] = rows.items()
            model._default_manager.filter(**dict(zip(keys, key, strict=True))).update(**values)
        else:
            _update(model, keys, names, rows)


def _update(model: type[models.Model], keys: tuple[str, ...], names: tuple[str, ...], rows: Changes) -> None:
    fields = [_field(model, name) for name in (*keys, *names)]
    table, quote = connection.ops.quote_name(model._meta.db_table), connection.ops.quote_name
    line = f"({', '.join(_placeholder(field) for field in fields)})"
    columns = [quote(str(field.column)) for field in fields]
    sets = ", ".join(f"{column} = v.column{n}" for n, column in enumerate(columns, 1) if n > len(keys))
    where = " AND ".join(f"{table}.{column} = v.column{n}" for n, column in enumerate(columns[: len(keys)], 1))
    lines = ", ".join([line] * len(rows))
    # Names of tables and columns are Django's own; every value is a parameter.
    sql = f"UPDATE {table} SET {sets} FROM (VALUES {lines}) AS v WHERE {where}"  # noqa: S608
    values = (_stored(fields, [*key, *(row[name] for name in names)]) for key, row in rows.items())
    with connection.cursor() as cursor:
        cursor.execute(sql, [value for each in values for value in each])


def _field(model: type[models.Model], name: str) -> "models.Field[Any, Any]":
    found = (field for field in model._meta.concrete_fields if name in (field.attname, field.name))
    return next(found)


def _placeholder(field: "models.Field[Any, Any]") -> str:
    """PostgreSQL takes a column of NULLs for text. A text keeps its length, so that one too long is an error."""
    if connection.vendor == "sqlite":
        return "%s"
    kind = "text" if isinstance(field, models.CharField) else field.rel_db_type(connection)
    return f"CAST(%s AS {kind})"


def _stored(fields: "Iterable[models.Field[Any, Any]]", values: Iterable[Any]) -> list[Any]:
    return [field.get_db_prep_save(value, connection) for field, value in zip(fields, values, strict=True)]
