"""Who has access: one function a verb, each with its line of history, each reconciled at once.

Each one asks whether the actor may, and holds the environment's row while it counts and writes.
"""

from datetime import timedelta

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from environments.actions import addresses as people
from environments.actions import drafts, guards
from environments.actions.owed import owe
from environments.lib import naming
from environments.lib.activity import Activity
from environments.lib.phases import Role
from environments.models import Departure, Environment, Event, Group, GroupMember, Member, Team, Template, User
from environments.models.members import MemberQuerySet

MAX_MEMBERS = 100  # of one environment, owner included
UNDO = timedelta(minutes=5)  # after a member was removed; until then nobody has got an email about it
STRENGTH = (Role.ADMIN, Role.DEVELOPER, Role.VIEWER)  # the strongest first


def add_members(environment: Environment, actor: User, addresses: list[str], role: Role) -> None:
    """Give people access. Existing members switch to the role.

    Raises ValidationError by field for a role that the template does not allow, for the owner, for addresses that are
    none or that the directory does not know, and for too many; PermissionDenied.
    """
    guards.check_editable(environment, actor)
    check_role(environment, role)
    addresses = list(dict.fromkeys(address.strip().lower() for address in addresses))
    _check_addresses(environment, actor, addresses)
    with transaction.atomic():
        guards.lock_open(environment)
        _give(environment, actor, {address: _account(environment, address) for address in addresses}, role)


def add_person(environment: Environment, actor: User, person: User, role: Role) -> None:
    """Give a person a role, whoever else may hold their address. Raises ValidationError, PermissionDenied."""
    guards.check_editable(environment, actor)
    check_role(environment, role)
    with transaction.atomic():
        guards.lock_open(environment)
        _give(environment, actor, {person.email: person}, role)


def _give(environment: Environment, actor: User, people: dict[str, User | None], role: Role) -> None:
    """Give people a role, by address, with the account that it means; the portal's next reconcile does the rest."""
    given = [address for address, person in people.items() if _set_role(environment, actor, address, role, person)]
    _check_number(environment)
    message = f"{actor} gave {', '.join(people)} the role {role.value}."
    Event.record(environment, actor, Activity.ACCESS_CHANGED, message, {"given": given, "role": role.value})
    owe(environment.pk)


def remove_member(environment: Environment, actor: User, address: str) -> bool:
    """Remove a member; False if the address is none's. For UNDO, `undo_removal` can take it back.

    Raises ValidationError for the owner, PermissionDenied.
    """
    guards.check_editable(environment, actor)
    with transaction.atomic():
        row = guards.lock_open(environment)
        members = _with_access(environment, address)
        if any(member.is_of(row.owner) for member in members) or _is_owners(row, address, members):
            raise ValidationError("The owner keeps access. Hand the environment over first.")
        if not members:
            return False
        _check_own(members)
        _take_access(environment, members)
        first = members[0]
        data = {"taken": [first.email], "role": first.role, "person": first.person_id}
        Event.record(environment, actor, Activity.ACCESS_CHANGED, f"{actor} removed {first.email}.", data)
    return True


def leave(environment: Environment, user: User) -> None:
    """Give up one's own access; the owner gets an email.

    Raises ValidationError for the owner, PermissionDenied for a person who is no member.
    """
    with transaction.atomic():
        row = guards.lock_open(environment)
        if user == row.owner:
            raise ValidationError("The owner can't leave. Hand the environment over, or delete it.")
        members = list(environment.members.of(user).filter(wanted=True))
        if not members:
            raise PermissionDenied("Only members can leave an environment.")
        _check_own(members)
        _take_access(environment, members)
        Event.record(environment, user, Activity.MEMBER_LEFT, f"{user} left.", {"person": user.email})


def _check_own(members: list[Member]) -> None:
    """Raise ValidationError for a person who is a member with a team, which would make them one again."""
    team = next((each.through for each in members if each.through), None)
    if team:
        raise ValidationError(f"Their access comes with the team {team}. Remove the team, or change who is in it.")


def _take_access(environment: Environment, members: list[Member]) -> None:
    """Remove members with the next reconcile."""
    withdraw(environment, environment.members.filter(pk__in=[member.pk for member in members]))
    owe(environment.pk)


def withdraw(environment: Environment, leaving: MemberQuerySet) -> None:
    """Take members' access away with the next reconcile. Call it in a transaction that owes one."""
    Departure.objects.note(environment, leaving)
    leaving.update(wanted=False)


def undoable(environment: Environment) -> list[tuple[int, str]]:
    """The removals that can be undone now, newest first: the event's id and the address."""
    if not environment.wanted:
        return []
    recent = environment.events.filter(kind=Activity.ACCESS_CHANGED, at__gt=timezone.now() - UNDO)
    found: dict[str, int] = {}
    for pk, data in recent.values_list("pk", "data"):
        for address in data.get("taken", ()):
            found.setdefault(address, pk)
    if not found:
        return []
    members = {email.lower() for email in environment.members.filter(wanted=True).values_list("email", flat=True)}
    return [(pk, address) for address, pk in found.items() if address.lower() not in members]


