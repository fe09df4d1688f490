"""Activity on pages: what people did comes first, repeats are one line, and a switch in the address narrows it."""

from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db.models import TextChoices

from environments.models import Environment
from environments.models.events import EventQuerySet
from environments.routine.folding import Line, fold

_READ = 60  # events of each kind that the card folds into lines
_LINES = 8  # of one kind on the card, if it shows only that
_OF_EACH = {"people": 4, "portal": 3, "alerts": 2}  # lines if it shows all


class Show(TextChoices):
    """Whose activity a page shows. The values stand in addresses."""

    ALL = "", "All"
    PEOPLE = "people", "People"
    PORTAL = "portal", "Portal"
    ALERTS = "alerts", "Alerts"

    @classmethod
    def of(cls, text: str) -> "Show":
        """The choice in an address; all for anything else."""
        return cls(text) if text in cls.values else cls.ALL


@dataclass(frozen=True)
class ActivityGroup:
    """Lines of one kind with their heading."""

    show: Show
    lines: list[Line]


@dataclass(frozen=True)
class ActivityCard:
    """The latest activity of an environment."""

    show: Show
    groups: list[ActivityGroup]

    @property
    def shows(self) -> list[tuple[str, str]]:
        """The positions of the switch: value and label."""
        return list(Show.choices)

    @property
    def query(self) -> str:
        """The switch as the end of an address; empty if it shows all."""
        return f"?activity={self.show.value}" if self.show else ""


def activity_card(environment: Environment, show: Show = Show.ALL) -> ActivityCard:
    """The latest activity, people's first, in one query."""
    events = environment.events.all()
    sides = {show: list(chosen(events, show)[:_READ])} if show else by_side(events, _READ)
    groups = [
        ActivityGroup(each, list(islice(fold(some), _LINES if show else _OF_EACH[each])))
        for each, some in sides.items()
    ]
    return ActivityCard(show, [group for group in groups if group.lines])


def by_side(events: EventQuerySet, most: int) -> dict[Show, list[Any]]:
    """The newest events, newest first, by whose they are, at most so many of each; people's first. One query."""
    found: dict[Show, list[Any]] = {side: [] for side in (Show.PEOPLE, Show.PORTAL, Show.ALERTS)}
    for event in events.newest_of_each_side(most):
        found[Show(event.side)].append(event)  # type: ignore[attr-defined] # annotated
    return found


def chosen(events: EventQuerySet, show: Show) -> EventQuerySet:
    """The events that a switch shows."""
    match show:
        case Show.PEOPLE:
            return events.of_people()
        case Show.PORTAL:
            return events.of_portal()
        case Show.ALERTS:
            return events.of_alerts()
    return events
