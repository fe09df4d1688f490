"""What approvers see of requests: what is asked for, what it costs, and what team and cluster would then have."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from textwrap import shorten
from typing import Any

from django.conf import settings
from django.db.models import Count, F, Prefetch, Sum, Window, prefetch_related_objects
from django.db.models.functions import RowNumber
from django.utils import timezone

from environments import spec as template_spec
from environments.actions import placement
from environments.lib import dates, quantities
from environments.lib.wording import listed
from environments.models import Environment, GroupMember, Member, Question, User
from environments.models.environments import EnvironmentQuerySet
from environments.reports.bills import Price, Prices, all_prices, money
from environments.spec import Mode
from environments.spec.base import PLACEHOLDER
from environments.web.pages.fullness import QuotaBar, fullest

#: What is said first of a quota, besides GPUs.
_FIRST = ("requests.cpu", "cpu", "requests.memory", "memory", "pods", "requests.storage")
_LATELY = 10  # decisions
_LONGEST = 120  # characters of an answer
_MOST_OTHERS = 5  # environments of a requester, those of the highest usage
_MONTH = int(timedelta(days=30).total_seconds())
_MIB = 2**20


@dataclass(frozen=True)
class Reserved:
    """Amounts that quotas grant: cores, bytes of memory and storage, and GPUs of any vendor."""

    cpu: Decimal = Decimal(0)
    memory: int = 0
    storage: int = 0
    gpus: int = 0

    def __add__(self, other: "Reserved") -> "Reserved":
        return Reserved(
            self.cpu + other.cpu, self.memory + other.memory, self.storage + other.storage, self.gpus + other.gpus
        )

    def __sub__(self, other: "Reserved") -> "Reserved":
        return Reserved(
            self.cpu - other.cpu, self.memory - other.memory, self.storage - other.storage, self.gpus - other.gpus
        )

    def __bool__(self) -> bool:
        return any((self.cpu, self.memory, self.storage, self.gpus))

    def __str__(self) -> str:
        """As in `6 cores, 7 GiB memory and 2 GPUs`. CPU and memory are always named."""
        said = [quantities.phrase("cpu", self.cpu), quantities.phrase("memory", Decimal(self.memory))]
        more = (("storage", self.storage), ("nvidia.com/gpu", self.gpus))
        said += [quantities.phrase(resource, Decimal(amount)) for resource, amount in more if amount]
        return listed(said)

    def share_of(self, all_of: "Reserved") -> str:
        """This as a part of a larger amount: `9 % of CPU, 6 % of memory`."""
        parts = (
            ("CPU", self.cpu, all_of.cpu),
            ("memory", self.memory, all_of.memory),
            ("GPUs", self.gpus, all_of.gpus),
        )
        shares = [(name, quantities.percent(Decimal(part), Decimal(whole))) for name, part, whole in parts if part]
        return ", ".join(f"{percent} % of {name}" for name, percent in shares)


@dataclass(frozen=True)
class OtherEnvironment:
    """Another environment of the requester that the approver can see, with its highest usage."""

    environment: Environment
    bar: QuotaBar | None


@dataclass(frozen=True)
class ApprovalRequest:
    """One request with everything that it asks for. `team_…` are empty without a team."""

    environment: Environment
    answers: list[tuple[str, str]]  # question and answer, for the template's questions that no figure covers
    figures: list[str]
    more_figures: list[str]  # the rest of the quota: numbers of objects and limits
    reserves: str
    cost: str  # a month; empty if the cluster has no rate
    lifetime: str
    members: list[str]  # besides the requester
    team_now: str
    team_total: str  # after approval
    cluster_total: str  # reserved on its cluster after approval
    cluster_share: str  # the request's part of that
    others: list[OtherEnvironment]
    more_others: int  # that are not in the list
    questions: list[Question]

    @property
    def open_question(self) -> Question | None:
        """The question that waits for the requester's answer."""
        return next((each for each in self.questions if each.answered_at is None), None)


def waiting(user: User) -> EnvironmentQuerySet:
    """The pending requests that a user may decide on, oldest first."""
    return decidable(user).awaiting_approval()


def decidable(user: User) -> EnvironmentQuerySet:
    """The requests that a user may decide on or could have, with all that a page says of them, oldest first."""
    rows = Environment.objects.decidable_by(user).select_related("owner", "team", "version__template", "cluster")
    return rows.order_by("requested_at", "pk")


