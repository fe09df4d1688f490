"""Changes that wait for a decision, as their approvers and the environment's owner see them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone

from environments.actions import changes as change_actions
from environments.actions import deciders, placement
from environments.actions.resizing import Resize
from environments.models import Change, Environment, User
from environments.models.changes import ChangeQuerySet
from environments.reports.bills import Price, Prices, all_prices, money
from environments.web.decision_forms import ChangeDecisionForm
from environments.web.pages.approvals import Reserved, monthly_parts, reserved_by

_RELATED = ("asked_by", "environment__owner", "environment__team", "environment__cluster")
_LATELY = 10  # decisions


@dataclass(frozen=True)
class ChangeRequest:
    """A change with its figures: what it reserves, costs a month, makes of the totals; empty where nothing changes."""

    change: Change
    who: str  # decides
    may_decide: bool
    may_withdraw: bool
    reserves: str
    reserves_now: str
    cost: str  # empty also if the cluster has no rate
    cost_now: str
    team_total: str  # after approval
    team_now: str
    cluster_total: str

    @property
    def form(self) -> ChangeDecisionForm:
        """The form with which a reader who decides approves it."""
        return ChangeDecisionForm(self.change)

    @property
    def environment(self) -> Environment:
        """The environment that it is about."""
        return self.change.environment


def waiting_changes(user: User) -> ChangeQuerySet:
    """The changes that a user may decide on, oldest first."""
    return Change.objects.decidable_by(user).waiting().select_related(*_RELATED, "environment__version__template")


def decided_changes(user: User) -> list[Change]:
    """The last decisions on changes that a user may decide on, by any approver."""
    rows = Change.objects.decidable_by(user).filter(decided_by__isnull=False).exclude(state="withdrawn")
    related = ("asked_by", "decided_by", "decided_for", "environment")
    return list(rows.select_related(*related).order_by("-decided_at", "-pk")[:_LATELY])


def open_changes(environment: Environment, user: User, *, may_edit: bool) -> list[ChangeRequest]:
    """What waits for a decision about one environment. One query where nothing does."""
    rows = list(environment.changes.waiting().select_related(*_RELATED))
    if not rows:
        return []
    mine = set(Change.objects.decidable_by(user).filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True))
    return change_requests(rows, decidable=mine, may_withdraw=may_edit)


def change_requests(
    rows: Sequence[Change], *, decidable: Iterable[int] | None = None, may_withdraw: bool = False
) -> list[ChangeRequest]:
    """Changes with their figures. Without `decidable`, the reader decides on all of them."""
    if not rows:
        return []
    environments = [row.environment for row in rows]
    around = _Around(
        reserved_by("team", {row.team_id for row in environments}),
        reserved_by("cluster", {row.cluster_id for row in environments}),
        all_prices(),
    )
    can = {row.pk for row in rows} if decidable is None else set(decidable)
    return [_change_request(row, around, may_decide=row.pk in can, may_withdraw=may_withdraw) for row in rows]


@dataclass(frozen=True)
class _Around:
    """What teams and clusters reserve, by their ids, and the rates."""

    teams: dict[Any, Reserved]
    clusters: dict[Any, Reserved]
    prices: Prices


def _change_request(row: Change, around: _Around, *, may_decide: bool, may_withdraw: bool) -> ChangeRequest:
    environment = row.environment
    before, after = _reserved(row)
    adds = after - before
    price = around.prices.on(environment.cluster_id, timezone.now().date())
    team = around.teams.get(environment.team_id, Reserved())
    cluster = around.clusters.get(environment.cluster_id, Reserved())
    return ChangeRequest(
        change=row,
        who=str(deciders.of_change(row)),
        may_decide=may_decide,
        may_withdraw=may_withdraw,
        reserves=str(after) if adds else "",
        reserves_now=str(before) if adds else "",
        cost=_cost(after, price) if adds and price else "",
        cost_now=_cost(before, price) if adds and price else "",
        team_total=str(team + adds) if environment.team and adds else "",
        team_now=str(team) if environment.team and adds else "",
        cluster_total=str(cluster + adds) if adds else "",
    )


@dataclass(frozen=True)
class MonthlyPrice:
    """What a size costs a month, now and after it."""

    now: str
    after: str


def price_of(planned: Resize | None) -> MonthlyPrice | None:
    """The cost of another size; None without one, without a rate, and where it stays the same."""
    if planned is None:
        return None
    price = all_prices().on(planned.environment.cluster_id, timezone.now().date())
    if price is None:
        return None
    now, after = (Reserved(*placement.columns(hard).values()) for hard in (planned.before, planned.after))
    return MonthlyPrice(_cost(now, price), _cost(after, price)) if now != after else None


def _reserved(row: Change) -> tuple[Reserved, Reserved]:
    """What the environment reserves now and after the change; twice the same where that cannot be said."""
    quotas = change_actions.quotas(row)
    if quotas is None:
        return Reserved(), Reserved()
    before, after = (Reserved(*placement.columns(hard).values()) for hard in quotas)
    return before, after


def _cost(reserved: Reserved, price: Price) -> str:
    return f"{money(monthly_parts(reserved, price)):,} {settings.CURRENCY}"
