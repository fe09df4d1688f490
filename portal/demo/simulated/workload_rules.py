"""What makes a workload invalid, and what scales it or keeps it running, as tables.

Source: the validation packages of the API server's groups apps, batch, autoscaling and policy.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from zoneinfo import available_timezones

from portal.demo.simulated import podspec
from portal.demo.simulated.checks import (
    Place,
    Rules,
    at_least,
    invalid_unless,
    labels,
    missing,
    not_supported,
    one_of,
    refused,
    required,
    selector,
    share,
    when,
)
from portal.demo.simulated.statuses import Cause, bad_value

_TEMPLATE = "spec.template.spec"


def _pods(place: Place) -> Iterator[Cause]:
    yield from podspec.spec(place.value, place.field)


def _selected(place: Place) -> Iterator[Cause]:
    """A workload's selector is there, says something, and selects its own pods."""
    spec = place.value or {}
    wanted = spec.get("selector") or {}
    found = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    kind = place.root.get("kind", "")
    if spec.get("selector") is None and kind != "DaemonSet":
        yield missing(f"{place.field}.selector")
    elif spec.get("selector") == {}:
        yield bad_value(f"{place.field}.selector", "{}", f"empty selector is invalid for {kind.lower()}")
        return
    if any(selector(Place("", wanted, {}, {}))):
        yield bad_value(f"{place.field}.selector", "", "invalid label selector")
    elif not (wanted.get("matchLabels") or {}).items() <= found.items() or not wanted:
        shown = json.dumps(found, separators=(",", ":"))
        why = f"Invalid value: {shown}: `selector` does not match template `labels`"
        yield Cause(f"{place.field}.template.metadata.labels", why)


def _rolling(place: Place) -> Iterator[Cause]:
    how = place.value if isinstance(place.value, dict) else {}
    if how and str(how.get("maxUnavailable")) in ("0", "0%") and str(how.get("maxSurge")) in ("0", "0%"):
        yield bad_value(f"{place.field}.maxUnavailable", 0, "may not be 0 when `maxSurge` is 0")


def _strategy(place: Place) -> Iterator[Cause]:
    sort = (place.value or {}).get("type")
    if sort not in _STRATEGIES:
        yield not_supported(place.field, sort, _STRATEGIES)


_STRATEGIES = ("Recreate", "RollingUpdate")


def _progress(place: Place) -> Iterator[Cause]:
    wait, deadline = place.parent.get("minReadySeconds") or 0, place.value
    if isinstance(deadline, int) and deadline <= wait:
        yield bad_value(place.field, deadline, "must be greater than minReadySeconds")


_always = one_of("Always")
_no_deadline = when(
    lambda place: place.value is not None,
    refused("activeDeadlineSeconds in this is not supported", "FieldValueForbidden"),
)
_RUNS_ON: Rules = (
    ("spec", _selected),
    ("spec.selector", selector),
    ("spec.minReadySeconds", at_least(0)),
    ("spec.replicas", at_least(0)),
    ("spec.template.metadata.labels", labels),
    (_TEMPLATE, _pods),
    (f"{_TEMPLATE}.restartPolicy", when(lambda place: place.value in ("Never", "OnFailure"), _always)),
    (f"{_TEMPLATE}.activeDeadlineSeconds", _no_deadline),
)
_DEPLOYMENT: Rules = (
    *_RUNS_ON,
    ("spec.strategy", _strategy),
    (
        "spec.strategy.rollingUpdate",
        when(
            lambda place: place.parent.get("type") == "Recreate" and place.value is not None,
            refused("may not be specified when strategy `type` is 'Recreate'", "FieldValueForbidden"),
        ),
    ),
    ("spec.strategy.rollingUpdate", _rolling),
    (
        "spec.strategy.rollingUpdate.maxSurge",
        when(lambda place: not str(place.value).endswith("%") or place.value == "%", share),
    ),
    ("spec.strategy.rollingUpdate.maxUnavailable", share),
    ("spec.progressDeadlineSeconds", at_least(0)),
    ("spec.progressDeadlineSeconds", _progress),
    ("spec.revisionHistoryLimit", at_least(0)),
)
_STATEFUL_SET: Rules = (
    *_RUNS_ON,
    (
        "spec.updateStrategy.type",
        when(
            lambda place: place.value not in ("RollingUpdate", "OnDelete"),
            lambda place: [bad_value("spec.updateStrategy", place.value, "must be 'RollingUpdate' or 'OnDelete'")],
        ),
    ),
    ("spec.podManagementPolicy", invalid_unless("OrderedReady", "Parallel")),
)
_JOB_SPEC: Rules = (
    ("spec.parallelism", at_least(0)),
    ("spec.completions", at_least(0)),
    ("spec.backoffLimit", at_least(0)),
    ("spec.activeDeadlineSeconds", at_least(0)),
    ("spec.ttlSecondsAfterFinished", at_least(0)),
    ("spec.completionMode", one_of("NonIndexed", "Indexed")),
    (_TEMPLATE, _pods),
)


def _ends(place: Place) -> Iterator[Cause]:
    """A job's pods end."""
    supported = ("OnFailure", "Never")
    if place.value == "Always":
        yield missing(place.field, f'valid values: "{'", "'.join(supported)}"')


