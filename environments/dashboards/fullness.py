"""How full each quota resource is."""

from dataclasses import dataclass
from decimal import Decimal

from environments import quantities

WARN, BAD = 80, 95  # percent of a quota at which a bar changes its colour


@dataclass(frozen=True)
class Bar:
    """One quota resource."""

    resource: str
    name: str
    used: str
    hard: str
    percent: int
    tone: str
    is_closed: bool = False  # none is allowed, and none is there


def bars(usage: dict[str, list[str]]) -> list[Bar]:
    """The quota's resources, fullest first."""
    rows = [(resource, quantities.parse(used), quantities.parse(hard)) for resource, (used, hard) in usage.items()]
    rows.sort(key=lambda row: (-quantities.ratio(row[1], row[2]), row[0]))
    return [_bar(resource, used, hard) for resource, used, hard in rows]


def _bar(resource: str, used: Decimal, hard: Decimal) -> Bar:
    percent = int(quantities.ratio(used, hard) * 100)
    tone = "bad" if percent >= BAD else "warn" if percent >= WARN else ""
    name, closed = quantities.name(resource), not used and not hard
    said = quantities.human(resource, used)
    if quantities.is_cpu(resource):
        said = said.partition(" ")[0]  # the limit beside it says the unit: 0.64 of 1 core
    return Bar(resource, name, said, quantities.human(resource, hard), percent, tone, closed)
