"""Records the work on an environment under a lease, with conditional updates and no lock during outside calls.

A lease says which worker works on an environment. It is taken and given back by one UPDATE each, runs out by itself,
and every write under it is refused once it is lost. What is due is told by the database's clock: workers' may differ.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import DateTimeField, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role, Status
from environments.models import Condition, Environment, Event, Group, GroupMember, Member, Stranger, clock
from environments.models.environments import EnvironmentQuerySet
from environments.reconcile.facts import Facts, MemberFacts, StrangerFacts
from environments.reconcile.runner import Attempt

_NAMED = 5  # strangers in one line of the activity
REMEMBERED = timedelta(minutes=9)  # the check after a person left comes ten minutes later


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
    """Deletion was requested during this run, so its findings no longer match what is wanted."""


class IllegalMoveError(Exception):
    """The phase that this run came to cannot follow the row's phase (phases.MOVES): a mistake of the portal's."""


def take_lease(environment_id: uuid.UUID | str) -> Lease | None:
    """Take the lease of an environment that needs a reconcile; None if it needs none or is being worked on."""
    token = uuid.uuid4()
    if not Environment.objects.owed().filter(pk=environment_id).update(lease=token, lease_until=_until()):
        return None
    row = Environment.objects.filter(pk=environment_id).values_list("pk", "generation", "wanted", clock.database_time())
    pk, generation, wanted, now = row.get()
    return Lease(pk, token, generation, wanted, clock.ahead(now))


def record(lease: Lease, attempts: list[Attempt], conditions: list[Condition]) -> None:
    """Write down what was tried and what was found, all at once, with the steps' conditions as they are now.

    Raises LeaseLostError, SupersededError: then nothing is written.
    """
    found = [attempt.facts for attempt in attempts]
    with transaction.atomic():
        _renew(lease, **_found_out(found))
        _record_conditions(conditions)
        _record_facts(lease.environment_id, found)


def settle(
    lease: Lease,
    *,
    phase: Phase,
    next_reconcile_at: datetime | None,
    events: Iterable[Event] = (),
    **changes: Any,
) -> bool:
    """Set the phase, say what is still owed, give the lease back; with the events, and other `changes` of the row.

    Returns whether more was asked for since the lease was taken. Raises LeaseLostError, SupersededError and, where the
    row's phase cannot become this one, IllegalMoveError: then nothing is written.
    """
    changes |= {"next_reconcile_at": lease.told(next_reconcile_at)}
    if first := {Phase.READY: "ready_at", Phase.DELETED: "deleted_at"}.get(phase):
        changes[first] = Coalesce(first, timezone.now(), output_field=DateTimeField())
    changes |= {"lease": None, "lease_until": None, "observed_generation": lease.generation}
    with transaction.atomic():
        is_latest = _mine(lease).filter(generation=lease.generation).move_to(phase, **changes)
        if not is_latest and not _mine(lease).move_to(phase, **changes):
            raise IllegalMoveError(f"to {phase}") if _mine(lease).exists() else _refusal(lease)
        for event in events:
            event.save()
    return not is_latest


def release(lease: Lease, *, next_reconcile_at: datetime) -> None:
    """Give the lease back without a result; the environment stays owed from then on."""
    Environment.objects.filter(pk=lease.environment_id, lease=lease.token).update(
        lease=None, lease_until=None, next_reconcile_at=lease.told(next_reconcile_at)
    )


def _renew(lease: Lease, /, **changes: Any) -> None:
    """Hold on to the lease, and to the row until the transaction ends."""
    if not _mine(lease).update(lease_until=_until(), **changes):
        raise _refusal(lease)


def _refusal(lease: Lease) -> LeaseLostError | SupersededError:
    """Why a write under the lease was refused."""
    held = Environment.objects.filter(pk=lease.environment_id, lease=lease.token)
    return SupersededError() if held.exists() else LeaseLostError()


def _mine(lease: Lease) -> EnvironmentQuerySet:
    """The row, as long as the lease holds and the same is wanted."""
    return Environment.objects.filter(pk=lease.environment_id, lease=lease.token, wanted=lease.wanted)


def _until() -> Any:
    return clock.database_now() + timedelta(seconds=settings.LEASE_SECONDS)


def condition_after(condition: Condition, attempt: Attempt, next_try_at: datetime | None) -> Condition:
    """A step's condition as an attempt leaves it. `next_try_at` by the database's clock."""
    is_same = condition.status == attempt.status
    return Condition(
        pk=condition.pk,
        environment_id=condition.environment_id,
        type=condition.type,
        status=attempt.status,
        reason=attempt.reason[:60],
        message=attempt.message[:500],
        attempts=0 if attempt.status == Status.DONE else condition.attempts + 1,
        duration_ms=attempt.duration_ms,
        next_try_at=next_try_at,
        last_transition_at=condition.last_transition_at if is_same else timezone.now(),
    )


_CHANGING = ("status", "reason", "message", "attempts", "duration_ms", "next_try_at", "last_transition_at")


def _record_conditions(conditions: list[Condition]) -> None:
    """One statement for all of them, which changes the rows that are there: Django's bulk_update takes ten times it."""
    Condition.objects.bulk_create(conditions, update_conflicts=True, unique_fields=["id"], update_fields=_CHANGING)