def _own_selector(place: Place) -> Iterator[Cause]:
    """A job's selector is made for it."""
    if place.parent.get("manualSelector") or not place.value:
        return
    yield bad_value(place.field, "", "`selector` not auto-generated")
    yield bad_value("spec.template.metadata.labels", "", "`selector` does not match template `labels`")


_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
#: The fields of a schedule: least, most, and names.
_CLOCK: tuple[tuple[int, int, list[str]], ...] = (
    (0, 59, []),
    (0, 23, []),
    (1, 31, []),
    (1, 12, _MONTHS),
    (0, 6, _DAYS),
)
_SCHEDULES = re.compile(r"@(yearly|annually|monthly|weekly|daily|midnight|hourly)|@every \S+")


def _is_schedule(text: str) -> bool:
    fields = text.split()
    if _SCHEDULES.fullmatch(text):
        return True
    return len(fields) == len(_CLOCK) and all(
        _is_time(part, *clock) for field, clock in zip(fields, _CLOCK, strict=True) for part in field.split(",")
    )


def _is_time(text: str, least: int, most: int, names: list[str]) -> bool:
    """Whether a part of a schedule is one: `*`, `5`, `1-3`, `mon-fri`, with `/2` behind it."""
    span, slash, step = text.partition("/")
    if slash and not (step.isdecimal() and int(step) > 0):
        return False
    ends = [] if span in ("*", "?") else span.split("-")
    numbers = [
        names.index(end.lower()) + least if end.lower() in names else int(end) if end.isdecimal() else -1
        for end in ends
    ]
    return len(numbers) <= 2 and all(least <= number <= most for number in numbers) and numbers == sorted(numbers)


def _schedule(place: Place) -> Iterator[Cause]:
    text = place.value or ""
    if not text:
        yield missing(place.field)
    elif "TZ" in text:
        yield bad_value(place.field, text, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead")
    elif not _is_schedule(text):
        yield bad_value(place.field, text, "expected exactly 5 fields")


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())  # reads folders


def _zone(place: Place) -> Iterator[Cause]:
    if place.value and place.value not in _zones():
        yield bad_value(place.field, place.value, f"unknown time zone {place.value}")


def _cron_name(place: Place) -> Iterator[Cause]:
    if len(place.value or "") > 52:
        yield bad_value(place.field, place.value, "must be no more than 52 characters")


_CRON_JOB: Rules = (
    ("metadata.name", _cron_name),
    ("spec.schedule", _schedule),
    ("spec.timeZone", _zone),
    ("spec.concurrencyPolicy", one_of("Allow", "Forbid", "Replace")),
    ("spec.startingDeadlineSeconds", at_least(0)),
    ("spec.successfulJobsHistoryLimit", at_least(0)),
    ("spec.failedJobsHistoryLimit", at_least(0)),
    ("spec.jobTemplate.spec.parallelism", at_least(0)),
    ("spec.jobTemplate.spec.backoffLimit", at_least(0)),
    ("spec.jobTemplate.spec.template.spec", _pods),
    ("spec.jobTemplate.spec.template.spec.restartPolicy", _ends),
)

# What scales, and what must stay.


def _scaled(place: Place) -> Iterator[Cause]:
    least, most = place.value.get("minReplicas", 1), place.value.get("maxReplicas") or 0
    if least < 1:
        yield bad_value("spec.minReplicas", least, "must be greater than or equal to 1")
        yield Cause(
            "spec.metrics",
            "Forbidden: must specify at least one Object or External metric to support scaling to zero replicas",
            "FieldValueForbidden",
        )
    if most < 1:
        yield missing("spec.maxReplicas")
    if most < least:
        yield bad_value("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")


def _metric(place: Place) -> Iterator[Cause]:
    sort = place.value.get("type", "")
    known = ("ContainerResource", "External", "Object", "Pods", "Resource")
    if sort not in known:
        yield not_supported(f"{place.field}.type", sort, known)
    elif place.value.get(key := sort[0].lower() + sort[1:]) is None:
        yield missing(f"{place.field}.{key}", f"must populate information for the given metric source ({sort})")


def _target_version(place: Place) -> Iterator[Cause]:
    if not place.value:
        yield bad_value(place.field, "", "apiVersion must specify API group")


_AUTOSCALER: Rules = (
    ("spec", _scaled),
    ("spec.scaleTargetRef.kind", required),
    ("spec.scaleTargetRef.name", required),
    ("spec.scaleTargetRef.apiVersion", _target_version),
    ("spec.metrics[]", _metric),
)
_BUDGET: Rules = (
    (
        "spec",
        when(
            lambda place: None not in (place.value.get("minAvailable"), place.value.get("maxUnavailable")),
            refused("minAvailable and maxUnavailable cannot be both set"),
        ),
    ),
    ("spec.minAvailable", share),
    ("spec.maxUnavailable", share),
    ("spec.selector", selector),
)

RULES: dict[str, Rules] = {
    "Deployment": _DEPLOYMENT,
    "ReplicaSet": _RUNS_ON,
    "DaemonSet": _RUNS_ON,
    "StatefulSet": _STATEFUL_SET,
    "Job": (*_JOB_SPEC, (f"{_TEMPLATE}.restartPolicy", _ends), ("spec.selector", _own_selector)),
    "CronJob": _CRON_JOB,
    "HorizontalPodAutoscaler": _AUTOSCALER,
    "PodDisruptionBudget": _BUDGET,
}
