"""Records the work on an environment under a lease, with conditional updates and no lock during outside calls.

A lease says which worker works on an environment. It is taken and given back by one UPDATE each, runs out by itself
unless it is renewed, and every write under it is refused once it is lost. What is due is told by the database's clock:
workers' may differ.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from environments.lib.activity import Activity
from environments.lib.phases import Phase, Role, Status
from environments.models import Condition, Departure, Environment, Event, Group, GroupMember, Member, Stranger, clock
from environments.models.writing import update_each
from environments.reconcile.facts import Facts, MemberFacts, StrangerFacts
from environments.reconcile.runner import Attempt

RENEWALS = 4  # for each length of a lease
_MOMENT = 0.2  # seconds after the end of a lease
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


@dataclass(frozen=True)
class Settlement:
    """The end of a run: the phase that it came to, and what else changes with that."""

    phase: Phase
    next_reconcile_at: datetime | None
    events: tuple[Event, ...] = ()
    changes: dict[str, Any] = field(default_factory=dict)  # of the row
    confirms: Environment | None = None  # the environment, where the directory's groups no longer have whoever left


@dataclass(frozen=True)
class Result:
    """What is to be written of one environment: what was tried and found, and the end if it has come."""

    lease: Lease
    attempts: list[Attempt]
    conditions: list[Condition]
    settlement: Settlement | None = None


class _Row(NamedTuple):
    pk: uuid.UUID
    wanted: bool
    generation: int
    phase: str
    ready_at: datetime | None
    deleted_at: datetime | None


type Refusal = LeaseLostError | SupersededError | IllegalMoveError


def take_lease(environment_id: uuid.UUID | str) -> Lease | None:
    """Take the lease of an environment that needs a reconcile; None if it needs none or is being worked on."""
    leases, _ = take_leases(environment_id)
    return leases[0] if leases else None


def take_leases(environment_id: uuid.UUID | str, *, most: int = 1) -> tuple[list[Lease], uuid.UUID | None]:
    """Take the lease of an environment and of others that need a reconcile, up to `most` of them, the oldest first.

    Also returns the next one, if there are more. Those that another worker is about to take are passed over. Where the
    one that was named needs nothing, that is all that is asked: a message that comes late costs one statement.
    """
    token = uuid.uuid4()
    if not Environment.objects.owed().filter(pk=environment_id).update(lease=token, lease_until=_until()):
        return [], None
    others, following = _take_others(token, most - 1) if most > 1 else ([], None)
    rows = Environment.objects.filter(pk__in=[environment_id, *others], lease=token)
    found = rows.order_by().values_list("pk", "generation", "wanted", clock.database_time())
    leases = [Lease(pk, token, generation, wanted, clock.ahead(now)) for pk, generation, wanted, now in found]
    return leases, following


def _take_others(token: uuid.UUID, most: int) -> tuple[list[uuid.UUID], uuid.UUID | None]:
    with transaction.atomic():
        free = Environment.objects.owed().order_by("created_at").select_for_update(skip_locked=True, no_key=True)
        keys = list(free.values_list("pk", flat=True)[: most + 1])
        if taken := keys[:most]:
            Environment.objects.filter(pk__in=taken).update(lease=token, lease_until=_until())
    return taken, keys[most] if len(keys) > most else None


def forsaken(most: int) -> list[tuple[uuid.UUID, float]]:
    """Environments whose workers have stopped renewing their leases, and in how many seconds these run out."""
    rows = Environment.objects.forsaken().order_by().values_list("pk", "lease_until", clock.database_time())
    return [(pk, (until - (now or timezone.now())).total_seconds() + _MOMENT) for pk, until, now in rows[:most]]


def renew(leases: list[Lease]) -> dict[uuid.UUID, Refusal]:
    """Hold on to these leases for as long again; those that are lost, or that an end overtook, and why."""
    with transaction.atomic():
        held, refused = _hold(leases)
        Environment.objects.filter(pk__in=list(held)).update(lease_until=_until())
    return refused


def record(lease: Lease, attempts: list[Attempt], conditions: list[Condition]) -> None:
    """Write down what was tried and what was found, all at once, with the steps' conditions as they are now.

    Raises LeaseLostError, SupersededError: then nothing is written.
    """
    _only(write([Result(lease, attempts, conditions)]))


def settle(
    lease: Lease,
    *,
    phase: Phase,
    next_reconcile_at: datetime | None,
    events: Iterable[Event] = (),
    confirms: Environment | None = None,
    **changes: Any,
) -> bool:
    """Set the phase, say what is still owed, give the lease back; with the events, and other `changes` of the row.

    `confirms`: the environment, where the directory's groups no longer have whoever left.

    Returns whether more was asked for since the lease was taken. Raises LeaseLostError, SupersededError and, where the
    row's phase cannot become this one, IllegalMoveError: then nothing is written.
    """
    settlement = Settlement(phase, next_reconcile_at, tuple(events), changes, confirms)
    return _only(write([Result(lease, [], [], settlement)]))


def _only(answers: dict[uuid.UUID, Refusal | bool]) -> bool:
    [answer] = answers.values()
    if isinstance(answer, Exception):
        raise answer
    return answer


def write(results: list[Result]) -> dict[uuid.UUID, Refusal | bool]:
    """Write the results of several environments in one transaction, each kind of row in one statement.

    Returns for each why nothing of it was written, or whether more was asked for since its lease was taken.
    """
    with transaction.atomic():
        held, refused = _hold([result.lease for result in results])
        going = {result.lease.environment_id: result for result in results if result.lease.environment_id in held}
        refused |= _write_environments(going, held)
        good = {key: result for key, result in going.items() if key not in refused}
        _write_rows(list(good.values()))
        owed = {key: held[key].generation != result.lease.generation for key, result in good.items()}
        for end in (result.settlement for key, result in good.items() if not owed[key]):
            if end and end.confirms:
                Departure.objects.confirm(end.confirms)
    return owed | refused


def _write_environments(results: dict[uuid.UUID, Result], held: dict[uuid.UUID, _Row]) -> dict[uuid.UUID, Refusal]:
    """The rows of the environments themselves; those whose phase may not change so, and why."""
    changes = {key: _changes(result, held[key]) for key, result in results.items()}
    ends = {key: result.settlement for key, result in results.items() if result.settlement}
    moves = {key: (Phase(held[key].phase), end.phase) for key, end in ends.items()}
    update_each(Environment, ("id",), {(key,): row for key, row in changes.items() if key not in moves})
    illegal = Environment.objects.move_each(moves, changes)
    return {key: IllegalMoveError(f"to {ends[key].phase}") for key in illegal}


def _hold(leases: list[Lease]) -> tuple[dict[uuid.UUID, _Row], dict[uuid.UUID, Refusal]]:
    """Lock the rows whose leases hold until the transaction ends; and why not, of the others."""
    wanted = {lease.environment_id: lease.wanted for lease in leases}
    mine = Environment.objects.filter(pk__in=list(wanted), lease__in={lease.token for lease in leases})
    rows = mine.order_by("pk").select_for_update(no_key=True).values_list(*_Row._fields)
    found = {row.pk: row for row in (_Row(*values) for values in rows)}
    refused: dict[uuid.UUID, Refusal] = {key: LeaseLostError() for key in wanted if key not in found}
    refused |= {key: SupersededError() for key, row in found.items() if row.wanted != wanted[key]}
    return {key: row for key, row in found.items() if key not in refused}, refused


def _changes(result: Result, row: _Row) -> dict[str, Any]:
    """What changes in the environment's own row."""
    found = _found_out([attempt.facts for attempt in result.attempts])
    end = result.settlement
    if end is None:
        return found
    found |= end.changes | {"next_reconcile_at": result.lease.told(end.next_reconcile_at)}
    if (first := {Phase.READY: "ready_at", Phase.DELETED: "deleted_at"}.get(end.phase)) and not getattr(row, first):
        found[first] = timezone.now()
    return found | {"lease": None, "lease_until": None, "observed_generation": result.lease.generation}