def decided(user: User) -> list[Environment]:
    """The last decisions on requests that a user may decide on, by any approver."""
    rows = Environment.objects.decidable_by(user).filter(decided_at__isnull=False)
    related = ("owner", "team", "version__template", "decided_by", "decided_for")
    return list(rows.select_related(*related).order_by("-decided_at", "pk")[:_LATELY])


def approval_requests(environments: Iterable[Environment], user: User) -> list[ApprovalRequest]:
    """Requests with their figures for an approver, in a fixed number of queries for all."""
    rows = list(environments)
    if not rows:
        return []
    members = Member.objects.filter(wanted=True).select_related("person")
    asked = Question.objects.select_related("asked_by")
    prefetch_related_objects(rows, Prefetch("members", members, "asked_members"), Prefetch("questions", asked))
    prefetch_related_objects(rows, Prefetch("group_members", GroupMember.objects.select_related("team")))
    around = _Around(
        teams=reserved_by("team", {row.team_id for row in rows}),
        clusters=reserved_by("cluster", {row.cluster_id for row in rows}),
        others=_others({row.owner_id for row in rows}, user),
        prices=all_prices(),
    )
    return [_approval_request(row, around) for row in rows]


@dataclass(frozen=True)
class TotalAfter:
    """What a team or a cluster reserves, now and once several requests are approved together."""

    name: str
    now: str
    after: str


def totals_after(environments: Sequence[Environment]) -> list[TotalAfter]:
    """The totals of the teams and clusters of some requests, as if all were approved."""
    return [*_totals_after("team", environments), *_totals_after("cluster", environments)]


def _totals_after(by: str, environments: Sequence[Environment]) -> list[TotalAfter]:
    found: dict[Any, Reserved] = defaultdict(Reserved)
    for row in environments:
        if where := getattr(row, by):
            found[where] += _adds(row, _hard(row))
    now = reserved_by(by, {where.pk for where in found})
    ordered = sorted(found, key=str)
    lines = [(where, now.get(where.pk, Reserved())) for where in ordered]
    return [TotalAfter(f"{by.capitalize()} {where}", str(was), str(was + found[where])) for where, was in lines]


@dataclass(frozen=True)
class _Around:
    """What is known of the teams, clusters and requesters of some requests, by their ids."""

    teams: dict[Any, Reserved]
    clusters: dict[Any, Reserved]
    others: dict[Any, list[Environment]]
    prices: Prices


def _approval_request(row: Environment, around: _Around) -> ApprovalRequest:
    hard = _hard(row)
    adds = _adds(row, hard)
    team = around.teams.get(row.team_id, Reserved())
    cluster = around.clusters.get(row.cluster_id, Reserved()) + adds
    others = around.others.get(row.owner_id, [])
    price = around.prices.on(row.cluster_id, timezone.now().date())
    gpus = {resource for resource in hard if quantities.is_gpu(resource) and quantities.parse(hard[resource])}
    main = [resource for resource in hard if resource in _FIRST or resource in gpus]
    return ApprovalRequest(
        environment=row,
        answers=answers(row, but=_in_figures(row)),
        figures=_phrases(hard, main),
        more_figures=[_inside(hard, resource) for resource in hard if resource not in main],
        reserves=str(adds),
        cost=f"{money(monthly_parts(adds, price)):,} {settings.CURRENCY}" if price else "",
        lifetime=_lifetime(row),
        members=[
            *(f"{each.email} ({each.role})" for each in _asked_members(row) if not each.is_of(row.owner)),
            *(f"{each.kind} {each} ({each.role})" for each in row.group_members.all() if each.wanted),
        ],
        team_now=str(team) if row.team and team else "",
        team_total=str(team + adds) if row.team else "",
        cluster_total=str(cluster),
        cluster_share=adds.share_of(cluster),
        others=[OtherEnvironment(each, fullest(each)) for each in others],
        more_others=_number(others) - len(others),
        questions=list(row.questions.all()),
    )


def _adds(row: Environment, hard: dict[str, str]) -> Reserved:
    """What a request reserves. Rows that another version of the portal wrote have no storage and GPUs in columns."""
    return Reserved(*placement.columns(hard).values()) if hard else Reserved(row.reserved_cpu, row.reserved_memory)


def _asked_members(row: Environment) -> list[Member]:
    found: list[Member] = row.asked_members  # type: ignore[attr-defined] # prefetched by `approval_requests`
    return found


