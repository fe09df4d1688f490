"""Activity as people read it: an alert is a line for each resource, and repeats are one line with their number."""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

from django.utils import timezone

from environments.lib import dates
from environments.lib.activity import Activity
from environments.models import Event
from environments.routine import alerts
from environments.routine.alerts import Crossing


@dataclass(frozen=True)
class Line:
    """A line of activity: the events behind it, newest first, and for an alert the newest crossing of its resource."""

    events: tuple[Event, ...]
    crossing: Crossing | None = None

    @property
    def event(self) -> Event:
        """The newest event."""
        return self.events[0]

    @property
    def title(self) -> str:
        """The label of the kind; for an alert, the resource and its threshold: `Memory requests above 90 %`."""
        if self.crossing is None:
            return self.event.get_kind_display()
        return f"{self.crossing.name} above {alerts.threshold(self.event, self.crossing)} %"

    @property
    def tone(self) -> str:
        """The colour class."""
        return self.crossing.level if self.crossing else self.event.tone

    @property
    def message(self) -> str:
        """What happened, in a sentence; of an alert that was repeated, the newest figures."""
        if self.crossing is None:
            return self.event.message
        return f"{self.crossing.percent} % of the quota: {self.crossing.figures}."

    @property
    def repeats(self) -> str:
        """`7 times since Tuesday`; empty for what happened once."""
        if len(self.events) == 1:
            return ""
        return f"{len(self.events)} times since {dates.since(self.events[-1].at, timezone.now())}"


def fold(events: Iterable[Event], *, runs: bool = False) -> list[Line]:
    """Events, newest first, as lines, by the newest event of each. Lines never mix environments.

    `runs`: only what follows each other without something else in between becomes one line, so that the order stays.
    """
    found: dict[Hashable, list[tuple[Event, Crossing | None]]] = {}
    run, last = 0, None
    for event in events:
        run += last not in (None, _kind(event))
        last = _kind(event)
        for key, crossing in _parts(event):
            found.setdefault((run if runs else 0, key), []).append((event, crossing))
    return [Line(tuple(event for event, _ in parts), parts[0][1]) for parts in found.values()]


def _kind(event: Event) -> Hashable:
    if _is_alert(event):
        return event.environment_id, Activity.QUOTA_NEARLY_FULL
    return event.environment_id, event.kind, event.actor_id, event.message


def _parts(event: Event) -> Iterator[tuple[Hashable, Crossing | None]]:
    """What an event adds to: its own line, or those of the resources that it is about."""
    if not _is_alert(event):
        yield _kind(event), None
        return
    for crossing in alerts.crossings(event):
        yield (event.environment_id, crossing.resource), crossing


def _is_alert(event: Event) -> bool:
    return event.kind == Activity.QUOTA_NEARLY_FULL and bool(event.data.get("crossings"))