def _write_rows(results: list[Result]) -> None:
    """The rows of other tables."""
    if conditions := [condition for result in results for condition in result.conditions]:
        _record_conditions(conditions)
    found = [(result.lease.environment_id, attempt.facts) for result in results for attempt in result.attempts]
    _record_facts(found)
    ends = [result.settlement for result in results if result.settlement]
    said = [(key, note) for key, facts in found for note in facts.notes]
    notes = [Event.new(Activity.REPAIRED, note, environment_id=key, tone="warn") for key, note in said]
    if events := [*notes, *(event for end in ends for event in end.events)]:
        Event.objects.bulk_create(events)


def release(lease: Lease, *, next_reconcile_at: datetime) -> None:
    """Give the lease back without a result; the environment stays owed from then on."""
    Environment.objects.filter(pk=lease.environment_id, lease=lease.token).update(
        lease=None, lease_until=None, next_reconcile_at=lease.told(next_reconcile_at)
    )


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


def _record_facts(found: list[tuple[uuid.UUID, Facts]]) -> None:
    """What several steps found out about the same member is one change."""
    groups = {(key, role): {"directory_id": name} for key, facts in found for role, name in facts.group_ids.items()}
    update_each(Group, ("environment_id", "role"), groups)
    members: dict[int, MemberFacts] = {}
    for _, facts in found:
        for pk, newer in facts.members.items():
            members[pk] = members[pk].updated(newer) if pk in members else newer
    update_each(Member, ("id",), {(pk,): _of_member(one) for pk, one in members.items() if not one.gone})
    for pk, one in members.items():
        if one.gone:
            _record_absence(Member.objects.filter(pk=pk))
    for key, facts in found:
        _record_groups(facts)
        for role, strangers in facts.strangers.items():
            _record_strangers(key, role, strangers)


def _of_member(found: MemberFacts) -> dict[str, Any]:
    names = ("directory_id", "username", "directory_email", "in_group", "bound", "allowed", "message")
    changes = {name: getattr(found, name) for name in names if getattr(found, name) is not None}
    if "message" in changes:
        changes["message"] = changes["message"][:300]
    return changes | {"checked_at": timezone.now()}


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
