"""Whether members' sign-ins to a cluster that authenticates by OIDC were seen."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from environments.actions import sign_ins
from environments.actions.sign_ins import SignIn
from environments.lib import dates
from environments.lib.pasted_tokens import WHOAMI
from environments.lib.phases import Role
from environments.models import Departure, Environment, Member, TokenCheck, User

_UNKNOWN_LIFETIME = timedelta(days=1)  # how long a removal is shown if it is not known how long tokens are valid


@dataclass(frozen=True)
class AccessLine:
    """A member, and their sign-in; None where the cluster does not authenticate by OIDC."""

    member: Member
    sign_in: SignIn | None


@dataclass(frozen=True)
class SignInPart:
    """The part of a page with which a member checks a real token."""

    sign_in: SignIn
    whoami_line: str
    claims_line: str
    is_verified: bool  # the cluster confirmed the role


@dataclass(frozen=True)
class Leaver:
    """A person who lost a role that others still have: until their token ends, it names the role's group."""

    departure: Departure
    role: str
    until: datetime | None  # the latest moment; None if that is not known
    lifetime: str  # of a token, in words; empty if that is not known


def leavers(environment: Environment, members: list[Member]) -> list[Leaver]:
    """Those whose old tokens may still work, in the order in which they left. `members`: all who are wanted.

    Asks nothing where role bindings name no groups, or the cluster does not authenticate by OIDC.
    """
    cluster, now = environment.cluster, timezone.now()
    if not sign_ins.authenticates_by_oidc(cluster) or not cluster.bind_groups:
        return []
    held = {member.role for member in members if member.in_group}
    again = {(member.email.lower(), member.role) for member in members}
    gone = [each for each in environment.departures.all() if (each.email.lower(), each.role) not in again]
    found = [each for each in gone if each.role in held]
    if not found:
        return []
    lifetime = sign_ins.token_lifetime(cluster)
    made = (_leaver(departure, lifetime) for departure in found)
    return [leaver for leaver in made if _ends(leaver) > now]


def _leaver(departure: Departure, lifetime: timedelta | None) -> Leaver:
    until = departure.out_at + lifetime if departure.out_at and lifetime else None
    words = dates.lifetime(int(lifetime.total_seconds())) if lifetime else ""
    return Leaver(departure, str(Role(departure.role).label), until, words)


def _ends(leaver: Leaver) -> datetime:
    """When it is no longer worth a line."""
    return leaver.until or (leaver.departure.out_at or timezone.now()) + _UNKNOWN_LIFETIME


def access_lines(environment: Environment, members: list[Member]) -> list[AccessLine]:
    """The members with their sign-ins. Two queries where the cluster authenticates by OIDC, none elsewhere."""
    if not sign_ins.authenticates_by_oidc(environment.cluster):
        return [AccessLine(member, None) for member in members]
    groups, checks = list(environment.groups.all()), _checks(environment, members)
    return [
        AccessLine(member, sign_ins.of_member(environment, member, checks.get(member.pk, ()), groups))
        for member in members
    ]


def sign_in_part(environment: Environment, member: Member, user: User) -> SignInPart | None:
    """The signed-in member's part; None where the cluster does not authenticate by OIDC."""
    cluster = environment.cluster
    if not sign_ins.authenticates_by_oidc(cluster):
        return None
    checks = TokenCheck.objects.filter(cluster=cluster, user=user)
    sign_in = sign_ins.of_member(environment, member, checks, environment.groups.all())
    return SignInPart(sign_in, WHOAMI, sign_ins.claims_line(cluster), bool(member.allowed))


def _checks(environment: Environment, members: list[Member]) -> dict[int, list[TokenCheck]]:
    """What members pasted, by member. Those who are not linked to a person yet are found by their address."""
    by_person = {member.person_id: member.pk for member in members if member.person_id}
    by_address = {member.email.lower(): member.pk for member in members if not member.person_id}
    rows = TokenCheck.objects.filter(cluster=environment.cluster).select_related("user")
    found: dict[int, list[TokenCheck]] = {}
    for check in rows.filter(Q(user__in=by_person) | Q(user__email__in=by_address)):
        pk = by_person.get(check.user_id) or by_address.get(check.user.email.lower())
        if pk:
            found.setdefault(pk, []).append(check)
    return found
