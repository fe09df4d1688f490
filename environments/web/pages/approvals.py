"""What those who decide see of requests: what is asked for, and what it adds to what the team has."""

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
class Ask:
    """One request. `adds` and `has` are CPU and memory in words; `has` is what is reserved for its team so far."""

    environment: Environment
    answers: list[tuple[str, str]]  # to the template's own questions that no figure says: the question, the answer
    figures: list[str]
    adds: str
    has: str


def waiting(user: User) -> EnvironmentQuerySet:
    """The requests on which somebody may decide, the longest waiting first."""
    related = ("owner", "team", "version__template", "cluster")
    rows = Environment.objects.decidable_by(user).awaiting_approval().select_related(*related)
    return rows.order_by("requested_at", "pk")


def decided(user: User) -> list[Environment]:
    """The last decisions on requests that somebody may decide on, whoever took them."""
    rows = Environment.objects.decidable_by(user).filter(decided_at__isnull=False)
    related = ("owner", "team", "version__template", "decided_by")
    return list(rows.select_related(*related).order_by("-decided_at", "pk")[:_LATELY])


def asks(environments: Iterable[Environment]) -> list[Ask]:
    """Requests with their figures, in one query for all."""
    rows = list(environments)
    reserved = _reserved({row.team_id for row in rows})
    return [
        Ask(
            row,
            answers(row, but=_in_figures(row)),
            _figures(row),
            _words(row.reserved_cpu, row.reserved_memory),
            _words(*reserved.get(row.team_id, (Decimal(0), 0))) if row.team else "",
        )
        for row in rows
    ]


def _reserved(teams: set[int | None]) -> Reserved:
    """What the environments that teams have are granted together; what still waits is not among it."""
    rows = Environment.objects.live().granted().filter(team__in=teams - {None}).order_by().values("team")
    sums = rows.annotate(cpu=Sum("reserved_cpu"), memory=Sum("reserved_memory"))
    return {team: (cpu, memory) for team, cpu, memory in sums.values_list("team", "cpu", "memory")}


def answers(environment: Environment, but: Collection[str] = ()) -> list[tuple[str, str]]:
    """What whoever asked could choose, and chose, but for some parameters: the question, the answer.

    None where the content cannot be read.
    """
    spec = environment.readable_spec
    free = [parameter for parameter in spec.parameters if parameter.mode is not Mode.FIXED] if spec else []
    asked = [parameter for parameter in free if parameter.name not in but]
    pairs = [(parameter.title, str(environment.parameters.get(parameter.name, ""))) for parameter in asked]
    return [(title, shorten(answer, _LONGEST, placeholder=" …")) for title, answer in pairs if answer]


def _in_figures(environment: Environment) -> set[str]:
    """The parameters that the figures say already, in people's units."""
    spec = environment.readable_spec
    size = spec.size(environment.size) if spec else None
    quota = (spec.quota if spec else {}) | (size.quota if size else {})
    return {name for resource in _FIGURES for name in PLACEHOLDER.findall(quota.get(resource, ""))}


def _figures(environment: Environment) -> list[str]:
    """The quota's main figures in words, such as `4 cores`, `16 GPUs`; none where its content cannot be read."""
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
