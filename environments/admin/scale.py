"""What keeps the admin quick at tens of thousands of environments: counts, filters and deletions that load no rows."""

from collections.abc import Iterable
from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import CASCADE, PROTECT, RESTRICT, Count, IntegerField, Model, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.text import capfirst

from environments.admin.base import AnyAdmin

FEW = 50  # a filter with more choices is too long to read, as is a list with more names


def count_of(rows: QuerySet[Any], link: str) -> Coalesce:
    """How many of these rows point at the listed one by their field `link`.

    Counted for each line that is shown; a JOIN would count for all lines before the page is cut out of them.
    """
    counted = rows.filter(**{link: OuterRef("pk")}).order_by().values(link).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), Value(0))


class LeanChangeList(ChangeList):
    """A list that leaves out of its rows what no column shows: `list_defer` of its admin."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """As usual, without large columns."""
        rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        return rows.defer(*cast(LeanAdmin, self.model_admin).list_defer)


class LeanAdmin(AnyAdmin):
    """An admin whose list is a `LeanChangeList`."""

    list_defer: tuple[str, ...] = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list's class."""
        return LeanChangeList


class FewFilter(admin.RelatedFieldListFilter):
    """A filter by another row, as long as there are few of them. Of many it shows the chosen one; search finds more."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        """The choices, none where there are too many."""
        rows = field.remote_field.model._default_manager.all()
        found = list(rows.order_by(*self.field_admin_ordering(field, request, model_admin))[: FEW + 1])
        if len(found) > FEW:
            found = list(rows.filter(pk__in=self._chosen()))
        return [(row.pk, str(row)) for row in found]

    def _chosen(self) -> list[int]:
        return [int(value) for value in self.lookup_val or () if value.isdecimal()]


class BriefDeletion(AnyAdmin):
    """Says how many rows would go with one, or are in the way, without loading any of them.

    One level deep: nothing that hangs on these models has rows of its own that are in the way of anything.
    """

    def get_deleted_objects(
        self, objs: Iterable[Model], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """What Django's confirmation pages show: rows, counts, missing permissions, what is in the way."""
        doomed = list(objs)
        protected = [f"{count} {plural}" for plural, count in self._related(doomed, PROTECT, RESTRICT).items()]
        counts = {str(self.opts.verbose_name_plural): len(doomed)} | self._related(doomed, CASCADE)
        return [f"{capfirst(self.opts.verbose_name)}: {row}" for row in doomed], counts, set(), protected

    def _related(self, rows: list[Model], *kinds: Any) -> dict[str, int]:
        """How many rows of each kind point at these, by one of these rules of deletion."""
        found: dict[str, int] = {}
        relations: Iterable[Any] = self.opts.get_fields(include_hidden=True)
        for relation in relations:
            if relation.auto_created and not relation.concrete and getattr(relation, "on_delete", None) in kinds:
                others = relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": rows})
                plural = str(relation.related_model._meta.verbose_name_plural)
                found[plural] = found.get(plural, 0) + others.count()
        return {plural: count for plural, count in found.items() if count}
