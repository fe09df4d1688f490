"""The whole page: from a description to tables, and back, with every sentence in its cell."""

from collections.abc import Iterable
from typing import Any

from django.http import QueryDict

from environments import spec as template_spec
from environments.catalog.forms.general import GeneralForm
from environments.catalog.forms.tables import (
    BLANK_ROWS,
    LIMITS,
    Data,
    EgressRow,
    IngressRow,
    LimitRow,
    PairRow,
    ParameterRow,
    QuotaRow,
    Row,
    SizeRow,
    Table,
    figures,
    make_table,
)
from environments.lib import quantities
from environments.spec import InvalidSpecError, Problem, TemplateSpec
from environments.spec.base import in_words
from environments.spec.figures import annotation_key_problem, key_problem, label_key_problem


class SpecForms:
    """The whole page. `spec` holds what it says once `is_valid` is true; `base` is the spec that the page changes."""

    def __init__(self, spec: TemplateSpec, data: QueryDict | None = None, *, blank: int = BLANK_ROWS) -> None:
        self.base, self.spec = template_spec.dump(spec), spec
        self.is_bound = data is not None
        self.errors: list[str] = []
        self.parameters = make_table(ParameterRow, "parameters", data, _rows(ParameterRow, spec.parameters), blank)
        self.sizes = make_table(SizeRow, "sizes", data, _rows(SizeRow, spec.sizes), blank)
        self.columns = [("all", "all sizes"), *self._size_columns()]
        self.quota = make_table(QuotaRow, "quota", data, _quota_rows(spec), blank, columns=self.columns)
        self.limits = make_table(LimitRow, "limits", data, _limit_rows(spec), blank)
        self.egress = make_table(EgressRow, "egress", data, _rows(EgressRow, spec.network.egress), blank)
        self.ingress = make_table(IngressRow, "ingress", data, _rows(IngressRow, spec.network.ingress), blank)
        self.labels = make_table(PairRow, "labels", data, _pairs(spec.labels), blank)
        self.annotations = make_table(PairRow, "annotations", data, _pairs(spec.annotations), blank)
        self.general = GeneralForm(data, spec)

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables, in the order of the page."""
        rules = (self.egress, self.ingress, self.labels, self.annotations)
        return (self.parameters, self.sizes, self.quota, self.limits, *rules)

    def is_valid(self) -> bool:
        """Whether the page makes a spec; otherwise every sentence stands at its cell."""
        for table in self.tables:
            table.is_valid()  # each looks at its cells now; what is wrong in one does not hide the rest
        self.general.is_valid()
        self._check_rows()
        try:
            spec = template_spec.parse(self._collect())
        except InvalidSpecError as error:
            for problem in error.problems:
                self._place(problem)
            return False
        if self.error_count:
            return False
        self.spec = spec
        return True

    @property
    def error_count(self) -> int:
        """How many sentences there are on the page."""
        return len(self.complaints())

    def complaints(self) -> list[tuple[str, str]]:
        """Every sentence on the page, with the anchor of its cell where it has one."""
        rows = [row for table in self.tables for row in table.forms if not row.is_removed]
        found: list[tuple[str, str]] = [("", sentence) for sentence in self.errors]
        found += [("", str(sentence)) for table in self.tables for sentence in table.non_form_errors()]
        for form in (*rows, self.general):
            for name, sentences in form.errors.items():
                anchor = form[name].id_for_label if name in form.fields else ""
                found += [(anchor, str(sentence)) for sentence in sentences]
        return found

    def show_objections(self) -> None:
        """Put what no cluster would accept at its cells, too: for the page, before it is published."""
        self.show(self.spec.objections())

    def show(self, problems: Iterable[Problem]) -> None:
        """Put sentences about the spec that the page began with at their cells."""
        for problem in problems:
            self._place(problem)

    # From the spec to rows

    def _size_columns(self) -> list[tuple[str, str]]:
        rows = [(index, row) for index, row in enumerate(self.sizes.forms) if row.has_changed() and not row.is_removed]
        words = [str(row["label"].value() or in_words(row["name"].value() or "")) for _, row in rows]
        return [(f"size_{index}", text) for (index, _), text in zip(rows, words, strict=True)]

    # From rows to the spec

    def _collect(self) -> Data:
        general = self.general.data_of(self.base)
        rules = {"egress": self._data("egress", self.egress), "ingress": self._data("ingress", self.ingress)}
        return self.base | {
            **general,
            "parameters": self._data("parameters", self.parameters),
            "sizes": [
                self._known("sizes", row) | row.data_of(figures(self.quota, self._column(row)))
                for row in self.sizes.written()
            ],
            "quota": figures(self.quota, "all"),
            "limits": self.base["limits"] | {group: figures(self.limits, group) for group in LIMITS},
            "network": general["network"] | rules,
            "labels": _written_pairs(self.labels),
            "annotations": _written_pairs(self.annotations),
        }

    def _data(self, name: str, table: Table) -> list[Data]:
        return [self._known(name, row) | row.data_of() for row in table.written()]

    def _known(self, name: str, row: Row) -> Data:
        """What the spec says of this row besides what the page shows."""
        index, rows = getattr(self, name).forms.index(row), self.base.get(name, [])
        return dict(rows[index]) if index < len(rows) else {}

    def _column(self, size: SizeRow) -> str:
        return f"size_{self.sizes.forms.index(size)}"

    def _check_rows(self) -> None:
        """What a dictionary cannot say: rows without a key or a figure, and two of one key."""
        quota = tuple(name for name, _ in self.columns)
        for table, columns in ((self.quota, quota), (self.limits, LIMITS)):
            _check_keys(table, "resource", "Enter a resource, for example requests.cpu.")
            for row in table.written():
                if row.text("resource") and not any(row.text(column) for column in columns):
                    row.complain("resource", "Enter a value, or remove the row.")
        for table in (self.labels, self.annotations):
            _check_keys(table, "key", "Enter a key, for example team.")

    # Sentences to cells

    def _place(self, problem: Problem) -> None:
        match problem:
            case (("sizes", int(index), "quota", str(resource), *rest), text):
                column = self._column(self.sizes.written()[index])
                self._complain(self.quota, "resource", resource, column, rest, text)
            case ((("parameters" | "sizes") as name, int(index), *rest), text):
                getattr(self, name).written()[index].complain(str(next(iter(rest), "")), text)
            case (("quota", str(resource), *rest), text):
                self._complain(self.quota, "resource", resource, "all", rest, text)
            case (("limits", str(group), str(resource), *rest), text):
                self._complain(self.limits, "resource", resource, group, rest, text)
            case (("network", ("egress" | "ingress") as name, int(index), *rest), text):
                getattr(self, name).written()[index].complain(str(next(iter(rest), "")), text)
            case ((("labels" | "annotations") as name, str(key), *rest), text):
                takes = annotation_key_problem if name == "annotations" else label_key_problem
                cell = "key" if text in (key_problem(key), takes(key)) else "value"
                self._complain(getattr(self, name), "key", key, cell, rest, text)
            case (place, text):
                field = next((str(part) for part in place if part in self.general.fields), "")
                self.general.complain(field, text) if field else self.errors.append(text)

    def _complain(self, table: Table, key: str, wanted: str, column: str, rest: Iterable[Any], text: str) -> None:
        row = next(row for row in table.written() if row.text(key) == wanted)
        row.complain(key if "[key]" in rest else column, text)


def _rows(row: Any, parts: Iterable[Any]) -> list[Data]:
    return [row.initial_of(part) for part in parts]


def _pairs(texts: dict[str, str]) -> list[Data]:
    return [{"key": key, "value": value} for key, value in texts.items()]


def _written_pairs(table: Table) -> dict[str, str]:
    return {row.text("key"): row.text("value") for row in table.written()}


def _quota_rows(spec: TemplateSpec) -> list[Data]:
    # An order of ours: PostgreSQL keeps none in JSON, and rows must not change places between two looks.
    resources = sorted({*spec.quota, *(name for size in spec.sizes for name in size.quota)}, key=quantities.rank)
    return [
        {"resource": resource, "all": spec.quota.get(resource, "")}
        | {f"size_{index}": size.quota.get(resource, "") for index, size in enumerate(spec.sizes)}
        for resource in resources
    ]


def _limit_rows(spec: TemplateSpec) -> list[Data]:
    groups = dict(spec.limits.groups())
    resources = dict.fromkeys(resource for amounts in groups.values() for resource in amounts)
    return [
        {"resource": resource} | {group: groups[group].get(resource, "") for group in LIMITS} for resource in resources
    ]


def _check_keys(table: Table, key: str, sentence: str) -> None:
    seen: set[str] = set()
    for row in table.written():
        text = row.text(key)
        if not text:
            row.complain(key, sentence)
        elif text in seen:
            row.complain(key, f"{text} already has a row.")
        seen.add(text)
