"""Warning events of a namespace, newest first, in sentences. Pure.

Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from environments.kube.client import Manifest
from environments.web.workloads import sentences
from environments.web.workloads.fields import moment, number, section, text

RECENT = timedelta(hours=24)  # clusters keep events for an hour, unless they are told otherwise
_BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class ClusterWarning:
    """A warning event about one object, with how often it occurred."""

    about: str  # ReplicaSet api-7d9f8c6b5
    reason: str
    sentence: str  # empty if the message is clear enough
    message: str
    at: datetime | None
    count: int = 1


def warnings(events: Iterable[Manifest], now: datetime) -> list[ClusterWarning]:
    """The warnings of the last day, newest first; repeated ones about one object in one line."""
    found: dict[tuple[str, str, str], ClusterWarning] = {}
    for event in events:
        one = _warning(event)
        if one.at is not None and now - one.at > RECENT:
            continue
        key = (one.about, one.reason, one.sentence or one.message)
        found[key] = _together(found[key], one) if key in found else one
    return sorted(found.values(), key=lambda each: each.at or _BEGINNING, reverse=True)


def _warning(event: Manifest) -> ClusterWarning:
    about, series = section(event, "involvedObject"), section(event, "series")
    reason, message = text(event, "reason"), text(event, "message")
    return ClusterWarning(
        about=f"{text(about, 'kind')} {text(about, 'name')}".strip(),
        reason=reason,
        sentence=sentences.warning(reason, message),
        message=message,
        at=moment(series, "lastObservedTime") or _last_seen(event),
        count=max(1, number(series, "count"), number(event, "count")),
    )


def _last_seen(event: Manifest) -> datetime | None:
    times = (moment(event, key) for key in ("lastTimestamp", "eventTime", "firstTimestamp"))
    return next((time for time in times if time), None) or moment(section(event, "metadata"), "creationTimestamp")


def _together(one: ClusterWarning, other: ClusterWarning) -> ClusterWarning:
    newer = max(one, other, key=lambda each: each.at or _BEGINNING)
    return replace(newer, count=one.count + other.count)
