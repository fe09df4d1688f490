"""For tests of reports: a record of days with its weeks and months, and what a report says in each of its forms."""

import csv
import io
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from bs4 import Tag
from django.test import Client
from openpyxl import load_workbook

from environments.models import Consumption, Environment
from tests.pages.reading import read, words

DAY_SECONDS = 86400
_PARTS = ("reserved", "used", "peak")
COLUMNS = ["seconds", *(f"{name}_{part}" for name in ("cpu", "memory", "storage", "gpu") for part in _PARTS)]


def consume(
    environment: Environment, first: date, days: int, *, share: float = 0.5, hours: float = 24, **amounts: int
) -> None:
    """So many days of an environment with `cpu` millicores, `memory` and `storage` MiB and `gpu` GPUs reserved."""
    rows, seconds = [], int(hours * 3600)
    for number in range(days):
        row: dict[str, Any] = {"seconds": seconds}
        for name, amount in amounts.items():
            used = int(amount * share)
            row |= {f"{name}_reserved": amount * seconds, f"{name}_used": used * seconds, f"{name}_peak": used}
        rows.append(Consumption(environment=environment, span="day", start=first + timedelta(days=number), **row))
    Consumption.objects.bulk_create(rows)


def add_day(environment: Environment, day: date, row: dict[str, Any]) -> None:
    """A day's row."""
    Consumption.objects.create(environment=environment, span="day", start=day, **row)


def roll_up() -> None:
    """The weeks and months of all days that are there, added up in Python."""
    Consumption.objects.exclude(span="day").delete()
    sums: dict[tuple[Any, str, date], list[int]] = defaultdict(lambda: [0] * len(COLUMNS))
    for row in Consumption.objects.filter(span="day"):
        monday, first = row.start - timedelta(days=row.start.weekday()), row.start.replace(day=1)
        for span, start in (("week", monday), ("month", first)):
            total = sums[row.environment_id, span, start]
            for index, name in enumerate(COLUMNS):
                value = getattr(row, name)
                total[index] = max(total[index], value) if name.endswith("peak") else total[index] + value
    Consumption.objects.bulk_create(
        Consumption(environment_id=key, span=span, start=start, **dict(zip(COLUMNS, total, strict=True)))
        for (key, span, start), total in sums.items()
    )


# What a report says


def page_tables(client: Client, address: str) -> dict[str, list[dict[str, str]]]:
    """The tables of a report's page by their title: rows by column, the totals last."""
    return {words(card.h2): _rows(card) for card in read(client.get(address)).select(".report-table")}


def _rows(card: Tag) -> list[dict[str, str]]:
    heads = [words(head) for head in card.select("thead th")]
    lines = [_cells(row) for row in card.select("tbody tr, tfoot tr")]
    return [dict(zip(heads, line, strict=True)) for line in lines]


def _cells(row: Tag) -> list[str]:
    """A cell's own text: the quieter line below a name is another column of the exports."""
    cells = row.find_all(["th", "td"])
    for cell in cells:
        for sub in cell.select(".sub"):
            sub.extract()
    return [words(cell) for cell in cells]


def figures(client: Client, address: str) -> dict[str, str]:
    """The key figures of a page, without how they changed."""
    found = {}
    for item in read(client.get(address)).select(".figures > div"):
        for small in item.select("small"):
            small.extract()
        found[words(item.dt)] = words(item.dd)
    return found


def csv_rows(client: Client, address: str) -> list[dict[str, str]]:
    """The lines of a CSV by column."""
    response = client.get(address)
    assert response.status_code == 200
    assert response.streaming
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def workbook(client: Client, address: str) -> Any:
    """A spreadsheet as a spreadsheet program reads it."""
    response = client.get(address)
    assert response.status_code == 200
    return load_workbook(io.BytesIO(b"".join(response.streaming_content)))


def sheet_rows(sheet: Any) -> list[dict[str, Any]]:
    """A sheet's cells by column, the totals last."""
    heads, *lines = sheet.iter_rows()
    return [dict(zip([head.value for head in heads], line, strict=True)) for line in lines]


def number(text: str) -> Decimal | None:
    """The number that a page or a chart says; None where it says none."""
    digits = "".join(letter for letter in text.replace("−", "-") if letter in "-.0123456789")
    return Decimal(digits) if digits.strip("-.") else None
