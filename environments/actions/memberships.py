"""Who has access: one function a verb, each with its line of history, each reconciled at once.

Whether the actor may is the caller's question, answered by permissions.py.
"""

from django.core.exceptions import ValidationError
from django.db import transaction

from environments.lib import naming, queue
from environments.lib.activity import Activity
from environments.lib.phases import Role
from environments.models import Environment, Event, Group, Member, User

MAX_MEMBERS = 100  # of one environment, owner included


def add_members(environment: Environment, actor: User, addresses: list[str], role: Role) -> None:
    """Give people access. Somebody who is a member already gets the role.

    Raises ValidationError for a role that the template does not allow, for the owner, and for too many.
    """
    _check_role(environment, role)
    addresses = list(dict.fromkeys(address.lower() for address in addresses))
    if environment.owner.email.lower() in addresses:
        raise ValidationError(f"{environment.owner.email} is the owner.")
    with transaction.atomic():
        for address in addresses:
            _set_role(environment, actor, address, role)
        if environment.members.filter(wanted=True).count() > MAX_MEMBERS:
            raise ValidationError(f"At most {MAX_MEMBERS} people.")
        message = f"{actor} gave {', '.join(addresses)} the role {role.value}."
        Event.record(environment, actor, Activity.ACCESS_CHANGED, message, {"given": addresses, "role": role.value})
        Environment.objects.filter(pk=environment.pk).owe()
        queue.enqueue_after_commit(environment.pk)


def remove_member(environment: Environment, actor: User, address: str) -> None:
    """Take somebody's access away. Raises ValidationError for the owner; nothing happens for a stranger."""
    if address.lower() == environment.owner.email.lower():
        raise ValidationError("The owner keeps access. Hand the environment over first.")
    with transaction.atomic():
        if environment.members.with_address(address).filter(wanted=True).update(wanted=False):
            message = f"{actor} took {address}'s access away."
            Event.record(environment, actor, Activity.ACCESS_CHANGED, message, {"taken": [address]})
            Environment.objects.filter(pk=environment.pk).owe()
            queue.enqueue_after_commit(environment.pk)


def hand_over(environment: Environment, actor: User, address: str, *, keep: Role | None) -> None:
    """Make somebody else the owner; the former one keeps the given role, or no access.

    Raises ValidationError where they have no account in the portal, the role is not the template's, or it still
    waits for approval.
    """
    heir = User.objects.with_address(address).filter(is_active=True).first()
    if heir is None:
        raise ValidationError(f"{address} has not signed in to the portal yet, and an owner has to.")
    if heir == environment.owner:
        raise ValidationError(f"{heir} is the owner already.")
    if keep is not None:
        _check_role(environment, keep)
    if environment.awaits_approval:
        # Nobody decides on what they asked for, and whoever owns it now is who asked.
        raise ValidationError("It waits for approval. Hand it over once that is decided.")
    former = environment.owner
    with transaction.atomic():
        same = Environment.objects.filter(pk=environment.pk, wanted=True, owner=former).granted()
        if not same.update(owner=heir, orphaned_at=None, orphaned_why=""):
            raise ValidationError("It was handed over meanwhile. Look at it again.")
        _set_role(environment, actor, heir.email, environment.template_spec.owner_role)
        if keep is not None:
            _set_role(environment, actor, former.email, keep)
        else:
            environment.members.with_address(former.email).update(wanted=False)
        Event.record(
            environment,
            actor,
            Activity.OWNER_CHANGED,
            f"{actor} handed it over from {former} to {heir}.",
            {"from": former.email, "to": heir.email},
        )
        Environment.objects.filter(pk=environment.pk).owe()
        queue.enqueue_after_commit(environment.pk)
    environment.owner = heir


def _set_role(environment: Environment, actor: User, address: str, role: Role) -> None:
    known = environment.members.with_address(address)
    known.exclude(role=role).update(in_group=None, bound=None, allowed=None)  # all of it was about the other role
    if not known.update(role=role, wanted=True):
        Member.objects.create(environment=environment, email=address, role=role, added_by=actor)
    if not environment.groups.filter(role=role).exists():
        parts = naming.parts(
            owner_email=environment.owner.email,
            name=environment.name,
            team=str(environment.team or ""),
            template=environment.version.template.slug,
        )
        pattern = environment.template_spec.naming.group
        name = naming.group(parts, environment.namespace, role, pattern)
        Group.objects.create(environment=environment, role=role, name=name)


def _check_role(environment: Environment, role: Role) -> None:
    allowed = environment.template_spec.collaborator_roles
    if role not in allowed:
        words = ", ".join(one.value for one in allowed) or "no role at all"
        raise ValidationError(f"The template gives collaborators {words}.")
