"""What a sign-in changes in environments: memberships follow the person, and role bindings follow their names.

A membership belongs to a person from the moment that the portal knows them. Their address and user name are facts that
change; who gets an old address later gets nothing with it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Q
from django.db.models.functions import Lower

from environments.actions import memberships
from environments.actions.owed import owe
from environments.directory import Person
from environments.lib.activity import Activity
from environments.models import Environment, Event, Member, User
from environments.models.environments import EnvironmentQuerySet
from environments.models.members import MemberQuerySet
from environments.reconcile import desired


@dataclass(frozen=True)
class Names:
    """A person's names before something changed: their address, and by membership their name on the cluster."""

    email: str = ""
    on_clusters: dict[int, str] = field(default_factory=dict)


def names_of(user: User) -> Names:
    """What this person is called now. Nothing for an account that is not stored yet."""
    if user._state.adding:
        return Names()
    return Names(user.email, {member.pk: name_on_cluster(member) for member in _live().filter(person=user)})


def name_on_cluster(member: Member) -> str:
    """What role bindings call a member; empty if they must not name them."""
    cluster = member.environment.cluster
    state = desired.member_states([member], str(member.environment_id), cluster.oidc_issuer)[0]
    return desired.naming(cluster).user(state.facts)


def carry_over(user: User, before: Names) -> None:
    """Link what is this person's, and have their role bindings follow their names. Call it in a transaction.

    `before` has the names from before the change.
    """
    linked = _link(user, before.email)
    _relabel(user)
    memberships.restore_owner(user)
    for member in _live().filter(person=user):
        old = {**linked, **before.on_clusters}.get(member.pk)
        _follow(member, str(user), old, name_on_cluster(member))
    if before.email and before.email != user.email:
        _owe(Environment.objects.live().filter(owner=user))  # their objects carry the owner's address


def directory_says(member: Member, person: Person) -> None:
    """Write down who a member is in the directory now; role bindings follow. Call it in a transaction.

    An address that changed there is what their tokens will say: what the last token said has passed.
    """
    before, known = name_on_cluster(member), member.directory_email
    changed = bool(known and person.email) and person.email.casefold() != known.casefold()
    if changed and member.person and member.person.claimed_email.casefold() == known.casefold():
        User.objects.filter(pk=member.person.pk).update(claimed_email="")
    facts = {"directory_email": person.email[:254], "username": person.username[:150]}
    Member.objects.filter(pk=member.pk).update(**facts, **({"address_lost": False} if changed else {}))
    if changed:
        _rename(member, User.objects.normalize_email(person.email))
    now = Member.objects.select_related("environment__cluster", "person").get(pk=member.pk)
    _follow(now, str(now.person or now), before, name_on_cluster(now))


def address_passed_on(member: Member) -> None:
    """Note that a member's address is another person's in the directory. Call it in a transaction."""
    before = name_on_cluster(member)
    Member.objects.filter(pk=member.pk).update(address_lost=True)
    member.address_lost = True
    _follow(member, str(member.person or member), before, name_on_cluster(member))


def lose_address(people: Iterable[User]) -> None:
    """Take an address from accounts, since it is another person's now: no role binding may name them by it."""
    for user in people:
        before = names_of(user)
        User.objects.filter(pk=user.pk).update(email_trusted=False, claimed_email="")
        Member.objects.filter(person=user).update(address_lost=True)
        carry_over(User.objects.get(pk=user.pk), before)


def link_waiting() -> int:
    """Link memberships to the accounts that are known to hold their addresses; how many were linked."""
    addresses = _live().filter(person=None, wanted=True).annotate(address=Lower("email")).values("address")
    people = User.objects.annotate(address=Lower("email")).filter(email_trusted=True, is_active=True)
    return sum(len(_link(user, "")) for user in people.filter(address__in=addresses.order_by()))


def _live() -> MemberQuerySet:
    """The memberships of what is not over."""
    rows = Member.objects.filter(environment__in=Environment.objects.live().order_by())
    return rows.select_related("environment__cluster", "environment__owner", "person").order_by("pk")


def _link(user: User, former_email: str) -> dict[int, str]:
    """Link what waits for this person; what each was called on its cluster until now, by membership."""
    addresses = {user.email.lower()} if user.email_trusted else set()
    own = {address for address in (user.email.lower(), former_email.lower()) if address}
    waiting = Member.objects.filter(person=None).alias(address=Lower("email"))
    mine = waiting.filter(Q(address__in=addresses) | Q(environment__owner=user, address__in=own))
    linked: dict[int, str] = {}
    for member in mine.select_related("environment__cluster", "person").order_by("-wanted", "pk"):
        name = name_on_cluster(member)
        if twin := Member.objects.filter(environment=member.environment_id, person=user).first():
            _merge(member, twin)
        else:
            Member.objects.filter(pk=member.pk, person=None).update(person=user)
            linked[member.pk] = name
    return linked


def _merge(member: Member, twin: Member) -> None:
    """Two memberships turn out to be one person's: the linked one stays, with the stronger of two wanted roles."""
    if not member.wanted:
        return  # on its way out; what it has in the directory is the same person's
    stronger = min(member.role, twin.role, key=memberships.STRENGTH.index) if twin.wanted else member.role
    changes = {} if twin.wanted and stronger == twin.role else {"in_group": None, "bound": None, "allowed": None}
    Member.objects.filter(pk=twin.pk).update(role=stronger, wanted=True, through=None, **changes)
    member.delete()
    _owe(Environment.objects.filter(pk=member.environment_id))


def _relabel(user: User) -> None:
    """Write the person's address on their memberships, if it is known to be theirs; tokens keep their accounts."""
    if not user.email_trusted:
        return
    Member.objects.filter(person=user, address_lost=True).update(address_lost=False)
    for member in Member.objects.filter(person=user).exclude(email=user.email):
        _rename(member, user.email)


def _rename(member: Member, email: str) -> None:
    """Give a membership another address; the ServiceAccount of its tokens stays. Not if that would make two of one."""
    rows = Member.objects.filter(environment=member.environment_id, email=email, person=None).exclude(pk=member.pk)
    if member.person_id is None and rows.exists():
        return
    account = desired.account_name(member, str(member.environment_id)) if member.has_account else ""
    Member.objects.filter(pk=member.pk).update(email=email, account_name=account or member.account_name)


def _follow(member: Member, who: str, old: str | None, new: str) -> None:
    """Have a role binding name the person as the provider does now, and say so in the history."""
    if old is None or old == new or not member.wanted:
        return
    environment = member.environment
    if new:
        was = f", and was {old} before" if old else ""
        message = f"{who} is {new} at the identity provider now{was}. Role bindings name them so."
    else:
        message = f"{old} is another person's address now. Role bindings no longer name {who} by it."
    Member.objects.filter(pk=member.pk).update(allowed=None)
    Event.record(environment, None, Activity.NAME_CHANGED, message, {"from": old, "to": new})
    _owe(Environment.objects.filter(pk=environment.pk))


def _owe(environments: EnvironmentQuerySet) -> None:
    keys = list(environments.granted().order_by().values_list("pk", flat=True))
    owe(*keys)
