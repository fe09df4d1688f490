"""Every move of an environment's row while it is worked on: conditional updates, never a lock held over a call.

A lease says who works on an environment. It is taken and given back by one UPDATE each, runs out by itself,
and every write under it is refused once it is lost. What is due is told by the database's clock: workers' may differ.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, When
from django.utils import timezone

from environments.facts import Facts, MemberFacts
from environments.models import Condition, Environment, Event, Group, Member, clock
from environments.phases import Phase, Status
from environments.runner import Attempt

_REMEMBERED = timedelta(minutes=9)  # the look after somebody left comes ten minutes later


@dataclass(frozen=True)
class Lease:
    """The right to work on an environment, for what was wanted when it was taken."""

    environment_id: uuid.UUID
    token: uuid.UUID
    generation: int
    wanted: bool
    ahead: timedelta = timedelta(0)  # of this process's clock, before the database's

    def told(self, at: datetime | None) -> datetime | None:
        """A time by this process's clock as the database's clock tells it."""
        return at and at - self.ahead


class LeaseLostError(Exception):
    """Another worker took over: this run must write nothing more."""


class SupersededError(Exception):
    """Its end was asked for while it was worked on: what this run finds is no longer what is wanted."""


def take_lease(environment_id: uuid.UUID | str) -> Lease | None:
    """Take the lease of an environment that is owed a reconcile; None where nothing is owed or another has it."""
    token = uuid.uuid4()
    if not Environment.objects.owed().filter(pk=environment_id).update(lease=token, lease_until=_until()):
        return None
    environment = Environment.objects.only("id", "generation", "wanted").get(pk=environment_id)
    return Lease(environment.pk, token, environment.generation, environment.wanted, clock.ahead())


def record_attempt(lease: Lease, attempt: Attempt, *, next_try_at: datetime | None) -> None:
    """Write one step's attempt and what it found. Raises LeaseLostError, SupersededError."""
    with transaction.atomic():
        _renew(lease)
        _record_condition(lease.environment_id, attempt, lease.told(next_try_at))
        _record_facts(lease.environment_id, attempt.facts)


def settle(lease: Lease, *, phase: Phase, next_reconcile_at: datetime | None, event: Event | None = None) -> None:
    """Set the phase, say what is still owed, give the lease back; with the event of a change.

    Raises LeaseLostError, SupersededError.
    """
    now = timezone.now()
    changes: dict[str, object] = {"phase": phase, "next_reconcile_at": lease.told(next_reconcile_at)}
    first = {Phase.READY: "ready_at", Phase.DELETED: "deleted_at"}.get(phase)
    with transaction.atomic():
        _renew(lease)
        rows = Environment.objects.filter(pk=lease.environment_id)
        rows.update(lease=None, lease_until=None, observed_generation=lease.generation, **changes)
        if first:
            rows.filter(**{first: None}).update(**{first: now})
        if event is not None:
            event.save()


def release(lease: Lease, *, next_reconcile_at: datetime) -> None:
    """Give the lease back without a result; the environment stays owed from then on."""
    Environment.objects.filter(pk=lease.environment_id, lease=lease.token).update(
        lease=None, lease_until=None, next_reconcile_at=lease.told(next_reconcile_at)
    )


def owe(environment_id: uuid.UUID | str) -> None:
    """Owe an environment one more run, after that of whoever may be at work on it now."""
    Environment.objects.filter(pk=environment_id).update(generation=F("generation") + 1)


def _renew(lease: Lease) -> None:
    """Hold on to the lease, and to the row until the transaction ends."""
    mine = Environment.objects.filter(pk=lease.environment_id, lease=lease.token)
    if not mine.filter(wanted=lease.wanted).update(lease_until=_until()):
        raise SupersededError if mine.exists() else LeaseLostError


def _until() -> Any:
    return clock.database_now() + timedelta(seconds=settings.LEASE_SECONDS)


def _record_condition(environment_id: uuid.UUID, attempt: Attempt, next_try_at: datetime | None) -> None:
    """One UPDATE for a step's row, without reading it: there are ten of these for every environment."""
    unchanged = When(status=attempt.status, then=F("last_transition_at"))
    Condition.objects.filter(environment_id=environment_id, type=attempt.step.type).update(
        last_transition_at=Case(unchanged, default=timezone.now()),
        status=attempt.status,
        reason=attempt.reason[:60],
        message=attempt.message[:500],
        duration_ms=attempt.duration_ms,
        attempts=0 if attempt.status == Status.DONE else F("attempts") + 1,
        next_try_at=next_try_at,
    )


def _record_facts(environment_id: uuid.UUID, facts: Facts) -> None:
    if facts.namespace_uid is not None:
        Environment.objects.filter(pk=environment_id).update(namespace_uid=facts.namespace_uid)
    if facts.applied is not None:
        Environment.objects.filter(pk=environment_id).update(applied_objects=list(facts.applied))
    for role, directory_id in facts.group_ids.items():
        Group.objects.filter(environment_id=environment_id, role=role).update(directory_id=directory_id)
    for pk, found in facts.members.items():
        _record_member(pk, found)
    notes = [
        Event(environment_id=environment_id, verb="Repaired", message=note[:500], tone="warn") for note in facts.notes
    ]
    if notes:
        Event.objects.bulk_create(notes)


def _record_member(pk: int, found: MemberFacts) -> None:
    if found.gone:
        _record_absence(Member.objects.filter(pk=pk))
        return
    names = ("directory_id", "username", "in_group", "bound", "allowed", "message")
    changes = {name: getattr(found, name) for name in names if getattr(found, name) is not None}
    if "message" in changes:
        changes["message"] = changes["message"][:300]
    Member.objects.filter(pk=pk).update(checked_at=timezone.now(), **changes)


def _record_absence(member: QuerySet[Member]) -> None:
    """Forget who left, but not at once: a worker that was thought dead may still put them back into the group.

    Without the row nobody would know that it was the portal who had added them, and they would stay.
    """
    member.filter(wanted=True).update(in_group=None, bound=None, allowed=None)  # wanted again meanwhile
    if not member.filter(wanted=False, in_group=False, checked_at__lt=timezone.now() - _REMEMBERED).delete()[0]:
        still = Q(in_group=None) | Q(in_group=True)
        member.filter(still, wanted=False).update(in_group=False, bound=False, checked_at=timezone.now())
