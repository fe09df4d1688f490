"""What is seen of real sign-ins to clusters that authenticate by OIDC, and what it should be.

What people paste is an observation: stored with who and when, shown beside what was expected, and nothing else. No
name and no role binding follows from it. It counts for the issuer and the client for which it was made.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Max
from django.utils import timezone

from environments.lib import pasted_tokens, token_lines
from environments.lib.identity import DIRECTORY_USERNAME, TokenFacts, token_facts
from environments.lib.pasted_tokens import Claims, Whoami
from environments.lib.token_lines import Expected, Line
from environments.models import Cluster, Environment, Group, Member, TokenCheck, User
from environments.reconcile import desired
from environments.reconcile.steps import binding, group_members

_MOST_GROUPS = 20  # of those that a platform admin is known to be in


@dataclass(frozen=True)
class Observation:
    """What a person pasted, compared with what is expected now."""

    kind: TokenCheck.Kind
    seen_at: datetime
    lines: list[Line]

    @property
    def is_good(self) -> bool:
        """Whether nothing differs, and nothing is unknown."""
        return token_lines.is_good(self.lines)

    @property
    def is_bad(self) -> bool:
        """Whether something differs."""
        return token_lines.is_bad(self.lines)


@dataclass(frozen=True)
class SignIn:
    """Whether a person's sign-in to a cluster was seen, newest observation first."""

    observations: tuple[Observation, ...] = ()

    @property
    def tone(self) -> str:
        """`ok`: the API server knew them by the expected names; `bad`: something differs; empty: not seen yet."""
        if not self.observations:
            return ""
        if self.observations[0].is_bad:
            return "bad"
        whoami = self.whoami
        return "ok" if whoami and not whoami.is_bad and self._knows(whoami) else ""

    @property
    def whoami(self) -> Observation | None:
        """What the API server called them."""
        return next((each for each in self.observations if each.kind == TokenCheck.Kind.WHOAMI), None)

    @property
    def says(self) -> str:
        """The state in a few words."""
        return {"ok": "sign-in seen", "bad": "sign-in differs"}.get(self.tone, "sign-in not yet seen")

    @property
    def seen_at(self) -> datetime | None:
        """When the newest one was pasted."""
        return self.observations[0].seen_at if self.observations else None

    @staticmethod
    def _knows(whoami: Observation) -> bool:
        """Whether the user name is the expected one: without it, what was seen proves nothing."""
        return whoami.lines[0].tone == token_lines.OK


def authenticates_by_oidc(cluster: Cluster) -> bool:
    """Whether members sign in to the cluster with tokens of an identity provider."""
    return cluster.access == Cluster.Access.OIDC


def keep(cluster: Cluster, user: User, text: str) -> TokenCheck:
    """Store what a person pasted of their own token on a cluster, in place of what they pasted before of its kind.

    Raises ValidationError at `pasted`, which never quotes what was pasted, and stores nothing of what it refuses.
    """
    try:
        seen = pasted_tokens.read(text, (cluster.username_claim, cluster.groups_claim))
    except ValueError as error:
        raise ValidationError({"pasted": [ValidationError(str(error), code="unreadable")]}) from None
    kind = TokenCheck.Kind.WHOAMI if isinstance(seen, Whoami) else TokenCheck.Kind.CLAIMS
    content: dict[str, Any] = {"for": _target(cluster)}
    content |= {"username": seen.username, "groups": list(seen.groups)} if isinstance(seen, Whoami) else {}
    content |= {"claims": seen.values} if isinstance(seen, Claims) else {}
    row = {"content": content, "lifetime_seconds": getattr(seen, "lifetime", None), "seen_at": timezone.now()}
    return TokenCheck.objects.update_or_create(cluster=cluster, user=user, kind=kind, defaults=row)[0]


def token_lifetime(cluster: Cluster) -> timedelta | None:
    """How long tokens on the cluster are valid: by its settings, or the longest one seen. None if neither says so."""
    if cluster.id_token_minutes:
        return timedelta(minutes=cluster.id_token_minutes)
    longest = cluster.token_checks.aggregate(longest=Max("lifetime_seconds"))["longest"]
    return timedelta(seconds=longest) if longest else None


def claims_line(cluster: Cluster) -> str:
    """The line that prints of a member's token what `keep` reads, on their own computer."""
    return pasted_tokens.claims_line((cluster.username_claim, cluster.groups_claim))


def of_member(
    environment: Environment, member: Member, checks: Iterable[TokenCheck], groups: Iterable[Group]
) -> SignIn:
    """Whether a member's sign-in to the environment's cluster was seen. `checks`: their own; `groups`: all of it."""
    return _sign_in(environment.cluster, checks, expected_of_member(environment, member, groups))


def of_user(cluster: Cluster, user: User, checks: Iterable[TokenCheck]) -> SignIn:
    """The same for a person as they are known by signing in to the portal, whatever they are a member of."""
    return _sign_in(cluster, checks, expected_of_user(cluster, user))


def expected_of_member(environment: Environment, member: Member, groups: Iterable[Group]) -> Expected:
    """The names that role bindings have for this member."""
    cluster, key = environment.cluster, str(environment.pk)
    naming = desired.naming(cluster)
    if member.is_of_group and member.through:  # which alone gives them access
        names = group_members.names(desired.group_member_states([member.through], cluster), naming)
        facts = token_facts(member.token_facts, cluster.oidc_issuer, member.email)
        return _expected(cluster, facts, names, by_name=False)
    state = desired.member_states([member], key, cluster.oidc_issuer)[0]
    states = desired.group_states((group for group in groups if group.role == member.role), key, environment.namespace)
    names = tuple(filter(None, (binding.group_name(group, naming) for group in states)))
    return _expected(cluster, state.facts, names, by_name=naming.bind_members)


def expected_of_user(cluster: Cluster, user: User) -> Expected:
    """The names that follow from the person's last sign-in to the portal."""
    facts = token_facts(user.token_facts, cluster.oidc_issuer, user.email)
    facts = replace(facts, other={DIRECTORY_USERNAME: user.username, **facts.other})
    groups = desired.naming(cluster).groups(facts)[:_MOST_GROUPS]
    return _expected(cluster, facts, groups, by_name=True)


def _expected(cluster: Cluster, facts: TokenFacts, groups: tuple[str, ...], *, by_name: bool) -> Expected:
    naming = desired.naming(cluster)
    user = naming.user(facts)
    return Expected(
        naming=naming,
        issuer=cluster.oidc_issuer,
        client_id=cluster.oidc_client_id,
        groups_claim=cluster.groups_claim,
        username=user,
        groups=groups,
        by_name=by_name and bool(user),
    )


def _sign_in(cluster: Cluster, checks: Iterable[TokenCheck], expected: Expected) -> SignIn:
    current = [check for check in checks if check.content.get("for") == _target(cluster)]
    newest = sorted(current, key=lambda check: check.seen_at, reverse=True)
    return SignIn(tuple(_compared(check, expected) for check in newest))


def _compared(check: TokenCheck, expected: Expected) -> Observation:
    kind, content = TokenCheck.Kind(check.kind), check.content
    if kind is TokenCheck.Kind.WHOAMI:
        lines = token_lines.of_whoami(expected, Whoami(content["username"], tuple(content["groups"])))
    else:
        # An old token has expired by now: what counts is whether it was good when it was pasted.
        lines = token_lines.of_claims(expected, Claims(content["claims"]), check.seen_at)
    return Observation(kind, check.seen_at, lines)


def _target(cluster: Cluster) -> list[str]:
    return [cluster.oidc_issuer, cluster.oidc_client_id]
