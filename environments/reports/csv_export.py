"""A table as CSV, line by line: nothing holds the whole file.

UTF-8 with a byte order mark, since a spreadsheet program that opens a CSV by double click takes one without for its
own code page; RFC 4180 otherwise. The totals are left out: whoever adds a column up, or pivots it, would count twice.
"""

import csv
from collections.abc import Iterator
from typing import Protocol

from environments.reports.formats import harmless, heading, in_csv
from environments.reports.tables import Table

MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


class _Echo(Protocol):
    def write(self, text: str, /) -> str: ...


class _Line:
    """A file for `csv.writer` that gives back what it is told to write."""

    def write(self, text: str) -> str:
        return text


def lines(table: Table, currency: str) -> Iterator[str]:
    """The file's lines: the headings, then the rows."""
    file: _Echo = _Line()
    writer = csv.writer(file)
    yield MARK + str(writer.writerow([harmless(heading(column, currency)) for column in table.columns]))
    for row in table.rows:
        yield str(writer.writerow([in_csv(column, cell) for column, cell in zip(table.columns, row, strict=True)]))