def reserved_by(by: str, keys: set[Any]) -> dict[Any, Reserved]:
    """What the granted environments of each team or cluster reserve together; pending requests are not counted."""
    rows = Environment.objects.live().granted().filter(**{f"{by}__in": keys - {None}}).order_by().values(by)
    names = ("reserved_cpu", "reserved_memory", "reserved_storage", "reserved_gpus")
    sums = rows.annotate(**{f"all_{name}": Sum(name) for name in names})
    found = sums.values_list(by, *(f"all_{name}" for name in names))
    return {
        key: Reserved(cpu or Decimal(0), memory or 0, storage or 0, gpus or 0)
        for key, cpu, memory, storage, gpus in found
    }


def _others(owners: set[Any], user: User) -> dict[Any, list[Environment]]:
    """The environments of some requesters that the approver can see, each with `number`: how many there are."""
    rows = Environment.objects.visible_to(user).live().granted().filter(owner__in=owners)
    order = [F("fullest").desc(), F("pk").asc()]
    ranked = rows.annotate(
        place=Window(RowNumber(), partition_by=[F("owner")], order_by=order),
        number=Window(Count("pk"), partition_by=[F("owner")]),
    )
    found: dict[Any, list[Environment]] = defaultdict(list)
    for each in ranked.filter(place__lte=_MOST_OTHERS).defer("spec", "parameters").order_by("owner", "place"):
        found[each.owner_id].append(each)
    return found


def _number(others: Sequence[Environment]) -> int:
    return others[0].number if others else 0  # type: ignore[attr-defined] # annotated by `_others`


def monthly_parts(adds: Reserved, price: Price) -> int:
    """What an amount costs for 30 days, in exact parts, as reports count it."""
    amounts = {
        "cpu": int(adds.cpu * 1000),
        "memory": adds.memory // _MIB,
        "storage": adds.storage // _MIB,
        "gpu": adds.gpus,
    }
    return sum(price.of(resource, amount * _MONTH) for resource, amount in amounts.items())


def _lifetime(row: Environment) -> str:
    spec = row.readable_spec
    if spec is None:
        return "cannot be read"
    if not spec.lifetime_days:
        return "no end date"
    days = "1 day" if spec.lifetime_days == 1 else f"{spec.lifetime_days} days"
    now = timezone.now()
    end = dates.upcoming_day(now + timedelta(days=spec.lifetime_days), now)
    return f"{days} after approval, until {end} if approved today"


def answers(environment: Environment, but: Collection[str] = ()) -> list[tuple[str, str]]:
    """The requester's choices as pairs of question and answer, without the parameters in `but`.

    Empty if the template's content cannot be read.
    """
    spec = environment.readable_spec
    free = [parameter for parameter in spec.parameters if parameter.mode is not Mode.FIXED] if spec else []
    asked = [parameter for parameter in free if parameter.name not in but]
    pairs = [(parameter.title, str(environment.parameters.get(parameter.name, ""))) for parameter in asked]
    return [(title, shorten(answer, _LONGEST, placeholder=" …")) for title, answer in pairs if answer]


def _in_figures(environment: Environment) -> set[str]:
    """The names of the parameters that the quota's figures show already."""
    spec = environment.readable_spec
    size = spec.size(environment.size) if spec else None
    quota = (spec.quota if spec else {}) | (size.quota if size else {})
    return {name for amount in quota.values() for name in PLACEHOLDER.findall(amount)}


def _hard(environment: Environment) -> dict[str, str]:
    """The quota that is asked for, main resources first; empty if its content cannot be read."""
    spec = environment.readable_spec
    try:
        hard = template_spec.render_quota(spec, environment.size, environment.parameters) if spec else {}
        return {name: hard[name] for name in sorted(hard, key=_rank) if quantities.parse(hard[name]) >= 0}
    except ValueError:
        return {}


def _rank(resource: str) -> tuple[int, tuple[int, str]]:
    order = 2 if quantities.is_gpu(resource) else 3
    return ({"requests.cpu": 0, "cpu": 0, "requests.memory": 1, "memory": 1}.get(resource, order)), quantities.rank(
        resource
    )


def _phrases(hard: dict[str, str], resources: Iterable[str]) -> list[str]:
    """Amounts in words, such as `4 cores`, `16 GPUs`."""
    return [quantities.phrase(resource, quantities.parse(hard[resource])) for resource in resources]


def _inside(hard: dict[str, str], resource: str) -> str:
    """The rest of the quota in words, such as `10 services`, `no load balancers`, `2 GiB memory limits`."""
    amount = quantities.parse(hard[resource])
    said = quantities.human(resource, amount) if amount else "no"
    return f"{said} {quantities.inside(quantities.name(resource))}"
