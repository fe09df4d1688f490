"""The usage of each quota resource."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from environments import spec as template_spec
from environments.lib import quantities
from environments.lib.charts import Spark
from environments.lib.phases import Phase
from environments.models import Environment


@dataclass(frozen=True)
class QuotaBar:
    """One quota resource: what is used, what is allowed, and its tone."""

    resource: str
    name: str
    used: str
    hard: str
    percent: int
    tone: str
    is_closed: bool = False  # none is allowed and none is used
    spark: Spark | None = None  # how it was in the last day

    @property
    def name_inside(self) -> str:
        """The name inside a sentence."""
        return quantities.inside(self.name)


def bars(environment: Environment) -> list[QuotaBar]:
    """The quota's resources, highest usage first. Their tone changes at the environment's alert thresholds."""
    return [_bar(environment, *row) for row in _in_order(environment)]


def unused(environment: Environment) -> list[QuotaBar]:
    """The limits with 0 used, for a ready environment whose first figures have not arrived; else none."""
    spec = environment.readable_spec
    if spec is None or environment.phase not in (Phase.READY, Phase.DEGRADED):
        return []
    hard = template_spec.render_quota(spec, environment.size, environment.parameters)
    limits = [(resource, quantities.parse(amount)) for resource, amount in hard.items()]
    limits.sort(key=lambda row: (not row[1], quantities.rank(row[0])))
    return [_bar(environment, resource, Decimal(), limit) for resource, limit in limits]


def fullest(environment: Environment) -> QuotaBar | None:
    """The resource with the highest usage; None if there is no usage yet, or nothing is allowed at all."""
    rows = (row for row in _in_order(environment) if any(row[1:]))
    return next((_bar(environment, *row) for row in rows), None)


def _in_order(environment: Environment) -> list[tuple[str, Decimal, Decimal]]:
    """Each resource with what is used and what is allowed, highest usage first, unused numbers of objects last."""
    rows = [
        (resource, quantities.parse(used), quantities.parse(hard))
        for resource, (used, hard) in environment.usage.items()
    ]
    return sorted(rows, key=_place)


def _place(row: tuple[str, Decimal, Decimal]) -> tuple[Decimal, bool, bool, tuple[int, str]]:
    resource, used, hard = row
    return -quantities.ratio(used, hard), not hard, resource.startswith("count/"), quantities.rank(resource)


def with_sparks(found: list[QuotaBar], sparks: Mapping[str, Spark]) -> list[QuotaBar]:
    """The bars, each with its line of the last day if there is one."""
    return [replace(bar, spark=sparks.get(bar.resource)) for bar in found]


def _tone(environment: Environment, used: Decimal, hard: Decimal) -> str:
    percent = quantities.ratio(used, hard) * 100
    if percent >= environment.alert_bad:
        return "bad"
    return "warn" if percent >= environment.alert_warn else ""


def _bar(environment: Environment, resource: str, used: Decimal, hard: Decimal) -> QuotaBar:
    said, most = quantities.pair(resource, used, hard)
    percent, tone = quantities.percent(used, hard), _tone(environment, used, hard)
    return QuotaBar(resource, quantities.name(resource), said, most, percent, tone, is_closed=not used and not hard)
