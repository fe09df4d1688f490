"""Requests for access to an environment: a person asks, its owner grants or declines."""

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction

from environments.actions import access_tokens, guards, memberships
from environments.lib.activity import Activity
from environments.lib.phases import Role
from environments.models import AccessRequest, Environment, Event, User


def ask(environment: Environment, user: User) -> AccessRequest:
    """Ask the owner for access; the owner gets an email. Asking twice is one request.

    Raises ValidationError for members, and if the template allows no collaborators; PermissionDenied for strangers.
    """
    if not Environment.objects.visible_to(user).filter(pk=environment.pk).exists():
        raise PermissionDenied("Only people who can see an environment can request access to it.")
    with transaction.atomic():
        row = guards.lock_open(environment)
        if row.awaits_approval:
            raise ValidationError("This request is waiting for approval. Request access once it is approved.")
        if access_tokens.access_of(row, user):
            raise ValidationError("You already have access.", code="member")
        if role(row) is None:
            raise ValidationError("This template allows no collaborators.", code="role")
        asked, is_new = AccessRequest.objects.get_or_create(environment=row, person=user)
        if is_new:
            message = f"{user} requested access."
            Event.record(environment, user, Activity.ACCESS_REQUESTED, message, {"person": user.email})
    return asked


def role(environment: Environment) -> Role | None:
    """The role that a request asks for: the first that the template gives collaborators; None if it gives none."""
    spec = environment.readable_spec
    return next(iter(spec.collaborator_roles), None) if spec else None


def grant(environment: Environment, actor: User, person: User) -> Role:
    """Make the person a member, with the role that was asked for; that role.

    Raises ValidationError as `memberships.add_person`, and if there is no such request; PermissionDenied.
    """
    guards.check_editable(environment, actor)
    asked = role(environment)
    if asked is None or not environment.access_requests.filter(person=person).exists():
        raise _closed(person)
    memberships.add_person(environment, actor, person, asked)
    return asked


def decline(environment: Environment, actor: User, person: User) -> None:
    """Close a request without giving access; the person gets an email. Raises ValidationError, PermissionDenied."""
    guards.check_editable(environment, actor)
    with transaction.atomic():
        guards.lock_open(environment)
        removed, _ = environment.access_requests.filter(person=person).delete()
        if not removed:
            raise _closed(person)
        message = f"{actor} declined {person}'s request for access."
        Event.record(environment, actor, Activity.ACCESS_DECLINED, message, {"person": person.email})


def _closed(person: User) -> ValidationError:
    return ValidationError(f"{person} has no open request for access.", code="closed")
