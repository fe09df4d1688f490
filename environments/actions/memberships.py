"""Who has access: one function a verb, each with its line of history, each reconciled at once.

Each one asks whether the actor may, and holds the environment's row while it counts and writes.
"""

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q

from environments.actions import addresses as people
from environments.actions import drafts, guards
from environments.lib import naming, queue
from environments.lib.activity import Activity
from environments.lib.phases import Role
from environments.models import Environment, Event, Group, Member, Team, Template, User

MAX_MEMBERS = 100  # of one environment, owner included


def add_members(environment: Environment, actor: User, addresses: list[str], role: Role) -> None:
    """Give people access. Existing members switch to the role.

    Raises ValidationError by field for a role that the template does not allow, for the owner, for addresses that are
    none or that the directory does not know, and for too many; PermissionDenied.
    """
    guards.check_editable(environment, actor)
    _check_role(environment, role)
    addresses = list(dict.fromkeys(address.strip().lower() for address in addresses))
    _check_addresses(environment, actor, addresses)
    with transaction.atomic():
        guards.lock_open(environment)
        for address in addresses:
            _set_role(environment, actor, address, role)
        if environment.members.filter(wanted=True).count() > MAX_MEMBERS:
            raise _at("addresses", f"An environment has at most {MAX_MEMBERS} members.", "too_many")
        message = f"{actor} gave {', '.join(addresses)} the role {role.value}."
        Event.record(environment, actor, Activity.ACCESS_CHANGED, message, {"given": addresses, "role": role.value})
        Environment.objects.filter(pk=environment.pk).owe()
        queue.enqueue_after_commit(environment.pk)


def remove_member(environment: Environment, actor: User, address: str) -> None:
    """Remove a member; nothing happens for an address that is none's. Raises ValidationError for the owner.

    Raises PermissionDenied.
    """
    guards.check_editable(environment, actor)
    with transaction.atomic():
        if _take_access(environment, address, "The owner keeps access. Hand the environment over first."):
            message = f"{actor} removed {address}."
            Event.record(environment, actor, Activity.ACCESS_CHANGED, message, {"taken": [address]})


def leave(environment: Environment, user: User) -> None:
    """Give up one's own access; the owner gets an email.

    Raises ValidationError for the owner, PermissionDenied for a person who is no member.
    """
    with transaction.atomic():
        refusal = "The owner can't leave. Hand the environment over, or delete it."
        if not _take_access(environment, user.email, refusal):
            raise PermissionDenied("Only members can leave an environment.")
        Event.record(environment, user, Activity.MEMBER_LEFT, f"{user} left.", {"person": user.email})


def _take_access(environment: Environment, address: str, refusal: str) -> bool:
    """Whether it was a member's, who loses their access with the next reconcile. Raises `refusal` for the owner."""
    row = guards.lock_open(environment)
    if address.strip().lower() == row.owner.email.lower():
        raise ValidationError(refusal)
    if not environment.members.with_address(address).filter(wanted=True).update(wanted=False):
        return False
    Environment.objects.filter(pk=environment.pk).owe()
    queue.enqueue_after_commit(environment.pk)
    return True


def hand_over(environment: Environment, actor: User, address: str, *, keep: Role | None) -> None:
    """Make another person the owner; the former one keeps the given role, or no access.

    Raises ValidationError by field if they have no account in the portal, may not have an environment like this one or
    have as many as they may, if the role is not the template's, and while it waits for approval. PermissionDenied.
    """
    guards.check_editable(environment, actor)
    heir = _heir(environment, address)
    if keep is not None:
        _check_role(environment, keep, "keep")
    if environment.awaits_approval:
        # People do not decide on their own requests, and the owner is the requester.
        raise ValidationError("This request is waiting for approval. Hand it over after the decision.")
    former = environment.owner
    with transaction.atomic():
        guards.lock_open(environment)
        _check_room(environment, heir)
        same = Environment.objects.filter(pk=environment.pk, wanted=True, owner=former).granted()
        if not same.update(owner=heir, orphaned_at=None, orphaned_why=""):
            raise ValidationError("This environment has changed. Reload the page to see how.")
        _set_role(environment, actor, heir.email, environment.template_spec.owner_role)
        if keep is not None:
            _set_role(environment, actor, former.email, keep)
        else:
            environment.members.with_address(former.email).update(wanted=False)
        Event.record(
            environment,
            actor,
            Activity.OWNER_CHANGED,
            f"{actor} transferred ownership from {former} to {heir}.",
            {"from": former.email, "to": heir.email},
        )
        Environment.objects.filter(pk=environment.pk).owe()
        queue.enqueue_after_commit(environment.pk)
    environment.owner = heir


def _at(field: str, sentence: str, code: str) -> ValidationError:
    return ValidationError({field: [ValidationError(sentence, code=code)]})


def _check_addresses(environment: Environment, actor: User, addresses: list[str]) -> None:
    if environment.owner.email.lower() in addresses:
        raise _at("addresses", f"{environment.owner.email} is the owner.", "owner")
    if len(addresses) > MAX_MEMBERS:
        raise _at("addresses", f"An environment has at most {MAX_MEMBERS} members.", "too_many")
    if len(addresses) > people.MAX_ADDRESSES:
        text = f"Add at most {people.MAX_ADDRESSES} people at once; you entered {len(addresses)}."
        raise _at("addresses", text, "too_many")
    found = list(people.malformed(addresses)) or list(people.unknown(addresses, actor, environment.directory))
    if found:
        raise ValidationError({"addresses": [ValidationError(sentence, code="invalid") for sentence in found]})


def _heir(environment: Environment, address: str) -> User:
    """The account of the next owner. Raises ValidationError if there is none, or it may not have the environment."""
    heir = User.objects.with_address(address).filter(is_active=True).first()
    if heir is None:
        text = f"{address} must sign in to {settings.PORTAL_NAME} once before they can own an environment."
        raise _at("address", text, "no_account")
    if heir == environment.owner:
        raise _at("address", f"{heir} is already the owner.", "owner")
    template, team = environment.version.template, environment.team
    if not Template.objects.usable_by(heir).filter(pk=template.pk).exists():
        raise _at("address", f"{heir} may not have environments of the template {template}.", "template")
    if team and not Team.objects.filter(Q(members=heir) | Q(managers=heir), pk=team.pk).exists():
        raise _at("address", f"{heir} is not in the team {team}, which this environment belongs to.", "team")
    return heir


def _check_room(environment: Environment, heir: User) -> None:
    """The limit holds for those who are handed an environment, too. Call it in the transaction."""
    template = environment.version.template
    if template.per_person is None:
        return
    guards.lock_person(heir)
    if owned := drafts.at_limit(heir, template):
        text = f"{heir} has {len(owned)} of at most {template.per_person} environments of this template."
        raise _at("address", text, "limit")


def _set_role(environment: Environment, actor: User, address: str, role: Role) -> None:
    known = environment.members.with_address(address)
    known.exclude(role=role).update(in_group=None, bound=None, allowed=None)  # all of it was about the other role
    if not known.update(role=role, wanted=True):
        Member.objects.create(environment=environment, email=address, role=role, added_by=actor)
    environment.access_requests.filter(person__in=User.objects.with_address(address)).delete()
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


def _check_role(environment: Environment, role: Role, field: str = "role") -> None:
    if role not in environment.template_spec.collaborator_roles:
        raise _at(field, drafts.role_sentence(environment.template_spec), "role")
