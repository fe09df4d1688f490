"""A worksheet whose rows are written at once: XlsxWriter takes four times as long for the same cells one by one.

Works with `constant_memory` only: rows go to the file that XlsxWriter keeps for them, in its own form of XML. It relies
on that file and on how texts are escaped there; tests/environments/test_report_sheets.py compares the two.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache, partial
from typing import Any

from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from environments.reports import formats
from environments.reports.tables import Cell, Column, Kind, Row

_LONGEST = 32_767  # that a cell can hold
_FIRST_DAY = date(1899, 12, 30).toordinal()  # day 0; right for days from March 1900 on
_SECONDS = 86_400
#: What a text may hold that needs more than to be copied: XML's own characters, others that it cannot hold, and what
#: looks like one of those escaped.
_SPECIAL = re.compile("[&<>\x00-\x08\x0b-\x1f\ufffe\uffff]|_x[0-9a-fA-F]{4}_")

_WriteCell = Callable[[Any], str]


class RowSheet(Worksheet):
    """A worksheet with `write_rows`."""

    def write_rows(self, first: int, columns: Sequence[Column], looks: Sequence[Format], rows: Iterable[Row]) -> int:
        """Write rows from a row number on, and return how many there were. Rows before must be complete."""
        self._write_single_row(first)
        begins = [f'<c r="{xl_col_to_name(at)}%d" s="{look._get_xf_index()}"' for at, look in enumerate(looks)]
        whole = f'<row r="%d">{"%s".join(begins)}%s</row>'
        writers = [self._writer(column) for column in columns]
        count, write = 0, self.fh.write
        for count, row in enumerate(rows, 1):
            number = first + count
            parts: list[object] = [number]
            for to_xml, cell in zip(writers, row, strict=True):
                parts += number, "/>" if cell is None else to_xml(cell)
            write(whole % tuple(parts))
        if count:
            self._check_dimensions(first + count - 1, len(columns) - 1)
            self.previous_row = first + count
        return count

    def _writer(self, column: Column) -> _WriteCell:
        """What turns a column's cells into the rest of their XML."""
        if column.is_number:
            return partial(_number, column)
        text = lru_cache(maxsize=4096)(self._text)
        if column.kind is Kind.DATE:
            return lru_cache(maxsize=4096)(partial(_day, text))
        if column.kind is Kind.MOMENT:
            return partial(_moment, text)
        return lambda cell: text(formats.text(cell))

    def _text(self, text: str) -> str:
        if len(text) > _LONGEST // 2:  # it counts in UTF-16
            text = text.encode("utf-16-le")[: 2 * _LONGEST].decode("utf-16-le", "ignore")
        keeps = ' xml:space="preserve"' if text != text.strip() else ""
        if _SPECIAL.search(text):
            text = self._escape_data(self._escape_control_characters(text))
        return f' t="inlineStr"><is><t{keeps}>{text}</t></is></c>'


def _number(column: Column, cell: Cell) -> str:
    return f"><v>{formats.number(column, cell):.16G}</v></c>"


def _day(text: Callable[[str], str], cell: Cell) -> str:
    if isinstance(cell, date) and not isinstance(cell, datetime):
        return f"><v>{cell.toordinal() - _FIRST_DAY}</v></c>"
    return _moment(text, cell)


def _moment(text: Callable[[str], str], cell: Cell) -> str:
    if not isinstance(cell, datetime):
        return text(formats.text(cell))
    at = cell.astimezone(UTC)
    seconds = at.hour * 3600 + at.minute * 60 + at.second + at.microsecond / 1e6
    return f"><v>{at.toordinal() - _FIRST_DAY + seconds / _SECONDS:.16G}</v></c>"
