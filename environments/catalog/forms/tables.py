"""The tables and their rows: rows may stay blank, come in an order, and can be removed.

Each row knows how a part of the description looks in it, and what was written.
"""

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.http import QueryDict

from environments.spec import Kind, Mode, Parameter, Size
from environments.spec.network import Egress, Ingress

MAX_ROWS = 200
BLANK_ROWS = 2
LIMITS = ("default_request", "default", "maximum")

Data = dict[str, Any]


def _line(**attrs: Any) -> forms.CharField:
    return forms.CharField(required=False, widget=forms.TextInput(attrs={"autocomplete": "off", **attrs}))


def _lines(**attrs: Any) -> forms.CharField:
    return forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 1, **attrs}))


class Row(forms.Form):
    """A row of a table. It is blank, and passed over, when nothing is written in it."""

    def has_changed(self) -> bool:
        """Whether anything is written in this row; ticks and selections alone do not make a row."""
        written = (name for name, field in self.fields.items() if isinstance(field, forms.CharField))
        return any(str(self[name].value() or "").strip() for name in written)

    @property
    def is_removed(self) -> bool:
        """Whether the row is ticked to be removed."""
        return bool(self.is_bound and self["DELETE"].value())

    def text(self, name: str) -> str:
        """What is written in a cell, wrong or not."""
        return str(self[name].value() or "").replace("\r\n", "\n").strip()

    def lines(self, name: str) -> list[str]:
        """What is written in a cell, by its lines, without blank ones."""
        return [line.strip() for line in self.text(name).splitlines() if line.strip()]

    def complain(self, name: str, sentence: str) -> None:
        """Put a sentence at a cell that has none yet, or at the row where it has no such cell."""
        if not self.is_bound:
            self.cleaned_data: Data = {}  # Django takes errors only of rows that came from a browser
        if name not in self.errors:
            self.add_error(name if name in self.fields else None, sentence)


class ParameterRow(Row):
    """One question of the request form."""

    name = _line(spellcheck="false", **{"class": "code"})
    label = _line()
    help = _lines()
    type = forms.ChoiceField(choices=[(kind.value, kind.value.capitalize()) for kind in Kind], initial=Kind.STRING)
    mode = forms.ChoiceField(choices=[(mode.value, mode.value.capitalize()) for mode in Mode], initial=Mode.FREE)
    required = forms.BooleanField(required=False)
    default = _lines(**{"class": "code"})
    choices = _lines(**{"class": "code"})
    pattern = _line(spellcheck="false", **{"class": "code"})
    minimum = _line(**{"class": "code"})
    maximum = _line(**{"class": "code"})

    @staticmethod
    def initial_of(parameter: Parameter) -> Data:
        """A parameter as a row."""
        return parameter.model_dump(mode="json") | {"choices": "\n".join(parameter.choices)}

    def data_of(self) -> Data:
        """The row as a parameter's data."""
        texts = ("name", "label", "help", "type", "mode", "default", "pattern", "minimum", "maximum")
        data: Data = {name: self.text(name) for name in texts}
        return data | {"required": bool(self["required"].value()), "choices": self.lines("choices")}

    @property
    def has_folded_errors(self) -> bool:
        """Whether something is wrong in the cells that are folded away."""
        return not {"help", "choices", "minimum", "maximum", "pattern"}.isdisjoint(self.errors)

    @property
    def summary(self) -> str:
        """What is written in the cells that are folded away, on one line."""
        values = " ".join(str(self["choices"].value() or "").split())
        low, high = self["minimum"].value(), self["maximum"].value()
        parts = (
            values and f"one of {values}",
            (low or high) and f"{low or '…'} to {high or '…'}",
            self["pattern"].value(),
            self["help"].value() and f"“{self['help'].value()}”",
        )
        return " · ".join(str(part) for part in parts if part)


class SizeRow(Row):
    """A named preset; its figures are a column of the quota."""

    name = _line(spellcheck="false", **{"class": "code"})
    label = _line()
    teams = _lines()
    approval = forms.BooleanField(required=False)

    @staticmethod
    def initial_of(size: Size) -> Data:
        """A size as a row."""
        return {"name": size.name, "label": size.label, "teams": "\n".join(size.teams), "approval": size.approval}

    def data_of(self, quota: dict[str, str]) -> Data:
        """The row, with its column of the quota, as a size's data."""
        data: Data = {"name": self.text("name"), "label": self.text("label"), "teams": self.lines("teams")}
        return data | {"approval": bool(self["approval"].value()), "quota": quota}


class QuotaRow(Row):
    """One resource and how much of it: in all sizes, and in each."""

    def __init__(self, *args: Any, columns: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        row = (self.initial or {}).get("resource", "new row")
        self.fields["resource"] = _line(spellcheck="false", list="resources", **{"class": "code"})
        for name, label in columns:
            self.fields[name] = _line(**{"class": "code figure", "aria-label": f"{row}, {label}"})
        self.columns = [name for name, _ in columns]

    def cells(self) -> list[forms.BoundField]:
        """The figures, in the order of the columns."""
        return [self[name] for name in self.columns]


class LimitRow(Row):
    """A container's figures for one resource."""

    resource = _line(spellcheck="false", list="resources", **{"class": "code"})
    default_request = _line(**{"class": "code figure"})
    default = _line(**{"class": "code figure"})
    maximum = _line(**{"class": "code figure"})


class EgressRow(Row):
    """Traffic out, to a block of addresses."""

    cidr = _line(spellcheck="false", placeholder="10.20.0.0/16", **{"class": "code"})
    ports = _line(placeholder="443 5432/TCP", **{"class": "code"})

    @staticmethod
    def initial_of(rule: Egress) -> Data:
        """A rule as a row."""
        return {"cidr": rule.cidr, "ports": " ".join(rule.ports)}

    def data_of(self) -> Data:
        """The row as a rule's data."""
        return {"cidr": self.text("cidr"), "ports": _words(self.text("ports"))}


class IngressRow(Row):
    """Traffic in, from the namespaces that have a label."""

    label = _line(spellcheck="false", placeholder="team", **{"class": "code"})
    value = _line(spellcheck="false", placeholder="payments", **{"class": "code"})
    ports = _line(placeholder="8080", **{"class": "code"})

    @staticmethod
    def initial_of(rule: Ingress) -> Data:
        """A rule as a row."""
        return {"label": rule.label, "value": rule.value, "ports": " ".join(rule.ports)}

    def data_of(self) -> Data:
        """The row as a rule's data."""
        return {"label": self.text("label"), "value": self.text("value"), "ports": _words(self.text("ports"))}


class PairRow(Row):
    """A label or an annotation."""

    key = _line(spellcheck="false", placeholder="example.com/team", **{"class": "code"})
    value = _lines(**{"class": "code"})


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


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
