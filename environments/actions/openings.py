"""Openings of an environment's network: asking, closing, ending; and what a platform admin's change of one means."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from environments.actions import asking, guards
from environments.actions.asking import Asked
from environments.actions.owed import owe
from environments.lib import dates
from environments.lib.activity import Activity
from environments.lib.wording import listed
from environments.models import Change, ChangeKind, Environment, Event, NetworkOpening, User
from environments.models.openings import Decider

AT_ONCE = "A platform admin lets everyone on this cluster have it."


def offered(environment: Environment) -> list[NetworkOpening]:
    """What can be opened for an environment: its cluster's openings, without those that it has."""
    has = {each["slug"] for each in environment.openings}
    return [each for each in environment.cluster.openings.filter(is_offered=True) if each.slug not in has]


def ask_to_open(environment: Environment, opening: NetworkOpening, actor: User, *, reason: str = "") -> Change:
    """Open the network to an opening's destinations, or ask for it where somebody has to decide.

    Raises ValidationError at `opening` if it is not offered here or open already, without a field if an opening is
    asked for already (code `open`); PermissionDenied; EndedError.
    """
    guards.check_editable(environment, actor)
    reason = asking.check_reason(reason)
    with transaction.atomic():
        row = asking.lock_granted(environment)
        if not row.cluster.openings.filter(pk=opening.pk, is_offered=True).exists():
            raise _wrong(f"{opening} is not offered on {row.cluster}.")
        if any(each["slug"] == opening.slug for each in row.openings):
            raise _wrong(f"{opening} is open already.")
        at_once = opening.decider == Decider.NOBODY
        asked = Asked(
            ChangeKind.OPENING,
            {},
            {"slug": opening.slug},
            [(opening.name, "closed", f"open to {listed(opening.rules.phrases())}")],
            f"the network opening “{opening}”",
            reason,
            AT_ONCE if at_once else "",
        )
        if not at_once:
            return asking.wait(row, actor, asked, for_admins=opening.decider == Decider.ADMINS)
        change = asking.applied(row, actor, asked, Activity.NETWORK_OPENED)
        _open(row, opening)
    return change


def apply(row: Environment, change: Change, actor: User) -> None:
    """Open what was asked for. Raises ValidationError if it is not offered any more."""
    opening = row.cluster.openings.filter(slug=change.after["slug"], is_offered=True).first()
    if opening is None:
        raise ValidationError("This opening is no longer offered. Reject the change.")
    if all(each["slug"] != opening.slug for each in row.openings):
        _open(row, opening)


def close(environment: Environment, slug: str, actor: User) -> None:
    """Close an opening again. Raises ValidationError if it is not open; PermissionDenied; EndedError."""
    guards.check_editable(environment, actor)
    with transaction.atomic():
        row = guards.lock_open(environment)
        if not (gone := [each for each in row.openings if each["slug"] == slug]):
            raise ValidationError("This opening is closed already.")
        _keep(row, [each for each in row.openings if each["slug"] != slug])
        Event.record(row, actor, Activity.NETWORK_CLOSED, f"{actor} closed the network opening “{gone[0]['name']}”.")


def end_due(now: datetime) -> int:
    """Close the openings whose time is over, with an email to each owner; how many environments that concerned."""
    found = 0
    for environment in Environment.objects.filter(wanted=True).exclude(openings=[]).only("pk", "openings"):
        if any(_is_over(each, now) for each in environment.openings):
            found += _end(environment, now)
    return found


def follow(opening: NetworkOpening) -> int:
    """Have the environments that have an opening follow its new name and destinations; how many those are."""
    found = 0
    for row in Environment.objects.filter(cluster=opening.cluster_id, wanted=True).exclude(openings=[]):
        with transaction.atomic():
            locked = Environment.objects.select_for_update(no_key=True).get(pk=row.pk)
            kept = [opening.copy(each["ends_at"]) if each["slug"] == opening.slug else each for each in locked.openings]
            if kept != locked.openings:
                _keep(locked, kept)
                found += 1
    return found


def in_use(opening: NetworkOpening) -> int:
    """How many environments have an opening."""
    rows = Environment.objects.filter(cluster=opening.cluster_id, wanted=True).exclude(openings=[])
    slugs: Iterable[list[dict[str, Any]]] = rows.values_list("openings", flat=True)
    return sum(1 for each in slugs if any(one["slug"] == opening.slug for one in each))


def _open(row: Environment, opening: NetworkOpening) -> None:
    ends_at = (timezone.now() + timedelta(days=opening.days)).isoformat() if opening.days else ""
    _keep(row, [*row.openings, opening.copy(ends_at)])


def _keep(row: Environment, openings: list[dict[str, Any]]) -> None:
    Environment.objects.filter(pk=row.pk).update(openings=openings)
    owe(row.pk)


def _end(environment: Environment, now: datetime) -> int:
    with transaction.atomic():
        row = Environment.objects.select_for_update(no_key=True).get(pk=environment.pk)
        over = [each for each in row.openings if _is_over(each, now)]
        if not over:
            return 0
        _keep(row, [each for each in row.openings if each not in over])
        for each in over:
            when = dates.day(datetime.fromisoformat(each["ends_at"]))
            Event.record(row, None, Activity.OPENING_ENDED, f"The network opening “{each['name']}” ended on {when}.")
    return 1


def _is_over(opening: dict[str, Any], now: datetime) -> bool:
    return bool(opening["ends_at"]) and datetime.fromisoformat(opening["ends_at"]) <= now


def _wrong(sentence: str) -> ValidationError:
    return ValidationError({"opening": [ValidationError(sentence, code="opening")]})
