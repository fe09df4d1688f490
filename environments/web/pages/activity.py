"""Activity on pages: what people did comes first, repeats are one line, and a switch in the address narrows it."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from django.db.models import TextChoices

from environments.models import Environment, Event
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
    """The latest activity, people's first, in up to three queries."""
    shown = [show] if show else [Show.PEOPLE, Show.PORTAL, Show.ALERTS]
    groups = [ActivityGroup(each, _lines(environment, each, _LINES if show else _OF_EACH[each])) for each in shown]
    return ActivityCard(show, [group for group in groups if group.lines])


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


def _lines(environment: Environment, show: Show, most: int) -> list[Line]:
    events: Iterable[Event] = chosen(environment.events.select_related("actor"), show)[:_READ]
    return list(islice(fold(events), most))
