"""A template's content as tables to fill in, and back: form -> TemplateSpec -> form loses and invents nothing.

Rows are Django formsets with a few blank ones at the end, so that everything works without scripts. The quota is a
matrix: a row for each resource, a column for all sizes and one for each size. A column belongs to a *row* of the
sizes' table, not to a name, so that a size can be renamed while its figures are on the page.

What is wrong is found by TemplateSpec alone; here each sentence is put into the cell it concerns.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.http import QueryDict

from environments import spec as template_spec
from environments.phases import Role
from environments.spec import InvalidSpecError, Kind, Mode, Parameter, Problem, Size, TemplateSpec

if TYPE_CHECKING:
    Rows = forms.BaseFormSet[Any]
else:
    Rows = forms.BaseFormSet

MAX_ROWS = 200
BLANK_ROWS = 2
PREFIXES = ("parameters", "sizes", "quota", "limits")
LEVELS = [(level, level.capitalize()) for level in ("privileged", "baseline", "restricted")]
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
        """What is written in a cell."""
        return str(getattr(self, "cleaned_data", {}).get(name) or "").replace("\r\n", "\n")

    def complain(self, name: str, sentence: str) -> None:
        """Put a sentence at a cell, or at the row where it has no such cell."""
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
        choices = [line.strip() for line in self.text("choices").splitlines()]
        return {name: self.text(name) for name in texts} | {
            "required": bool(self.cleaned_data.get("required")),
            "choices": [choice for choice in choices if choice],
        }

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

    @staticmethod
    def initial_of(size: Size) -> Data:
        """A size as a row."""
        return {"name": size.name, "label": size.label}


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


class GeneralForm(forms.Form):
    """What is no table: isolation, security, roles, lifetime."""

    dns = forms.BooleanField(label="Asking for names (DNS)", required=False)
    same_namespace = forms.BooleanField(label="Traffic inside the namespace", required=False)
    enforce = forms.ChoiceField(choices=LEVELS, help_text="Pods beyond this are refused.")
    audit = forms.ChoiceField(choices=LEVELS, help_text="Pods beyond this are noted in the audit log.")
    warn = forms.ChoiceField(choices=LEVELS, help_text="Whoever makes pods beyond this is warned.")
    owner_role = forms.ChoiceField(label="Owner's role", choices=Role.choices)
    collaborator_roles = forms.MultipleChoiceField(
        label="Roles for collaborators",
        required=False,
        choices=Role.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text="Without any, nobody can be invited.",
    )
    lifetime_days = forms.IntegerField(
        label="Lifetime in days", required=False, min_value=1, max_value=3650, help_text="Empty: no end."
    )

    def __init__(self, data: Any, spec: TemplateSpec) -> None:
        super().__init__(data, initial=self._initial_of(spec))
        # Ticked ones first, in their order: a browser sends them as they stand, and the first is the form's default.
        order = list(spec.collaborator_roles) + [role for role in Role if role not in spec.collaborator_roles]
        self.fields["collaborator_roles"].choices = [(role.value, role.label) for role in order]  # type: ignore[attr-defined]

    @staticmethod
    def _initial_of(spec: TemplateSpec) -> Data:
        plain = template_spec.dump(spec)
        fields = ("owner_role", "collaborator_roles", "lifetime_days")
        return {**plain["network"], **plain["pod_security"], **{name: plain[name] for name in fields}}

    def data_of(self, base: Data) -> Data:
        """The fields as a spec's data; what the form does not know stays as it is in `base`."""
        cleaned = self.cleaned_data
        return {
            "network": base["network"] | {name: cleaned.get(name, False) for name in ("dns", "same_namespace")},
            "pod_security": {name: cleaned.get(name, "") for name in ("enforce", "audit", "warn")},
            **{name: cleaned.get(name) for name in ("owner_role", "collaborator_roles", "lifetime_days")},
        }


class Table(Rows):
    """A formset whose rows may all stay blank, come in an order, and can be removed."""

    can_order = can_delete = True

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


