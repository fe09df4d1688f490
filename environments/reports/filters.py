"""The filters of a report: read from the address, so that a report can be bookmarked and shared.

What is relative stays relative: `period=30d` means the last thirty days of whoever opens it, and the teams are those
that they manage now. A value that is not understood is labels at its field, and passed over.
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
_NOT_OFFERED = "You can report on none of that name. All are shown."

_DEFAULT_PERIOD = "30d"
_NO_PERIOD = "There is no such period. The last 30 days are shown instead."

_PERIODS = {
    "7d": "Last 7 days",
    "30d": "Last 30 days",
    "90d": "Last 90 days",
    "this-month": "This month",
    "last-month": "Last month",
    "month": "A month …",
    "year": "A year …",
    "custom": "From … to …",
}


@dataclass(frozen=True)
class Filters:
    """What is reported on: for whom, which days, and which environments of those that they may report on."""

    user: User
    today: date
    period: Period
    environments: EnvironmentQuerySet
    labels: tuple[tuple[str, str], ...]  # in words, for the page and the exports
    query: Mapping[str, str]  # what other reports take over, as it stands in the address
    options: Mapping[str, Any] = field(default_factory=dict)  # the report's own questions
    has_period: bool = True  # False: it tells how things stand now

    def link(self, slug: str, **more: object) -> str:
        """Another report with the same filters, and some of them different; None takes one away."""
        return self._address(reverse("report", args=[slug]), more)

    def landing(self) -> str:
        """The first page with the same filters."""
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
        error_messages={"invalid": "Write the month as 2026-11."},
        widget=forms.DateInput(format="%Y-%m", attrs={"type": "month", "placeholder": "2026-11"}),
    )
    year = forms.IntegerField(required=False, min_value=_FIRST_YEAR, max_value=9000)
    first = forms.DateField(
        label="From",
        required=False,
        input_formats=["%Y-%m-%d"],
        error_messages={"invalid": "Write the day as 2026-11-23."},
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "placeholder": "2026-11-01"}),
    )
    last = forms.DateField(
        label="To",
        required=False,
        input_formats=["%Y-%m-%d"],
        error_messages={"invalid": "Write the day as 2026-11-23."},
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "placeholder": "2026-11-23"}),
    )
    team = forms.ChoiceField(required=False, error_messages={"invalid_choice": _NOT_OFFERED})
    template = forms.ChoiceField(required=False, error_messages={"invalid_choice": _NOT_OFFERED})
    cluster = forms.ChoiceField(required=False, error_messages={"invalid_choice": _NOT_OFFERED})
    owner = forms.EmailField(required=False, error_messages={"invalid": "Write a whole e-mail address."})

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
        return [*found, (NO_TEAM, "Without a team")] if admin else found

    # Checking

    def clean_month(self) -> date | None:
        """A month that has begun."""
        month: date | None = self.cleaned_data["month"]
        if month and (month > self.today or month.year < _FIRST_YEAR):
            raise ValidationError("Choose a month that has begun.")
        return month

    def clean_year(self) -> int | None:
        """A year that has begun."""
        year: int | None = self.cleaned_data["year"]
        if year and year > self.today.year:
            raise ValidationError("Choose a year that has begun.")
        return year

    def clean_owner(self) -> str:
        """An address that owns something which this person may report on."""
        owner = str(self.cleaned_data["owner"])
        if owner and not self.scope.filter(owner__in=User.objects.with_address(owner)).exists():
            raise ValidationError("They own nothing that you can report on. Everybody's is shown instead.")
        return owner

    def clean(self) -> dict[str, Any]:
        """The dates that the chosen period needs are there, and in their order."""
        cleaned = super().clean() or self.cleaned_data
        for name in _REQUIRED_DATES.get(cleaned.get("period", ""), ()):
            if name in cleaned and not cleaned[name]:
                self.add_error(name, _MISSING[name])
        first, last = cleaned.get("first"), cleaned.get("last")
        if cleaned.get("period") == "custom" and first and last:
            if last < first:
                self.add_error("last", "This is before the first day.")
            elif first > self.today:
                self.add_error("first", "Choose a day that has come.")
            elif (last - first).days >= _MOST_DAYS or first.year < _FIRST_YEAR:
                self.add_error("first", "Choose at most three years.")
        return cleaned

    # What came of it

    def filters(self) -> Filters:
        """The filters as far as they were understood; the rest is in `errors`."""
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
        labels.append(("Owner", chosen.get("owner") or "Everybody"))
        for name in self.own_fields:
            value = chosen.get(name, self.fields[name].initial)
            words = dict(getattr(self.fields[name], "choices", [])).get(value, value)
            labels.append((str(self.fields[name].label or name.capitalize()), str(words)))
        return labels

    def _query(self, chosen: Mapping[str, Any]) -> dict[str, str]:
        """As they stand in the address: relative periods stay relative, defaults are left out."""
        names = [name for name in FiltersForm.base_fields if name in chosen]
        wanted = (*_REQUIRED_DATES.get(chosen.get("period", ""), ()), "period", "team", "template", "cluster", "owner")
        # A report without a period passes on what it was given.
        passed = {name: str(self.data[name]) for name in _DATES if not self.has_period and name in self.data}
        query = {name: str(self.data[name]) for name in names if name in wanted}
        if query.get("period") == _DEFAULT_PERIOD:
            del query["period"]
        return passed | query


_DATES = ("period", "month", "year", "first", "last")
_REQUIRED_DATES = {"month": ("month",), "year": ("year",), "custom": ("first", "last")}
_MISSING = {
    "month": "Say which month, such as 2026-11.",
    "year": "Say which year.",
    "first": "Say from which day on.",
    "last": "Say up to which day.",
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
    """Only those with environments that this person may report on."""
    rows = model.objects.filter(Exists(environments)).order_by("name")
    return list(rows.values_list("slug", "name"))
