"""The filters of a report, read from the address, so that a report can be bookmarked and shared.

Relative values stay relative: `period=30d` means the 30 days before the link is opened, and a manager sees the teams
that they manage at that time. An invalid value is reported at its field and otherwise ignored.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef
from django.urls import reverse

from environments.models import Cluster, Environment, Team, Template, User
from environments.models.environments import EnvironmentQuerySet
from environments.reports import periods
from environments.reports.periods import Period

NO_TEAM = "none"
_FIRST_YEAR = 2000
_MOST_DAYS = 3 * 366
_NOT_OFFERED = "Not found in your reports. Showing all."

_DEFAULT_PERIOD = "30d"
_NO_PERIOD = "Unknown period. Showing the last 30 days."
_NO_MONTH = "Enter a month, for example 2026-11."
_NO_YEAR = "Enter a year, for example 2026."
_NO_DATE = "Enter a date, for example 2026-11-23."
_YEAR_RANGE = f"Choose a year from {_FIRST_YEAR} to this year."

_PERIODS = {
    "7d": "Last 7 days",
    "30d": "Last 30 days",
    "90d": "Last 90 days",
    "this-month": "This month",
    "last-month": "Last month",
    "month": "Month",
    "year": "Year",
    "custom": "Custom dates",
}


@dataclass(frozen=True)
class Filters:
    """What a report covers: for whom, which days, and which of the environments that this user may report on."""

    user: User
    today: date
    period: Period
    environments: EnvironmentQuerySet
    labels: tuple[tuple[str, str], ...]  # name and value of each filter, for the page and the exports
    query: Mapping[str, str]  # the filters that links to other reports keep, as in the address
    options: Mapping[str, Any] = field(default_factory=dict)  # the report's own filters
    has_period: bool = True  # False: the report shows the current state

    def link(self, slug: str, **more: object) -> str:
        """Return the address of a report with the same filters, some of them changed; None removes one."""
        return self._address(reverse("report", args=[slug]), more)

    def landing(self) -> str:
        """Return the address of the reports' first page with the same filters."""
        return self._address(reverse("reports"), {})

    def _address(self, path: str, more: Mapping[str, object]) -> str:
        query = urlencode({key: value for key, value in {**self.query, **more}.items() if value not in (None, "")})
        return f"{path}?{query}" if query else path


