"""Idle and oversized environments, their recommended sizes, and what these would save."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.db.models import F, Max, Q, Sum
from django.db.models.lookups import GreaterThanOrEqual, LessThan
from django.urls import reverse

from environments.lib.charts import Chart, Units, bar_chart
from environments.models import TemplateVersion
from environments.reports import units
from environments.reports.bills import Prices, all_prices, money
from environments.reports.consumption import consumption_of, within
from environments.reports.filters import Filters, FiltersForm
from environments.reports.formats import on_page
from environments.reports.periods import midnight
from environments.reports.sizing import Need, Size, recommended_size, sizes_of
from environments.reports.spans import ranges_covering
from environments.reports.tables import Column, Figure, Kind, Link, Report, Row, Rows, Table
from environments.spec import TemplateSpec, parse_stored

SLUG = "idle"
THRESHOLD, DAYS, HEADROOM = 10, 14, 20
_DAY = 24 * 3600
_MONTH = 30 * _DAY
_MOST_BARS = 10
_CORES = Column("Reclaimable CPU", Kind.DECIMAL, "cores", units.AMOUNTS)
_GIB = Column("Reclaimable memory", Kind.DECIMAL, "GiB", units.AMOUNTS)
_SAVING = Column("Monthly saving", Kind.MONEY, missing="No rate")
_COUNT = Column("Environments", Kind.INTEGER)


class IdleForm(FiltersForm):
    """What counts as idle, and the headroom of the recommended size."""

    own_fields: ClassVar[tuple[str, ...]] = ("threshold", "days", "headroom")
    has_period: ClassVar[bool] = False
    threshold = forms.IntegerField(
        label="Usage below (%)", required=False, min_value=1, max_value=99, initial=THRESHOLD
    )
    days = forms.IntegerField(label="Over the last (days)", required=False, min_value=1, max_value=90, initial=DAYS)
    headroom = forms.IntegerField(label="Headroom (%)", required=False, min_value=0, max_value=200, initial=HEADROOM)


@dataclass(frozen=True)
class Recommendation:
    """An idle or oversized environment, with the size that would be enough."""

    environment: dict[str, Any]
    is_idle: bool
    sums: dict[str, int]
    size: Size | None
    cpu: int  # millicores that the size would free
    memory: int  # MiB
    monthly_parts: int | None  # what these cost in a month, in exact parts; None without a rate


def build(filters: Filters) -> Report:
    """The report."""
    options = filters.options
    recommended = recommendations(filters, int(options["threshold"]), int(options["days"]), int(options["headroom"]))
    by_team = _teams(recommended)
    return Report(
        figures=_figures(recommended),
        charts=[_chart(by_team)] if len(by_team.rows) > 1 else [],
        tables=[_table(recommended), by_team],
        explanation=_explanation(options),
    )


def _explanation(options: Any) -> tuple[str, ...]:
    return (
        f"Idle environments used less than {options['threshold']} % of their CPU quota and of their memory quota, on "
        f"average over the last {options['days']} complete days. Oversized environments used less than that of one of "
        "them. Environments that are younger, or were observed for less than half of the time, are not listed.",
        "The recommended size is the smallest size of the template that covers the peak CPU, memory and storage of "
        f"those days, plus {options['headroom']} % headroom. If the template has no sizes, amounts are recommended. "
        "Oversized environments are listed only if CPU or memory can be reclaimed.",
        "The monthly saving is what the reclaimable CPU and memory cost for 30 days at today's rates.",
    )


def recommendations(filters: Filters, threshold: int, days: int, headroom: int) -> list[Recommendation]:
    """Return recommendations for idle and oversized environments, the largest saving first."""
    rows = _rows(filters, threshold, days)
    environments = {row["pk"]: row for row in _environments(filters, list(rows))}
    specs = {pk: parse_stored(spec) for pk, spec in _specs({row["version"] for row in environments.values()})}
    prices, sizes = all_prices(), _Sizes(specs)
    recommended = [
        _recommendation(environment, rows[pk], sizes.of(environment), threshold, headroom, prices, filters)
        for pk, environment in environments.items()
    ]
    listed = [each for each in recommended if each.is_idle or each.cpu or each.memory]
    return sorted(
        listed, key=lambda each: (-(each.monthly_parts or 0), -each.cpu, -each.memory, str(each.environment["pk"]))
    )


class _Sizes:
    """The sizes of templates, cached: many environments share a version and its parameters."""

    def __init__(self, specs: dict[Any, TemplateSpec]) -> None:
        self.specs, self.known = specs, dict[tuple[Any, ...], tuple[Size, ...]]()

    def of(self, environment: dict[str, Any]) -> tuple[Size, ...]:
        """Return the sizes that an environment can have."""
        version, parameters = environment["version"], environment["parameters"]
        key = (version, *sorted((name, str(value)) for name, value in parameters.items()))
        if key not in self.known:
            self.known[key] = sizes_of(self.specs[version], parameters)
        return self.known[key]


def _rows(filters: Filters, threshold: int, days: int) -> dict[Any, dict[str, int]]:
    """Return sums and peaks of the environments below the threshold; the database filters out the others."""
    start = filters.today - timedelta(days=days)
    old = filters.environments.granted().filter(wanted=True, created_at__lt=midnight(start)).live()
    sums = {name: Sum(name) for name in _SUMS} | {name: Max(name) for name in _PEAKS}
    named = {f"all_{name}": each for name, each in sums.items()}
    below = [LessThan(F(f"all_{each}_used") * 100, F(f"all_{each}_reserved") * threshold) for each in _WATCHED]
    ranges = ranges_covering(start, filters.today, today=filters.today)
    found = consumption_of(old).filter(within(ranges)).values("environment").annotate(**named)
    seen = GreaterThanOrEqual(F("all_seconds"), days * _DAY // 2)
    found = found.filter(Q(below[0]) | Q(below[1]), seen)
    return {
        key: {name: int(figure or 0) for name, figure in zip(sums, figures, strict=True)}
        for key, *figures in found.values_list("environment", *named)
    }


_WATCHED = ("cpu", "memory")
_SUMS = ("seconds", "cpu_reserved", "cpu_used", "memory_reserved", "memory_used")
_PEAKS = ("cpu_peak", "memory_peak", "storage_peak")


def _environments(filters: Filters, keys: list[Any]) -> Iterable[dict[str, Any]]:
    paths = ("pk", "name", "namespace", "version", "size", "parameters", "cluster", "reserved_cpu", "reserved_memory")
    more = {"team_name": F("team__name"), "owner_email": F("owner__email"), "cluster_name": F("cluster__name")}
    rows: Iterable[dict[str, Any]] = filters.environments.order_by().filter(pk__in=keys).values(*paths, **more)
    return rows


def _specs(versions: set[Any]) -> Iterable[tuple[Any, Any]]:
    return TemplateVersion.objects.filter(pk__in=versions).values_list("pk", "spec")


def _recommendation(
    environment: dict[str, Any],
    sums: dict[str, int],
    sizes: tuple[Size, ...],
    threshold: int,
    headroom: int,
    prices: Prices,
    filters: Filters,
) -> Recommendation:
    need = Need.at_peak(sums["cpu_peak"], sums["memory_peak"], sums["storage_peak"], headroom)
    size = recommended_size(sizes, need)
    cpu = memory = 0
    if size:
        cpu = max(0, int(environment["reserved_cpu"] * 1000) - size.cpu)
        memory = max(0, environment["reserved_memory"] // 2**20 - size.memory)
    price = prices.on(environment["cluster"], filters.today)
    parts = price.of("cpu", cpu * _MONTH) + price.of("memory", memory * _MONTH) if price else None
    watched = [each for each in _WATCHED if sums[f"{each}_reserved"]]
    idle = all(sums[f"{each}_used"] * 100 < threshold * sums[f"{each}_reserved"] for each in watched)
    return Recommendation(environment, idle, sums, size if cpu or memory else None, cpu, memory, parts)


def _figures(recommended: list[Recommendation]) -> list[Figure]:
    idle = sum(each.is_idle for each in recommended)
    return [
        Figure("Idle", idle, _COUNT, tone="warn" if idle else ""),
        Figure("Oversized", len(recommended) - idle, _COUNT),
        Figure("Reclaimable CPU", units.cores(sum(each.cpu for each in recommended)), _CORES),
        Figure("Reclaimable memory", units.gib(sum(each.memory for each in recommended)), _GIB),
        Figure("Monthly saving", saving(recommended), _SAVING),
    ]


def saving(recommended: Sequence[Recommendation]) -> Decimal | None:
    """Return the total monthly saving, or None if nothing has a rate."""
    priced = [each.monthly_parts for each in recommended if each.monthly_parts is not None]
    return money(sum(priced)) if priced or not recommended else None


def _table(recommended: list[Recommendation]) -> Table:
    return Table(
        key="idle",
        title="Idle and oversized environments",
        columns=[
            Column("Environment", Kind.LINK),
            Column("Namespace", is_only_exported=True),
            Column("Team", Kind.LINK),
            Column("Owner", is_only_exported=True),
            Column("Cluster", is_only_exported=True),
            Column("Status"),
            Column("CPU usage", Kind.PERCENT, missing="No quota"),
            Column("CPU peak", Kind.DECIMAL, "cores", units.AMOUNTS),
            Column("Memory usage", Kind.PERCENT, missing="No quota"),
            Column("Memory peak", Kind.DECIMAL, "GiB", units.AMOUNTS),
            Column("Recommended size"),
            _CORES,
            _GIB,
            _SAVING,
        ],
        rows=Rows(recommended, lambda some: map(_row, some)),
        totals=("Total", *[""] * 5, None, None, None, None, "", *_reclaimable(recommended)) if recommended else None,
        empty="No idle or oversized environments.",
    )


def _row(each: Recommendation) -> Row:
    row, sums = each.environment, each.sums
    return (
        Link(row["name"], reverse("environment", args=[row["namespace"]]), row["namespace"]),
        row["namespace"],
        Link(row["team_name"] or "No team", "", row["owner_email"]),
        row["owner_email"],
        row["cluster_name"],
        "Idle" if each.is_idle else "Oversized",
        units.percent(sums["cpu_used"], sums["cpu_reserved"]),
        units.cores(sums["cpu_peak"]),
        units.percent(sums["memory_used"], sums["memory_reserved"]),
        units.gib(sums["memory_peak"]),
        each.size.label if each.size else None,
        *_reclaimable([each]),
    )


def _reclaimable(recommended: Sequence[Recommendation]) -> Row:
    return (
        units.cores(sum(each.cpu for each in recommended)),
        units.gib(sum(each.memory for each in recommended)),
        saving(recommended),
    )


def _teams(recommended: list[Recommendation]) -> Table:
    groups: dict[str, list[Recommendation]] = defaultdict(list)
    for each in recommended:
        groups[each.environment["team_name"] or "No team"].append(each)
    keys = sorted(groups, key=lambda name: (-sum(each.cpu for each in groups[name]), name))
    return Table(
        key="idle-teams",
        title="Reclaimable by team",
        columns=[Column("Team"), _COUNT, _CORES, _GIB, _SAVING],
        rows=Rows(keys, lambda names: ((name, len(groups[name]), *_reclaimable(groups[name])) for name in names)),
        totals=("Total", len(recommended), *_reclaimable(recommended)) if recommended else None,
        empty="No idle or oversized environments.",
    )


def _chart(table: Table) -> Chart:
    rows, count = table.rows[:_MOST_BARS], len(table.rows)
    which = "" if count <= _MOST_BARS else f", top {_MOST_BARS} of {count} teams"
    return bar_chart(
        "chart-idle",
        f"Reclaimable CPU{which}",
        "Team",
        [(str(row[0]), [row[2]]) for row in rows],  # type: ignore[list-item] # cores
        [("Reclaimable CPU", "area")],
        Units(lambda value: f"{on_page(_CORES, value, '')} cores"),
    )
