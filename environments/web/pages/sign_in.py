"""Whether members' sign-ins to a cluster that authenticates by OIDC were seen."""

from dataclasses import dataclass

from django.db.models import Q

from environments.actions import sign_ins
from environments.actions.sign_ins import SignIn
from environments.lib.pasted_tokens import WHOAMI
from environments.models import Environment, Member, TokenCheck, User


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