class FiltersForm(forms.Form):
    """The filters of every report. A report with more filters adds fields and names them in `own_fields`."""

    own_fields: ClassVar[tuple[str, ...]] = ()
    has_period: ClassVar[bool] = True

    period = forms.ChoiceField(
        required=False,
        initial=_DEFAULT_PERIOD,
        choices=list(_PERIODS.items()),
        error_messages={"invalid_choice": _NO_PERIOD},
    )
    month = forms.DateField(
        required=False,
        input_formats=["%Y-%m"],
        error_messages={"invalid": _NO_MONTH},
        widget=forms.DateInput(format="%Y-%m", attrs={"type": "month", "placeholder": "2026-11"}),
    )
    year = forms.IntegerField(
        required=False,
        min_value=_FIRST_YEAR,
        max_value=9000,
        error_messages={"invalid": _NO_YEAR, "min_value": _YEAR_RANGE, "max_value": _YEAR_RANGE},
    )
    first = forms.DateField(
        label="From",
        required=False,
        input_formats=["%Y-%m-%d"],
        error_messages={"invalid": _NO_DATE},
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "placeholder": "2026-11-01"}),
    )
    last = forms.DateField(
        label="To",
        required=False,
        input_formats=["%Y-%m-%d"],
        error_messages={"invalid": _NO_DATE},
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "placeholder": "2026-11-23"}),
    )
    team = forms.ChoiceField(required=False, error_messages={"invalid_choice": _NOT_OFFERED})
    template = forms.ChoiceField(required=False, error_messages={"invalid_choice": _NOT_OFFERED})
    cluster = forms.ChoiceField(required=False, error_messages={"invalid_choice": _NOT_OFFERED})
    owner = forms.EmailField(
        required=False, error_messages={"invalid": "Enter an email address, for example dana@example.com."}
    )

    def __init__(self, data: Mapping[str, Any], user: User, today: date) -> None:
        """`today` is the day in UTC."""
        defaults = {name: field.initial for name, field in self.base_fields.items() if field.initial is not None}
        super().__init__({**defaults, **{name: value for name, value in data.items() if value}})
        self.user, self.today = user, today
        self.scope = Environment.objects.reported_to(user)
        self._set_choices("team", "All teams", self._teams())
        self._set_choices(
            "template", "All templates", _in_use(Template, self.scope.filter(version__template=OuterRef("pk")))
        )
        self._set_choices("cluster", "All clusters", _in_use(Cluster, self.scope.filter(cluster=OuterRef("pk"))))
        if not self.has_period:
            for name in ("period", "month", "year", "first", "last"):
                del self.fields[name]

    def _set_choices(self, name: str, everything: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 (for the types)
        field.choices = [("", everything), *choices]

    def _teams(self) -> list[tuple[str, str]]:
        admin = self.user.is_platform_admin
        teams = Team.objects.all() if admin else self.user.managed_teams.all()
        found = [(str(pk), name) for pk, name in teams.values_list("pk", "name")]
        return [*found, (NO_TEAM, "No team")] if admin else found

    # Checking

    def clean_month(self) -> date | None:
        """Return the month, if it has begun."""
        month: date | None = self.cleaned_data["month"]
        if month and (month > self.today or month.year < _FIRST_YEAR):
            raise ValidationError(f"Choose a month from January {_FIRST_YEAR} to this month.")
        return month

    def clean_year(self) -> int | None:
        """Return the year, if it has begun."""
        year: int | None = self.cleaned_data["year"]
        if year and year > self.today.year:
            raise ValidationError(_YEAR_RANGE)
        return year

    def clean_owner(self) -> str:
        """Return the owner's address, if they own an environment that this user may report on."""
        owner = str(self.cleaned_data["owner"])
        if owner and not self.scope.filter(owner__in=User.objects.with_address(owner)).exists():
            raise ValidationError("No environments owned by this person in your reports.")
        return owner

    def clean(self) -> dict[str, Any]:
        """Check that the chosen period has its dates, in the right order."""
        cleaned = super().clean() or self.cleaned_data
        for name in _REQUIRED_DATES.get(cleaned.get("period", ""), ()):
            if name in cleaned and not cleaned[name]:
                self.add_error(name, _MISSING[name])
        first, last = cleaned.get("first"), cleaned.get("last")
        if cleaned.get("period") == "custom" and first and last:
            if last < first:
                self.add_error("last", "The end date must not be before the start date.")
            elif first > self.today:
                self.add_error("first", "The start date must not be in the future.")
            elif (last - first).days >= _MOST_DAYS or first.year < _FIRST_YEAR:
                self.add_error("first", f"Choose at most 3 years, starting in {_FIRST_YEAR} or later.")
        return cleaned

    # Results

    def filters(self) -> Filters:
        """Return the valid filters; `errors` has the others."""
        self.is_valid()
        chosen = {name: value for name, value in self.cleaned_data.items() if value not in (None, "")}
        options = {name: chosen.get(name, self.fields[name].initial) for name in self.own_fields}
        return Filters(
            user=self.user,
            today=self.today,
            period=self._period(chosen),
            environments=self._environments(chosen),
            labels=tuple(self._labels(chosen)),
            query=self._query(chosen),
            options=options,
            has_period=self.has_period,
        )

    def _period(self, chosen: Mapping[str, Any]) -> Period:
        kind = chosen.get("period", "")
        if not all(name in chosen for name in _REQUIRED_DATES.get(kind, ())):
            kind = ""
        return _PERIOD_OF.get(kind, _PERIOD_OF[_DEFAULT_PERIOD])(chosen, self.today)

    def _environments(self, chosen: Mapping[str, Any]) -> EnvironmentQuerySet:
        if "owner" in self.errors:  # a person without environments is no reason to show everybody's
            return self.scope.none()
        rows = self.scope
        if team := chosen.get("team"):
            rows = rows.filter(team=None) if team == NO_TEAM else rows.filter(team=int(team))
        if template := chosen.get("template"):
            rows = rows.filter(version__template__slug=template)
        if cluster := chosen.get("cluster"):
            rows = rows.filter(cluster__slug=cluster)
        if owner := chosen.get("owner"):
            rows = rows.filter(owner__in=User.objects.with_address(owner))
        return rows

    def _labels(self, chosen: Mapping[str, Any]) -> list[tuple[str, str]]:
        labels = []
        for name in ("team", "template", "cluster"):
            choices: Any = getattr(self.fields[name], "choices", [])
            labels.append((name.capitalize(), dict(choices)[chosen.get(name, "")]))
        labels.append(("Owner", chosen.get("owner") or str(self.data.get("owner", "")) or "All owners"))
        for name in self.own_fields:
            value = chosen.get(name, self.fields[name].initial)
            words = dict(getattr(self.fields[name], "choices", [])).get(value, value)
            labels.append((str(self.fields[name].label or name.capitalize()), str(words)))
        return labels

    def _query(self, chosen: Mapping[str, Any]) -> dict[str, str]:
        """Return the filters as in the address: relative periods stay relative, defaults are left out."""
        names = [name for name in FiltersForm.base_fields if name in chosen]
        wanted = (*_REQUIRED_DATES.get(chosen.get("period", ""), ()), "period", "team", "template", "cluster", "owner")
        # A report without a period still passes its visitor's period on to the other reports.
        passed = {name: str(self.data[name]) for name in _DATES if not self.has_period and name in self.data}
        query = {name: str(self.data[name]) for name in names if name in wanted}
        if query.get("period") == _DEFAULT_PERIOD:
            del query["period"]
        return passed | query


_DATES = ("period", "month", "year", "first", "last")
_REQUIRED_DATES = {"month": ("month",), "year": ("year",), "custom": ("first", "last")}
_MISSING = {
    "month": _NO_MONTH,
    "year": _NO_YEAR,
    "first": "Enter a start date.",
    "last": "Enter an end date.",
}

_PERIOD_OF: dict[str, Callable[[Mapping[str, Any], date], Period]] = {
    "7d": lambda _, today: periods.rolling(7, today),
    "30d": lambda _, today: periods.rolling(30, today),
    "90d": lambda _, today: periods.rolling(90, today),
    "this-month": lambda _, today: periods.month(today, today),
    "last-month": lambda _, today: periods.last_month(today),
    "month": lambda chosen, today: periods.month(chosen["month"], today),
    "year": lambda chosen, today: periods.year(chosen["year"], today),
    "custom": lambda chosen, today: periods.custom(chosen["first"], chosen["last"], today),
}


def _in_use(model: type[Template] | type[Cluster], environments: EnvironmentQuerySet) -> list[tuple[str, str]]:
    """Return slug and name of those with environments that this user may report on."""
    rows = model.objects.filter(Exists(environments)).order_by("name")
    return list(rows.values_list("slug", "name"))