def _found_out(found: list[Facts]) -> dict[str, Any]:
    """What the steps found out about the environment itself."""
    changes: dict[str, Any] = {}
    for facts in found:
        changes |= {"namespace_uid": facts.namespace_uid} if facts.namespace_uid is not None else {}
        changes |= {"applied_objects": list(facts.applied)} if facts.applied is not None else {}
    return changes


def _record_facts(environment_id: uuid.UUID, found: list[Facts]) -> None:
    """What several steps found out about the same member is one statement."""
    members: dict[int, MemberFacts] = {}
    for facts in found:
        for role, directory_id in facts.group_ids.items():
            Group.objects.filter(environment_id=environment_id, role=role).update(directory_id=directory_id)
        for pk, newer in facts.members.items():
            members[pk] = members[pk].updated(newer) if pk in members else newer
    for pk, facts_of_one in members.items():
        _record_member(pk, facts_of_one)
    for facts in found:
        _record_groups(facts)
        for role, strangers in facts.strangers.items():
            _record_strangers(environment_id, role, strangers)
    notes = [note for facts in found for note in facts.notes]
    if notes:
        Event.objects.bulk_create(
            Event.new(Activity.REPAIRED, note, environment_id=environment_id, tone="warn") for note in notes
        )


def _record_member(pk: int, found: MemberFacts) -> None:
    if found.gone:
        _record_absence(Member.objects.filter(pk=pk))
        return
    names = ("directory_id", "username", "directory_email", "in_group", "bound", "allowed", "message")
    changes = {name: getattr(found, name) for name in names if getattr(found, name) is not None}
    if "message" in changes:
        changes["message"] = changes["message"][:300]
    Member.objects.filter(pk=pk).update(checked_at=timezone.now(), **changes)


def _record_groups(found: Facts) -> None:
    """What a step found out about groups that are members. Those that have left are in nothing else: they are over."""
    for pk, facts in found.group_members.items():
        row = GroupMember.objects.filter(pk=pk)
        if facts.gone:
            row.filter(wanted=False).delete()
        else:
            texts = {} if facts.message is None else {"message": facts.message[:300]}
            row.update(checked_at=timezone.now(), **facts.said | texts)


def _record_strangers(environment_id: uuid.UUID, role: Role, found: tuple[StrangerFacts, ...]) -> None:
    """Who is in a group of the environment besides its members; the activity says who is new there."""
    rows = Stranger.objects.filter(environment_id=environment_id, role=role)
    known = set(rows.values_list("directory_id", flat=True))
    rows.exclude(directory_id__in=[each.directory_id for each in found]).delete()
    new = [
        Stranger(
            environment_id=environment_id,
            role=role,
            directory_id=each.directory_id,
            email=each.email[:254],
            username=each.username[:255],
        )
        for each in found
        if each.directory_id not in known
    ]
    if new:
        Stranger.objects.bulk_create(new, ignore_conflicts=True)
        shown = ", ".join(map(str, new[:_NAMED])) + (f" and {len(new) - _NAMED} more" if len(new) > _NAMED else "")
        message = f"Someone added {shown} to the {role.value} group in the directory, not here."
        Event.new(Activity.ACCESS_CHANGED, message, environment_id=environment_id, notice_owed=False).save()


def _record_absence(member: QuerySet[Member]) -> None:
    """Forget who left, but not at once: a worker that was thought dead may still put them back into the group.

    Without the row the portal would not know that it had added them, and they would stay.
    """
    member.filter(wanted=True).update(in_group=None, bound=None, allowed=None)  # wanted again by now
    if not member.filter(wanted=False, in_group=False, checked_at__lt=timezone.now() - REMEMBERED).delete()[0]:
        still = Q(in_group=None) | Q(in_group=True)
        member.filter(still, wanted=False).update(in_group=False, bound=False, checked_at=timezone.now())
