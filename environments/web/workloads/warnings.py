"""Warning events of a namespace, newest first, in sentences. Pure.

Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from environments.kube.client import Manifest
from environments.web.workloads import sentences
from environments.web.workloads.fields import moment, number, section, text

_WHOLE = 4096  # letters of a message that are read: an API server's refusal lists every limit that was broken
RECENT = timedelta(hours=24)  # clusters keep events for an hour, unless they are told otherwise
_BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class ClusterWarning:
    """A warning event about one object or several alike, with how often it occurred."""

    about: str  # ReplicaSet api-7d9f8c6b5
    reason: str
    sentence: str  # empty if the message is clear enough
    message: str
    at: datetime | None
    count: int = 1
    more: int = 0  # other objects of the same kind with the same warning


def warnings(events: Iterable[Manifest], now: datetime) -> list[ClusterWarning]:
    """The warnings of the last day, newest first; equal ones of one kind of object in one line."""
    found: dict[tuple[str, str, str], list[ClusterWarning]] = {}
    for event in events:
        one = _warning(event)
        if one.at is not None and now - one.at > RECENT:
            continue
        kind = one.about.partition(" ")[0]
        found.setdefault((kind, one.reason, one.sentence or one.message), []).append(one)
    return sorted(map(_together, found.values()), key=lambda each: each.at or _BEGINNING, reverse=True)


def _warning(event: Manifest) -> ClusterWarning:
    about, series = section(event, "involvedObject"), section(event, "series")
    reason, message = text(event, "reason"), text(event, "message")
    return ClusterWarning(
        about=f"{text(about, 'kind')} {text(about, 'name')}".strip(),
        reason=reason,
        sentence=sentences.warning(reason, text(event, "message", _WHOLE)),
        message=message,
        at=moment(series, "lastObservedTime") or _last_seen(event),
        count=max(1, number(series, "count"), number(event, "count")),
    )


def _last_seen(event: Manifest) -> datetime | None:
    times = (moment(event, key) for key in ("lastTimestamp", "eventTime", "firstTimestamp"))
    return next((time for time in times if time), None) or moment(section(event, "metadata"), "creationTimestamp")


def _together(alike: list[ClusterWarning]) -> ClusterWarning:
    """The newest of equal warnings, with how often all occurred and how many objects they are about."""
    newest = max(alike, key=lambda each: each.at or _BEGINNING)
    objects = {each.about for each in alike}
    return replace(newest, count=sum(each.count for each in alike), more=len(objects) - 1)
