"""What gets through an environment's network, in sentences and as policies."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import yaml

from environments.actions import openings
from environments.kube import network_policies
from environments.models import Change, ChangeKind, Environment, NetworkOpening
from environments.models.openings import Decider
from environments.spec.openings import parse_stored


@dataclass(frozen=True)
class OpenLine:
    """An opening that the environment has."""

    slug: str
    name: str
    sentences: list[str]
    ends_at: datetime | None


@dataclass(frozen=True)
class OfferLine:
    """An opening that it can have: what it lets through, who decides, and the policy that it becomes."""

    opening: NetworkOpening
    sentences: list[str]
    terms: str
    policy: str  # YAML


@dataclass(frozen=True)
class NetworkPage:
    """Everything on the page. `template`: what the template lets through."""

    template: list[str]
    open: list[OpenLine]
    offers: list[OfferLine]
    waiting: Change | None


def network_page(environment: Environment) -> NetworkPage:
    """The page of an environment, in three queries."""
    spec = environment.readable_spec
    waiting = Change.objects.waiting().filter(environment=environment, kind=ChangeKind.OPENING).first()
    return NetworkPage(
        spec.network.sentences() if spec else [],
        open_lines(environment),
        [_offer(each) for each in openings.offered(environment)] if environment.wanted else [],
        waiting,
    )


def open_lines(environment: Environment) -> list[OpenLine]:
    """The openings that an environment has. No query."""
    return [_open(each) for each in environment.openings]


def _open(stored: dict[str, Any]) -> OpenLine:
    ends_at = datetime.fromisoformat(stored["ends_at"]) if stored["ends_at"] else None
    return OpenLine(stored["slug"], stored["name"], parse_stored(stored["destinations"]).sentences(), ends_at)


_WHO = {
    Decider.NOBODY: "Opened at once.",
    Decider.APPROVERS: "Needs approval.",
    Decider.ADMINS: "Needs approval by a platform admin.",
}


def _offer(opening: NetworkOpening) -> OfferLine:
    days = f" Closed again after {opening.days} day{'' if opening.days == 1 else 's'}." if opening.days else ""
    policy = {"metadata": {"name": f"opening-{opening.slug}"}, "spec": network_policies.opening(opening.rules)}
    manifest = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"} | policy
    text = yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True)
    return OfferLine(opening, opening.rules.sentences(), _WHO[Decider(opening.decider)] + days, text)
