"""The orders of the list of environments: each column in both directions, the newest first by default.

An order in an address is a column's name, in the direction that one looks for first (the highest usage, the next end,
what needs somebody); with a `-` before it, the other way round.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import Case, F, IntegerField, OrderBy, Value, When
from django.http import QueryDict

from environments.lib.phases import Phase

#: The most urgent first.
_URGENCY = (
    Phase.FAILED,
    Phase.DEGRADED,
    Phase.AWAITING_APPROVAL,
    Phase.PROVISIONING,
    Phase.DELETING,
    Phase.READY,
    Phase.DELETED,
    Phase.REJECTED,
    Phase.WITHDRAWN,
)


@dataclass(frozen=True)
class Sort:
    """How a column sorts: by these fields; `first` and `last` are its two directions in words."""

    title: str
    fields: tuple[str, ...]
    first: str
    last: str
    is_descending: bool = False  # what comes first is the highest


_ALPHABET = "A to Z", "Z to A"
_SORTS = {
    "name": Sort("Environment", ("name",), *_ALPHABET),
    "state": Sort("State", ("urgency",), "most urgent first", "most urgent last"),
    "template": Sort("Template", ("version__template__name",), *_ALPHABET),
    "cluster": Sort("Cluster", ("cluster__name",), *_ALPHABET),
    "owner": Sort("Owner", ("owner__first_name", "owner__last_name", "owner__email"), *_ALPHABET),
    "fullest": Sort("Highest usage", ("fullest",), "highest first", "lowest first", is_descending=True),
    "ends": Sort("Expires", ("ends_at",), "soonest first", "latest first"),
}

#: Every order that an address can have, with its words.
SORTS = [
    ("", "Newest"),
    *[
        (f"{sign}{name}", f"{sort.title}, {words}")
        for name, sort in _SORTS.items()
        for sign, words in (("", sort.first), ("-", sort.last))
    ],
]


@dataclass(frozen=True)
class ColumnHead:
    """A column's heading: the address that sorts by it, and `ascending` or `descending` if the list is sorted by it."""

    title: str
    query: str
    direction: str = ""


def order(sort: str) -> list[OrderBy | str]:
    """The fields to order by; the newest for an order that is not known.

    What has no end is last both ways. The id makes each order total, so that no line is on two pages.
    """
    found = _SORTS.get(sort.removeprefix("-"))
    by = [_by(field, descending=_descends(found, sort)) for field in found.fields] if found else []
    return [*by, "-created_at", "pk"]


def columns(sort: str, filters: QueryDict) -> list[ColumnHead]:
    """The headings of the list as it is sorted now. Each link keeps the filters; a second click turns the order."""
    return [_column(name, each, sort, filters) for name, each in _SORTS.items()]


def _column(name: str, column: Sort, sort: str, filters: QueryDict) -> ColumnHead:
    kept = {key: value for key, value in filters.items() if value and key not in ("page", "sort")}
    query = urlencode(kept | {"sort": f"-{name}" if sort == name else name})
    if sort.removeprefix("-") != name:
        return ColumnHead(column.title, query)
    return ColumnHead(column.title, query, "descending" if _descends(column, sort) else "ascending")


def _descends(column: Sort, sort: str) -> bool:
    return column.is_descending != sort.startswith("-")


def _by(field: str, *, descending: bool) -> OrderBy:
    expression = _urgency() if field == "urgency" else F(field)
    return expression.desc(nulls_last=True) if descending else expression.asc(nulls_last=True)


def _urgency() -> Case:
    whens: Sequence[When] = [When(phase=phase, then=Value(place)) for place, phase in enumerate(_URGENCY)]
    return Case(*whens, default=Value(len(_URGENCY)), output_field=IntegerField())
