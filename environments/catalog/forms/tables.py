"""Tables: formsets whose rows may stay blank, come in an order, and can be removed."""

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.http import QueryDict

from environments.catalog.forms.rows import MAX_ROWS, Data, Row

if TYPE_CHECKING:
    Rows = forms.BaseFormSet[Any]
else:
    Rows = forms.BaseFormSet

PREFIXES = ("parameters", "sizes", "quota", "limits", "egress", "ingress", "labels", "annotations")


class Table(Rows):
    """A formset whose rows may all stay blank and can be removed; where their order means something, it can change."""

    can_delete = True

    def get_form_kwargs(self, index: int | None) -> Data:
        """No row has to be filled in."""
        return super().get_form_kwargs(index) | {"empty_permitted": True, "use_required_attribute": False}

    def written(self) -> list[Any]:
        """The rows that count, in their order."""
        rows = [row for row in self.forms if row.has_changed() and not row.is_removed]
        return sorted(rows, key=_position)


def _position(row: Row) -> float:
    order = getattr(row, "cleaned_data", {}).get("ORDER")
    return order if order is not None else float("inf")


#: Tables of keys and figures: these have one order everywhere (environments/spec/figures.py).
_KEYED = frozenset({"quota", "limits", "labels", "annotations"})


def make_table(row: type[Row], prefix: str, data: Any, initial: list[Data], blank: int, **form_kwargs: Any) -> Table:
    """A table of rows, filled in by `data`, or with `initial` and so many blank rows after it."""
    made = forms.formset_factory(
        row,
        formset=Table,
        extra=blank,
        can_order=prefix not in _KEYED,
        can_delete=True,
        max_num=MAX_ROWS,
        absolute_max=MAX_ROWS,
    )
    return cast("Table", made(data, prefix=prefix, initial=initial, form_kwargs=form_kwargs))


def with_more_rows(data: QueryDict, count: int = 5) -> QueryDict:
    """The same filled-in page with more blank rows in every table."""
    more = data.copy()
    for prefix in PREFIXES:
        total = str(data.get(f"{prefix}-TOTAL_FORMS", ""))
        if total.isdecimal():
            more[f"{prefix}-TOTAL_FORMS"] = str(min(int(total) + count, MAX_ROWS))
    return more


def figures(table: Table, column: str, key: str = "resource") -> dict[str, str]:
    """One column of a table, by what its rows are about; empty cells are left out."""
    return {row.text(key): row.text(column) for row in table.written() if row.text(column)}
