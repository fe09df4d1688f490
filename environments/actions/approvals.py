"""Deciding on requests: approve, reject. One conditional UPDATE each, so that two at once are one decision.

The same UPDATE asks who may (EnvironmentQuerySet.decidable_by).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from environments.actions import stand_ins
from environments.lib import queue
from environments.lib.activity import Activity
from environments.lib.phases import Phase
from environments.models import Cluster, Environment, Event, Template, TemplateVersion, User

MAX_NOTE = 500
OVERTAKEN = "overtaken"  # the code of a refusal because there is no longer anything to decide


def approve(environment: Environment, actor: User, note: str = "") -> None:
    """Have a request carried out: its life begins now. The note is for the requester.

    Raises ValidationError if someone decided before (code `overtaken`), and if it can no longer be carried out; then
    nothing has changed. Raises PermissionDenied.
    """
    note = checked_note(note)
    with transaction.atomic():
        now = timezone.now()
        days = environment.template_spec.lifetime_days if environment.readable_spec else None
        changes = {"decided_at": now, "generation": F("generation") + 1, "created_at": now}
        changes["ends_at"] = now + timedelta(days=days) if days else None
        _decide(environment, actor, note, Phase.PROVISIONING, changes)
        _check_still_possible(environment)
        _record(environment, actor, Activity.APPROVED, note)
        queue.enqueue_after_commit(environment.pk)


def reject(environment: Environment, actor: User, note: str) -> None:
    """Turn a request down. Nothing was created, so there is nothing to remove.

    Raises ValidationError if the note does not say why, or someone decided before (code `overtaken`). Raises
    PermissionDenied.
    """
    note = checked_note(note)
    if not note:
        raise ValidationError("Tell the requester why.", code="note")
    with transaction.atomic():
        now = timezone.now()
        changes = {"decided_at": now, "wanted": False, "observed_generation": F("generation"), "deleted_at": now}
        _decide(environment, actor, note, Phase.REJECTED, changes)
        environment.conditions.all().delete()
        _record(environment, actor, Activity.REJECTED, note)


@dataclass(frozen=True)
class Outcome:
    """What a decision on one of several requests led to, or would lead to; without a refusal it is carried out."""

    environment: Environment
    refusal: str = ""


def would(environment: Environment, actor: User, *, approve: bool) -> Outcome:
    """What a decision would lead to, by the checks of the verb itself. Changes nothing."""

    def check(row: Environment) -> None:
        _check_decidable(row, actor)
        if approve:
            _check_still_possible(row)

    return _outcome(environment, check)


def decide_several(environments: Iterable[Environment], decide: Callable[[Environment], None]) -> list[Outcome]:
    """Decide on each request on its own, with `approve` or `reject`; one that is refused stops no other."""
    return [_outcome(environment, decide) for environment in environments]


def _outcome(environment: Environment, decide: Callable[[Environment], None]) -> Outcome:
    try:
        decide(environment)
    except ValidationError as refusal:
        return Outcome(environment, " ".join(refusal.messages))
    except PermissionDenied as refusal:
        return Outcome(environment, str(refusal))
    return Outcome(environment)


def checked_note(note: str) -> str:
    """A note without spaces around it. Raises ValidationError (code `note`) if it is too long."""
    note = note.strip()
    if len(note) > MAX_NOTE:
        raise ValidationError(f"Use at most {MAX_NOTE} characters; you entered {len(note)}.", code="note")
    return note


def _decide(environment: Environment, actor: User, note: str, phase: Phase, changes: dict[str, Any]) -> None:
    absent = stand_ins.stood_in_for(environment, actor)
    rows = Environment.objects.decidable_by(actor).awaiting_approval().filter(pk=environment.pk)
    if rows.move_to(phase, decided_by=actor, decided_for=absent, decision_note=note, **changes):
        environment.decided_for = absent
        return
    _check_decidable(environment, actor)
    raise ValidationError(why_not(environment), code=OVERTAKEN)


def _check_decidable(environment: Environment, actor: User) -> None:
    """Raise PermissionDenied unless the actor decides on it, ValidationError if there is nothing to decide."""
    if not Environment.objects.decidable_by(actor).filter(pk=environment.pk).exists():
        raise PermissionDenied("You can't decide on this request.")
    if not Environment.objects.awaiting_approval().filter(pk=environment.pk).exists():
        raise ValidationError(why_not(environment), code=OVERTAKEN)


def why_not(environment: Environment) -> str:
    """Why there is nothing to decide: what came before, in a sentence."""
    row = Environment.objects.select_related("decided_by").get(pk=environment.pk)
    if row.phase == Phase.WITHDRAWN:
        return f"The request “{row.name}” was withdrawn a moment ago."
    who, word = row.decided_by or "Someone", "rejected" if row.phase == Phase.REJECTED else "approved"
    return f"{who} has already {word} the request “{row.name}”."


def _check_still_possible(environment: Environment) -> None:
    """Raise ValidationError, with a sentence, if what was requested cannot be created as things are now."""
    owner, template = environment.owner, environment.version.template
    published = TemplateVersion.objects.filter(template=template, state=TemplateVersion.State.PUBLISHED)
    if environment.readable_spec is None:
        raise ValidationError(
            "The template of this request was written for another version of the portal and cannot be read. Reject it."
        )
    if not User.objects.filter(pk=owner.pk, is_active=True).exists():
        raise ValidationError(f"The account of {owner.email} is deactivated. Reject the request.")
    if not published.exists():
        raise ValidationError(f"{template} has been retired. Reject the request, and say what to use instead.")
    if not Template.objects.usable_by(owner).filter(pk=template.pk).exists():
        raise ValidationError(f"{owner} may no longer request {template}.")
    if not Cluster.objects.filter(pk=environment.cluster_id, accepts_new=True, lost_at=None).exists():
        raise ValidationError(
            f"{environment.cluster} accepts no new environments at the moment. Approve the request later, or reject it "
            "so that another cluster can be chosen."
        )


def _record(environment: Environment, actor: User, kind: Activity, note: str) -> None:
    own = " This was their own request; no one else could decide." if actor.pk == environment.owner_id else ""
    absent = environment.decided_for
    said = f"{actor} {kind.lower()} the request" + (f" as the stand-in of {absent}" if absent else "")
    message = f"{said}: {note}" if note else f"{said}."
    data = {"note": note} | ({"stood_in_for": absent.email} if absent else {})
    Event.record(environment, actor, kind, message + own, data)
