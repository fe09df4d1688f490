"""What goes wrong and when: the same for the same seed."""

import random
from dataclasses import dataclass, field
from typing import Any

#: The calls of each step, as worker.py names them, and the moment beside each at which a worker dies.
SPOTS = (
    r"cluster POST /api/v1/namespaces$",
    r"cluster PATCH /api/v1/namespaces/[^/]+$",
    r"cluster PATCH .*/resourcequotas/",
    r"cluster PATCH .*/limitranges/",
    r"cluster PATCH .*/networkpolicies/deny-all",
    r"cluster GET .*/networkpolicies$",
    r"cluster PATCH .*/(deployments|services|ingresses)/",
    r"cluster PATCH .*/rolebindings/environment-",
    r"cluster GET .*/rolebindings$",
    r"cluster PATCH .*/serviceaccounts/",
    r"cluster DELETE .*/serviceaccounts/",
    r"cluster POST .*/subjectaccessreviews$",
    r"cluster DELETE .*/rolebindings/",
    r"cluster DELETE /api/v1/namespaces/",
    r"directory GET .*/Users$",
    r"directory POST .*/Groups$",
    r"directory GET .*/Groups/",
    r"directory (PATCH|PUT) .*/Groups/",
    r"directory DELETE .*/Groups/",
)

_FLAWS = ("429", "500", "503", "503-after", "drop", "drop-after", "half", "slow")
_LIES = ("empty", "page")


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, so many seconds after the start."""

    at: float
    kind: str
    seconds: float = 0.0
    more: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.at:6.1f} s  {self.kind} {self.more or ''}"


def plan(seed: int, seconds: float, *, pause: float = 1.5, workers: int = 3) -> list[Fault]:
    """The faults of a run that lasts so many seconds, one every `pause` or so: shuffled decks of all kinds."""
    chance = random.Random(f"schedule {seed}")
    faults: list[Fault] = []
    deck: list[tuple[str, dict[str, Any]]] = []
    at = 3.0
    while at < seconds - 5:
        if not deck:
            deck = _deck(chance, workers)
        kind, more = deck.pop()
        faults.append(Fault(round(at, 2), kind, round(chance.uniform(1, 5), 1), more))
        at += chance.uniform(0.4, 1.6) * pause
    return faults


def _deck(chance: random.Random, workers: int) -> list[tuple[str, dict[str, Any]]]:
    """Every kind at least once."""
    cards: list[tuple[str, dict[str, Any]]] = [
        ("worker killed at a call", {"spot": spot, "when": when, "whole": chance.random() < 0.15})
        for spot in SPOTS
        for when in ("before", "after")
    ]
    for place in ("cluster", "directory"):
        cards += [
            (f"{place} answers {kind}", {"flaw": kind, "share": chance.choice((0.2, 0.6, 1.0))}) for kind in _FLAWS
        ]
    cards += [(f"directory answers {kind}", {"flaw": kind, "share": chance.choice((0.3, 1.0))}) for kind in _LIES]
    cards += [("worker killed at random", {"worker": chance.randrange(workers), "whole": i == 0}) for i in range(3)]
    cards += [("worker frozen beyond its lease", {"worker": chance.randrange(workers)})]
    cards += [("clock moved", {"worker": chance.randrange(workers), "hours": hours}) for hours in (5, -5)]
    cards += [("clock moved and stored times with it", {"hours": chance.choice((3, 7))})]
    cards += [(kind, {}) for kind in _PLAIN for _ in range(_PLAIN[kind])]
    chance.shuffle(cards)
    return cards


_PLAIN = {
    "broker killed": 1,
    "broker flushed": 2,
    "broker frozen": 1,
    "database restarted": 1,
    "API server killed": 1,
    "API server frozen": 2,
    "directory frozen": 2,
    "lease taken from a worker": 4,
    "tasks delivered twice and out of order": 4,
    "beat killed": 1,
    "deploy": 1,
    "namespace deleted by hand": 1,
    "binding deleted by hand": 2,
    "quota changed by hand": 2,
}
