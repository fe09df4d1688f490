"""Moments as whole milliseconds, so that the database adds durations up exactly, PostgreSQL and SQLite alike."""

from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField, Func


class Milliseconds(Func):
    """A moment's milliseconds since 1970, what is below one cut off."""

    arity = 1
    output_field = BigIntegerField()
    template = "FLOOR(EXTRACT(EPOCH FROM %(expressions)s) * 1000)::bigint"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """SQLite keeps moments as text, in UTC, with microseconds unless they are zero."""
        sql, parameters = compiler.compile(self.source_expressions[0])
        text = f"(CAST(strftime('%%s', {sql}) AS INTEGER) * 1000 + CAST(substr({sql} || '.000', 21, 3) AS INTEGER))"
        return text, [*parameters, *parameters]


def milliseconds(moment: datetime) -> int:
    """The same of a moment in Python."""
    return int(moment.replace(microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000