def undo_removal(environment: Environment, actor: User, event_id: int) -> str:
    """Give a member who was just removed the same role again; the address.

    It is the same person, whoever holds the address by now. Raises
    ValidationError if that was too long ago, was undone, or the role is no longer the template's; PermissionDenied.
    """
    guards.check_editable(environment, actor)
    with transaction.atomic():
        row = guards.lock_open(environment)
        address = dict(undoable(row)).get(event_id)
        if address is None:
            raise ValidationError("This can no longer be undone. Add the person again.")
        data = environment.events.get(pk=event_id).data
        role, person = Role(data["role"]), User.objects.filter(pk=data["person"], is_active=True).first()
        if data["person"] and person is None:
            raise ValidationError("This can no longer be undone. Their account was deleted or is inactive.")
        check_role(row, role)
        _set_role(environment, actor, address, role, person)
        Departure.objects.forget(environment, address, role)
        _check_number(environment)
        message = f"{actor} undid the removal of {address}, who has the role {role.value} again."
        data = {"restored": [address], "role": role.value}
        Event.record(environment, actor, Activity.ACCESS_CHANGED, message, data, notice_owed=False)
        owe(environment.pk)
    return address


def hand_over(environment: Environment, actor: User, address: str, *, keep: Role | None) -> None:
    """Make another person the owner; the former one keeps the given role, or no access.

    Raises ValidationError by field if they have no account in the portal, may not have an environment like this one or
    have as many as they may, if the role is not the template's, and while it waits for approval. PermissionDenied.
    """
    guards.check_editable(environment, actor)
    heir = _heir(environment, address)
    if keep is not None:
        check_role(environment, keep, "keep")
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
        _set_role(environment, actor, heir.email, environment.template_spec.owner_role, heir)
        if keep is not None:
            _set_role(environment, actor, former.email, keep, former)
        else:
            withdraw(environment, _of(environment, former.email, former))
        Event.record(
            environment,
            actor,
            Activity.OWNER_CHANGED,
            f"{actor} transferred ownership from {former} to {heir}.",
            {"from": former.email, "to": heir.email},
        )
        owe(environment.pk)
    environment.owner = heir


def restore_owner(owner: User) -> None:
    """Give an owner the membership that every owner has, where only an address that is no longer theirs has one."""
    owned = Environment.objects.live().granted().filter(owner=owner).exclude(members__person=owner)
    for environment in owned.select_related("version__template", "team", "owner"):
        spec = environment.readable_spec
        if spec is None or _of(environment, owner.email, owner).exists():
            continue
        _set_role(environment, owner, owner.email, spec.owner_role, owner)
        message = f"{owner} has access as the owner again, as {owner.email}. Remove members who are no longer known."
        Event.record(environment, None, Activity.ACCESS_CHANGED, message, {"given": [owner.email]})
        owe(environment.pk)


def _at(field: str, sentence: str, code: str) -> ValidationError:
    return ValidationError({field: [ValidationError(sentence, code=code)]})


def _check_number(environment: Environment) -> None:
    if environment.members.filter(wanted=True).count() > MAX_MEMBERS:
        raise _at("addresses", f"An environment has at most {MAX_MEMBERS} members.", "too_many")


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
    heir = _account(environment, address)
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


def _account(environment: Environment, address: str) -> User | None:
    """Who is meant by an address: the account that is known to hold it, else the member whom the page calls so."""
    if holder := User.objects.holder_of(address):
        return holder
    named = environment.members.with_address(address).filter(wanted=True, address_lost=False, person__is_active=True)
    member = named.select_related("person").first()
    return member.person if member else None


def _of(environment: Environment, address: str, person: User | None) -> MemberQuerySet:
    """The memberships of a person, or of whoever holds an address; never those of a former holder."""
    if person is None:
        return environment.members.with_address(address).filter(person=None)
    linked = environment.members.filter(person=person)
    return linked if linked.exists() else environment.members.with_address(address).filter(person=None)


def _with_access(environment: Environment, address: str) -> list[Member]:
    """The members who are removed with an address: its holder; where they have no access, those whom it still names."""
    wanted = environment.members.filter(wanted=True)
    held = list(_of(environment, address, User.objects.holder_of(address)).filter(wanted=True))
    return held or list(wanted.with_address(address))


def _is_owners(environment: Environment, address: str, members: list[Member]) -> bool:
    """Whether an address that names no other member is the owner's."""
    return (
        not any(member.person_id for member in members) and address.strip().lower() == environment.owner.email.lower()
    )


def give_through(environment: Environment, person: User, group: GroupMember) -> None:
    """Make a person a member with the role of their team. Call it in a transaction that owes a reconcile."""
    _set_role(environment, group.added_by, person.email, Role(group.role), person, through=group)


def _set_role(
    environment: Environment,
    actor: User | None,
    address: str,
    role: Role,
    person: User | None,
    *,
    through: GroupMember | None = None,
) -> bool:
    """Give a person a role, or whoever holds an address; whether they had not got it yet. Links them if known.

    `through`: the team that they have it with; without one it is their own, whatever their teams are given.
    """
    known = _of(environment, address, person)
    is_news = not known.filter(role=role, wanted=True).exists()
    Departure.objects.note(environment, known.exclude(role=role))
    known.exclude(role=role).update(in_group=None, bound=None, allowed=None)  # all of it was about the other role
    known.filter(in_group=False).update(directory_id="")  # it was another person's; the address is meant anew
    if not known.update(role=role, wanted=True, person=person, through=through):
        made = {"email": address, "role": role, "added_by": actor, "person": person, "through": through}
        Member.objects.create(environment=environment, **made)
    if person:
        environment.access_requests.filter(person=person).delete()
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
    return is_news


def check_role(environment: Environment, role: Role, field: str = "role") -> None:
    """Raise ValidationError at `field` unless the template lets collaborators have the role."""
    if role not in environment.template_spec.collaborator_roles:
        raise _at(field, drafts.role_sentence(environment.template_spec), "role")
