"""The list of environments."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Count, QuerySet, Window

from environments.models import Environment
from environments.models.environments import EnvironmentQuerySet
from environments.web.pages.fullness import QuotaBar, fullest

PAGE_SIZE = 25
_RELATED = ("owner", "team", "version__template", "cluster")
#: What a line shows of an environment and what belongs to it. The rows are wide, and reading a secret deciphers it.
_SHOWN = (
    *("namespace", "name", "phase", "wanted", "size", "spec", "usage", "alert_warn", "alert_bad"),
    *("ready_at", "ends_at", "applied_objects", "owner__first_name", "owner__last_name", "owner__email", "team__name"),
    *("version__template__name", "cluster__name", "cluster__kind_looks", "cluster__access", "cluster__max_token_hours"),
)
_FURTHEST = 1_000_000  # pages; beyond, a database's numbers end


@dataclass(frozen=True)
class EnvironmentRow:
    """An environment in the list, with its quota resource of the highest usage."""

    environment: Environment
    bar: QuotaBar | None


def list_page(environments: EnvironmentQuerySet, number: str | None) -> "Page[Environment]":
    """One page of the list: the first if the number is not a number, the last if it is too high.

    What is on it, and how many there are in all, is found in one pass that carries nothing but ids: two queries, or
    three where a page is asked for that is not there.
    """
    wanted = _number(number)
    found = _found(environments, wanted) if wanted else []
    if not found and wanted != 1:
        found = _last(environments)
    paginator = Paginator(environments, PAGE_SIZE)
    vars(paginator)["count"] = found[0][1] if found else 0  # it would ask by itself
    page = paginator.get_page(number)
    page.object_list = _whole(found)
    return page


def first(environments: EnvironmentQuerySet, most: int) -> tuple[list[Any], int]:
    """The first rows, each with `is_outdated`, and how many there are in all, in two queries."""
    found = list(_counted(environments)[:most])
    return (_whole(found), found[0][1]) if found else ([], 0)


def _whole(found: list[tuple[Any, int]]) -> list[Any]:
    """The environments with these ids, which the reader's own query found, in their order."""
    rows = Environment.objects.filter(pk__in=[pk for pk, _ in found]).order_by().with_outdated()
    by_id = {row.pk: row for row in rows.select_related(*_RELATED).only(*_SHOWN)}
    return [by_id[pk] for pk, _ in found if pk in by_id]


def _number(text: str | None) -> int:
    """The page that an address asks for, as `Paginator.get_page` takes it; 0 is the last one."""
    try:
        number = int(text or 1)
    except ValueError:
        return 1
    return number if 0 < number < _FURTHEST else 0


def _found(environments: EnvironmentQuerySet, number: int) -> list[tuple[Any, int]]:
    """The ids on a page, each with the number of all that there are."""
    return list(_counted(environments)[(number - 1) * PAGE_SIZE : number * PAGE_SIZE])


def _counted(environments: EnvironmentQuerySet) -> "QuerySet[Environment, tuple[Any, int]]":
    return environments.annotate(all=Window(Count("*"))).values_list("pk", "all")


def _last(environments: EnvironmentQuerySet) -> list[tuple[Any, int]]:
    """The same of the last page."""
    found = _found(environments.reverse(), 1)
    return found[: found[0][1] % PAGE_SIZE or PAGE_SIZE] if found else []


def rows(environments: Iterable[Environment]) -> list[EnvironmentRow]:
    """Environments as lines of the list."""
    return [EnvironmentRow(environment, fullest(environment)) for environment in environments]