def _table(row: type[Row], prefix: str, data: Any, initial: list[Data], blank: int, **form_kwargs: Any) -> Table:
    made = forms.formset_factory(
        row, formset=Table, extra=blank, can_order=True, can_delete=True, max_num=MAX_ROWS, absolute_max=MAX_ROWS
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


class SpecForms:
    """The whole page. `spec` holds what it says, once `is_valid` said yes."""

    def __init__(self, spec: TemplateSpec, data: QueryDict | None = None, *, blank: int = BLANK_ROWS) -> None:
        self._base, self.spec = template_spec.dump(spec), spec
        parameters = [ParameterRow.initial_of(parameter) for parameter in spec.parameters]
        self.parameters = _table(ParameterRow, "parameters", data, parameters, blank)
        self.sizes = _table(SizeRow, "sizes", data, [SizeRow.initial_of(size) for size in spec.sizes], blank)
        self.columns = [("all", "all sizes" if spec.sizes or data else "quota"), *self._size_columns()]
        self.quota = _table(QuotaRow, "quota", data, self._quota_rows(spec), blank, columns=self.columns)
        self.limits = _table(LimitRow, "limits", data, self._limit_rows(spec), blank)
        self.general = GeneralForm(data, spec)
        self.is_bound = data is not None
        self.errors: list[str] = []

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables, in the order of the page."""
        return self.parameters, self.sizes, self.quota, self.limits

    def is_valid(self) -> bool:
        """Whether the page makes a spec; otherwise every sentence stands at its cell."""
        checked = [table.is_valid() for table in self.tables]  # all of them, not up to the first that is not
        self._check_rows()
        if not self.general.is_valid() or not all(checked) or self.error_count:
            return False
        try:
            self.spec = template_spec.parse(self._collect())
        except InvalidSpecError as error:
            for problem in error.problems:
                self._place(problem)
            return False
        return True

    @property
    def error_count(self) -> int:
        """How many sentences there are on the page."""
        rows = [row for table in self.tables for row in table.forms if not row.is_removed]
        in_cells = sum(len(sentences) for form in (*rows, self.general) for sentences in form.errors.values())
        return in_cells + len(self.errors) + sum(len(table.non_form_errors()) for table in self.tables)

    def show_objections(self) -> None:
        """Put what no cluster would accept at its cells, too: for the page, before it is published."""
        for problem in self.spec.objections():
            self._place(problem)

    # From the spec to rows

    def _size_columns(self) -> list[tuple[str, str]]:
        rows = [(index, row) for index, row in enumerate(self.sizes.forms) if row.has_changed() and not row.is_removed]
        return [(f"size_{index}", str(row["label"].value() or row["name"].value())) for index, row in rows]

    def _quota_rows(self, spec: TemplateSpec) -> list[Data]:
        resources = list(dict.fromkeys([*spec.quota, *(name for size in spec.sizes for name in size.quota)]))
        return [
            {"resource": resource, "all": spec.quota.get(resource, "")}
            | {f"size_{index}": size.quota.get(resource, "") for index, size in enumerate(spec.sizes)}
            for resource in resources
        ]

    def _limit_rows(self, spec: TemplateSpec) -> list[Data]:
        groups = dict(spec.limits.groups())
        resources = dict.fromkeys(resource for figures in groups.values() for resource in figures)
        return [
            {"resource": resource} | {group: groups[group].get(resource, "") for group in LIMITS}
            for resource in resources
        ]

    # From rows to the spec

    def _collect(self) -> Data:
        limits = {group: _figures(self.limits, group) for group in LIMITS}
        return self._base | {
            "parameters": [self._known("parameters", row) | row.data_of() for row in self.parameters.written()],
            "sizes": [self._known("sizes", row) | self._size(row) for row in self.sizes.written()],
            "quota": _figures(self.quota, "all"),
            "limits": self._base["limits"] | limits,
            **self.general.data_of(self._base),
        }

    def _size(self, row: SizeRow) -> Data:
        return {"name": row.text("name"), "label": row.text("label"), "quota": _figures(self.quota, self._column(row))}

    def _known(self, table: str, row: Row) -> Data:
        """What the spec says of this row besides what the page shows."""
        index, rows = getattr(self, table).forms.index(row), self._base[table]
        return dict(rows[index]) if index < len(rows) else {}

    def _column(self, size: SizeRow) -> str:
        return f"size_{self.sizes.forms.index(size)}"

    def _check_rows(self) -> None:
        """What a dictionary of figures cannot say: rows without a resource or a figure, and two of one resource."""
        for table, columns in ((self.quota, [name for name, _ in self.columns]), (self.limits, list(LIMITS))):
            seen: set[str] = set()
            for row in table.written():
                resource = row.text("resource")
                if not resource:
                    row.complain("resource", "Say of which resource.")
                elif resource in seen:
                    row.complain("resource", f"{resource} has a row already.")
                elif not any(row.text(column) for column in columns):
                    row.complain("resource", "Give a figure, or remove the row.")
                seen.add(resource)

    # Sentences to cells

    def _place(self, problem: Problem) -> None:
        match problem:
            case (("parameters", int(index), *rest), text):
                self.parameters.written()[index].complain(str(next(iter(rest), "")), text)
            case (("sizes", int(index), "quota", str(resource), *rest), text):
                self._complain(self.quota, resource, self._column(self.sizes.written()[index]), rest, text)
            case (("sizes", int(index), *rest), text):
                self.sizes.written()[index].complain(str(next(iter(rest), "")), text)
            case (("quota", str(resource), *rest), text):
                self._complain(self.quota, resource, "all", rest, text)
            case (("limits", str(group), str(resource), *rest), text):
                self._complain(self.limits, resource, group, rest, text)
            case (place, text):
                field = str(place[-1]) if place else ""
                self.general.add_error(field, text) if field in self.general.fields else self.errors.append(text)

    def _complain(self, table: Table, resource: str, column: str, rest: Iterable[Any], text: str) -> None:
        row = next(row for row in table.written() if row.text("resource") == resource)
        cell = "resource" if "[key]" in rest else column
        if text not in row.errors.get(cell, []):
            row.complain(cell, text)


def _figures(table: Table, column: str) -> dict[str, str]:
    return {row.text("resource"): row.text(column) for row in table.written() if row.text(column)}
