"""What people can do to environments: one function a verb, called by pages, admin and commands alike.

Each one checks everything itself, also whether the actor may, changes the row and adds the Event in one transaction,
and enqueues the id after the commit.
"""

from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F

from environments import spec as template_spec
from environments.actions import contents, drafts, guards, placement, removals, rows
from environments.actions.drafts import CheckedPlan, Draft
from environments.actions.owed import owe
from environments.lib import naming, queue
from environments.lib.activity import Activity
from environments.lib.phases import Phase
from environments.models import Condition, Environment, Event, Group, Member, User
from environments.reconcile.steps import STEPS

_NAME_TRIES = 5  # random suffixes after the form's own
_OLD_PAGE = timedelta(days=1)  # on which an end was offered that is a little sooner than the one of now


def request_environment(user: User, draft: Draft) -> Environment:
    """Record a request and have it provisioned. The same key twice gives the same environment.

    Raises ValidationError with everything that is wrong, by field (drafts.py).
    """
    return _earlier(user, draft) or carry_out(drafts.check(user, draft))


def carry_out(plan: CheckedPlan) -> Environment:
    """`request_environment` for a draft that was checked a moment ago: the directory is not asked twice.

    Raises ValidationError if the limit was reached in the meantime, or no name is free.
    """
    key = plan.draft.key
    for suffix in (naming.suffix_of(key), *(naming.new_suffix() for _ in range(_NAME_TRIES))):
        try:
            with transaction.atomic():
                return _create(plan, suffix)
        except IntegrityError:
            # The namespace's name is taken, or the same form arrived twice.
            if earlier := _earlier(plan.user, plan.draft):
                return earlier
    raise ValidationError({"name": [ValidationError("No free name was found. Choose another name.", code="taken")]})


def delete_environment(environment: Environment, actor: User, *, typed_name: str) -> None:
    """Have an environment removed. Raises ValidationError unless its name was typed correctly, PermissionDenied.

    For a request that waits for approval: `withdraw_request`. Raises EndedError if it is deleted already.
    """
    guards.check_editable(environment, actor)
    guards.check_not_over(environment)
    if typed_name.strip() != environment.name:
        raise ValidationError(f"Type {environment.name} to confirm.", code="name")
    if removals.ask(environment, actor, Activity.DELETION_REQUESTED, f"{actor} requested deletion."):
        queue.enqueue_after_commit(environment.pk)


def withdraw_request(environment: Environment, actor: User, note: str = "") -> None:
    """Take a request back, with a word on why or without.

    Raises ValidationError if someone has decided on it already, PermissionDenied.
    """
    guards.check_editable(environment, actor)
    message = f"{actor} withdrew the request: {note}" if note else f"{actor} withdrew the request."
    if not removals.withdraw(environment, actor, message, note):
        raise ValidationError("Someone has already decided on this request. Reload the page to see the decision.")


def extend_environment(environment: Environment, actor: User, *, until: datetime | None = None) -> None:
    """Put the end off once more, to the template's days from now, or to the end that the page offered (`until`).

    A page that is up to a day old still extends. The same click twice is one extension. Raises ValidationError if
    another end is next, or none; PermissionDenied.
    """
    guards.check_editable(environment, actor)
    until = until or environment.extended_end()
    with transaction.atomic():
        row = guards.lock_open(environment)
        if until is None:
            raise ValidationError("This environment cannot be extended any further.")
        if row.ends_at != until:
            _extend(row, actor, until)


def _extend(row: Environment, actor: User, until: datetime) -> None:
    later = row.extended_end() if row.is_granted else None
    if later is None or row.ends_at is None:
        raise ValidationError("This environment cannot be extended any further.")
    if not max(later - _OLD_PAGE, row.ends_at) <= until <= later:
        raise ValidationError("The end date has changed. Reload the page to see it.")
    changes: dict[str, Any] = {"ends_at": until, "noticed_days": None, "noticed_at": None}
    Environment.objects.filter(pk=row.pk).update(**changes, extensions=F("extensions") + 1)
    Event.record(row, actor, Activity.EXTENDED, f"{actor} extended this environment to {until:%-d %B %Y}.")


def try_again(environment: Environment, actor: User) -> None:
    """Have everything looked at now, whatever the back-off says; the way on from a failure that was mended.

    Of a request that was not approved there is nothing to look at. Raises PermissionDenied; EndedError for a record.
    """
    guards.check_editable(environment, actor)
    guards.check_not_over(environment)
    if not environment.is_granted:
        return
    is_new = environment.ready_at is None
    phase = Phase.DELETING if not environment.wanted else Phase.PROVISIONING if is_new else Phase.DEGRADED
    with transaction.atomic():
        # Both are conditions too: the phase must suit the row as it is now, not as the page showed it.
        failed = Environment.objects.filter(pk=environment.pk, phase=Phase.FAILED)
        failed.filter(ready_at__isnull=is_new, wanted=environment.wanted).move_to(phase)
        Event.record(environment, actor, Activity.CHECK_REQUESTED, f"{actor} requested a check.")
        owe(environment.pk)


def _earlier(user: User, draft: Draft) -> Environment | None:
    """What the same request made before."""
    return Environment.objects.filter(request_key=draft.key, owner=user).first()


def _create(plan: CheckedPlan, suffix: str) -> Environment:
    _keep_to_the_limit(plan)
    made = rows.build(plan, suffix)
    environment = made.environment
    environment.directory = plan.directory  # type: ignore[assignment] # `check` refuses a plan without one
    hard = template_spec.render_quota(plan.spec, environment.size, plan.parameters)
    for column, amount in placement.columns(hard).items():
        setattr(environment, column, amount)
    environment.applied_objects = contents.own_keys(environment, plan.spec, plan.parameters)
    environment.save(force_insert=True)
    rows.link_holders(made.members)
    Member.objects.bulk_create(made.members)
    Group.objects.bulk_create(made.groups)
    Condition.objects.bulk_create(Condition(environment=environment, type=step.type) for step in STEPS)
    waits = environment.awaits_approval
    message = f"{plan.user} requested this environment from {plan.version}." + (" It needs approval." if waits else "")
    Event.record(environment, plan.user, Activity.REQUESTED, message, notice_owed=waits)
    if not waits:
        queue.enqueue_after_commit(
            environment.pk, unless=lambda: Environment.objects.is_crowded(environment.created_at)
        )
    return environment


def _keep_to_the_limit(plan: CheckedPlan) -> None:
    """Count once more, alone: requests that arrive at the same moment were all checked before any was stored."""
    if plan.template.per_person is None:
        return
    guards.lock_person(plan.user)
    if owned := drafts.at_limit(plan.user, plan.template, besides=plan.draft.key):
        sentence = drafts.limit_sentence(plan.template, owned)
        raise ValidationError({NON_FIELD_ERRORS: [ValidationError(sentence, code="limit")]})
