"""What approvers see of requests: what is asked for, and what the team would have after approval."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from textwrap import shorten

from django.db.models import Sum

from environments import spec as template_spec
from environments.lib import quantities
from environments.models import Environment, User
from environments.models.environments import EnvironmentQuerySet
from environments.spec import Mode
from environments.spec.base import PLACEHOLDER

#: What is said of a quota.
_FIGURES = ("requests.cpu", "requests.memory", "requests.nvidia.com/gpu", "pods", "requests.storage")
_LATELY = 10  # decisions
_LONGEST = 120  # characters of an answer

Reserved = dict[int | None, tuple[Decimal, int]]  # team -> cores, bytes


@dataclass(frozen=True)
class ApprovalRequest:
    """One request. `reserves` and `team_…` are CPU and memory in words; `team_…` are empty without a team."""

    environment: Environment
    answers: list[tuple[str, str]]  # question and answer, for the template's questions that no figure covers
    figures: list[str]
    reserves: str
    team_now: str
    team_total: str  # after approval


def waiting(user: User) -> EnvironmentQuerySet:
    """The pending requests that a user may decide on, oldest first."""
    related = ("owner", "team", "version__template", "cluster")
    rows = Environment.objects.decidable_by(user).awaiting_approval().select_related(*related)
    return rows.order_by("requested_at", "pk")


def decided(user: User) -> list[Environment]:
    """The last decisions on requests that a user may decide on, by any approver."""
    rows = Environment.objects.decidable_by(user).filter(decided_at__isnull=False)
    related = ("owner", "team", "version__template", "decided_by")
    return list(rows.select_related(*related).order_by("-decided_at", "pk")[:_LATELY])


def approval_requests(environments: Iterable[Environment]) -> list[ApprovalRequest]:
    """Requests with their figures, in one query for all."""
    rows = list(environments)
    reserved = _reserved({row.team_id for row in rows})
    return [_approval_request(row, reserved.get(row.team_id, (Decimal(0), 0))) for row in rows]


def _approval_request(row: Environment, now: tuple[Decimal, int]) -> ApprovalRequest:
    cpu, memory = now
    return ApprovalRequest(
        environment=row,
        answers=answers(row, but=_in_figures(row)),
        figures=_figures(row),
        reserves=_words(row.reserved_cpu, row.reserved_memory),
        team_now=_words(cpu, memory) if row.team and (cpu or memory) else "",
        team_total=_words(cpu + row.reserved_cpu, memory + row.reserved_memory) if row.team else "",
    )


def _reserved(teams: set[int | None]) -> Reserved:
    """What the granted environments of each team reserve together; pending requests are not counted."""
    rows = Environment.objects.live().granted().filter(team__in=teams - {None}).order_by().values("team")
    sums = rows.annotate(cpu=Sum("reserved_cpu"), memory=Sum("reserved_memory"))
    return {team: (cpu, memory) for team, cpu, memory in sums.values_list("team", "cpu", "memory")}


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
    return {name for resource in _FIGURES for name in PLACEHOLDER.findall(quota.get(resource, ""))}


def _figures(environment: Environment) -> list[str]:
    """The quota's main figures in words, such as `4 cores`, `16 GPUs`; empty if its content cannot be read."""
    spec = environment.readable_spec
    try:
        hard = template_spec.render_quota(spec, environment.size, environment.parameters) if spec else {}
        return [
            quantities.phrase(resource, quantities.parse(hard[resource])) for resource in _FIGURES if resource in hard
        ]
    except ValueError:
        return []


def _words(cpu: Decimal, memory: int) -> str:
    return f"{quantities.phrase('cpu', cpu)} and {quantities.phrase('memory', Decimal(memory))}"
